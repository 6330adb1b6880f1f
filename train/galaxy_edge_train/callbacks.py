"""The work after each batch and each epoch: logging, checkpoints, stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from galaxy_edge.errors import UsageError
from galaxy_edge_train import random_state
from galaxy_edge_train.config import TrainConfig
from galaxy_edge_train.run import Row, Run, State
from galaxy_edge_train.stopping import best_epoch, reason_to_stop


class Recorder(keras.callbacks.Callback):  # type: ignore[misc]
    """Logs every batch, commits every epoch, and stops the training.

    Args:
        run: the run folder to write to.
        config: batch size and when to stop.
        images: number of training images.
        state: how far an interrupted run had come; None for a new run.
    """

    def __init__(self, run: Run, config: TrainConfig, images: int, state: State | None) -> None:
        super().__init__()
        self.history: list[Row] = list(state.history) if state else []
        self.batches: list[Row] = run.batches(len(self.history))
        self._run = run
        self._config = config
        self._images = images
        #: Puts the average of the weights in their place while the network is validated.
        self.average = [] if config.average_weights is None else [keras.callbacks.SwapEMAWeights()]
        self._best = state.best if state else ""
        self._correct = 0
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._correct = 0
        self._started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        # Keras reports the mean accuracy over the epoch so far. Multiplied by the images seen, it
        # is the number of correct answers; the increase since the last batch belongs to this batch.
        size = self._config.batch_size
        seen = min((batch + 1) * size, self._images)
        correct = round(logs["accuracy"] * seen)
        self.batches.append(
            {
                "epoch": len(self.history) + 1,
                "batch": batch + 1,
                "accuracy": (correct - self._correct) / (seen - batch * size),
                "running_accuracy": logs["accuracy"],
                "running_loss": logs["loss"],
            }
        )
        self._correct = correct

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        number = len(self.history) + 1
        names = ("accuracy", "loss", "val_accuracy", "val_loss")
        if not math.isfinite(logs["loss"] + logs["val_loss"]):
            raise UsageError(
                f"the training diverged in epoch {number}: the loss is {logs['loss']}; delete "
                f"{self._run.partial} and train again with a smaller --learning-rate"
            )
        self.history.append(
            {"epoch": number}
            | {name: float(logs[name]) for name in names}
            | {"seconds": round(time.monotonic() - self._started, 3)}
        )
        last = f"last-{number}.keras"
        self.model.save(self._run.checkpoints / last)
        if best_epoch(self.history) == number - 1:
            self._best = f"best-{number}.weights.h5"
            with self._averaged():
                self.model.save_weights(self._run.checkpoints / self._best)
        generators = random_state.generator_states(self.model)
        self._run.commit(
            State(tuple(self.history), last, self._best, generators, random_state.keras_in_use()),
            self.batches,
        )
        if self.stopped is not None:
            self.model.stop_training = True

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        for each in self.average:
            each.on_test_begin()
        yield
        for each in self.average:
            each.on_test_end()

    @property
    def stopped(self) -> str | None:
        """Why the training is over, or None if it is not."""
        return reason_to_stop(
            self.history,
            epochs=self._config.epochs,
            patience=self._config.patience,
            stop_at_accuracy=self._config.stop_at_accuracy,
        )
