# SPDX-License-Identifier: MIT
"""qnn: a fixed-point quantizing compiler for neural networks.

The stages of the command line as functions, for scripts and notebooks:

    import qnn

    data = qnn.load("digits")
    model = qnn.train(data, "dense 32 relu, dense 10").model
    scales = qnn.calibrate(model, model.samples)
    graph = qnn.quantize(model, scales, "digits")
    outputs = qnn.simulate(graph, data.x[data.test])
    print(outputs["class"][:, 0], qnn.evaluate(graph, data.x[data.test], data.y[data.test]).score)
    qnn.emit(graph, "build")
    assert qnn.verify("build", data.x[data.test]).ok

`simulate` gives arrays by name: "class" and "probabilities" (32768 is 1) of a classifier, "value" of a regression, and
the raw outputs as outputs[graph.output]; keep=(...) asks for other tensors. Your own files are read with
qnn.load("file.csv", qnn.LoadOptions(label=("name",))).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qnn.calibration import calibrate as calibrate
    from qnn.compiler import emit as emit
    from qnn.data import LoadOptions as LoadOptions
    from qnn.data import load as load
    from qnn.errors import QnnError as QnnError
    from qnn.evaluation import evaluate as evaluate
    from qnn.graphfile import load_graph as load_graph
    from qnn.modelfile import load_model as load_model
    from qnn.quantization import quantize as quantize
    from qnn.simulator import simulate as simulate
    from qnn.training import TrainOptions as TrainOptions
    from qnn.training import train as train
    from qnn.verifier import verify as verify

_PLACES = (
    ("LoadOptions", "qnn.data"),
    ("QnnError", "qnn.errors"),
    ("TrainOptions", "qnn.training"),
    ("calibrate", "qnn.calibration"),
    ("emit", "qnn.compiler"),
    ("evaluate", "qnn.evaluation"),
    ("load", "qnn.data"),
    ("load_graph", "qnn.graphfile"),
    ("load_model", "qnn.modelfile"),
    ("quantize", "qnn.quantization"),
    ("simulate", "qnn.simulator"),
    ("train", "qnn.training"),
    ("verify", "qnn.verifier"),
)
__all__ = [name for name, _ in _PLACES]


def __getattr__(name: str) -> Any:
    """Functions are imported when they are asked for: whoever simulates need not load what trains."""
    for known, place in _PLACES:
        if known == name:
            return getattr(import_module(place), name)
    raise AttributeError(f"module 'qnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
