"""Predictor: sources in, predictions out."""

from __future__ import annotations

import ctypes
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from galaxy_edge.engine.opening import BUNDLED, Opening, begin
from galaxy_edge.engine.session import Session
from galaxy_edge.engine.threads import threads as thread_limit
from galaxy_edge.errors import ImageError, ModelError, UsageError
from galaxy_edge.inputs.bands import braced
from galaxy_edge.inputs.digest import sha256
from galaxy_edge.inputs.formats import is_fits
from galaxy_edge.inputs.images import MAX_BYTES, Pixels, Source, check_file, decode
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from galaxy_edge.manifest import Manifest, check_threshold
from galaxy_edge.results import Prediction

_CPU = "CPUExecutionProvider"
#: Every so many of the golden examples is scored before the first verdict; `verify` scores all.
_CHECKED = 3


@dataclass(slots=True)
class _Job:
    """A source on its way: its row's path and digest, and its pixels as soon as they are there."""

    source: Source
    path: str | None
    sha256: str | None = None
    pixels: Pixels | ImageError | None = None


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
        batch_size: at most so many images are scored at once by `predict_many`.
        stretch: parameters of `Stretch` (how FITS images become RGB) in place of the model's own.
        digest: give each prediction the SHA-256 of its input.
        check: score some of the model's golden examples first. An onnxruntime, a provider or a
            processor that computes something else is then found before the first verdict.

    Raises:
        ModelError: the file is missing, cannot be used, or scores its own examples otherwise here.
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
        stretch: Mapping[str, Any] | None = None,
        digest: bool = False,
        check: bool = True,
    ) -> None:
        if batch_size < 1:
            raise UsageError(f"the batch size must be at least 1, not {batch_size}")
        if threshold is not None:
            threshold = float(threshold)  # NumPy's compare to booleans that index nothing
            check_threshold(threshold)
        stretch = dict(stretch or {})
        if not isinstance(stretch.get("bands"), (list, tuple, type(None))):
            raise UsageError(f"bands must be three names, not {stretch['bands']!r}")
        if unknown := stretch.keys() - {item.name for item in fields(Stretch)}:
            raise UsageError(f"a stretch has no {', '.join(map(str, sorted(unknown)))}")
        # Another process may have another working directory.
        self._path = None if model is None else Path(model).absolute()
        self._device = device
        self._asked_threads = threads
        self._threads = thread_limit(threads).count
        self._asked_threshold = threshold
        self._batch_size = batch_size
        self._asked_stretch = stretch
        self._digest = digest
        self._check = check
        self._name = BUNDLED if self._path is None else self._path.name
        self._reopening = Lock()
        self._process = os.getpid()
        self._session, self._sha256 = self._open()
        self._threshold = self.manifest.threshold if threshold is None else threshold
        steps = self.manifest.preprocessing
        self._preprocessing = replace(steps, stretch=replace(steps.stretch, **stretch))
        if check:
            self._check_itself()

    def __reduce__(self) -> tuple[Callable[..., Predictor], tuple[object, ...]]:
        """A pickle: what it was made from, and the digest the model must still have."""
        options = {
            "device": self._device,
            "threads": self._asked_threads,
            "threshold": self._asked_threshold,
            "batch_size": self._batch_size,
            "stretch": self._asked_stretch,
            "digest": self._digest,
            "check": self._check,
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
        return self._sha256

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

    @property
    def preprocessing(self) -> Preprocessing:
        """From an image to the network's input: the manifest's, with the stretch asked for."""
        return self._preprocessing

    def predict(self, source: Source) -> Prediction:
        """Classify one image.

        Args:
            source: path, bytes of an image file, three FITS files of one band each (red, green,
                blue), PIL image, or array uint8 (H, W, 3) or (H, W).

        Raises:
            ImageError: the source cannot be read. (`predict_many` gives it a row instead.)
        """
        job = self._job(source)
        pixels = self._pixels(job)
        if isinstance(pixels, ImageError):
            raise pixels
        (score,) = self.score(pixels[None])
        return self._prediction(job, score)

    def predict_many(self, sources: Iterable[Source | None]) -> Iterator[Prediction]:
        """Classify images one after the other, lazily and in order, for as long as they come.

        A source that cannot be read gives a prediction with ``status="error"``, the reason and no
        score. Threads decode and score a batch each; the batches grow from one image to
        ``batch_size``, so that the first verdict does not wait. At most one batch more than there
        are threads is read ahead, whatever the number of images.

        A ``None`` among the sources says that no other is at hand now: all that was taken is
        finished before the next is asked for. A live stream gives one before it waits.

        An image's score on the CPU is the same to the bit in any batch, beside any other image, by
        any number of threads; other providers may choose their arithmetic by the batch.

        Raises:
            ModelError: the model does not run, or gives scores outside 0 to 1.
            Exception: whatever iterating over the sources raises, after the predictions of those
                that came before.
        """
        if isinstance(sources, (str, bytes, os.PathLike)):
            raise UsageError(
                "predict_many takes several sources; give one in a list, or to predict"
            )
        pending: deque[Future[list[Prediction]]] = deque()
        fault: list[Exception] = []
        with ThreadPoolExecutor(self._threads) as pool:
            try:
                for batch in self._batches(sources, fault):
                    if batch:
                        pending.append(pool.submit(self._classify, batch))
                    while len(pending) > (self._threads if batch else 0):
                        yield from pending.popleft().result()
                while pending:
                    yield from pending.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        if fault:
            raise fault[0]

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

    def _open(self) -> tuple[Session, str]:
        """The model, loaded, and its digest."""
        opening = begin(Opening(self._path, self._device, self._threads))
        # Pillow's readers are imported meanwhile.
        Image.preinit()
        try:
            return opening.result()
        except ModelError as error:
            raise ModelError(f"{self._path or self._name} cannot be used: {error}") from error

    def _reopen(self) -> None:
        with self._reopening:
            if self._process != os.getpid():
                session, now = self._open()
                _check_unchanged(self._name, now, self._sha256)
                # Ending the inherited session would wait for threads that stayed in the parent,
                # without end: it is kept for the life of this process.
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._session))
                self._session = session
                self._process = os.getpid()

    def _check_itself(self) -> None:
        examples = self.manifest.golden[::_CHECKED]
        try:
            pixels = [decode(example.png, self.manifest.preprocessing) for example in examples]
        except ImageError as error:
            raise ModelError(
                f"{self._path or self._name} is damaged: a golden example is {error}"
            ) from error
        # What another Pillow resizes otherwise says nothing about the arithmetic.
        same = [
            (image, example.score)
            for image, example in zip(pixels, examples, strict=True)
            if hashlib.sha256(image.tobytes()).hexdigest() == example.input_sha256
        ]
        if not same:
            return
        images, recorded = zip(*same, strict=True)
        worst = float(np.max(np.abs(self.score(np.stack(images)) - np.array(recorded))))
        if worst > self.manifest.tolerance:
            raise ModelError(
                f"{self._path or self._name} must not be used here: it scores its own examples "
                f"otherwise than where it was exported, by {worst:.1e} ({self.provider}); "
                "`galaxy-edge doctor` and `galaxy-edge verify` say more"
            )

    def _batches(
        self, sources: Iterable[Source | None], fault: list[Exception]
    ) -> Iterator[list[_Job]]:
        """Jobs in growing batches; an empty one where nothing more is at hand."""
        # A provider other than the CPU's may prepare itself for every new shape.
        size = 1 if self.provider == _CPU else self._batch_size
        batch: list[_Job] = []
        todo = iter(sources)
        while True:
            try:
                source = next(todo)
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001 - raised again when all before it is done
                fault.append(error)
                break
            if source is not None:
                batch.append(self._job(source))
            if batch and (source is None or len(batch) == size):
                yield batch
                batch = []
                size = min(2 * size, self._batch_size)
            if source is None:
                yield []
        if batch:
            yield batch

    def _job(self, source: Source) -> _Job:
        job = _Job(source, _path(source))
        # The caller may fill an array anew for the next image, and a PIL image belongs to one
        # thread: both are read now, here.
        if isinstance(source, (np.ndarray, Image.Image)):
            self._pixels(job)
        return job

    def _pixels(self, job: _Job) -> Pixels | ImageError:
        if job.pixels is None:
            source = self._digested(job) if self._digest else job.source
            try:
                job.pixels = decode(source, self._preprocessing)
            except ImageError as error:
                job.pixels = error
        return job.pixels

    def _digested(self, job: _Job) -> Source:
        """Note the digest of a source, and give what was digested: a file may change meanwhile."""
        source = job.source
        if isinstance(source, (str, os.PathLike)) and not is_fits(source):
            try:
                check_file(Path(source), MAX_BYTES)
                source = Path(source).read_bytes()
            # Whatever is wrong with it, it is the decoder that tells.
            except Exception:  # noqa: BLE001
                return job.source
        job.sha256 = sha256(source)
        return source

    def _classify(self, batch: list[_Job]) -> list[Prediction]:
        pixels = [self._pixels(job) for job in batch]
        good = [image for image in pixels if not isinstance(image, ImageError)]
        scores = iter(self.score(np.stack(good)) if good else ())
        return [
            self._prediction(job, image if isinstance(image, ImageError) else next(scores))
            for job, image in zip(batch, pixels, strict=True)
        ]

    def _prediction(self, job: _Job, outcome: np.float32 | ImageError) -> Prediction:
        failed = isinstance(outcome, ImageError)
        # The shortest decimal that is this float32: 0.9812, not 0.9811999797821045.
        score = None if failed else float(str(outcome))
        return Prediction(
            path=job.path,
            status="error" if failed else "ok",
            error=str(outcome) if failed else None,
            label=None if score is None else self.manifest.labels[score > self._threshold],
            score=score,
            threshold=self._threshold,
            model=self._name,
            model_sha256=self._sha256,
            provider=self.provider,
            sha256=job.sha256,
        )


def _path(source: Source) -> str | None:
    if isinstance(source, tuple):
        paths = [os.fspath(one) for one in source if isinstance(one, (str, os.PathLike))]
        return braced(paths) if len(paths) == len(source) else None
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else None


def _unpickle(path: Path | None, options: dict[str, Any], sha256: str) -> Predictor:
    predictor = Predictor(path, **options)
    _check_unchanged(predictor.name, predictor.sha256, sha256)
    return predictor


def _check_unchanged(name: str, now: str, before: str) -> None:
    if now != before:
        raise ModelError(f"{name} has changed since the predictor was made; make a new one")
