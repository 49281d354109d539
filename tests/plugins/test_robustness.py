"""Robustness: what each change does to events, and what the metric makes of a network that meets them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from harness_metrics.perturbations import channel_loss, drop, jitter, shift, spurious
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import specification
from torch import nn

from harness import Bulk, DataError, Encoding, Registry
from harness.errors import UsageError
from harness.evaluation import evaluate
from harness.events.access import SplitEvents
from harness.events.encode import encode_bulk
from harness.events.frames import Frames
from harness.initialisation import initialise
from harness.model import build, context
from harness.testing import measure

REGISTRY = Registry.discover()
METRIC = REGISTRY.find("robustness").component
SHARES = {"drop": drop, "spurious": spurious, "channel_loss": channel_loss}
DELAYS = {"jitter": jitter, "shift": shift}
CHANGES = {**SHARES, **DELAYS}
NONE = dict.fromkeys(CHANGES, ())


def recordings_of(sizes, sensor, dtype="int64", vision=False, seed=0, until=1_000_000):
    """Random events in order of time, end to end."""
    random = np.random.default_rng(seed)
    offsets = np.cumsum([0, *sizes])
    total = int(offsets[-1])
    parts = [np.sort(random.integers(0, until, size)) for size in sizes]
    width, height, polarities = sensor
    return Bulk(
        t=np.concatenate([np.zeros(0, dtype=np.int64), *parts]),
        x=random.integers(0, width, total).astype(dtype),
        y=random.integers(0, height, total).astype(dtype) if vision else None,
        p=random.integers(0, polarities, total).astype(bool) if vision else None,
        offsets=offsets,
    )


@st.composite
def bulks(draw):
    """Events and their sensor, of channels or pixels, in narrow integers, with recordings that hold none."""
    sensor = draw(st.sampled_from([(7, 1, 1), (100, 1, 1), (5, 4, 2), (1, 1, 1), (16, 8, 2)]))
    sizes = draw(st.lists(st.integers(0, 40), min_size=1, max_size=5))
    dtype = draw(st.sampled_from(["uint8", "int8", "uint16", "int16", "int64", "uint64"]))
    until = draw(st.sampled_from([1, 1000, 1_000_000]))
    made = recordings_of(sizes, sensor, dtype, sensor[1] > 1, draw(st.integers(0, 1000)), until)
    return made, sensor


def columns(bulk):
    return [column for column in (bulk.x, bulk.y, bulk.p) if column is not None]


def events(bulk, number):
    """The events of one recording, as a bag."""
    part = slice(int(bulk.offsets[number]), int(bulk.offsets[number + 1]))
    return Counter(
        zip(bulk.t[part].tolist(), *(column[part].astype(int).tolist() for column in columns(bulk)), strict=True)
    )


def same(one, other):
    assert np.array_equal(one.offsets, other.offsets)
    assert np.array_equal(one.t, other.t)
    for left, right in zip(columns(one), columns(other), strict=True):
        assert np.array_equal(left, right)


def alone(bulk, number):
    begin, end = bulk.offsets[number : number + 2]
    cut = {name: None if getattr(bulk, name) is None else getattr(bulk, name)[begin:end] for name in "txyp"}
    return Bulk(**cut, offsets=np.array([0, end - begin]))


def strengths_of(name):
    return st.floats(0, 1) if name in SHARES else st.floats(0, 500)


changes = st.sampled_from(sorted(CHANGES)).flatmap(lambda name: st.tuples(st.just(name), strengths_of(name)))


@given(bulks(), st.sampled_from(sorted(CHANGES)))
@settings(max_examples=60, deadline=None)
def test_no_strength_is_no_change(drawn, name):
    bulk, sensor = drawn
    same(CHANGES[name](bulk, 0.0, sensor, range(len(bulk.offsets) - 1), 3), bulk)


@given(bulks(), changes, st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_what_comes_out_are_events_of_the_sensor_in_order_of_time(drawn, change, seed):
    bulk, sensor = drawn
    name, strength = change
    found = CHANGES[name](bulk, strength, sensor, range(len(bulk.offsets) - 1), seed)
    assert found.offsets[0] == 0
    assert found.offsets[-1] == len(found.t)
    assert all(len(column) == len(found.t) and column.dtype.kind in "iub" for column in columns(found))
    assert len(columns(found)) == len(columns(bulk))
    assert found.t.dtype == np.int64
    for number in range(len(bulk.offsets) - 1):
        assert (np.diff(found.t[found.offsets[number] : found.offsets[number + 1]]) >= 0).all()
    # The encoding refuses what lies outside the sensor or before time 0.
    encode_bulk(found, Encoding(dt=10.0), sensor)


@given(bulks(), changes, st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_a_recording_is_changed_alike_in_any_company(drawn, change, seed):
    bulk, sensor = drawn
    name, strength = change
    ids = [100 + 7 * number for number in range(len(bulk.offsets) - 1)]
    together = CHANGES[name](bulk, strength, sensor, ids, seed)
    same(together, CHANGES[name](bulk, strength, sensor, ids, seed))
    for number, recording in enumerate(ids):
        same(alone(together, number), CHANGES[name](alone(bulk, number), strength, sensor, [recording], seed))


@given(bulks(), st.sampled_from(sorted(SHARES)), st.floats(0, 1), st.floats(0, 1), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_what_a_weaker_change_did_a_stronger_one_does_too(drawn, name, one, other, seed):
    bulk, sensor = drawn
    ids = range(len(bulk.offsets) - 1)
    weak, strong = (SHARES[name](bulk, strength, sensor, ids, seed) for strength in sorted((one, other)))
    for number in ids:
        own, less, more = events(bulk, number), events(weak, number), events(strong, number)
        assert (own <= less <= more) if name == "spurious" else (more <= less <= own)


@given(bulks(), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_a_share_of_one_is_all_of_it(drawn, seed):
    bulk, sensor = drawn
    ids = range(len(bulk.offsets) - 1)
    assert len(drop(bulk, 1.0, sensor, ids, seed).t) == 0
    assert len(channel_loss(bulk, 1.0, sensor, ids, seed).t) == 0
    assert np.array_equal(np.diff(spurious(bulk, 1.0, sensor, ids, seed).offsets), 2 * np.diff(bulk.offsets))


@pytest.mark.parametrize("name", sorted(set(CHANGES) - {"shift"}))
def test_another_seed_and_another_recording_draw_anew(name):
    bulk = recordings_of([200, 200], (50, 1, 1))
    twice = Bulk(t=np.tile(bulk.t[:200], 2), x=np.tile(bulk.x[:200], 2), offsets=bulk.offsets)
    strength = 0.5 if name in SHARES else 5.0
    first = CHANGES[name](twice, strength, (50, 1, 1), [0, 1], 0)
    other = CHANGES[name](twice, strength, (50, 1, 1), [0, 1], 1)
    assert events(first, 0) != events(other, 0)
    # A broken sensor is broken alike in every recording; all else is drawn for each.
    assert (events(first, 0) == events(first, 1)) == (name == "channel_loss")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_each_event_goes_with_the_probability_asked_for(share):
    bulk = recordings_of([5000] * 4, (50, 1, 1))
    left = np.diff(drop(bulk, share, (50, 1, 1), range(4), 0).offsets)
    # Five standard deviations of a binomial.
    assert (np.abs(left - 5000 * (1 - share)) < 5 * np.sqrt(5000 * share * (1 - share))).all()


def test_jitter_is_normal_noise_in_whole_microseconds_that_grows_with_its_strength():
    bulk = replace(recordings_of([20_000], (20_000, 1, 1)), x=np.arange(20_000))
    bulk = replace(bulk, t=bulk.t + 10_000_000)

    def moved(sigma):
        found = jitter(bulk, sigma, (20_000, 1, 1), [0], 0)
        return found.t[np.argsort(found.x)] - bulk.t

    weak, strong = moved(2.0), moved(20.0)
    assert abs(weak.mean()) < 5 * 2000 / np.sqrt(20_000)
    assert weak.std() == pytest.approx(2000, rel=0.03)
    assert np.abs(strong - 10 * weak).max() <= 5 + 0.5  # half a microsecond of rounding, tenfold


def test_jitter_is_reflected_at_time_zero():
    bulk = Bulk(t=np.zeros(5000, dtype=np.int64), x=np.zeros(5000, dtype=np.uint8), offsets=np.array([0, 5000]))
    found = jitter(bulk, 1.0, (1, 1, 1), [0], 0)
    assert found.t.min() >= 0
    assert found.t.mean() == pytest.approx(1000 * np.sqrt(2 / np.pi), rel=0.05)


def test_spurious_events_fill_the_recordings_own_span_and_the_whole_sensor():
    sensor = (4, 3, 2)
    bulk = recordings_of([3000, 0, 1], sensor, "uint8", vision=True, until=50_000)
    found = spurious(bulk, 0.8, sensor, [0, 1, 2], 0)
    assert np.diff(found.offsets).tolist() == [5400, 0, 2]
    assert found.x.dtype == np.uint8
    added = events(found, 0) - events(bulk, 0)
    times = np.array([t for t, *_ in added.elements()])
    last = bulk.t[2999]
    assert 0 <= times.min() < last * 0.02
    assert last * 0.98 < times.max() <= last
    assert times.mean() == pytest.approx(last / 2, rel=0.05)
    places = Counter(cell for _, *cell in map(tuple, added.elements()) for cell in [tuple(cell)])
    assert len(places) == 24
    assert min(places.values()) > 50  # 100 are expected of each
    (only,) = (events(found, 2) - events(bulk, 2)).elements()
    assert only[0] <= bulk.t[-1]


@pytest.mark.parametrize(("sensor", "vision"), [((10, 1, 1), False), ((5, 4, 2), True)])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.75])
def test_a_share_of_the_places_is_dead_in_every_recording(sensor, vision, share):
    width, height, polarities = sensor
    p, y, x = (axis.ravel() for axis in np.indices((polarities, height, width)))
    cells = len(x)
    bulk = Bulk(
        t=np.zeros(2 * cells, dtype=np.int64),
        x=np.tile(x, 2).astype(np.int8),
        y=np.tile(y, 2).astype(np.int8) if vision else None,
        p=np.tile(p, 2).astype(np.int8) if vision else None,
        offsets=np.array([0, cells, 2 * cells]),
    )
    found = channel_loss(bulk, share, sensor, [8, 9], 0)
    assert events(found, 0) == events(found, 1)
    alive = Counter(place[1 : 3 if vision else 2] for place in events(found, 0))
    assert len(alive) == width * height - round(share * width * height)
    assert set(alive.values()) == {polarities}


def test_a_shift_is_the_same_for_all():
    bulk = recordings_of([5, 0, 3], (9, 1, 1))
    found = shift(bulk, 12.5, (9, 1, 1), range(3), 0)
    assert (found.t - bulk.t).tolist() == [12_500] * 8
    assert np.array_equal(found.offsets, bulk.offsets)


class Held:
    """Recordings held in memory; remembers what it was asked for. Satisfies harness.observation.Recordings."""

    def __init__(self, bulk, labels, encoding, sensor_size):
        self.bulk, self.encoding, self.sensor_size = bulk, encoding, sensor_size
        self.labels = np.asarray(labels)
        self.asked, self.encoded = [], []

    def read(self, recordings):
        self.asked += recordings
        parts = [alone(self.bulk, number) for number in recordings]
        together = {
            name: None if getattr(parts[0], name) is None else np.concatenate([getattr(part, name) for part in parts])
            for name in "txyp"
        }
        return Bulk(**together, offsets=np.cumsum([0, *(len(part.t) for part in parts)]))

    def encode(self, bulk, recordings, labels):
        self.encoded.append(len(bulk.t))
        found = encode_bulk(bulk, self.encoding, self.sensor_size)
        return Frames(found.frames, labels[found.recordings], recordings[found.recordings], None, found.lengths)

    def frames(self):
        return self.encode(self.bulk, np.arange(len(self.labels)), self.labels)


def figures(model, held, frames, batch_size=4, names=("robustness", "accuracy", "synops"), classes=3, **parameters):
    """Rows by name, of an evaluation of ``frames`` with ``held`` behind them."""
    told = context(
        model,
        classes=[str(number) for number in range(classes)],
        split="test",
        phase="after",
        dt_ms=10.0,
        batch_size=batch_size,
        device="cpu",
        events=held,
    )
    metrics = [
        (entry, entry.choose(**(parameters if entry.name == "robustness" else {})))
        for entry in (REGISTRY.find(name).component for name in names)
    ]
    rows = evaluate(model, frames, batch_size=batch_size, context=told, metrics=metrics).metrics
    return {row["name"]: row for row in rows}


def linear(*weight):
    module = nn.Linear(len(weight[0]), len(weight), bias=False)
    module.weight.data = torch.tensor(weight)
    return module


@pytest.fixture(scope="module")
def trial():
    """A network on the recordings of shd-synthetic, with its events."""
    spec = specification(network={"hidden": (16,), "recurrent": True}, backend={})
    spec = replace(spec, dataset=REGISTRY.find("shd-synthetic").component.choose(test=20, train=20))
    held = SplitEvents(REGISTRY.find("shd-synthetic").component, spec.dataset, spec.encoding, None, "test")
    labels = np.arange(20) % 20
    frames = held.encode(held.read(range(20)), np.arange(20), labels)
    model = build(REGISTRY, spec, (140,), 20)
    initialise(model, REGISTRY, spec, frames, np.arange(20), 0)
    return model, held, frames


BRIEF = {"drop": (0.5,), "jitter": (10,), "spurious": (0.5,), "channel_loss": (0.5,), "shift": (50,)}


def test_strength_zero_is_the_evaluation_itself(trial):
    found = figures(*trial, batch_size=8, classes=20, **BRIEF)
    for name in BRIEF:
        curves = found[f"robustness_{name}"]["curves"]
        assert curves["accuracy"]["y"][0] == found["accuracy"]["value"]
        assert curves["synops"]["y"][0] == found["synops"]["value"]
        assert curves["accuracy"]["x"] == [0.0, *BRIEF[name]]


def test_batches_of_any_size_change_no_digit(trial):
    whole = figures(*trial, batch_size=20, classes=20, **BRIEF)
    for size in (1, 7):
        other = figures(*trial, batch_size=size, classes=20, **BRIEF)
        assert {name: row for name, row in other.items() if name.startswith("robustness")} == {
            name: row for name, row in whole.items() if name.startswith("robustness")
        }


def test_the_seed_is_the_metrics_own(trial):
    curves = [
        figures(*trial, batch_size=20, classes=20, names=("robustness",), **BRIEF, seed=seed) for seed in (0, 0, 1)
    ]
    synops = [found["robustness_drop"]["curves"]["synops"]["y"] for found in curves]
    assert synops[0] == synops[1] != synops[2]


def test_fewer_events_are_fewer_operations_and_more_are_more(trial):
    found = figures(*trial, batch_size=20, classes=20, names=("robustness",), drop=(0.25, 0.5, 1.0), spurious=(0.5, 1))
    dropped, added = (found[f"robustness_{name}"]["curves"]["synops"]["y"] for name in ("drop", "spurious"))
    assert dropped == sorted(dropped, reverse=True)
    assert dropped[-1] == 0
    assert added == sorted(added)


# One event of channel 0 in step 0 and two of channel 1 in step 2; one event of channel 0 in step 0.
COUNTS = [[[1, 0], [0, 0], [0, 2]], [[1, 0], [0, 0], [0, 0]]]


def test_the_area_is_the_mean_height_of_the_curve():
    found = measure("robustness", linear([1.0, 0], [0, 1.0]), COUNTS, [1, 0], **{**NONE, "shift": (10, 20, 30)})
    assert set(found) == {"robustness", "robustness_shift"}
    figure = found["robustness_shift"]
    # 10 ms later the two events lie behind the window, 30 ms later all do: class 0 has most, then ties.
    assert figure.curves["accuracy"].y == [1.0, 0.5, 0.5, 0.5]
    assert figure.curves["synops"].y == [2.0, 1.0, 1.0, 0.0]
    assert figure.value == pytest.approx((7.5 + 5 + 5) / 30)
    assert found["robustness"].value == figure.value
    assert (found["robustness"].role, found["robustness"].direction, found["robustness"].kind) == (
        "quality",
        "higher",
        "seeded",
    )
    assert found["robustness"].note == "mean of the areas under accuracy against time shift to 30 ms"


def test_the_one_number_is_the_mean_over_kinds_of_change():
    given = {**NONE, "shift": (10,), "drop": (1.0,)}
    found = measure("robustness", linear([1.0, 0], [0, 1.0]), COUNTS, [1, 0], **given)
    assert found["robustness_drop"].curves["accuracy"].y == [1.0, 0.5]
    assert found["robustness_drop"].value == found["robustness_shift"].value == 0.75
    assert found["robustness"].value == 0.75
    found = measure("robustness", linear([1.0, 0], [0, 1.0]), COUNTS, [1, 0], **{**given, "shift": (5,)})
    # Half a bin later every event lies in the next bin, and the last one lies behind the window.
    assert found["robustness_shift"].value == 0.75


def test_strengths_are_sorted_and_none_counts_twice():
    model = linear([1.0, 0], [0, 1.0])
    tidy, loose = (
        measure("robustness", model, COUNTS, [1, 0], **{**NONE, "shift": shifts})
        for shifts in ((10, 30), (30, 10, 30, 10))
    )
    assert {name: figure.to_json() for name, figure in tidy.items()} == {
        name: figure.to_json() for name, figure in loose.items()
    }


def test_without_strengths_there_is_a_reason_and_no_value():
    (figure,) = measure("robustness", linear([1.0, 0], [0, 1.0]), COUNTS, [1, 0], **NONE).values()
    assert (figure.value, figure.reason) == (None, "every list of strengths is empty")


@pytest.mark.parametrize(
    "wrong",
    [{"drop": [0]}, {"drop": [1.5]}, {"spurious": [-0.1]}, {"channel_loss": [2]}, {"jitter": [0]}, {"seed": -1}],
)
def test_a_strength_out_of_range_is_refused(wrong):
    with pytest.raises(UsageError, match=r"robustness\."):
        METRIC.choose(**wrong)


class Unknown(nn.Module):
    """Owns a weight, and is no layer that SynOps knows."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(2))

    def forward(self, x):
        return x @ self.weight


def test_a_layer_that_synops_does_not_understand_costs_that_curve_alone():
    found = measure("robustness", nn.Sequential(Unknown()), COUNTS, [1, 0], **{**NONE, "shift": (10,), "drop": (1.0,)})
    for name in ("robustness_shift", "robustness_drop"):
        assert found[name].value == 0.75
        assert set(found[name].curves) == {"accuracy"}
        assert found[name].note.startswith("no curve of SynOps: ")
        assert "Unknown" in found[name].note


def test_recordings_of_their_own_length_may_lose_every_step():
    model = linear([1.0, 0], [0, 1.0])
    found = measure("robustness", model, COUNTS, [1, 0], lengths=[3, 1], **{**NONE, "drop": (1.0,), "shift": (10,)})
    assert found["robustness_drop"].curves["accuracy"].y == [1.0, 0.5]
    assert found["robustness_drop"].curves["synops"].y == [2.0, 0.0]
    # Their window grows with them: a shift takes nothing away.
    assert found["robustness_shift"].curves["accuracy"].y == [1.0, 1.0]
    for size in (1, 2):
        again = measure("robustness", model, COUNTS, [1, 0], lengths=[3, 1], batch_size=size, jitter=(), shift=())
        assert again["robustness_drop"].curves["synops"].y[0] == 2.0


class Stepwise(nn.Module):
    """Computes step by step, and can do nothing with no step at all."""

    def forward(self, x):
        return torch.stack([x[:, step] for step in range(x.shape[1])], dim=1)


def test_a_network_never_meets_a_window_without_a_step():
    found = measure("robustness", Stepwise(), COUNTS, [1, 0], lengths=[3, 1], **{**NONE, "drop": (1.0,)})
    assert found["robustness_drop"].curves["accuracy"].y == [1.0, 0.5]


def test_operations_are_whole_numbers_whatever_the_parts():
    counts = np.zeros((98, 2, 1))
    counts[3, 0] = counts[60, 0] = counts[60, 1] = 1
    # Parts of 49 are of one step and of two, and a mean times 49 is not always what the mean was taken of.
    assert 1 / 49 * 49 != 1
    whole, parts = (
        measure("robustness", linear([1.0]), counts, batch_size=size, lengths=[2] * 98, **{**NONE, "shift": (10,)})
        for size in (98, 49)
    )
    assert whole["robustness_shift"].curves["synops"].y == parts["robustness_shift"].curves["synops"].y == [3 / 98] * 2


def sliced():
    """Recording 0 fills two slices of 100 ms and half a third, recording 1 one; class 1 is right, and leads in all three."""
    t = np.array([5, 95, 150, 160, 199, 250, 20, 110]) * 1000
    x = np.array([1, 1, 1, 1, 0, 1, 1, 0], dtype=np.uint8)
    bulk = Bulk(t=t, x=x, offsets=np.array([0, 6, 8]))
    return Held(bulk, [1, 1], Encoding(dt=10.0, slice=100.0), (2, 1, 1))


def test_slices_are_samples_and_those_that_are_gone_are_wrong():
    held, model = sliced(), linear([1.0, 0], [0, 1.0])
    given = {**NONE, "drop": (1.0,), "shift": (60,)}
    found = figures(model, held, held.frames(), classes=2, **given)
    assert found["accuracy"]["value"] == 1.0
    curves = found["robustness_drop"]["curves"]
    assert curves["accuracy"]["y"] == [1.0, 0.0]
    assert curves["synops"]["y"] == [found["synops"]["value"], 0.0]
    assert found["synops"]["value"] == (5 + 1) / 2
    # 60 ms later recording 0 has one event in each of its two slices, and recording 1 one in its own. A third slice of
    # recording 0 is complete now; it is none of the samples that are compared.
    curves = found["robustness_shift"]["curves"]
    assert curves["accuracy"]["y"] == [1.0, 1.0]
    assert curves["synops"]["y"][1] == (1 + 1 + 1) / 2


def test_a_recording_of_which_nothing_is_left_has_no_operations():
    # Two slices each; one of the two channels is dead, and with it one of the two recordings, whichever it is.
    bulk = Bulk(t=np.tile([10_000, 60_000, 100_000], 2), x=np.repeat([0, 1], 3), offsets=np.array([0, 3, 6]))
    held = Held(bulk, [0, 1], Encoding(dt=10.0, slice=50.0), (2, 1, 1))
    given = {**NONE, "channel_loss": (0.5,)}
    found = figures(linear([1.0, 0], [0, 1.0]), held, held.frames(), classes=2, **given)
    curves = found["robustness_channel_loss"]["curves"]
    assert curves["accuracy"]["y"] == [1.0, 0.5]
    assert curves["synops"]["y"] == [2.0, 1.0]


def test_slices_of_generated_recordings_change_no_digit_with_batches(trial):
    model, held, _ = trial
    dataset = REGISTRY.find("shd-synthetic").component
    cut = Encoding(dt=10.0, slice=100.0, factor=5)
    held = SplitEvents(dataset, dataset.choose(test=20, train=20), cut, None, "test")
    frames = held.encode(held.read(range(20)), np.arange(20), np.arange(20) % 20)
    assert len(frames) > 60
    whole, parts = (figures(model, held, frames, batch_size=size, classes=20, **BRIEF) for size in (20, 3))
    assert whole["robustness_jitter"]["curves"]["accuracy"]["y"][0] == whole["accuracy"]["value"]
    assert whole["robustness_jitter"]["curves"]["synops"]["y"][0] == whole["synops"]["value"]
    for name in (name for name in whole if name.startswith("robustness")):
        assert parts[name] == whole[name]


def test_a_sensor_of_pixels_and_polarities():
    sensor = (6, 4, 2)
    bulk = recordings_of([300, 0, 250, 400, 350], sensor, "int8", vision=True, until=200_000)
    held = Held(bulk, [0, 1, 2, 0, 1], Encoding(dt=10.0, crop=200.0), sensor)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(2), nn.Linear(48, 3, bias=False))
    frames = held.frames()
    assert frames.frames.shape == (5, 20, 2, 4, 6)
    found = figures(model, held, frames, **BRIEF)
    for name in BRIEF:
        assert found[f"robustness_{name}"]["curves"]["accuracy"]["y"][0] == found["accuracy"]["value"]
    # Three operations an event; as many events as are added.
    events_in = (300 + 250 + 400 + 350) / 5
    assert found["robustness_spurious"]["curves"]["synops"]["y"] == [3 * events_in, 4.5 * events_in]


def test_each_recording_is_read_once_and_long_ones_in_smaller_parts():
    sizes, sensor = [200_000] * 34, (2, 1, 1)
    bulk = recordings_of(sizes, sensor, "uint8")
    held = Held(bulk, [0] * len(sizes), Encoding(dt=10.0, crop=1000.0), sensor)
    frames = held.frames()
    held.asked.clear()
    held.encoded.clear()
    found = figures(linear([1.0, 0], [0, 1.0]), held, frames, batch_size=64, classes=2, **{**NONE, "shift": (1, 2)})
    assert held.asked == list(range(len(sizes)))
    assert max(held.encoded) < sum(sizes)
    assert found["robustness_shift"]["curves"]["synops"]["y"][0] == found["synops"]["value"] == 200_000


class Gone(Held):
    def read(self, recordings):
        raise DataError("the recordings are gone")


def test_recordings_that_cannot_be_read_cost_this_row_alone():
    held = sliced()
    gone = Gone(held.bulk, held.labels, held.encoding, held.sensor_size)
    found = figures(linear([1.0, 0], [0, 1.0]), gone, held.frames(), classes=2)
    said = r"DataError: the recordings are gone \(test_robustness\.py:\d+\)"
    assert re.fullmatch(said, found["robustness"]["error"])
    assert found["accuracy"]["value"] == 1.0
    assert "error" not in found["synops"]


def test_it_runs_only_where_it_is_named():
    assert not METRIC.on
    assert METRIC.splits == ("test",)
    assert METRIC.phases == ("after",)
