"""The line in which the images of all requests wait, and the answers that requests wait for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Condition, Lock

from galaxy_edge.inputs.source import Source
from galaxy_edge.results import Prediction


class FullError(Exception):
    """Too many images wait already."""


class Answer:
    """The predictions of one request, which scorers fill in.

    Made in an event loop; `put` and `fail` may be called in any thread.

    Args:
        count: number of images.

    Attributes:
        done: resolved when all predictions are there, or the model has failed.
        given_up: whether nobody waits for it any more; its images need not be scored.
    """

    def __init__(self, count: int) -> None:
        self.given_up = False
        self._predictions: list[Prediction | None] = [None] * count
        self._left = count
        self._error: Exception | None = None
        self._lock = Lock()
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()
        if not count:
            self.done.set_result(None)

    def put(self, place: int, prediction: Prediction) -> None:
        """Take the prediction of one image."""
        with self._lock:
            self._predictions[place] = prediction
            self._left -= 1
            complete = self._left == 0
        if complete:
            self._end()

    def fail(self, error: Exception) -> None:
        """Give up because the model does not run."""
        self._error = error
        self.given_up = True
        self._end()

    def predictions(self) -> list[Prediction]:
        """All predictions, in the order of the images; only when `done` is resolved.

        Raises:
            Exception: the one that `fail` was called with.
        """
        if self._error is not None:
            raise self._error
        return [one for one in self._predictions if one is not None]

    def _end(self) -> None:
        # The loop is closed if the server was ended by force.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An image that waits to be scored.

    Attributes:
        source: the image.
        answer: what its prediction is part of.
        place: its number in the answer.
    """

    source: Source
    answer: Answer
    place: int


class Line:
    """Images that wait, first come, first served.

    Args:
        most: number of images that may wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._images: deque[Waiting] = deque()
        self._changed = Condition()
        self._closed = False

    def __len__(self) -> int:
        return len(self._images)

    def add(self, sources: Sequence[Source]) -> Answer:
        """Add the images of a request, all or none.

        Raises:
            FullError: there is no room for all of them.
        """
        answer = Answer(len(sources))
        with self._changed:
            if len(self._images) + len(sources) > self._most:
                raise FullError
            self._images.extend(
                Waiting(source, answer, place) for place, source in enumerate(sources)
            )
            self._changed.notify_all()
        return answer

    def take(self, most: int) -> list[Waiting]:
        """Remove images from the front of the line. If there are none, block until there is one.

        Args:
            most: the largest number of images to remove.

        Returns:
            At least one image; none if the line is closed and empty.
        """
        with self._changed:
            while True:
                taken: list[Waiting] = []
                while self._images and len(taken) < most:
                    one = self._images.popleft()
                    if not one.answer.given_up:
                        taken.append(one)
                if taken or self._closed:
                    return taken
                self._changed.wait()

    def close(self) -> None:
        """Let scorers end as soon as nothing waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
