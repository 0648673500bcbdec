"""The baseline scorer and the rewards made of it."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlgym.errors import ConfigError
from mlgym.reward import BaselineScorer, RewardContext, make_scorer, reward_function
from mlgym.task.spec import find_task
from mlgym.types import ExitReason

number = st.floats(-1e6, 1e6)
positive = st.floats(1e-6, 1e6)
score = st.floats(0, 2)
R2 = BaselineScorer("maximize", "linear", 0.8, 0.9)
TIME = BaselineScorer("minimize", "log", 1.0, 0.1)


def context(split=None, score=0.0, best=0.0, exit_reason=None) -> RewardContext:
    return RewardContext(
        step=1,
        tool="validate",
        exit_code=None,
        metrics=None,
        split=split,
        score=score,
        best=best,
        exit_reason=exit_reason,
        scorer=R2,
    )


def test_the_baseline_is_zero_and_the_target_one():
    for scorer in (R2, TIME):
        assert scorer.normalized(scorer.baseline) == 0.0
        assert scorer.normalized(scorer.target) == 1.0


def test_a_minimised_metric_on_a_log_scale_counts_ratios():
    assert TIME.normalized(0.01) == pytest.approx(2.0)
    assert TIME.normalized(10.0) == pytest.approx(-1.0)


def test_scores_are_clipped_to_zero_and_two():
    assert R2.clipped(-1e9) == 0.0
    assert R2.clipped(0.85) == pytest.approx(0.5)
    assert R2.clipped(99.0) == 2.0


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_what_does_not_exist_on_the_scale_is_worth_nothing(value):
    assert TIME.normalized(value) == -math.inf
    assert TIME.clipped(value) == 0.0


@given(number, number, number)
def test_better_is_never_worth_less_whatever_the_direction(baseline, target, metric):
    assume(abs(target - baseline) > 1e-3)
    scorer = BaselineScorer(
        "maximize" if target > baseline else "minimize", "linear", baseline, target
    )
    step = target - baseline
    assert scorer.normalized(metric + step) > scorer.normalized(metric)
    assert 0.0 <= scorer.clipped(metric) <= 2.0


@given(positive, positive, positive, st.floats(0.1, 10))
def test_a_log_scale_does_not_know_units(baseline, target, metric, unit):
    assume(abs(math.log(target / baseline)) > 1e-3)
    goal = "maximize" if target > baseline else "minimize"
    plain = BaselineScorer(goal, "log", baseline, target).normalized(metric)
    scaled = BaselineScorer(goal, "log", baseline * unit, target * unit).normalized(metric * unit)
    assert plain == pytest.approx(scaled, rel=1e-6, abs=1e-6)


@given(st.lists(score), score)
def test_the_improvement_rewards_of_an_episode_sum_to_the_test_score(validations, test):
    pay, best, total = reward_function("improvement"), 0.0, 0.0
    for value in validations:
        reward = pay(context("validation", value, best))
        assert reward >= 0.0
        total, best = total + reward, max(best, value)
    total += pay(context("test", test, best, ExitReason.SUBMITTED))
    assert total == pytest.approx(test, abs=1e-9)


def test_a_forfeit_takes_back_what_validation_paid():
    pay = reward_function("improvement")
    assert pay(context(None, 0.0, 0.7, ExitReason.FORFEITED)) == -0.7


def test_a_step_without_grading_pays_nothing():
    assert reward_function("improvement")(context(None, 0.0, 0.7)) == 0.0


def test_the_final_reward_pays_the_test_score_only():
    pay = reward_function("final")
    assert pay(context("validation", 0.8, 0.0)) == 0.0
    assert pay(context("test", 0.8, 0.9, ExitReason.SUBMITTED)) == 0.8


def test_a_function_of_ones_own_is_taken_and_another_word_refused():
    assert reward_function(lambda context: -context.step)(context()) == -1
    with pytest.raises(ConfigError, match="expected 'improvement', 'final' or a function"):
        reward_function("best")


def test_a_tasks_scorer_takes_the_primary_metric_of_the_profile():
    spec = find_task("house_price").spec
    assert make_scorer(spec, "full") == BaselineScorer("maximize", "linear", 0.880, 0.931)
