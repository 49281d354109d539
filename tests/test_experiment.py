"""Experiments: the same words from TOML and the command line, strictly parsed."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.experiment import parse_seeds, parse_setting, read_toml, write_seeds
from harness.gate import Gate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lif.tau_mem=5", ("lif.tau_mem", ["5"])),
        ("lif.tau_mem=2,5,10", ("lif.tau_mem", ["2", "5", "10"])),
        ("mlp.hidden=[64,64]", ("mlp.hidden", ["[64,64]"])),
        ("mlp.hidden=[64,64],[128]", ("mlp.hidden", ["[64,64]", "[128]"])),
        (" a.b = 1 , 2 ", ("a.b", ["1", "2"])),
    ],
)
def test_commas_outside_brackets_sweep(text, expected):
    assert parse_setting(text) == expected


@pytest.mark.parametrize("text", ["", "a", "=1", "a.b=", "a.b=1,,2", "a.b=[1", "a.b=1]", "a.b=,"])
def test_a_malformed_setting_is_one_line(text):
    with pytest.raises(UsageError) as error:
        parse_setting(text)
    assert "\n" not in str(error.value)


@given(st.integers(min_value=1, max_value=50))
def test_a_number_of_seeds_counts_from_zero(count):
    assert parse_seeds(count) == parse_seeds(str(count)) == tuple(range(count))


def test_listed_seeds_are_those():
    assert parse_seeds("0,3,7") == parse_seeds([0, 3, 7]) == (0, 3, 7)
    assert parse_seeds("5..9") == (5, 6, 7, 8, 9)
    assert parse_seeds("0, 3..5 ,8") == (0, 3, 4, 5, 8)
    assert parse_seeds("7..7") == parse_seeds([7]) == (7,)


@given(st.lists(st.integers(0, 12) | st.integers(0), min_size=1, max_size=5, unique=True))
def test_seeds_are_read_as_they_are_written(seeds):
    assert parse_seeds(write_seeds(seeds)) == tuple(seeds)
    assert parse_seeds(write_seeds(range(seeds[0], seeds[0] + 3))) == tuple(range(seeds[0], seeds[0] + 3))


@pytest.mark.parametrize(
    "wrong",
    [
        *(0, -1, "x", "1,x", [], [1, 1], [-1], [True], ["a"], ""),
        *(
            "1,,2",
            "9..5",
            "1..",
            "..3",
            "1..2..3",
            "1...3",
            "1,1..2",
            "-3..2",
            "20261125",
            20261125,
            "0..99999999999999",
        ),
    ],
)
def test_wrong_seeds_are_refused(wrong):
    with pytest.raises(UsageError, match="seeds") as error:
        parse_seeds(wrong)
    assert "\n" not in str(error.value)


def test_a_file_may_write_seeds_as_the_command_line_does(tmp_path):
    path = tmp_path / "experiment.toml"
    for text, wanted in (("[7]", (7,)), ('"7..7"', (7,)), ("3", (0, 1, 2))):
        path.write_text(f"seeds = {text}\n")
        assert parse_seeds(read_toml(path)["seeds"]) == wanted


def test_a_file_says_what_the_command_line_says(tmp_path):
    path = tmp_path / "experiment.toml"
    path.write_text(
        'plugins = ["toy", "lif"]\nseeds = 3\nepochs = 2\n[set]\nlif.threshold = 1.5\n[sweep]\n"lif.tau_mem" = [2, 5]\n'
    )
    assert read_toml(path) == {
        "plugins": ["toy", "lif"],
        "seeds": 3,
        "epochs": 2,
        "settings": {"lif.threshold": [1.5], "lif.tau_mem": [2, 5]},
        "gate": Gate(),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sedes = 3", "unknown key 'sedes' .did you mean 'seeds'"),
        ("plugins = [", "not TOML"),
        ("seeds = true", "seeds = True is not int or list"),
        ("epochs = 1.5", "epochs = 1.5 is not int"),
        ("set = 3", "set must be a table"),
        ("[sweep]\na.b = 3", "must be a list"),
        ("[sweep]\na.b = []", "must be a list"),
        ("[set]\na.b = 3\n[sweep]\na.b = [1]", r"stands in \[set\] and in \[sweep\]"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "experiment.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as error:
        read_toml(path)
    assert str(path) in str(error.value)


def test_long_words_and_names_of_many_parts_take_no_time(tmp_path):
    path = tmp_path / "experiment.toml"
    path.write_text(f'recipe = "{"a" * 900_000}"')
    started = time.perf_counter()
    assert len(read_toml(path)["recipe"]) == 900_000
    path.write_text(f"a{'.a' * 400_000} = 1")
    with pytest.raises(UsageError, match="not TOML: a name of more than 32 parts"):
        read_toml(path)
    assert time.perf_counter() - started < 30  # hours, where time grows by the square


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(UsageError, match=r"none\.toml: No such file"):
        read_toml(tmp_path / "none.toml")


def test_metrics_come_from_the_file_or_the_option_which_wins(tmp_path):
    from harness.cli.asked import asked

    path = tmp_path / "experiment.toml"
    path.write_text('plugins = ["toy"]\nmetrics = ["accuracy", "synops"]\n')
    assert asked(read_toml(path)).metrics == ("accuracy", "synops")
    assert asked(read_toml(path), {"metrics": "loss, accuracy"}).metrics == ("loss", "accuracy")
    assert asked({"plugins": ["toy"]}).metrics is None
    with pytest.raises(UsageError, match="metrics: no metric is named"):
        asked({"plugins": ["toy"]}, {"metrics": ","})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_changes_nothing(tmp_path, encoding):
    path = tmp_path / "experiment.toml"
    path.write_bytes('plugins = ["shd", "lif"] # µs\r\nseeds = 2\r\n[gate]\naccuracy.margin = 0.02\n'.encode(encoding))
    read = read_toml(path)
    assert (read["plugins"], read["seeds"]) == (["shd", "lif"], 2)
    assert read["gate"] != Gate()


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-16", "it is UTF-16; save it as UTF-8"),
        ("utf-32", "it is UTF-16; save it as UTF-8"),
        ("utf-16-le", "damaged: not text in UTF-8 (byte 46: invalid start byte)"),
        ("latin-1", "damaged: not text in UTF-8 (byte 23: invalid start byte)"),
    ],
)
def test_another_encoding_is_one_line(tmp_path, encoding, found):
    path = tmp_path / "experiment.toml"
    path.write_bytes('plugins = ["lif"]\n# in µs\n'.encode(encoding))
    with pytest.raises(UsageError) as error:
        read_toml(path)
    assert str(error.value) == f"{path}: {found}"


def test_nesting_without_end_is_one_line(tmp_path):
    path = tmp_path / "experiment.toml"
    path.write_text(f"plugins = {'[' * 100_000}")
    with pytest.raises(UsageError, match=r"not TOML: "):
        read_toml(path)
