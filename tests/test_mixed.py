# SPDX-License-Identifier: MIT
"""--bits mixed: the smallest network within a drop, the best within bytes; every choice is explained."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from golden import FOLDER
from networks import Example, model_of, samples_of
from test_lower_maps import quantized

from qnn import mixed, mixedsearch, toolchain
from qnn.calibration import calibrate
from qnn.codesize import code_bytes
from qnn.compiler import compile_model, write_build
from qnn.data import LoadOptions, load
from qnn.engines.interface import interface_of
from qnn.errors import QnnError
from qnn.headroom import WEIGHTS
from qnn.layersqnr import layer_sqnr
from qnn.mixed import NO_LIMITS, Bits, Choice, Limits, Search, choices_of, cost_of, neighbours, widest, widths_of
from qnn.mixedbuild import How, compile_mixed
from qnn.mixedcost import Pieces
from qnn.mixedreport import spelled
from qnn.mixedsearch import best_widths, measured_alone
from qnn.model import Model
from qnn.modelfile import load_model, model_bytes
from qnn.precision import UNCLIPPED
from qnn.quantities import bytes_of, count_of
from qnn.quantization import lower_model, quantize
from qnn.reference import loss_of, reference_of, sqnr_db
from qnn.rounding import NEAREST, Rounding
from qnn.training import TrainOptions, train
from qnn.verifier import verify
from qnn.widths import EIGHT, SIXTEEN, Width, Widths

SAMPLES = 96
Cli = Callable[..., tuple[int, str, str]]


@cache
def thermometer() -> Model:
    """Trained for a moment, so that it has labels and answers that mean something."""
    return trained("dense 6 tanh, dense 5 relu, dense", 6)


def trained(net: str, epochs: int) -> Model:
    """A network for the thermistor that carries few samples, so that the tests are quick."""
    model = train(load("thermistor", LoadOptions()), net, TrainOptions(epochs=epochs)).model
    assert model is not None
    assert model.labels is not None
    return replace(model, samples=model.samples[:SAMPLES], labels=model.labels[:SAMPLES])


@cache
def tiny() -> Model:
    """The same, with so few layers that all combinations of some widths can be measured."""
    return trained("dense 8 relu, dense", 2)


def search_of(model: Model, limits: Limits, samples: int = 128) -> Search:
    labels = None if model.labels is None else model.labels[:samples]
    reference = reference_of(model, model.samples[:samples], labels)
    scales = calibrate(model, model.samples)
    return Search(model, scales, reference, choices_of(model, scales), limits)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few widths that all combinations can be measured; the search is left no such way out."""
    monkeypatch.setattr(mixed, "WEIGHT_BITS", (4, 6, 8, 16))
    monkeypatch.setattr(mixed, "ACTIVATION_BITS", (6, 8, 16))
    monkeypatch.setattr(mixedsearch, "MAX_EXHAUSTIVE", 0)


@pytest.fixture
def fewest(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few widths that all combinations are measured."""
    monkeypatch.setattr(mixed, "WEIGHT_BITS", (8, 16))
    monkeypatch.setattr(mixed, "ACTIVATION_BITS", (8, 16))


def every(search: Search) -> list[Bits]:
    return list(itertools.product(*(choice.candidates for choice in search.choices)))


def test_choices_are_what_may_have_a_width_of_its_own() -> None:
    found = [(choice.node, choice.weights) for choice in search_of(thermometer(), NO_LIMITS).choices]
    assert found == [
        ("input", False),
        ("dense1", True),
        ("dense1", False),
        ("tanh1", False),
        ("dense2", True),
        ("dense2", False),
        ("dense3", True),
    ]
    model, _, x = quantized("conv 3x3 4 bn relu, maxpool 2, concat(conv 1x1 2 relu; linear), flatten, dense")
    kinds = [(choice.node.rstrip("0123456789"), choice.weights) for choice in choices_of(model, calibrate(model, x))]
    assert kinds == [
        ("conv2d", True),
        ("conv2d", False),
        ("conv2d", True),
        ("conv2d", False),
        ("concat", False),
        ("dense", True),
    ]


@pytest.mark.usefixtures("fewest")
@pytest.mark.parametrize("limits", [Limits(40.0), Limits(5.0), Limits(None, ram=24), Limits(None, 1700)])
def test_the_best_of_all_combinations(limits: Limits) -> None:
    search = search_of(tiny(), limits, 64)
    best = best_widths(search).best
    assert search.rank(best) == min(search.rank(search.trial(bits)) for bits in every(search))
    assert search.excess(best.cost) == 0


WITHIN_DB, WITHIN_SIZE = 1.0, 1.05  # of the best of all combinations


@cache
def measured() -> Search:
    """Every combination of a few widths, measured."""
    search = search_of(tiny(), NO_LIMITS, 64)
    for bits in every(search):
        search.trial(bits)
    return search


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    "limits",
    [
        Limits(30.0),
        Limits(2.0),
        Limits(None, 1500),
        Limits(None, ram=16),
        Limits(None, instructions=760),
        Limits(None, 1600, 16, 900),
        Limits(20.0, instructions=800),
    ],
    ids=str,
)
def test_the_search_finds_about_the_best_of_all_combinations(limits: Limits) -> None:
    """By brute force: within WITHIN_DB where limits are given, within WITHIN_SIZE where the smallest is wanted."""
    search = replace(measured(), limits=limits, trials={})
    best = best_widths(search).best
    first = min(measured().trials.values(), key=search.rank)
    assert search.excess(best.cost) == search.excess(first.cost) == 0
    assert search.too_much(best.loss) == search.too_much(first.loss) == 0
    if limits.max_drop is None:
        assert best.loss.sqnr_db >= first.loss.sqnr_db - WITHIN_DB
    else:
        assert best.cost.flash <= WITHIN_SIZE * first.cost.flash


def test_noises_add_up_and_costs_are_put_together() -> None:
    """About: what the search goes by is near to what is made and measured."""
    search = search_of(thermometer(), NO_LIMITS, 64)
    alone, rng = measured_alone(search), np.random.default_rng(0)
    for _ in range(6):
        bits = tuple(int(rng.choice(choice.candidates[1:])) for choice in search.choices)
        assert abs(-10 * math.log10(alone.noise(bits)) - search.trial(bits).loss.sqnr_db) < 6
        found, wanted = alone.cost(bits), cost_of(search.plain(bits))
        assert replace(found, constants=0) == replace(wanted, constants=0)
        assert abs(found.constants - wanted.constants) <= 64  # a prescale here or there


def test_costs_of_maps_are_put_together() -> None:
    net = (
        "conv 3x3 4 relu, concat(conv 1x1 2 relu; linear), maxpool 2, depthwise 3x3 relu, flatten, dense 8 tanh, dense"
    )
    example = Example("net", net, (10, 10, 3), "uint8", 3)
    model = replace(model_of(example), samples=samples_of(example, 24))
    search = search_of(model, NO_LIMITS, 24)
    pieces, rng = Pieces(search), np.random.default_rng(1)
    for _ in range(8):
        bits = tuple(int(rng.choice(choice.candidates)) for choice in search.choices)
        found, wanted = pieces.cost(bits), cost_of(search.plain(bits))
        assert (found.code, found.ram) == (wanted.code, wanted.ram)
        assert abs(found.constants - wanted.constants) <= 32  # a prescale here or there
        assert (found.instructions is None) == (wanted.instructions is None)
        assert abs((found.instructions or 1) / (wanted.instructions or 1) - 1) < 0.02


@pytest.mark.usefixtures("few")
def test_no_drop_needs_wide_layers_and_any_drop_the_smallest() -> None:
    narrow = best_widths(search_of(thermometer(), Limits(1e9))).best
    wide = best_widths(search_of(thermometer(), Limits(0.1))).best
    assert narrow.cost.flash < wide.cost.flash
    assert set(wide.bits) != {8}
    assert wide.loss.drop <= 0.1 < narrow.loss.drop


@pytest.mark.usefixtures("few")
def test_the_search_is_deterministic_and_tells_its_progress() -> None:
    seen: list[tuple[str, int, int]] = []
    found = [
        best_widths(search_of(tiny(), Limits(5.0)), lambda done, total, text="": seen.append((text, done, total))),
        best_widths(search_of(tiny(), Limits(5.0))),
    ]
    assert found[0].best == found[1].best
    for part in dict.fromkeys(text for text, _, _ in seen):
        steps = [(done, total) for text, done, total in seen if text == part]
        assert steps == sorted(steps)
        assert steps[-1][0] == steps[-1][1]


def test_a_wider_candidate_is_one_entry_in_a_tuple(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else knows how many widths there are to choose from."""
    monkeypatch.setattr(mixed, "WEIGHT_BITS", (8, 16, 16))
    choice = Choice("dense1", True)
    assert choice.candidates == (8, 16, 16)
    assert widest((choice, Choice("dense1", False))) == (16, 16)
    assert len(neighbours((choice,), (8,))) == 2
    assert Choice("input", False).candidates == (8, 16)


@pytest.mark.usefixtures("few")
def test_builds_keep_what_they_promise(tmp_path: Path) -> None:
    model = tiny()
    scales = calibrate(model, model.samples)
    found = compile_mixed(model, scales, Limits(5.0), model.samples, model.labels, How("thermo"))
    assert found.problem == ""
    reference = reference_of(model, model.samples, model.labels)
    assert loss_of(reference, found.build.graph) == found.loss
    assert found.loss.drop <= 5.0
    assert found.unit == "% of the rmse"
    assert (
        found.build.files
        == compile_mixed(model, scales, Limits(5.0), model.samples, model.labels, How("thermo")).build.files
    )
    write_build(found.build, tmp_path)
    assert verify(tmp_path, model.samples[:64], ("host",), layers=True).ok


def test_headroom_that_costs_the_drop_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the search promised holds for the build; only an explicit --reduce-range goes before it."""
    model = load_model(FOLDER / "digits" / "model.qnn")
    scales, taken = calibrate(model, model.samples), []
    monkeypatch.setattr(mixed, "WEIGHT_BITS", (8, 16))  # narrow weights have no headroom to leave
    monkeypatch.setattr("qnn.mixedbuild._problem", lambda *_: "it loses too much")
    for reduce_range in ("auto", WEIGHTS):
        found = compile_mixed(model, scales, Limits(0.5), model.samples, None, How("d", reduce_range))
        taken.append("dual" in str([kernel.function for kernel in found.build.graph.kernels]))
    assert taken == [False, True]


@pytest.mark.usefixtures("few")
def test_limits_that_cannot_be_met_are_told() -> None:
    model = thermometer()
    found = compile_mixed(
        model, calibrate(model, model.samples), Limits(0.0, 100, 3, 50), model.samples, model.labels, How("t")
    )
    assert "instructions, not 50" in found.problem
    closest = spelled([c.choice for c in found.choices], tuple(c.bits for c in found.choices))
    assert found.problem.endswith(f"(the closest: {closest})")
    assert "bytes of flash, not 100" in found.problem
    assert re.search(r"bytes of (scratch memory|RAM with the stack), not 3", found.problem)
    assert "% of the rmse, not 0" in found.problem


def test_without_samples_there_is_nothing_to_choose_by() -> None:
    model = thermometer()
    with pytest.raises(QnnError, match="no samples to choose the widths by; give some with --data"):
        compile_mixed(model, calibrate(model, model.samples), NO_LIMITS, model.samples[:0], None, How("t"))


@pytest.mark.usefixtures("few")
def test_the_search_clips_as_the_build() -> None:
    """Costs are put together from plain graphs, losses are those of rounded ones: both by the same steps."""
    found = search_of(tiny(), Limits(0.1))
    search = replace(found, rounding=Rounding(NEAREST, False, UNCLIPPED))
    bits = tuple(4 if choice.weights else 8 for choice in search.choices)
    for graph, clipped in ((search.plain(bits), found.plain(bits)), (search.graph(bits), found.graph(bits))):
        weights = [np.abs(vars(node.op)["weights"]).max() for node in graph.body if "weights" in vars(node.op)]
        assert weights == [7] * len(weights)
        assert 8 in [np.abs(vars(node.op)["weights"]).max() for node in clipped.body if "weights" in vars(node.op)]


def test_every_choice_is_explained() -> None:
    model = thermometer()
    scales = calibrate(model, model.samples)
    found = compile_mixed(model, scales, Limits(None, 2700), model.samples, model.labels, How("t"))
    search = search_of(model, NO_LIMITS, len(model.samples))
    for index, choice in enumerate(found.choices):
        candidates, wide = choice.choice.candidates, widest(search.choices)
        assert [bits for bits, _, _ in choice.alone] == list(candidates[:-1])
        narrow = search.trial((*wide[:index], candidates[0], *wide[index + 1 :])).loss
        assert choice.alone[0][2] == pytest.approx(narrow.sqnr_db, abs=3)  # on fewer samples
        place = candidates.index(choice.bits)
        told = [int(reason.partition(":")[0]) for reason in choice.reason.split("; ")]
        assert told == [*candidates[max(place - 1, 0) : place], *candidates[place + 1 : place + 2]]
        assert choice.reason.endswith(" dB")
        assert (choice.sqnr_db is None) == choice.choice.weights
    json.dumps(found.document(), allow_nan=False)


@pytest.mark.parametrize(("labels", "unit"), [(True, "points of accuracy"), (False, "% of the classes that change")])
def test_drops_of_a_classifier(labels: bool, unit: str) -> None:
    model = load_model(FOLDER / "digits" / "model.qnn")
    right = np.arange(len(model.samples)) % 10 if labels else None
    reference = reference_of(model, model.samples, right)
    assert reference.unit == unit
    graph = quantize(model, calibrate(model, model.samples), "d")
    wrong = replace(reference, answers=(reference.answers + 1) % 10)
    assert loss_of(reference, graph).drop < 1.0
    expected = 100 * float(np.mean(wrong.answers == right) - np.mean(reference.answers == right)) if labels else 100.0
    assert loss_of(wrong, graph).drop == pytest.approx(expected + loss_of(reference, graph).drop * labels, abs=1.0)


def test_drops_of_a_regression() -> None:
    model = thermometer()
    graph = quantize(model, calibrate(model, model.samples), "t", (), SIXTEEN)
    known = loss_of(reference_of(model, model.samples, model.labels), graph)
    unknown = loss_of(reference_of(model, model.samples, None), graph)
    assert abs(known.drop) < 1
    assert 0 < unknown.drop < 0.1
    assert known.sqnr_db == unknown.sqnr_db > 60


def test_sqnr_by_hand() -> None:
    assert sqnr_db(np.array([3.0, 4.0]), np.array([3.0, 4.5])) == pytest.approx(20.0)
    assert math.isinf(sqnr_db(np.array([1.0]), np.array([1.0])))


def test_layers_show_where_precision_is_lost() -> None:
    model = thermometer()
    scales = calibrate(model, model.samples)
    rates = {}
    for name, widths in (
        ("8", EIGHT),
        ("16", SIXTEEN),
        ("mixed", Widths(16, Width(16, 16), (("tanh1", Width(16, 8)),))),
    ):
        rates[name] = dict(layer_sqnr(lower_model(model, scales, "t", (), widths), model.samples))
    assert list(rates["8"]) == ["quantized", "dense1", "tanh1", "dense2", "dense3"]
    assert all(rates["16"][layer] > 65 > 50 > rates["8"][layer] for layer in rates["8"])
    mixed_rates = rates["mixed"]
    assert mixed_rates["dense1"] == rates["16"]["dense1"]
    assert mixed_rates["tanh1"] < 55
    assert mixed_rates["dense3"] < 55


def test_labels_are_stored_and_checked(tmp_path: Path, qnn: Cli) -> None:
    model = thermometer()
    assert model.labels is not None
    assert model.labels.shape == (len(model.samples), 1)
    path = tmp_path / "t.qnn"
    path.write_bytes(model_bytes(model))
    again = load_model(path)
    assert again.labels is not None
    assert np.array_equal(again.labels, model.labels)
    path.write_bytes(model_bytes(replace(model, labels=None)))
    assert load_model(path).labels is None
    for labels in (model.labels[:-1], model.labels[:, 0], model.labels.astype(np.float32), model.labels * np.nan):
        path.write_bytes(model_bytes(replace(model, labels=labels)))
        with pytest.raises(QnnError, match="its labels do not fit its samples"):
            load_model(path)
    digits = model_of(Example("net", "dense", (4,), "int32", 3))
    for classes in (np.full(len(digits.samples), 3), np.full(len(digits.samples), -1)):
        path.write_bytes(model_bytes(replace(digits, labels=classes)))
        with pytest.raises(QnnError, match="its labels do not fit its samples"):
            load_model(path)


@pytest.mark.usefixtures("few")
def test_the_command(tmp_path: Path, qnn: Cli) -> None:
    path = tmp_path / "t.qnn"
    path.write_bytes(model_bytes(thermometer()))
    code, out, err = qnn(
        "compile", str(path), "--bits", "mixed", "--max-drop", "4", "-o", str(tmp_path / "b"), "--json"
    )
    assert code == 0, err
    document = json.loads(out)
    assert document["mixed"]["drop"] <= 4
    assert {choice["bits"] for choice in document["mixed"]["choices"]} <= {4, 8, 16}
    code, out, _ = qnn("compile", str(path), "--bits", "mixed", "--max-drop", "4", "-o", str(tmp_path / "b"))
    assert "alone" in out
    assert "% of the rmse (at most 4)" in out
    code, _, err = qnn("compile", str(path), "--bits", "mixed", "--flash", "10", "-o", str(tmp_path / "b"), "-q")
    assert code == 1
    assert "no widths meet the limits" in err
    assert len(err.splitlines()) == 1
    for option in (("--max-drop", "1"), ("--flash", "1000"), ("--ram", "10"), ("--instructions", "1k")):
        code, _, err = qnn("compile", str(path), "--bits", "16", *option, "-o", str(tmp_path / "b"))
        assert code == 2
        assert f"{option[0]}: says how widths are chosen, but --bits 16 gives them; use --bits mixed" in err


@pytest.mark.usefixtures("few")
def test_more_samples_with_labels_decide_with_data(tmp_path: Path, qnn: Cli) -> None:
    path = tmp_path / "t.qnn"
    path.write_bytes(model_bytes(replace(thermometer(), labels=None)))
    words = ("compile", str(path), "--bits", "mixed", "--max-drop", "5", "-o", str(tmp_path / "b"), "--json")
    without = json.loads(qnn(*words)[1])["mixed"]
    given = json.loads(qnn(*words, "--data", "thermistor")[1])["mixed"]
    assert (without["samples"], without["unit"]) == (SAMPLES, "% of the answers' spread")
    assert (given["samples"], given["unit"]) == (2048, "% of the rmse")


@pytest.mark.usefixtures("few")
def test_the_report_has_a_row_for_mixed_widths(tmp_path: Path, qnn: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qnn.report.measure.targets_here", lambda: ("host",))
    path, page = tmp_path / "t.qnn", tmp_path / "r.html"
    path.write_bytes(model_bytes(thermometer()))
    code, _, err = qnn("report", str(path), "--bits", "16,mixed", "--max-drop", "3", "-o", str(page), "-q", "-j1")
    assert code == 0, err
    rows = json.loads(page.with_suffix(".json").read_text())["rows"]
    assert [row["bits"] for row in rows] == [16, "mixed"]
    assert rows[1]["mixed"]["max_drop"] == 3
    assert "Mixed widths" in page.read_text()
    assert qnn("report", str(path), "--bits", "8,16", "--max-drop", "3")[0] == 2


@pytest.mark.parametrize("bits", [8, 16])
def test_nominal_code_is_about_what_it_is(tmp_path: Path, bits: int) -> None:
    """Within a factor of two of what the RV32 compiler makes."""
    pytest.importorskip("unicorn")
    from qnn.engines.unicorn_engine import UnicornEngine

    if not toolchain.rv32_compilers():
        pytest.skip("no compiler for RV32 on this machine: this test did not run")
    model = thermometer()
    build = compile_model(model, calibrate(model, model.samples), "t", widths=EIGHT if bits == 8 else SIXTEEN)
    write_build(build, tmp_path)
    engine = UnicornEngine(tmp_path, interface_of(build.graph))
    engine.close()
    assert 0.5 < code_bytes(build.graph) / engine.sizes.code < 2


def test_widths_of_a_combination() -> None:
    choices = (Choice("input", False), Choice("a", True), Choice("a", False), Choice("b", True))
    found = widths_of(choices, (16, 8, 16, 16))
    assert (found.input, found.of("a"), found.of("b"), found.of("other")) == (
        16,
        Width(8, 16),
        Width(16, 8),
        Width(8, 8),
    )


def test_a_convolutional_network_is_searched() -> None:
    net = "conv 3x3 4 relu, conv 3x3 4 relu, conv 3x3 4 relu, conv 1x1 3 relu, gap, dense"
    example = Example("net", net, (9, 9, 1), "uint8", 3)
    model = replace(model_of(example), samples=samples_of(example, 24))
    search = search_of(model, Limits(None, instructions=30000), 24)
    assert 2 ** len(search.choices) > mixedsearch.MAX_EXHAUSTIVE
    best = best_widths(search).best
    assert search.excess(best.cost) == 0
    assert best.loss.sqnr_db > 15


@pytest.mark.parametrize(("filters", "bits"), [(32, 4), (96, 2)])
def test_weights_of_few_bits_are_taken_where_they_save_bytes(filters: int, bits: int) -> None:
    """Where narrow weights save nothing, the finer ones are kept: they cost nothing.

    Weights of 2 bits of 32 filters save 576 bytes beside 4 bits, but gcc 12 needs some 1,350 more of code to unpack
    them; those of 96 filters save 1,728.
    """
    net = f"conv 3x3 8 relu, depthwise 3x3 relu, conv 3x3 {filters} relu, gap, dense"
    example = Example("net", net, (7, 7, 3), "uint8", 3)
    model = replace(model_of(example), samples=samples_of(example, 12))
    search = search_of(model, Limits(1e9), 12)
    best = dict(zip(search.choices, best_widths(search).best.bits, strict=True))
    weights = {choice.node.rstrip("0123456789"): bits for choice, bits in best.items() if choice.weights}
    assert weights["depthwise_conv2d"] > 4
    assert weights["conv2d"] == bits


@pytest.mark.parametrize(
    ("text", "value"),
    [("8K", 8192), ("8k", 8192), ("20000", 20000), ("1.5 KiB", 1536), ("1M", 1 << 20), ("2KB", 2048), ("12 B", 12)],
)
def test_bytes_as_people_write_them(text: str, value: int) -> None:
    assert bytes_of(text, "--flash") == value


@pytest.mark.parametrize(("text", "value"), [("500k", 500_000), ("1.2M", 1_200_000), ("34000", 34_000), ("1G", 10**9)])
def test_counts_as_people_write_them(text: str, value: int) -> None:
    assert count_of(text, "--instructions") == value


@pytest.mark.parametrize("text", ["", "K", "0", "-3", "8X", "1e3", "0.1", "8 K B", "٣"])
def test_no_quantities(text: str) -> None:
    with pytest.raises(QnnError, match="is no positive number; write it like"):
        bytes_of(text, "--flash")
    with pytest.raises(QnnError, match="is no positive number; write it like"):
        count_of(text, "--instructions")
