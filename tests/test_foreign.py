"""Foreign code cannot end the process, and what it raised is named with its place."""

from __future__ import annotations

import signal
from types import FrameType

import pytest

from harness.foreign import ForeignExit, describe, foreign_code, is_users_interrupt, raise_interrupt


@pytest.fixture
def own_handler():
    before = signal.signal(signal.SIGINT, raise_interrupt)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("own_handler")
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, BaseException])
def test_what_would_end_the_process_becomes_an_exception(kind: type[BaseException]) -> None:
    with pytest.raises(ForeignExit, match=rf"{kind.__name__}.*test_foreign\.py:\d+"), foreign_code():
        raise kind


def test_exceptions_pass_as_they_are() -> None:
    with pytest.raises(ValueError, match="as it is"), foreign_code():
        raise ValueError("as it is")


@pytest.mark.usefixtures("own_handler")
def test_the_users_own_signal_passes() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, foreign_code():
        signal.raise_signal(signal.SIGINT)
    assert is_users_interrupt(caught.value)


def test_an_exception_is_named_with_its_type_and_place() -> None:
    with pytest.raises(ValueError, match="two") as caught:
        raise ValueError("two\nlines \x1b[1m")
    assert describe(caught.value).startswith("ValueError: two lines \\x1b[1m (test_foreign.py:")


def test_a_handler_of_the_users_own_is_the_user() -> None:
    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, leave)
    try:
        with pytest.raises(KeyboardInterrupt), foreign_code():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(ForeignExit), foreign_code():
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)
