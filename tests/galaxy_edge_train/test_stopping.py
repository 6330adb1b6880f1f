from __future__ import annotations

from galaxy_edge_train.stopping import best_epoch, reason_to_stop


def history(losses: list[float], accuracy: float = 0.5) -> list[dict[str, float]]:
    return [{"val_loss": loss, "val_accuracy": accuracy} for loss in losses]


def reason(losses: list[float], **changes: float | None) -> str | None:
    accuracy = changes.pop("accuracy", 0.5)
    assert accuracy is not None
    settings = {"epochs": 50, "patience": 5, "stop_at_accuracy": 0.99} | changes
    return reason_to_stop(history(losses, accuracy), **settings)


def test_training_continues_while_the_loss_falls():
    assert reason([]) is None
    assert reason([5, 4, 3, 2, 1]) is None


def test_patience_counts_the_epochs_since_the_best():
    assert reason([1, 2, 2, 2, 2]) is None
    assert "validation loss" in str(reason([1, 2, 2, 2, 2, 2]))
    assert reason([2, 3, 3, 3, 3, 1]) is None
    assert reason([1, *[2] * 40], patience=None) is None


def test_an_equal_loss_is_not_an_improvement():
    assert "validation loss" in str(reason([1, 1, 1, 1, 1, 1]))
    assert best_epoch(history([1, 1])) == 0


def test_training_stops_at_the_accuracy_unless_off():
    assert "0.99" in str(reason([1], accuracy=0.99))
    assert reason([1], accuracy=0.9899) is None
    assert reason([1], accuracy=1.0, stop_at_accuracy=None) is None


def test_training_stops_after_the_last_epoch():
    assert "3 epochs" in str(reason([3, 2, 1], epochs=3))


def test_nan_is_never_the_best():
    assert best_epoch(history([float("nan"), 2, 1])) == 2
    assert "validation loss" in str(reason([float("nan")] * 6))
