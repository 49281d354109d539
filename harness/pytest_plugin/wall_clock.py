"""Wall-clock time of a trained network, taken by pytest-benchmark in the pytest process."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..devices import synchronise, use
from ..specification import Specification
from .asking import Asked
from .trials import Trial

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture


def time_inference(benchmark: BenchmarkFixture, found: Trial, asked: Asked, figures: Mapping[str, float]) -> None:
    """Time one inference pass on the first test recordings, as many as the trial's batch, with the trial's threads.

    ``benchmark.extra_info`` receives the trial's names and ``figures``.
    """
    record = found.record
    device = str(record.environment.get("device", "cpu"))
    size = int(Specification.from_json(record.specification).recipe["batch_size"])
    with warnings.catch_warnings():
        # What libraries warn of when they are imported is no fault of the trial.
        warnings.simplefilter("ignore")
        import numpy as np
        import torch

        from ..evaluation import batch_of
        from ..events.prepare import open_split
        from ..reload import load_model

        use(device)
        model = load_model(found.path, registry=asked.registry).to(device)
        frames = open_split(Path(found.frames), "test")
        inputs, _, _ = batch_of(frames, np.arange(min(size, len(frames))), device)
        names = {name: getattr(record, name) for name in ("label", "seed", "row", "key")}
        benchmark.extra_info.update({**names, "batch": len(inputs), "threads": asked.threads, "device": device})
        benchmark.extra_info.update(figures)

        def inference() -> None:
            model(inputs)
            synchronise(device)

        before = torch.get_num_threads()
        torch.set_num_threads(asked.threads)
        try:
            with torch.inference_mode():
                inference()  # the first pass compiles and allocates
                benchmark(inference)
        finally:
            torch.set_num_threads(before)
