"""What looks slower counts only where measuring again agrees."""

from __future__ import annotations

import numpy as np
import pytest

from harness.comparison.ratios import from_log_ratios
from harness.comparison.speed import Timed, judge
from harness.comparison.verdicts import Mark
from harness.gate import Gate


def timed(slowdown, row="r", work="training_step", noise=0.01, seed=0):
    ratios = np.log1p(slowdown) + np.random.default_rng(seed).normal(0, noise, 20)
    evidence = from_log_ratios(ratios, confidence=0.99)
    return Timed(row=row, label=f"toy {row}", work=work, old=0.01, new=0.01 * (1 + slowdown), evidence=evidence)


def rerun(*answers):
    asked = []

    def again(only):
        asked.append(set(only))
        return [item for item in answers if (item.row, item.work) in only]

    return again, asked


def test_a_slowdown_that_comes_again_is_worse():
    again, asked = rerun(timed(0.22, seed=1), timed(0.0, "s", seed=2))
    slow, even = judge([timed(0.2), timed(0.0, "s")], Gate(), again)
    assert (slow.mark, even.mark) == (Mark.WORSE, Mark.NOT_WORSE)
    assert slow.change == pytest.approx(0.2, abs=0.02)
    assert (slow.old, slow.new) == (10.0, pytest.approx(12.0))
    assert "a rerun confirms it: +2" in slow.reason
    assert asked == [{("r", "training_step")}]


def test_one_that_does_not_is_inconclusive_and_both_figures_are_told():
    again, _ = rerun(timed(0.01, seed=1))
    (verdict,) = judge([timed(0.2)], Gate(), again)
    assert verdict.mark is Mark.INCONCLUSIVE
    assert verdict.reason.startswith("a rerun does not confirm it: +")
    assert verdict.reason.endswith(", not worse")


def test_one_that_cannot_be_measured_again_is_inconclusive():
    refused = Timed(row="r", label="toy r", work="training_step", refused="the old side is gone")
    (verdict,) = judge([timed(0.2)], Gate(), lambda only: [refused])
    assert verdict.mark is Mark.INCONCLUSIVE
    assert "could not confirm it: the old side is gone" in verdict.reason


def test_nothing_is_measured_again_for_what_is_faster_or_within_the_threshold():
    again, asked = rerun()
    faster, slower = judge([timed(-0.3), timed(0.03, "s")], Gate(), again)
    assert (faster.mark, slower.mark) == (Mark.BETTER, Mark.NOT_WORSE)
    assert asked == []


def test_a_threshold_by_work_decides():
    again, _ = rerun(timed(0.2, seed=1))
    (verdict,) = judge([timed(0.2)], Gate().with_limit("training_step", "threshold", 0.5), again)
    assert verdict.mark is Mark.NOT_WORSE


def test_what_a_side_refuses_is_not_comparable_with_its_reason():
    refused = Timed(row="r", label="toy r", work="inference", refused="no such backend there")
    (verdict,) = judge([refused], Gate(), None)
    assert (verdict.mark, verdict.reason, verdict.old) == (Mark.NOT_COMPARABLE, "no such backend there", None)
