"""Baselines as files: what they hold, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_baselines import baseline, configuration, figure
from made_records import figure as metric
from made_records import record

from harness.baselines.files import find_baseline, list_baselines, open_side, read_baseline, save
from harness.baselines.form import Baseline, BaselineError, correct_bits, recordings_of
from harness.baselines.reduction import experiment_of, of_run
from harness.errors import DataError, ExitCode, UsageError
from harness.gate import Gate
from harness.store import Store, pack


def made():
    bits = np.arange(60).reshape(2, 30) % 3 > 0
    return baseline(
        configuration(bits, [figure("synops", [1.5, 2.5])]), gate=Gate().with_limit("accuracy", "margin", 0.1)
    )


@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_what_was_right_comes_back_bit_by_bit(samples, seeds, seed):
    bits = np.random.default_rng(seed).random((seeds, samples)) < 0.5
    read = Baseline.from_text(baseline(configuration(bits)).to_text(), "x").configurations[0]
    assert (correct_bits(read, range(seeds)) == bits).all()
    assert recordings_of(read) is None


def test_a_baseline_comes_back_as_it_was_and_is_read_line_by_line():
    text = made().to_text()
    assert Baseline.from_text(text, "x") == made()
    lines = text.splitlines()
    assert sum('"seed": ' in line for line in lines) == 2
    assert sum('"metric": ' in line for line in lines) == 2
    assert text == Baseline.from_text(text, "x").to_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: len(text) // 2], "damaged: not JSON"),
        (lambda text: "", "damaged: not JSON"),
        (lambda text: "[]", "not a baseline of the harness"),
        (lambda text: '{"schema": 1, "results": []}', "not a baseline of the harness"),
        (
            lambda text: text.replace('"schema": 1', '"schema": 0'),
            "schema 0; this harness reads schema 1; save it anew",
        ),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "schema 2; this harness reads schema 1"),
        (lambda text: text.replace('"status": "ok"', '"state": "ok"', 1), "damaged: TypeError"),
        (lambda text: text.replace("1.5", "NaN"), "damaged: not JSON: NaN is no number"),
        (lambda text: text.replace("1.5", '"1.5"'), "damaged: ValueError: toy lif: synops of seed 0 is '1.5'"),
        (lambda text: text.replace('"samples": 30', '"samples": 300'), "damaged: ValueError: correct holds 4 bytes"),
        (lambda text: text.replace('"confidence": 0.99', '"confidence": 3'), "confidence = 3: expected"),
        (lambda text: text.replace('"figures": [', '"figuren": ['), "damaged: KeyError"),
        (lambda text: text.replace("1.5", "1" + "0" * 400), "an integer of 401 digits"),
        (lambda text: text.replace("1.5", "1e200"), "synops of seed 0 is 1e+200"),
        (lambda text: text.replace('"seed": 1,', '"seed": 0,'), "seed 0 stands twice"),
        (lambda text: text.replace('"seed": 1,', '"seed": "1",'), "trial: seed is '1'"),
        (lambda text: text.replace('"seed": 1,', '"seed": 7,'), "there is no trial of seed 1"),
        (
            lambda text: text.replace('"status": "ok"', '"status": "failed"', 1),
            "a baseline holds finished trials alone",
        ),
        (lambda text: text.replace('"name": "synops"', '"name": "accuracy"'), "figure accuracy stands twice"),
        (lambda text: text.replace('"direction": "lower"', '"direction": "up"'), "direction 'up'"),
        (lambda text: text.replace('"kind": "seeded"', '"kind": "noisy"', 1), "is of kind 'noisy'"),
        (lambda text: text.replace('"tolerance": 0.0', '"tolerance": null', 1), "tolerance is None"),
        (lambda text: text.replace('"tolerance": 0.0', '"tolerance": -1', 1), "tolerance is -1"),
        (
            lambda text: text.replace('"recordings": null', '"recordings": [1, 2]'),
            "recordings must be 30 whole numbers",
        ),
        (lambda text: text.replace('"dt": 10.0', '"dt": 20.0'), "is not that of its specification"),
        (lambda text: text.replace('"created": ', '"created": "", "created": '), "'created' stands twice"),
        (lambda text: text.replace('"label": "toy lif"', '"label": "\\ud800"'), "surrogates not allowed"),
        (lambda text: text.replace('"label": "toy lif"', '"label": null'), "label is None"),
        (lambda text: text.replace('"plugins": [', '"plugins": 3, "x": ['), "experiment: plugins is 3"),
        (lambda text: text.replace('"threads": 1\n', '"threads": "x"\n'), "experiment: threads is 'x'"),
        (lambda text: text.replace('"margin": 0.1', '"margin": 1' + "0" * 400), "an integer of 401 digits"),
        (lambda text: "[" * 100_000, "damaged: not JSON"),
    ],
)
def test_what_is_damaged_older_or_foreign_is_one_line_and_status_six(tmp_path, change, message):
    path = tmp_path / "main.json"
    path.write_text(change(made().to_text()))
    with pytest.raises(BaselineError) as caught:
        read_baseline(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code is ExitCode.NOT_COMPARABLE


def test_a_byte_order_mark_of_an_editor_is_no_damage(tmp_path):
    path = tmp_path / "edited.json"
    path.write_text(made().to_text(), encoding="utf-8-sig")
    assert read_baseline(path) == made()


def test_binary_files_and_folders_are_refused_too(tmp_path):
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "c.json").mkdir()
    with pytest.raises(BaselineError, match=r"b\.json: it is UTF-16; save it as UTF-8"):
        read_baseline(tmp_path / "b.json")
    with pytest.raises(BaselineError, match="no such baseline file"):
        find_baseline(str(tmp_path / "c.json"), tmp_path)


def test_a_baseline_of_nothing_is_refused():
    with pytest.raises(BaselineError, match="it holds no configuration"):
        Baseline.from_text(baseline().to_text(), "x")
    one = configuration(np.ones((1, 8), dtype=bool))
    with pytest.raises(BaselineError, match=f"configuration {one.row} stands twice"):
        Baseline.from_text(baseline(one, one).to_text(), "x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data["configurations"][0].update(trials=[], figures=[]), "it has no trial"),
        (lambda data: data["configurations"][0].update(suppliers={"dataset": 3}), "supplier of dataset is 3"),
        (lambda data: data["experiment"].update(plugins=[3]), "plugins must be names"),
    ],
)
def test_parts_that_only_later_steps_would_miss_are_missed_at_once(change, message):
    data = json.loads(made().to_text())
    change(data)
    with pytest.raises(BaselineError, match=message):
        Baseline.from_text(json.dumps(data), "x")


def write(run, *records, limit=None, state="finished", gate=None, trials=()):
    for item in records:
        labels = np.arange(6) % 3
        predictions = (
            np.where(np.arange(6) < 6 * item.outcome["metrics"][0]["value"], labels, -1) if item.outcome else None
        )
        arrays = (
            pack({"test/predictions": predictions, "test/labels": labels, "test/recordings": np.arange(6)})
            if item.outcome
            else None
        )
        run.write(item, arrays)
    experiment = {
        "plugins": ["toy", "lif"],
        "settings": {"lif.tau_mem": ["2"]},
        "seeds": [0, 1],
        "recipe": "default",
        "limit": limit,
        "report_inflation": False,
    }
    run.write_summary(
        {
            "schema": 1,
            "id": run.id,
            "state": state,
            "harness": "9.9",
            "experiment": experiment,
            "gate": gate or {},
            "environment": {"python": "3.11.7", "executable": "/a/python", "platform": "Linux-6.1-x", "git": None},
            "trials": list(trials),
        }
    )
    return run


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def test_a_run_is_reduced_to_what_a_check_needs(store):
    records = [record(seed=seed, test=0.5) for seed in range(2)]
    run = write(store.create("x"), *records, gate={"accuracy": {"margin": 0.2}})
    path, saved = save("main", run, store.folder)
    assert read_baseline(path) == saved
    (only,) = saved.configurations
    assert (only.label, only.row) == ("toy lif", records[0].row)
    assert [trial.seed for trial in only.trials] == [0, 1]
    assert {item.name for item in only.figures} == {"accuracy", "synops"}
    assert saved.gate.margin("accuracy", "fraction") == 0.2
    assert saved.environment["platform"] == "Linux"
    assert "/a/python" not in path.read_text()
    assert correct_bits(only, [0, 1]).mean() == 0.5
    again = experiment_of(saved)
    assert (again.plugins, dict(again.settings), again.seeds) == (("toy", "lif"), {"lif.tau_mem": ["2"]}, (0, 1))


def test_slices_keep_which_recording_they_are_of(store):
    run = write(store.create("x"), record())
    (first,) = run.records()
    run.write(
        first,
        pack(
            {
                "test/predictions": np.arange(6) % 3,
                "test/labels": np.arange(6) % 3,
                "test/recordings": np.arange(6) // 2,
            }
        ),
    )
    (only,) = of_run(run).configurations
    assert recordings_of(only).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("records", "limit", "message"),
    [
        ([record(limit=20)], 20, "was limited to 20 recordings a split: it can never become a baseline"),
        ([record(), record(seed=1, status="timeout")], None, "trials that did not finish .toy lif s1 timeout."),
        ([], None, "holds no trial that ran"),
        ([record(status="skipped")], None, "holds no trial that ran"),
    ],
)
def test_what_cannot_be_a_baseline(store, records, limit, message):
    run = write(store.create("x"), *records, limit=limit)
    with pytest.raises(UsageError, match=message):
        save("main", run, store.folder)
    assert list_baselines(store.folder) == []


def test_what_a_backend_refused_is_left_out_and_said(store):
    refused = record("alif", status="skipped", error={"type": "Skipped", "message": "it computes no alif"})
    told = []
    _, saved = save("main", write(store.create("x"), record(), refused), store.folder, note=told.append)
    assert [item.label for item in saved.configurations] == ["toy lif"]
    assert told == ["toy alif is left out, as it was of the run: it computes no alif"]


def test_a_run_with_a_failing_metric_cannot_be_a_baseline(store):
    failing = record()
    failing.outcome["metrics"].append(
        {"metric": "mine", "name": "mine", "phase": "after", "split": "test", "error": "no"}
    )
    with pytest.raises(UsageError, match=r"metrics that failed .mine: failed: no."):
        save("main", write(store.create("x"), failing), store.folder)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"state": "running"}, "is still running, or was killed: run it again"),
        ({"state": "interrupted"}, "was interrupted: run it again"),
        ({"state": "failed", "trials": [{"label": "toy lif s1", "status": None}]}, "never came to toy lif s1"),
    ],
)
def test_a_run_that_is_not_whole_cannot_be_a_baseline(store, told, message):
    with pytest.raises(UsageError, match=message):
        save("main", write(store.create("x"), record(), **told), store.folder)


def test_a_metric_that_fails_for_one_seed_fails_for_each_of_its_figures(store):
    whole, broken = record(), record(seed=1)
    whole.outcome["metrics"] += [metric("one", 1.0, metric="mine"), metric("two", 2.0, metric="mine")]
    broken.outcome["metrics"].append(
        {"metric": "mine", "name": "mine", "phase": "after", "split": "test", "error": "no"}
    )
    (only,) = of_run(write(store.create("x"), whole, broken)).configurations
    problems = {item.name: dict(item.problems) for item in only.figures if item.metric == "mine"}
    assert problems == {"one": {"1": "failed: no"}, "two": {"1": "failed: no"}}


def test_a_value_too_large_to_compare_is_a_failure(store):
    large = record()
    large.outcome["metrics"].append(metric("cost", 1e200))
    (only,) = of_run(write(store.create("x"), large)).configurations
    (cost,) = (item for item in only.figures if item.name == "cost")
    assert (dict(cost.values), dict(cost.problems)) == ({}, {"0": "failed: its value is beyond 1e+100"})


def test_times_never_enter_a_baseline(store):
    timed = record()
    timed.outcome["metrics"].append(metric("wall_clock", 3.0, kind="noisy"))
    (only,) = of_run(write(store.create("x"), timed)).configurations
    assert "wall_clock" not in {item.name for item in only.figures}


def test_a_baseline_is_not_written_over_by_mistake(store):
    run = write(store.create("x"), record())
    save("main", run, store.folder)
    with pytest.raises(UsageError, match="--replace writes over it"):
        save("main", run, store.folder)
    save("main", run, store.folder, overwrite=True)
    for name in ("../main", "", "a b", ".hidden", "x" * 300):
        with pytest.raises(UsageError, match="expected letters, digits"):
            save(name, run, store.folder)
    for name in ("latest", "main.json"):
        with pytest.raises(UsageError, match="would be taken for"):
            save(name, run, store.folder)


def test_a_folder_that_takes_no_baseline_is_one_line(store):
    run = write(store.create("x"), record())
    (store.folder / "baselines").write_text("in the way")
    with pytest.raises(UsageError, match=r"main\.json: cannot be written"):
        save("main", run, store.folder)


def test_a_missing_name_is_answered_with_those_that_are_there(store):
    with pytest.raises(BaselineError, match=r"no baseline 'main' .*harness baseline save NAME makes one"):
        find_baseline("main", store.folder)
    save("main", write(store.create("x"), record()), store.folder)
    with pytest.raises(BaselineError, match=r"no baseline 'mian' .*did you mean 'main'.*there are: main"):
        find_baseline("mian", store.folder)
    assert find_baseline("main", store.folder) == store.folder / "baselines" / "main.json"


def test_a_name_too_long_for_a_file_is_one_that_is_missing(store):
    for name in ("x" * 300, "x" * 300 + ".json"):
        with pytest.raises(BaselineError, match="there is no"):
            find_baseline(name, store.folder)


def test_lost_arrays_are_named(store):
    run = write(store.create("x"), record())
    (arrays,) = run.trials.glob("*.npz")
    arrays.write_bytes(arrays.read_bytes()[:40])
    with pytest.raises(DataError, match=f"{arrays.name}: missing or damaged.*run the trial again"):
        of_run(run)


def test_a_side_is_a_run_a_baseline_or_some_of_their_configurations(store):
    run = write(store.create("x"), record("lif"), record("alif"))
    save("main", run, store.folder)
    gate = Gate()
    assert len(open_side("latest", store, store.folder, gate).configurations) == 2
    assert open_side("main", store, store.folder, gate).name == "main"
    assert [item.label for item in open_side("main:lif", store, store.folder, gate).configurations] == ["toy lif"]
    row = record("alif").row
    assert [item.label for item in open_side(f"latest:{row[:6]}", store, store.folder, gate).configurations] == [
        "toy alif"
    ]
    with pytest.raises(UsageError, match="no configuration is called ''"):
        open_side("latest:", store, store.folder, gate)
    with pytest.raises(UsageError, match="no configuration is called 'iaf'; there are: toy"):
        open_side("latest:iaf", store, store.folder, gate)


def test_figures_of_two_metrics_that_are_called_alike_stay_apart(store):
    both = record()
    both.outcome["metrics"] += [metric("cost", 1.0), metric("cost", 2.0, metric="other")]
    (only,) = of_run(write(store.create("x"), both)).configurations
    values = {item.name: item.values["0"] for item in only.figures}
    assert (values["cost"], values["other.cost"]) == (1.0, 2.0)
