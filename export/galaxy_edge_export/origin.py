"""What a model file is, by its content, and what wrote it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from galaxy_edge.errors import ModelError

#: The file in a SavedModel folder that holds its computation.
GRAPH = "saved_model.pb"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_SAVE = "save the model as a .keras or .h5 file"
#: What other files are, by how they begin.
_FOREIGN = (
    (0, b"\x80\x02", "a PyTorch or pickle file"),
    (4, b"TFL3", "a TensorFlow Lite file"),
    (0, b"version https://git-lfs", "a Git LFS pointer; fetch the file itself with `git lfs pull`"),
    (0, b"<!DOCTYPE", "an HTML page; download the file itself"),
    (0, b"<html", "an HTML page; download the file itself"),
    (0, b"{", "JSON, which holds no weights"),
)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file that holds a Keras model.

    Attributes:
        suffix: ".keras" for an archive, ".h5" for HDF5, whatever the file is called.
        architecture: the configuration of the model, parsed JSON.
        keras: version of the Keras that wrote it, for example "2.15.0"; "" if it is not recorded.
        backend: the backend that wrote it; "" if it is not recorded.
    """

    suffix: str
    architecture: Any
    keras: str
    backend: str

    @property
    def writer(self) -> str:
        """What wrote the file, for a message."""
        return f"Keras {self.keras}" if self.keras else "an unknown version of Keras"


def identify(path: Path) -> ModelFile:
    """Read what a file says of itself.

    Raises:
        ModelError: it holds no Keras model; the message says what it is and what to do.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    if start.startswith(_HDF5):
        return _hdf5(path)
    if start.startswith(b"PK"):
        return _archive(path)
    for offset, magic, kind in _FOREIGN:
        if start[offset:].startswith(magic):
            raise ModelError(
                f"{path} is not a Keras model but {kind}; export needs a .keras or .h5 file"
            )
    # ONNX and frozen graphs are protocol buffers without a signature.
    if path.suffix.lower() == ".onnx":
        raise ModelError(
            f"{path} is an ONNX file, not a Keras model; export needs the Keras file that it was "
            "made from"
        )
    raise ModelError(
        f"{path} is not a Keras model: it is neither a .keras archive nor an HDF5 file; it may be "
        "damaged, or from another program"
    )


def check_folder(folder: Path) -> None:
    """Refuse a folder without a run unless it is a SavedModel.

    Raises:
        ModelError: it is none; the message says what is missing.
    """
    if (folder / GRAPH).is_file():
        return
    start = f"{folder} is neither a run folder, because it has no config.json, nor a SavedModel"
    inside = next(iter(sorted(folder.glob(f"*/{GRAPH}"))), None)
    raise ModelError(
        f"{start}, because it has no {GRAPH}"
        + (f"; it contains the SavedModel {inside.parent}, so export that" if inside else "")
    )


def _archive(path: Path) -> ModelFile:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "config.json" in names:
                architecture = json.loads(archive.read("config.json"))
                described = "metadata.json" in names
                metadata = json.loads(archive.read("metadata.json")) if described else {}
                return ModelFile(".keras", architecture, str(metadata.get("keras_version", "")), "")
    except Exception as error:  # zipfile and json raise many classes for a damaged file
        raise ModelError(f"{path} is a damaged .keras archive: {_line(error)}") from error
    if any(name.endswith("data.pkl") for name in names):
        raise ModelError(
            f"{path} is not a Keras model but a PyTorch file; export needs a .keras or .h5 file"
        )
    inside = [name for name in names if name.lower().endswith((".keras", ".h5", ".hdf5"))]
    if inside:
        raise ModelError(
            f"{path} is a ZIP archive that contains {inside[0]}; unpack it and export that file"
        )
    raise ModelError(f"{path} is a ZIP archive without a Keras model: it has no config.json")


def _hdf5(path: Path) -> ModelFile:
    try:
        with h5py.File(path, "r") as file:
            keras, backend = (_text(file.attrs.get(name)) for name in ("keras_version", "backend"))
            config = file.attrs.get("model_config")
            parts = {*file, *file.attrs}
            architecture = None if config is None else json.loads(_text(config))
    except Exception as error:  # h5py and json raise many classes for a damaged file
        raise ModelError(f"{path} is a damaged HDF5 file: {_line(error)}") from error
    if architecture is not None:
        return ModelFile(".h5", architecture, keras, backend)
    if not keras and not parts & {"layer_names", "layers", "_layer_checkpoint_dependencies"}:
        raise ModelError(f"{path} is an HDF5 file that holds no Keras model")
    raise ModelError(
        f"{path} holds only the weights of a model"
        f"{f', written by Keras {keras}' if keras else ''}; build the model in Python, call "
        f"model.load_weights({path.name!r}), {_SAVE}, and export that"
    )


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else "" if value is None else str(value)


def _line(error: BaseException) -> str:
    """The first line of a message, shortened."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
