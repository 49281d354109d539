"""An executor that a plugin made, kept from ending the run in any other way than with its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import HandledError
from ..foreign import describe, foreign_code
from .local import ServerError
from .tasks import Executor, Message, Outcome, Task


class Guarded:
    """Call another executor. What it raises becomes a :class:`ServerError`, so that the run keeps what has finished."""

    def __init__(self, name: str, executor: Executor) -> None:
        self._name = name
        self._executor = executor

    @property
    def interrupts(self) -> int:
        """The number of Ctrl-C that the executor has counted."""
        count = self._call(lambda: getattr(self._executor, "interrupts", 0))
        return count if isinstance(count, int) else 0

    def start(self) -> Mapping[str, Any]:
        """Start the executor; see :class:`harness.execution.tasks.Executor`."""
        answer: Mapping[str, Any] = self._call(lambda: self._executor.start())
        return answer

    def run(
        self,
        tasks: Sequence[Task],
        *,
        jobs: int,
        on_message: Callable[[Task, Message], None],
        on_outcome: Callable[[Task, Outcome], None],
    ) -> None:
        """Run ``tasks``; see :class:`harness.execution.tasks.Executor`."""
        own: list[BaseException] = []

        def noting(callback: Callable[..., None]) -> Callable[..., None]:
            def call(*arguments: Any) -> None:
                try:
                    callback(*arguments)
                except BaseException as error:
                    own.append(error)
                    raise

            return call

        self._call(
            lambda: self._executor.run(tasks, jobs=jobs, on_message=noting(on_message), on_outcome=noting(on_outcome)),
            own,
        )

    def close(self) -> None:
        """End the executor."""
        self._call(lambda: self._executor.close())

    def _call(self, part: Callable[[], Any], own: Sequence[BaseException] = ()) -> Any:
        """Call ``part``; errors in ``own`` are the run's, such as a full disk, and pass."""
        try:
            with foreign_code():
                return part()
        except HandledError:
            raise
        except Exception as error:
            if any(error is item for item in own):
                raise
            raise ServerError(f"executor {self._name} failed: {describe(error)}") from error
