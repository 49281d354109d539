"""Damage files in every way that disks, editors and strangers do, from a seed."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOSTILE_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**70,
    10**280,
    -1.5,
    1e300,
    "",
    "x",
    "\x1b[31m\x00\u202e",
    "../../etc/passwd",
    "a" * 10_000,
    [],
    {},
    [None],
    {"": None},
    [[[[]]]],
    {"error": 3},
    {"name": {}, "parameters": []},
)
HOSTILE_TEXTS: tuple[bytes, ...] = (
    b"",
    b"\0" * 100,
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b"null",
    b"[]",
    b"3",
    b'"text"',
    b"[" * 200_000,
    b'{"a":' * 100_000,
    b"[" * 50 + b"]" * 50,
    b'{"schema": NaN}',
    b'{"schema": 1e999}',
    b'{"schema": ' + b"9" * 5_000 + b"}",
    b'{"schema": 1, "schema": 1}',
    b'{"schema": "\\ud800"}',
    b"[" + b"[]," * 1_500_000 + b"[]]",
    b"{" + b" " * 1_000_000,
    b"PK\x03\x04" + b"\xff" * 200,
    b"\x93NUMPY\x01\x00\xff\xff{'descr': '<f8'",
    b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
)


def flip_bit(content: bytes, random_: random.Random) -> bytes:
    """Return ``content`` with one bit changed."""
    damaged = bytearray(content)
    damaged[random_.randrange(len(damaged))] ^= 1 << random_.randrange(8)
    return bytes(damaged)


def cut(content: bytes, random_: random.Random) -> bytes:
    """Return the beginning of ``content``."""
    return content[: random_.randrange(len(content))]


def scramble(content: bytes, random_: random.Random) -> bytes:
    """Return ``content`` with some bytes replaced, removed or repeated."""
    damaged = bytearray(content)
    for _ in range(random_.randint(1, 8)):
        place = random_.randrange(len(damaged) + 1)
        damaged[place : place + random_.randint(0, 40)] = random_.randbytes(random_.randint(0, 40))
    return bytes(damaged)


def other_types(content: bytes, random_: random.Random) -> bytes:
    """Return JSON ``content`` with one value replaced by a hostile one, or removed; a JSON line for each line of several."""
    lines = content.splitlines()
    try:
        data, last = json.loads(content), b""
    except ValueError:  # a line each
        data, last = json.loads(lines[0]), b"\n"
    data = copy.deepcopy(data)
    places = list(_places(data))
    holder, key = random_.choice(places)
    if random_.random() < 0.2:
        del holder[key]
    else:
        holder[key] = copy.deepcopy(random_.choice(HOSTILE_VALUES))
    return json.dumps(data).encode() + last


def _places(data: Any) -> Any:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield data, key
        yield from _places(value)


def _socket(path: Path) -> None:
    # Names of sockets have at most 107 bytes.
    where = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(where)


def _enormous(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


SPECIAL_FILES: dict[str, Callable[[Path], None]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "socket": _socket,
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "loop of links": lambda path: path.symlink_to(path.name),
    "link to a folder": lambda path: path.symlink_to("/"),
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "full device": lambda path: path.symlink_to("/dev/full"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "enormous": _enormous,
}
"""What may lie in the place of a file, and how it is made there."""


def remove(path: Path) -> None:
    """Remove whatever is at ``path``."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
