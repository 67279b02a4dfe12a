# SPDX-License-Identifier: MIT
"""The scales file: the calibrated range of every tensor, readable, editable, reusable (SPEC 7.2)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from qnn.errors import QnnError
from qnn.files import read_bounded, write_whole
from qnn.outputs import Kind, check_replaceable, json_of
from qnn.ranges import CLIPPED_BITS, Clip, Range
from qnn.schemafile import Document

FORMAT, VERSION = "qnn-scales", 1
MAX_BYTES = 16 << 20
SCALES = Kind("a scales file", lambda path: json_of(path).get("format") == FORMAT)


@dataclass(frozen=True)
class TensorRange:
    """The Range of the float model's tensor `name`."""

    name: str
    range: Range


@dataclass(frozen=True)
class Scales:
    """What calibration found: ranges, not steps, so that one file serves every width.

    method: how low and high were chosen. samples: how many were looked at.
    input_low, input_high: raw range per feature, beyond which readings saturate; empty where raw values are
    taken as they are.
    equalized: the ranges are those of the network with equalized weights (qnn.equalization), which is then quantized.
    """

    method: str
    samples: int
    input_low: tuple[int, ...]
    input_high: tuple[int, ...]
    tensors: tuple[TensorRange, ...]
    equalized: bool = False

    def range_of(self, name: str) -> Range:
        """The range of the tensor called `name`. Raises QnnError if the file lacks it."""
        for tensor in self.tensors:
            if tensor.name == name:
                return tensor.range
        raise QnnError("scales", f"there is no range for {name!r}", "calibrate this model: qnn calibrate MODEL")


def scales_bytes(scales: Scales) -> bytes:
    """The scales file: JSON, one line a tensor."""
    tensors = ",\n".join(
        "  " + json.dumps({"name": tensor.name, **_range_document(tensor.range)}, allow_nan=False)
        for tensor in scales.tensors
    )
    head = {"format": FORMAT, "version": VERSION, "method": scales.method, "samples": scales.samples}
    head |= {"input_low": list(scales.input_low), "input_high": list(scales.input_high)}
    head |= {"equalized": True} if scales.equalized else {}
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items())
    return f'{{\n{lines},\n "tensors": [\n{tensors}\n ]\n}}\n'.encode()


def save_scales(scales: Scales, path: Path) -> None:
    """Write the scales file, whole or not at all. Raises QnnError where something else is at `path`."""
    check_replaceable([(path, SCALES)])
    write_whole(path, scales_bytes(scales))


def load_scales(path: Path) -> Scales:
    """The Scales in the file at `path`. Raises QnnError naming file and field."""
    try:
        values = json.loads(read_bounded(path, MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise QnnError(path, f"is not a scales file ({error})", "make one with qnn calibrate") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise QnnError(path, "is not a scales file", "make one with qnn calibrate")
    return read_scales(Document(values, path))


def read_scales(document: Document) -> Scales:
    """The Scales in a document of that format. Raises QnnError naming file and field."""
    path, version = document.path, document.integer("version")
    if version != VERSION:
        raise QnnError(path, f"has version {version}; this qnn reads version {VERSION}", "update qnn")
    tensors = tuple(TensorRange(item.text("name"), _read_range(item)) for item in document.list("tensors"))
    names = [tensor.name for tensor in tensors]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise QnnError(path, f"names the tensor {doubled!r} twice", "keep one of them")
    return Scales(
        method=document.text("method"),
        samples=document.integer("samples"),
        input_low=document.integers("input_low"),
        input_high=document.integers("input_high"),
        tensors=tensors,
        equalized=document.truth("equalized") if "equalized" in document.values else False,
    )


def _range_document(found: Range) -> dict[str, object]:
    """As JSON; clips only where there are any."""
    document = asdict(found)
    if not found.clips:
        del document["clips"]
    return document


def _read_range(item: Document) -> Range:
    name = item.text("name")
    try:
        minimum, maximum, low, high = (item.magnitude(key) for key in ("minimum", "maximum", "low", "high"))
        found = Range(minimum, maximum, low, high, _read_clips(item))
    except QnnError as error:
        raise QnnError(item.path, f"tensor {name!r}: {error.problem}", error.remedy) from None
    bounds = [(found.low, found.high), *((clip.low, clip.high) for clip in found.clips)]
    if found.minimum > found.maximum or not all(low <= 0 <= high for low, high in bounds):
        raise QnnError(item.path, f"the range of {name!r} is not in order", "keep minimum <= maximum, low <= 0 <= high")
    return found


def _read_clips(item: Document) -> tuple[Clip, ...]:
    """The clips of a range, which older files lack."""
    documents = item.list("clips") if "clips" in item.values else ()
    clips = tuple(Clip(one.integer("bits"), one.magnitude("low"), one.magnitude("high")) for one in documents)
    if any(clip.bits not in CLIPPED_BITS for clip in clips) or len({clip.bits for clip in clips}) != len(clips):
        raise QnnError(item.path, "its clips are not of 4 to 7 bits, each once", "calibrate this model: qnn calibrate")
    return clips
