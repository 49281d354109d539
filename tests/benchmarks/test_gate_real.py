"""Whole checks over real processes and real trainings, of equal and of handicapped sides: false alarms, and what is found.

Under ``--benchmark-only -s`` all of it: 25 minutes for the times on two quiet cores, four for the trainings. The rest of the
machine should be idle meanwhile, or what is measured is a busy machine, which is worth knowing too.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from benchmarks.gate_simulation import Tally, upper

from harness import Registry
from harness.comparison.evidence import holm
from harness.comparison.paired import from_recordings, from_values
from harness.comparison.speed import Timed, judge
from harness.comparison.verdicts import Mark, Pending, Verdict, decide
from harness.evaluation import evaluate
from harness.events.prepare import open_split, prepare
from harness.events.splits import hold_out
from harness.execution.duet import BLOCKS, LAUNCHES, Piece, Side, duel
from harness.experiment import Experiment
from harness.gate import Gate
from harness.initialisation import initialise
from harness.model import build, context
from harness.plan import make_plan
from harness.training import fit

EQUAL, SLOWED = 40, 3  # comparisons of equal sides, and of each slowdown
SLOWDOWNS = (0.1, 0.2, 0.3)
SEEDS = 5  # a side of a comparison of trainings
HANDICAPS = {
    "2 epochs instead of 10": {"recipe.epochs": [2]},
    "learning rate 0.0005 instead of 0.02": {"recipe.learning_rate": [0.0005]},
    "72 hidden neurons instead of 64": {"mlp.hidden": [(72,)]},
}
HANDICAPPED = 10  # comparisons of each handicap

# Burns a share of what the network's forward and backward pass took. The file has one name and one content but for the share, so that
# both sides know the same network.
SLOWED_NETWORK = """
import time
from harness import Network, Parameter, hookimpl

SHARE = {share}

def build(input_shape, classes, spiking_layer, hidden):
    from harness_networks.mlp import Mlp
    from torch import nn
    from torch.autograd import Variable

    def burn(began):
        until = time.perf_counter() + SHARE * (time.perf_counter() - began)
        while time.perf_counter() < until:
            pass

    class Slowed(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Mlp((input_shape[0], *hidden, classes), spiking_layer, False, False)

        def forward(self, x):
            began = time.perf_counter()
            out = self.inner(x)
            burn(began)
            if out.requires_grad:
                out.register_hook(self.backward_begins)
            return out

        def backward_begins(self, gradient):
            began = time.perf_counter()
            Variable._execution_engine.queue_callback(lambda: burn(began))

    return Slowed()

@hookimpl
def register_networks(register):
    hidden = Parameter(name="hidden", default=(64, 64), kind="ints", minimum=1, summary="neurons a hidden layer")
    register(Network(name="slowed", summary="an mlp", build="slowed:build", parameters=(hidden,)))
"""


@dataclass
class Arena:
    """Where comparisons of times take place."""

    folder: Path
    neurons: tuple[str, ...]
    blocks: int
    launches: int

    def side(self, name: str, share: float) -> Side:
        """This environment with a network that is ``share`` slower than it could be."""
        place = self.folder / f"{share:g}"
        place.mkdir(exist_ok=True)
        sys.modules.pop("slowed", None)  # other tests may have imported theirs
        (place / "slowed.py").write_text(SLOWED_NETWORK.format(share=share))
        return Side.here({"block": [], "only": None, "files": [str(place / "slowed.py")]}, name)

    def check(self, number: int, share: float) -> tuple[list[list[bool]], list[float]]:
        """Which rows one check finds worse: by p alone, past the threshold, and confirmed; and the slowdown of each row."""
        old, new = self.side("old", 0.0), self.side("new", share)
        pieces = planned(self.neurons, Registry.discover(files=[Path(old.plugins["files"][0])]))
        sys.modules.pop("slowed", None)
        gate = Gate()

        def take(only=None) -> list[Timed]:
            taken = duel(
                old,
                new,
                pieces,
                only=only,
                blocks=self.blocks,
                launches=self.launches,
                threads=1,
                device="cpu",
                data=self.folder / "data",
                cache=self.folder / "cache",
                log=self.folder / "duel.log",
                seed=2 * number + (only is not None),
            )
            told = [(item.row, item.label, item.work, item.old, item.new) for item in taken]
            evidence = [item.evidence(confidence=gate.confidence, seed=number) for item in taken]
            names = ("row", "label", "work", "old", "new")
            return [
                Timed(**dict(zip(names, values, strict=True)), evidence=one)
                for values, one in zip(told, evidence, strict=True)
            ]

        timed = take()
        level = 1 - gate.confidence
        alone = [p <= level for p in holm([item.evidence.p_worse for item in timed])]
        passed = [verdict.mark is Mark.WORSE for verdict in judge(timed, gate, None)]
        confirmed = [verdict.mark is Mark.WORSE for verdict in judge(timed, gate, take)]
        return [alone, passed, confirmed], [-item.evidence.effect for item in timed]


def planned(neurons, registry, network="slowed", **settings):
    given = {"shd-synthetic.train": [100], "shd-synthetic.test": [60], **settings}
    plan = make_plan(Experiment(plugins=("shd-synthetic", network, *neurons), settings=given), registry, "cpu")
    return [
        Piece(
            row=trial.specification.row,
            label=trial.label.rpartition(" ")[0],
            specification=trial.specification.to_json(),
            seed=0,
        )
        for trial in plan.trials
    ]


def test_times(benchmark, capsys, tmp_path):
    full = benchmark.enabled
    arena = Arena(tmp_path, ("lif", "alif") if full else ("lif",), BLOCKS if full else 8, LAUNCHES if full else 1)
    shares = {0.0: EQUAL, **dict.fromkeys(SLOWDOWNS, SLOWED)} if full else {0.0: 1}
    ways = ("p alone", "and past the threshold", "and confirmed")

    def run():
        for share, count in shares.items():
            tallies, effects = [Tally() for _ in ways], []
            for number in range(count):
                found, slower = arena.check(number, share)
                effects += slower
                for tally, rows in zip(tallies, found, strict=True):
                    tally.add(rows, any(rows))
            yield share, tallies, effects

    results = benchmark.pedantic(lambda: list(run()), rounds=1)
    if not full:
        ((_, tallies, effects),) = results
        assert [tally.comparisons for tally in tallies] == [len(effects)] * 3 == [2] * 3
        return
    with capsys.disabled():
        print(
            f"\nTimes: {len(arena.neurons)} neurons x 2 works, {BLOCKS} blocks in {LAUNCHES} launches, threshold 5 %, 99 %\n"
        )
        print(
            "| slowdown | measured, median (5 to 95 % of rows) | found worse by | rows | checks |\n|---|---|---|---|---|"
        )
        for share, tallies, effects in results:
            low, high = np.quantile(effects, [0.05, 0.95])
            measured = f"{100 * median(effects):+.1f} % ({100 * low:+.1f} to {100 * high:+.1f})"
            for way, tally in zip(ways, tallies, strict=True):
                print(f"| {'none' if not share else f'{100 * share:.0f} %'} | {measured} | {way} | {tally.line()} |")


# -- trainings ------------------------------------------------------------------------------------------------------


@dataclass
class Trainings:
    """Real trainings of one small job, in this process."""

    registry: Registry
    folder: Path

    def take(self, seeds, changes=None):
        """Which test samples each seed got right, (seeds, samples), and its SynOps."""
        settings = {
            "shd-synthetic.train": [400],
            "shd-synthetic.test": [200],
            "shd-synthetic.noise": [0.0],
            "encoding.dt": [20.0],
            "mlp.hidden": [(64,)],
            "recipe.epochs": [10],
            "recipe.batch_size": [32],
            "recipe.learning_rate": [0.02],
            "recipe.schedule": ["cosine"],
            "recipe.validation": [0.0],
            **(changes or {}),
        }
        plan = make_plan(Experiment(plugins=("shd-synthetic", "lif"), settings=settings), self.registry, "cpu")
        specification = plan.trials[0].specification
        dataset = self.registry.find("shd-synthetic").component
        summary = prepare(
            dataset,
            specification.dataset,
            specification.encoding,
            data=self.folder / "data",
            cache=self.folder / "cache",
            limit=None,
            report=lambda *_: None,
        )
        splits = [open_split(Path(summary["path"]), split) for split in ("train", "test")]
        taken = [self._train(specification, dataset.classes, *splits, seed) for seed in seeds]
        return np.stack([right for right, _ in taken]), np.array([synops for _, synops in taken])

    def _train(self, specification, classes, train, test, seed):
        recipe = specification.recipe
        indices, held, _ = hold_out(train.labels, train.groups, train.recordings, recipe["validation"], seed)
        model = build(self.registry, specification, tuple(train.frames.shape[2:]), len(classes))
        initialise(model, self.registry, specification, train, indices, seed)
        fit(model, train, indices, held, recipe, seed=seed)
        metric = self.registry.find("synops").component
        told = context(
            model,
            classes=classes,
            split="test",
            phase="after",
            dt_ms=specification.encoding.dt,
            batch_size=200,
            device="cpu",
        )
        found = evaluate(model, test, batch_size=200, context=told, metrics=[(metric, metric.choose())])
        (synops,) = [row["value"] for row in found.metrics if row["name"] == "synops"]
        return found.predictions == found.labels, synops


def seeded_check(old, new):
    """Whether accuracy and SynOps look worse: at 1 % without a margin, and in a whole check."""
    gate = Gate()
    common = {"confidence": gate.confidence}
    # Enough seeds on both sides measure their noise themselves.
    evidences = [
        from_recordings(old[0], new[0], seed_noise=0.0, **common),
        from_values(
            old[1],
            new[1],
            higher_is_better=False,
            relative=True,
            seed_noise=0.0,
            **common,
        ),
    ]
    margins = [gate.margin("accuracy", "fraction"), gate.margin("synops", "operations")]
    open_ = Verdict(row="r", label="l", mark=Mark.INCONCLUSIVE)
    pending = [
        Pending(verdict=open_, evidence=one, margin=margin) for one, margin in zip(evidences, margins, strict=True)
    ]
    alone = [p <= 1 - gate.confidence for p in holm([one.p_worse for one in evidences])]
    return [alone, [verdict.mark is Mark.WORSE for verdict in decide(pending, gate.confidence)]]


def test_trainings(benchmark, capsys, tmp_path):
    full = benchmark.enabled
    comparisons, count = (EQUAL, SEEDS) if full else (1, 2)
    handicaps = HANDICAPS if full else {}
    trainings = Trainings(Registry.discover(), tmp_path)
    short = None if full else {"recipe.epochs": [1], "shd-synthetic.train": [40]}
    before = torch.get_num_threads()
    torch.set_num_threads(1)

    def slices(sides, number):
        return [values[number * count : (number + 1) * count] for values in sides]

    def run():
        old = trainings.take(range(comparisons * count), short)
        # Seeds of its own: a change that only moves rounding errors has no more in common with what was before.
        new = trainings.take(range(comparisons * count, 2 * comparisons * count), short)
        checks = {"none": [seeded_check(slices(old, n), slices(new, n)) for n in range(comparisons)]}
        means = {"none": (new[0].mean() - old[0].mean(), new[1].mean() / old[1].mean() - 1)}
        for name, changes in handicaps.items():
            seeds = range(comparisons * count, comparisons * count + HANDICAPPED * count)
            worse = trainings.take(seeds, changes)
            checks[name] = [seeded_check(slices(old, n), slices(worse, n)) for n in range(HANDICAPPED)]
            means[name] = (worse[0].mean() - old[0].mean(), worse[1].mean() / old[1].mean() - 1)
        return old, checks, means

    try:
        old, checks, means = benchmark.pedantic(run, rounds=1)
    finally:
        torch.set_num_threads(before)
    assert all(len(found) == 2 for check in checks["none"] for found in check)
    if not full:
        return
    of_seeds, spread = 100 * old[0].mean(1), 100 * old[1].std(ddof=1) / old[1].mean()
    with capsys.disabled():
        print(
            f"\nTrainings: {count} against {count} disjoint seeds, {old[0].shape[1]} recordings, accuracy {of_seeds.mean():.1f} % "
            f"(over seeds ± {of_seeds.std(ddof=1):.1f}), SynOps over seeds ± {spread:.2f} %\n"
        )
        print("| handicap | accuracy | SynOps | found worse by | accuracy | SynOps |\n|---|---|---|---|---|---|")
        for name, found in checks.items():
            accuracy, synops = means[name]
            for way, marks in zip(("p alone", "and past the margin"), zip(*found, strict=True), strict=True):
                cells = [shown([mark[figure] for mark in marks]) for figure in (0, 1)]
                print(
                    f"| {name} | {100 * accuracy:+.1f} points | {100 * synops:+.1f} % | {way} | {cells[0]} | {cells[1]} |"
                )


def shown(found):
    count = sum(found)
    return f"{count} of {len(found)} (<= {100 * upper(count, len(found)):.1f} %)"
