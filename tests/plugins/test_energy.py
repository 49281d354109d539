"""Energy by tables: counted operations times published figures, never a bare joule."""

from __future__ import annotations

import pytest
import torch
from harness_metrics import EnergyTable, energy_metric
from harness_metrics.tables import TABLES
from torch import nn

from harness import Registry
from harness.components import load_reference
from harness.model import SpikingLayer
from harness.testing import measure

# What the sources print, typed in once more.
PUBLISHED = {
    "45nm-fp32": (0.9, 4.6),
    "45nm-fp16": (0.4, 1.5),
    "45nm-int8": (0.03, 0.23),
    "loihi": (23.6, None),
    "spinnaker": (45, None),
    "spinnaker2": (10, None),
    "truenorth": (2.5, None),
    "tianjic": (1.54, None),
    "odin": (12.7, None),
    "reckon": (5.3, None),
    "seneca": (2.8, None),
}


class Scaled(nn.Module):
    def forward(self, x):
        return x * 0.5


def dense(inputs, outputs):
    made = nn.Linear(inputs, outputs, bias=False)
    nn.init.ones_(made.weight)
    return made


def test_the_tables_are_those_that_were_published():
    assert {table.name: (table.accumulate, table.multiply_accumulate) for table in TABLES} == PUBLISHED


@pytest.mark.parametrize("name", ["45nm-fp32", "45nm-int8"])
def test_accumulates_and_multiply_accumulates_have_their_own_price(name):
    # 1 x 0.5 is a real value and 2 x 0.5 = 1 an event, each on 2 weights.
    model = nn.Sequential(SpikingLayer(nn.Identity(), None), Scaled(), dense(2, 2))
    accumulate, multiply = PUBLISHED[name]
    found = measure(f"energy-{name}", model, [[[1, 2]]])
    (figure,) = found.values()
    assert figure.value == pytest.approx((2 * accumulate + 2 * multiply) * 1e-3)
    assert figure.unit == "nJ/recording"


def test_a_chip_without_a_price_for_real_values_gives_none_and_says_why():
    model = nn.Sequential(Scaled(), dense(2, 2))
    (figure,) = measure("energy-loihi", model, [[[1, 2]]]).values()
    assert figure.value is None
    assert "Loihi has no figure for multiply-accumulates, which 50.0% of the operations are" in figure.reason
    (figure,) = measure("energy-loihi", dense(2, 2), [[[1, 2]]]).values()
    assert figure.value == pytest.approx(6 * 23.6e-3)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_figure_names_its_table_its_prices_and_what_it_leaves_out(table):
    for name, figure in measure(f"energy-{table.name}", dense(2, 2), [[[1, 2]]]).items():
        assert name.startswith("energy_")
        assert table.title in figure.title
        for part in (f"{table.accumulate:g} pJ", table.source, table.leaves_out, "no measurement"):
            assert part in figure.note


def test_memory_is_a_figure_of_its_own():
    spec_layer = Registry.discover().find("lif").component
    reference = load_reference(spec_layer.reference)
    neuron = spec_layer.choose(tau_syn=None)
    spiking = SpikingLayer(reference(neuron, (2,)), None, lambda: reference(neuron, (2,)))
    found = measure("energy-45nm-fp32", nn.Sequential(dense(3, 2), spiking), [[[1, 0, 1], [1, 0, 0]]], memory="32kB")
    assert set(found) == {"energy_45_nm_fp32", "energy_45_nm_fp32_memory"}
    # 3 events on 2 weights of 32 bit; 2 potentials of 32 bit read and written at 2 steps; 20 pJ for 64 bit.
    bits = 3 * 2 * 32 + 2 * 32 * 2 * 2
    assert found["energy_45_nm_fp32_memory"].value == pytest.approx(bits / 64 * 20 * 1e-3)
    assert "20 pJ for 64 bit" in found["energy_45_nm_fp32_memory"].note
    (_, moved) = measure("energy-loihi", dense(2, 2), [[[1, 2]]], memory="dram").values()
    assert (moved.value, moved.reason) == (None, "the figure of Loihi holds its own memory")


def test_a_third_partys_table_is_registered_like_any_metric(tmp_path):
    plugin = tmp_path / "my_chip.py"
    plugin.write_text(
        "from harness import hookimpl\n"
        "from harness_metrics import EnergyTable, energy_metric\n"
        "@hookimpl\n"
        "def register_metrics(register):\n"
        "    register(energy_metric(EnergyTable(name='my-chip', title='My Chip', accumulate=7.0, multiply_accumulate=None,"
        " weight_bits=None, source='my paper', leaves_out='everything else')))\n"
    )
    registry = Registry.discover(files=[plugin])
    assert registry.find("energy-my-chip").supplier.plugin == "my_chip"
    (figure,) = measure("energy-my-chip", dense(2, 2), [[[1, 2]]], registry=registry).values()
    assert figure.value == pytest.approx(6 * 7e-3)
    assert "my paper" in figure.note


def test_a_table_is_a_sound_descriptor_and_off_until_it_is_named():
    table = EnergyTable(
        name="x", title="X", accumulate=1, multiply_accumulate=2, weight_bits=8, source="s", leaves_out="l"
    )
    assert energy_metric(table).problems() == []
    assert not any(energy_metric(table).on for table in TABLES)


def test_padding_costs_nothing():
    x = torch.ones(1, 3, 2).numpy()
    (short,) = measure("energy-45nm-fp32", dense(2, 2), x, lengths=[1]).values()
    assert short.value == pytest.approx(2 * 2 * 0.9e-3)
