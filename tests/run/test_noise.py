"""The noise floor: measured by a real comparison with itself, stored, and held against thresholds."""

from __future__ import annotations

import json
import math
import signal
import time
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from click.testing import CliRunner

from harness import Registry
from harness.cli.main import cli as group
from harness.errors import DataError, UsageError
from harness.noise import Floor, RowFloor, floor_of, platform_of, read_floor, refuse_below, write_floor

SMALL = ("--plugins", "shd-synthetic,lif", "-o", "shd-synthetic.train=40", "-o", "shd-synthetic.test=20")


def floor(**changes):
    rows = (
        RowFloor(row="a", label="lif", work="training_step", seconds=0.004, floor=0.04),
        RowFloor(row="a", label="lif", work="inference", seconds=0.001, floor=0.02),
        RowFloor(row="b", label="alif", work="inference", seconds=0.001, floor=0.03),
    )
    given = {"platform": platform_of(1, "cpu"), "blocks": 20, "launches": 5, "comparisons": 5, "rows": rows}
    return Floor(**{**given, **changes})


def test_a_measured_floor_is_printed_stored_and_refuses_what_lies_below(cli):
    done = cli("noise", *SMALL, "--rounds", "1", "--comparisons", "1", "--threshold", "1e-9", "--json")
    assert done.returncode == 4
    assert done.stderr.startswith("error: threshold 1e-07 % lies below this machine's noise floor ")
    assert len(done.stderr.splitlines()) == 1
    told = json.loads(done.stdout)
    assert told == json.loads((cli.results / "noise.json").read_text())
    assert {item["work"] for item in told["rows"]} == {"training_step", "inference"}
    assert told["floor"] == max(item["floor"] for item in told["rows"])
    assert (told["schema"], told["blocks"], told["comparisons"], told["quantile"]) == (1, 1, 1, 0.99)
    assert [path.name for path in cli.results.iterdir()] == ["noise.json"]
    found = read_floor(cli.results, 1, "auto")
    assert found is not None
    assert found.highest == told["floor"]


def test_an_interrupted_measurement_leaves_no_process_and_no_floor(fresh):
    process = fresh.start("noise", *SMALL, "--device", "cpu", PYTHONUNBUFFERED="1")
    started = []
    until = time.monotonic() + 60
    while not started and time.monotonic() < until and process.poll() is None:
        started = psutil.Process(process.pid).children(recursive=True)
        started = [one for one in started if "harness.execution.worker" in " ".join(one.cmdline())]
        time.sleep(0.02)
    assert started
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=240)
    assert (process.returncode, err.strip()) == (2, "error: interrupted")
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in started)
    assert not (fresh.results / "noise.json").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "nothing to run: name components"),
        (("--plugins", "shd-synthetic,lif", "--threshold", "0"), "--threshold 0: expected a share > 0"),
        (("--plugins", "shd-synthetic,lif", "--threads", "0"), "--threads 0: expected a whole number >= 1"),
        (("--plugins", "shd-synthetic,lif", "--device", "tpu"), "--device 'tpu': expected auto, cpu"),
    ],
)
def test_what_cannot_be_meant_is_a_mistake_of_the_user(arguments, expected):
    registry = Registry.discover()
    done = CliRunner().invoke(group, ["noise", *arguments], obj={"registry": registry, "config": {}})
    assert isinstance(done.exception, UsageError)
    assert expected in str(done.exception)


def test_the_floor_lies_above_nearly_all_differences_of_equal_sides():
    import numpy as np

    random = np.random.default_rng(0)

    def comparison():
        """20 blocks in 5 launches, each with an offset of its own."""
        launches = np.repeat(np.arange(5), 4)
        return (random.normal(0, 0.02, 5)[launches] + random.normal(0, 0.03, 20)).tolist(), launches.tolist()

    found = floor_of([comparison() for _ in range(5)])
    further = [abs(float(np.median(comparison()[0]))) > math.log1p(found) for _ in range(1000)]
    assert 0.01 < found < 0.1
    assert sum(further) <= 60


def test_the_floor_is_never_less_than_what_was_seen():
    equal = ([0.0] * 20, [0] * 20)
    apart = ([0.2] * 20, [0] * 20)
    assert floor_of([equal] * 9) == 0.0
    assert floor_of([*[equal] * 500, apart]) == pytest.approx(math.expm1(0.2))


def test_a_floor_comes_back_as_it_was_written(tmp_path):
    told = []
    assert read_floor(tmp_path, 1, "cpu", note=told.append) is None
    assert "is missing; 'harness noise' measures it" in told[0]
    written = floor()
    write_floor(tmp_path / "results", written)
    back = read_floor(tmp_path / "results", 1, "cpu")
    assert (back.rows, back.platform, back.blocks) == (written.rows, written.platform, 20)


def test_a_byte_order_mark_of_an_editor_is_no_damage(tmp_path):
    write_floor(tmp_path, floor())
    path = tmp_path / "noise.json"
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert read_floor(tmp_path, 1, "cpu").rows == floor().rows


@pytest.mark.parametrize(
    ("changes", "asked", "expected"),
    [
        ({"platform": {**platform_of(1, "cpu"), "cpu": "another"}}, {}, "cpu another instead of"),
        ({}, {"threads": 2}, "threads 1 instead of 2"),
        ({}, {"device": "cuda:0"}, "device cpu instead of cuda:0"),
        ({}, {"rounds": 10}, "speaks of 20 rounds, more than 10"),
        ({"when": (datetime.now(UTC) - timedelta(days=40)).isoformat()}, {}, "40 days old"),
    ],
    ids=["machine", "threads", "device", "rounds", "age"],
)
def test_a_floor_of_something_else_is_left_aside_with_the_reason(tmp_path, changes, asked, expected):
    told = []
    write_floor(tmp_path, floor(**changes))
    found = read_floor(tmp_path, **{"threads": 1, "device": "cpu", "note": told.append, **asked})
    assert found is None
    assert expected in told[0]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema": 1, "rows": []}', '{"schema": 1, "rows": [{"floor": 1}]}']
)
def test_a_damaged_floor_is_named(tmp_path, content):
    (tmp_path / "noise.json").write_text(content)
    with pytest.raises(DataError, match=r"noise.json: damaged: .*'harness noise' measures it anew"):
        read_floor(tmp_path, 1, "cpu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"platform": "here"}, "platform: expected an object, not 'here'"),
        ({"blocks": "20"}, "blocks: expected an integer, not '20'"),
    ],
)
def test_a_floor_without_its_place_is_damaged(tmp_path, changes, message):
    path = write_floor(tmp_path, floor())
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(DataError, match=message):
        read_floor(tmp_path, 1, "cpu")


def test_a_floor_by_another_harness_is_left_aside(tmp_path):
    told = []
    (tmp_path / "noise.json").write_text('{"schema": 99}')
    assert read_floor(tmp_path, 1, "cpu", note=told.append) is None
    assert "schema 99" in told[0]


def test_thresholds_are_held_against_the_row_and_work_they_are_for():
    refuse_below(None, 0.001)
    refuse_below(floor(), 0.04)
    refuse_below(floor(), 0.03, work="inference")
    refuse_below(floor(), 0.02, row="a", work="inference")
    refuse_below(floor(), 0.03, row="unknown", work="inference")
    for threshold, where in (
        (0.039, {}),
        (0.029, {"work": "inference"}),
        (0.019, {"row": "a", "work": "inference"}),
        (0.029, {"row": "unknown", "work": "inference"}),
        (0.039, {"work": "unknown"}),
    ):
        with pytest.raises(UsageError, match=r"lies below this machine's noise floor"):
            refuse_below(floor(), threshold, **where)
