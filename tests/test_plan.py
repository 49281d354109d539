"""From experiments to trials: defaults, presets, sweeps, refusals."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from itertools import product

import pytest
from counted import calls_of

from harness import Registry
from harness.cli.planning import planning
from harness.errors import UsageError
from harness.experiment import Experiment
from harness.plan import make_plan
from harness.specification import leaves, stated

PLUGIN = """
from harness import Backend, Dataset, Encoding, Metric, Network, Neuron, Parameter, hookimpl

TAU = Parameter(name="tau", default=2.0, kind="float", above=0, summary="a time constant")
SIZE = Parameter(name="size", default=1.0, kind="float", above=0, summary="a size")

def none(): return None
def gone(): return "its library is missing"
def refuses(neuron, recurrent, device):
    return "slow computes no tau above 5" if neuron.values.get("tau", 0) > 5 else None

@hookimpl
def register_datasets(register):
    for name, defaults in (("toy", {"network": "flat", "neuron": "leaky", "leaky.size": 3.0}), ("bare", {})):
        register(Dataset(name=name, summary="s", sensor_size=(10, 1, 1), classes=("a", "b"), source="m:source",
            encodings={"default": Encoding(crop=100), "fine": Encoding(crop=100, dt=1)}, defaults=defaults,
            presets={"paper": {"recipe.epochs": 3, "recipe.batch_size": 128}}))

@hookimpl
def register_networks(register):
    register(Network(name="flat", summary="s", build="m:build"))

@hookimpl
def register_neurons(register):
    register(Neuron(name="leaky", summary="s", parameters=(TAU, SIZE), presets={"paper": {"tau": 9.0}}))
    register(Neuron(name="plain", summary="s", parameters=(SIZE,)))

@hookimpl
def register_backends(register):
    register(Backend(name="slow", summary="s", layer="m:layer", neurons=("leaky", "plain")))
    register(Backend(name="quick", summary="s", layer="m:layer", neurons=("leaky",), speed=9.0, refuses="planned:refuses"))
    register(Backend(name="best", summary="s", layer="m:layer", neurons=("leaky",), speed=99.0, available="planned:gone"))

@hookimpl
def register_metrics(register):
    register(Metric(name="score", summary="s", observer="m:observer", parameters=(SIZE,)))
    register(Metric(name="costly", summary="s", observer="m:observer", on=False))
"""


@pytest.fixture
def plan(tmp_path, monkeypatch):
    (tmp_path / "planned.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry.discover(points=[EntryPoint("planned", "planned", "harness")])

    def make(plugins, device="cpu", progress=None, **given):
        return make_plan(Experiment(plugins=tuple(plugins.split(",")), **given), registry, device, progress)

    yield make
    sys.modules.pop("planned", None)


def names(plan):
    return [
        (t.specification.dataset.name, t.specification.neuron.name, t.specification.backend.name) for t in plan.trials
    ]


def test_a_kind_not_named_takes_its_default(plan):
    made = plan("toy")
    assert names(made) == [("toy", "leaky", "quick")]
    assert made.trials[0].specification.network.name == "flat"
    assert [choice.name for _, choice in made.metrics] == ["score"]


def test_the_datasets_fragment_sets_a_neurons_value_and_the_user_wins(plan):
    assert plan("toy").trials[0].specification.neuron["size"] == 3.0
    assert plan("toy", settings={"leaky.size": ["4"]}).trials[0].specification.neuron["size"] == 4.0


def test_several_of_a_kind_multiply_and_seeds_too(plan):
    made = plan("toy,leaky,plain,slow", seeds=(0, 1))
    assert names(made) == [("toy", n, "slow") for n in ("leaky", "leaky", "plain", "plain")]
    assert [trial.seed for trial in made.trials] == [0, 1, 0, 1]


def test_a_sweep_multiplies_only_what_it_concerns(plan):
    made = plan("toy,leaky,plain,slow", settings={"leaky.tau": ["2", "4"], "recipe.epochs": [1, 2]})
    swept = [(t.specification.neuron.values.get("tau"), t.specification.recipe["epochs"]) for t in made.trials]
    assert swept == [(2.0, 1), (2.0, 2), (4.0, 1), (4.0, 2), (None, 1), (None, 2)]
    assert [trial.label for trial in made.trials][:2] == ["toy leaky tau=2 epochs=1 s0", "toy leaky tau=2 epochs=2 s0"]


def test_a_path_that_names_a_kind_reaches_all_that_have_the_parameter(plan):
    made = plan("toy,leaky,plain,slow", settings={"neuron.size": ["7"], "leaky.size": ["8"]})
    assert [trial.specification.neuron["size"] for trial in made.trials] == [8.0, 7.0]


def test_an_encoding_is_chosen_by_name_and_changed_by_parameter(plan):
    made = plan("toy", settings={"encoding": ["fine"], "encoding.factor": ["2"]})
    assert (made.trials[0].specification.encoding.dt, made.trials[0].specification.encoding.factor) == (1.0, 2)


def test_a_recipe_applies_every_components_preset(plan):
    specification = plan("toy", recipe="paper").trials[0].specification
    assert (specification.recipe["epochs"], specification.recipe["batch_size"]) == (3, 128)
    assert specification.neuron["tau"] == 9.0
    assert specification.backend.name == "slow"  # the faster one refuses this tau


def test_a_named_backend_that_refuses_is_planned_as_skipped(plan):
    made = plan("toy,leaky,plain,quick", settings={"leaky.tau": ["2", "9"]})
    assert [trial.skip for trial in made.trials] == [
        None,
        "slow computes no tau above 5",
        "quick does not compute plain",
    ]


def test_a_metrics_parameter_is_set_and_never_swept(plan):
    assert plan("toy", settings={"score.size": ["2"]}).metrics[0][1]["size"] == 2.0
    with pytest.raises(UsageError, match="cannot be swept"):
        plan("toy", settings={"score.size": ["2", "3"]})


@pytest.mark.parametrize(
    ("plugins", "given", "message"),
    [
        ("leaky", {}, "no dataset is named; add one to --plugins: bare, toy"),
        ("toyy", {}, "did you mean 'toy'"),
        ("bare", {}, "bare has no default network; name one"),
        ("toy,best", {}, "backend best cannot be used here: its library is missing"),
        ("toy", {"settings": {"leaky.taus": ["1"]}}, "leaky has no parameter 'taus' .did you mean 'tau'"),
        ("toy", {"settings": {"leaky.tau": ["0"]}}, r"leaky\.tau: '?0'? is not a finite number > 0|leaky\.tau: 0"),
        ("toy", {"settings": {"plain.size": ["1"]}}, "'plain' is not part of this experiment"),
        ("toy", {"settings": {"neuron.nothing": ["1"]}}, "no neuron of this experiment has that parameter"),
        ("toy", {"settings": {"recipe.epoch": ["1"]}}, "did you mean 'epochs'"),
        ("toy", {"settings": {"encoding": ["fin"]}}, "toy has no encoding 'fin' .did you mean 'fine'"),
        ("toy", {"settings": {"encoding.dt": ["3"]}}, "3 ms does not divide the window of 100 ms"),
        ("toy", {"settings": {"tau": ["3"]}}, "expected component.parameter"),
        ("toy", {"recipe": "papre"}, "did you mean 'paper'"),
        ("toy", {"limit": 0}, "limit: 0 is not at least 1"),
    ],
)
def test_what_cannot_be_meant_is_one_line(plan, plugins, given, message):
    with pytest.raises(UsageError, match=message) as error:
        plan(plugins, **given)
    assert "\n" not in str(error.value)


def test_the_row_names_the_specification_alone(plan):
    first, again = plan("toy", seeds=(0,)).trials[0], plan("toy", seeds=(4,)).trials[0]
    other = plan("toy", settings={"leaky.tau": ["3"]}).trials[0]
    assert first.specification.row == again.specification.row != other.specification.row


def test_naming_a_metric_drops_no_other(plan):
    def measured(plugins, **given):
        return [choice.name for _, choice in plan(plugins, **given).metrics]

    assert measured("toy") == ["score"]
    assert measured("toy,costly") == ["score", "costly"]
    assert measured("toy,score") == ["score"]
    assert measured("toy,costly,score") == ["score", "costly"]
    assert measured("toy,planned:score") == ["score"]


def test_metrics_replaces_the_default_ones(plan):
    def measured(plugins, *metrics):
        return [choice.name for _, choice in plan(plugins, metrics=metrics).metrics]

    assert measured("toy", "costly") == ["costly"]
    assert measured("toy,score", "costly") == ["score", "costly"]
    assert measured("toy", "score", "score") == ["score"]
    with pytest.raises(UsageError, match="leaky is a neuron, not a metric"):
        measured("toy", "leaky")
    with pytest.raises(UsageError, match="no metric is named"):
        measured("toy")


def test_two_metrics_of_one_name_are_an_error_until_one_is_named(tmp_path, monkeypatch):
    (tmp_path / "planned.py").write_text(PLUGIN)
    metrics = PLUGIN[: PLUGIN.index("TAU")] + PLUGIN[PLUGIN.index("@hookimpl\ndef register_metrics") :]
    (tmp_path / "rival.py").write_text(metrics.replace("parameters=(SIZE,)", "parameters=()"))
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry.discover(points=[EntryPoint(name, name, "harness") for name in ("planned", "rival")])
    with pytest.raises(
        UsageError, match=r"'score' is offered by planned .* and rival .*; say planned:score or rival:score"
    ):
        make_plan(Experiment(plugins=("toy",)), registry)
    made = make_plan(Experiment(plugins=("toy", "rival:score")), registry)
    assert [entry.qualified for entry, _ in made.metrics] == ["rival:score"]
    for name in ("planned", "rival"):
        sys.modules.pop(name, None)


def test_the_harness_own_metrics_come_first_so_that_none_displaces_their_values(tmp_path):
    path = tmp_path / "aaa_mine.py"
    path.write_text(
        "from harness import Metric, hookimpl\n"
        "@hookimpl\n"
        "def register_metrics(register):\n"
        "    register(Metric(name='aaa', summary='s', observer='m:observer'))\n"
    )
    registry = Registry.discover(files=[path])
    names = [
        choice.name
        for _, choice in make_plan(Experiment(plugins=("shd-synthetic", "aaa", "robustness")), registry).metrics
    ]
    assert names[0] == "accuracy"
    assert names[-2:] == ["robustness", "aaa"]
    sys.modules.pop("aaa_mine", None)


def test_planning_takes_as_many_calls_per_configuration_for_many_as_for_few(plan):
    def per_configuration(count):
        settings = {"leaky.tau": [1 + index / 64 for index in range(count)], "recipe.epochs": [1, 2, 3, 4]}
        plan("toy,leaky,slow", settings=settings)  # imports and caches
        return calls_of(lambda: plan("toy,leaky,slow", settings=settings)) / (4 * count)

    few, many = per_configuration(16), per_configuration(128)
    assert many < 1.5 * few


SWEEPS = [
    {
        "plugins": "toy,leaky,slow",
        "settings": {"leaky.tau": ["2", "4"], "recipe.epochs": [1, 2], "encoding.dt": [1, 2.0]},
    },
    {"plugins": "toy,leaky,plain,slow", "settings": {"leaky.tau": ["2", "2.0", "4"], "neuron.size": [1, 2]}},
    {"plugins": "toy,bare,flat,leaky,slow,quick", "settings": {"encoding": ["default", "fine"], "leaky.size": [1, 3]}},
    {
        "plugins": "toy,leaky",
        "settings": {"leaky.tau": ["2", "9"], "encoding.crop": ["none", "100"], "encoding": ["fine"]},
    },
    {"plugins": "toy,leaky,slow", "settings": {"recipe.precision": ["float32", "bfloat16"], "leaky.tau": [3]}},
]


@pytest.mark.parametrize("given", SWEEPS)
def test_labels_name_what_differs_from_any_other_of_the_same_components(plan, given):
    trials = plan(given["plugins"], settings=given["settings"]).trials
    kinds = ("dataset", "network", "neuron", "backend")
    names = [tuple(getattr(trial.specification, kind).name for kind in kinds) for trial in trials]
    flat = [leaves(stated(trial.specification.to_json())) for trial in trials]
    for trial, name, own in zip(trials, names, flat, strict=True):
        like = [other for other, others in zip(flat, names, strict=True) if others == name]
        # The definition: a path is named if any of its like has another value there.
        differing = [path for path, value in own.items() if any(other.get(path) != value for other in like)]
        said = [word.partition("=")[0] for word in trial.label.split(" ") if "=" in word]
        assert said == [path.rpartition(".")[2] for path in differing]
        assert trial.row == trial.specification.row


def test_every_value_of_a_sweep_meets_every_other_in_the_order_of_the_settings(plan):
    settings = {"leaky.tau": ["2", "4"], "encoding.factor": [1, 2], "recipe.epochs": [1, 2], "leaky.size": [5, 6]}
    planned = [
        (s.neuron["tau"], s.encoding.factor, s.recipe["epochs"], s.neuron["size"])
        for s in (trial.specification for trial in plan("toy,leaky,slow", settings=settings).trials)
    ]
    assert planned == list(product((2.0, 4.0), (1, 2), (1, 2), (5.0, 6.0)))


def test_progress_of_planning_is_printed_only_after_a_second(plan, monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr("harness.cli.planning.time.monotonic", lambda: now)
    settings = {"leaky.tau": [1, 2, 3]}
    counts = []
    with planning(quiet=False) as progress:

        def report(count):
            nonlocal now
            now += 0.6
            counts.append(count)
            progress(count)

        registry_plan = plan("toy,leaky,slow", settings=settings, progress=report)
    assert len(registry_plan.trials) == 3
    assert counts == [1, 2, 3]
    assert capsys.readouterr().err == "planning: 2 configurations\n"
    with planning(quiet=True) as progress:
        assert progress is None
