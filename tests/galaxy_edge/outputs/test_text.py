"""Text in CSV cells: a spreadsheet runs none of it, and all of it comes back."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge.outputs.text import csv_line, csv_text

#: What OWASP lists under "CSV Injection".
FORMULAS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
texts = st.text(max_size=5) | st.text(f"'{FORMULAS}ab,\"", max_size=5)
numbers = st.none() | st.integers() | st.floats(allow_nan=False)


def cells(line: str) -> list[str]:
    (row,) = csv.reader(io.StringIO(line, newline=""), strict=True)
    return row


@given(st.lists(texts | numbers, min_size=2))
def test_no_text_is_a_formula_and_every_cell_comes_back(values: list[object]):
    for value, cell in zip(values, cells(csv_line(values)), strict=True):
        if isinstance(value, str):
            assert not cell.startswith(tuple(FORMULAS))
            assert csv_text(cell) == value
        else:
            assert cell == ("" if value is None else str(value))
            assert csv_text(cell) == cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1.png", "'=1+1.png"), ("-a.png", "'-a.png"), ("'=a.png", "''=a.png"),
        ("\t=a.png", "'\t=a.png"), ("'a.png", "'a.png"), ("a=b.png", "a=b.png"), ("./-a", "./-a"),
    ],
)  # fmt: skip
def test_an_apostrophe_is_added_only_where_it_is_needed(text: str, cell: str):
    assert cells(csv_line([text, 1])) == [cell, "1"]


@pytest.mark.parametrize("number", [-0.5, 0.25, -3, 1e-7])
def test_numbers_stay_numbers(number: float):
    assert [float(cell) for cell in cells(csv_line([number, "x"]))[:1]] == [number]
