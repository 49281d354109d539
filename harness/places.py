"""Where things lie: data, the frame cache, results; and what to say where nothing can be written there."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile

from .errors import UsageError

_ANY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
# What the system says of a place that is in the way, not one's own, or full: a user's to mend.
REFUSED = frozenset(
    (
        errno.EACCES,
        errno.EDQUOT,
        errno.EEXIST,
        errno.EFBIG,
        errno.EISDIR,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    )
)
# What names each folder, for those who must name another.
RESULTS = "--results or HARNESS_RESULTS"
CACHE = "--cache or HARNESS_CACHE"


def _cache_home() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "snn-harness"
    except RuntimeError:
        raise UsageError("there is no home folder; name folders with HARNESS_CACHE and HARNESS_DATA") from None


def _place(given: str | Path | None, variable: str, fallback: Callable[[], Path]) -> Path:
    named = given or os.environ.get(variable)
    return Path(named).expanduser().absolute() if named else fallback()


def _there(folder: Path) -> Path:
    """``folder``, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.absolute().parents) if os.path.exists(place))


def data_folder(given: str | Path | None = None) -> Path:
    """The folder that holds datasets: ``given``, else ``HARNESS_DATA``, else one below the user's cache."""
    return _place(given, "HARNESS_DATA", lambda: _cache_home() / "data")


def cache_folder(given: str | Path | None = None) -> Path:
    """The folder that holds encoded frames: ``given``, else ``HARNESS_CACHE``, else one below the user's cache."""
    return _place(given, "HARNESS_CACHE", _cache_home)


def kernels_environment(cache: Path, beside: Path = Path(__file__).parent) -> dict[str, str]:
    """What a process that computes is told where compiled kernels cannot be kept ``beside`` their source: to use ``cache``.

    numba refuses to compile where it may write neither there nor in the home folder. What a user sets wins.
    """
    if "NUMBA_CACHE_DIR" in os.environ or os.access(beside, os.W_OK) or not os.access(_there(cache), os.W_OK):
        return {}
    return {"NUMBA_CACHE_DIR": str(cache / "kernels")}


@contextlib.contextmanager
def cache_named(given: str | Path | None) -> Iterator[None]:
    """``given``, if any, is ``HARNESS_CACHE`` inside: datasets unpack there, and look there again, by this alone."""
    if given is None:
        yield
        return
    before = os.environ.get("HARNESS_CACHE")
    os.environ["HARNESS_CACHE"] = str(cache_folder(given))
    try:
        yield
    finally:
        if before is None:
            del os.environ["HARNESS_CACHE"]
        else:
            os.environ["HARNESS_CACHE"] = before


def results_folder(given: str | Path | None = None) -> Path:
    """The folder that holds runs: ``given``, else ``HARNESS_RESULTS``, else ``results`` here."""
    return _place(given, "HARNESS_RESULTS", Path("results").absolute)


@contextlib.contextmanager
def writing(place: Path, named_by: str) -> Iterator[None]:
    """What the system refuses inside is a :class:`UsageError` that names ``place`` and what names another, in one line."""
    try:
        yield
    except BrokenPipeError:
        raise  # a reader that left: nothing of it lies in a folder
    except OSError as error:
        raise UsageError(f"{place}: cannot be written: {reason(error)}; name a folder with {named_by}") from None


def reason(error: OSError) -> str:
    """Why the system refused, in a few words."""
    return "it is no folder" if error.errno == errno.EEXIST else error.strerror or str(error)


def check_writable(folder: Path, named_by: str) -> None:
    """Make ``folder`` and try it with a file that leaves nothing; raises :class:`UsageError` where that is refused."""
    with writing(folder, named_by):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as file:
            file.write(b"x" * 4096)
            file.flush()


def sealed(folder: Path) -> bool:
    """Whether nobody may write in ``folder``, or in the nearest folder above it that is there: root too leaves it as it is."""
    place = _there(folder)
    # As some systems package them, nobody may write in / or in root's home; root does all the same.
    packaged = (Path(place.anchor), Path(os.path.expanduser("~")))
    return place not in packaged and not place.stat().st_mode & _ANY_WRITE


@contextlib.contextmanager
def kept_if_used(folder: Path) -> Iterator[None]:
    """Make ``folder`` for what is written inside; of what was made for it, that which is empty in the end goes away again."""
    made = [place for place in (folder, *folder.parents) if not os.path.exists(place)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for place in made:
            with contextlib.suppress(OSError):
                place.rmdir()
