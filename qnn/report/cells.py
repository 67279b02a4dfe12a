# SPDX-License-Identifier: MIT
"""What tables of a report hold, as text: on the page and on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUMMARY_COLUMNS = (
    "score",
    "weights B",
    "tables B",
    "structs B",
    "code B",
    "flash B",
    "scratch B",
    "stack B",
    "RAM B",
    "MACs",
    "instructions",
    "est. cycles, RAM",
    "est. cycles, flash",
    "mismatches",
    "saturated",
)
PROFILE_COLUMNS = (
    "layer",
    "MACs",
    "instructions",
    "per MAC",
    "share",
    "est. cycles, RAM",
    "est. cycles, flash",
)
TARGET_FIGURES = ("rmse", "mean error", "largest error", "R2")


def summary_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of a report as text, in the order of SUMMARY_COLUMNS."""
    flash = ("weights_bytes", "tables_bytes", "structs_bytes", "code_bytes", "flash_bytes")
    keys = (*flash, "scratch_bytes", "stack_bytes", "ram_bytes")
    numbers = (*(row[key] for key in keys), row["macs"], row["instructions"], row["cycles_ram"], row["cycles_flash"])
    texts = (*(number_text(value) for value in numbers), mismatches_text(row), number_text(row["saturated"]))
    return (score_of(row), *texts)


def float_cells(reference: Mapping[str, Any]) -> tuple[str, ...]:
    """The float network's row, in the order of SUMMARY_COLUMNS; its weights are 4 bytes each."""
    floats = (score_of(reference), number_text(4 * reference["parameters"]))
    return (*floats, *("",) * (len(SUMMARY_COLUMNS) - len(floats)))


def baseline_cells(baseline: Mapping[str, Any]) -> tuple[str, ...]:
    """The row of what needs no network, in the order of SUMMARY_COLUMNS."""
    return (score_of(baseline), *("",) * (len(SUMMARY_COLUMNS) - 1))


def metric_in(part: Mapping[str, Any]) -> str:
    """accuracy or rmse: what the JSON of a row, a network or a baseline is scored by."""
    return "accuracy" if "accuracy" in part else "rmse"


def score_of(part: Mapping[str, Any]) -> str:
    """The score in such JSON, as text."""
    metric = metric_in(part)
    return metric_text(metric, part[metric])


def target_texts(target: Mapping[str, Any]) -> tuple[str, ...]:
    """A target's errors and R2 as text, in the order of TARGET_FIGURES."""
    errors = (metric_text("rmse", target[key]) for key in ("rmse", "mae", "max_error"))
    return (*errors, r2_text(target["r2"]))


def r2_text(value: float | None) -> str:
    """0.9987, or n/a where the target does not vary."""
    return "n/a" if value is None else f"{value:.4f}"


def metric_text(metric: str, value: float) -> str:
    """98.02 % for an accuracy, 0.1234 for an error."""
    return f"{100 * value:.2f} %" if metric == "accuracy" else f"{value:.5g}"


def score_text(metric: str, value: float) -> str:
    """98.02 % or rmse 0.1234, where nothing else tells which of them it is."""
    return metric_text(metric, value) if metric == "accuracy" else f"{metric} {metric_text(metric, value)}"


def number_text(value: float | None) -> str:
    """12,345, or n/a where there is none."""
    return "n/a" if value is None else f"{value:,.0f}"


def mismatches_text(found: Mapping[str, Any]) -> str:
    """How many values of a row or a target differ, or that its C crashed."""
    return "crashed" if found.get("crash") else number_text(found["mismatches"])


def profile_rows(profile: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The rows of a profile's JSON object, in the order of PROFILE_COLUMNS: layers, the rest, the sum."""
    parts = [*profile["layers"], {"name": "entry, calls, return", **profile["rest"]}]
    totals = {key: sum(part["cycles_estimate"][key] for part in parts) for key in ("ram", "flash")}
    macs, instructions = sum(part.get("macs", 0) for part in parts), profile["instructions"]
    sums = {"name": "total", "instructions": instructions, "macs": macs, "cycles_estimate": totals}
    sums |= {"instructions_per_mac": instructions / macs} if macs else {}
    return [_profile_cells(part, instructions) for part in [*parts, sums]]


def _profile_cells(part: Mapping[str, Any], all_instructions: int) -> tuple[str, ...]:
    per_mac = f"{part['instructions_per_mac']:.2f}" if "instructions_per_mac" in part else ""
    cycles = (number_text(part["cycles_estimate"][memory]) for memory in ("ram", "flash"))
    share = f"{100 * part['instructions'] / all_instructions:.1f} %"
    macs = number_text(part["macs"]) if part.get("macs") else ""
    return (part["name"], macs, number_text(part["instructions"]), per_mac, share, *cycles)
