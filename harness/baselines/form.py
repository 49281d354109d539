"""The form of a baseline: what a check needs of a run, as JSON that a person can review."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ..errors import DataError, ExitCode, HandledError
from ..gate import Gate
from ..reading import parse_json
from ..records import Status
from ..specification import digest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SCHEMA = 1
KIND = "snn-harness baseline"

_TYPES: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "Mapping": (dict,)}
_INSIDE: dict[str, dict[str, tuple[type, ...]]] = {
    "experiment": {
        "plugins": (list,),
        "settings": (dict,),
        "seeds": (list,),
        "recipe": (str,),
        "limit": (int, type(None)),
        "device": (str, type(None)),
        "threads": (int, type(None)),
    },
    "environment": {"packages": (dict,), "git": (dict, type(None))},
}
LARGEST = 1e100  # sums and squares of such values are still numbers


class BaselineError(HandledError):
    """A baseline that is missing, damaged, foreign, or compares with nothing here."""

    exit_code = ExitCode.NOT_COMPARABLE


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial: its ``status``, what it says where it failed, and ``correct``, a bit a test sample in their order, packed."""

    seed: int
    key: str
    status: str
    error: str = ""
    weights: str = ""
    predictions: str = ""
    correct: str = ""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of a configuration on the test split after training; ``values`` and ``problems`` by seed."""

    name: str
    metric: str
    title: str
    unit: str
    direction: str
    kind: str
    tolerance: float = 0.0
    values: Mapping[str, float] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One configuration and its trials.

    ``test`` says what was tested on: the number of ``samples``, a digest of their ``labels``, and ``recordings``, which recording each
    sample is of, where some have several. ``platform`` is what two machines must share to agree to the last bit.
    """

    row: str
    label: str
    specification: Mapping[str, Any]
    data: Mapping[str, Any]
    platform: Mapping[str, Any]
    suppliers: Mapping[str, Any]
    test: Mapping[str, Any]
    trials: tuple[Trial, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Configurations, and what it takes to run them again. ``name`` is the baseline's, or the run's that it was taken of."""

    name: str
    run: str
    created: str
    harness: str
    experiment: Mapping[str, Any]
    gate: Gate
    environment: Mapping[str, Any]
    configurations: tuple[Configuration, ...]
    schema: int = SCHEMA

    def to_text(self) -> str:
        """JSON, a trial and a figure a line, so that a review shows what changed; refuses NaN."""
        plain = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "configurations"}
        head = json.dumps({"kind": KIND, **plain, "gate": self.gate.to_json()}, indent=1, allow_nan=False)
        rows = ",\n".join(_configuration_text(item) for item in self.configurations)
        return f'{head[:-2]},\n "configurations": [\n{rows}\n ]\n}}\n'

    @classmethod
    def from_text(cls, text: str | bytes, where: str) -> Baseline:
        """The baseline in ``text``; raises :class:`BaselineError` that names ``where`` and what is wrong."""
        try:
            data = parse_json(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"), where)
        except DataError as error:
            raise BaselineError(f"{error}; restore it or save it anew") from None
        if not isinstance(data, dict) or data.pop("kind", None) != KIND:
            raise BaselineError(f"{where}: not a baseline of the harness; 'harness baseline save NAME' makes one")
        schema = data.get("schema")
        if schema != SCHEMA:
            raise BaselineError(f"{where}: schema {schema}; this harness reads schema {SCHEMA}; save it anew")
        try:
            data["gate"] = Gate.from_data(data["gate"], where)
            data["configurations"] = tuple(_configuration(item) for item in data["configurations"])
            made = cls(**data)
            _prove(made)
        except (KeyError, TypeError, ValueError, AttributeError, HandledError) as error:
            told = f"{type(error).__name__}: {error}" if not isinstance(error, HandledError) else str(error)
            raise BaselineError(f"{where}: damaged: {told}; restore it or save it anew") from None
        return made


def _prove(made: Baseline) -> None:
    """Raise ``ValueError`` where something in ``made`` would only fail later, or be compared as what it is not."""
    _prove_types(made, "baseline")
    for part, wanted in _INSIDE.items():
        for name, types in wanted.items():
            value = getattr(made, part).get(name)
            if name in getattr(made, part) and (isinstance(value, bool) or not isinstance(value, types)):
                raise ValueError(f"{part}: {name} is {_short(value)}")
    if not all(isinstance(name, str) for name in made.experiment.get("plugins", ())):
        raise ValueError("experiment: plugins must be names")
    if not made.configurations:
        raise ValueError("it holds no configuration")
    _prove_once((item.row for item in made.configurations), "configuration")
    for item in made.configurations:
        _prove_types(item, "configuration")
        if not item.trials:
            raise ValueError(f"{item.label}: it has no trial")
        for kind, supplier in item.suppliers.items():
            if not isinstance(supplier, dict):
                raise ValueError(f"{item.label}: supplier of {kind} is {_short(supplier)}")
        if item.row != digest(item.specification):
            raise ValueError(f"{item.label}: row {item.row} is not that of its specification")
        for trial in item.trials:
            _prove_trial(trial, item)
        _prove_once((trial.seed for trial in item.trials), f"{item.label}: seed")
        for figure in item.figures:
            _prove_figure(figure, item)
        _prove_once((figure.name for figure in item.figures), f"{item.label}: figure")


def _prove_types(made: Baseline | Configuration | Trial | Figure, where: str) -> None:
    for item in fields(made):
        value = getattr(made, item.name)
        types = _TYPES.get(str(item.type).partition("[")[0], (object,))
        if not isinstance(value, types) or (isinstance(value, bool) and object not in types):
            raise ValueError(f"{where}: {item.name} is {_short(value)}")


def _prove_once(names: Iterable[object], what: str) -> None:
    known: set[object] = set()
    for name in names:
        if name in known:
            raise ValueError(f"{what} {name} stands twice")
        known.add(name)


def _prove_trial(trial: Trial, item: Configuration) -> None:
    _prove_types(trial, f"{item.label}: trial")
    if trial.status != Status.OK:
        raise ValueError(f"{item.label}: seed {trial.seed} is {trial.status!r}: a baseline holds finished trials alone")
    if not trial.correct:
        return
    samples, recordings = item.test["samples"], item.test.get("recordings")
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise ValueError(f"{item.label}: samples is {_short(samples)}")
    if recordings is not None and not (
        isinstance(recordings, list) and len(recordings) == samples and all(type(place) is int for place in recordings)
    ):
        raise ValueError(f"{item.label}: recordings must be {samples} whole numbers, not {_short(recordings)}")
    _packed_bytes(trial.correct, samples)


def _prove_figure(figure: Figure, item: Configuration) -> None:
    where = f"{item.label}: {figure.name}"
    _prove_types(figure, where)
    if figure.kind not in ("exact", "seeded") or figure.direction not in ("higher", "lower", "none"):
        raise ValueError(f"{where} is of kind {figure.kind!r} and direction {figure.direction!r}")
    if not 0 <= figure.tolerance <= LARGEST:
        raise ValueError(f"{where}: tolerance is {_short(figure.tolerance)}")
    seeds = {str(trial.seed) for trial in item.trials}
    for seed in (*figure.values, *figure.problems):
        if seed not in seeds:
            raise ValueError(f"{where}: there is no trial of seed {seed}")
    for seed, value in figure.values.items():
        # Larger whole numbers would not even fit a float; NaN fails every comparison.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST:
            raise ValueError(f"{where} of seed {seed} is {_short(value)}")
    for seed, problem in figure.problems.items():
        if not isinstance(problem, str):
            raise ValueError(f"{where} of seed {seed}: its problem is {_short(problem)}")


def _short(value: object) -> str:
    told = repr(value)
    return told if len(told) <= 40 else f"{told[:37]}..."


def _configuration_text(item: Configuration) -> str:
    def line(value: object) -> str:
        return json.dumps(value, allow_nan=False)

    parts = [f'   "{name}": {line(getattr(item, name))}' for name in ("row", "label", "specification", "data")]
    parts += [f'   "{name}": {line(getattr(item, name))}' for name in ("platform", "suppliers", "test")]
    for name in ("trials", "figures"):
        inner = ",\n".join(f"    {line(vars(entry))}" for entry in getattr(item, name))
        parts.append(f'   "{name}": [\n{inner}\n   ]')
    return "  {\n" + ",\n".join(parts) + "\n  }"


def _configuration(data: Mapping[str, Any]) -> Configuration:
    return Configuration(
        **{
            **data,
            "trials": tuple(Trial(**item) for item in data["trials"]),
            "figures": tuple(Figure(**item) for item in data["figures"]),
        }
    )


def correct_bits(configuration: Configuration, seeds: Sequence[int]) -> npt.NDArray[np.bool_] | None:
    """(seeds, samples): which test samples each trial got right; None where a trial holds none."""
    import numpy as np

    by_seed = {trial.seed: trial.correct for trial in configuration.trials}
    if "samples" not in configuration.test or not all(by_seed.get(seed) for seed in seeds):
        return None
    samples = int(configuration.test["samples"])
    packed = [np.frombuffer(_packed_bytes(by_seed[seed], samples), dtype=np.uint8) for seed in seeds]
    return np.stack([np.unpackbits(item, count=samples).astype(bool) for item in packed])


def recordings_of(configuration: Configuration) -> npt.NDArray[np.int64] | None:
    """(samples,): which recording each test sample is of; None where every sample is a recording of its own."""
    import numpy as np

    stored = configuration.test.get("recordings")
    return None if stored is None else np.asarray(stored, dtype=np.int64)


def _packed_bytes(text: str, samples: int) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"correct is not base64: {error}") from None
    if len(content) != -(-samples // 8):
        raise ValueError(f"correct holds {len(content)} bytes, and {samples} samples need {-(-samples // 8)}")
    return content
