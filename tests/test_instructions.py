# SPDX-License-Identifier: MIT
"""Instructions are predicted within 5 % of what is counted, for whole networks; a stale table is noticed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmodels import MODELS, BenchModel, budget_name, build_of, load_budgets
from costedmodels import COSTED, TOLERANCE, costed_graph, counted, load_counts, zeros_at
from networks import IMAGE, Example, model_of

from qnn import toolchain
from qnn.calibration import calibrate
from qnn.compiler import compile_model
from qnn.headroom import WEIGHTS
from qnn.instructions.fields import Called
from qnn.instructions.forms import FORMS, HALVES, ONCE, Part, parts_of
from qnn.instructions.predict import forecast, predicted, usual_zeros, zeros_of
from qnn.instructions.table import REFERENCE, Table, groups_of, table_name, tables
from qnn.instructions.tight import TIGHT
from qnn.ops.choices import AUTO, ON, SPEED, Choices
from qnn.simulator import simulate, tensor_names
from qnn.toolchain import GCC
from qnn.widths import Width, Widths

REMEDY = "if kernels or compilers have changed: python bench/run.py costs --write"
COUNTED_HERE = ("cnn-1k w4a8", "maps 8", "maps w4a8", "784-64-10 w4a8")  # the quickest that have most kernels
COMPILERS = tuple(tables())
Cli = Callable[..., tuple[int, str, str]]


def budgeted() -> tuple[BenchModel, ...]:
    """The models with a budget whose kernels are chosen for speed; the others cost too much to build here."""
    return tuple(model for model in MODELS if model.optimize == SPEED and not model.constant_time)


def errors_of(compiler: str) -> dict[str, float]:
    """By network: how far the prediction is from the committed count."""
    counts, table = load_counts()[compiler], tables()[compiler]
    return {
        model.name: _error(predicted(costed_graph(model)[0], zeros_at(model), table).total, counts[model.name])
        for model in COSTED
    }


def _error(total: int | None, count: int) -> float:
    assert total is not None, "a kernel is not in the table"
    return total / count - 1


@pytest.mark.parametrize("compiler", COMPILERS)
def test_whole_networks_are_predicted(compiler: str) -> None:
    errors = errors_of(compiler)
    worst = max(errors, key=lambda name: abs(errors[name]))
    print(f"{compiler}: {len(errors)} networks, the worst {worst}: {100 * errors[worst]:+.1f} %")
    assert abs(errors[worst]) <= TOLERANCE, f"{worst}: {100 * errors[worst]:+.1f} %. {REMEDY}"


@pytest.mark.parametrize("model", budgeted(), ids=lambda model: model.name)
def test_models_with_a_budget_are_predicted(model: BenchModel) -> None:
    """On the input with every element at its maximum, whose count test_budgets holds to within 2 %."""
    build, x = build_of(model)
    zeros = zeros_of(simulate(build.graph, x[:1], tensor_names(build.graph)))
    count = load_budgets()[REFERENCE][model.name].maximum
    assert abs(_error(predicted(build.graph, zeros).total, count)) <= TOLERANCE, REMEDY


@pytest.mark.parametrize("name", COUNTED_HERE)
def test_the_table_is_not_stale(name: str) -> None:
    """Counted now, where there is a compiler that the table knows: a changed kernel costs something else."""
    pytest.importorskip("unicorn")
    compiler = next((c for c in toolchain.rv32_compilers() if budget_name(c) in tables()), None)
    if compiler is None:
        pytest.skip("no compiler for RV32 that the table knows on this machine: this test did not run")
    model = next(model for model in COSTED if model.name == name)
    count, known = counted(model, compiler), load_counts()[budget_name(compiler)][name]
    assert abs(count / known - 1) < 0.01, f"{count:,} counted, {known:,} before. {REMEDY}"
    total = predicted(costed_graph(model)[0], zeros_at(model), tables()[budget_name(compiler)]).total
    assert abs(_error(total, count)) <= TOLERANCE, REMEDY


def test_a_kernel_that_costs_more_is_noticed() -> None:
    """One product in twenty more: the comparison above would fail."""
    model = next(model for model in COSTED if model.name == COUNTED_HERE[0])
    graph, table = costed_graph(model)[0], tables()[REFERENCE]
    costs = {
        group: {part: cost * 1.2 if "word of" in part else cost for part, cost in parts.items()}
        for group, parts in table.groups.items()
    }
    total = predicted(graph, zeros_at(model), Table(REFERENCE, costs)).total
    assert abs(_error(total, load_counts()[REFERENCE][model.name])) > TOLERANCE


def test_zeros_that_are_skipped_cost_less() -> None:
    model = model_of(IMAGE)
    graph = compile_model(model, calibrate(model, model.samples), "image").graph
    x = model.samples[:1].copy()
    many = np.where(np.arange(64).reshape(8, 8, 1) < 48, 0, x)
    totals = [predicted(graph, zeros_of({"input": sample})).total for sample in (x, many)]
    assert totals[1] is not None
    assert totals[0] == predicted(graph).total
    assert totals[1] < 0.8 * (totals[0] or 0)
    found = forecast(graph)
    assert found.most == totals[0]
    assert found.usual == predicted(graph, usual_zeros(graph)).total
    assert found.document()["compiler"] == REFERENCE


def test_a_kernel_without_a_form_is_unknown_and_so_is_the_sum() -> None:
    model = model_of(IMAGE)
    graph = compile_model(model, calibrate(model, model.samples), "image").graph
    kernels = (replace(graph.kernels[0], struct="qnn_new_t"), *graph.kernels[1:])
    vars(graph)["kernels"] = kernels
    found = predicted(graph)
    assert found.nodes[0] is None
    assert found.nodes[1] is not None
    assert found.total is None
    assert parts_of(Called(kernels[0], 1, 0)) is None
    assert groups_of(kernels)[0] == ""


def test_kernels_that_share_what_packs_windows_are_several() -> None:
    """The compiler knows the parameters of the only call of a function, and so of the packer's only caller."""
    net = "conv 1x1 4 relu, conv 3x3 4 relu, flatten, dense 3"
    model = model_of(Example("net", net, (9, 9, 1), "uint8", 3))
    scales = calibrate(model, model.samples)

    def groups(first: int, second: int) -> list[str]:
        layers = (("conv2d1", Width(first, 8)), ("conv2d2", Width(second, 8)))
        graph = compile_model(model, scales, "n", WEIGHTS, widths=Widths(8, Width(8, 8), layers)).graph
        return [group for group in groups_of(graph.kernels[: len(graph.body)]) if "conv2d" in group]

    assert groups(8, 8) == ["qnn_conv2d_dual_u8*"] * 2
    assert groups(4, 8) == ["qnn_conv2d_narrow_u8*", "qnn_conv2d_dual_u8*"]
    assert groups(16, 8) == ["qnn_conv2d_u8_w16", "qnn_conv2d_dual_u8"]


def test_one_call_stands_for_several_where_only_that_was_measured() -> None:
    table = Table("gcc 12", {"a": {"x": 2.0}, "b*": {"x": 3.0}})
    assert table.instructions("a*", (Part("x", 10),)) == 20
    assert table.instructions("b", (Part("x", 10),)) == 30
    assert table.instructions("b", (Part("y", 10),)) is None
    assert table.instructions("c", ()) is None


def test_every_kernel_of_the_road_from_float_has_a_form() -> None:
    """Those of softmax, argmax and rescale are heads, which NAME_run does not call."""
    heads = ("softmax", "argmax", "rescale")
    structs = set()
    for header in (Path(__file__).parent.parent / "c_runtime").glob("*.h"):
        for line in header.read_text().splitlines():
            if line.startswith("QNN_KERNEL void qnn_") and "(const qnn_" in line and not any(h in line for h in heads):
                structs.add(line.partition("(const ")[2].partition(" ")[0])
    assert structs - {"qnn_window_t"} <= set(FORMS)


APART = (  # kernels without a row: those of imported networks, and of raw int32 that no dense layer takes
    *("qnn_add16_", "qnn_dense_i8_", "qnn_flip_", "qnn_gather_", "qnn_load_", "qnn_mul_", "qnn_pad_", "qnn_sigmoid16_"),
    *("qnn_softmax", "qnn_rescale_", "qnn_quantize_"),
)
KERNEL = re.compile(r"^QNN_KERNEL void (qnn_\w+)\(const (qnn_\w+_t) \*", re.MULTILINE)


def unknown(groups: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Kernels in c_runtime/ without a row, or whose rows lack results of 16 bits or what unpacking goes on to."""
    found, known = [], Table(REFERENCE, groups)
    for header in sorted((Path(__file__).parent.parent / "c_runtime").glob("*.h")):
        for function, struct in KERNEL.findall(header.read_text()):
            if function.startswith(APART) or struct not in FORMS:
                continue
            row = FORMS[struct].row(function)
            row = next((group for group in (row, f"{row}+QNN_LEAST") if group in groups or group + "*" in groups), row)
            base = groups.get(row.replace(TIGHT, ""), {})
            halves = function.endswith("_i16") and any(name.startswith("result") for name in base)
            parts = [name for name in (*base, *([HALVES] if halves else ())) if HALVES not in name or halves]
            if known.instructions(row, tuple(Part(name, 1) for name in (ONCE, *parts))) is None:
                found.append(function)
    return found


def test_every_kernel_has_a_row_with_all_its_parts() -> None:
    """But those of imported networks; and it is noticed where a row or a part is missing."""
    groups = dict(tables()[REFERENCE].groups)
    assert unknown(groups) == []
    row = "qnn_conv2d_pairs_tight_u8"
    less = {name: cost for name, cost in groups[row].items() if name != HALVES}
    assert unknown(groups | {row: less, f"{row}*": less}) == ["qnn_conv2d_pairs_tight_u8_i16"]
    assert unknown({group: costs for group, costs in groups.items() if "max_pool_u8" not in group}) == [
        "qnn_max_pool_u8_u8"
    ]


@pytest.mark.parametrize(("weights", "pack"), [(8, AUTO), (2, ON)])
def test_16_bits_after_8_are_predicted(weights: int, pack: str) -> None:
    net = "conv 3x3 4 relu, depthwise 3x3 relu, conv 3x3 4 relu, flatten, dense 3"
    model = model_of(Example("net", net, (9, 9, 1), "uint8", 3))
    widths = Widths(8, Width(weights, 16))
    graph = compile_model(model, calibrate(model, model.samples), "n", widths=widths, choices=Choices(pack=pack)).graph
    assert graph.kernels[0].function.endswith("_i16")
    assert predicted(graph).total is not None


def test_compilers_by_the_part_of_their_version_that_counts() -> None:
    assert table_name(GCC, "12.2.0") == REFERENCE
    assert table_name("ziglang", "0.16.1") == "ziglang 0.16"
