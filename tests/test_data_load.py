# SPDX-License-Identifier: MIT
"""What comes out of `load`: built-in data, splits, the rows of each stage, random samples, options."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnn.data import LoadOptions, load, load_samples, parse_bytes, random_samples, rows_for
from qnn.data.builtin import NAMES, find_mnist
from qnn.data.split import EVALUATE, TRAIN, sha256_of, split_rows
from qnn.data.thermistor import textbook
from qnn.errors import QnnError
from qnn.schema import DataRecord, Feature, Schema

SCHEMA = Schema((3,), "int32", tuple(Feature(name, 2) for name in "abc"), "regression", (), ("y",), (1,))
IMAGES = Schema((2, 2, 1), "uint8", (), "classification", ("a", "b"), (), ())


def record(seed: int = 0, validation: float = 0.1, test: float = 0.2) -> DataRecord:
    return DataRecord("data", "", seed, validation, test)


def write_csv(path: Path, rows: int, start: int = 0) -> Path:
    path.write_text("a,b,y\n" + "".join(f"{i},{i * i % 97},{i % 3}\n" for i in range(start, start + rows)))
    return path


def test_digits() -> None:
    data = load("digits")
    assert data.schema == Schema((8, 8, 1), "uint8", (), "classification", tuple("0123456789"), (), ())
    assert data.x.shape == (1797, 8, 8, 1)
    assert (int(data.x.min()), int(data.x.max())) == (0, 16)
    assert np.bincount(data.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.warnings == ()


def test_thermistor_is_the_same_everywhere() -> None:
    data = load("thermistor")
    assert data.record.sha256 == "9cb8c878fb400c14869af72e69951d7ff156739241ecd8b241e6791aa2861dbd"
    assert data.x.shape == (6000, 5)
    assert data.x.dtype == np.int32
    assert data.x.min() > 0
    assert data.x.max() < 4095
    assert data.schema.targets == ("temperature",)
    assert data.schema.target_decimals == (3,)
    assert data.y.min() >= -20
    assert data.y.max() <= 100


def test_thermistor_can_be_read_better_than_by_the_textbook() -> None:
    data = load("thermistor")
    y = data.y[:, 0]
    formula = textbook(data.x)
    naive = float(np.sqrt(np.mean((formula - y)[data.test] ** 2)))
    # The formula's own estimate, corrected by a linear fit over the other counts: what any network can do, and more.
    extra = np.column_stack([formula, formula**2, data.x, (data.x[:, 0] - data.x[:, 1]) * formula, np.ones(len(y))])
    fit = np.linalg.lstsq(extra[data.train].astype(np.float64), y[data.train], rcond=None)[0]
    corrected = float(np.sqrt(np.mean((extra @ fit - y)[data.test] ** 2)))
    assert 1.0 < naive < 2.0
    assert corrected < naive / 2


def test_unknown_names_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(QnnError, match="did you mean digits"):
        load("digit")
    with pytest.raises(QnnError, match="no such file or data set"):
        load(str(tmp_path / "nothing.csv"))
    with pytest.raises(QnnError, match="cannot be read"):
        load("no\0file")


def test_mnist_that_is_not_there_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QNN_DATA", str(tmp_path))
    monkeypatch.setattr("qnn.data.builtin.cache_folder", lambda: tmp_path / "cache")
    with pytest.raises(QnnError, match="qnn data fetch mnist"):
        load("mnist", LoadOptions(data_dir=tmp_path))


def test_mnist_is_looked_for_in_this_order(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {name: tmp_path / name / "mnist" for name in ("given", "variable", "cache")}
    monkeypatch.setenv("QNN_DATA", str(tmp_path / "variable"))
    monkeypatch.setattr("qnn.data.builtin.cache_folder", lambda: tmp_path / "cache")
    assert find_mnist(tmp_path / "given") is None
    for name in ("cache", "variable", "given"):
        places[name].mkdir(parents=True)
        for source in (data_dir / "mnist").iterdir():
            (places[name] / source.name).write_bytes(b"")
        assert find_mnist(tmp_path / "given") == places[name]
    assert find_mnist(places["given"]) == places["given"]


@given(st.integers(1, 300), st.integers(0, 50), st.integers(0, 9), st.floats(0, 0.99), st.floats(0, 0.99))
@settings(max_examples=200)
def test_parts_are_disjoint_and_together_everything(
    count: int, given_test: int, seed: int, validation: float, test: float
) -> None:
    parts = split_rows(count + given_test, given_test, record(seed, validation, test))
    assert sorted(np.concatenate(parts).tolist()) == list(range(count + given_test))
    assert all(part.dtype == np.int64 and (np.diff(part) > 0).all() for part in parts)
    assert len(parts[0]) >= 1
    if given_test:
        assert parts[2].tolist() == list(range(count, count + given_test))
    elif count >= 10 and 0.1 <= test <= 0.9:
        assert abs(len(parts[2]) - count * test) <= 1


def test_the_split_never_changes() -> None:
    train, validation, test = split_rows(20, 0, record(7))
    assert train.tolist() == [0, 1, 2, 5, 7, 8, 9, 13, 14, 15, 16, 17, 18, 19]
    assert (validation.tolist(), test.tolist()) == ([4, 10], [3, 6, 11, 12])
    assert split_rows(20, 0, record(8))[2].tolist() != test.tolist()


def test_the_hash_is_of_samples_and_labels() -> None:
    x, y = np.arange(6, dtype=np.int32).reshape(2, 3), np.array([0, 1])
    known = sha256_of(x, y)
    assert known == "550114c28bcc8f673abdf2000a718b5eefd304b77d7e1000a37558d60ab7041c"
    assert sha256_of(x.astype(">i4"), y.astype(">i8")) == known
    assert sha256_of(np.asfortranarray(x), y) == known
    others = (sha256_of(x + 1, y), sha256_of(x, y + 1), sha256_of(x.reshape(3, 2), y), sha256_of(x, None))
    assert len({known, *others}) == 5


def test_rows_of_each_stage(tmp_path: Path) -> None:
    path = str(write_csv(tmp_path / "a.csv", 50))
    trained = load(path, LoadOptions(seed=3))
    again = load(path, LoadOptions().like(trained.record), trained.schema)
    assert again.record == trained.record
    assert rows_for(trained, None, None, TRAIN).tolist() == trained.train.tolist()
    assert rows_for(again, trained.record, None, TRAIN).tolist() == trained.train.tolist()
    assert rows_for(again, trained.record, None, EVALUATE).tolist() == trained.test.tolist()
    for part in ("train", "validation", "test", "all"):
        assert rows_for(again, trained.record, part, EVALUATE).tolist() == trained.rows(part).tolist()


def test_another_split_of_the_same_data_does_not_mix_training_and_test(tmp_path: Path) -> None:
    path = str(write_csv(tmp_path / "a.csv", 50))
    trained = load(path, LoadOptions(seed=3))
    careless = load(path, LoadOptions(seed=4, test_fraction=0.5), trained.schema)
    assert rows_for(careless, trained.record, None, EVALUATE).tolist() == trained.test.tolist()
    assert rows_for(careless, trained.record, "train", EVALUATE).tolist() == trained.train.tolist()


def test_other_data_is_used_whole_for_evaluation(tmp_path: Path) -> None:
    trained = load(str(write_csv(tmp_path / "a.csv", 50)))
    other = load(str(write_csv(tmp_path / "b.csv", 40)), LoadOptions().like(trained.record), trained.schema)
    assert rows_for(other, trained.record, None, EVALUATE).tolist() == list(range(40))
    assert rows_for(other, trained.record, None, TRAIN).tolist() == other.train.tolist()
    assert len(other.train) < 40


def test_data_without_labels_is_one_part(tmp_path: Path) -> None:
    trained = load(str(write_csv(tmp_path / "a.csv", 50)))
    (tmp_path / "b.csv").write_text("a,b\n1,2\n3,4\n")
    other = load(str(tmp_path / "b.csv"), LoadOptions().like(trained.record), trained.schema)
    assert other.y is None
    for stage in (TRAIN, EVALUATE):
        assert rows_for(other, trained.record, None, stage).tolist() == [0, 1]
    with pytest.raises(QnnError, match="has no validation rows"):
        rows_for(other, trained.record, "validation", EVALUATE)
    with pytest.raises(QnnError, match="--part: 'tset' is no part"):
        rows_for(other, trained.record, "tset", EVALUATE)


def test_a_test_file_is_the_test_part_and_nothing_else(tmp_path: Path) -> None:
    first, second = write_csv(tmp_path / "a.csv", 50), write_csv(tmp_path / "b.csv", 20, start=100)
    options = LoadOptions(test_file=second)
    data = load(str(first), options)
    assert data.test.tolist() == list(range(50, 70))
    assert data.x[50].tolist() == [100, 100 * 100 % 97]
    assert data.record.test_fraction == 0
    assert len(data.validation) == 5
    again = load(str(first), options.like(data.record), data.schema)
    assert rows_for(again, data.record, None, EVALUATE).tolist() == data.test.tolist()
    assert rows_for(again, data.record, None, TRAIN).tolist() == data.train.tolist()


def test_a_test_file_must_fit(tmp_path: Path) -> None:
    first = write_csv(tmp_path / "a.csv", 50)
    (tmp_path / "b.csv").write_text("a,b,y\n1,2,7\n")
    with pytest.raises(QnnError, match=r"b\.csv: has the label '7'"):
        load(str(first), LoadOptions(test_file=tmp_path / "b.csv"))
    (tmp_path / "c.csv").write_text("a,b\n1,2\n")
    with pytest.raises(QnnError, match=r"c\.csv: has other labels"):
        load(str(first), LoadOptions(test_file=tmp_path / "c.csv"))


def test_a_part_without_a_class_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("".join(f"{i},{int(i == 17)}\n" for i in range(30)))
    missing = [seed for seed in range(20) if load(str(path), LoadOptions(seed=seed)).warnings]
    assert 0 < len(missing) < 20
    assert "classes 1" in load(str(path), LoadOptions(seed=missing[0])).warnings[0]


def test_samples_from_files_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.csv").write_text("a,b,c\n1,2,3\n4.25,5,6\n")
    expected = [[100, 200, 300], [425, 500, 600]]
    assert load_samples(str(tmp_path / "b.csv"), SCHEMA).tolist() == expected
    monkeypatch.setattr("sys.stdin", io.StringIO("1,2,3\n4.25,5,6\n"))
    assert load_samples("-", SCHEMA).tolist() == expected
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(QnnError, match="standard input: is empty"):
        load_samples("-", SCHEMA)


def test_random_samples_seek_the_edges(rng: np.random.Generator) -> None:
    x = random_samples(SCHEMA, (-100, 0, 5), (100, 9, 5), 2000, rng)
    assert x.shape == (2000, 3)
    assert x.dtype == np.int32
    assert x[:4].tolist() == [[0, 0, 0], [-100, 0, 5], [100, 9, 5], [0, 4, 5]]
    for column, low, high in ((0, -100, 100), (1, 0, 9), (2, 5, 5)):
        values = x[:, column]
        for edge in (low - 1, low, high, high + 1, 0, -(1 << 31), (1 << 31) - 1):
            assert (values == edge).sum() >= 2, (column, edge)
        assert low == high or ((values < low) | (values > high)).mean() < 0.6
    assert (x == 0).all(axis=1).sum() >= 2
    assert ((x == 0).sum(axis=1) == 2).sum() > 20


def test_random_bytes_stay_bytes(rng: np.random.Generator) -> None:
    x = random_samples(IMAGES, (), (), 500, rng)
    assert x.shape == (500, 2, 2, 1)
    assert x.dtype == np.uint8
    assert {0, 1, 127, 254, 255} <= set(x.reshape(-1).tolist())
    assert len(np.unique(x)) > 100


def test_random_data_follows_its_seed() -> None:
    first = load("random:50", LoadOptions(seed=1), SCHEMA)
    assert first.y is None
    assert (first.x == load("random:50", LoadOptions(seed=1), SCHEMA).x).all()
    assert (first.x != load("random:50", LoadOptions(seed=2), SCHEMA).x).any()
    narrow = load("random:50", LoadOptions(low=(10,), high=(12,)), SCHEMA)
    assert (np.abs(narrow.x.astype(np.int64) - 11) <= 1).mean() > 0.3
    assert rows_for(first, record(), None, EVALUATE).tolist() == list(range(50))


@pytest.mark.parametrize(
    "source", ["random:", "random:0", "random:-5", "random:1e3", "random:many", "random:" + "9" * 30]
)
def test_random_needs_a_number(source: str) -> None:
    with pytest.raises(QnnError, match="random"):
        load(source, None, SCHEMA)


def test_random_refuses_what_makes_no_sense() -> None:
    with pytest.raises(QnnError, match="nothing to learn from"):
        load("random:10")
    with pytest.raises(QnnError, match="--max-memory"):
        load("random:99999999999", None, SCHEMA)
    with pytest.raises(QnnError, match="2 low values for 3 inputs"):
        load("random:10", LoadOptions(low=(1, 2)), SCHEMA)
    with pytest.raises(QnnError, match="low is above their high"):
        load("random:10", LoadOptions(low=(5,), high=(4,)), SCHEMA)


@pytest.mark.parametrize(
    ("text", "count"), [("800MB", 800_000_000), ("4 GB", 4 * 10**9), ("1GiB", 1 << 30), ("0.5kb", 500), ("123", 123)]
)
def test_amounts_of_memory(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1e9", "5 apples", "nan"])
def test_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(QnnError, match="--max-memory"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("change", "option"),
    [
        ({"task": "clustering"}, "--task"),
        ({"header": "maybe"}, "--header"),
        ({"separator": "--"}, "--separator"),
        ({"separator": ""}, "--separator"),
        ({"separator": '"'}, "--separator"),
        ({"label": ()}, "--label"),
        ({"label": ("a", "a")}, "--label"),
        ({"test_fraction": 1.0}, "--test"),
        ({"validation_fraction": -0.1}, "--validation"),
        ({"test_fraction": float("nan")}, "--test"),
        ({"seed": -1}, "--seed"),
        ({"max_memory": 0}, "--max-memory"),
    ],
)
def test_options_that_make_no_sense(change: dict[str, object], option: str) -> None:
    with pytest.raises(QnnError, match=option):
        replace(LoadOptions(), **change)


def test_a_separator_can_be_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1:2:0\n2:3:1\n3:5:0\n")
    assert load(str(path), LoadOptions(separator=":")).x.tolist() == [[1, 2], [2, 3], [3, 5]]
    path.write_text("1\t2\t0\n2\t3\t1\n3\t5\t0\n")
    for name in ("tab", "\\t", "\t"):
        assert load(str(path), LoadOptions(separator=name)).x.tolist() == [[1, 2], [2, 3], [3, 5]]


def test_every_name_is_listed_once() -> None:
    assert len(set(NAMES)) == len(NAMES) == 3
