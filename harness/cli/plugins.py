"""``harness plugins``: what is installed, where it comes from, and whether it works here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from .. import recipe
from ..components import Component, Dataset, Encoding, Metric
from ..parameters import Parameter
from ..registry import Registered, Registry

# What is declared like a component and set by the same paths, but belongs to no plugin.
_SETTINGS = {
    "recipe": ("how a trial is trained", recipe.PARAMETERS),
    "encoding": ("how events become frames", Encoding.PARAMETERS),
}


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--kind", type=click.Choice(["dataset", "network", "neuron", "backend", "metric"]), help="Only this kind."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def plugins(obj: dict[str, Any], names: tuple[str, ...], kind: str | None, as_json: bool) -> None:
    """List every component, or show the parameters, defaults, licence and citation of NAMES (also recipe, encoding)."""
    registry: Registry = obj["registry"]
    if names:
        # Looked up first, so that a name that is wrong prints nothing.
        shown = [(name, None if name in _SETTINGS else registry.find(name)) for name in names]
        if as_json:
            told = [_setting_details(name) if entry is None else _details(entry) for name, entry in shown]
            click.echo(json.dumps(told, indent=1))
            return
        for index, (name, entry) in enumerate(shown):
            if index:
                click.echo()
            _show_setting(name) if entry is None else _show(entry)
        return
    entries = registry.components(kind)
    if as_json:
        failed = [{**supplier.to_json(), "cause": cause} for supplier, cause in registry.failures.items()]
        click.echo(json.dumps({"components": [_outline(entry) for entry in entries], "failed": failed}, indent=1))
        return
    _table(entries)


def _outline(entry: Registered) -> dict[str, Any]:
    reason = entry.unusable()
    return {
        "name": entry.component.name,
        "kind": entry.component.kind,
        "summary": entry.component.summary,
        **entry.supplier.to_json(),
        "usable": reason is None,
        "reason": reason,
    }


def _details(entry: Registered) -> dict[str, Any]:
    component = entry.component
    details = {
        **_outline(entry),
        "parameters": _plain_parameters(component.parameters),
        "presets": {name: dict(values) for name, values in component.presets.items()},
        "licence": component.licence,
        "citation": component.citation,
    }
    if isinstance(component, Dataset):
        details["synthetic"] = component.synthetic
        details["defaults"] = dict(component.defaults)
        details["encodings"] = {name: encoding.to_json() for name, encoding in component.encodings.items()}
        details["classes"] = list(component.classes)
    if isinstance(component, Metric):
        details["on_by_default"] = component.on
        details["phases"] = list(component.phases)
    return details


def _plain_parameters(parameters: Sequence[Parameter]) -> list[dict[str, Any]]:
    return [
        {
            "name": parameter.name,
            "default": list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default,
            "expects": parameter.expects(),
            "unit": parameter.unit,
            "summary": parameter.summary,
        }
        for parameter in parameters
    ]


def _setting_details(name: str) -> dict[str, Any]:
    summary, parameters = _SETTINGS[name]
    return {"name": name, "kind": name, "summary": summary, "parameters": _plain_parameters(parameters)}


def _show_setting(name: str) -> None:
    summary, parameters = _SETTINGS[name]
    click.secho(name, bold=True, nl=False)
    click.echo("  from the harness")
    click.echo(f"  {summary}")
    _parameters(name, parameters)


def _parameters(owner: str, parameters: Sequence[Parameter]) -> None:
    width = max(len(parameter.name) for parameter in parameters)
    click.echo(f"  parameters (set with -o {owner}.parameter=value; commas sweep):")
    for parameter in parameters:
        default = json.dumps(parameter.default).replace("null", "none")
        click.echo(f"    {parameter.name:<{width}}  {default:<20} {parameter.summary}; {parameter.expects()}")


def _table(entries: list[Registered]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("kind", "name", "summary", "from", "usable"):
        table.add_column(heading, no_wrap=heading in ("kind", "name"))
    order = ["dataset", "network", "neuron", "backend", "metric"]
    for entry in sorted(entries, key=lambda item: (order.index(item.component.kind), item.component.name)):
        outline = _outline(entry)
        supplier = f"{entry.supplier.distribution} {entry.supplier.version} ({entry.supplier.plugin})"
        usable = "yes" if outline["usable"] else f"no: {outline['reason']}"
        # Text, not markup: a plugin's summary may hold brackets.
        table.add_row(
            *(
                Text(str(item))
                for item in (entry.component.kind, entry.component.name, entry.component.summary, supplier, usable)
            )
        )
    Console().print(table)


def _show(entry: Registered) -> None:
    details = _details(entry)
    component: Component = entry.component
    click.secho(f"{component.name}", bold=True, nl=False)
    click.echo(f"  {component.kind} from {entry.supplier}")
    click.echo(f"  {component.summary}")
    if not details["usable"]:
        click.echo(f"  not usable here: {details['reason']}")
    for name in ("licence", "citation"):
        if details[name]:
            click.echo(f"  {name}: {details[name]}")
    if isinstance(component, Dataset):
        click.echo(f"  {len(component.classes)} classes; sensor {' x '.join(map(str, component.sensor_size))}")
        _mapping("defaults", details["defaults"])
        for name, encoding in details["encodings"].items():
            shown = ", ".join(f"{key}={value}" for key, value in encoding.items() if value is not None)
            click.echo(f"  encoding {name}: {shown}")
    if component.parameters:
        _parameters(component.name, component.parameters)
    for name, values in component.presets.items():
        _mapping(f"with --recipe {name}", values)


def _mapping(title: str, values: Any) -> None:
    if values:
        click.echo(f"  {title}: " + ", ".join(f"{key}={value}" for key, value in values.items()))
