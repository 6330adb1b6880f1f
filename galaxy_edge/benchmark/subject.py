"""A model file under measurement, which has proved itself first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from galaxy_edge.errors import ModelError
from galaxy_edge.golden import Verification, verify
from galaxy_edge.predictor import Predictor


@dataclass(frozen=True, slots=True)
class Subject:
    """A model file and how it is run: arguments of `Predictor`.

    Attributes:
        path: the file; None for the bundled one.
        device: ``auto`` or a device name.
        threads: at most so many; None for the cores at hand.
        batch_size: at most so many images at once.
    """

    path: Path | None = None
    device: str = "auto"
    threads: int | None = None
    batch_size: int = 32

    def predictor(self) -> Predictor:
        """Load it, and check nothing.

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
        """What a user would write after ``galaxy-edge predict``."""
        options = ["-m", str(self.path.absolute())] if self.path else []
        options += ["--device", self.device] if self.device != "auto" else []
        return options + (["--threads", str(self.threads)] if self.threads else [])


@dataclass(frozen=True, slots=True)
class Model:
    """Which file was measured.

    Attributes:
        name: of the file.
        sha256: its digest.
        provider: the execution provider of onnxruntime.
        golden: how it scores its own examples here.
    """

    name: str
    sha256: str
    provider: str
    golden: Verification


def proven(predictor: Predictor) -> Model:
    """Let a file prove itself.

    Raises:
        ModelError: it scores its own examples otherwise here, or has none.
    """
    try:
        golden = verify(predictor)
        golden.check(predictor.manifest.tolerance)
    except ModelError as error:
        raise ModelError(f"{predictor.name} is not measured: {error}") from error
    return Model(predictor.name, predictor.sha256, predictor.provider, golden)
