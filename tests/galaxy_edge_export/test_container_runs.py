"""The export of a run that was trained on a container reads the container again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from galaxy_edge import Predictor
from tests.conftest import TINY, encoded, galaxy, galaxy_edge_in_process

h5py = pytest.importorskip("h5py")
Cli = Callable[..., tuple[int, str, str]]
SHORT = (*TINY, "--epochs", "2", "--augment", "exact", "--quiet")
LIMITS = ("--min-speedup", 0, "--max-accuracy-drop", 100, "--max-flips", 100, "--max-auc-drop", 1)
INT8 = ("--quantize", *LIMITS, "--calibration-images", 16)
COUNT = 60
NAMES = ["Real" if number % 2 else "Fake" for number in range(COUNT)]
# Classes take turns, and the splits too: no order of a folder is the order of the container.
SPLITS = ["Valid" if number % 6 > 3 else "Train" for number in range(COUNT)]
PICTURES = [galaxy(number, real=name == "Real") for number, name in enumerate(NAMES)]
FILES = [encoded(picture) for picture in PICTURES]
LABELS = ("--label-column", "type", "--split-column", "split")


def parquet(folder: Path, files: list[bytes] = FILES) -> tuple[Path, tuple[object, ...]]:
    path = folder / "x.parquet"
    table = {"image": pa.array(files, pa.binary()), "type": NAMES, "split": SPLITS}
    pq.write_table(pa.table(table), path, row_group_size=20)
    return path, ("--image-column", "image", *LABELS)


def hats(folder: Path) -> tuple[Path, tuple[object, ...]]:
    path, options = parquet(folder)
    place = folder / "hats" / "dataset" / "Norder=0"
    place.mkdir(parents=True)
    path.rename(place / "Npix=3.parquet")
    return folder / "hats", options


def tar(folder: Path) -> tuple[Path, tuple[object, ...]]:
    import io
    import tarfile

    with tarfile.open(folder / "x.tar", "w") as archive:
        for number, file in enumerate(FILES):
            sidecar = json.dumps({"type": NAMES[number], "split": SPLITS[number]}).encode()
            for suffix, content in ((".png", file), (".json", sidecar)):
                # The second half repeats the names of the first.
                member = tarfile.TarInfo(f"{number % 30:03}{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return folder / "x.tar", LABELS


def hdf5(folder: Path) -> tuple[Path, tuple[object, ...]]:
    with h5py.File(folder / "cube.h5", "w") as file:
        group = file.create_group("survey")
        group["images"] = np.stack(PICTURES)
        group["labels"] = np.array(NAMES, "S")
        group["split"] = np.array(SPLITS, "S")
    return folder / "cube.h5:survey/images", ("--split-column", "split")


def zarr_store(folder: Path) -> tuple[Path, tuple[object, ...]]:
    zarr = pytest.importorskip("zarr")
    # Zarr 3 has no text of a fixed length.
    root = zarr.open_group(folder / "cube.zarr", mode="w", zarr_format=2)
    for name, values in (
        ("images", np.stack(PICTURES)), ("labels", np.array(NAMES)), ("split", np.array(SPLITS)),
    ):  # fmt: skip
        root.create_array(name, data=values)
    return folder / "cube.zarr:images", ("--split-column", "split")


def mosaic(folder: Path) -> tuple[Path, tuple[object, ...]]:
    from astropy.io import fits

    rows = [np.hstack(PICTURES[start : start + 10]) for start in range(0, COUNT, 10)]
    fits.writeto(folder / "m.fits", np.moveaxis(np.vstack(rows), 2, 0).astype(np.int16))
    lines = [
        f"{20 * (n % 10) + 9.5},{20 * (n // 10) + 9.5},{NAMES[n]},{SPLITS[n]}" for n in range(COUNT)
    ]
    (folder / "c.csv").write_text("\n".join(["x,y,type,split", *lines]) + "\n")
    return folder / "m.fits", ("--catalogue", folder / "c.csv", "--size", 20, *LABELS)


SHAPES = {
    "parquet": parquet, "hats": hats, "tar": tar, "hdf5": hdf5, "zarr": zarr_store,
    "mosaic": mosaic,
}  # fmt: skip


@pytest.fixture(scope="module")
def from_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the same images as files with a catalogue, and its int8 file."""
    folder = tmp_path_factory.mktemp("files")
    for number, file in enumerate(FILES):
        (folder / f"{number:03}.png").write_bytes(file)
    lines = [f"{number:03}.png,{NAMES[number]},{SPLITS[number]}" for number in range(COUNT)]
    (folder / "c.csv").write_text("\n".join(["file,type,split", *lines]) + "\n")
    arguments = ("train", folder / "c.csv", "--path-column", "file", *LABELS, "-o", folder / "run")
    assert galaxy_edge_in_process(*arguments, *SHORT) == 0
    assert galaxy_edge_in_process("export", folder / "run", *INT8, "-q") == 0
    return folder / "run"


def summary(path: Path) -> tuple[object, ...]:
    """What a model file computes and says of its data."""
    predictor = Predictor(path, device="cpu")
    manifest = predictor.manifest
    steps = manifest.preprocessing
    images = np.stack([galaxy(seed, steps.size, real=seed % 3 > 0) for seed in range(100, 140)])
    scores, typicality = predictor.scores_and_typicality(images)
    assert typicality is not None
    document = dict(manifest.quantization or {})
    training = manifest.training["data_digest"], manifest.training["typicality"]
    return scores.tolist(), typicality.tolist(), document, manifest.golden, training


@pytest.mark.parametrize("kind", ["parquet", "hats", "tar"])
def test_the_file_is_that_of_the_same_images_as_files(
    tmp_path: Path, cli: Cli, from_files: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    data, options = SHAPES[kind](tmp_path)
    monkeypatch.chdir(tmp_path)
    # The container is found again from another folder.
    assert cli("train", data.relative_to(tmp_path), *options, "-o", "run", *SHORT)[0] == 0
    monkeypatch.chdir(tmp_path.parent)
    code, _, err = cli("export", tmp_path / "run", *INT8)
    assert code == 0, err
    assert "typicality: fitted to Fake (20), Real (20)" in err
    assert "ranges from 16 training images" in err
    found = summary(tmp_path / "run" / "model-int8.onnx")
    assert found == summary(from_files / "model-int8.onnx")
    assert cli("verify", tmp_path / "run" / "model-int8.onnx")[0] == 0


@pytest.mark.parametrize("kind", ["hdf5", "zarr", "mosaic"])
@pytest.mark.parametrize("form", [(), ("--half",), INT8])
def test_arrays_and_mosaics_are_read_again(
    tmp_path: Path, cli: Cli, kind: str, form: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
):
    data, options = SHAPES[kind](tmp_path)
    monkeypatch.chdir(tmp_path)
    given = [one.name if one == tmp_path / "c.csv" else one for one in options]
    code, _, err = cli("train", data.relative_to(tmp_path), *given, "-o", "run", *SHORT)
    assert code == 0, err
    monkeypatch.chdir(tmp_path.parent)
    output = tmp_path / "m.onnx"
    code, _, err = cli("export", tmp_path / "run", *form, "-o", output, "--abstain-error", 0.4)
    assert code == 0, err
    assert "typicality: fitted to Fake (20), Real (20)" in err
    if form == ("--half",):
        assert "20 validation images" in err
    manifest = Predictor(output, device="cpu").manifest
    assert manifest.outputs.typicality is not None
    assert all(one.typicality is not None for one in manifest.golden)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    data, options = parquet(tmp_path)
    assert galaxy_edge_in_process("train", data, *options, "-o", tmp_path / "run", *SHORT) == 0
    return tmp_path / "run"


def test_images_that_have_changed_or_gone_are_listed(run: Path, cli: Cli):
    changed = [*FILES]
    changed[1], changed[5] = changed[5], changed[1]
    parquet(run.parent, changed)
    code, _, err = cli("export", run)
    assert code == 2
    assert "x.parquet#1 has changed since the training" in err
    pq.write_table(pq.read_table(run.parent / "x.parquet").slice(0, 55), run.parent / "x.parquet")
    code, _, err = cli("export", run)
    assert code == 2
    assert f"{run.parent / 'x.parquet'}#56: missing: the container no longer has it" in err
    assert not (run / "model.onnx").exists()


def test_damage_is_named_as_the_reason(run: Path, cli: Cli):
    path = run.parent / "x.parquet"
    place = pq.ParquetFile(path).metadata.row_group(1).column(0).file_offset
    place = place or pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[place + 2 : place + 300] = bytes(298)
    path.write_bytes(content)
    code, _, err = cli("export", run)
    assert code == 2
    assert "no longer has it" in err
    assert "#20-39: damaged" in err


def test_a_container_that_was_moved(run: Path, tmp_path: Path, cli: Cli):
    (tmp_path / "new").mkdir()
    moved = shutil.move(tmp_path / "x.parquet", tmp_path / "new" / "y.parquet")
    code, _, err = cli("export", run, "-o", tmp_path / "without.onnx")
    assert code == 0
    assert "no typicality: the training images cannot be read any more" in err
    assert f"{tmp_path / 'x.parquet'}: missing: the file does not exist" in err
    code, _, err = cli("export", run, "--quantize")
    assert code == 2
    assert "give its new place with --data" in err
    code, _, err = cli("export", run, *INT8, "--data", moved)
    assert code == 0, err
    assert "typicality: fitted to Fake (20), Real (20)" in err
    # Another container is not the one of the training.
    parquet(tmp_path, FILES[::-1])
    code, _, err = cli("export", run, "--data", tmp_path / "x.parquet")
    assert code == 2
    assert "has changed since the training" in err


def test_labelled_folders_replace_the_container(run: Path, session_data: Path, cli: Cli):
    (run.parent / "x.parquet").unlink()
    code, _, err = cli("export", run, "--data", session_data)
    assert code == 0, err
    assert "typicality: fitted to Fake (12), Real (12)" in err


def test_images_left_out_of_the_training_are_not_missed(tmp_path: Path, cli: Cli):
    files = [*FILES]
    files[2] = files[8] = b"damaged"
    data, options = parquet(tmp_path, files)
    code, _, err = cli("train", data, *options, "-o", tmp_path / "run", "--skip-unreadable", *SHORT)
    assert code == 0, err
    code, _, err = cli("export", tmp_path / "run")
    assert code == 0, err
    assert "typicality: fitted to Fake (18), Real (20)" in err


def test_a_pattern_of_containers(tmp_path: Path, cli: Cli):
    path, options = parquet(tmp_path)
    table = pq.read_table(path)
    path.unlink()
    for part in range(3):
        pq.write_table(table.slice(20 * part, 20), tmp_path / f"part{part}.parquet")
    code, _, err = cli("train", tmp_path / "*.parquet", *options, "-o", tmp_path / "run", *SHORT)
    assert code == 0, err
    code, _, err = cli("export", tmp_path / "run")
    assert code == 0, err
    assert "typicality: fitted to Fake (20), Real (20)" in err
    code, _, err = cli("export", tmp_path / "run", "--data", tmp_path / "part0.parquet")
    assert code == 2
    assert "the pattern" in err
