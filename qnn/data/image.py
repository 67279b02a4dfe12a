# SPDX-License-Identifier: MIT
"""One picture as a raw sample of an image network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qnn.errors import QnnError
from qnn.schema import Schema

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")
MAX_PIXELS = 1 << 26


def is_image(path: Path) -> bool:
    """Does the name say that the file is a picture?"""
    return path.suffix.lower() in SUFFIXES


def read_image(path: Path, schema: Schema) -> np.ndarray:
    """Raw samples (1, H, W, C), uint8, from the picture at `path`, grey or colour as the network wants, resized to it.

    Raises QnnError if the network takes no pictures, the file is none, or Pillow is missing.
    """
    if len(schema.shape) != 3 or schema.dtype != "uint8" or schema.shape[2] not in (1, 3):
        raise QnnError(path, f"is a picture, but the network takes {schema.shape} {schema.dtype}", "give it a CSV")
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise QnnError(path, "reading pictures needs Pillow", "pip install 'qnn[image]'") from None
    height, width, channels = schema.shape
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise QnnError(path, f"has {picture.width} x {picture.height} pixels", "use a smaller picture")
            mode = picture.convert("L" if channels == 1 else "RGB")
            resized = mode if mode.size == (width, height) else mode.resize((width, height), Image.Resampling.BOX)
            return np.asarray(resized, dtype=np.uint8).reshape(1, height, width, channels)
    except FileNotFoundError:
        raise QnnError(path, "no such file", "check the name") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise QnnError(path, f"cannot be read as a picture ({error})", "save it as PNG") from None
