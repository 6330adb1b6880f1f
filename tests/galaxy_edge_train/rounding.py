"""Tests that compare two trainings bit for bit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

#: How often such a test may fail before it counts.
_ATTEMPTS = 3


def bit_for_bit(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test that uses ``tmp_path`` again, in a new folder, if its assertion fails.

    On a busy machine TensorFlow sometimes adds numbers in another order, so the last bit of a sum
    differs now and then, and the training of a GAN enlarges that. A fault in our code differs in
    every attempt.
    """

    @functools.wraps(test)
    def attempts(*, tmp_path: Path, **fixtures: object) -> None:
        for number in range(1, _ATTEMPTS + 1):
            folder = tmp_path / str(number)
            folder.mkdir()
            try:
                return test(tmp_path=folder, **fixtures)
            except AssertionError:
                if number == _ATTEMPTS:
                    raise
        return None

    return attempts
