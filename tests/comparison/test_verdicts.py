"""From evidence to verdicts: what fails a check, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.comparison.evidence import Evidence
from harness.comparison.verdicts import Check, Mark, Pending, Verdict, amount, decide
from harness.gate import Gate


def pending(effect=0.0, p_worse=1.0, p_better=1.0, low=-1.0, margin=0.01, **more):
    evidence = Evidence(
        effect=effect,
        error=0.01,
        degrees=4.0,
        p_worse=p_worse,
        p_better=p_better,
        low=low,
        high=1.0,
        basis="5 seeds",
        **more,
    )
    verdict = Verdict(row="r", label="toy lif", mark=Mark.NOT_COMPARABLE, figure="accuracy", title="accuracy")
    return Pending(verdict=verdict, evidence=evidence, margin=margin)


def marks(*items, confidence=0.99):
    return [verdict.mark for verdict in decide(items, confidence)]


def test_a_loss_that_is_sure_and_passes_the_margin_is_worse():
    assert marks(pending(effect=-0.05, p_worse=0.001)) == [Mark.WORSE]
    assert marks(pending(effect=0.05, p_better=0.001)) == [Mark.BETTER]


def test_neither_a_sure_loss_within_the_margin_nor_an_unsure_one_beyond_it_is():
    assert marks(pending(effect=-0.005, p_worse=1e-6, low=-0.008)) == [Mark.NOT_WORSE]
    assert marks(pending(effect=-0.005, p_worse=1e-6, low=-0.02)) == [Mark.INCONCLUSIVE]
    assert marks(pending(effect=-0.05, p_worse=0.02)) == [Mark.INCONCLUSIVE]


def test_identical_sides_are_the_same_and_have_no_smallest_effect():
    (verdict,) = decide([pending(identical=True)], 0.99)
    assert (verdict.mark, verdict.detectable, verdict.basis) == (Mark.SAME, None, "identical")


def test_every_further_figure_makes_a_find_need_more():
    one = pending(effect=-0.05, p_worse=0.004)
    assert marks(one) == [Mark.WORSE]
    assert marks(one, *[pending()] * 9) == [Mark.INCONCLUSIVE] * 10
    (alone, *_), (among, *_) = decide([one], 0.99), decide([one, *[pending()] * 9], 0.99)
    assert among.detectable > alone.detectable > 0.01


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-0.2, 0.2)), min_size=1, max_size=12))
def test_a_check_marks_no_more_than_each_figure_alone_would(cases):
    items = [pending(effect=effect, p_worse=p, p_better=1 - p) for p, effect in cases]
    together = marks(*items)
    for item, mark in zip(items, together, strict=True):
        if mark in (Mark.WORSE, Mark.BETTER):
            assert marks(item) == [mark]


def check(*given):
    verdicts = tuple(Verdict(row="r", label="toy lif", mark=mark, figure="accuracy") for mark in given)
    return Check(old="main", new="latest", gate=Gate(), verdicts=verdicts)


@pytest.mark.parametrize(
    ("given_marks", "plain", "strict", "inconclusive"),
    [
        ((Mark.SAME, Mark.BETTER), 0, 0, 0),
        ((Mark.SAME, Mark.WORSE, Mark.NOT_COMPARABLE), 1, 1, 1),
        ((Mark.SAME, Mark.NOT_COMPARABLE), 0, 6, 0),
        ((Mark.NOT_COMPARABLE,), 6, 6, 6),
        ((), 6, 6, 6),
        ((Mark.INCONCLUSIVE, Mark.SAME), 0, 0, 1),
        ((Mark.INCONCLUSIVE, Mark.NOT_COMPARABLE), 0, 6, 1),
    ],
)
def test_exit_codes(given_marks, plain, strict, inconclusive):
    found = check(*given_marks)
    assert found.exit_code() == plain
    assert found.exit_code(strict=True) == strict
    assert found.exit_code(fail_inconclusive=True) == inconclusive


def test_a_line_says_what_where_and_by_how_much():
    verdict = Verdict(
        row="r",
        label="toy lif",
        mark=Mark.WORSE,
        figure="accuracy",
        title="accuracy",
        unit="fraction",
        old=0.8,
        new=0.75,
        change=-0.05,
        margin=0.01,
        basis="5 seeds x 500 recordings",
    )
    assert verdict.line() == ("toy lif: accuracy: worse; 80 -> 75 %; -5 pp, margin 1 pp; 5 seeds x 500 recordings")
    assert amount(-0.1, True, "ms", signed=True) == "-10 %"
    assert amount(3, False, "B") == "3 B"
