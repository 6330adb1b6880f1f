"""Predictor: sources in, predictions out."""

from __future__ import annotations

import ctypes
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

from galaxy_edge import golden
from galaxy_edge.decision import Decision, Probabilities, Scores, Verdict
from galaxy_edge.engine.opening import Opening, begin, located, portable
from galaxy_edge.engine.session import Session
from galaxy_edge.engine.threads import threads as thread_limit
from galaxy_edge.errors import ImageError, ModelError, UsageError
from galaxy_edge.inputs.batches import growing
from galaxy_edge.inputs.images import Decoded, Pixels, decoded
from galaxy_edge.inputs.preprocessing import Preprocessing, Stretch
from galaxy_edge.inputs.source import Given, Source
from galaxy_edge.manifest import Manifest
from galaxy_edge.results import Prediction

_CPU = "CPUExecutionProvider"


@dataclass(slots=True)
class _Job:
    """A source on its way, and its pixels as soon as they are decoded."""

    source: Source
    decoded: Decoded | None = None


class Predictor:
    """Classifies galaxy cutouts with one model file.

    Threads may share one. Processes may share one too: a pickle holds the path and the digest of
    the model, and opens the model again where it arrives. After a fork the child opens its own
    session at its first score, because the threads of the parent's session do not exist in it. (A
    forked child that ends by `sys.exit` hangs in onnxruntime 1.32, regardless of what loaded it;
    those of `multiprocessing` end by `os._exit` and do not.)

    Args:
        model: path of an .onnx file made by ``galaxy-edge export``; by default the bundled one;
            ``documented`` for the bundled one of the documented network.
        device: ``auto``, ``cpu``, ``cuda``, ``tensorrt``, ``openvino``, ``coreml``, ``directml``.
        threads: maximum number for inference and for decoding; less if the process's cores, its
            cgroup's quota, SLURM_CPUS_PER_TASK or OMP_NUM_THREADS allow fewer.
        threshold: replaces the model's own. Two classes: a score above it gives the positive
            class. Three or more: a most probable class below it is uncertain.
        ood_limit: replaces the model's own: a typicality below it is out of distribution; 0
            accepts all.
        batch_size: maximum number of images that `predict_many` scores at once.
        stretch: parameters of `Stretch` (how FITS images become RGB) that replace the model's own.
        digest: give each prediction the SHA-256 of its input.
        check: score some of the model's golden examples first, to find an onnxruntime, a provider
            or a processor that computes something else before the first verdict.

    Raises:
        ModelError: the file is missing, cannot be used, or failed its self-check here: scores
            differ from those recorded at export.
        DeviceError: the requested device is missing or does not work.
        UsageError: an argument is out of its range.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        device: str = "auto",
        threads: int | None = None,
        threshold: float | None = None,
        ood_limit: float | None = None,
        batch_size: int = 32,
        stretch: Mapping[str, Any] | None = None,
        digest: bool = False,
        check: bool = True,
    ) -> None:
        if batch_size < 1:
            raise UsageError(f"the batch size must be at least 1, not {batch_size}")
        stretch = dict(stretch or {})
        if not isinstance(stretch.get("bands"), (list, tuple, type(None))):
            raise UsageError(f"bands must be three names, not {stretch['bands']!r}")
        if unknown := stretch.keys() - {item.name for item in fields(Stretch)}:
            raise UsageError(f"a stretch has no {', '.join(map(str, sorted(unknown)))}")
        self._path = located(model)
        self._options: dict[str, Any] = {
            "device": device,
            "threads": threads,
            "threshold": threshold,
            "ood_limit": ood_limit,
            "batch_size": batch_size,
            "stretch": stretch,
            "digest": digest,
            "check": check,
        }
        self._device = device
        self._threads = thread_limit(threads).count
        self._batch_size = batch_size
        self._digest = digest
        self._name = self._path.name
        self._reopening = Lock()
        self._process = os.getpid()
        self._session, self._sha256 = self._open()
        self._decision = Decision(self.manifest, threshold, ood_limit)
        steps = self.manifest.preprocessing
        self._preprocessing = replace(steps, stretch=replace(steps.stretch, **stretch))
        self._notes = (
            *self._session.notes,
            *([self._decision.note] if self._decision.note else []),
            *(golden.self_check(self) if check else ()),
        )

    def __reduce__(self) -> tuple[Callable[..., Predictor], tuple[object, ...]]:
        """A pickle: what it was made from, and the digest the model must still have."""
        return _unpickle, (portable(self._path), self._options, self.sha256)

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
        """Sentences for the user: what ``auto`` passed over, what was not checked or applied."""
        return self._notes

    @property
    def decision(self) -> Decision:
        """The classes, and the rule that turns scores into a status and a label."""
        return self._decision

    @property
    def threshold(self) -> float | None:
        """The threshold of the decision; None if three or more classes have none."""
        return self._decision.threshold

    @property
    def digest(self) -> bool:
        """Whether predictions have the SHA-256 of their inputs."""
        return self._digest

    @property
    def preprocessing(self) -> Preprocessing:
        """From an image to the network's input: the manifest's, with the requested stretch."""
        return self._preprocessing

    def predict(self, source: Given) -> Prediction:
        """Classify one image.

        Args:
            source: path, bytes of an image file, three FITS files of one band each (red, green,
                blue), PIL image, or array uint8 (H, W, 3) or (H, W); or a `Source` made of one of
                these, with an identifier; or a pair of an identifier and one of these.

        Raises:
            ImageError: the source cannot be read. (`predict_many` gives it a row instead.)
        """
        job = self._job(source)
        pixels = self._pixels(job)
        if isinstance(pixels, ImageError):
            raise pixels
        (verdict,) = self._verdicts(pixels[None])
        return self._prediction(job, verdict)

    def predict_many(self, sources: Iterable[Given | None]) -> Iterator[Prediction]:
        """Classify images one after the other, lazily and in order, for as long as they come.

        Each is given as to `predict`. `galaxy_edge.inputs.open` gives those of a container.

        A source that cannot be read gives a prediction with ``status="error"``, the reason and no
        score. Threads decode and score a batch each. The batches grow from one image to
        ``batch_size``, so that the first verdict does not wait. At most one batch more than there
        are threads is read ahead, whatever the number of images.

        A ``None`` among the sources means that no other is available now: everything taken so far
        is finished before the next one is requested. A live stream yields one before it waits.

        On the CPU, an image's score is the same to the bit in any batch, with any other images, on
        any number of threads. Other providers may choose their arithmetic by the batch.

        Raises:
            ModelError: the model does not run, or gives scores that are not probabilities.
            Exception: whatever iterating over the sources raises, after the predictions of those
                that came before.
        """
        if isinstance(sources, (str, bytes, os.PathLike, Source)):
            raise UsageError(
                "predict_many takes several sources; give one in a list, or to predict"
            )
        # Providers other than the CPU's may prepare themselves for every new shape.
        size = 1 if self.provider == _CPU else self._batch_size
        pending: deque[Future[list[Prediction]]] = deque()
        fault: list[Exception] = []
        with ThreadPoolExecutor(self._threads) as pool:
            try:
                for batch in growing(sources, self._job, size, self._batch_size, fault):
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

    def scores(self, images: Pixels) -> Probabilities:
        """Score images that are ready for the network.

        Args:
            images: uint8 [N, H, W, 3], RGB, H and W as ``manifest.preprocessing.size``.

        Returns:
            float32 [N, C], one probability per class of ``manifest.classes``, 0 to 1. Of two
            classes, column 1 is the score of a row, P(positive).

        Raises:
            ValueError: another dtype or shape.
            ModelError: the model does not run, or gives scores that are not probabilities.
        """
        return self.scores_and_typicality(images)[0]

    def scores_and_typicality(
        self, images: Pixels
    ) -> tuple[Probabilities, npt.NDArray[np.float32] | None]:
        """Score images that are ready for the network, and say how usual they are.

        Args:
            images: as for `scores`.

        Returns:
            The scores; and float32 [N], the share of the training kind that is less typical, 0 to
            1, or None if the model does not compute it.

        Raises:
            ValueError, ModelError: as for `scores`.
        """
        result = self._live().run(images)
        return result.scores, result.typicality

    def _verdicts(self, images: Pixels) -> list[Verdict]:
        return self._decision.verdicts(*self.scores_and_typicality(images))

    def _live(self) -> Session:
        if self._process != os.getpid():
            self._reopen()
        return self._session

    def _open(self) -> tuple[Session, str]:
        """The model, loaded, and its digest."""
        opening = begin(Opening(self._path, self._device, self._threads, self._batch_size))
        # Pillow's readers are imported meanwhile.
        Image.preinit()
        try:
            return opening.result()
        except ModelError as error:
            raise ModelError(f"{self._path} cannot be used: {error}") from error

    def _reopen(self) -> None:
        with self._reopening:
            if self._process != os.getpid():
                session, now = self._open()
                _check_unchanged(self._name, now, self._sha256)
                # Ending the inherited session would wait without end for threads that stayed in
                # the parent: it is kept for the life of this process.
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._session))
                self._session = session
                self._process = os.getpid()

    def _job(self, given: Given) -> _Job:
        job = _Job(Source.of(given))
        # The caller may fill an array with the next image, and a PIL image belongs to one thread:
        # both are read now, here.
        if job.source.in_memory:
            self._pixels(job)
        return job

    def _pixels(self, job: _Job) -> Pixels | ImageError:
        if job.decoded is None:
            job.decoded = decoded(job.source, self._preprocessing, digest=self._digest)
        return job.decoded.pixels

    def _classify(self, batch: list[_Job]) -> list[Prediction]:
        pixels = [self._pixels(job) for job in batch]
        good = [image for image in pixels if not isinstance(image, ImageError)]
        verdicts = iter(self._verdicts(np.stack(good)) if good else ())
        return [
            self._prediction(job, image if isinstance(image, ImageError) else next(verdicts))
            for job, image in zip(batch, pixels, strict=True)
        ]

    def _prediction(self, job: _Job, outcome: Verdict | ImageError) -> Prediction:
        verdict = None if isinstance(outcome, ImageError) else outcome
        return Prediction(
            id=job.source.id,
            path=job.source.path,
            status="error" if verdict is None else verdict.status,
            error=str(outcome) if verdict is None else None,
            label=None if verdict is None else verdict.label,
            score=None if verdict is None else verdict.score,
            scores=Scores(self._decision.classes, None) if verdict is None else verdict.scores,
            typicality=None if verdict is None else verdict.typicality,
            threshold=self._decision.threshold,
            model=self._name,
            model_sha256=self._sha256,
            provider=self.provider,
            sha256=None if job.decoded is None else job.decoded.sha256,
            notes=() if job.decoded is None else job.decoded.notes,
            kept=job.source.kept,
        )


def _unpickle(model: Path | str | None, options: dict[str, Any], sha256: str) -> Predictor:
    predictor = Predictor(model, **options)
    _check_unchanged(predictor.name, predictor.sha256, sha256)
    return predictor


def _check_unchanged(name: str, now: str, before: str) -> None:
    if now != before:
        raise ModelError(f"{name} has changed since the predictor was made; make a new one")
