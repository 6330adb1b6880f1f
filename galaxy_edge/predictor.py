"""Predictor: sources in, predictions out."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.resources import files
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from galaxy_edge.errors import ImageError, ModelError, UsageError
from galaxy_edge.images import Pixels, Source, decode
from galaxy_edge.manifest import Manifest, check_threshold
from galaxy_edge.results import Prediction
from galaxy_edge.session import Session
from galaxy_edge.threads import threads as thread_limit

BUNDLED = "galaxy-edge.onnx"
#: Batches whose images are decoded while one is being scored.
_AHEAD = 2


class Predictor:
    """Classifies galaxy cutouts with one model file.

    Threads may share one. Processes may, too: a pickle holds the path and the digest of the model,
    not the model, and is opened anew where it arrives; after a fork the child opens its own
    session at its first score, since the threads of the parent's are not in it. (A forked child
    that ends by `sys.exit` waits in onnxruntime 1.32 without end, whoever loaded it; those of
    `multiprocessing` end by `os._exit` and do not.)

    Args:
        model: path of an .onnx file made by ``galaxy-edge export``; by default the bundled one.
        device: ``auto``, ``cpu``, ``cuda``, ``tensorrt``, ``openvino``, ``coreml``, ``directml``.
        threads: at most so many for inference and for decoding; fewer where the process's cores,
            its cgroup's quota, SLURM_CPUS_PER_TASK or OMP_NUM_THREADS say so.
        threshold: a score above it gives the positive class; by default the model's own.
        batch_size: images scored at once by `predict_many`.

    Raises:
        ModelError: the file is missing or cannot be used.
        DeviceError: the device asked for is not there.
        UsageError: an argument is out of its range.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        device: str = "auto",
        threads: int | None = None,
        threshold: float | None = None,
        batch_size: int = 32,
    ) -> None:
        if batch_size < 1:
            raise UsageError(f"the batch size must be at least 1, not {batch_size}")
        if threshold is not None:
            check_threshold(threshold)
        # Another process may have another working directory.
        self._path = None if model is None else Path(model).absolute()
        self._device = device
        self._asked_threads = threads
        self._threads = thread_limit(threads).count
        self._asked_threshold = threshold
        self._batch_size = batch_size
        self._name = BUNDLED if self._path is None else self._path.name
        self._reopening = Lock()
        self._process = os.getpid()
        self._session = self._open()
        self._threshold = self.manifest.threshold if threshold is None else threshold

    def __reduce__(self) -> tuple[Callable[..., Predictor], tuple[object, ...]]:
        """A pickle: what it was made from, and the digest the model must still have."""
        options = {
            "device": self._device,
            "threads": self._asked_threads,
            "threshold": self._asked_threshold,
            "batch_size": self._batch_size,
        }
        return _unpickle, (self._path, options, self.sha256)

    @property
    def manifest(self) -> Manifest:
        """What the model file says of itself."""
        return self._session.manifest

    @property
    def name(self) -> str:
        """Name of the model file."""
        return self._name

    @property
    def sha256(self) -> str:
        """SHA-256 of the model file."""
        return self._session.sha256

    @property
    def provider(self) -> str:
        """The execution provider in use."""
        return self._session.provider

    @property
    def notes(self) -> tuple[str, ...]:
        """Why ``auto`` passed over better providers that onnxruntime has, a sentence for each."""
        return self._session.notes

    @property
    def threshold(self) -> float:
        """A score above it gives the positive class."""
        return self._threshold

    def predict(self, source: Source) -> Prediction:
        """Classify one image.

        Args:
            source: path, bytes of an image file, PIL image, or array uint8 (H, W, 3) or (H, W).

        Raises:
            ImageError: the source cannot be read. (`predict_many` gives it a row instead.)
        """
        (score,) = self.score(decode(source, self.manifest.preprocessing)[None])
        return self._verdict(source, score)

    def predict_many(self, sources: Iterable[Source]) -> Iterator[Prediction]:
        """Classify images one after the other, lazily and in order.

        A source that cannot be read gives a prediction with ``status="error"``, the reason and no
        score. Files are decoded in threads, up to three batches ahead of the scores: that many
        sources are taken from the iterable before the first prediction comes.

        Raises:
            ModelError: the model does not run, or gives scores outside 0 to 1.
        """
        todo = iter(sources)
        pending: deque[list[tuple[Source, Future[Pixels]]]] = deque()
        with ThreadPoolExecutor(self._threads) as pool:
            try:
                while batch := [
                    (source, self._start(pool, source)) for source in islice(todo, self._batch_size)
                ]:
                    pending.append(batch)
                    if len(pending) > _AHEAD:
                        yield from self._finish(pending.popleft())
                while pending:
                    yield from self._finish(pending.popleft())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def score(self, images: Pixels) -> npt.NDArray[np.float32]:
        """Score images that are ready for the network.

        Args:
            images: uint8 [N, H, W, 3], RGB, H and W as ``manifest.preprocessing.size``.

        Returns:
            float32 [N], P(positive class), 0 to 1.

        Raises:
            ValueError: another dtype or shape.
            ModelError: the model does not run, or gives scores outside 0 to 1.
        """
        if self._process != os.getpid():
            self._reopen()
        return self._session.score(images)

    def _open(self) -> Session:
        try:
            content = _read(self._path)
            return Session(content, device=self._device, threads=self._threads)
        except ModelError as error:
            raise ModelError(f"{self._path or self._name} cannot be used: {error}") from error

    def _reopen(self) -> None:
        with self._reopening:
            if self._process != os.getpid():
                session = self._open()
                _check_unchanged(self._name, session.sha256, self.sha256)
                # Ending the inherited session would wait for threads that stayed in the parent,
                # without end: it is kept for the life of this process.
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._session))
                self._session = session
                self._process = os.getpid()

    def _start(self, pool: ThreadPoolExecutor, source: Source) -> Future[Pixels]:
        if isinstance(source, (str, os.PathLike, bytes)):
            return pool.submit(decode, source, self.manifest.preprocessing)
        # The caller may fill an array anew for the next image, and a PIL image belongs to one
        # thread: both are decoded now, here.
        done: Future[Pixels] = Future()
        try:
            done.set_result(decode(source, self.manifest.preprocessing))
        except ImageError as error:
            done.set_exception(error)
        return done

    def _finish(self, batch: list[tuple[Source, Future[Pixels]]]) -> Iterator[Prediction]:
        decoded: list[Pixels | ImageError] = []
        for _, future in batch:
            try:
                decoded.append(future.result())
            except ImageError as error:
                decoded.append(error)
        good = [pixels for pixels in decoded if not isinstance(pixels, ImageError)]
        scores = iter(self.score(np.stack(good)) if good else ())
        for (source, _), pixels in zip(batch, decoded, strict=True):
            if isinstance(pixels, ImageError):
                yield self._prediction(source, error=str(pixels))
            else:
                yield self._verdict(source, next(scores))

    def _verdict(self, source: Source, score: np.float32) -> Prediction:
        # The shortest decimal that is this float32: 0.9812, not 0.9811999797821045.
        return self._prediction(source, score=float(str(score)))

    def _prediction(
        self, source: Source, *, score: float | None = None, error: str | None = None
    ) -> Prediction:
        label = None if score is None else self.manifest.labels[score > self._threshold]
        return Prediction(
            path=os.fspath(source) if isinstance(source, (str, os.PathLike)) else None,
            status="ok" if error is None else "error",
            error=error,
            label=label,
            score=score,
            threshold=self._threshold,
            model=self._name,
            model_sha256=self._session.sha256,
            provider=self.provider,
        )


def _unpickle(path: Path | None, options: dict[str, Any], sha256: str) -> Predictor:
    predictor = Predictor(path, **options)
    _check_unchanged(predictor.name, predictor.sha256, sha256)
    return predictor


def _check_unchanged(name: str, now: str, before: str) -> None:
    if now != before:
        raise ModelError(f"{name} has changed since the predictor was made; make a new one")


def _read(path: Path | None) -> bytes:
    if path is None:
        return files("galaxy_edge").joinpath("models", BUNDLED).read_bytes()
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"it cannot be read: {error.strerror or error}") from error
