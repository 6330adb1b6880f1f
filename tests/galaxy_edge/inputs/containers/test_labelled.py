"""Training and evaluation read containers: the same images give the same data as files."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from galaxy_edge.errors import DatasetError
from galaxy_edge.evaluation.sources import find_in
from galaxy_edge.inputs.containers.labelled import LabelledContainer
from galaxy_edge.inputs.containers.layout import Layout
from galaxy_edge.inputs.tables import Columns
from tests.conftest import TINY, encoded, galaxy
from tests.without_extras import applies

h5py = pytest.importorskip("h5py")
Cli = Callable[..., tuple[int, str, str]]
SHORT = (*TINY, "--epochs", "1", "--quiet")
COUNT = 48
NAMES = ["real" if number % 2 else "FAKE" for number in range(COUNT)]
PICTURES = [galaxy(number, real=name == "real") for number, name in enumerate(NAMES)]
FILES = [encoded(picture) for picture in PICTURES]
SPLITS = ["train" if number < 32 else "Valid" for number in range(COUNT)]


def parquet(folder: Path, **columns) -> Path:
    path = folder / "x.parquet"
    given = {"image": pa.array(FILES, pa.binary()), "type": NAMES, "split": SPLITS}
    pq.write_table(pa.table(given | columns), path)
    return path


def hdf5(folder: Path) -> Path:
    path = folder / "cube.h5"
    with h5py.File(path, "w") as file:
        file["images"] = np.stack(PICTURES)
        file["labels"] = np.array(NAMES, "S")
    return Path(f"{path}:images")


def tar(folder: Path) -> Path:
    path = folder / "x.tar"
    with tarfile.open(path, "w") as archive:
        for number, (file, name) in enumerate(zip(FILES, NAMES, strict=True)):
            sidecar = json.dumps({"type": name}).encode()
            for suffix, content in ((".png", file), (".json", sidecar)):
                member = tarfile.TarInfo(f"{number:03}{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def zipped(folder: Path) -> Path:
    import zipfile

    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        for number, file in enumerate(FILES):
            archive.writestr(f"images/{number:03}.png", file)
        for number, name in enumerate(NAMES):
            archive.writestr(f"images/{number:03}.cls", f"{name}\n")
    return folder / "x.zip"


def repeated(folder: Path) -> Path:
    """A tar in which all images have one name."""
    with tarfile.open(folder / "x.tar", "w") as archive:
        for file, name in zip(FILES, NAMES, strict=True):
            for suffix, content in ((".png", file), (".cls", name.encode())):
                member = tarfile.TarInfo(f"stamp{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return folder / "x.tar"


def partitions(folder: Path) -> Path:
    table = pq.read_table(parquet(folder))
    for part in range(3):
        path = folder / f"hats/dataset/Norder=0/Npix={part}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.slice(16 * part, 16), path)
    return folder / "hats"


def zarr_store(folder: Path) -> Path:
    zarr = pytest.importorskip("zarr")
    root = zarr.open_group(folder / "x.zarr", mode="w", zarr_format=2)
    root.create_array("images", data=np.stack(PICTURES))
    root.create_array("labels", data=np.array(NAMES))
    return Path(f"{folder}/x.zarr:images")


def mosaic(folder: Path) -> tuple[Path, Path]:
    """All images in one FITS file, 8 in a row, and the places of their centres."""
    rows = [np.hstack(PICTURES[start : start + 8]) for start in range(0, COUNT, 8)]
    fits.writeto(folder / "m.fits", np.moveaxis(np.vstack(rows), 2, 0).astype(np.int16))
    places = [f"{20 * (n % 8) + 9.5},{20 * (n // 8) + 9.5},{name}" for n, name in enumerate(NAMES)]
    (folder / "c.csv").write_text("\n".join(["x,y,type", *places]) + "\n")
    return folder / "m.fits", folder / "c.csv"


OPTIONS = {
    parquet: ["--image-column", "image", "--label-column", "type"],
    partitions: ["--image-column", "image", "--label-column", "type"],
    tar: ["--label-column", "type"], zipped: ["--label-column", "cls"],
    repeated: ["--label-column", "cls"], hdf5: [], zarr_store: [],
}  # fmt: skip


def data_of(run: Path) -> dict:
    return json.loads((run / "data.json").read_text())


def files_of(run: Path) -> dict[str, list]:
    """Digest and label of each image, by split."""
    return {
        split: sorted((item["sha256"], item["label"]) for item in items)
        for split, items in data_of(run)["files"].items()
    }


@pytest.fixture(scope="module")
def from_files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the same images as files with a catalogue."""
    if applies(request.config, "tensorflow"):
        pytest.skip("tensorflow is not installed")
    from tests.conftest import galaxy_edge_in_process

    folder = tmp_path_factory.mktemp("files")
    for number, file in enumerate(FILES):
        (folder / f"{number:03}.png").write_bytes(file)
    lines = [f"{number:03}.png,{name}" for number, name in enumerate(NAMES)]
    (folder / "c.csv").write_text("\n".join(["file,type", *lines]) + "\n")
    code = galaxy_edge_in_process(
        "train", folder / "c.csv", "--path-column", "file", "--label-column", "type",
        "-o", folder / "run", *SHORT,
    )  # fmt: skip
    assert code == 0
    return folder / "run"


@pytest.mark.parametrize("kind", [parquet, partitions, tar, zipped, repeated])
def test_a_container_of_files_trains_the_network_of_the_files(
    tmp_path: Path, cli: Cli, from_files: Path, kind: Callable[[Path], Path]
):
    run = tmp_path / "run"
    code, _, err = cli("train", kind(tmp_path), *OPTIONS[kind], "-o", run, *SHORT)
    assert code == 0, err
    assert files_of(run) == files_of(from_files)
    assert data_of(run)["digest"] == data_of(from_files)["digest"]
    config = json.loads((run / "config.json").read_text())
    assert config["classes"] == ["Fake", "Real"]
    # The same images in the same order give the same weights to the bit.
    assert (run / "batches.csv").read_text() == (from_files / "batches.csv").read_text()


@pytest.mark.parametrize("kind", [hdf5, zarr_store])
def test_arrays_have_their_labels_beside_them(
    tmp_path: Path, cli: Cli, kind: Callable[[Path], Path]
):
    data = kind(tmp_path)
    run = tmp_path / "run"
    code, _, err = cli("train", data, "-o", run, *SHORT)
    assert code == 0, err
    counts = data_of(run)["counts"]
    assert sum(counts[split][name] for split in counts for name in counts[split]) == COUNT
    paths = [item["path"] for items in data_of(run)["files"].values() for item in items]
    assert sorted(paths) == sorted(f"{data.name}#{number}" for number in range(COUNT))


def test_a_column_of_splits_and_a_resumed_run(tmp_path: Path, cli: Cli):
    arguments = [
        "train", parquet(tmp_path), "--image-column", "image", "--label-column", "type",
        "--split-column", "split", "-o", tmp_path / "run", *SHORT,
    ]  # fmt: skip
    code, _, err = cli(*arguments)
    assert code == 0, err
    assert data_of(tmp_path / "run")["counts"] == {
        "Train": {"Fake": 16, "Real": 16}, "Valid": {"Fake": 8, "Real": 8},
    }  # fmt: skip


def test_a_mosaic_with_labels_in_its_catalogue(tmp_path: Path, cli: Cli, model_file: Path):
    data, table = mosaic(tmp_path)
    options = ["--catalogue", table, "--size", "20", "--label-column", "type"]
    run = tmp_path / "run"
    code, _, err = cli("train", data, *options, "-o", run, *SHORT)
    assert code == 0, err
    assert sum(map(len, files_of(run).values())) == COUNT
    code, out, err = cli("evaluate", data, *options, "-m", model_file, "--format", "json", "-q")
    assert code == 0, err
    assert json.loads(out)["data"]["images"] == COUNT


def test_rows_that_cannot_be_used_are_listed_together(tmp_path: Path, cli: Cli):
    files, names = [*FILES], [*NAMES]
    files[3], names[5], names[7] = b"damaged", "", "quasar"
    data = parquet(tmp_path, image=pa.array(files, pa.binary()), type=names)
    arguments = [
        "train", data, "--image-column", "image", "--label-column", "type", "-o", tmp_path / "run",
        *SHORT,
    ]  # fmt: skip
    code, _, err = cli(*arguments)
    assert code == 2
    for text in (
        "x.parquet#3: not an image", f"row 6: {data}#5: type is empty",
        f"row 8: {data}#7: it is the only image of its class, quasar",
    ):  # fmt: skip
        assert text in err
    code, _, err = cli(*arguments, "--skip-unreadable")
    assert code == 0
    assert err.count("left out") == 3


def test_a_container_that_cannot_be_read_is_a_dataset_error(tmp_path: Path, cli: Cli):
    (tmp_path / "x.tar").write_bytes(b"x" * 2000)
    for command, option in (("train", ["-o", tmp_path / "run"]), ("evaluate", [])):
        code, _, err = cli(command, tmp_path / "x.tar", "--label-column", "type", *option)
        assert code == 2, command
        assert "damaged or truncated" in err


def test_missing_and_contradicting_options(tmp_path: Path, cli: Cli):
    data = tar(tmp_path)
    for arguments, reason in (
        (["train", data], "--label-column"),
        (["evaluate", data], "--label-column"),
        (["train", data, "--label-column", "type", "--path-column", "x"], "--path-column is for"),
        (["train", data, "--split-column", "a", "--valid", "0.1"], "exclude each other"),
        (["evaluate", tmp_path, "--label-column", "type"], "is not a container"),
        (["evaluate", data, "--label-column", "type", "--split", "Test"], "--split-column"),
    ):
        code, _, err = cli(*arguments)
        assert code == 2
        assert reason in err


@pytest.mark.parametrize("kind", OPTIONS)
def test_an_evaluation_of_a_container_equals_that_of_its_folders(
    tmp_path: Path, cli: Cli, model_file: Path, kind: Callable[[Path], Path]
):
    folder = tmp_path / "folders"
    for number, (file, name) in enumerate(zip(FILES, NAMES, strict=True)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{number:03}.png").write_bytes(file)
    data = kind(tmp_path)
    found = []
    for arguments in ([folder], [data, *OPTIONS[kind]]):
        report = tmp_path / "report"
        code, out, err = cli(
            "evaluate", *arguments, "-m", model_file, "-o", report, "--format", "json", "-q"
        )
        assert code == 0, err
        document = json.loads(out)
        del document["data"]["folder"]
        # The contact sheet, too: its images are read again. Only their names differ.
        found.append((document, (report / "roc.png").read_bytes()))
    assert found[0] == found[1]


def test_sources_and_splits_of_an_evaluation(tmp_path: Path):
    origin = ["gan" if number % 4 else "" for number in range(COUNT)]
    path = parquet(tmp_path, origin=origin)
    layout, columns = Layout(image_column="image"), Columns(None, "type", "split")
    container = LabelledContainer(str(path), layout, columns)
    found = find_in(container, ("Fake", "Real"), None, "origin")
    assert [(one.name, one.label, len(one.images)) for one in found.sources] == [
        ("Fake", 0, 4), ("gan", 0, 4), ("gan", 1, 8),
    ]  # fmt: skip
    assert found.split == "Valid"
    with pytest.raises(DatasetError, match="36 images with the class gan are left out"):
        find_in(LabelledContainer(str(path), layout, Columns(None, "origin")), ("a", "b"))


def test_classes_that_the_model_lacks_are_noted(tmp_path: Path, cli: Cli, model_file: Path):
    names = ["star" if number < 5 else name for number, name in enumerate(NAMES)]
    data = parquet(tmp_path, type=names)
    code, out, err = cli(
        "evaluate", data, "--image-column", "image", "--label-column", "type", "-m", model_file,
        "--format", "json", "-q",
    )  # fmt: skip
    assert code == 0
    assert "5 images with the class star are left out; the model has Fake, Real" in err
    assert json.loads(out)["data"]["images"] == COUNT - 5


def test_an_evaluation_of_a_damaged_container_is_not_silent(
    tmp_path: Path, cli: Cli, model_file: Path
):
    data = tar(tmp_path)
    content = data.read_bytes()
    data.write_bytes(content[: len(content) // 2])
    arguments = [data, "--label-column", "type", "-m", model_file, "--format", "json", "-q"]
    code, out, err = cli("evaluate", *arguments)
    assert code == 1
    assert f"{data}: after " in err
    assert "damaged or truncated" in err
    assert 10 < json.loads(out)["data"]["images"] < COUNT


def test_training_on_a_damaged_container_says_so(tmp_path: Path, cli: Cli):
    data = tar(tmp_path)
    content = data.read_bytes()
    data.write_bytes(content[: len(content) // 2])
    arguments = ["train", data, "--label-column", "type", "-o", tmp_path / "run", *SHORT]
    code, _, err = cli(*arguments)
    assert code == 2
    assert f"{data}: after " in err or f"row 25: {data}" in err
    assert "damaged or truncated" in err


def test_a_container_that_shrinks_between_two_readings(tmp_path: Path):
    layout, columns = Layout(image_column="image"), Columns(None, "type")
    container = LabelledContainer(str(parquet(tmp_path)), layout, columns)
    files = container.catalogue().splits["Train"]
    pq.write_table(pq.read_table(tmp_path / "x.parquet").slice(0, 40), tmp_path / "x.parquet")
    found = [*container.of(files)]
    assert [Path(str(source.path)) for source in found] == [file.path for file in files]
    gone = [source for source in found if "no longer has it" in str(source.content)]
    assert gone
    assert all(int(str(source.path).rpartition("#")[2]) >= 40 for source in gone)
