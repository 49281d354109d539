"""A dataset's source with every answer checked, by whichever reader: what is no recording, label or group is one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..components import load_reference
from ..errors import DataError, HandledError
from ..exhausted import is_out_of_memory
from ..foreign import describe, foreign_code
from ..source import Bulk
from ..text import kind_of, one_line, short_repr
from .encode import check_fields, check_whole, merged_polarities
from .fields import bulk_of, check_names, join, required_fields

if TYPE_CHECKING:
    from ..components import Dataset

Ints = npt.NDArray[np.int64]


def open_source(dataset: Dataset, data: Path, split: str, values: Mapping[str, Any]) -> CheckedSource:
    """Open ``split`` of ``dataset`` below ``data``; every recording that is read from it is checked.

    Raises:
        DataError: the data are missing or malformed, or what the plugin returns is no sequence of recordings.
    """
    make = load_reference(dataset.source)
    where = f"{dataset.name} {split}"
    return CheckedSource(dataset, split, _answer(f"{where}: {dataset.source}", make, data, split, **values))


class CheckedSource:
    """Satisfies :class:`harness.source.Source`, and names dataset, split and recording in every :class:`DataError`.

    Recordings come as the source has them from ``source[index]``, and from :meth:`read` as :class:`Bulk` with times in int64
    microseconds, whole coordinates, and only the coordinates that the sensor has. Between calls it remembers which
    polarities a sensor of one has shown.

    Args:
        dataset: the dataset whose sensor and classes the recordings must fit.
        split: ``train`` or ``test``, for messages.
        source: what the dataset's ``source`` returned.

    Raises:
        DataError: ``source`` is no sequence.
    """

    def __init__(self, dataset: Dataset, split: str, source: Any) -> None:
        self.dataset, self.split, self.source = dataset, split, source
        self.where = f"{dataset.name} {split}"
        self._required = required_fields(dataset.sensor_size)
        self._polarity: int | None = None
        self._read_labels: dict[int, int] = {}
        if isinstance(source, type) or not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
            raise DataError(
                f"{self.where}: {dataset.source} returned {kind_of(source)}, not a sequence of (events, label) with "
                "__len__ and __getitem__"
            )
        self._count = int(self._answer("its length", lambda: len(source)))
        self.has_bulk = bool(self._answer("its bulk reader", lambda: callable(getattr(source, "bulk", None))))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[npt.NDArray[Any], int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._item(index)

    @cached_property
    def labels(self) -> Ints:
        """Every recording's label (recordings,); raises :class:`DataError` for one that is no index of a class."""
        if self._listed is None:
            # Each is checked as it is read, and read once.
            read = self._read_labels
            return np.array(
                [read[index] if index in read else self._item(index)[1] for index in range(len(self))], dtype=np.int64
            )
        return self._checked_labels(self._listed)

    @cached_property
    def groups(self) -> npt.NDArray[np.str_] | None:
        """Every recording's speaker or subject (recordings,) as text, None if the source names none."""
        given = self._attribute("groups")
        if given is None:
            return None
        items = self._listing(given, "groups", "one name a recording")
        for index, item in enumerate(items):
            if item is None or np.ndim(item) or (isinstance(item, float | np.floating) and np.isnan(item)):
                raise DataError(f"{self.where}, recording {index}: its group is {_shown(item)}, not a name or a number")
        named = [str(item) for item in items]
        if len(named) != len(self):
            raise DataError(f"{self.where}: {len(named)} groups for {len(self)} recordings")
        return np.array(named, dtype=np.str_)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """The source's sentences for the record."""
        given = self._attribute("notes")
        if given is None or isinstance(given, str):
            return (given,) if given else ()
        return tuple(str(note) for note in self._listing(given, "notes", "sentences"))

    @cached_property
    def fingerprint(self) -> Any:
        """The source's own fingerprint, None if it has none."""
        return self._attribute("fingerprint")

    @property
    def modified(self) -> str:
        """What the source says of when its files were written, empty if it says nothing."""
        return one_line(self._attribute("modified") or "")

    @cached_property
    def synthetic(self) -> bool:
        """Whether the source says that its recordings are generated."""
        return bool(self._attribute("synthetic"))

    def read(self, indices: Sequence[int] | Ints, *, bulk: bool = False) -> Bulk:
        """The events of recordings, end to end.

        Args:
            indices: the recordings, at least one.
            bulk: use the source's bulk reader; the recordings must lie together.

        Raises:
            DataError: for the first recording that cannot be read or does not fit the dataset.
        """
        numbers = np.asarray(indices, dtype=np.int64)
        if bulk and self.has_bulk:
            return self._fitted(self.bulk(int(numbers[0]), int(numbers[-1]) + 1), numbers)
        return join([self._fitted(self._one(int(index)), numbers[[place]]) for place, index in enumerate(numbers)])

    def bulk(self, start: int, stop: int) -> Bulk:
        """What the bulk reader gives for recordings ``start`` to ``stop``, with its own types and fields.

        Raises:
            DataError: it is no :class:`Bulk` of as many recordings, or holds other than plain arrays.
        """
        count = stop - start
        what = f"bulk({start}, {stop})"
        found = self._answer(what, lambda: self.source.bulk(start, stop))
        if not isinstance(found, Bulk):
            raise DataError(f"{self.where}: {what} returned {kind_of(found)}, not a harness.Bulk")
        for name in ("t", "x", "y", "p", "offsets"):
            values = getattr(found, name)
            if values is None and name in ("y", "p"):
                continue
            if not isinstance(values, np.ndarray) or isinstance(values, np.ma.MaskedArray) or values.ndim != 1:
                raise DataError(f"{self.where}: {what}.{name} is {kind_of(values)}, not a plain array of one dimension")
        if found.offsets.dtype.kind not in "iu" or len(found.offsets) != count + 1:
            raise DataError(
                f"{self.where}: {what}.offsets are {len(found.offsets)} of {found.offsets.dtype}, not {count + 1} whole "
                f"numbers for {count} recordings"
            )
        return found

    def spot_check(self, indices: Ints) -> None:
        """Read the first, middle and last of ``indices`` twice, once by the bulk reader if there is one.

        Raises:
            DataError: the two readings differ, so that what is trained on depends on how or when it is read.
        """
        for place in sorted({0, len(indices) // 2, len(indices) - 1}) if len(indices) else ():
            index = int(indices[place])
            one = self.read([index])
            # Copies, for a source that fills one array again and again.
            kept = {name: None if (own := getattr(one, name)) is None else own.copy() for name in ("t", "x", "y", "p")}
            two = self.read([index], bulk=True)
            for name, left in kept.items():
                right = getattr(two, name)
                if (left is None) != (right is None) or not (left is None or np.array_equal(left, right)):
                    how = (
                        "source[index] and bulk() give other events" if self.has_bulk else "it changes between readings"
                    )
                    raise DataError(
                        f"{self.where}, recording {index}: {how} ({len(one.t)} and {len(two.t)}, in {name})"
                    )

    def named(self, error: DataError) -> DataError:
        """``error`` of an encoding with dataset and split before its text, unless they stand there already."""
        text = str(error)
        return error if text.startswith(self.where) else DataError(f"{self.where}, {text}")

    # -- items --------------------------------------------------------------------------------------------------

    def _item(self, index: int) -> tuple[npt.NDArray[Any], int]:
        where = f"{self.where}, recording {index}"
        item = self._answer(f"recording {index} of {len(self)}", lambda: self.source[index])
        if not isinstance(item, tuple | list) or len(item) != 2:
            size = f" of {len(item)}" if isinstance(item, tuple | list) else ""
            raise DataError(f"{where}: it is {kind_of(item)}{size}, not a pair (events, label)")
        events, label = item
        check_events(events, where)
        check_names(events.dtype.names or (), self._required, where)
        self._read_labels[index] = self._label(label, index)
        return events, self._read_labels[index]

    def _one(self, index: int) -> Bulk:
        events, _ = self[index]
        try:
            return bulk_of(events, index)
        except DataError as error:
            raise self.named(error) from None

    def _fitted(self, bulk: Bulk, numbers: Ints) -> Bulk:
        """``bulk`` in whole numbers and with only the coordinates of the sensor, those that are left out checked."""
        try:
            check_whole(bulk, numbers)
            bulk = check_fields(bulk, self.dataset.sensor_size, numbers)
        except DataError as error:
            raise self.named(error) from None
        y, p = bulk.y, bulk.p
        if "y" not in self._required and y is not None:
            if len(y) and (y.min() < 0 or y.max() > 0):
                wrong = int(np.flatnonzero(y)[0])
                raise DataError(
                    f"{self.where}, recording {_owner_of(bulk, numbers, wrong)}: an event at y = {y[wrong]}, and the sensor "
                    f"has a height of 1; declare it in sensor_size"
                )
            y = None
        if "p" not in self._required and p is not None:
            self._note_polarity(bulk, numbers)
            p = None
        return Bulk(t=bulk.t, x=bulk.x, y=y, p=p, offsets=bulk.offsets)

    def _note_polarity(self, bulk: Bulk, numbers: Ints) -> None:
        assert bulk.p is not None
        if not len(bulk.p):
            return
        found = int(bulk.p[0])  # the only one, or the bulk would have been refused
        if not 0 <= found <= 1:
            raise DataError(f"{self.where}, recording {numbers[0]}: an event at p = {found}; the polarity is 0, or 1")
        if self._polarity not in (None, found):
            low, high = sorted((found, int(self._polarity or 0)))
            first = _owner_of(bulk, numbers, 0)
            raise DataError(f"{self.where}, recording {first}: {merged_polarities(low, high)}")
        self._polarity = found

    # -- labels -------------------------------------------------------------------------------------------------

    @cached_property
    def _listed(self) -> Any:
        return self._attribute("labels")

    def _checked_labels(self, given: Any) -> Ints:
        plain = type(given) is np.ndarray and given.dtype.kind in "iu" and given.shape == (len(self),)
        if plain and not ((given < 0) | (given >= len(self.dataset.classes))).any():
            return np.asarray(given, dtype=np.int64)
        items = self._listing(given, "labels", "one label a recording")
        labels = np.array([self._label(item, index) for index, item in enumerate(items)], dtype=np.int64)
        if len(labels) != len(self):
            raise DataError(f"{self.where}: {len(labels)} labels for {len(self)} recordings")
        return labels

    def _label(self, given: Any, index: int) -> int:
        """``given`` as the index of a class; raises :class:`DataError` that says what it is instead."""
        classes = self.dataset.classes

        def refused(what: str, hint: str = "") -> DataError:
            return DataError(
                f"{self.where}: labels are no whole numbers, one a recording: that of recording {index} is {what}, not the index "
                f"of a class, 0 to {len(classes) - 1}{hint}"
            )

        # A text such as "1" would be taken for a number.
        if given is None or isinstance(given, str | bytes | Mapping):
            raise refused(
                _shown(given), f"; {_shown(given)} is class {classes.index(given)}" if given in classes else ""
            )
        try:
            with foreign_code():
                value = np.asarray(given)
        except Exception:
            raise refused(kind_of(given)) from None
        if value.ndim:
            one_hot = value.shape == (len(classes),)
            raise refused(
                f"{kind_of(given)} of shape {value.shape}", "; take the argmax of a one-hot vector" if one_hot else ""
            )
        if value.dtype.kind not in "iubf" or isinstance(given, np.ma.core.MaskedConstant):
            raise refused(_shown(given))
        number = value.item()
        if not np.isfinite(number) or number != int(number):
            raise refused(f"{number}")
        if not 0 <= number < len(classes):
            raise DataError(
                f"{self.where} recording {index} has label {int(number)}; there are {len(classes)} classes, counted from 0"
            )
        return int(number)

    # -- foreign code -------------------------------------------------------------------------------------------

    def _attribute(self, name: str) -> Any:
        return self._answer(f"its {name}", lambda: getattr(self.source, name, None))

    def _listing(self, given: Any, name: str, expected: str) -> list[Any]:
        unordered = isinstance(given, str | bytes | Mapping | set | frozenset)
        if unordered or not isinstance(given, Iterable) or (isinstance(given, np.ndarray) and not given.ndim):
            raise DataError(f"{self.where}: its {name} are {kind_of(given)}, not a sequence of {expected}")
        if isinstance(given, np.ma.MaskedArray):
            raise DataError(f"{self.where}: its {name} are a masked array, not a plain sequence of {expected}")
        if not hasattr(given, "__len__"):
            raise DataError(
                f"{self.where}: its {name} are {kind_of(given)}, which can be read only once; hand over a list"
            )
        return self._answer(f"its {name}", lambda: list(given))  # type: ignore[no-any-return]

    def _answer(self, what: str, ask: Callable[[], Any]) -> Any:
        return _answer(f"{self.where}, {what}", ask)


def check_events(events: Any, where: str) -> None:
    """Check that ``events`` are a plain structured array of one dimension.

    Raises:
        DataError: they are something else; the message starts with ``where`` and says what.
    """
    expected = "a structured array (numpy) with a row an event and fields t, x, ..."
    if not isinstance(events, np.ndarray):
        raise DataError(f"{where}: its events are {kind_of(events)}, not {expected}")
    if isinstance(events, np.ma.MaskedArray):
        raise DataError(f"{where}: its events are a masked array; leave masked events out and hand over {expected}")
    if events.dtype.names is None:
        raise DataError(
            f"{where}: its events are an array {events.shape} of {events.dtype} without fields, not {expected}"
        )
    if events.ndim != 1:
        raise DataError(f"{where}: its events have {events.ndim} dimensions, shape {events.shape}, not {expected}")
    for name in ("t", "x", "y", "p"):
        if name in events.dtype.names and (own := events.dtype[name]).shape:
            raise DataError(f"{where}: its field {name} holds {own.shape} values an event, not one")


def _answer(what: str, ask: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What a plugin's code returns; its exceptions become a :class:`DataError` that says what failed and where."""
    try:
        with foreign_code():
            return ask(*arguments, **named)
    except HandledError:
        raise
    except OSError as error:
        if error.filename is not None and error.strerror:
            raise DataError(f"{what}: {error.filename}: cannot be read: {error.strerror}") from error
        raise DataError(f"{what}: {_said(error)}") from error
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise DataError(f"{what}: {_said(error)}") from error


def _said(error: Exception) -> str:
    """What was raised and where; without a place if nothing of the plugin's own is below, as where a list ends."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    own = trace is not None and trace.tb_frame.f_code.co_filename == __file__
    return f"{type(error).__name__}: {one_line(error)}" if own else describe(error)


def _owner_of(bulk: Bulk, numbers: Ints, event: int) -> int:
    return int(numbers[int(np.searchsorted(bulk.offsets, event, side="right")) - 1])


def _shown(value: Any) -> str:
    return short_repr(value) or kind_of(value)
