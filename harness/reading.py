"""Open and parse files without trusting them: regular files only, of bounded size, strict text and strict JSON."""

from __future__ import annotations

import codecs
import json
import os
import re
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, NoReturn

from .errors import DataError
from .text import one_line

JSON_LIMIT = 32 << 20
"""Bytes of the largest JSON file that is read; a run of 100,000 trials has half of it."""

_DEEPEST = 64
_MOST_CONTAINERS = 1_000_000
# Longer integers fit no float, and Python refuses to read those of more than 4,300 digits.
_MOST_DIGITS = 300
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
# Numbers that may be beyond a float; hexadecimal text may look like one, which costs time only.
_LONG_NUMBER = re.compile(rb"[0-9]{300}|[0-9.][eE]\+?[0-9]{3}")
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class MissingFileError(DataError):
    """A file that does not exist, or a link to one."""


class RefusedFileError(DataError):
    """A file that the system does not let this process read; its content may be sound."""


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading; never waits for a pipe and never touches a device.

    Args:
        path: the file, or a link to it.

    Returns:
        The file, open in binary mode.

    Raises:
        MissingFileError: nothing is there.
        RefusedFileError: the system refuses, such as for missing permissions.
        DataError: a folder, pipe, socket, device or a loop of links is there.
    """
    try:
        # First, since opening alone may already do something to a device.
        _refuse_special(os.stat(path).st_mode, path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        dangling = "a link to nothing" if os.path.islink(path) else "No such file or directory"
        raise MissingFileError(f"{one_line(path)}: {dangling}") from None
    except OSError as error:
        raise _refusal(path, error) from None
    except ValueError as error:  # a NUL character in the name
        raise MissingFileError(f"{one_line(path)}: {one_line(error)}") from None
    file = os.fdopen(descriptor, "rb")
    try:
        _refuse_special(os.fstat(descriptor).st_mode, path)
    except BaseException:
        file.close()
        raise
    return file


def check_regular(path: Path) -> None:
    """Raise what :func:`open_regular` raises, for a path that a library is about to open itself."""
    open_regular(path).close()


def _refuse_special(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        raise DataError(f"{one_line(path)}: {_KINDS.get(stat.S_IFMT(mode), 'something else')}, not a file")


def _refusal(path: Path, error: OSError) -> DataError:
    import errno

    message = f"{one_line(path)}: cannot be read: {one_line(error.strerror or error)}"
    # Nobody can read a loop or such a name, so that nothing sound can be behind it.
    return (DataError if error.errno in (errno.ELOOP, errno.ENAMETOOLONG) else RefusedFileError)(message)


def read_bytes(path: Path, limit: int = JSON_LIMIT) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes; raises as :func:`open_regular` does."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise DataError(f"{one_line(path)}: {size:,} bytes, and at most {limit:,} are read; is it another file?")
        try:
            # Files that grow, and those of /proc, hold more than their size says.
            content = file.read(limit + 1)
        except OSError as error:
            raise _refusal(path, error) from None
    if len(content) > limit:
        raise DataError(f"{one_line(path)}: more than the {limit:,} bytes that are read; is it another file?")
    return content


def read_text(path: Path, limit: int = JSON_LIMIT) -> str:
    """Return the text of a UTF-8 file of at most ``limit`` bytes; raises as :func:`open_regular` does."""
    return decode(read_bytes(path, limit), one_line(path))


def decode(content: bytes, where: str) -> str:
    """Return ``content`` as strict UTF-8, with or without the byte order mark that some editors write.

    Raises:
        DataError: one line that names ``where`` and the byte that is wrong.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise DataError(f"{where}: it is UTF-16; save it as UTF-8") from None
        raise DataError(f"{where}: damaged: not text in UTF-8 (byte {error.start}: {error.reason})") from None


def read_json(path: Path, limit: int = JSON_LIMIT) -> dict[str, Any]:
    """Return the JSON object that a file holds; raises as :func:`open_regular` and :func:`parse_object` do."""
    return parse_object(read_bytes(path, limit), one_line(path))


def parse_object(content: bytes, where: str) -> dict[str, Any]:
    """Return the JSON object in ``content``; raises as :func:`parse_json` does, and for any other value."""
    data = parse_json(content, where)
    if not isinstance(data, dict):
        raise DataError(f"{where}: damaged: not an object of JSON")
    return data


def parse_json(content: bytes, where: str) -> Any:
    """Return the value in ``content``, in bounded time and memory.

    Refused are: text that is not UTF-8, deep nesting, names that occur twice in an object, NaN and infinities, numbers
    beyond a float, and halves of surrogate pairs.

    Args:
        content: JSON text in UTF-8.
        where: the name of the file, for messages.

    Raises:
        DataError: one line with ``where`` and what is wrong.
    """
    try:
        text = decode(content, where)
        _refuse_structure(content)
        strict: dict[str, Any] = {}
        if _LONG_NUMBER.search(content):
            strict = {"parse_int": _integer, "parse_float": _float}
        data = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique, **strict)
        if _HALF_PAIR.search(text):
            _refuse_half_pairs(data)
    except (ValueError, RecursionError, MemoryError) as error:
        raise DataError(f"{where}: damaged: not JSON: {one_line(error) or type(error).__name__}") from None
    return data


def _refuse_structure(content: bytes) -> None:
    """Refuse deep nesting and too many containers; brackets within text count too, which only the slow way tells apart."""
    brackets = content.translate(None, _NOT_BRACKETS)
    if len(brackets) > 2 * _MOST_CONTAINERS:
        raise ValueError("it holds more than a million lists and objects")
    for _ in range(_DEEPEST):
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not brackets:
            return
    depth, inside = 0, False
    for found in re.finditer(rb'\\.|["\[\]{}]', content, re.DOTALL):
        mark = found.group()
        if mark == b'"':
            inside = not inside
        elif not inside and len(mark) == 1:
            depth += 1 if mark in b"[{" else -1
            if depth > _DEEPEST:
                raise ValueError("it is nested too deeply")


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{one_line(twice, 40)!r} stands twice in one object")
    return made


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is beyond every float")
    return value


def _refuse_half_pairs(data: Any) -> None:
    try:
        for part in json.JSONEncoder(ensure_ascii=False).iterencode(data):
            part.encode()
    except UnicodeEncodeError:
        raise ValueError("half a surrogate pair, which is no text (surrogates not allowed)") from None


def read_lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number (from 1) and content of every line that is not blank; a byte order mark is none of the first."""
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if line.strip():
            yield number, line


def read_tail(path: Path, size: int) -> str:
    """Return the last ``size`` bytes of a file as text, undecodable bytes replaced; the empty string if it cannot be read."""
    try:
        with open_regular(path) as file:
            file.seek(max(os.fstat(file.fileno()).st_size - size, 0))
            return file.read(size).decode("utf-8", errors="replace")
    except (DataError, OSError):
        return ""
