"""``harness run`` from a plan to a table, plots and records."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from small_job import UNTIMED

from harness import load_model
from harness.records import Record

ASKED = ("run", "--plugins", "shd-synthetic,iaf,lif", "--seeds", "2", "-o", "shd-synthetic.train=40")
SMALL = ("-o", "shd-synthetic.test=20", "-o", "mlp.hidden=[8]", "--epochs", "2")


@pytest.fixture(scope="module")
def first(cli):
    done = cli(*ASKED, *SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (folder,) = cli.runs()
    return done, folder


@pytest.fixture(scope="module")
def records(first):
    paths = sorted((first[1] / "trials").glob("*.json"))
    return {record.label: record for record in (Record.from_text(path.read_text(), str(path)) for path in paths)}


def test_the_plan_comes_first_and_the_table_last(first):
    out = first[0].stdout
    assert out.startswith("plan: 4 trials (2 configurations x 2 seeds)")
    assert "learning rate 0.005" in out
    assert "synthetic, 40 train, 20 test recordings" in out
    assert (
        out.index("plan:") < out.index("data:") < out.index("trials: 4 (0 cached)") < out.index("[4/4] shd-synthetic")
    )
    table = out[out.index("[4/4] ") :]
    for word in ("shd-synthetic (synthetic)", "iaf", "lif", "accuracy ↑", "SynOps ↓", "±", "2 ok"):
        assert word in table


def test_everything_lies_in_the_runs_folder(first, cli):
    folder = first[1]
    names = {path.name for path in folder.iterdir()}
    assert names >= {"run.json", "trials", "logs", "plots", "table.md", "table.csv", "table.tex", "timings.json"}
    assert names >= {"figures.csv", "figures.md", "report.html"}
    assert len(list((folder / "trials").glob("*.json"))) == len(list((folder / "trials").glob("*.npz"))) == 4
    plots = {path.name for path in (folder / "plots").iterdir()}
    for name in ("accuracy-against-cost", "learning-curves", "accuracy-by-class"):
        assert {f"shd-synthetic-{name}.svg", f"shd-synthetic-{name}.png"} <= plots
    assert (cli.results / "latest").resolve() == folder
    assert not list(folder.rglob("*.tmp")) + list(folder.rglob("*.claim"))


def test_the_csv_holds_what_the_records_hold(first, records):
    with (first[1] / "table.csv").open() as file:
        rows = {row["neuron"]: row for row in csv.DictReader(file)}
    for neuron, row in rows.items():
        values = [
            metric["value"]
            for record in records.values()
            if record.specification["neuron"]["name"] == neuron
            for metric in record.outcome["metrics"]
            if (metric["name"], metric["phase"], metric["split"]) == ("accuracy", "after", "test")
        ]
        assert float(row["test.accuracy [fraction]"]) == pytest.approx(np.mean(values))
        assert (row["test.accuracy n"], row["synthetic"]) == ("2", "yes")


def test_a_record_says_all_that_it_should(records):
    record = records["shd-synthetic lif s1"]
    assert (record.seed, record.status, record.synthetic) == (1, "ok", True)
    assert record.specification["neuron"]["parameters"]["tau_mem"] == 2.0
    assert set(record.suppliers) == {"dataset", "network", "neuron", "backend", "metrics", "harness"}
    assert record.suppliers["backend"]["distribution"] == "snn-harness"
    assert record.data["splits"]["train"]["recordings"] == 40
    assert set(record.data["splits"]["test"]["groups"]) == {"4", "5"}
    assert record.environment["packages"]["torch"]
    assert (record.environment["device"], record.environment["threads"]) == ("cpu", 1)
    assert len(record.outcome["curves"]["validation_accuracy"]) == 2
    assert "groups" in record.outcome["split"]
    assert record.outcome["selected_epoch"] in (1, 2)
    for phase in ("load", "initialise", "train", "measure after test"):
        assert record.timings[phase] >= 0
    assert [row for row in record.figures() if "error" in row] == []
    figures = {(row["phase"], row["split"], row["name"]): row for row in record.outcome["metrics"]}
    for name in ("accuracy", "loss", "firing_rate", "synops"):
        for phase in ("before", "after"):
            row = figures[phase, "test", name]
            assert row["unit"]
            assert row["direction"] in ("higher", "lower", "none")
            assert row["kind"] == "seeded"
    assert figures["after", "train", "accuracy"]["value"] is not None
    assert figures["after", "test", "parameters"]["value"] == 140 * 8 + 8 * 20


def test_what_differs_from_run_to_run_stands_apart_and_large_arrays_beside(first, records):
    for record in records.values():
        (peak,) = [row for row in record.noisy if row["name"] == "training_peak_bytes"]
        assert peak["value"] == record.training["peak_memory_bytes"] > 0
        assert all(row["kind"] == "noisy" for row in record.noisy)
        assert not any(row.get("kind") == "noisy" for row in record.outcome["metrics"])
        with np.load(first[1] / "trials" / record.arrays, allow_pickle=False) as arrays:
            rates = arrays["metrics/after/test/firing_rate/neurons/spiking.0"]
        assert rates.shape == (8,)
        (rate,) = [row for row in record.outcome["metrics"] if row["name"] == "firing_rate" and row["phase"] == "after"]
        assert rates.mean() == pytest.approx(rate["arrays"]["layers"]["spiking.0"], rel=1e-5)
        assert "stored" not in rate


def test_both_neurons_saw_the_same_split(records):
    assert len({record.outcome["split"] for record in records.values() if record.seed == 0}) == 1


def test_per_recording_predictions_make_up_the_accuracy(first, records):
    for record in records.values():
        with np.load(first[1] / "trials" / record.arrays, allow_pickle=False) as arrays:
            right = (arrays["test/predictions"] == arrays["test/labels"]).mean()
            assert arrays["test/counts"].shape == (20, 20)
        (value,) = [
            row["value"]
            for row in record.outcome["metrics"]
            if (row["name"], row["phase"], row["split"]) == ("accuracy", "after", "test")
        ]
        assert value == right


def test_timings_cover_every_row_and_stand_apart_from_the_outcome(first, records):
    timings = json.loads((first[1] / "timings.json").read_text())
    assert set(timings["rows"]) == {record.row for record in records.values()}
    assert all(row["kind"] == "noisy" for timed in timings["rows"].values() for row in timed["metrics"])
    assert not any("wall_clock" in row["name"] for record in records.values() for row in record.outcome["metrics"])


def test_a_trained_model_is_loaded_back(first):
    model = load_model(next((first[1] / "trials").glob("*.json")))
    import torch

    assert model(torch.zeros(2, 70, 140)).shape == (2, 70, 20)


def test_a_finished_key_is_reused_with_its_origin_and_force_runs_it_again(first, records, cli):
    again = cli(*ASKED, *SMALL, "--no-timing", "--no-plots")
    assert again.returncode == 0, again.stderr
    assert "trials: 4 (4 cached)" in again.stdout
    assert "2 ok (2 cached)" in again.stdout
    latest = (cli.results / "latest").resolve()
    reused = [Record.from_text(path.read_text(), "x") for path in (latest / "trials").glob("*.json")]
    assert {record.provenance["cached_from"] for record in reused} == {first[1].name}
    forced = cli(*ASKED, *SMALL, "--no-timing", "--no-plots", "--force", "--seeds", "1", "--jobs", "1")
    assert "trials: 2 (0 cached), 1 at a time" in forced.stdout
    latest = (cli.results / "latest").resolve()
    for path in (latest / "trials").glob("*.json"):
        record = Record.from_text(path.read_text(), "x")
        # The same trial again, in another process and beside fewer others, to the last bit.
        assert record.outcome == records[record.label].outcome


def test_a_metric_that_is_missing_is_taken_from_the_saved_weights(first, records, cli, tmp_path):
    plugin = tmp_path / "extra_metric.py"
    plugin.write_text(
        "from harness import Metric, MetricValue, hookimpl\n"
        "class Spikes:\n"
        "    def start(self, model, context): self.total = 0\n"
        "    def batch(self, view): self.total += int(view.outputs.sum())\n"
        "    def result(self): return {'output_spikes': MetricValue(value=self.total, unit='spikes', direction='none',"
        " kind='seeded', title='output spikes', role='cost')}\n"
        "@hookimpl\n"
        "def register_metrics(register):\n"
        "    register(Metric(name='output-spikes', summary='s', observer='extra_metric:Spikes'))\n"
    )
    done = cli("-P", str(plugin), *ASKED, *SMALL, "--no-timing", "--no-plots")
    assert done.returncode == 0, done.stderr
    latest = (cli.results / "latest").resolve()
    for path in (latest / "trials").glob("*.json"):
        record, origin = Record.from_text(path.read_text(), "x"), records
        before = origin[record.label]
        assert "train" not in record.timings
        assert record.outcome["weights"] == before.outcome["weights"]
        assert record.outcome["curves"] == before.outcome["curves"]
        own = [row for row in record.outcome["metrics"] if row["metric"] != "output-spikes"]
        assert own == before.outcome["metrics"]
        # What training took is known from the record that trained.
        assert record.noisy[0]["value"] == record.training["peak_memory_bytes"] > 0
        with np.load(path.with_name(record.arrays)) as arrays:
            (value,) = [row["value"] for row in record.outcome["metrics"] if row["name"] == "output_spikes"]
            assert value == arrays["test/counts"].sum()
    # What a finished record holds beside what is asked for was asked for by another run, of code that may be gone.
    again = cli(*ASKED, *SMALL, "--no-timing", "--no-plots")
    assert "(4 cached)" in again.stdout
    for path in (cli.results / "latest").resolve().glob("trials/*.json"):
        record = Record.from_text(path.read_text(), "x")
        assert "output-spikes" not in {*record.suppliers["metrics"], *(row["metric"] for row in record.figures())}


def test_runs_lists_and_shows(first, cli):
    listed = cli("runs")
    assert first[1].name in listed.stdout
    assert "finished  4 ok" in listed.stdout
    shown = cli("runs", first[1].name)
    assert "2 ok" in shown.stdout
    assert json.loads(cli("runs", "--json").stdout)[0]["id"] == first[1].name
    assert len(json.loads(cli("runs", first[1].name, "--json").stdout)) == 4


def test_cache_shows_and_clears(first, cli):
    shown = json.loads(cli("cache", "--json").stdout)
    assert {entry["dataset"] for entry in shown["entries"]} == {"shd-synthetic"}
    assert shown["bytes"] > 0
    assert cli("cache", "clear").returncode == 0
    assert json.loads(cli("cache", "--json").stdout)["entries"] == []


def test_the_real_loader_runs_on_generated_files(cli, tmp_path):
    made = cli("data", "synthesize", "shd", str(tmp_path), "--train", "40", "--test", "20")
    assert made.returncode == 0, made.stderr
    done = cli(
        "run",
        "--plugins",
        "shd,iaf",
        "--data",
        str(tmp_path),
        "--epochs",
        "1",
        "--no-timing",
        "--no-plots",
        "-o",
        "mlp.hidden=[8]",
    )
    assert done.returncode == 0, done.stderr
    assert "shd (synthetic)" in done.stdout
    again = cli("data", "synthesize", "shd", str(tmp_path))
    assert again.returncode == 4
    assert again.stderr.count("\n") == 1


def test_report_inflation_keeps_the_honest_figure_and_adds_a_curve(cli):
    done = cli(
        "run",
        "--plugins",
        "shd-synthetic,iaf",
        "--report-inflation",
        "--no-timing",
        "--no-plots",
        *SMALL,
        "-o",
        "shd-synthetic.train=40",
    )
    assert done.returncode == 0, done.stderr
    (path,) = ((cli.results / "latest").resolve() / "trials").glob("*.json")
    assert len(Record.from_text(path.read_text(), "x").outcome["curves"]["test_accuracy"]) == 2


def test_a_limited_run_is_marked_everywhere(cli):
    done = cli("run", "--plugins", "shd-synthetic,iaf,accuracy", "--limit", "20", "--no-timing", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "limited to 20 recordings a split: no number here is comparable" in done.stdout
    latest = (cli.results / "latest").resolve()
    assert "limited to 20" in (latest / "table.md").read_text()
    assert "limited to 20" in (latest / "plots" / "shd-synthetic-learning-curves.svg").read_text()


def test_the_tutorials_recipe_takes_its_values(cli):
    done = cli("run", "--plugins", "shd-synthetic,lif", "--recipe", "tutorial", "--dry-run")
    assert done.returncode == 0
    assert "adam, learning rate 0.001, batch 128, 3 epochs, init torch" in done.stdout


def test_a_silent_layer_is_said_under_the_table_once_and_in_the_record(fresh):
    done = fresh(
        "run", "--plugins", "shd-synthetic,iaf", *UNTIMED, "-o", "recipe.init=torch", "-o", "iaf.threshold=1e6"
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(next(fresh.results.glob("2*/trials/*.json")).read_text())
    said = [sentence for sentence in record["warnings"] if "spiking.1 is silent: 100%" in sentence]
    assert len(said) == 1
    assert "never spike on the test recordings" in said[0]
    assert done.stdout.count("spiking.1 is silent") == 1
