"""Text from strangers: whatever it holds, it can be stored, encoded and printed."""

from __future__ import annotations

import json
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.text import clean, clean_json, csv_cell, kind_of, one_line, short_repr


@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=200))
def test_any_text_can_be_encoded_and_controls_nothing(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert json.loads(json.dumps(cleaned)) == cleaned
    assert not any((ord(c) < 32 and c not in "\t\n") or 0x7F <= ord(c) < 0xA0 for c in cleaned)
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\x00b\x9bc", "a\\x00b\\x9bc"),
        ("half \ud800", "half \\ud800"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("two\nlines", "two\nlines"),
        (None, ""),
        ("Größe 10 µs", "Größe 10 µs"),
    ],
)
def test_escapes_are_visible(text: object, shown: str) -> None:
    assert clean(text) == shown


class Leaves:
    def __repr__(self) -> str:
        raise SystemExit(3)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "None", "None"),
        ([1, 2], "a list", "[1, 2]"),
        (3, "an int", "3"),
        (dict, "the class dict", "<class 'dict'>"),
        (Leaves(), "a Leaves", ""),
        ("long " * 90, "a str", f"'{'long ' * 11}long… (3"),
    ],
)
def test_values_of_a_wrong_type_have_a_short_name(value: object, kind: str, text: str) -> None:
    assert kind_of(value) == kind
    assert short_repr(value).startswith(text)


def test_broken_objects_are_named_by_their_type() -> None:
    class Broken:
        def __str__(self) -> str:
            raise SystemExit(0)

    class Liar:
        def __str__(self) -> str:
            return 3  # type: ignore[return-value]

    assert clean(Broken()) == "<Broken without readable text>"
    assert clean(Liar()) == "<Liar without readable text>"


def test_a_subclass_of_str_leaves_only_its_characters() -> None:
    class Loud(str):
        def __str__(self) -> str:
            raise RuntimeError

    assert type(clean(Loud("plain"))) is str
    assert clean(Loud("plain")) == "plain"


def test_megabytes_are_cut_and_counted() -> None:
    cut = clean("x" * 5_000_000, limit=100)
    assert cut.startswith("x" * 100)
    assert cut.endswith("(4999900 more characters)")
    assert len(cut) < 200


def test_one_line_joins_lines() -> None:
    assert one_line("a\n b\t\tc ") == "a b c"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(alphabet=st.characters(exclude_categories=[]), max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=10,
    )
)
def test_json_data_is_cleaned_throughout(data: object) -> None:
    json.dumps(clean_json(data), ensure_ascii=False).encode("utf-8")
    assert clean_json(clean_json(data)) == clean_json(data)


def test_json_data_that_is_safe_is_unchanged_and_enumerations_stay() -> None:
    class Word(StrEnum):
        ONE = "one"

    data = {"a": ["µs", 1.5, None, True], "b": (Word.ONE, "\x1b")}
    cleaned = clean_json(data)
    assert cleaned == {"a": ["µs", 1.5, None, True], "b": (Word.ONE, "\\x1b")}
    assert cleaned["b"][0] is Word.ONE
    assert clean_json({"\x07": "x"}) == {"\\x07": "x"}


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_cells_of_csv_are_no_formulas(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["lif tau=2", "", "-", -1.5, None, 3])
def test_other_cells_of_csv_stay(value: object) -> None:
    assert csv_cell(value) == value


def test_what_was_cut_once_is_not_cut_again() -> None:
    for text in ("w" * 50_000, "\x1b" * 50_000, "\x1b" * 15_000):
        cut = clean_json(text)
        assert len(cut) < 20_100
        assert clean_json(cut) == cut
