# SPDX-License-Identifier: MIT
"""Measures what qnn promises: `make bench`.

    python bench/run.py [kernels] [simulator] [training]    these three without a name
    python bench/run.py --write-budgets                     the kernels' costs become tests/budgets.json
    python bench/run.py costs [--write]                     predicted instructions beside counted ones, also of random
                                                            networks that the table was not fitted to; --write: the
                                                            table is measured anew (an hour; what was counted stays in
                                                            build/costs/, so that it goes on where it was stopped)

kernels: RV32 instructions, code, stack and scratch memory of some networks, beside their budgets.
simulator: 10,000 images through 784-64-10, beside the plain definition and onnxruntime.
training: an epoch of 60,000 images through 784-64-10 and cnn-7k, beside PyTorch (bench/train_vs_torch.py).
The exit code is 1 where a budget or a promise is missed, 2 where something to measure with is missing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import costs as instructioncosts  # noqa: E402
import simulator  # noqa: E402
from benchmodels import (  # noqa: E402
    MODELS,
    TOLERANCE,
    BenchModel,
    Costs,
    budget_name,
    build_of,
    costs_of,
    excesses,
    load_budgets,
    save_budgets,
)

from qnn import toolchain  # noqa: E402
from qnn.errors import QnnError  # noqa: E402
from qnn.toolchain import Compiler  # noqa: E402

WIDTH = 100  # of a table where the output is no terminal


def main() -> int:
    """Run the sections that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--write-budgets", action="store_true", help="write tests/budgets.json anew")
    parser.add_argument("--write", action="store_true", help="with costs: write qnn/instructions/table.json anew")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"{unknown[0]!r} is no section; use {', '.join(SECTIONS)}")
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    try:
        if arguments.write_budgets:
            return write_budgets(console)
        if arguments.write and arguments.sections == ["costs"]:
            instructioncosts.write_costs(console)
            return 0
        missed = [not SECTIONS[name](console) for name in arguments.sections or DEFAULT]
    except QnnError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 1 if any(missed) else 0


def kernels(console: Console) -> bool:
    """Print a table per RV32 compiler; False where a budget or a promise is missed."""
    budgets, complaints = load_budgets(), []
    for compiler in rv32_compilers():
        budget = budgets.get(budget_name(compiler), {})
        title = f"RV32IMC, {compiler} -O2 (budget: {budget_name(compiler) if budget else 'none'})"
        table = Table("network", "MACs", title=title)
        for heading in ("instructions: maximum", "typical", "per MAC", "code B", "stack B", "scratch B"):
            table.add_column(heading, justify="right")
        for model in MODELS:
            costs, allowed = costs_of(model, compiler), budget.get(model.name)
            macs = build_of(model)[0].manifest["macs"]
            table.add_row(model.name, f"{macs:,}", *cells(costs, macs))
            if allowed:
                table.add_row("[dim]  budget", "", *(f"[dim]{cell}" for cell in cells(allowed, macs)))
            complaints += [f"{model.name} with {compiler}: {text}" for text in excesses(model, costs, allowed)]
        console.print(table)
    promised = (f"{model.name} within {promise}" for model in MODELS if (promise := promise_of(model)))
    console.print(f"budgets may be exceeded by {TOLERANCE:.0%}; promised: {'; '.join(promised)}")
    for text in complaints:
        console.print(f"[red]missed[/]: {text}")
    return not complaints


def cells(costs: Costs, macs: int) -> tuple[str, ...]:
    """What a row of the kernels' table says of `costs`."""
    per_mac = f"{costs.typical / macs:.2f}"
    return (
        *(f"{costs.maximum:,}", f"{costs.typical:,}", per_mac),
        *(f"{size:,}" for size in (costs.code, costs.stack, costs.scratch)),
    )


def promise_of(model: BenchModel) -> str:
    """What is promised of the model, in words; "" for nothing."""
    limits = ((model.instructions, "instructions"), (model.flash, "bytes of weights and code"))
    return ", ".join(f"{limit:,} {what}" for limit, what in limits if limit is not None)


def write_budgets(console: Console) -> int:
    """Measure with every RV32 compiler; budgets of compilers that are not here stay as they are."""
    budgets = load_budgets()
    for compiler in rv32_compilers():
        budgets[budget_name(compiler)] = {model.name: costs_of(model, compiler) for model in MODELS}
        console.print(f"measured with {compiler}")
    save_budgets(budgets)
    return 0


def rv32_compilers() -> tuple[Compiler, ...]:
    """Every RV32 compiler. Raises QnnError if there is none."""
    return toolchain.rv32_compilers() or (toolchain.rv32_compiler(),)


def training(console: Console) -> bool:
    """Run bench/train_vs_torch.py, which sets the number of threads before numpy is loaded."""
    console.print("Training", style="italic", justify="center")
    return subprocess.run([sys.executable, str(ROOT / "bench" / "train_vs_torch.py")], check=False).returncode == 0


def costs(console: Console) -> bool:
    """Predicted instructions beside counted ones."""
    return instructioncosts.costs(console)


SECTIONS = {"kernels": kernels, "simulator": simulator.simulator, "training": training, "costs": costs}
DEFAULT = ("kernels", "simulator", "training")


if __name__ == "__main__":
    sys.exit(main())
