# SPDX-License-Identifier: MIT
"""Text to read more than once and in pieces: a file (gzipped or not) or what was typed."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from qnn.errors import QnnError

LINE_LIMIT = 16 << 20
GZIP_MAGIC = b"\x1f\x8b"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class TextSource:
    """A file at `path`, or `content` where there is none; `subject` names it in errors."""

    subject: str
    path: Path | None = None
    content: bytes = b""

    @property
    def size(self) -> int:
        """Bytes, as stored."""
        return self.path.stat().st_size if self.path else len(self.content)

    @contextmanager
    def open(self) -> Iterator[tuple[TextIO, BinaryIO]]:
        """The text, and the bytes below it, whose position tells how far reading is.

        Bytes that are not UTF-8 become surrogates (`repaired` mends names). Raises QnnError for a file that is
        missing, empty, unreadable or damaged, also while the text is being read.
        """
        try:
            with cast(BinaryIO, self.path.open("rb")) if self.path else io.BytesIO(self.content) as raw:
                start = raw.read(2)
                raw.seek(0)
                if not start:
                    raise QnnError(self.subject, "is empty", "use a file with content")
                if start in UTF16_MARKS:
                    raise QnnError(self.subject, "is UTF-16 text", "save it as UTF-8")
                unpacked = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if start == GZIP_MAGIC else raw
                with io.TextIOWrapper(unpacked, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
                    yield text, raw
        except FileNotFoundError:
            raise QnnError(self.subject, "no such file", "check the name") from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise QnnError(self.subject, f"is a damaged gzip file ({error})", "get it again") from None
        except OSError as error:
            raise QnnError(self.subject, f"cannot be read ({error.strerror})", "check its permissions") from None


def lines(text: TextIO, subject: str, strip: bool) -> Iterator[str]:
    """The lines of `text`, with blanks around them removed if `strip`. Raises QnnError if it is no text."""
    while line := text.readline(LINE_LIMIT):
        if len(line) == LINE_LIMIT:
            raise QnnError(subject, f"has a line of more than {LINE_LIMIT >> 20} MiB", "is it a table of text?")
        if "\0" in line:
            raise QnnError(subject, "is not text (it has zero bytes)", "use CSV, a folder of IDX files or .npz")
        yield line.strip(" \r\n") + "\n" if strip else line


def repaired(text: str) -> str:
    """`text` with its bytes that were not UTF-8 read as Windows-1252, which they nearly always are."""
    if text.isascii() or not any("\udc80" <= c <= "\udcff" for c in text):
        return text
    return text.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
