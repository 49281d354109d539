"""Two environments against each other on the clock: fresh processes in pairs, ABBA blocks interleaved over all work.

Both sides of a block see the machine within a fraction of a second of each other, so that its drift falls on both alike (duet
benchmarking: Bulej et al. 2020, arXiv 2001.05811). What a process keeps for its whole life, such as where its memory happens to lie,
does not cancel: therefore several pairs are started, and a launch's blocks count as one cluster.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from ..gate import WORKS
from .side import PATIENCE, Fresh, Side, SideRefusal, interpreter

if TYPE_CHECKING:
    from ..comparison.evidence import Evidence

BLOCKS = 20
LAUNCHES = 5
# A measurement lasts so long that what the clock and the pipe add is far below one per cent.
_SECONDS = 0.03
_MOST = 1000

Report = Callable[..., None]
Item = tuple[int, str]  # index of a piece, work


def launches_for(blocks: int) -> int:
    """How many pairs of processes ``blocks`` are spread over: five, or fewer where that leaves under four blocks each."""
    return max(1, min(LAUNCHES, blocks // 4))


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One configuration to time: a specification as records hold it, and the seed of weights, split and batch."""

    row: str
    label: str
    specification: Mapping[str, Any]
    seed: int


@dataclass(frozen=True)
class Taken:
    """What one work of one piece took.

    ``log_ratios``: log(new / old), positive is slower, one a block; ``launches``: the pair of processes of each block; ``old``
    and ``new``: median seconds of one repetition; ``refused``: why there is nothing, where a side could not do it.
    """

    row: str
    label: str
    work: str
    log_ratios: tuple[float, ...]
    launches: tuple[int, ...]
    old: float
    new: float
    device: str = "cpu"
    refused: str = ""

    def evidence(self, *, confidence: float, seed: int = 0, resamples: int = 10_000) -> Evidence:
        """What the blocks say: the paired bootstrap of their median, launches drawn first, then blocks within them."""
        from ..comparison.ratios import from_log_ratios

        return from_log_ratios(
            self.log_ratios, confidence=confidence, seed=seed, resamples=resamples, clusters=self.launches
        )


def duel(
    old: Side,
    new: Side,
    pieces: Sequence[Piece],
    *,
    works: Sequence[str] = WORKS,
    only: Collection[tuple[str, str]] | None = None,
    blocks: int = BLOCKS,
    launches: int | None = None,
    threads: int,
    device: str,
    data: Path,
    cache: Path,
    log: Path,
    report: Report = lambda event, **content: None,
    seed: int = 0,
    patience: float = PATIENCE,
) -> list[Taken]:
    """Time ``works`` of ``pieces`` on both sides, or those that ``only`` names by (row, work).

    ``blocks`` are spread over ``launches`` pairs of fresh processes (None: :func:`launches_for`). In each block every work is done
    four times, ABBA, in an order drawn anew; the side that begins alternates. ``device`` may be ``auto``. What the sides print goes
    into ``log``, a file each, with ``-old`` or ``-new`` before the suffix. ``report`` is told ``launched`` (launch, old, new: what the
    sides say of themselves), ``progress`` (stage, done, total) and ``block`` (done, total).

    A piece that one side cannot load is refused by name; raises :class:`SideRefusal` where that leaves none, or where a side cannot be
    talked to, and :class:`SideError` where one dies or says nothing for ``patience`` seconds. No process is left behind.
    """
    wanted = [
        (index, work)
        for index, piece in enumerate(pieces)
        for work in works
        if only is None or (piece.row, work) in only
    ]
    duet = _Duet(pieces, wanted, seed, report)
    launches = min(launches or launches_for(blocks), blocks)
    for launch in range(launches):
        numbers = range(blocks * launch // launches, blocks * (launch + 1) // launches)
        with _started(old, new, threads, log, report, patience) as pair:
            hellos = [process.hello() for process in pair]
            report("launched", launch=launch, old=hellos[0], new=hellos[1])
            duet.prepare(pair, threads=threads, device=device, data=str(data), cache=str(cache))
            for number in numbers:
                duet.block(pair, launch, number)
                report("block", done=number + 1, total=blocks)
    return duet.taken()


@contextmanager
def _started(
    old: Side, new: Side, threads: int, log: Path, report: Report, patience: float
) -> Iterator[tuple[Fresh, Fresh]]:
    """A pair of fresh processes that start up side by side, and are gone afterwards."""
    with ExitStack() as stack:
        pair = [
            stack.enter_context(
                Fresh(
                    side,
                    threads=threads,
                    log=log.with_name(f"{log.stem}-{name}{log.suffix}"),
                    report=report,
                    patience=patience,
                )
            )
            for name, side in (("old", old), ("new", new))
        ]
        yield pair[0], pair[1]


@dataclass
class _Measured:
    """One work of one piece, so far."""

    repeats: int = 0
    log_ratios: list[float] = field(default_factory=list)
    launches: list[int] = field(default_factory=list)
    old: list[float] = field(default_factory=list)
    new: list[float] = field(default_factory=list)


class _Duet:
    """What is measured over all launches."""

    def __init__(self, pieces: Sequence[Piece], wanted: Sequence[Item], seed: int, report: Report) -> None:
        self.pieces, self.report = pieces, report
        self.measured = {item: _Measured() for item in wanted}
        self.refused: dict[int, str] = {}
        self.order = random.Random(seed)
        self.device = ""

    def _playing(self) -> list[Item]:
        return [item for item in self.measured if item[0] not in self.refused]

    def prepare(self, pair: tuple[Fresh, Fresh], *, threads: int, device: str, data: str, cache: str) -> None:
        """Load every piece on both sides at once, warm up, and find how many repetitions make a measurement."""
        for process in pair:
            process.ask("open", registry=process.side.plugins, threads=threads)
        devices = [process.answer("loading plugins")["devices"] for process in pair]
        self.device = _device(device, devices, pair)
        for index in sorted({index for index, _ in self._playing()}):
            piece = self.pieces[index]
            for process in pair:
                process.ask(
                    "load",
                    piece=index,
                    specification=piece.specification,
                    seed=piece.seed,
                    device=self.device,
                    data=data,
                    cache=cache,
                )
            loaded = self._answers(pair, index, f"loading {piece.label}")
            # A side of an earlier harness names no identity.
            identities = {answer["identity"] for answer in loaded if "identity" in answer}
            if len(identities) > 1:
                self.refused.setdefault(
                    index, f"{piece.label}: the two sides read other recordings: their times do not compare"
                )
        for index, work in self._playing():
            for process in pair:  # compiles what has to be compiled
                process.ask("measure", piece=index, work=work, repeats=2)
            self._answers(pair, index, f"warming up {work} of {self.pieces[index].label}")
        if not self._playing():
            raise SideRefusal(next(iter(self.refused.values()), "there is nothing to time"))
        for item in self._playing():
            measured = self.measured[item]
            if not measured.repeats:
                once = median(self._measure(pair[0], item, 3))
                measured.repeats = max(1, min(_MOST, math.ceil(_SECONDS / max(once, 1e-9))))
            for process in pair:
                self._measure(process, item, measured.repeats)

    def _answers(self, pair: tuple[Fresh, Fresh], index: int, doing: str) -> list[Mapping[str, Any]]:
        """Wait for both and return their answers; a piece that one of them refuses is out."""
        found = []
        for process in pair:
            try:
                found.append(process.answer(doing))
            except SideRefusal as error:
                self.refused.setdefault(index, str(error))
        return found

    def _measure(self, process: Fresh, item: Item, repeats: int) -> list[float]:
        index, work = item
        process.ask("measure", piece=index, work=work, repeats=repeats)
        return list(process.answer(f"timing {work} of {self.pieces[index].label}")["seconds"])

    def block(self, pair: tuple[Fresh, Fresh], launch: int, number: int) -> None:
        """Every work once, ABBA; one side works while the other waits for its next message."""
        old, new = pair
        turns = (old, new, new, old) if number % 2 == 0 else (new, old, old, new)
        playing = self._playing()
        for item in self.order.sample(playing, len(playing)):
            measured = self.measured[item]
            seconds: dict[Fresh, list[float]] = {old: [], new: []}
            for process in turns:
                seconds[process].append(_one(self._measure(process, item, measured.repeats)))
            measured.log_ratios.append(fmean(map(math.log, seconds[new])) - fmean(map(math.log, seconds[old])))
            measured.launches.append(launch)
            measured.old += seconds[old]
            measured.new += seconds[new]

    def taken(self) -> list[Taken]:
        """All of it, in the order in which it was asked for."""
        found = []
        for (index, work), measured in self.measured.items():
            piece, refused = self.pieces[index], self.refused.get(index, "")
            found.append(
                Taken(
                    row=piece.row,
                    label=piece.label,
                    work=work,
                    log_ratios=() if refused else tuple(measured.log_ratios),
                    launches=() if refused else tuple(measured.launches),
                    old=0.0 if refused else median(measured.old),
                    new=0.0 if refused else median(measured.new),
                    device=self.device,
                    refused=refused,
                )
            )
        return found


def _one(seconds: Sequence[float]) -> float:
    """One repetition of a measurement."""
    return median(seconds)


def _device(wanted: str, devices: Sequence[Sequence[str]], pair: tuple[Fresh, Fresh]) -> str:
    if wanted == "auto":
        common = [name for name in devices[0] if name in devices[1]]
        return common[1] if len(common) > 1 else "cpu"
    name = "cuda:0" if wanted == "cuda" else wanted
    for process, there in zip(pair, devices, strict=True):
        if name not in there:
            raise SideRefusal(f"{process.side.python}: has no device {wanted}; there is: {', '.join(there)}")
    return name


__all__ = ["BLOCKS", "LAUNCHES", "Piece", "Side", "Taken", "duel", "interpreter", "launches_for"]
