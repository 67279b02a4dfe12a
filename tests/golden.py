# SPDX-License-Identifier: MIT
"""What the committed example models compile to; run as a program, it writes the golden files anew."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from qnn.compiler import compile_model
from qnn.data import LoadOptions, load, rows_for
from qnn.evaluation import evaluate
from qnn.modelfile import load_model
from qnn.scales import load_scales
from qnn.simulator import simulate

FOLDER = Path(__file__).parent.parent / "calibration"
EXAMPLES = ("digits", "thermistor")


def golden(name: str) -> dict[str, Any]:
    """Hashes of the example's header and of its outputs on the test samples, the graph as text, and its score."""
    model = load_model(FOLDER / name / "model.qnn")
    build = compile_model(model, load_scales(FOLDER / name / "scales.json"), name)
    dataset = load(name, LoadOptions().like(model.record))
    rows = rows_for(dataset, model.record, None, "evaluate")
    x, y = dataset.x[rows], None if dataset.y is None else dataset.y[rows]
    tensors = simulate(build.graph, x)
    outputs = hashlib.sha256(b"".join(tensors[key].astype("<i4").tobytes() for key in sorted(tensors)))
    return {
        "header_sha256": hashlib.sha256(dict(build.files)[f"{name}.h"]).hexdigest(),
        "outputs_sha256": outputs.hexdigest(),
        "graph": str(build.graph).splitlines(),
        "samples": len(rows),
        evaluate(build.graph, x, y).score.metric: round(evaluate(build.graph, x, y).score.value, 6),
    }


if __name__ == "__main__":
    for example in EXAMPLES:
        (FOLDER / example / "golden.json").write_text(json.dumps(golden(example), indent=1) + "\n")
