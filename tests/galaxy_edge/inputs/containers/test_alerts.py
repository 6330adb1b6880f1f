"""Alert packets of ZTF and Rubin, drawn and real."""

from __future__ import annotations

import json
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from astropy.io import fits

from galaxy_edge import Predictor, inputs
from galaxy_edge.inputs.images import decode
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from tests.conftest import TINY
from tests.galaxy_edge.inputs.containers import packets

Cli = Callable[..., tuple[int, str, str]]
pytest.importorskip("fastavro", reason="the extra `alerts` is not installed")
SEPARATE = Preprocessing(63, stretch=Stretch(kind="linear"))


def rows(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def ztf(tmp_path: Path) -> Path:
    alerts = [packets.ztf(1), packets.ztf(2, stamps=False), packets.ztf(3)]
    return packets.write(tmp_path / "z.avro", packets.ZTF, alerts)


@pytest.mark.parametrize("cutout", [None, "science", "template", "difference"])
def test_a_stamp_has_the_pixels_of_its_file(ztf: Path, tmp_path: Path, cutout: str | None):
    place = {"template": 1, "difference": 2}.get(cutout or "", 0)
    first, second, third = inputs.open(ztf, cutout=cutout)
    assert [one.id for one in (first, second, third)] == [str(10**18 + n) for n in (1, 2, 3)]
    assert first.path == f"{ztf}#0"
    fits.writeto(tmp_path / "x.fits", packets.pixels(30 + place))
    for steps in (SEPARATE, Preprocessing(63)):
        assert (decode(third, steps) == decode(tmp_path / "x.fits", steps)).all()
    name = (cutout or "science").capitalize()
    assert str(second.content) == f"no stamp: the alert has no cutout{name}"


def test_a_triplet_has_three_channels(ztf: Path, tmp_path: Path):
    triplet, *_ = inputs.open(ztf, cutout="triplet")
    pixels = decode(triplet, SEPARATE)
    for place, cutout in enumerate(("science", "template", "difference")):
        alone, *_ = inputs.open(ztf, cutout=cutout)
        assert (pixels[..., place] == decode(alone, SEPARATE)[..., 0]).all()


def test_rubin_has_plain_stamps_and_their_uncertainty(tmp_path: Path, cli: Cli, model_file: Path):
    path = packets.write(tmp_path / "r.avro", packets.RUBIN, [packets.rubin(1), packets.rubin(2)])
    options = ("-m", model_file, "--format", "jsonl")
    for more in ((), ("--cutout", "triplet", "--stretch-kind", "asinh")):
        code, out, err = cli("predict", path, *options, *more)
        assert code == 0
        assert [row["id"] for row in rows(out)] == [str(2 * 10**17 + n) for n in (1, 2)]
        assert len(err.splitlines()) == 1, "no note on each alert"


def test_rows_with_columns_and_another_identifier(ztf: Path, cli: Cli, model_file: Path):
    code, out, _ = cli(
        "predict", ztf, "-m", model_file, "--format", "jsonl", "--digest",
        "--id-column", "objectId", "--keep", "candid,candidate.magpsf",
    )  # fmt: skip
    assert code == 1
    found = rows(out)
    assert [row["id"] for row in found] == ["ZTF1", "ZTF2", "ZTF3"]
    assert [row["status"] for row in found] == ["ok", "error", "ok"]
    assert [row["candidate.magpsf"] for row in found] == [18.5] * 3
    assert found[0]["candid"] == 10**18 + 1
    assert len(found[0]["sha256"]) == 64
    code, out, _ = cli("predict", ztf, "-m", model_file, "--format", "jsonl", "--keep", "ra")
    assert "there is no field ra: at ra, it has objectId, candid" in rows(out)[0]["error"]


def test_a_model_for_colours_refuses_a_triplet(ztf: Path, cli: Cli, model_file: Path):
    command = ("predict", ztf, "-m", model_file, "--cutout", "triplet", "--format", "jsonl")
    code, out, _ = cli(*command)
    assert code == 1
    assert "channels that are not colours" in rows(out)[0]["error"]
    code, out, _ = cli(*command, "--stretch-kind", "linear", "--percentiles", "1,99")
    assert [row["status"] for row in rows(out)] == ["ok", "error", "ok"]
    code, _, err = cli(*command, "--stretch-kind", "linear", "--percentiles", "1")
    assert (code, "two growing numbers" in err) == (2, True)
    code, _, err = cli(*command, "--stretch-kind", "linear", "--percentiles", "a,b")
    assert (code, "--percentiles takes two numbers" in err) == (2, True)


def test_folders_and_archives_of_packets(ztf: Path, tmp_path: Path, cli: Cli, model_file: Path):
    night = tmp_path / "night.tar.gz"
    with tarfile.open(night, "w:gz") as archive:
        archive.add(ztf, "1.avro")
        (tmp_path / "broken").write_bytes(ztf.read_bytes()[:2000])
        archive.add(tmp_path / "broken", "2.avro")
    (tmp_path / "broken").unlink()
    code, out, _ = cli("predict", night, "-m", model_file, "--format", "jsonl")
    assert code == 1
    found = rows(out)
    assert [row["status"] for row in found] == ["ok", "error", "ok", "error"]
    assert found[3]["path"] == f"{night}#2.avro"
    assert "damaged or truncated" in found[3]["error"]
    night.unlink()
    code, out, _ = cli("predict", tmp_path, "-m", model_file, "--format", "jsonl")
    assert [row["id"] for row in rows(out)] == [row["id"] for row in found[:3]]


@pytest.mark.parametrize("suffix", ["tar.gz", "zip"])
def test_alerts_in_an_archive_have_columns(ztf: Path, tmp_path: Path, suffix: str):
    from tests.galaxy_edge.inputs.containers.packing import packed

    packets = {f"{number}.avro": ztf.read_bytes() for number in range(2)}
    night = packed(tmp_path / f"night.{suffix}", packets)
    found = list(inputs.open(night, id_column="objectId", keep=["candidate.magpsf"]))
    assert [one.id for one in found] == ["ZTF1", "ZTF2", "ZTF3"] * 2
    assert [one.path for one in found[3:]] == [f"{night}#1.avro#{number}" for number in range(3)]
    assert found[0].kept == {"candidate.magpsf": 18.5}


def test_damage_comes_after_the_alerts_before_it(tmp_path: Path):
    import fastavro

    path = tmp_path / "x.avro"
    with path.open("wb") as file:
        schema = fastavro.parse_schema(packets.ZTF)
        fastavro.writer(file, schema, [packets.ztf(1), packets.ztf(2)], sync_interval=1)
    content = path.read_bytes()
    path.write_bytes(content[:-500])
    first, fault = inputs.open(path)
    assert first.id == str(10**18 + 1)
    assert fault.path == str(path)
    assert str(fault.content).startswith("after 1 images: damaged or truncated: ")
    for text, message in ((b"", "empty"), (b"no Avro", "damaged"), (content[:50], "damaged")):
        path.write_bytes(text)
        (fault,) = inputs.open(path)
        assert message in str(fault.content)
    packets.write(path, packets.ZTF, [])
    (fault,) = inputs.open(path)
    assert str(fault.content) == "no alert is in it"


def test_records_that_are_no_alerts_are_error_rows(tmp_path: Path):
    schema = {"type": "record", "name": "x", "fields": [{"name": "a", "type": "int"}]}
    packets.write(tmp_path / "x.avro", schema, [{"a": 1}])
    packets.write(tmp_path / "y.avro", {"type": "int"}, [1])
    (one,), (other,) = inputs.open(tmp_path / "x.avro"), inputs.open(tmp_path / "y.avro")
    assert "neither candid nor diaSourceId; it has a" in str(one.content)
    assert "its record has no fields" in str(other.content)


@pytest.mark.filterwarnings("ignore:Found a SIMPLE card")
def test_real_alerts(shared: Path, cli: Cli, model_file: Path):
    folder = shared / "alerts"
    options = ("-m", model_file, "--stretch-kind", "asinh", "--format", "jsonl", "-q")
    for cutout in ("science", "template", "difference", "triplet"):
        code, out, _ = cli("predict", folder, "--cutout", cutout, *options)
        assert code == 1, "the alert of Rubin has no stamps"
        found = {row["id"]: row["status"] for row in rows(out)}
        assert found == {
            "1231321321": "error", "739260766315010006": "ok", "472263571115115000": "ok",
        }  # fmt: skip


def test_a_network_for_triplets_is_trained_measured_and_used(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    alerts = [packets.ztf(n, label="bogus" if n % 2 else "real") for n in range(60)]
    packets.write(tmp_path / "labelled.avro", packets.ZTF, alerts)
    source = ("labelled.avro", "--cutout", "triplet", "--label-column", "label")
    stretch = ("--stretch-kind", "asinh", "--percentiles", "0,99.9", "--q", "3")
    options = (*TINY, "--epochs", "1", "-o", "run", "-q")
    code, _, err = cli("train", *source, *stretch, *options)
    assert code == 0, err
    export = ("run", "-o", "m.onnx", "--no-typicality", "-q")
    code, _, err = cli("export", *export)
    assert code == 0, err
    predictor = Predictor("m.onnx")
    assert predictor.preprocessing.stretch == Stretch(kind="asinh", percentiles=(0.0, 99.9), q=3.0)
    code, out, err = cli("predict", *source[:3], "-m", "m.onnx", "--format", "jsonl")
    assert code == 0, err
    assert {row["status"] for row in rows(out)} == {"ok"}
    code, out, err = cli("evaluate", *source, "-m", "m.onnx", "--bootstrap", "0", "-q")
    assert code == 0, err


def test_a_watched_folder_takes_packets(ztf: Path, tmp_path: Path, cli: Cli, model_file: Path):
    (tmp_path / "in").mkdir()
    ztf.rename(tmp_path / "in" / "z.avro")
    code, _, err = cli(
        "watch", tmp_path / "in", "-m", model_file, "-o", tmp_path / "x.csv", "--once", "--settle",
        "0.1", "--cutout", "difference", "--keep", "objectId", "--move-done", tmp_path / "done",
    )  # fmt: skip
    assert code == 1
    assert "3 images: " in err
    assert (tmp_path / "done" / "z.avro").exists()
    assert (tmp_path / "x.csv").read_text().splitlines()[1].endswith(",ZTF1")


def test_a_missing_extra_is_named(ztf: Path, tmp_path: Path, cli: Cli, monkeypatch):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(ztf, "z.avro")
    monkeypatch.delitem(sys.modules, "galaxy_edge.inputs.containers.alerts", raising=False)
    monkeypatch.setitem(sys.modules, "fastavro", None)
    for path in (ztf, tmp_path / "x.tar"):
        code, _, err = cli("predict", path)
        assert code == 2
        assert "pip install 'galaxy-edge[alerts]'" in err


def test_the_memory_of_an_archive_of_alerts_is_bounded(tmp_path: Path):
    from galaxy_edge.inputs.containers.opening import bounded
    from galaxy_edge.inputs.source import Source, Stamps

    large = [Source(Stamps([bytes(2**27)] * 3), id=str(n)) for n in range(2)]
    assert [source is None for source in bounded(large)] == [False, True, False, True]
