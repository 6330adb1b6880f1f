from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_edge import UsageError
from galaxy_edge.inputs.shards import Shard

PATHS = [f"night/{number:05}.png" for number in range(6000)]


@given(
    st.lists(st.text(st.characters(exclude_categories=())).filter(lambda t: t.isprintable())),
    st.integers(1, 9),
)
def test_shares_are_disjoint_and_complete(paths: list[str], count: int):
    shares = [
        [path for path in paths if Shard(number, count).has(path)] for number in range(1, count + 1)
    ]
    assert sorted(chain(*shares)) == sorted(paths)


def test_shares_are_about_equal():
    sizes = [sum(map(Shard(number, 6).has, PATHS)) for number in range(1, 7)]
    assert all(850 < size < 1150 for size in sizes)


def test_the_share_of_a_path_never_changes():
    # Jobs on other machines and with later versions must compute the same shares.
    mine = [path for path in PATHS[:12] if Shard(2, 3).has(path)]
    assert mine == [
        "night/00002.png", "night/00008.png", "night/00010.png", "night/00011.png",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/3/5", ""])
def test_an_invalid_shard_is_refused(text: str):
    with pytest.raises(UsageError, match="--shard"):
        Shard.parse(text)


def test_a_shard_is_parsed():
    assert Shard.parse("3/16") == Shard(3, 16)
