# SPDX-License-Identifier: MIT
"""Instructions, code, stack and scratch memory on RV32 stay within what is committed, and within what is promised."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from benchmodels import MODELS, TOLERANCE, BenchModel, Costs, budget_name, build_of, costs_of, excesses, load_budgets

from qnn import toolchain
from qnn.toolchain import GCC, ZIG, Compiler

REMEDY = "make it smaller, or, if it is meant to be so: python bench/run.py --write-budgets"
MLP = MODELS[0]


def compiler_of(kind: str) -> Compiler:
    """The RV32 compiler of a family; the test is skipped, loudly, where it is not there."""
    pytest.importorskip("unicorn")
    compiler = next((found for found in toolchain.rv32_compilers() if found.kind == kind), None)
    if compiler is None:
        pytest.skip(f"no {kind} for RV32 on this machine: this test did not run")
    return compiler


LARGE = ("resnet-8", "ds-cnn")  # of kernels that smaller ones have as well: by one compiler
MEASURED = tuple((model, kind) for model in MODELS for kind in (GCC, ZIG) if kind == GCC or model.name not in LARGE)


@pytest.mark.parametrize(("model", "kind"), MEASURED, ids=[f"{model.name}-{kind}" for model, kind in MEASURED])
def test_costs_stay_within_their_budget(model: BenchModel, kind: str) -> None:
    compiler = compiler_of(kind)
    budgets = load_budgets().get(budget_name(compiler))
    found = excesses(model, costs_of(model, compiler), budgets[model.name] if budgets else None)
    assert not found, f"{model.name} with {compiler}: {'; '.join(found)}. {REMEDY}"
    if budgets is None:  # the promises above were kept nevertheless
        pytest.skip(f"tests/budgets.json knows no {budget_name(compiler)}: python bench/run.py --write-budgets")


def test_the_least_code_is_at_most_500_bytes() -> None:
    """Of 784-64-10: driver, kernels and heads by gcc, without parameter structs (40 bytes) and a table (20 bytes)."""
    model = next(model for model in MODELS if model.name == "784-64-10 size")
    assert costs_of(model, compiler_of(GCC)).code <= 500


@pytest.mark.parametrize("field", [field.name for field in fields(Costs)])
def test_an_exceeded_budget_is_told(field: str) -> None:
    budget = Costs(maximum=10_000, typical=9_000, code=2_000, stack=100, scratch=100)
    allowed = getattr(budget, field)
    most = int(allowed * (1 + TOLERANCE))
    assert excesses(MODELS[1], replace(budget, **{field: most}), budget) == []
    (text,) = excesses(MODELS[1], replace(budget, **{field: most + 1}), budget)
    assert text.startswith(f"{field} {most + 1:,} is {100 * (most + 1 - allowed) / allowed:.1f} % ")
    assert text.endswith(f"over its budget of {allowed:,}")


def test_a_broken_promise_is_told_whatever_the_budget() -> None:
    weights = build_of(MLP)[0].manifest["flash"]["weights"]
    assert weights == 784 * 64 + 64 * 10 + 4 * 74
    kept = Costs(maximum=260_000, typical=250_000, code=54_000 - weights, stack=100, scratch=64)
    assert excesses(MLP, kept, None) == []
    slower, larger = replace(kept, maximum=260_001), replace(kept, code=kept.code + 1)
    assert excesses(MLP, slower, slower) == ["260,001 instructions are more than the 260,000 promised"]
    assert excesses(MLP, larger, larger) == ["54,001 bytes of weights and code are more than the 54,000 promised"]


def test_a_budget_for_each_model_and_compiler() -> None:
    budgets = load_budgets()
    assert {name.split()[0] for name in budgets} >= {"gcc", "ziglang"}
    for models in budgets.values():
        assert list(models) == [model.name for model in MODELS]


def test_compilers_by_the_part_of_their_version_that_counts() -> None:
    assert budget_name(Compiler(GCC, ("riscv-none-elf-gcc",), "12.2.0")) == "gcc 12"
    assert budget_name(Compiler(ZIG, ("ziglang",), "0.17.1")) == "ziglang 0.17"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_measured_inputs(model: BenchModel) -> None:
    x = build_of(model)[1]
    assert np.all(x[0] == np.iinfo(x.dtype).max)
    assert len(np.unique(x[1])) > min(4, x[1].size // 2)
