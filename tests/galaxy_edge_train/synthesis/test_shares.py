from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge_train.synthesis.shares import allocate


@given(st.integers(0, 50), st.lists(st.integers(0, 20), min_size=1, max_size=5))
def test_stocks_give_all_that_is_wanted_as_evenly_as_possible(wanted: int, stocks: list[int]):
    given_ = allocate(wanted, stocks)
    assert sum(given_) == min(wanted, sum(stocks))
    assert all(0 <= take <= stock for take, stock in zip(given_, stocks, strict=True))
    # A stock that gives at least two fewer than the largest giver is empty.
    for take, stock in zip(given_, stocks, strict=True):
        assert take >= max(given_) - 1 or take == stock
