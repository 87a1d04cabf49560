from __future__ import annotations

import polars as pl
import pytest

from features.errors import DataError
from pipelines.ingest.mapping import Csv
from pipelines.ingest.rows import rows_of


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"who,what\n", "has no rows"),
        (b"who,what\nann,mug\nbob,pen,3\n", "line 3: found 3 fields, but the header names 2"),
        (b"who,what\nann,mug\nbob", "line 3: found 1 fields, but the header names 2"),
        (b'who,what\n"ann\nof ten",mug\nbob\n', "line 4: found 1 fields"),
        (b'who,what\nann,mug\nbob,"pen\ncid,cup\n', "line 3: unexpected end of data"),
        (b'who,what\nann,"mug" big\n', "line 2: ',' expected after '\"'"),
        (b"who,what\nann,mug\nJos\xe9,pen\n", "line 3: byte 0xe9 at place 4 is not utf-8"),
        (b"who;what\nann;mug\n", "looks separated by ';'"),
        (b"who\twhat\nann\tmug\n", 'separator = "\\t"'),
        (b"who,what\nann," + b"x" * 131_073, "a cell here is longer than 131,072 characters"),
        (b'who,what\nann,"' + b"mug\n" * 40_000, "or a quote that opens here is not closed"),
        ("who,what\nann,mug\n".encode("utf-16"), "is UTF-16"),
        (b"\xfe\xff" + "who,what\nann,mug\n".encode("utf-16-be"), "save it as UTF-8"),
        (b"who,what\rann,mug\r", "line 1: new-line character seen"),
        (b"who,what\rann,mug\r", "a carriage return (CR) stands here without a line feed"),
        (b"who,who\nann,mug\n", "names who twice"),
    ],
)
def test_a_broken_csv_is_explained_by_file_and_line(tmp_path, content, told):
    file = tmp_path / "rows.csv"
    file.write_bytes(content)
    with pytest.raises(DataError) as error:
        rows_of(file, Csv())
    assert told in str(error.value)
    assert "rows.csv" in str(error.value)


def test_quotes_hold_separators_lines_and_quotes(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_bytes(b'\xef\xbb\xbfwho,what\r\n"ann, the ""first""","a\nmug"\r\nbob,\r\n')
    assert rows_of(file, Csv()).rows() == [('ann, the "first"', "a\nmug"), ("bob", None)]


def test_another_encoding_and_separator_by_the_mapping(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_bytes("who;paid\nJosé;1,50\n".encode("windows-1252"))
    form = Csv(separator=";", encoding="windows-1252", decimal=",")
    assert rows_of(file, form).rows() == [("José", "1,50")]


def test_an_encoding_that_nobody_knows(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_bytes(b"who,what\nann,mug\n")
    with pytest.raises(DataError, match="which nobody knows"):
        rows_of(file, Csv(encoding="utf-9"))


def test_a_parquet_file_that_is_none(tmp_path):
    file = tmp_path / "rows.parquet"
    file.write_bytes(b"who,what\n")
    with pytest.raises(DataError, match="is not a readable Parquet file"):
        rows_of(file, Csv())


def test_nested_columns_are_refused_by_name(tmp_path):
    pl.DataFrame({"who": ["ann"], "tags": [["a", "b"]]}).write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="column tags holds List"):
        rows_of(tmp_path / "rows.parquet", Csv())


@pytest.mark.parametrize("name", ["rows.csv", "rows.xlsx"])
def test_a_file_that_is_absent_or_of_an_unknown_kind(tmp_path, name):
    if name.endswith("xlsx"):
        (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(DataError, match=name):
        rows_of(tmp_path / name, Csv())


def test_a_cell_that_is_too_long_is_not_taken_for_a_quote(tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"who,what\nann," + b"x" * 131_073)
    with pytest.raises(DataError) as error:
        rows_of(tmp_path / "rows.csv", Csv())
    assert "quote" not in str(error.value)
