"""Wall-clock time of a forward pass, from the timing phase."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from harness import Context, MetricValue, View

# A percentile means something where at least one measurement is expected beyond it.
_FEWEST = {50: 1, 95: 20, 99: 100}


class WallClock:
    """Seconds of timed passes by batch size; percentiles over rounds."""

    def start(self, model: torch.nn.Module, context: Context) -> None:
        self.batch_size = context.batch_size
        self.seconds: dict[int, list[float]] = {}

    def batch(self, view: View) -> None:
        if view.seconds is None:
            raise ValueError("this view was not timed")
        self.seconds.setdefault(len(view.labels), []).append(view.seconds)

    def merge(self, other: WallClock) -> None:
        for size, seconds in other.seconds.items():
            self.seconds.setdefault(size, []).extend(seconds)

    def result(self) -> Mapping[str, MetricValue]:
        single, full = self.seconds.get(1, []), self.seconds.get(self.batch_size, [])
        values = {
            f"wall_clock_p{share}": _percentile(single, share, f"wall clock p{share}", cost=share == 50)
            for share in _FEWEST
        }
        values |= {
            f"batch_wall_clock_p{share}": _percentile(full, share, f"wall clock p{share}, batch {self.batch_size}")
            for share in _FEWEST
        }
        median = values["batch_wall_clock_p50"].value
        values["throughput"] = MetricValue(
            value=self.batch_size / median * 1000 if median else None,
            reason="not timed",
            unit="samples/s",
            direction="higher",
            kind="noisy",
            title=f"throughput, batch {self.batch_size}",
        )
        return values


def _percentile(seconds: list[float], share: int, title: str, *, cost: bool = False) -> MetricValue:
    """In ms a pass, by linear interpolation; without a value where too few passes were timed."""
    known = len(seconds) >= _FEWEST[share]
    quantile = torch.quantile(torch.tensor(seconds, dtype=torch.float64), share / 100) * 1000 if known else None
    reason = f"{len(seconds)} passes were timed; p{share} needs {_FEWEST[share]}" if seconds else "not timed"
    return MetricValue(
        value=None if quantile is None else float(quantile),
        reason=reason,
        unit="ms",
        direction="lower",
        kind="noisy",
        title=title,
        role="cost" if cost else "detail",
    )
