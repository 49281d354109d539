"""Random values for declared parameters."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ..components import Choice, Component
from ..parameters import Parameter


def _candidates(parameter: Parameter) -> list[Any]:
    """A handful of values that the parameter admits, its default first."""
    default, kind = parameter.default, parameter.kind
    if kind == "bool":
        found: list[Any] = [default, not default]
    elif parameter.choices:
        found = [default, *parameter.choices]
    elif kind in ("int", "float"):
        base = default if isinstance(default, (int, float)) else 1
        if kind == "int":
            found = [default, base + 1, parameter.minimum]
        elif parameter.above is not None:
            found = [default, base * 0.5, base * 4.0, parameter.above + 1.0]
        else:
            found = [default, base - 0.5, base + 0.125, parameter.minimum]
    elif kind == "ints":
        found = [default, (3,), (5, 4)]
    else:
        found = [default]
    if parameter.optional:
        found.append(None)
    return [value for value in dict.fromkeys(found) if _admitted(parameter, value)]


def _admitted(parameter: Parameter, value: Any) -> bool:
    try:
        parameter.check(value)
    except Exception:
        return False
    return True


def choices(component: Component, **fixed: Any) -> st.SearchStrategy[Choice]:
    """Choices of ``component`` with random values of everything it declares, but for those that are ``fixed``."""
    drawn = {
        parameter.name: st.sampled_from(_candidates(parameter))
        for parameter in component.parameters
        if parameter.name not in fixed
    }
    known = {parameter.name for parameter in component.parameters}
    given = {name: value for name, value in fixed.items() if name in known}
    return st.fixed_dictionaries(drawn).map(lambda values: component.choose(**values, **given))


def brief(choice: Choice, component: Component) -> str:
    """The choice with those values alone that are not defaults."""
    defaults = component.choose().values
    changed = [f"{name}={value}" for name, value in choice.values.items() if value != defaults[name]]
    return f"{choice.name}({', '.join(changed)})"
