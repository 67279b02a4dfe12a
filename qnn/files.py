# SPDX-License-Identifier: MIT
"""Reading with a bound, writing whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from qnn.errors import QnnError

GIBIBYTE = 1 << 30
StrPath = str | os.PathLike[str]  # what a user may give as a path


def read_bounded(path: Path, limit: int = GIBIBYTE) -> bytes:
    """The bytes of the file at `path`.

    Raises QnnError if it is missing, not a file, empty, unreadable or larger than `limit` bytes.
    """
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise QnnError(path, "is a folder", "name a file in it")
        if not path.is_file():
            raise QnnError(path, "is not a file", "name a file")
        if size > limit:
            raise QnnError(path, f"has {size} bytes, more than the {limit} allowed", "use a smaller file")
        data = path.read_bytes()
    except FileNotFoundError:
        raise QnnError(path, "no such file", "check the name") from None
    except OSError as error:
        raise QnnError(path, f"cannot be read ({error.strerror})", "check its permissions") from None
    if not data:
        raise QnnError(path, "is empty", "use a file with content")
    return data


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all (temporary file in the same folder, then rename)."""
    write_all_whole([(path, data)])


def write_all_whole(outputs: Sequence[tuple[Path, bytes]]) -> None:
    """Write several files; every byte is on disk before the first name changes.

    A symlink's target is written, not the link; a file keeps its mode. Raises QnnError if a folder cannot be made or
    written, or a target is no regular file; what was there before is then put back.
    """
    staged: list[_Staged] = []
    path = Path()
    try:
        for path, data in outputs:
            staged.append(_stage(path, data))
        for i, item in enumerate(staged if len(staged) > 1 else ()):
            staged[i] = replace(item, backup=_backup(item.target))
        for item in staged:
            path = item.path
            os.replace(item.temporary, item.target)
    except OSError as error:
        _roll_back(staged)
        problem = f"cannot be written ({error.strerror or error})"
        raise QnnError(path, problem, "check the folder and the free space") from None
    except BaseException:
        _roll_back(staged)
        raise
    finally:
        for item in staged:
            for leftover in (item.temporary, item.backup):
                if leftover is not None:
                    leftover.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Staged:
    """A file that is ready to become `target`, which is where `path` leads.

    backup: another name of what `target` was; None if there was nothing, or nothing else is written.
    """

    path: Path
    temporary: Path
    target: Path
    backup: Path | None = None


def _stage(path: Path, data: bytes) -> _Staged:
    """A temporary file beside the target of `path` that holds `data`, flushed to disk."""
    try:
        target = path.resolve()
    except RuntimeError:  # what Python before 3.13 makes of a loop of symlinks
        raise QnnError(path, "is a loop of symlinks", "name a file") from None
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = _mode_of(path, target)
    temporary = _beside(target)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if mode is not None:
            temporary.chmod(mode)
    except BaseException:
        temporary.unlink()
        raise
    return _Staged(path, temporary, target)


def _mode_of(path: Path, target: Path) -> int | None:
    """The permissions of the file `target`, None if there is none. Raises QnnError if it is no regular file."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        what = "is a folder" if stat.S_ISDIR(mode) else "is not a regular file"
        raise QnnError(path, f"cannot be written ({what})", "name another file")
    return stat.S_IMODE(mode)


def _backup(target: Path) -> Path | None:
    """Another name for what is at `target`: a link, or a copy where the file system has no links."""
    if not target.exists():
        return None
    backup = _beside(target)
    try:
        backup.hardlink_to(target)
    except OSError:
        try:
            shutil.copy2(target, backup)
        except BaseException:
            backup.unlink(missing_ok=True)
            raise
    return backup


def _roll_back(staged: Sequence[_Staged]) -> None:
    """Undo the renames that were done: those whose temporary file is gone."""
    for item in staged:
        if item.temporary.exists():
            continue
        with suppress(OSError):
            if item.backup is not None:
                os.replace(item.backup, item.target)
            else:
                item.target.unlink()


def _beside(target: Path) -> Path:
    """A name in the folder of `target` that nobody uses."""
    return target.with_name(f".qnn-{secrets.token_hex(8)}.tmp")
