# SPDX-License-Identifier: MIT
"""How each input is normalized, for people and for --json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from qnn.cli.console import Output
from qnn.model import Normalization
from qnn.schema import Schema
from qnn.segments import has_segments, line_of
from qnn.training.normalization import CHOICES, Fitted

SHOWN = 32


@dataclass(frozen=True)
class InputLine:
    """An input: its name, the decimals of its integers, the raw range beyond which they saturate, its normalization.

    lost: the part of its variety that 256 steps do not tell apart, None where that is unknown. exponents: of its
    segments, whose widths are powers of two; empty without.
    """

    name: str
    decimals: int
    low: int
    high: int
    kind: str
    lost: float | None
    exponents: tuple[int, ...]


def input_lines(schema: Schema, fitted: Fitted) -> tuple[InputLine, ...]:
    """One line a feature of flat samples; none for maps."""
    kinds = tuple(choice.kind for choice in fitted.choices)
    return lines_of(schema, fitted.normalization, kinds, tuple(choice.lost for choice in fitted.choices))


def lines_of(
    schema: Schema, normalization: Normalization, kinds: Sequence[str], lost: Sequence[float] = ()
) -> tuple[InputLine, ...]:
    """As `input_lines`; kinds and lost are empty where they are unknown."""
    if normalization.low.ndim == 0:
        return ()
    count, segments = len(schema.features), normalization.segments
    lined = has_segments(segments).tolist() or [False] * count
    return tuple(
        InputLine(
            feature.name,
            feature.decimals,
            int(normalization.low[i]),
            int(normalization.high[i]),
            kinds[i] if kinds else "piecewise" if lined[i] else "linear",
            lost[i] if lost else None,
            tuple(line_of(segments[i]).tolist()) if lined[i] else (),
        )
        for i, feature in enumerate(schema.features)
    )


def show_inputs(output: Output, lines: Sequence[InputLine]) -> None:
    """A table of the inputs, or of the first of many and how often each normalization occurs."""
    if not lines:
        return
    columns = ("input", "unit", "raw range", "normalization", "lost in 256 steps, %")
    rows = [
        (
            line.name,
            f"1e-{line.decimals}" if line.decimals else "1",
            f"{line.low} .. {line.high}",
            line.kind + (f", {len(line.exponents)} segments" if line.exponents else ""),
            "" if line.lost is None else f"{100 * line.lost:.1f}",
        )
        for line in lines[:SHOWN]
    ]
    output.table(f"inputs (--normalize changes that: {', '.join(CHOICES)})", columns, rows)
    if len(lines) > SHOWN:
        counts = Counter(line.kind for line in lines)
        output.say(f"of {len(lines)} inputs: {', '.join(f'{count} {kind}' for kind, count in counts.items())}")
