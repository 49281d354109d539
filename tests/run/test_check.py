"""``harness baseline``, ``check`` and ``compare`` on a real run, rightly and wrongly."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from small_job import UNTIMED

from harness.cli.main import main
from harness.specification import digest

ASKED = ("run", "--plugins", "shd-synthetic,iaf,lif", "--seeds", "2", *UNTIMED)


@pytest.fixture(scope="module")
def saved(cli):
    """A run, and a baseline made of it."""
    done = cli(*ASKED, "--quiet")
    assert done.returncode == 0, done.stderr
    done = cli("baseline", "save", "main")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("results/baselines/main.json: 2 configurations, 4 trials of ")
    return cli.results / "baselines" / "main.json"


@pytest.fixture
def here(cli, saved, monkeypatch):
    """The command line in this process, where the run lies."""
    monkeypatch.chdir(cli.folder)
    for name, value in cli.environment.items():
        if name.startswith("HARNESS_") or name == "COLUMNS":
            monkeypatch.setenv(name, value)

    return lambda *arguments: main(list(arguments))


def changed(saved, name, change):
    """A copy of the baseline in which ``change`` was made to its JSON."""
    data = json.loads(saved.read_text())
    change(data)
    path = saved.with_name(f"{name}.json")
    path.write_text(json.dumps(data))
    return str(path)


def all_right(data):
    for item in data["configurations"]:
        for trial in item["trials"]:
            trial["correct"] = base64.b64encode(b"\xff\xff\xff").decode()
        for figure in item["figures"]:
            if figure["name"] == "accuracy":
                figure["values"] = dict.fromkeys(figure["values"], 1.0)


def test_without_a_run_the_baselines_own_experiment_is_run(cli, saved):
    done = cli("check", "--baseline", "main")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("plan: 4 trials")
    assert "trials: 4 (4 cached)" in done.stdout
    assert "[1] identical" in done.stdout
    assert "passed: " in done.stdout
    run = cli.runs()[-1] if cli.runs()[-1].name != "baselines" else cli.runs()[-2]
    assert f"written: results/{run.name}/check.md, results/{run.name}/check.xml" in done.stdout
    assert (run / "check.md").read_text().startswith("**passed: ")
    suite = ET.parse(run / "check.xml").getroot()[0]
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "0")
    cases = {(case.get("classname"), case.get("name")) for case in suite}
    assert {
        ("shd-synthetic iaf", "accuracy"),
        ("shd-synthetic lif", "synops"),
        ("shd-synthetic lif", "parameters"),
    } <= cases
    assert json.loads((run / "run.json").read_text())["experiment"]["seeds"] == [0, 1]


def test_a_finished_run_is_checked_as_it_lies(here, capsys):
    assert here("check", "latest", "--baseline", "main", "--strict", "--fail-inconclusive") == 0
    assert "= same [1]" in capsys.readouterr().out


def test_what_became_worse_fails_and_says_so_everywhere(here, saved, capsys, tmp_path):
    path = changed(saved, "perfect", all_right)
    written = ("--markdown", str(tmp_path / "new" / "c.md"), "--junit", str(tmp_path / "c.xml"))
    assert here("check", "latest", "--baseline", path, *written) == 1
    out = capsys.readouterr().out
    assert "▼ worse" in out
    assert "failed: " in out
    assert "x 20 recordings" in out
    assert "▼ worse" in (tmp_path / "new" / "c.md").read_text()
    suite = ET.parse(tmp_path / "c.xml").getroot()[0]
    assert suite.get("failures") == "2"
    failure = next(case.find("failure") for case in suite if case.find("failure") is not None)
    assert "shd-synthetic iaf: accuracy: worse; 100 -> " in failure.get("message")


def test_json_holds_all_that_the_table_shows(here, saved, capsys):
    assert here("check", "latest", "--baseline", changed(saved, "perfect", all_right), "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 1
    worse = [verdict for verdict in told["verdicts"] if verdict["mark"] == "worse"]
    assert {verdict["figure"] for verdict in worse} == {"accuracy"}
    assert all(verdict["change"] < -0.3 and verdict["detectable"] > 0.01 for verdict in worse)


def test_a_margin_on_the_command_line_wins(here, saved, capsys):
    path = changed(saved, "perfect", all_right)
    assert here("check", "latest", "--baseline", path, "--margin", "accuracy=1") == 0
    assert "100 pp" in capsys.readouterr().out


def test_another_platform_leaves_seeded_figures_alone_to_be_compared(here, saved, capsys):
    def move(data):
        for item in data["configurations"]:
            item["platform"]["cpu"] = "another"

    path = changed(saved, "moved", move)
    assert here("check", "latest", "--baseline", path) == 0
    out = capsys.readouterr().out
    assert "- not comparable" in out
    assert "exact figures compare within one platform alone: cpu another -> " in out
    assert here("check", "latest", "--baseline", path, "--strict") == 6


def of_other_encoding(data):
    for item in data["configurations"]:
        item["specification"]["encoding"]["dt"] = 20.0
        item["row"] = digest(item["specification"])


def of_other_data(data):
    for item in data["configurations"]:
        item["data"]["fingerprint"] = "0" * 20


@pytest.mark.parametrize(
    ("change", "message"),
    [(of_other_encoding, "differs in encoding.dt 20.0 -> 10.0"), (of_other_data, "other data: the recordings are not")],
)
def test_nothing_comparable_is_status_six(here, saved, capsys, change, message):
    assert here("check", "latest", "--baseline", changed(saved, "other", change)) == 6
    out = capsys.readouterr().out
    assert message in " ".join(out.split())
    assert "not comparable: " in out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["check"], 4, "nothing to check against: give --baseline NAME"),
        (["check", "--baseline", "mian"], 6, "no baseline 'mian' in"),
        (["check", "--baseline", "none/x.json"], 6, "none/x.json: there is no such baseline file"),
        (["check", "nothing", "--baseline", "main"], 4, "there is no run 'nothing'"),
        (["check", "none.toml", "--baseline", "main"], 4, "none.toml: No such file"),
        (["check", "latest", "--baseline", "main", "--margin", "accuracy"], 4, "expected FIGURE=VALUE"),
        (["check", "latest", "--baseline", "main", "--margin", "accuracy=-1"], 4, "expected a number >= 0"),
        (["check", "latest", "--baseline", "main", "--margin", "acuracy=1"], 4, "did you mean 'accuracy'"),
        (["check", "latest", "--baseline", "main", "--margin", "parameters=1"], 4, "its limit is [gate.parameters]"),
        (["check", "", "--baseline", "main"], 4, "the run to check is an empty word"),
        (
            ["check", "latest", "--baseline", "main", "--confidence", "2"],
            4,
            "--confidence = 2.0: expected a number between",
        ),
        (
            ["check", "latest", "--baseline", "main", "--against", "python"],
            4,
            "--against is for speed: give --timing too",
        ),
        (["check", "latest", "--baseline", "main", "--markdown", "/proc/x/c.md"], 4, "/proc/x/c.md: cannot be written"),
        (["baseline", "save", "main"], 4, "--replace writes over it"),
        (["baseline", "save", "other", "nothing"], 4, "there is no run 'nothing'"),
        (["baseline", "show", "mian"], 6, "did you mean 'main'"),
        (["compare", "latest:alif", "main"], 4, "no configuration is called 'alif'; there are: shd-synthetic"),
        (["compare", "latest", "nothing"], 4, "there is no run 'nothing'"),
        (["compare", "latest", "main", "--figure", "acuracy"], 4, "did you mean 'accuracy'"),
    ],
)
def test_mistakes_are_one_line_and_the_right_status(here, capsys, arguments, status, message):
    assert here(*arguments) == status
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("state", ["running", "interrupted"])
def test_a_run_that_is_not_whole_is_not_checked(here, cli, capsys, state):
    path = (cli.results / "latest").resolve() / "run.json"
    whole = path.read_text()
    about = json.loads(whole)
    # One that ended with all of its trials is whole, whatever a killed process left there.
    left = {"label": "shd-synthetic lif s9", "key": None, "status": None, "cached": False}
    path.write_text(json.dumps({**about, "state": state, "trials": [*about["trials"], left]}))
    try:
        assert here("check", "latest", "--baseline", "main") == 6
    finally:
        path.write_text(whole)
    assert "it is not whole, so it is not checked" in capsys.readouterr().err


def test_a_limited_experiment_is_refused_before_it_runs(here, cli, saved, capsys):
    runs = cli.runs()

    def limit(data):
        data["experiment"]["limit"] = 10

    assert here("check", "--baseline", changed(saved, "cut", limit)) == 6
    assert "limited to 10 recordings a split" in capsys.readouterr().err
    assert cli.runs() == runs


@pytest.mark.parametrize(("change", "status"), [(lambda data: None, 0), (all_right, 1)])
def test_a_reader_that_leaves_does_not_change_the_status(cli, saved, change, status):
    reading, writing = os.pipe()
    os.close(reading)
    baseline = changed(saved, "piped", change)
    arguments = [sys.executable, "-m", "harness", "check", "latest", "--baseline", baseline, "-q"]
    done = subprocess.run(
        arguments, cwd=cli.folder, env=cli.environment, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (status, b"")


def test_a_comparison_without_a_reader_ends_well(cli, saved):
    reading, writing = os.pipe()
    os.close(reading)
    arguments = [sys.executable, "-m", "harness", "compare", "latest", "main"]
    done = subprocess.run(
        arguments, cwd=cli.folder, env=cli.environment, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_without_the_marks_shows_question_marks(cli, saved):
    done = cli("check", "latest", "--baseline", changed(saved, "perfect", all_right), PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (1, "")
    assert "? worse" in done.stdout


def test_a_pipe_is_written_to_and_not_replaced(here, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert here("check", "latest", "--baseline", "main", "--markdown", str(pipe)) == 0
    assert os.read(reading, 10).startswith(b"**passed")
    os.close(reading)
    assert not pipe.is_file()


def test_baselines_are_listed_and_shown(here, capsys):
    assert here("baseline", "list") == 0
    assert "main  20" in capsys.readouterr().out
    assert here("baseline", "show", "main") == 0
    out = capsys.readouterr().out
    assert "shd-synthetic lif (synthetic)" in out
    assert "1 pp" in out
    assert here("baseline", "show", "main", "--json") == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "snn-harness baseline"


def test_two_configurations_are_compared(here, capsys):
    assert here("compare", "latest:lif", "main:iaf") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "these differ in neuron lif -> iaf" in out
    assert "compared: main:iaf against " in out
    assert here("compare", "main", "latest", "--json") == 0
    assert {verdict["mark"] for verdict in json.loads(capsys.readouterr().out)["verdicts"]} == {"same"}


def test_a_limited_run_compares_with_nothing_and_becomes_no_baseline(cli, here, saved, capsys):
    done = cli(*ASKED, "--limit", "10", "--quiet", "--results", "limited")
    assert done.returncode == 0, done.stderr
    (run,) = (path for path in (cli.folder / "limited").iterdir() if not path.is_symlink())
    assert here("check", str(run), "--baseline", "main") == 6
    assert "was limited to 10 recordings a split" in capsys.readouterr().err
    assert here("baseline", "save", "limited", str(run)) == 4
    assert "can never become a baseline" in capsys.readouterr().err
    assert not saved.with_name("limited.json").exists()


def test_an_experiment_file_brings_its_own_gate(cli, saved):
    text = (
        'plugins = ["shd-synthetic", "iaf", "lif"]\nseeds = 2\nepochs = 1\n'
        '[set]\nshd-synthetic.train = 40\nshd-synthetic.test = 20\n"mlp.hidden" = [8]\n[gate.accuracy]\nmargin = 0.25\n'
    )
    (cli.folder / "small.toml").write_text(text)
    done = cli("check", "small.toml", "--baseline", "main", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["gate"]["accuracy"] == {"margin": 0.25}
    assert {verdict["basis"] for verdict in told["verdicts"]} == {"identical"}
