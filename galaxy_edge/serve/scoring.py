"""Score what is waiting: one run of `galaxy_edge.job` a thread, for as long as the server runs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from galaxy_edge import job
from galaxy_edge.engine.threads import threads as thread_limit
from galaxy_edge.inputs.source import Source
from galaxy_edge.outputs.output import Output
from galaxy_edge.outputs.resume import Earlier
from galaxy_edge.predictor import Predictor
from galaxy_edge.results import Prediction
from galaxy_edge.serve.metrics import Metrics
from galaxy_edge.serve.waiting import Line, Waiting


class Scorer(threading.Thread):
    """Whenever it is free, it takes all images that wait, up to a batch, and scores them together.

    Args:
        line: where images wait.
        predictor: gives the verdicts.
        batch_size: number of images taken at once.
        metrics: counts rows and batches.
        note: called with a sentence for the user, about how an image was read.
    """

    def __init__(
        self,
        line: Line,
        predictor: Predictor,
        batch_size: int,
        metrics: Metrics,
        note: Callable[[str], None],
    ) -> None:
        super().__init__(name="scorer", daemon=True)
        self._line = line
        self._predictor = predictor
        self._batch_size = batch_size
        self._metrics = metrics
        self._note = note
        self._in_hand: deque[Waiting] = deque()
        self._ended = False

    def run(self) -> None:
        """Score until the line is closed and empty."""
        while not self._ended:
            output = Output(self, Earlier(job.origin(self._predictor)), None)
            try:
                job.run(self._sources(), self._predictor, output, note=self._note)
            # Its requests get the reason; the next ones may fare better.
            except Exception as error:  # noqa: BLE001
                while self._in_hand:
                    self._in_hand.popleft().answer.fail(error)

    def write(self, prediction: Prediction) -> None:
        """Hand a prediction to its request; predictions come in the order of the sources."""
        one = self._in_hand.popleft()
        self._metrics.rows.labels(prediction.status).inc()
        one.answer.put(one.place, prediction)

    def _sources(self) -> Iterator[Source | None]:
        while batch := self._line.take(self._batch_size):
            self._metrics.batches.observe(len(batch))
            for one in batch:
                self._in_hand.append(one)
                yield one.source
            # Finish these first; what arrives meanwhile is the next batch.
            yield None
        self._ended = True


@contextmanager
def scoring(
    line: Line,
    predictor: Predictor,
    metrics: Metrics,
    *,
    threads: int | None,
    batch_size: int,
    note: Callable[[str], None],
) -> Iterator[None]:
    """Score what waits in a line, in the background, and finish it at the end.

    Args:
        line: where images wait.
        predictor: gives the verdicts.
        metrics: counts rows and batches.
        threads: maximum number of threads.
        batch_size: maximum number of images scored at once.
        note: called with a sentence for the user, about how an image was read.
    """
    count = thread_limit(threads).count
    scorers = [Scorer(line, predictor, batch_size, metrics, note) for _ in range(count)]
    for scorer in scorers:
        scorer.start()
    try:
        yield
    finally:
        line.close()
        for scorer in scorers:
            scorer.join()
