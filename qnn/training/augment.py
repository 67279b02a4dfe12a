# SPDX-License-Identifier: MIT
"""Images changed at random while training, so that a network learns what does not matter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

GRID_STEP = 7  # pixels
EDGE = 1e-3  # pixels before the last row or column: every corner of an interpolation lies inside the image


@dataclass(frozen=True)
class Augmentation:
    """How far images are changed, each by its own chance.

    shift: pixels in both directions. rotate: degrees to both sides. zoom: part of the size, larger and smaller.
    shear: slope of the columns. elastic: pixels (standard deviation) by which points GRID_STEP apart move on their own,
    smoothly between them (Simard et al. 2003). cutout: side of the square that is blanked, in pixels.
    """

    shift: int = 0
    rotate: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    cutout: int = 0

    @property
    def warps(self) -> bool:
        """Does it more than move images by whole pixels?"""
        return max(self.rotate, self.zoom, self.shear, self.elastic) > 0


class Warper:
    """Turns, resizes, shears and moves images, with bilinear interpolation, in buffers that are made once."""

    def __init__(self, shape: tuple[int, ...], count: int, augmentation: Augmentation) -> None:
        """`shape`: of one image (H, W, C). `count`: the most images of one call."""
        self._height, self._width, self._channels = shape
        self._limits = augmentation
        pixels = (count, self._height, self._width)
        self._rows, self._columns = (np.empty(pixels, np.float32) for _ in range(2))
        self._wholes, self._within = (np.empty(pixels, np.float32) for _ in range(2))
        self._places = np.empty(pixels, np.intp)
        self._source = np.empty((count * self._height * self._width, self._channels), np.float32)
        self._bumps = (_bumps(self._height), _bumps(self._width))
        self._corners = tuple(np.empty((*pixels, self._channels), np.float32) for _ in range(4))

    def warp(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Integer images (n, H, W, C) as changed float32 ones, valid until the next call; borders repeat outwards."""
        count = len(images)
        places, rows, columns = self._where(count, rng)
        source = self._source[: count * self._height * self._width]
        source[...] = images.reshape(-1, self._channels)
        top, right, bottom, corner = (buffer[:count] for buffer in self._corners)
        for step, buffer in ((0, top), (1, right), (self._width - 1, bottom), (1, corner)):
            places += step
            source.take(places, axis=0, out=buffer, mode="clip")
        _blend(top, right, columns)
        _blend(bottom, corner, columns)
        _blend(top, bottom, rows)
        return top

    def _where(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For every pixel of the result: the one above left of where it comes from, and how far below and right."""
        rows, columns, wholes = self._rows[:count], self._columns[:count], self._wholes[:count]
        matrix, move = _transforms(self._limits, count, rng)
        centre = ((self._height - 1) / 2, (self._width - 1) / 2)
        down = np.arange(self._height, dtype=np.float32) - np.float32(centre[0])
        right = np.arange(self._width, dtype=np.float32) - np.float32(centre[1])
        for axis, out, size in ((0, rows, self._height), (1, columns, self._width)):
            start = matrix[:, axis, 0, None] * down + (move[:, axis, None] + np.float32(centre[axis]))  # (n, H)
            np.add(start[:, :, None], (matrix[:, axis, 1, None] * right)[:, None], out=out)
            if self._limits.elastic:
                out += self._field(count, rng)
            np.clip(out, np.float32(0), np.float32(max(size - 1 - EDGE, 0)), out=out)
        places, within = self._places[:count], self._within[:count]
        np.floor(rows, out=wholes)
        rows -= wholes
        np.multiply(wholes, np.float32(self._width), out=within)  # exact: an image has less than 2**24 pixels
        np.floor(columns, out=wholes)
        columns -= wholes
        within += wholes
        np.copyto(places, within, casting="unsafe")
        places += np.arange(count).reshape(-1, 1, 1) * (self._height * self._width)
        return places, rows[..., None], columns[..., None]

    def _field(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """float32 (n, H, W): a smooth random displacement, in pixels."""
        down, right = self._bumps
        points = rng.standard_normal((count, down.shape[1], right.shape[1]), np.float32)
        points *= np.float32(self._limits.elastic)
        return np.asarray(down @ points @ right.T)


def cut(images: np.ndarray, side: int, rng: np.random.Generator) -> None:
    """Set a square of `side` pixels of each of images (n, H, W, C) to 0, in place (DeVries and Taylor 2017)."""
    count, height, width, _ = images.shape
    top, left = rng.integers(0, height, count), rng.integers(0, width, count)
    inside = []
    for first, size in ((top, height), (left, width)):
        offset = np.arange(size) - (first.reshape(-1, 1) - side // 2)
        inside.append((offset >= 0) & (offset < side))
    images[inside[0][:, :, None] & inside[1][:, None]] = 0.0


def shifted(images: np.ndarray, padded: np.ndarray, shift: int, rng: np.random.Generator) -> np.ndarray:
    """Each of images (n, H, W, C) moved by -shift..shift pixels in both directions; its border repeats outwards.

    `padded`: a buffer (n, H + 2 * shift, W + 2 * shift, C).
    """
    count, height, width, channels = images.shape
    padded[:, shift : shift + height, shift : shift + width] = images
    padded[:, :shift, shift : shift + width] = images[:, :1]
    padded[:, shift + height :, shift : shift + width] = images[:, -1:]
    padded[:, :, :shift] = padded[:, :, shift : shift + 1]
    padded[:, :, shift + width :] = padded[:, :, shift + width - 1 : shift + width]
    n, h, w, c = padded.strides
    places = 2 * shift + 1
    windows = np.lib.stride_tricks.as_strided(
        padded, (count, places, places, height, width, channels), (n, h, w, h, w, c), writeable=False
    )
    down, right = rng.integers(0, places, (2, count))
    return np.asarray(windows[np.arange(count), down, right])


def _transforms(limits: Augmentation, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """float32 (n, 2, 2) and (n, 2): where a pixel comes from, relative to the centre: matrix @ (row, column) + move."""
    turn, zoom, shear, *move = rng.uniform(-1, 1, (5, count))
    angle, size, slope = turn * math.radians(limits.rotate), 1 + zoom * limits.zoom, shear * limits.shear
    cosine, sine = np.cos(angle) * size, np.sin(angle) * size
    rows = np.stack([cosine, -sine], axis=1)
    columns = np.stack([sine + slope * cosine, cosine - slope * sine], axis=1)
    matrix = np.stack([rows, columns], axis=1).astype(np.float32)
    return matrix, (np.stack(move, axis=1) * limits.shift).astype(np.float32)


def _bumps(size: int) -> np.ndarray:
    """float32 (size, points): the weight of each point of a grid along a side, a bell around it.

    The squares of a pixel's weights sum to 1, so that every pixel moves as far as the points do.
    """
    points = np.linspace(0, size - 1, max(2, round(size / GRID_STEP) + 1))
    weights = np.exp(-0.5 * ((np.arange(size)[:, None] - points) / (0.6 * GRID_STEP)) ** 2)
    return (weights / np.sqrt((weights**2).sum(axis=1, keepdims=True))).astype(np.float32)


def _blend(first: np.ndarray, second: np.ndarray, part: np.ndarray) -> None:
    """first += part * (second - first), in place; spoils `second`."""
    second -= first
    second *= part
    first += second
