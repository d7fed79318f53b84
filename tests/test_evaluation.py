"""Errors are counted over every example, as whole numbers."""

import numpy as np
import pytest

from dlt import evaluation
from dlt.engine import T
from dlt.errors import SettingsError
from dlt.evaluation import error_counter
from dlt.losses import zero_one_loss
from dlt.models import LogisticRegression
from dlt.shared import as_data_set, shared_dataset


def counter(wrong, batch_size=1, drop_last=False):
    """A counter over 11 examples of which those numbered in `wrong` are misclassified."""
    x, y = T.matrix("x"), T.ivector("y")
    model = LogisticRegression(x, 2, 2)
    model.W.set_value(np.array([[5, 0], [0, 5]], dtype=model.W.dtype))
    labels = np.arange(11) % 2
    data_x = np.eye(2)[labels]
    labels[wrong] = 1 - labels[wrong]
    data_set = shared_dataset((data_x, labels))
    errors = zero_one_loss(model.p_y_given_x, y, reduction="none")
    return error_counter(x, y, errors, data_set, batch_size, drop_last)


@pytest.mark.parametrize("chunk", [1, 4, 11, 1000])
def test_every_example_counts_however_it_is_cut(monkeypatch, chunk):
    monkeypatch.setattr(evaluation, "_CHUNK", chunk)
    score = counter(wrong=[0, 5, 10])()
    assert score == (3, 11)
    assert [type(number) for number in score] == [int, int]


def test_threads_may_share_a_counter(eight_threads):
    count = counter(wrong=[0, 5, 10], batch_size=4)
    found = eight_threads(lambda i: [(count(), *count.each()) for _ in range(50)])
    assert {one for several in found for one in several} == {
        ((3, 11), *([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]))
    }


def test_drop_last_counts_whole_minibatches_only():
    # Slip of the original script: 11 // 4 * 4 = 8, the errors in rows 8..10 go unseen.
    assert counter(wrong=[1, 8, 10], batch_size=4, drop_last=True)() == (1, 8)
    assert counter(wrong=[1, 8, 10], batch_size=4)() == (3, 11)
    with pytest.raises(SettingsError, match="batch_size: found 12; expected a whole number from 1"):
        counter(wrong=[], batch_size=12, drop_last=True)


@pytest.mark.parametrize("drop_last, n", [(False, 11), (True, 8)])
def test_errors_may_be_measured_for_each_example_or_as_a_mean(float64, rng, drop_last, n):
    x, y = T.matrix("x"), T.vector("y")
    data_x, data_y = rng.random((11, 2)), rng.random(11)
    squared = (T.sum(x, axis=1) - y) ** 2
    expected = ((data_x.sum(axis=1) - data_y)[:n] ** 2).mean()
    for errors in (squared, T.mean(squared)):
        data_set = as_data_set("data", (data_x, data_y), x, y)
        score = error_counter(x, y, errors, data_set, 4, drop_last)()
        assert score.fraction == pytest.approx(expected) and score.n_examples == n
        assert str(score) == f"{expected:f}"
    with pytest.raises(SettingsError, match="errors: found rank 2; expected a vector, one value"):
        error_counter(x, y, x, data_set)
