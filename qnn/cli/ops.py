# SPDX-License-Identifier: MIT
"""qnn ops: the operators, their widths, and what they are called elsewhere."""

from __future__ import annotations

from dataclasses import asdict

from qnn.cli.console import JsonOption, Output, QuietOption
from qnn.importing.table import layers, nothing_left, operators


def command(json: JsonOption = False, quiet: QuietOption = False) -> None:
    """List the integer operators with the widths of their kernels, the float layers, and the names of both in files
    that qnn import reads.

    Example: qnn ops
    """
    output = Output(json, quiet)
    integer, float_, vanishing = operators(), layers(), nothing_left()
    rows = [
        (row.operator, ", ".join(map(str, row.bits)), ", ".join(row.tflite), ", ".join(row.onnx)) for row in integer
    ]
    output.table("Integer operators", ("operator", "bits", "TensorFlow Lite, quantized", "ONNX, quantized"), rows)
    output.table("Float layers", ("layer", "ONNX, float"), [(row.layer, ", ".join(row.onnx)) for row in float_])
    output.say(f"nothing is left of {', '.join(vanishing[0])}; {', '.join(vanishing[1])}")
    output.emit(
        {
            "operators": [asdict(row) for row in integer],
            "layers": [asdict(row) for row in float_],
            "vanishing": {"tflite": list(vanishing[0]), "onnx": list(vanishing[1])},
        }
    )
