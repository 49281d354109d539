"""``harness track`` and ``harness trend`` as a user calls them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from made_history import course, entry
from made_records import record, seeds
from small_job import UNTIMED

from harness.cli.track import track
from harness.cli.trend import trend
from harness.errors import DataError, ExitCode, UsageError
from harness.history import append, read
from harness.store import Store

ASKED = ("run", "--plugins", "shd-synthetic,lif", *UNTIMED, "--seeds", "2")


def invoke(command, *arguments):
    return CliRunner().invoke(command, [str(item) for item in arguments], env={"COLUMNS": "160"}, standalone_mode=False)


@pytest.fixture(scope="module")
def tracked(cli):
    done = cli(*ASKED)
    assert done.returncode == 0, done.stderr
    return cli("track", "--note", "first")


def test_a_run_enters_the_history_once(cli, tracked):
    path = cli.results / "history.jsonl"
    (run,) = [folder for folder in cli.runs() if folder.is_dir()]
    assert (tracked.returncode, tracked.stderr) == (0, "")
    assert tracked.stdout == f"{path}: 1 line added of {run.name}: shd-synthetic lif\n"
    before = path.read_bytes()
    again = cli("track", run.name)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == f"{path}: it holds {run.name} already: shd-synthetic lif\n"
    assert path.read_bytes() == before
    (made,) = read(path)
    assert (made.seeds, made.failed, made.synthetic, made.note, made.run) == ((0, 1), 0, True, "first", run.name)
    assert made.platform["device"] == "cpu"
    assert set(made.figures) >= {"after.test.accuracy", "after.train.accuracy", "after.test.synops"}


def test_trend_shows_it_and_runs_go_on_beside_the_history(cli, tracked):
    done = cli("trend")
    assert (done.returncode, done.stderr) == (0, "")
    assert "history.jsonl: 1 run, " in done.stdout
    for word in ("shd-synthetic lif (synthetic)", "accuracy ↑ (%)", "SynOps ↓", "too few points (1 of 8)"):
        assert word in done.stdout
    plots = {path.name for path in (cli.results / "trend").iterdir()}
    assert plots == {"shd-synthetic-trend.svg", "shd-synthetic-trend.png"}
    again = cli(*ASKED)
    assert (again.returncode, "trials: 2 (2 cached)" in again.stdout) == (0, True)
    assert "1 line added" in invoke(track, "--results", cli.results).stdout
    rows = json.loads(invoke(trend, "--results", cli.results, "--json", "--figure", "accuracy").stdout)
    assert [row["figure"].split(".")[1] for row in rows] == ["test", "train", "validation"]
    for row in rows:
        assert len(row["points"]) == 2
        assert len({point["mean"] for point in row["points"]}) == 1


# -- made by hand -----------------------------------------------------------------------------------------------------


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"  # HARNESS_RESULTS of a test


def made_run(results, records, state="finished"):
    run = Store(results).create("made")
    run.write_summary({"state": state, "started": "2026-01-01T00:00:00+00:00", "trials": []})
    for one in records:
        run.write(one)
    return run


def test_what_is_left_out_is_said(results):
    made_run(results, [*seeds("lif", [0.5]), record("iaf", status="failed")])
    done = invoke(track)
    assert "warning: toy iaf: no trial finished (failed), so nothing of it enters" in done.stderr
    assert "1 line added" in done.stdout
    done = invoke(track, "--json", "--history", results / "other.jsonl")
    content = json.loads(done.stdout)
    assert (content["added"], content["known"], len(content["left_out"])) == (["toy lif"], [], 1)


def test_a_run_of_which_nothing_finished_adds_nothing(results):
    made_run(results, [record(status="failed")])
    done = invoke(track)
    assert done.return_value == ExitCode.NOTHING_RAN
    assert "nothing added" in done.stdout
    assert (results / "history.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    ("arguments", "message"), [(("nothing",), "there is no run 'nothing'"), ((), "is limited to 50 recordings")]
)
def test_what_cannot_be_tracked_is_said(results, arguments, message):
    made_run(results, [record(limit=50)])
    error = invoke(track, *arguments).exception
    assert isinstance(error, UsageError)
    assert message in str(error)
    assert not (results / "history.jsonl").exists()


@pytest.fixture
def history(results):
    path = results / "history.jsonl"
    append(path, [*course([0.5] * 9 + [0.75] * 9), replace(entry(4, "iaf"), dataset="other", label="other iaf")])
    return path


def test_since_begins_at_a_date_a_commit_or_a_run(history):
    for since, count in (
        ("2026-01-01T05:00", 13),
        (entry(10).commit[:9], 8),
        ("run-017", 1),
        ("2026-01-01", 18),
    ):
        done = invoke(trend, "--json", "--since", since, "--row", "lif")
        (row,) = json.loads(done.stdout)
        assert len(row["points"]) == count, since


def test_changes_are_marked_and_json_draws_nothing(history, results):
    done = invoke(trend, "--no-plot", "--row", "lif")
    assert "[1] toy lif, accuracy: 50.0 → 75.0 % (+25.0 points) since 2026-01-01 09:00" in done.stdout
    assert invoke(trend, "--json").exit_code == 0
    assert not (results / "trend").exists()
    done = invoke(trend, "--json", "--plots", results / "here")
    assert len(json.loads(done.stdout)) == 2
    assert {path.name for path in (results / "here").iterdir()} >= {"toy-trend.png", "other-trend.svg"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--figure", "acuracy"), "did you mean 'accuracy'"),
        (("--row", "alif"), "there are: toy lif, other iaf"),
        (("--since", "2027-01-01"), "the last run in"),
        (("--since", "2026-13"), "expected a date"),
        (("--since", "abcxyz"), "no run of that commit or name"),
        (("--plots", "/proc/nothing"), "/proc/nothing: cannot be written: "),
        (("--since", ""), "no run of that commit or name"),
    ],
)
def test_what_there_is_not_is_one_line(history, arguments, message):
    error = invoke(trend, *arguments).exception
    assert isinstance(error, UsageError)
    assert message in str(error)
    assert "\n" not in str(error)


def test_without_a_history_trend_says_how_to_begin_one(results):
    error = invoke(trend).exception
    assert isinstance(error, DataError)
    assert "'harness track' begins one" in str(error)
