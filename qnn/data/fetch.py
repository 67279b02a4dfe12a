# SPDX-License-Identifier: MIT
"""Download MNIST from public mirrors: checked byte for byte, whole or not at all, resumed file by file."""

from __future__ import annotations

import hashlib
import http.client
import socket
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qnn.errors import QnnError
from qnn.files import write_whole
from qnn.progress import Progress, silent

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
TIMEOUT_SECONDS = 30.0
BLOCK = 1 << 16


@dataclass(frozen=True)
class Download:
    """A file to get: its name, its exact size in bytes and its SHA-256, hex."""

    name: str
    size: int
    sha256: str


MNIST = (
    Download("train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    Download("train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    Download("t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    Download("t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)


def fetch(
    folder: Path,
    downloads: Sequence[Download] = MNIST,
    mirrors: Sequence[str] = MIRRORS,
    progress: Progress = silent,
    timeout: float = TIMEOUT_SECONDS,
) -> tuple[Path, ...]:
    """Put `downloads` into `folder` and return their paths; files that are there and whole are kept.

    Each file is tried on one mirror after the other, and appears under its name only when its size and hash are
    right. Raises QnnError if no mirror gives it, or if it cannot be written.
    """
    total, done = sum(download.size for download in downloads), 0
    paths = []
    for download in downloads:
        path = folder / download.name
        if not _is_whole(path, download):
            write_whole(path, _from_mirrors(download, mirrors, progress, done, total, timeout))
        done += download.size
        progress(done, total, download.name)
        paths.append(path)
    return tuple(paths)


def _is_whole(path: Path, download: Download) -> bool:
    try:
        if path.stat().st_size != download.size:
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == download.sha256
    except OSError:
        return False


def _from_mirrors(
    download: Download, mirrors: Sequence[str], progress: Progress, done: int, total: int, timeout: float
) -> bytes:
    """The file's bytes from the first mirror that has it whole."""
    reasons: list[str] = []
    for mirror in mirrors:
        url = mirror.rstrip("/") + "/" + download.name
        try:
            data = _get(url, download, progress, done, total, timeout)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reasons.append(f"{_host(url)}: {_reason(error)}")
            continue
        if len(data) == download.size and hashlib.sha256(data).hexdigest() == download.sha256:
            return data
        reasons.append(f"{_host(url)}: sent another file or a part of it")
    problem = f"no mirror gives it ({'; '.join(reasons)})"
    raise QnnError(download.name, problem, "check the network and run the command again; what is complete is kept")


def _get(url: str, download: Download, progress: Progress, done: int, total: int, timeout: float) -> bytes:
    """What `url` answers, at most one byte more than the file should have."""
    request = urllib.request.Request(url, headers={"User-Agent": "qnn"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        data = bytearray()
        while len(data) <= download.size:
            block = answer.read(min(BLOCK, download.size + 1 - len(data)))
            if not block:
                break
            data += block
            progress(done + min(len(data), download.size), total, download.name)
    return bytes(data)


def _host(url: str) -> str:
    return url.split("/")[2] if url.count("/") > 2 else url


def _reason(error: Exception) -> str:
    """A failed request in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"answered {error.code}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, socket.gaierror):
        return "not found; is there a network?"
    return str(cause) or type(cause).__name__
