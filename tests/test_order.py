"""Orders: the same for ever, each epoch its own, and checked."""

import types

import numpy as np
import pytest

from dlt.errors import SettingsError
from dlt.order import Shuffled, permuted


def test_an_order_depends_on_the_seed_and_the_epoch_alone():
    found = {
        (seed, epoch): Shuffled(seed).permutation(epoch, 100).tolist()
        for seed in (0, 1, 2**32 - 1)
        for epoch in (0, 1, 1000)
    }
    assert len(set(map(tuple, found.values()))) == 9
    assert all(sorted(rows) == list(range(100)) for rows in found.values())
    assert found[1, 1000] == Shuffled(1).permutation(1000, 100).tolist()


def test_a_permutation_that_was_once_made_stays():
    # A checkpoint holds the seed alone.
    assert Shuffled(23455).permutation(7, 8).tolist() == [0, 1, 5, 4, 6, 2, 7, 3]


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, None])
def test_seeds_out_of_range_are_refused(seed):
    with pytest.raises(SettingsError, match=f"seed: found {seed}; expected a whole number"):
        Shuffled(seed)


@pytest.mark.parametrize("rows", [[0, 1], [0, 1, 3], [0, 1, 1], [-1, 0, 1], [0.0, 1.0, 2.0]])
def test_an_order_that_gives_no_permutation_is_refused(rows):
    order = types.SimpleNamespace(permutation=lambda epoch, n: np.asarray(rows))
    with pytest.raises(SettingsError, match="order: found no permutation of 3 rows in epoch 4"):
        permuted(order, 4, 3)


def test_a_generator_is_no_order():
    message = (
        r"order: found RandomState.*, whose permutation\(epoch, n\) fails .*; expected an order"
    )
    with pytest.raises(SettingsError, match=message):
        permuted(np.random.RandomState(1), 0, 3)


@pytest.mark.parametrize("n", [1, 7, 99, 100, 101])
@pytest.mark.parametrize("block", [1, 10, 33, 1000])
def test_blocks_stay_together_and_any_part_is_made_alone(n, block):
    order = Shuffled(7, block)
    rows = order.permutation(3, n)
    assert sorted(rows) == list(range(n))
    blocks = rows // block
    assert 1 + np.count_nonzero(np.diff(blocks)) == -(-n // block)
    for first in range(0, n, 9):
        for stop in range(first + 1, n + 1, 13):
            np.testing.assert_array_equal(order.rows(3, n, first, stop), rows[first:stop])


def test_blocks_and_rows_are_shuffled_in_every_epoch():
    first, second = (Shuffled(7, block=10).permutation(epoch, 100) for epoch in (0, 1))
    assert (first // 10 != second // 10).any()
    assert (np.sort(first[:10]) != first[:10]).any()
    with pytest.raises(
        SettingsError, match="found 0; expected a whole number from 1 to 2147483647"
    ):
        Shuffled(7, block=0)
