"""The conformance kit: what a backend, dataset, metric, network or neuron must hold to, as checks that anyone can run.

Under pytest, name a component and inherit::

    from harness.testing import BackendSuite

    class TestMine(BackendSuite):
        name = "mine"

``harness check-plugin mine`` runs the same checks. :func:`measure` gives a metric's figures on numbers
written by hand. Needs hypothesis: ``pip install "snn-harness[testing]"``.
"""

from __future__ import annotations

from .backend import BackendSuite
from .dataset import DatasetSuite
from .measure import measure
from .metric import MetricSuite
from .network import NetworkSuite
from .neuron import NeuronSuite
from .suite import Outcome, Suite, run

SUITES: dict[str, type[Suite]] = {
    suite.kind: suite for suite in (BackendSuite, DatasetSuite, MetricSuite, NetworkSuite, NeuronSuite)
}

__all__ = [
    "SUITES",
    "BackendSuite",
    "DatasetSuite",
    "MetricSuite",
    "NetworkSuite",
    "NeuronSuite",
    "Outcome",
    "Suite",
    "measure",
    "run",
]
