"""Records and folders that a run takes over from another."""

from __future__ import annotations

import shutil
from dataclasses import replace

from harness_synthetic.files import write_shd
from made_records import record

from harness.experiment import Experiment
from harness.plan import make_plan
from harness.registry import Registry
from harness.running.jobs import Entry, make_jobs
from harness.store import Store, read_record


def entries(folder, settings):
    """The entries of a plan on generated recordings, each with its job, in a run of its own."""
    plan = make_plan(Experiment(plugins=("shd-synthetic", "lif"), settings=settings), Registry.discover(), "cpu")
    made = [Entry(planned) for planned in plan.trials]
    run = Store(folder).create("shd-synthetic-lif")
    make_jobs(made, plan, {}, environment={}, device="cpu", threads=1, run=run, data_folder=folder)
    return made, run


def test_a_reused_record_is_called_what_this_plan_calls_it(tmp_path):
    """A sweep finds two trials of two runs that had one configuration each, and called it the same."""
    paths = {}
    for value in ("2", "5"):
        (alone,), run = entries(tmp_path, {"lif.tau_mem": [value]})
        paths[alone.job.key] = run.write(replace(record(), key=alone.job.key, label=alone.job.label))
    assert len({read_record(path).label for path in paths.values()}) == 1
    sweep, run = entries(tmp_path, {"lif.tau_mem": ["2", "5"]})
    for entry in sweep:
        entry.reusable = (paths[entry.job.key], read_record(paths[entry.job.key]))
        run.reuse(*entry.reused())
    labels = {item.key: item.label for item in run.records()}
    assert labels == {entry.job.key: entry.planned.label for entry in sweep}
    assert len(set(labels.values())) == 2


def test_datasets_unpack_to_the_cache_that_the_command_names(fresh):
    data, named = fresh.folder / "data", fresh.folder / "named"
    for path in write_shd(data, train=40, test=20, seed=0, noise=0.1):
        shutil.make_archive(str(path), "zip", path.parent, path.name)
        path.unlink()
    (data / "SHD").chmod(0o555)
    small = ("-o", "mlp.hidden=[8]", "--epochs", "1", "--no-timing", "--no-plots")
    done = fresh("run", "--plugins", "shd,lif", "--cache", str(named), *small)
    (data / "SHD").chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert len(list((named / "unpacked").glob("*/shd_*.h5"))) == 2
    assert not (fresh.folder / "cache").exists()
