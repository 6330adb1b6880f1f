from __future__ import annotations

import pytest

from galaxy_edge.inputs.column_types import column_types


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "-2", ""], int), (["1", "2.5"], float), (["1e3", "nan", "-inf"], float),
        (["007", "12"], str), (["-05.5", "1"], float), (["1", "x"], str), (["", ""], int),
        (["123456789012345678"], int), (["1234567890123456789"], str),
        (["1234567890123456789", "1.5"], str), (["123456789012345678", "1.5"], str),
        (["12:30:49"], str), (["+1"], int), (["1_000"], str), (["\u0663"], str),
    ],
)  # fmt: skip
def test_the_type_reads_every_value_exactly(texts: list[str], expected: type):
    assert column_types([{"x": text} for text in texts]) == {"x": expected}
