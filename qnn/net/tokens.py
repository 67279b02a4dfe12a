# SPDX-License-Identifier: MIT
"""NET as text becomes words with arguments, and blocks with branches of them; what they mean is not known here."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from qnn.errors import QnnError

SUBJECT = "--net"
MAX_TEXT = 4096
MAX_DEPTH = 8
NUMBER = re.compile(r"[-+]?[0-9]{0,9}(\.[0-9]{0,9})?(e[-+]?[0-9]{1,2})?\Z")
SIZE = re.compile(r"[0-9]{1,5}(x[0-9]{1,5}){1,2}\Z")
TOKEN = re.compile(r"[(),;]|[^\s(),;]+")
EXAMPLE = 'write "dense 64 relu, dense 10"'
BLOCKS = ("residual", "concat")
STRIDE, SAME, VALID, PAD, MULTIPLIER = "stride", "same", "valid", "pad", "mult"


@dataclass(frozen=True)
class Call:
    """A word with what follows it: numbers or sizes ("3", "3x3"), and those after its options, by option."""

    name: str
    numbers: tuple[str, ...] = ()
    options: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def option(self, name: str) -> tuple[str, ...] | None:
        """The numbers after the option `name`; None without it."""
        return next((numbers for option, numbers in self.options if option == name), None)


@dataclass(frozen=True)
class Block:
    """residual(...) with one branch, concat(...; ...) with several."""

    name: str
    branches: tuple[tuple[Syntax, ...], ...]


Syntax = Call | Block
Options = dict[str, tuple[str, ...]]  # the options that each word may have


@dataclass
class _Reader:
    """Tokens, and where reading is."""

    tokens: list[str]
    options: Options
    place: int = 0
    depth: int = field(default=0)

    def peek(self) -> str:
        """The next token; "" at the end."""
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self) -> str:
        """The next token, which is read."""
        self.place += 1
        return self.tokens[self.place - 1]


def read_syntax(text: str, options: Options) -> tuple[Syntax, ...]:
    """NET's words in order. Raises QnnError for text that is too long or not made of words, numbers and blocks."""
    if len(text) > MAX_TEXT:
        raise QnnError(
            SUBJECT, f"has {len(text)} characters, more than the {MAX_TEXT} allowed", "use a smaller network"
        )
    reader = _Reader(TOKEN.findall(text.lower()), options)
    found = _list(reader)
    if reader.peek():
        raise QnnError(SUBJECT, f"has a {reader.peek()!r} that belongs to no residual( or concat(", "remove it")
    return found


def is_number(token: str) -> bool:
    """Is the token one number, such as 3, -0.5 or 1e-3?"""
    return bool(NUMBER.match(token)) and any(character.isdigit() for character in token)


def _list(reader: _Reader) -> tuple[Syntax, ...]:
    """Parts with commas between, up to what closes them."""
    items: list[Syntax] = []
    while True:
        before = len(items)
        items += _part(reader)
        if len(items) == before:
            raise QnnError(SUBJECT, "has nothing between two commas or at an end", EXAMPLE)
        if reader.peek() != ",":
            return tuple(items)
        reader.take()


def _part(reader: _Reader) -> Iterator[Syntax]:
    """Words up to the next comma or bracket."""
    name = ""
    while reader.peek() not in ("", ",", ";", ")"):
        before, name = name, reader.take()
        if name == "(" and before:
            near = difflib.get_close_matches(before, BLOCKS, 1, 0.5)
            remedy = f"did you mean {near[0]!r}?" if near else f"only {' and '.join(BLOCKS)} have brackets"
            raise QnnError(SUBJECT, f"has a bracket behind {before[:40]!r}", remedy)
        if not name[0].isalpha():
            raise QnnError(SUBJECT, f"has {name[:40]!r} where a word should be", EXAMPLE)
        yield _block(reader, name) if name in BLOCKS else _call(reader, name)


def _call(reader: _Reader, name: str) -> Call:
    call = Call(name, _numbers(reader))
    while reader.peek() in reader.options.get(name, ()):
        option = reader.take()
        if call.option(option) is not None:
            raise QnnError(SUBJECT, f"says {option!r} twice after {name!r}", "say it once")
        call = replace(call, options=(*call.options, (option, _numbers(reader))))
    return call


def _numbers(reader: _Reader) -> tuple[str, ...]:
    found: list[str] = []
    while is_number(reader.peek()) or SIZE.match(reader.peek()):
        found.append(reader.take())
    return tuple(found)


def _block(reader: _Reader, name: str) -> Block:
    if reader.peek() != "(":
        raise QnnError(SUBJECT, f"has {name!r} without a bracket after it", f'write "{_usage(name)}"')
    reader.take()
    reader.depth += 1
    if reader.depth > MAX_DEPTH:
        raise QnnError(SUBJECT, f"has more than {MAX_DEPTH} brackets inside each other", "use fewer")
    branches = [_list(reader)]
    while reader.peek() == ";":
        reader.take()
        branches.append(_list(reader))
    if reader.peek() != ")":
        raise QnnError(SUBJECT, f"has a {name}( that is not closed", 'append ")"')
    reader.take()
    reader.depth -= 1
    if (len(branches) > 1) != (name == "concat"):
        raise QnnError(SUBJECT, f"has a {name} of {len(branches)} branches", f'write "{_usage(name)}"')
    return Block(name, tuple(branches))


def _usage(name: str) -> str:
    inner = "conv 3x3 8 bn relu, conv 3x3 8 bn" if name == "residual" else "conv 1x1 8 relu; conv 3x3 8 relu"
    return f"{name}({inner})"
