"""Runs against baselines, figure by figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_baselines import baseline, configuration, figure

from harness.baselines.form import BaselineError
from harness.comparison.regression import check, compare
from harness.comparison.verdicts import Mark
from harness.errors import UsageError
from harness.gate import Gate


def bits(share, seeds=5, samples=400, seed=0):
    """Right and wrong: recordings have a difficulty, and every training gets about ``share`` of them right."""
    difficulty = np.random.default_rng(99).random(samples)
    return difficulty + np.random.default_rng(seed).normal(0, 0.05, (seeds, samples)) < share


def judged(old, new, gate=None):
    return {verdict.figure: verdict for verdict in check(old, new, gate or Gate()).verdicts}


def test_the_same_again_is_the_same():
    side = configuration(bits(0.7), [figure("synops", [100.0, 110.0, 90.0, 105.0, 95.0])])
    found = check(baseline(side), baseline(side, name="now"), Gate())
    assert [verdict.mark for verdict in found.verdicts] == [Mark.SAME, Mark.SAME]
    assert {verdict.basis for verdict in found.verdicts} == {"identical"}
    assert found.exit_code(strict=True, fail_inconclusive=True) == 0


def test_a_drop_is_worse_and_a_rise_is_better():
    old, new = baseline(configuration(bits(0.7))), baseline(configuration(bits(0.55, seed=1)))
    assert judged(old, new)["accuracy"].mark is Mark.WORSE
    assert judged(new, old)["accuracy"].mark is Mark.BETTER
    worse = judged(old, new)["accuracy"]
    assert worse.change == pytest.approx(worse.new - worse.old)
    assert "recordings" in worse.basis
    assert "5 seeds" in worse.basis


def test_synops_that_grow_are_worse_however_large_they_are():
    old = baseline(configuration(figures=[figure("synops", [1e5, 1.1e5, 0.9e5, 1.05e5, 0.95e5])]))
    new = baseline(configuration(figures=[figure("synops", [1.4e5, 1.5e5, 1.32e5, 1.44e5, 1.36e5])]))
    found = judged(old, new)["synops"]
    assert (found.mark, found.relative) == (Mark.WORSE, True)
    assert found.change == pytest.approx(0.404)
    assert judged(new, old)["synops"].mark is Mark.BETTER


def test_a_margin_lets_a_known_loss_pass():
    old, new = baseline(configuration(bits(0.7))), baseline(configuration(bits(0.65, seed=1)))
    assert judged(old, new)["accuracy"].mark is Mark.WORSE
    assert judged(old, new, Gate().with_limit("accuracy", "margin", 0.2))["accuracy"].mark is Mark.NOT_WORSE


def test_few_recordings_say_little_and_the_table_says_how_little():
    old, new = baseline(configuration(bits(0.7, 2, 20))), baseline(configuration(bits(0.62, 2, 20, seed=1)))
    found = judged(old, new)["accuracy"]
    assert found.mark is Mark.INCONCLUSIVE
    assert found.detectable > 0.1


@pytest.mark.parametrize(("value", "mark"), [(10.0, Mark.SAME), (11.0, Mark.WORSE), (9.0, Mark.BETTER)])
def test_exact_figures_must_be_equal(value, mark):
    def side(given):
        return baseline(configuration(figures=[figure("parameters", [given, given], kind="exact", unit="")]))

    assert judged(side(10.0), side(value))["parameters"].mark is mark
    allowed = Gate().with_limit("parameters", "tolerance", 1.0)
    assert judged(side(10.0), side(value), allowed)["parameters"].mark is Mark.SAME


def test_exact_figures_of_another_platform_are_not_comparable_and_say_what_differs():
    exact = [figure("parameters", [10.0] * 5, kind="exact", unit="")]
    old = baseline(configuration(bits(0.7), exact))
    new = baseline(configuration(bits(0.7), exact, platform={"cpu": "B", "torch": "2.14.0"}))
    found = check(old, new, Gate())
    by_figure = {verdict.figure: verdict for verdict in found.verdicts}
    assert by_figure["accuracy"].mark is Mark.SAME
    assert by_figure["parameters"].mark is Mark.NOT_COMPARABLE
    assert "cpu A -> B, torch 2.13.0 -> 2.14.0" in by_figure["parameters"].reason
    assert (found.exit_code(), found.exit_code(strict=True)) == (0, 6)


def test_an_exact_figure_without_a_direction_must_not_move():
    def side(given):
        return baseline(configuration(figures=[figure("neurons", [given], kind="exact", unit="", direction="none")]))

    gate = Gate(figures=("neurons",))
    assert judged(side(10.0), side(11.0), gate)["neurons"].mark is Mark.WORSE
    assert judged(side(10.0), side(10.0), gate)["neurons"].mark is Mark.SAME


def test_one_seeds_gain_makes_up_for_no_others_loss_of_an_exact_figure():
    def side(*given):
        return baseline(configuration(figures=[figure("parameters", given, kind="exact", unit="")]))

    found = judged(side(9.0, 9.0), side(4.0, 12.0))["parameters"]
    assert (found.mark, found.change) == (Mark.WORSE, 3.0)


def test_every_exact_figure_is_checked_even_without_a_direction():
    def side(given):
        return baseline(configuration(figures=[figure("layers", [given], kind="exact", unit="", direction="none")]))

    assert judged(side(2.0), side(3.0))["layers"].mark is Mark.WORSE


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"unit": "s"}, "unit operations/recording -> s"),
        ({"direction": "higher"}, "direction lower -> higher"),
        ({"kind": "exact"}, "kind seeded -> exact"),
    ],
)
def test_a_figure_that_means_something_else_now_is_not_compared(change, told):
    old = baseline(configuration(figures=[figure("synops", [1.0, 2.0])]))
    new = baseline(configuration(figures=[figure("synops", [1.0, 2.0], **change)]))
    found = check(old, new, Gate())
    assert found.verdicts[0].reason == f"synops is no longer the same figure: {told}"
    assert found.exit_code() == 6


def test_a_configuration_of_which_nothing_is_checked_is_said_to_be():
    empty = configuration(bits(0.7), neuron="iaf")
    empty = type(empty)(**{**vars(empty), "figures": ()})
    full = configuration(bits(0.7))
    found = check(baseline(empty, full), baseline(empty, full), Gate())
    assert [verdict.mark for verdict in found.verdicts] == [Mark.NOT_COMPARABLE, Mark.SAME]
    assert "holds no figure of it that is checked" in found.verdicts[0].reason


def test_a_figure_that_the_gate_names_and_the_baseline_lacks_is_not_passed_over():
    old = baseline(configuration(bits(0.7)))
    new = baseline(configuration(bits(0.7), [figure("synops", [1.0] * 5)]))
    found = judged(old, new, Gate(figures=("accuracy", "synops")))
    assert found["accuracy"].mark is Mark.SAME
    assert found["synops"].mark is Mark.NOT_COMPARABLE
    assert "the old side has no synops" in found["synops"].reason


def test_other_test_recordings_are_other_data():
    side = configuration(bits(0.7))
    other = type(side)(**{**vars(side), "test": {**side.test, "labels": "m"}})
    found = check(baseline(side), baseline(other), Gate())
    assert found.exit_code() == 6
    assert "what is tested on" in found.verdicts[0].reason


@pytest.mark.parametrize("recordings", [None, [0] * 10])
def test_a_single_recording_is_compared_over_seeds_alone(recordings):
    def side(right):
        made = configuration(np.full((2, 10 if recordings else 1), right))
        return baseline(type(made)(**{**vars(made), "test": {**made.test, "recordings": recordings}}))

    assert "recording" not in judged(side(True), side(False))["accuracy"].basis


@pytest.mark.parametrize("status", ["failed", "timeout", "oom"])
def test_a_trial_that_finished_and_now_fails_is_worse(status):
    old = baseline(configuration(bits(0.7)))
    new = baseline(configuration(bits(0.7), statuses={3: status}))
    found = check(old, new, Gate())
    (lost,) = found.having(Mark.WORSE)
    assert lost.reason == f"seed 3 ended as {status}: boom"
    assert found.exit_code() == 1
    assert any(verdict.figure == "accuracy" and verdict.mark is Mark.SAME for verdict in found.verdicts)


def test_when_all_trials_fail_the_check_fails():
    old = baseline(configuration(bits(0.7, 2)))
    new = baseline(configuration(bits(0.7, 2), statuses={0: "failed", 1: "failed"}))
    assert check(old, new, Gate()).exit_code() == 1


def test_a_metric_that_begins_to_fail_is_worse():
    old = baseline(configuration(figures=[figure("synops", [1.0, 2.0])]))
    broken = figure("synops", {"0": 1.0}, problems={"1": "failed: IndexError: x"})
    found = judged(old, baseline(configuration(figures=[broken], seeds=[0, 1])))
    assert found["synops"].mark is Mark.WORSE
    assert "IndexError" in found["synops"].reason


def test_a_metric_that_fails_for_every_seed_is_worse_whatever_its_figures_are_called():
    old = baseline(configuration(bits(0.7, 2), [figure("delay", [1.0, 2.0], metric="mine")]))
    failing = figure("mine", {}, problems={"0": "failed: IndexError: x", "1": "failed: IndexError: x"}, unit="")
    new = baseline(configuration(bits(0.7, 2), [failing]))
    found = check(old, new, Gate())
    (worse,) = found.having(Mark.WORSE)
    assert (worse.figure, worse.reason) == ("delay", "metric mine failed: IndexError: x")


def test_a_value_that_is_none_is_not_comparable_with_its_reason():
    old = baseline(configuration(figures=[figure("first_spike", [1.0, 2.0])]))
    silent = figure("first_spike", {"0": 1.0}, problems={"1": "no output spike"})
    found = judged(old, baseline(configuration(figures=[silent], seeds=[0, 1])))
    assert found["first_spike"].mark is Mark.NOT_COMPARABLE
    assert "seed 1: no output spike" in found["first_spike"].reason


def test_only_common_seeds_are_paired_and_missing_ones_are_named():
    old = baseline(configuration(bits(0.7)))
    new = baseline(configuration(bits(0.7)[[1, 3]], seeds=[1, 3]))
    found = check(old, new, Gate())
    whole, accuracy = found.verdicts
    assert whole.mark is Mark.NOT_COMPARABLE
    assert "seed 0, 2, 4 of the baseline was not run" in whole.reason
    assert accuracy.mark is Mark.SAME
    assert (found.exit_code(), found.exit_code(strict=True)) == (0, 6)


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (configuration(bits(0.7), dt=20.0), "toy lif there differs in encoding.dt 10.0 -> 20.0"),
        (configuration(bits(0.7), neuron="iaf"), "toy iaf there differs in neuron lif -> iaf"),
        (configuration(bits(0.7), dataset="shd"), "shd lif there differs in dataset toy -> shd"),
        (configuration(bits(0.7), data="g"), "other data"),
        (configuration(bits(0.7), seeds=[5, 6, 7, 8, 9]), "no seed in common: 0, 1, 2, 3, 4 against 5, 6, 7, 8, 9"),
    ],
    ids=["encoding", "neuron", "dataset", "data", "seeds"],
)
def test_what_does_not_compare_never_passes(new, reason):
    found = check(baseline(configuration(bits(0.7))), baseline(new, name="now"), Gate())
    (verdict,) = found.verdicts
    assert verdict.mark is Mark.NOT_COMPARABLE
    assert reason in verdict.reason
    assert found.exit_code() == 6


def test_a_limited_run_is_refused():
    with pytest.raises(BaselineError, match="now was limited to 20 recordings"):
        check(baseline(configuration(bits(0.7))), baseline(configuration(bits(0.7)), name="now", limit=20), Gate())


def test_a_gate_on_a_figure_that_nobody_has_is_refused():
    side = baseline(configuration(bits(0.7)))
    with pytest.raises(UsageError, match=r"neither side has a figure 'acuracy' \(did you mean 'accuracy'"):
        check(side, side, Gate(figures=("acuracy",)))


def test_a_gate_may_name_all_that_is_checked():
    side = configuration(bits(0.7), [figure("synops", [1.0] * 5), figure("rate", [1.0] * 5, direction="none")])
    assert set(judged(baseline(side), baseline(side))) == {"accuracy", "synops"}
    assert set(judged(baseline(side), baseline(side), Gate(figures=("rate",)))) == {"rate"}


def test_new_configurations_are_named_and_other_versions_too():
    first, second = configuration(bits(0.7)), configuration(bits(0.7), neuron="iaf")
    moved = configuration(bits(0.7))
    moved = type(moved)(**{**vars(moved), "suppliers": {"neuron": {"distribution": "mine", "version": "2"}}})
    old = type(first)(**{**vars(first), "suppliers": {"neuron": {"distribution": "mine", "version": "1"}}})
    found = check(baseline(old), baseline(moved, second), Gate())
    assert "not in main, so not compared: toy iaf" in found.notes
    assert "other versions: mine 1 -> 2" in found.notes


def test_slices_of_one_recording_count_as_one():
    right, shift = bits(0.7, 2, 400), bits(0.6, 2, 400, seed=1)

    def side(given, recordings):
        made = configuration(given)
        return baseline(type(made)(**{**vars(made), "test": {**made.test, "recordings": recordings}}))

    apart = judged(side(right, None), side(shift, None))["accuracy"]
    grouped = [index // 40 for index in range(400)]
    together = judged(side(right, grouped), side(shift, grouped))["accuracy"]
    assert "400 recordings" in apart.basis
    assert "10 recordings" in together.basis
    assert together.change == pytest.approx(apart.change)


def test_two_configurations_compare_though_they_differ():
    old, new = baseline(configuration(bits(0.55))), baseline(configuration(bits(0.7, seed=1), neuron="iaf"), name="b")
    found = compare(old, new, Gate())
    assert found.verdicts[0].mark is Mark.BETTER
    assert "these differ in neuron lif -> iaf" in found.notes


def test_limited_sides_compare_with_equally_limited_ones_alone():
    side = configuration(bits(0.7))
    found = compare(baseline(side, limit=20), baseline(side, name="b", limit=20), Gate())
    assert found.notes == ("both were limited to 20 recordings a split",)
    for limit in (None, 30):
        with pytest.raises(BaselineError, match="limited differently, main to 20 recordings a split and b to"):
            compare(baseline(side, limit=20), baseline(side, name="b", limit=limit), Gate())


def test_a_comparison_says_what_it_leaves_out_and_lets_pass():
    old = baseline(configuration(bits(0.7)))
    new = baseline(configuration(bits(0.7)[[1, 3]], seeds=[1, 3], data="g"), name="b")
    assert compare(old, new, Gate()).notes == (
        "toy lif: seed 0, 2, 4 finished on one side alone, so not compared",
        "toy lif: other data: the recordings of the two sides are not the same",
    )


def test_sides_that_share_nothing_are_refused_with_a_way_on():
    old = baseline(configuration(bits(0.55)), configuration(bits(0.55), neuron="alif"))
    with pytest.raises(BaselineError, match=r"no configuration is on both sides.* such as main:lif"):
        compare(old, baseline(configuration(bits(0.7), neuron="iaf"), name="b"), Gate())


def test_one_seed_is_held_to_the_noise_that_the_baseline_measured():
    old = [100.0, 160.0, 80.0, 130.0, 60.0]
    full = baseline(configuration(figures=[figure("synops", old)]))
    one = baseline(configuration(figures=[figure("synops", [145.0])]))
    found = judged(full, one)["synops"]
    assert found.mark is Mark.INCONCLUSIVE
    # By Student's t on the four degrees of the baseline: its own spread is 39.7 of a mean of 106.
    assert found.basis == "1 seed against 5 (noise over seeds measured: 0.37)"
    assert (found.old, found.new) == (pytest.approx(106.0), 145.0)
    assert found.reason == ""
    quiet = baseline(configuration(figures=[figure("synops", [100.0, 101.0, 99.0, 100.5, 99.5])]))
    assert judged(quiet, one)["synops"].mark is Mark.WORSE
    near = baseline(configuration(figures=[figure("synops", [101.0])]))
    assert judged(quiet, near)["synops"].mark is Mark.NOT_WORSE  # a loss beyond the margin of 5 % is excluded


def test_one_seed_on_each_side_is_inconclusive_and_says_what_to_do():
    old, new = baseline(configuration(bits(0.7, 1))), baseline(configuration(bits(0.4, 1, seed=1)))
    found = check(old, new, Gate())
    (line,) = found.verdicts
    assert line.mark is Mark.INCONCLUSIVE
    assert "1 seed (noise over seeds not measured: up to 0.15 reckoned with)" in line.basis
    assert "save the baseline with five seeds (--seeds 5)" in line.reason
    assert "seed_noise in [gate.accuracy]" in line.reason
    assert (found.exit_code(), found.exit_code(fail_inconclusive=True)) == (0, 1)
    assert line.reason in line.line()
    stated = judged(old, new, Gate().with_limit("accuracy", "seed_noise", 0.05))["accuracy"]
    assert stated.mark is Mark.WORSE
    assert "noise over seeds assumed: 0.05" in stated.basis
    assert stated.reason == ""


def test_a_collapse_is_worse_also_of_one_seed_and_the_same_again_is_the_same():
    old = baseline(configuration(bits(0.95, 1), [figure("synops", [100.0])]))
    new = baseline(configuration(bits(0.05, 1, seed=1), [figure("synops", [100.0])]))
    found = judged(old, new)
    assert found["accuracy"].mark is Mark.WORSE
    assert found["synops"].mark is Mark.SAME
    assert judged(new, old)["accuracy"].mark is Mark.BETTER


@pytest.mark.parametrize("seeds", [1, 2, 3, 4])
def test_seeds_that_are_equal_to_the_bit_are_the_same_however_few(seeds):
    full = baseline(configuration(bits(0.7), [figure("synops", [100.0, 160.0, 80.0, 130.0, 60.0])]))
    some = baseline(configuration(bits(0.7)[:seeds], [figure("synops", [100.0, 160.0, 80.0, 130.0][:seeds])]))
    found = check(full, some, Gate())
    assert {verdict.mark for verdict in found.verdicts if verdict.figure} == {Mark.SAME}


def test_two_seeds_on_each_side_measure_their_noise_themselves():
    def two(share, apart):
        return baseline(configuration(np.vstack([bits(share + apart, 1, 2000), bits(share - apart, 1, 2000, seed=3)])))

    quiet = judged(two(0.8, 0.01), two(0.4, 0.01))["accuracy"]
    assert quiet.mark is Mark.WORSE
    assert "2 seeds (noise over seeds measured: 0.01" in quiet.basis
    assert judged(two(0.8, 0.15), two(0.4, 0.15))["accuracy"].mark is Mark.INCONCLUSIVE


@pytest.mark.parametrize(
    ("figure_name", "limit", "message"),
    [
        ("acuracy", "margin", "margin for 'acuracy', which no figure checked is called .did you mean 'accuracy'"),
        ("accuracy", "tolerance", "tolerance for 'accuracy', which is seeded: its limit is .gate.accuracy. margin"),
    ],
)
def test_a_limit_that_holds_nothing_is_refused(figure_name, limit, message):
    side = baseline(configuration(bits(0.7)))
    with pytest.raises(UsageError, match=message):
        check(side, side, Gate().with_limit(figure_name, limit, 0.1))


def test_a_part_of_a_baseline_may_be_held_to_a_gate_that_speaks_of_the_rest():
    whole = baseline(configuration(bits(0.7)), configuration(figures=[figure("rate", [1.0])], neuron="iaf"))
    part = baseline(whole.configurations[0])
    gate = Gate(figures=("accuracy", "rate")).with_limit("rate", "margin", 0.1)
    with pytest.raises(UsageError, match="'rate'"):
        check(part, part, gate)
    assert check(part, part, gate, among=whole).verdicts[0].mark is Mark.SAME


def on(side, **data):
    return replace(side, data={**side.data, **data})


def test_recordings_that_mean_something_else_are_other_data_though_their_events_are_the_same():
    """Groups, labels, names of fields and the sensor are in no fingerprint."""
    side = configuration(bits(0.7))
    old, same, other = (on(side, identity=name) for name in ("a", "a", "b"))
    assert judged(baseline(old), baseline(same))["accuracy"].mark is Mark.SAME
    (verdict,) = check(baseline(old), baseline(other), Gate()).verdicts
    assert (verdict.mark, verdict.reason) == (
        Mark.NOT_COMPARABLE,
        "other data: the recordings are not those of the baseline",
    )
    assert any("other data" in note for note in compare(baseline(old), baseline(other), Gate()).notes)
    # A baseline from before there was an identity still compares by its fingerprint.
    assert judged(baseline(side), baseline(other))["accuracy"].mark is Mark.SAME


def test_other_frames_of_the_same_recordings_are_compared_and_said():
    side = configuration(bits(0.7))
    old, new = (on(side, identity="a", frames=name) for name in ("f", "g"))
    found = check(baseline(old), baseline(new), Gate())
    assert found.verdicts[0].mark is Mark.SAME
    assert found.notes == (
        "toy lif: the same recordings became other frames: the encoder, or the dataset's reader, changed",
    )
    assert check(baseline(old), baseline(old), Gate()).notes == ()
