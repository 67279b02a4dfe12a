# SPDX-License-Identifier: MIT
"""Quantization-aware training: how it begins with a float model, and what it leaves in one.

Batch norms are folded first, with the statistics of the trained float network (SPEC 4.9), so that the weights which
are trained are those which become integers. Activations are calibrated once; where they have fewer than 8 bits, their
steps are learned, those of 8 bits and all zero points stay.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qnn.calibration import calibrate
from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.learned import Learned, Reached
from qnn.model import Model, Node
from qnn.precision import Precision
from qnn.prepare import weighted_layers
from qnn.quantization import Lowered, lower_model
from qnn.training.fakenodes import grid_of, learned_ranges, types_of
from qnn.training.fakerange import steps_of
from qnn.training.teacher import check_teacher, folded_nodes
from qnn.weights import channel_scales
from qnn.widths import EIGHT, LEARNED, Widths, bit_parts, with_weight_bits

QAT, START = "--qat", "--from"


def check_bits(text: str) -> None:
    """Raises QnnError where --qat names no widths that can be learned."""
    parts = bit_parts(text, QAT, pairs=True)
    for what, bits in (
        ("weights", [part.weights for part in parts]),
        ("activations", [part.activations for part in parts if part.activations is not None]),
    ):
        if max(bits, default=0) > LEARNED:
            raise QnnError(f"{QAT} {text}", f"names {what} of more than 8 bits", "leave --qat out: they lose nothing")


def check_start(start: Model, dataset: Dataset) -> None:
    """Raises QnnError where a model that --from names was made for other data, or has learned rows held out here."""
    check_teacher(start, replace(start, schema=dataset.schema), dataset, START)


def begin(start: Model, dataset: Dataset, text: str) -> Model:
    """`start` ready for training with the bits that `text` names (widths.with_weight_bits).

    Raises QnnError where it was trained on other data or on rows that are held out, or cannot be trained so.
    """
    check_start(start, dataset)
    nodes = folded_nodes(start)
    for node in nodes:
        if node.layer.scales_channels:
            remedy = "put bn right behind a convolution or a dense layer"
            raise QnnError(START, f"has a batch norm, {node.name}, that no layer before it takes in", remedy)
    model = replace(start, nodes=nodes, record=dataset.record)
    widths = with_weight_bits(EIGHT, text, weighted_layers(model), QAT, pairs=True)
    layers = tuple((node.name, widths.of(node.name)) for node in nodes if node.layer.has_weights)
    learned = Learned(replace(widths, layers=layers), calibrate(model, model.samples))
    learned = replace(learned, widths=_joined_alike(model, learned))
    model = replace(model, learned=learned)
    lowered = lower_model(model, learned.scales, "trained", (), learned.widths)
    steps = {node.name: _first_steps(model, node, lowered) for node in nodes if node.layer.has_weights}
    return replace(model, learned=learned.with_steps(steps))


def _joined_alike(model: Model, learned: Learned) -> Widths:
    """The widths, with those of the node that joins them for tensors which are joined, as they share a step."""
    widths = learned.widths
    lowered = lower_model(model, learned.scales, "trained", (), widths)
    for source, tensor in lowered.tensors:
        found = lowered.range_of(tensor)
        width, joined = widths.of(source), widths.of(found.name if found is not None else source)
        named = source in (name for name, _ in widths.layers)
        if named and found is not None and _is_join(model, found.name) and width.activations != joined.activations:
            width = replace(width, activations=joined.activations)
            widths = replace(widths, layers=tuple((n, width if n == source else w) for n, w in widths.layers))
    return widths


def _is_join(model: Model, name: str) -> bool:
    node = next(node for node in model.nodes if node.name == name)
    return node.layer.keeps_type and len(node.inputs) > 1


def _first_steps(model: Model, node: Node, lowered: Lowered) -> np.ndarray:
    """float32 (O,): the steps that the weights alone would have."""
    assert model.learned is not None
    weights, bias = (parameter.astype(np.float64) for parameter in node.parameters)
    grid = grid_of(lowered, node.name)
    if grid is not None:
        bias, weights = bias + weights @ grid.offset, weights * grid.scale
    precision = Precision(model.learned.widths.of(node.name).weights)
    return channel_scales(weights, bias, *types_of(lowered, node.name), precision).astype(np.float32)


def trained(model: Model, nodes: tuple[Node, ...], reached: Reached | None = None) -> Model:
    """`model` with what its `training_nodes`, whose parameters are those of `nodes`, have learned and reached."""
    if model.learned is None:
        return replace(model, nodes=nodes)
    found = {node.name: node.parameters for node in nodes}
    own = tuple(replace(node, parameters=found[node.name][:2]) if node.parameters else node for node in model.nodes)
    steps = {name: steps_of(parameters[2]) for name, parameters in found.items() if len(parameters) == 3}
    learned = model.learned.with_steps(steps).with_ranges(learned_ranges(nodes))
    return replace(model, nodes=own, learned=replace(learned, reached=reached))
