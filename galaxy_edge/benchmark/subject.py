"""A model file to measure, which must pass its self-check first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from galaxy_edge.engine.opening import located
from galaxy_edge.errors import ModelError
from galaxy_edge.golden import Verification, verify
from galaxy_edge.predictor import Predictor


@dataclass(frozen=True, slots=True)
class Subject:
    """A model file and how to run it: the arguments of `Predictor`.

    Attributes:
        path: the file; None for the bundled model.
        device: ``auto`` or a device name.
        threads: maximum number of threads; None for all available cores.
        batch_size: maximum batch size.
    """

    path: Path | None = None
    device: str = "auto"
    threads: int | None = None
    batch_size: int = 32

    def predictor(self) -> Predictor:
        """Load the file without its self-check.

        Raises:
            ModelError, DeviceError, UsageError: as `Predictor`.
        """
        return Predictor(
            self.path,
            device=self.device,
            threads=self.threads,
            batch_size=self.batch_size,
            check=False,
        )

    def options(self) -> list[str]:
        """The same settings as command-line options of ``galaxy-edge predict``."""
        options = ["-m", str(located(self.path))] if self.path else []
        options += ["--device", self.device] if self.device != "auto" else []
        return options + (["--threads", str(self.threads)] if self.threads else [])


@dataclass(frozen=True, slots=True)
class Model:
    """The measured model file.

    Attributes:
        name: name of the file.
        sha256: SHA-256 of the file.
        provider: the execution provider of onnxruntime.
        golden: result of the self-check on this machine.
    """

    name: str
    sha256: str
    provider: str
    golden: Verification


def verified(predictor: Predictor) -> Model:
    """Run the self-check of a model file.

    Raises:
        ModelError: the scores here differ from those recorded at export, or the file contains no
            golden examples.
    """
    try:
        golden = verify(predictor)
        golden.check(predictor.manifest.tolerance)
    except ModelError as error:
        raise ModelError(f"{predictor.name} was not measured: {error}") from error
    return Model(predictor.name, predictor.sha256, predictor.provider, golden)
