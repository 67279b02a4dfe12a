# SPDX-License-Identifier: MIT
"""--bits mixed within budgets: flash, RAM and instructions are those of the build, measured where they can be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from test_mixed import few, fewest, thermometer, tiny  # noqa: F401

from qnn import toolchain
from qnn.builtcost import BuiltCost, Run, built_cost
from qnn.calibration import calibrate
from qnn.cli.mixed import show_mixed
from qnn.compiler import Build, compile_model, write_build
from qnn.errors import QnnError
from qnn.mixed import Cost, Difference, Limits, Search, Trial, choices_of, cost_of, widest, widths_of
from qnn.mixedbuild import How, MixedBuild, compile_mixed
from qnn.mixedcost import Pieces
from qnn.mixedfit import Made, best_measured
from qnn.mixedsearch import Alone, Found
from qnn.modelfile import model_bytes
from qnn.reference import Loss, reference_of
from qnn.scales import Scales
from qnn.simulator import extremes
from qnn.verifier import verify

STACK = 100
COSTS = [(flash, ram, count) for flash in (2000, 2300, 2600) for ram in (20, 60) for count in (900, 1200, 1500, 1800)]
LIMITS = Limits(None, 2400, 180, 1550)
Cli = Callable[..., tuple[int, str, str]]


@cache
def scales() -> Scales:
    return calibrate(thermometer(), thermometer().samples)


@cache
def search() -> Search:
    model = thermometer()
    return Search(model, scales(), reference_of(model, model.samples[:1], None), choices_of(model, scales()), LIMITS)


@cache
def build() -> Build:
    return compile_model(thermometer(), scales(), "t")


def candidates() -> list[Made]:
    """Builds of every cost in COSTS; the more they take, the less noise they have."""
    widths = widths_of(search().choices, widest(search().choices))
    found = []
    for index, (flash, ram, count) in enumerate(COSTS):
        cost, loss = Cost(flash - 500, 500, ram, count, "some"), Loss(0.0, flash / 100 + ram / 10 + count / 100)
        files = (("t.h", str(index).encode()),)
        alone = Alone((), cast(Pieces, None))
        best = Found(Trial((index,), cost, loss), alone)
        found.append(Made(best, widths, replace(build(), files=files), cost, loss))
    return found


def best_of(found: list[Made], more: Difference, monkeypatch: pytest.MonkeyPatch) -> tuple[Made, int]:
    """What best_measured finds among `found` where each takes so much more than predicted, and in how many builds."""

    def built(build: Build, x: np.ndarray | None, progress: object) -> BuiltCost:
        cost = next(made.cost for made in found if made.build is build)
        run = Run(more.ram, (cost.instructions or 0) + more.instructions, 16)
        return BuiltCost(cost.constants, cost.code + more.flash, 0, "a compiler", run)

    made: list[Made] = []

    def make(search: Search) -> Made:
        made.append(min(found, key=lambda one: search.rank(one.trial)))
        return made[-1]

    monkeypatch.setattr("qnn.mixedfit.built_cost", built)
    return best_measured(search(), make), len(made)


@pytest.mark.parametrize("flash", [-300, 0, 150, 350])
@pytest.mark.parametrize("instructions", [-400, 0, 100, 500])
@pytest.mark.parametrize("stack", [0, STACK, 150])
def test_the_best_is_found_by_what_builds_take(
    monkeypatch: pytest.MonkeyPatch, flash: int, instructions: int, stack: int
) -> None:
    """Whether they take more or less than predicted: it is the best of all, by measured costs."""
    more, found = Difference(flash, stack, instructions), candidates()

    def taken(made: Made) -> Trial:
        cost = made.cost
        count = (cost.instructions or 0) + instructions
        return Trial(made.trial.bits, Cost(cost.constants, cost.code + flash, cost.ram + stack, count), made.loss)

    best = min(map(taken, found), key=search().rank)
    made, builds = best_of(found, more, monkeypatch)
    assert made.trial == best
    assert search().excess(made.taken) == 0
    assert builds == 1 if more == Difference() else builds <= 7


def test_where_nothing_fits_the_closest_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = best_of(candidates(), Difference(5000, 0, 0), monkeypatch)
    assert made.cost.flash == min(flash for flash, _, _ in COSTS)


def test_what_seemed_to_have_room_is_not_kept_where_it_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first build takes less than predicted; the next one, which may take more then, takes too much."""
    every = candidates()
    first, second = (next(m for m in every if m.cost.instructions == count) for count in (1500, 1800))

    def built(build: Build, x: object, progress: object) -> BuiltCost:
        cost, count = (first.cost, 1200) if build is first.build else (second.cost, 2000)
        return BuiltCost(cost.constants, cost.code, 0, "a compiler", Run(STACK, count, 16))

    monkeypatch.setattr("qnn.mixedfit.built_cost", built)
    made = []

    def make(search: Search) -> Made:
        made.append(min((first, second), key=lambda one: search.rank(one.trial)))
        return made[-1]

    assert best_measured(search(), make).build is first.build
    assert made == [first, second, first], "what fits is not built again, nor measured"


def test_errors_that_differ_from_build_to_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the compiler makes of each, nothing is taken for fitting that does not, and a limit is met if it can."""
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(30):
        found = candidates()
        errors = {id(made.build): rng.integers(-200, 200) for made in found}

        def built(build: Build, x: object, progress: object, found=found, errors=errors) -> BuiltCost:
            cost = next(made.cost for made in found if made.build is build)
            run = Run(STACK, (cost.instructions or 0) + int(errors[id(build)]), 16)
            return BuiltCost(cost.constants, cost.code, 0, "a compiler", run)

        def make(search: Search, found=found) -> Made:
            return min(found, key=lambda one: search.rank(one.trial))

        monkeypatch.setattr("qnn.mixedfit.built_cost", built)
        missed += search().excess(best_measured(search(), make).taken) > 0
    assert missed == 0


def test_costs_are_corrected_by_what_was_measured_of_the_same_kernels() -> None:
    known = replace(search(), measured={"a": Difference(100, 7, -30), "b": Difference(-20, 9, 40)})
    assert known.expected(Cost(1, 2, 3, 40, "a")) == Cost(1, 102, 10, 10)
    assert known.expected(Cost(1, 2, 3, None, "b")) == Cost(1, -18, 12, None)
    assert known.expected(Cost(1, 2, 3, 40, "c")) == Cost(1, -18, 10, 10)
    assert known.expected(Cost(1, 2, 3, 40)) == Cost(1, 2, 3, 40)


def test_kernels_that_take_more_than_predicted_do_not_hide_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one build takes beyond its prediction says nothing of builds with other kernels."""
    every = [
        replace(made, cost=replace(made.cost, kernels="small" if made.cost.instructions == 1200 else "large"))
        for made in candidates()
    ]

    def built(build: Build, x: object, progress: object) -> BuiltCost:
        cost = next(made.cost for made in every if made.build is build)
        code = cost.code + (1000 if cost.kernels == "large" else 0)
        return BuiltCost(cost.constants, code, 0, "a compiler", Run(STACK, cost.instructions or 0, 16))

    monkeypatch.setattr("qnn.mixedfit.built_cost", built)
    made = best_measured(search(), lambda search: min(every, key=lambda one: search.rank(one.trial)))
    assert (made.cost.flash, made.cost.instructions) == (2300, 1200)
    assert search().excess(made.taken) == 0


@pytest.mark.usefixtures("fewest")
def test_what_was_measured_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from qnn.cli.console import Output

    def told(found: MixedBuild) -> str:
        show_mixed(Output(), Path("t.qnn"), found)
        return capsys.readouterr().out.splitlines()[-1]

    def within(limits: Limits) -> MixedBuild:
        model = tiny()
        return compile_mixed(model, calibrate(model, model.samples), limits, model.samples, model.labels, How("t"))

    def built(build: Build, x: np.ndarray | None, progress: object) -> BuiltCost:
        cost = cost_of(build.graph)
        run = None if x is None else Run(STACK, (cost.instructions or 0) + 7, 16)
        return BuiltCost(cost.constants, cost.code + 5, 0, "a compiler", run)

    limits = Limits(None, 5000, 300, 5000)
    monkeypatch.setattr("qnn.mixedfit.built_cost", lambda *_: None)
    about = within(limits)
    cost = about.cost
    assert about.measured is None
    assert about.taken == cost
    assert about.document()["measured"] is None
    assert f"flash about {cost.flash:,} bytes" in told(about)
    assert f"RAM {cost.ram} bytes without the stack (scratch {cost.ram})" in told(about)
    assert f"about {cost.instructions:,} instructions (predicted)" in told(about)
    monkeypatch.setattr("qnn.mixedfit.built_cost", built)
    found = within(limits)
    assert found.taken == Cost(
        found.cost.constants, found.cost.code + 5, found.cost.ram + STACK, (found.cost.instructions or 0) + 7
    )
    assert f"flash {found.taken.flash:,} bytes" in told(found)
    assert f"RAM {found.taken.ram} bytes (scratch {found.cost.ram}, stack {STACK})" in told(found)
    counted = f"{found.taken.instructions:,} instructions (most of 16 inputs, no zeros skipped) by a compiler"
    assert counted in told(found)
    document = found.document()
    assert document["predicted"]["instructions"] == found.cost.instructions
    assert document["measured"]["run"] == {"stack": STACK, "instructions": document["instructions"], "inputs": 16}
    missed = within(Limits(None, 1000, 90, 300)).problem
    assert re.search(
        r"it takes [\d,]+ bytes of flash, not 1,000 and it takes 1\d\d bytes of RAM with the stack, not 90", missed
    )
    assert re.search(r" and it takes [\d,]+ instructions, not 300", missed)
    flash = within(Limits(None, 5000))
    assert flash.measured is not None
    assert flash.measured.run is not None, "the best is run"
    assert flash.taken.ram == flash.cost.ram + STACK


def test_a_build_is_measured_as_verify_measures_it(tmp_path: Path) -> None:
    pytest.importorskip("unicorn")
    if not toolchain.rv32_compilers():
        pytest.skip("no compiler for RV32 on this machine: this test did not run")
    model = thermometer()
    write_build(build(), tmp_path)
    rv32 = next(target for target in verify(tmp_path, model.samples[:15], ("rv32",)).targets)
    assert rv32.sizes is not None
    assert rv32.instructions is not None
    found = built_cost(build(), model.samples[:15])
    assert found is not None
    assert (found.constants, found.code) == (rv32.sizes.rodata + rv32.sizes.ram, rv32.sizes.code)
    assert found.run is not None
    assert found.run.stack == rv32.stack_bytes
    assert found.run.inputs == 16
    assert found.run.instructions >= rv32.instructions.maximum
    assert found.run.instructions < rv32.instructions.maximum * 1.1
    assert built_cost(build()) == BuiltCost(found.constants, found.code, found.in_ram, found.compiler)


def test_nothing_is_measured_where_nothing_can(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise QnnError("RV32 compiler", "none was found")

    monkeypatch.setattr("qnn.builtcost.toolchain.rv32_compiler", none)
    assert built_cost(build(), extremes(build().graph)) is None


@pytest.mark.usefixtures("few")
def test_the_command_holds_all_three(tmp_path: Path, qnn: Cli) -> None:
    pytest.importorskip("unicorn")
    if not toolchain.rv32_compilers():
        pytest.skip("no compiler for RV32 on this machine: this test did not run")
    path, folder = tmp_path / "t.qnn", tmp_path / "b"
    path.write_bytes(model_bytes(thermometer()))
    limits = ("--flash", "3K", "--instructions", "1.9k", "--ram", "300")
    code, out, err = qnn("compile", str(path), "--bits", "mixed", *limits, "-o", str(folder), "--json")
    assert code == 0, err
    found = json.loads(out)["mixed"]
    assert (found["flash_limit"], found["ram_limit"], found["instructions_limit"]) == (3072, 300, 1900)
    rv32 = verify(folder, thermometer().samples[:8], ("rv32",)).targets[0]
    assert rv32.sizes is not None
    assert rv32.instructions is not None
    assert rv32.sizes.code + rv32.sizes.rodata == found["flash"] <= 3072
    assert rv32.instructions.maximum <= found["instructions"] <= 1900
    assert found["predicted"]["scratch"] + (rv32.stack_bytes or 0) == found["ram"] <= 300
    assert found["measured"]["run"]["inputs"] == 16


def test_constants_in_ram_count(tmp_path: Path, qnn: Cli) -> None:
    """Narrower weights are found where wider ones take too much of it; the same with other limits beside."""
    pytest.importorskip("unicorn")
    if not toolchain.rv32_compilers():
        pytest.skip("no compiler for RV32 on this machine: this test did not run")
    path = tmp_path / "t.qnn"
    path.write_bytes(model_bytes(thermometer()))
    limits = ("--ram", "700", "--weights", "ram")
    code, out, err = qnn("compile", str(path), "--bits", "mixed", *limits, "-o", str(tmp_path / "b"), "--json")
    assert code == 0, err
    found = json.loads(out)["mixed"]
    run, in_ram = found["measured"]["run"], found["measured"]["in_ram"]
    assert found["ram"] == found["predicted"]["scratch"] + in_ram + run["stack"] <= 700
    assert found["predicted"]["in_ram"] >= in_ram > 0


def test_zeros_that_inputs_skip_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit holds for inputs that have none."""
    pytest.importorskip("unicorn")
    if not toolchain.rv32_compilers():
        pytest.skip("no compiler for RV32 on this machine: this test did not run")
    x = thermometer().samples[:3]
    monkeypatch.setattr("qnn.builtcost._spared", lambda *_: 0)
    counted = built_cost(build(), x)
    monkeypatch.setattr("qnn.builtcost._spared", lambda *_: 1000)
    found = built_cost(build(), x)
    assert found is not None
    assert counted is not None
    assert found.run is not None
    assert found.run == replace(counted.run, instructions=found.run.instructions)
    assert counted.run is not None
    assert found.run.instructions == counted.run.instructions + 1000
