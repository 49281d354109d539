"""What every suite shares: the component under test, random examples, and running the checks without pytest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal
from unittest import SkipTest

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy

from ..components import Component
from ..errors import HandledError
from ..foreign import describe, foreign_code
from ..registry import Registry
from ..text import one_line

_ON = "on "
Status = Literal["passed", "failed", "skipped"]


class Suite:
    """Checks of one component: methods ``test_*``, each with one line that says what is held.

    ``name`` is the component's, ``examples`` the random configurations a check tries, ``data`` the folder of datasets.
    """

    kind: ClassVar[str] = ""
    name: str = ""
    examples: int = 100
    data: Path | None = None

    @cached_property
    def registry(self) -> Registry:
        """The plugins that are installed."""
        return Registry.discover()

    @cached_property
    def component(self) -> Component:
        """The component under test; a reason to skip where it cannot be used here."""
        entry = self.registry.find(self.name)
        if entry.component.kind != self.kind:
            raise TypeError(f"{self.name} is a {entry.component.kind}, and {type(self).__name__} checks a {self.kind}")
        reason = entry.unusable()
        if reason:
            raise SkipTest(reason)
        return entry.component

    def for_all(self, strategy: SearchStrategy[Any], check: Callable[[Any], None]) -> None:
        """Call ``check`` with random examples, the same ones every time; the smallest that fails is reported."""
        configured = settings(
            max_examples=self.examples,
            deadline=None,
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )

        last: list[Any] = []

        def example(case: Any) -> None:
            last[:] = [case]
            with foreign_code():
                check(case)

        try:
            configured(given(case=strategy)(example))()
        except Unsatisfiable:
            raise SkipTest("every example was refused or left to rounding") from None
        except Exception as error:
            error.add_note(f"{_ON}{last[0]!r}")
            raise

    def test_the_descriptor_is_sound(self) -> None:
        """The descriptor is sound"""
        problems = self.component.problems()
        assert not problems, "; ".join(problems)


@dataclass(frozen=True)
class Outcome:
    """What became of one check: ``title`` says what is held, ``detail`` why it failed or was skipped."""

    check: str
    title: str
    status: Status
    detail: str
    seconds: float


def checks(suite: type[Suite]) -> list[str]:
    """The names of a suite's checks, in the order in which they stand."""
    found = [name for place in reversed(suite.__mro__) for name in vars(place) if name.startswith("test_")]
    return list(dict.fromkeys(found))


def run(suite: Suite) -> Iterator[Outcome]:
    """Run every check of ``suite`` in turn."""
    for name in checks(type(suite)):
        method = getattr(suite, name)
        title = (method.__doc__ or name).strip().splitlines()[0]
        started = time.perf_counter()
        status, detail = _outcome(method)
        yield Outcome(name, title, status, detail, time.perf_counter() - started)


def _outcome(method: Callable[[], None]) -> tuple[Status, str]:
    try:
        with foreign_code():
            method()
    except SkipTest as reason:
        return "skipped", str(reason)
    except Exception as error:  # a stranger's code: whatever it raises is the finding
        said = one_line(error) if isinstance(error, AssertionError | HandledError) else describe(error)
        notes = [note for note in getattr(error, "__notes__", ()) if note.startswith(_ON)]
        return "failed", one_line(f"{said} {' '.join(notes)}")
    return "passed", ""
