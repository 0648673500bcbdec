"""What is more than chance is told apart from what chance gives, at every size."""

import numpy as np
import pytest

from mlgym.task.check.chance import agree_beyond_chance, pattern, purity, rank_correlation


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_a_shuffled_sequence_agrees_by_chance_and_has_no_pattern(seed, classes):
    rng = np.random.default_rng(seed)
    for count in (30, 300, 3000):
        one, other = rng.integers(0, classes, (2, count)).tolist()
        assert agree_beyond_chance(one, other) is None
        assert agree_beyond_chance([0] * count, other) is None
        assert pattern(other) is None
        skewed = (rng.random(count) < 0.9).tolist()
        assert agree_beyond_chance(skewed, rng.permutation(skewed).tolist()) is None
        assert pattern(skewed) is None


def test_a_tenth_of_true_labels_is_more_than_chance():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 10, 2000)
    guess = rng.integers(0, 10, 2000)
    assert agree_beyond_chance(guess.tolist(), truth.tolist()) is None
    guess[::10] = truth[::10]
    assert agree_beyond_chance(guess.tolist(), truth.tolist()) == pytest.approx(0.19, abs=0.02)


def test_three_true_prices_are_more_than_chance_and_one_is_not():
    truth = [str(price) for price in range(1000, 2000)]
    assert agree_beyond_chance(truth[:5], truth[:5]) is None  # nothing is known of five
    assert agree_beyond_chance([*truth[:9], *["0"] * 991], truth) is not None
    assert agree_beyond_chance([truth[0], *["0"] * 999], truth) is None


def test_purity_and_correlation_are_what_they_are_called():
    assert purity("aabb", "xxyy") == 1
    assert purity("aabb", "xyxy") == 0.5
    assert rank_correlation(np.array([1, 2, 3]), np.array([10, 100, 1000])) == pytest.approx(1)
    assert rank_correlation(np.array([1, 2, 3]), np.array([3, 2, 1])) == pytest.approx(-1)
    assert rank_correlation(np.array([1, 1, 1]), np.array([3, 2, 1])) == 0
    assert abs(rank_correlation(np.array([1, 1, 2, 2]), np.array([1, 2, 1, 2]))) < 1e-9
