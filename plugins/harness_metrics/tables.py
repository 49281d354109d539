"""Published energies of an operation, as metrics: each table is one, and a third party's is made the same way."""

from __future__ import annotations

from dataclasses import dataclass

from harness import Metric, Parameter

_HOROWITZ = "Horowitz, ISSCC 2014, doi:10.1109/ISSCC.2014.6757323, 45 nm at 0.9 V"
_SURVEY = "PMC10326429, table 3, given there for high-level comparison only"
# pJ for a read or a write of 64 bit, by how large the memory is (the same source).
MEMORIES = {"8kB": 10.0, "32kB": 20.0, "1MB": 100.0, "dram": 1300.0}


@dataclass(frozen=True, kw_only=True)
class EnergyTable:
    """What operations cost, in pJ, and what is left out.

    ``accumulate`` is an event on a synapse, ``multiply_accumulate`` a real value on one, or None where the source has no figure:
    a network that needs it then has no energy by this table. ``weight_bits`` is how many bits of memory an operation reads,
    for the optional memory term, or None for a chip whose figure holds its own memory.
    """

    name: str
    title: str
    accumulate: float
    multiply_accumulate: float | None
    weight_bits: int | None
    source: str
    leaves_out: str


def energy_metric(table: EnergyTable) -> Metric:
    """The metric ``energy-NAME``: counted operations times the table's figures. Register it like any metric."""
    fixed = (
        Parameter(name="title", default=table.title, kind="str", summary="what figures are called by"),
        Parameter(
            name="accumulate",
            default=table.accumulate,
            kind="float",
            minimum=0,
            unit="pJ",
            summary="an event on a synapse",
        ),
        Parameter(
            name="multiply_accumulate",
            default=table.multiply_accumulate,
            kind="float",
            minimum=0,
            unit="pJ",
            optional=True,
            summary="a real value on a synapse; none: the source has no figure",
        ),
        Parameter(name="source", default=table.source, kind="str", summary="where the figures stand"),
        Parameter(name="leaves_out", default=table.leaves_out, kind="str", summary="what the energy does not hold"),
    )
    memory = (
        Parameter(
            name="weight_bits",
            default=table.weight_bits,
            kind="int",
            minimum=1,
            unit="bit",
            optional=True,
            summary="memory that an operation reads; none: held in the table's own figure",
        ),
        Parameter(
            name="memory",
            default="none",
            kind="str",
            choices=("none", *MEMORIES),
            summary="add the traffic of weights and states to and from a memory of this size, as a figure of its own",
        ),
    )
    return Metric(
        name=f"energy-{table.name}",
        summary=f"energy by a table, {table.title}: {table.accumulate:g} pJ an accumulate, counted operations only",
        observer="harness_metrics.energy:Energy",
        parameters=(*fixed, *memory),
        needs=frozenset({"spikes", "inputs"}),
        on=False,
        citation=table.source,
    )


def _of_45nm(name: str, title: str, accumulate: float, multiply_accumulate: float, bits: int) -> EnergyTable:
    narrow = "" if bits == 32 else f", what {bits} bit cost in accuracy (weights here are 32 bit)"
    return EnergyTable(
        name=f"45nm-{name}",
        title=f"45 nm {title}",
        accumulate=accumulate,
        multiply_accumulate=multiply_accumulate,
        weight_bits=bits,
        source=_HOROWITZ,
        leaves_out=f"memory, routing of events, neuron updates, bias, control, leakage{narrow}",
    )


def _of_chip(name: str, title: str, picojoule: float, more: str = "") -> EnergyTable:
    return EnergyTable(
        name=name,
        title=title,
        accumulate=picojoule,
        multiply_accumulate=None,
        weight_bits=None,
        source=_SURVEY,
        leaves_out=f"neuron updates, input and output, idle power, whether this network fits the chip at all{more}",
    )


TABLES = (
    _of_45nm("fp32", "fp32", 0.9, 4.6, 32),
    _of_45nm("fp16", "fp16", 0.4, 1.5, 16),
    _of_45nm("int8", "int8", 0.03, 0.23, 8),
    _of_chip("loihi", "Loihi", 23.6),
    _of_chip("spinnaker", "SpiNNaker", 45.0),
    _of_chip("spinnaker2", "SpiNNaker2", 10.0),
    _of_chip("truenorth", "TrueNorth", 2.5, "; other sources give 26 pJ"),
    _of_chip("tianjic", "Tianjic", 1.54),
    _of_chip("odin", "ODIN", 12.7),
    _of_chip("reckon", "ReckOn", 5.3),
    _of_chip("seneca", "SENECA", 2.8),
)
