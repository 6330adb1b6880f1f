"""Numbers to sort rows by: how unsure a model was, and how much two models differ."""

from __future__ import annotations

from galaxy_edge.review.rows import Row, Run


def uncertainty(row: Row) -> float | None:
    """How close a decision was, 0 (sure) to 1 (on the border); None for a failed input.

    Of two classes, the distance of the score from the threshold, as a share of the largest
    distance on its side. Of more, 1 minus the margin between the best two.
    """
    if row.score is None:
        return None
    if row.probabilities:
        best, second = sorted(row.probabilities, reverse=True)[:2]
        return 1 - (best - second)
    threshold = 0.5 if row.threshold is None else row.threshold
    if row.score <= threshold:
        return row.score / threshold if threshold else 1.0
    return (1 - row.score) / (1 - threshold)


def difference(one: Row, other: Row, first: Run, second: Run) -> float | None:
    """How much two models differ on an input, 0 to 1; None if either has no score.

    Half the sum of the differences of all probabilities (the total variation), which for two
    classes is the difference of the scores. Models of different classes differ by 1 or 0: whether
    their labels do.
    """
    if one.score is None or other.score is None:
        return None
    if bool(one.probabilities) != bool(other.probabilities):
        return float(one.label != other.label)
    if not one.probabilities:
        return abs(one.score - other.score)
    mine = dict(zip(first.classes, one.probabilities, strict=True))
    yours = dict(zip(second.classes, other.probabilities, strict=True))
    every = mine.keys() | yours.keys()
    return sum(abs(mine.get(name, 0.0) - yours.get(name, 0.0)) for name in every) / 2
