"""Every metric has a page that names its figures and parameters, and whose worked example computes what it says."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from torch import nn

from harness import Registry, Training
from harness.model import SpikingLayer
from harness.testing import measure

PAGES = Path(__file__).resolve().parent.parent / "docs" / "metrics"
METRICS = [entry.component for entry in Registry.discover().components("metric")]


def page_of(metric):
    """Tables of energies are alike but for their numbers and share a page."""
    return PAGES / ("energy.md" if metric.name.startswith("energy-") else f"{metric.name}.md")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_its_figures_and_parameters_stand_on_a_page(metric):
    text = page_of(metric).read_text()
    assert f"`{metric.name}`" in text or f"# {metric.name}\n" in text
    model = nn.Sequential(nn.Linear(3, 2), SpikingLayer(nn.Identity(), None))
    found = measure(
        metric.name,
        model,
        [[[1, 0, 2], [0, 1, 0]]] * 4,
        [0, 1, 0, 1],
        seconds={1: [0.001]},
        training=Training(peak_memory_bytes=1),
    )
    if metric.name.startswith("energy-"):
        assert len(found) == 1
        assert "`energy_TABLE`" in text
    else:
        assert [name for name in found if f"`{name}`" not in text] == []
        assert [item.name for item in metric.parameters if f"`{item.name}`" not in text] == []
    for part in ("formula", "source", "leaves out", "example"):
        assert part in text.lower(), part
    assert f"(metrics/{page_of(metric).name})" in (PAGES.parent / "metrics.md").read_text()


@pytest.mark.parametrize("page", sorted({page_of(metric).name for metric in METRICS}))
def test_the_worked_example_of_a_page_is_what_is_computed(page):
    failed, tried = doctest.testfile(str(PAGES / page), module_relative=False)
    assert tried > 2
    assert failed == 0
