"""Which device a run computes on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..devices import is_cuda, pick
from ..errors import PluginCodeError
from ..plan import Plan, refusal


def device_for(wanted: str, hello: Mapping[str, Any], plan: Plan) -> str:
    """The device that ``wanted`` means where an executor said ``hello``; raises :class:`UsageError` where it is not there.

    ``auto`` is the first CUDA device where no more of the plan would be refused there than on the CPU, else the CPU.
    """
    there = list(hello["devices"])
    if wanted != "auto":
        return pick(wanted, there, why=str(hello.get("no_cuda") or ""))
    found = next((name for name in there if is_cuda(name)), None)
    return found if found is not None and _refused(plan, found) <= _refused(plan, "cpu") else "cpu"


def _refused(plan: Plan, device: str) -> int:
    """How many trials of ``plan`` their backends refuse on ``device``; one that raises instead fails in its own row."""
    count = 0
    for specification in (item.specification for item in plan.trials if not item.skip):
        with suppress(PluginCodeError):
            count += (
                refusal(plan.components[f"backend {specification.backend.name}"], specification, device) is not None
            )
    return count
