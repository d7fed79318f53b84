"""Splitting: the same rows on every machine, a sixth of each label."""

import numpy as np
import pytest

from dlt.errors import DataError
from dlt.splitting import split


@pytest.mark.parametrize("n_sets", [1, 2])
def test_every_row_is_in_one_set_and_shares_are_kept(n_sets):
    y = np.sort(np.arange(605) % 3)  # class by class
    rows, how = split("x", y, n_sets)
    assert sorted(np.concatenate(rows)) == list(range(605))
    for part in rows[1:]:
        assert len(part) in (100, 101) and set(np.bincount(y[part])) <= {33, 34}
    for part in rows:
        assert (np.diff(part) > 0).all()
    assert "testing" in how if n_sets == 2 else "testing" not in how
    np.testing.assert_array_equal(rows[1], split("x", y, 3 - n_sets)[0][1])


def test_the_draw_is_the_same_for_ever():
    rows, _ = split("x", np.repeat([0, 1], 12), 1)
    assert rows[1].tolist() == [5, 7, 12, 19]


def test_a_label_s_only_examples_are_for_training():
    for n_rare in (1, 2):
        for place in range(13):
            y = np.insert(np.zeros(12, int), place, np.ones(n_rare, int))
            for n_sets in (1, 2):
                assert 1 in y[split("x", y, n_sets)[0][0]]


def test_too_few_examples_are_refused():
    with pytest.raises(DataError, match="x: found 5 examples; expected 6 or more, to set a sixth"):
        split("x", np.zeros(5, int), 1)
