"""Wall-clock time of a forward pass, from the timing phase."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from harness import Context, MetricValue, View


class Latency:
    """Seconds of timed passes by batch size; percentiles over rounds."""

    def start(self, model: torch.nn.Module, context: Context) -> None:
        self.batch_size = context.batch_size
        self.seconds: dict[int, list[float]] = {}

    def batch(self, view: View) -> None:
        if view.seconds is None:
            raise ValueError("this view was not timed")
        self.seconds.setdefault(len(view.labels), []).append(view.seconds)

    def merge(self, other: Latency) -> None:
        for size, seconds in other.seconds.items():
            self.seconds.setdefault(size, []).extend(seconds)

    def result(self) -> Mapping[str, MetricValue]:
        single, full = self.seconds.get(1, []), self.seconds.get(self.batch_size, [])
        values = {
            f"latency_p{share}": _value(_percentile(single, share), "ms", f"latency p{share}", share == 50)
            for share in (50, 95, 99)
        }
        median = _percentile(full, 50)
        values["batch_latency_p50"] = _value(median, "ms", f"latency p50, batch {self.batch_size}")
        throughput = None if median is None else self.batch_size / median * 1000
        values["throughput"] = _value(throughput, "recordings/s", f"throughput, batch {self.batch_size}", higher=True)
        return values


def _percentile(seconds: list[float], share: int) -> float | None:
    """In ms, by linear interpolation; None without a measurement."""
    if not seconds:
        return None
    return float(torch.quantile(torch.tensor(seconds, dtype=torch.float64), share / 100)) * 1000


def _value(value: float | None, unit: str, title: str, cost: bool = False, higher: bool = False) -> MetricValue:
    return MetricValue(
        value=value,
        reason="" if value is not None else "not timed",
        unit=unit,
        direction="higher" if higher else "lower",
        kind="noisy",
        title=title,
        role="cost" if cost else "detail",
    )
