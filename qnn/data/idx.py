# SPDX-License-Identifier: MIT
"""IDX files (the format of MNIST): a magic number, big-endian sizes, bytes; gzipped or not.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section "File formats".
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from qnn.data.arrays import labels_of_array
from qnn.data.options import LoadOptions, check_memory
from qnn.data.table import Table
from qnn.errors import QnnError

UNSIGNED_BYTE = 8
TRAIN, TEST = "train", "t10k"
GZIP_RATIO = 1040  # deflate cannot do better than 1032 to 1
BLOCK = 1 << 20


def find_idx(folder: Path) -> dict[str, Path]:
    """The IDX files in `folder`, by "train-images", "train-labels", "t10k-images" and "t10k-labels"."""
    found: dict[str, Path] = {}
    for part in (TRAIN, TEST):
        for kind, dimensions in (("images", 3), ("labels", 1)):
            for name in (f"{part}-{kind}-idx{dimensions}-ubyte", f"{part}-{kind}.idx{dimensions}-ubyte"):
                for path in (folder / name, folder / f"{name}.gz"):
                    if path.is_file():
                        found.setdefault(f"{part}-{kind}", path)
    return found


def read_idx_folder(folder: Path, options: LoadOptions) -> Table:
    """Images (N, H, W, 1) uint8 and their labels; the t10k files, if there are any, are the test part.

    Raises QnnError for files that are missing, damaged, of another kind or in disagreement.
    """
    files = find_idx(folder)
    parts = [part for part in (TRAIN, TEST) if f"{part}-images" in files or f"{part}-labels" in files]
    if not parts:
        raise QnnError(folder, "holds no IDX files", "it should hold train-images-idx3-ubyte(.gz) and the like")
    images, labels = [], []
    room = options.max_memory // 2  # the parts and their union exist at the same time
    for part in parts:
        for kind in ("images", "labels"):
            if f"{part}-{kind}" not in files:
                raise QnnError(folder, f"lacks {part}-{kind}-idx{3 if kind == 'images' else 1}-ubyte(.gz)", "add it")
        images.append(read_idx(files[f"{part}-images"], 3, room))
        labels.append(read_idx(files[f"{part}-labels"], 1, room))
        room -= images[-1].nbytes
        if len(images[-1]) != len(labels[-1]):
            problem = f"has {len(images[-1]):,} images, its labels file {len(labels[-1]):,} labels"
            raise QnnError(files[f"{part}-images"], problem, "get both again")
    if images[0].shape[1:] != images[-1].shape[1:]:
        raise QnnError(folder, "has training and test images of different sizes", "get the files again")
    x = np.concatenate(images)[..., None] if len(images) > 1 else images[0][..., None]
    test = len(images[1]) if len(images) > 1 else 0
    return Table(x, (), labels_of_array(np.concatenate(labels), str(folder), options.task), test)


def read_idx(path: Path, dimensions: int, max_bytes: int) -> np.ndarray:
    """The array of unsigned bytes in the IDX file at `path`. Raises QnnError if it is anything else, or larger."""
    try:
        size = path.stat().st_size
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
            return _read(stream, path, dimensions, max_bytes, size * (GZIP_RATIO if packed else 1))
    except FileNotFoundError:
        raise QnnError(path, "no such file", "check the name") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise QnnError(path, f"is a damaged gzip file ({error})", "get it again") from None
    except OSError as error:
        raise QnnError(path, f"cannot be read ({error.strerror})", "check its permissions") from None


def _read(stream: BinaryIO, path: Path, dimensions: int, max_bytes: int, possible: int) -> np.ndarray:
    magic = stream.read(4)
    if not magic:
        raise QnnError(path, "is empty", "get it again")
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise QnnError(path, "is not an IDX file (its magic number is wrong)", "get it again")
    if magic[2] != UNSIGNED_BYTE or magic[3] != dimensions:
        problem = f"holds IDX type {magic[2]} in {magic[3]} dimensions, not bytes (type 8) in {dimensions}"
        raise QnnError(path, problem, "use MNIST's kind of file")
    header = stream.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise QnnError(path, "is truncated within its header", "get it again")
    shape = tuple(int(size) for size in np.frombuffer(header, dtype=">u4"))
    count = math.prod(shape)
    if count == 0:
        raise QnnError(path, f"has no content (its size is {'x'.join(map(str, shape))})", "get it again")
    check_memory(path, count, max_bytes, f"its {count:,} bytes")
    if count > possible:
        raise QnnError(path, f"is truncated: its header promises {count:,} bytes", "get it again")
    data = np.empty(count, dtype=np.uint8)
    view, done = data.data, 0
    while done < count:
        block = stream.read(min(BLOCK, count - done))
        if not block:
            raise QnnError(path, f"is truncated: {done:,} of {count:,} bytes", "get it again")
        view[done : done + len(block)] = block
        done += len(block)
    if stream.read(1):
        raise QnnError(path, f"has more bytes than the {count:,} that its header promises", "get it again")
    return data.reshape(shape)
