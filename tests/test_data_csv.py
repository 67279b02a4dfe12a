# SPDX-License-Identifier: MIT
"""CSV files of every make, and what is said about those that cannot be read."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnn.data import Dataset, LoadOptions, load, parse_samples
from qnn.data.csvread import read_csv
from qnn.data.textsource import TextSource
from qnn.errors import QnnError
from qnn.progress import silent

WHOLE = LoadOptions(test_fraction=0.0, validation_fraction=0.0)

Read = Callable[..., Dataset]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def reader(content: str | bytes, options: LoadOptions = WHOLE, like: Dataset | None = None) -> Dataset:
        path = tmp_path / "data.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load(str(path), options, like.schema if like else None)

    return reader


def problem(read: Read, content: str | bytes, options: LoadOptions = WHOLE, like: Dataset | None = None) -> str:
    with pytest.raises(QnnError) as caught:
        read(content, options, like)
    text = str(caught.value)
    assert "\n" not in text
    assert "data.csv" in text
    return text


IRIS = "5.1,3.5,setosa\n4.9,3.0,setosa\n7.0,3.2,versicolor\n6.3,3.3,virginica\n"


def test_text_labels_without_header(read: Read) -> None:
    data = read(IRIS)
    assert data.schema.task == "classification"
    assert data.schema.classes == ("setosa", "versicolor", "virginica")
    assert data.y.tolist() == [0, 0, 1, 2]
    assert data.x.tolist() == [[51, 35], [49, 30], [70, 32], [63, 33]]
    assert data.x.dtype == np.int32
    assert [(f.name, f.decimals) for f in data.schema.features] == [("x1", 1), ("x2", 1)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separator_and_line_ends_are_found(read: Read, separator: str, end: str) -> None:
    text = end.join(
        separator.join(row) for row in (("a", "b", "y"), ("1", "-20", "0"), ("2", "30", "1"), ("3", "5", "0"))
    )
    data = read(text + end)
    assert [f.name for f in data.schema.features] == ["a", "b"]
    assert data.x.tolist() == [[1, -20], [2, 30], [3, 5]]
    assert data.y.tolist() == [0, 1, 0]


def test_columns_aligned_with_blanks(read: Read) -> None:
    data = read("  1.5   20  0 \n 10.5    3  1\n  2.0  100  0  \n")
    assert data.x.tolist() == [[15, 20], [105, 3], [20, 100]]


def test_blank_after_each_comma_and_around(read: Read) -> None:
    assert read('1, "2.5", a\n3 ,4.5 ,b \n').x.tolist() == [[1, 25], [3, 45]]


def test_semicolons_and_decimal_commas(read: Read) -> None:
    data = read("t;h;y;;\r\n2,6;1360;0,7578;;\r\n2;1292;0,7255;;\r\n;;;;\r\n")
    assert [(f.name, f.decimals) for f in data.schema.features] == [("t", 1), ("h", 0)]
    assert data.x.tolist() == [[26, 1360], [20, 1292]]
    assert data.y.tolist() == [[0.7578], [0.7255]]
    assert data.schema.target_decimals == (4,)
    assert any("x4, x5" in warning for warning in data.warnings)


def test_a_decimal_comma_in_every_row_does_not_look_like_a_separator(read: Read) -> None:
    assert read("1,5;0\n2,5;1\n3,5;0\n").x.tolist() == [[15], [25], [35]]


def test_points_and_commas_in_one_column_are_refused(read: Read) -> None:
    assert "decimal points and decimal commas" in problem(read, "a;y\n1.5;0\n1,250;1\n")


def test_byte_order_mark_quotes_and_gzip(read: Read) -> None:
    text = b'\xef\xbb\xbf"first, one",y\n"1.25","no"\n"2.50","yes, ""sure"""\n'
    for content in (text, gzip.compress(text, mtime=0)):
        data = read(content)
        assert data.schema.features[0].name == "first, one"
        assert data.schema.classes == ("no", 'yes, "sure"')
        assert data.x.tolist() == [[125], [250]]


def test_names_that_are_not_utf8(read: Read) -> None:
    data = read("T °C,y\n1,é\n2,b\n".encode("latin-1"))
    assert data.schema.features[0].name == "T °C"
    assert set(data.schema.classes) == {"é", "b"}


def test_a_quoted_line_break_keeps_the_line_numbers(read: Read) -> None:
    assert "line 5" in problem(read, 'a,b,y\n1,2,"u\nv"\n3,4,w\n5,x,w\n')


@pytest.mark.parametrize(
    ("label", "features", "targets"),
    [
        (("last",), ["a", "b"], ("c",)),
        (("first",), ["b", "c"], ("a",)),
        (("b",), ["a", "c"], ("b",)),
        (("c", "a"), ["b"], ("c", "a")),
    ],
)
def test_label_columns(read: Read, label: tuple[str, ...], features: list[str], targets: tuple[str, ...]) -> None:
    options = LoadOptions(label=label, task="regression")
    data = read("a,b,c\n1,2.5,3.25\n4,5.5,6.75\n7,8,9\n", options)
    assert [f.name for f in data.schema.features] == features
    assert data.schema.targets == targets
    columns = {"a": [1, 4, 7], "b": [2.5, 5.5, 8], "c": [3.25, 6.75, 9]}
    assert data.y.T.tolist() == [columns[name] for name in targets]


def test_an_unknown_label_names_the_nearest(read: Read) -> None:
    text = problem(read, "alpha,beta,y\n1,2,3\n2,3,4\n", LoadOptions(label=("alpah",)))
    assert "'alpah'" in text
    assert "did you mean 'alpha'" in text


def test_headers_are_told_from_rows(read: Read) -> None:
    assert len(read("a,b\n1,2\n3,4\n5,9\n").x) == 3
    assert len(read("9,7\n1,2\n3,4\n5,9\n").x) == 4
    assert len(read("9,7\n1,2\n3,4\n5,9\n", LoadOptions(header="yes")).x) == 3
    assert read("9,7\n1,2\n3,4\n", LoadOptions(header="yes")).schema.features[0].name == "9"


def test_doubled_names_get_numbers(read: Read) -> None:
    data = read("a,a,y\n1,2,3\n4,5,6\n")
    assert [f.name for f in data.schema.features] == ["a", "a.2"]
    assert any("'a'" in warning for warning in data.warnings)


def test_whole_numbers_have_no_decimals_however_written(read: Read) -> None:
    data = read("a,b,y\n1.0,1e3,5\n2.00,2000,6\n3,-1.5E3,5\n")
    assert [f.decimals for f in data.schema.features] == [0, 0]
    assert data.x.tolist() == [[1, 1000], [2, 2000], [3, -1500]]


def test_a_column_that_does_not_fit_is_rounded(read: Read) -> None:
    data = read("a,b,y\n123456.123456,1.000000000149,0\n-1.5,2.000000000149,1\n0.000005,3,0\n")
    assert [f.decimals for f in data.schema.features] == [4, 0]
    assert data.x.tolist() == [[1234561235, 1], [-15000, 2], [0, 3]]


def test_a_column_beyond_int32_is_refused(read: Read) -> None:
    text = problem(read, "time,y\n1700000000000,0\n1700000000001,1\n")
    assert "'time'" in text
    assert "32-bit" in text


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        (range(20), "classification"),
        (range(21), "regression"),
        ([0.5, 1.5, 2.5], "regression"),
        ([1.0, 2.0, 1.0], "classification"),
        (["a", "b", "a"], "classification"),
    ],
)
def test_task(read: Read, labels: Sequence[object], task: str) -> None:
    assert read("x,y\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels))).schema.task == task


def test_the_task_can_be_told(read: Read) -> None:
    text = "x,y\n1,10\n2,9\n3,10.0\n"
    assert read(text).schema.classes == ("9", "10")
    assert read(text).y.tolist() == [1, 0, 1]
    assert read(text, LoadOptions(task="regression")).y.tolist() == [[10.0], [9.0], [10.0]]
    many = "x,y\n" + "".join(f"{i},{i}\n" for i in range(200))
    assert len(read(many, LoadOptions(task="classification")).schema.classes) == 200
    assert "different labels" in problem(
        read, "x,y\n" + "".join(f"{i},c{i}\n" for i in range(300)), LoadOptions(task="classification")
    )
    assert "text as label" in problem(read, IRIS, LoadOptions(task="regression"))
    assert "2 label columns" in problem(
        read, "a,b,c\n1,2,3\n4,5,6\n", LoadOptions(label=("b", "c"), task="classification")
    )


GAPS = "a,b,y\n1,,0\n2,3,1\nNA,nan,0\n4,-200,1\n5,6,?\n7,8,0\n"


def test_missing_values_are_counted_and_named(read: Read) -> None:
    text = problem(read, GAPS)
    assert "4 values are missing, in 3 of 6 rows" in text
    assert "'b' 2, 'a' 1, 'y' 1" in text
    assert "--drop-missing" in text


def test_rows_with_missing_values_are_dropped_on_demand(read: Read) -> None:
    data = read(GAPS, LoadOptions(drop_missing=True, test_fraction=0, validation_fraction=0))
    assert data.x.tolist() == [[2, 3], [4, -200], [7, 8]]
    assert data.y.tolist() == [1, 1, 0]
    assert any("3 of 6 rows" in warning for warning in data.warnings)
    marked = read(GAPS, LoadOptions(drop_missing=True, missing=("-200",)))
    assert marked.x.tolist() == [[2, 3], [7, 8]]


def test_dropped_rows_leave_no_trace(read: Read) -> None:
    data = read("a,b,y\n0.125,,2\n1,2,0\n3,4,1\n", LoadOptions(drop_missing=True))
    assert data.schema.features[0].decimals == 0
    assert data.schema.classes == ("0", "1")


def test_nothing_left_after_dropping(read: Read) -> None:
    text = problem(read, "a,b,y\n1,,0\n2,,1\n", LoadOptions(drop_missing=True))
    assert "every row" in text
    assert "'b' 2" in text


def test_text_columns_are_named_with_the_remedy(read: Read) -> None:
    text = problem(read, "Date,the time,a,y\n1/2/03,12:00,1,0\n2/2/03,13:00,2,1\n")
    assert "'Date', 'the time' hold text, such as '1/2/03' in line 2" in text
    assert '--drop-columns "Date,the time"' in text
    data = read(
        "Date,the time,a,y\n1/2/03,12:00,1,0\n2/2/03,13:00,2,1\n", LoadOptions(drop_columns=("Date", "the time"))
    )
    assert data.x.tolist() == [[1], [2]]


def test_infinity_is_named_with_its_line(read: Read) -> None:
    text = problem(read, "a,b,y\n1,2,0\n2,-inf,1\n")
    assert "'b' holds infinity, such as '-inf' in line 3" in text
    assert "label 'y' is 'Infinity'" in problem(read, "a,b,y\n1,2,0.5\n2,1,Infinity\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("\n\n  \n", "no rows"),
        ("a,b,y\n", "no rows"),
        ("1,2,0\n3,4,1\n5,6\n7,8,1\n", "line 3 has 2 fields, the first line 3"),
        ("a,b,y\n1,2,0\n\n3,4,1,9\n", "line 4 has 4 fields, the first line 3"),
        ("1\n2\n3\n", "inputs and a label are needed"),
        ("a,b,y\n1,2,0\n2,3,0\n", "one class only ('0')"),
        ("a,b,y\n1,2,0.5\n2,3,0.5\n", "same in every row"),
        ("a,b,y\n1,2,0\n1,2,1\n1,2,0\n", "nothing but constant columns"),
        ('a,b,y\n1,2,0\n"3,4,1\n5,6,1\n', "line"),
        (b"a,b\n1,\x00\n", "zero bytes"),
        ("a,y\n1,2\n".encode("utf-16"), "UTF-16"),
        (gzip.compress(b"a,b,y\n1,2,0\n2,3,1\n" * 100, mtime=0)[:-20], "damaged gzip"),
        (b"\x1f\x8b\x08\x00garbage garbage garbage", "damaged gzip"),
    ],
)
def test_bad_files_are_one_clear_line(read: Read, content: str | bytes, words: str) -> None:
    assert words in problem(read, content)


def test_a_line_without_end_is_refused(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qnn.data.textsource.LINE_LIMIT", 1 << 20)
    assert "line of more than 1 MiB" in problem(read, b"1," * (1 << 20))


def test_memory_is_bounded_before_it_is_taken(read: Read) -> None:
    text = problem(read, "a,y\n" + "1,0\n2,1\n" * 5000, LoadOptions(max_memory=100_000))
    assert "more than the 0.1 MB allowed" in text
    assert "--max-memory" in text


def test_a_column_that_is_empty_at_first_and_not_later_is_refused(read: Read) -> None:
    rows = "".join(f"{i},{i % 2},\n" for i in range(300)) + "1,0,7\n"
    text = problem(read, "a,y,\n" + rows)
    assert "'x3'" in text
    assert "line 302" in text


def test_a_constant_column_is_a_warning(read: Read) -> None:
    data = read("a,b,y\n1,5,0\n2,5,1\n3,5,0\n")
    assert any("constant" in warning and "b" in warning for warning in data.warnings)
    assert data.x.shape == (3, 2)


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    path.write_text("a,b,y\n" + "1,2.5,0\n3,4.5,1\n" * 60_000)
    seen: list[tuple[int, int]] = []
    load(str(path), progress=lambda done, total, text="": seen.append((done, total)))
    assert len(seen) > 2
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1] == 2 * path.stat().st_size


def test_chunks_do_not_show(tmp_path: Path, rng: np.random.Generator) -> None:
    raw = rng.integers(-(10**9), 10**9, (100_000, 2))
    y = rng.integers(0, 3, 100_000)
    path = tmp_path / "big.csv"
    rows = zip(raw[:, 0].tolist(), raw[:, 1].tolist(), y.tolist(), strict=True)
    path.write_text("".join(f"{a / 1000:.3f},{b},{c}\n" for a, b, c in rows))
    data = load(str(path))
    assert (data.x == raw).all()
    assert (data.y == y).all()


cells = st.decimals(-9999, 9999, places=5).map(lambda value: format(value, "f"))
tables = st.lists(st.tuples(cells, cells, st.sampled_from("uvw")), min_size=1, max_size=30)


@given(tables, st.sampled_from([",", ";", "\t", "|"]), st.booleans())
@settings(max_examples=100)
def test_values_make_the_round_trip(rows: list[tuple[str, str, str]], separator: str, quoted: bool) -> None:
    mark = '"' if quoted else ""
    text = "\n".join(separator.join(mark + cell + mark for cell in row) for row in [("p", "q", "y"), *rows])
    table = read_csv(TextSource("text", None, text.encode()), LoadOptions(), None, silent)
    assert len(table.x) == len(rows)
    for column, feature in enumerate(table.features):
        values = [Decimal(row[column]) for row in rows]
        assert [Decimal(raw).scaleb(-feature.decimals) for raw in table.x[:, column].tolist()] == values
        assert feature.decimals == max(max(0, -int(v.normalize().as_tuple().exponent)) if v else 0 for v in values)
    assert [table.labels.names[code] for code in table.labels.codes] == [row[2] for row in rows]


@given(st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "Z", "C"]), max_size=200))
@settings(max_examples=300)
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    with contextlib.suppress(QnnError):
        table = read_csv(TextSource("text", None, text.encode()), LoadOptions(), None, silent)
        assert len(table.x) > 0


# A trained model's data.

MODEL = "a,b,y\n1.25,2,no\n2.50,3,yes\n3.75,4,no\n"


def test_a_model_reads_columns_by_name(read: Read) -> None:
    model = read(MODEL)
    data = read("y,junk,b,a\nyes,hello,7,1.255\nno,world,8,2\nyes,!,9,-1.5\n", LoadOptions(), model)
    assert data.x.tolist() == [[126, 7], [200, 8], [-150, 9]]
    assert data.y.tolist() == [1, 0, 1]
    assert data.schema == model.schema


def test_a_model_reads_columns_by_position_without_header(read: Read) -> None:
    model = read(MODEL)
    assert read("1.5,7,no\n1.25,8,yes\n", like=model).y.tolist() == [0, 1]
    unlabelled = read("1.5,7\n1.25,8\n", like=model)
    assert unlabelled.y is None
    assert unlabelled.x.tolist() == [[150, 7], [125, 8]]
    first = read("no,1.5,7\nyes,1.25,8\n", LoadOptions(label=("first",)), model)
    assert first.x.tolist() == [[150, 7], [125, 8]]
    assert first.y.tolist() == [0, 1]


def test_a_model_without_names_reads_files_with_and_without(read: Read) -> None:
    model = read("0,1.5,7\n1,2.5,8\n0,3.5,9\n", LoadOptions(label=("first",)))
    assert [f.name for f in model.schema.features] == ["x2", "x3"]
    assert read("0,1.5,7\n1,2.5,8\n", like=model).x.tolist() == [[15, 7], [25, 8]]
    assert read("1.5,7\n2.5,8\n", like=model).x.tolist() == [[15, 7], [25, 8]]
    assert read("p,q\n1.5,7\n2.5,8\n", like=model).x.tolist() == [[15, 7], [25, 8]]


def test_a_model_knows_which_columns_were_dropped(read: Read) -> None:
    text = "8,1.5,7,0\n9,2.5,8,1\n9,3.5,9,0\n"
    model = read(text, LoadOptions(drop_columns=("x1",)))
    again = read(text, like=model)
    assert again.x.tolist() == model.x.tolist()
    assert again.y.tolist() == model.y.tolist()
    without = read("1.5,7,0\n2.5,8,1\n3.5,9,0\n", like=model)
    assert without.x.tolist() == model.x.tolist()
    assert without.y.tolist() == model.y.tolist()


def test_a_regression_finds_its_targets_by_name(read: Read) -> None:
    model = read("a,t,u\n1,2.5,3.5\n2,3.5,4.5\n3,5.5,6\n", LoadOptions(label=("t", "u")))
    data = read("u,a,t\n9.5,1,7\n8.5,2,6\n", like=model)
    assert data.y.tolist() == [[7.0, 9.5], [6.0, 8.5]]
    assert read("a,other\n1,5\n2,6\n", like=model).y is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b,y\n1,2,maybe\n", "the label 'maybe'"),
        ("a,c,y\n1,2,no\n", "lacks the column 'b'"),
        ("p,q,y\n1,2,no\n", "lacks the columns 'a', 'b'"),
        ("1,2,3,4,5\n", "has 5 columns; the model reads 2, or 3 with the label"),
        ("1\n", "has 1 column; the model reads 2"),
        ("a,b,y\n1,,no\n", "1 value is missing"),
        ("a,b,y\n1,dog,no\n", "column 'b' holds text"),
    ],
)
def test_data_that_does_not_fit_a_model(read: Read, content: str, words: str) -> None:
    model = read(MODEL)
    assert words in problem(read, content, WHOLE, model)


def test_values_beyond_int32_saturate_for_a_model(read: Read) -> None:
    model = read(MODEL)
    data = read("a,b\n1e9,2\n-1e30,3\n0,4\n", like=model)
    assert data.x[:, 0].tolist() == [2**31 - 1, -(2**31), 0]
    assert any("2 values lie beyond" in warning for warning in data.warnings)


def test_one_sample_from_text(read: Read) -> None:
    model = read(MODEL)
    for text in ("1.5,7", "1.5 7", " 1.5; 7 ", "1,5;7", "1.5\t7\n"):
        assert parse_samples(text, "VALUES", model.schema).tolist() == [[150, 7]]
    with pytest.raises(QnnError, match="VALUES"):
        parse_samples("1.5,7,8,9", "VALUES", model.schema)


def test_images_from_text() -> None:
    schema = load("digits").schema
    row = ",".join(str(i % 17) for i in range(64))
    x = parse_samples(row, "VALUES", schema)
    assert x.shape == (1, 8, 8, 1)
    assert x.dtype == np.uint8
    assert x.reshape(-1).tolist() == [i % 17 for i in range(64)]
    for wrong in (row.replace("16", "256"), row.replace("16", "0.5")):
        with pytest.raises(QnnError, match=r"0(\.\.|, | to )"):
            parse_samples(wrong, "VALUES", schema)


def test_air_quality(data_dir: Path) -> None:
    source = str(data_dir / "airquality" / "AirQualityUCI.csv")
    with pytest.raises(QnnError, match=r"columns 'Date', 'Time' hold text"):
        load(source)
    data = load(source, LoadOptions(drop_columns=("Date", "Time"), label=("AH",)))
    assert data.x.shape == (9357, 12)
    assert data.x[0].tolist() == [26, 1360, 150, 119, 1046, 166, 1056, 113, 1692, 1268, 136, 489]
    assert data.y[0].tolist() == [0.7578]
    kept = load(source, LoadOptions(drop_columns=("Date", "Time"), missing=("-200",), drop_missing=True))
    assert len(kept.x) == 827


def test_smoke_detector(data_dir: Path) -> None:
    folder = data_dir / "smoke"
    data = load(str(folder / "train.csv"), LoadOptions(test_file=folder / "test.csv"))
    assert data.x.shape == (35746, 12)
    assert data.schema.classes == ("0", "1")
    assert data.test.tolist() == list(range(28596, 35746))
    assert data.x[0].tolist()[:3] == [465926, 489451, 3267]
    alone = load(str(folder / "test.csv"), schema=data.schema)
    assert (alone.x == data.x[data.test]).all()
    assert (alone.y == data.y[data.test]).all()
