# SPDX-License-Identifier: MIT
"""The .qnn container: a stored (uncompressed) zip of model.json and .npy arrays, versioned, no pickle.

The same content always gives the same bytes: fixed order, fixed dates, no compression library involved.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qnn.errors import QnnError
from qnn.files import GIBIBYTE, read_bounded
from qnn.npyheader import read_header

FORMAT = "qnn"
VERSION = 1
KINDS = ("float", "integer", "training")
DOCUMENT = "model.json"
MAX_DOCUMENT_BYTES = 16 << 20
MAX_ENTRIES = 4096
ALLOWED_DTYPES = ("|u1", "|i1", "<i2", "<u2", "<i4", "<i8", "<f4", "<f8")


@dataclass(frozen=True)
class Container:
    """What a .qnn file holds: its `kind` (one of KINDS), a JSON document and named arrays."""

    kind: str
    document: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


def pack(container: Container) -> bytes:
    """The bytes of a .qnn file; equal containers give equal bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        document = {"format": FORMAT, "version": VERSION, "kind": container.kind, **container.document}
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        archive.writestr(_entry(DOCUMENT), text.encode())
        for name, array in container.arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
            archive.writestr(_entry(f"{name}.npy"), buffer.getvalue())
    return stream.getvalue()


def unpack(data: bytes, path: Path) -> Container:
    """The container in `data`; `path` names it in errors. Raises QnnError if anything is off."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ENTRIES or any(e.compress_type != zipfile.ZIP_STORED for e in entries):
                raise QnnError(path, "is not a .qnn file (too many or compressed entries)", "make it with qnn")
            if len({entry.filename for entry in entries}) != len(entries):
                raise QnnError(path, "is not a .qnn file (two entries have one name)", "make it with qnn")
            document = _document(archive, path)
            arrays = {e.filename[:-4]: _array(archive, e.filename, path) for e in entries if e.filename != DOCUMENT}
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise QnnError(
            path, f"is not a .qnn file or is damaged ({error})", "make it with qnn train or compile"
        ) from None
    return Container(document["kind"], document, arrays)


def read(path: Path) -> Container:
    """The container in the file at `path` (bounded to 1 GiB). Raises QnnError as `unpack` does."""
    return unpack(read_bounded(path, GIBIBYTE), path)


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def _document(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    if archive.getinfo(DOCUMENT).file_size > MAX_DOCUMENT_BYTES:
        raise QnnError(path, "has an oversized description", "make it with qnn")
    try:
        document = json.loads(archive.read(DOCUMENT))
    except RecursionError:
        raise QnnError(path, "has a description nested too deeply", "make it with qnn") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise QnnError(path, "is not a .qnn file", "make it with qnn train or compile")
    version = document.get("version")
    if type(version) is not int or version != VERSION:  # True and 1.0 equal 1, and are none
        raise QnnError(path, f"has format version {version!r}; this qnn reads version {VERSION}", "update qnn")
    if document.get("kind") not in KINDS:
        raise QnnError(path, f"is of unknown kind {document.get('kind')!r}", "update qnn")
    return document


def _array(archive: zipfile.ZipFile, filename: str, path: Path) -> np.ndarray:
    if not filename.endswith(".npy"):
        raise QnnError(path, f"has an unexpected entry {filename!r}", "make it with qnn")
    stream = io.BytesIO(archive.read(filename))
    header = read_header(stream, ((1, 0),))
    if header.dtype.str not in ALLOWED_DTYPES:
        raise QnnError(path, f"array {filename!r} has type {header.dtype}", "make it with qnn")
    content = stream.read()
    # Compared before anything is allocated: a header may claim any shape.
    if math.prod(header.shape) * header.dtype.itemsize != len(content):
        raise QnnError(path, f"array {filename!r} does not have the size it claims", "make it with qnn")
    array = np.ndarray(header.shape, header.dtype, content, order="F" if header.fortran else "C")
    array.setflags(write=False)
    return array
