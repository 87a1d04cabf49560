"""Results are one JSON line for machines, and readable in any terminal for people."""

import json

from pipelines.console import progress, show, show_rows

ROWS = [{"model": "churn", "gain": 0.0261, "gate": "better than the baseline " * 8, "a": 1, "b": 2}]


def test_machines_get_one_line(capsys):
    show({"customers": 1234, "at": None}, as_json=True, title="")
    show_rows(ROWS, as_json=True, title="")
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first) == {"customers": 1234, "at": None}
    assert json.loads(second) == ROWS


def test_people_get_separated_thousands_and_no_none(capsys):
    show({"customers": 1234, "at": None, "promoted": True}, as_json=False, title="Done")
    told = capsys.readouterr().out
    assert "1,234" in told and "None" not in told and "yes" in told


def test_what_is_synthetic_says_so_above_the_table(capsys):
    show({"customers": 1, "synthetic": True}, as_json=False, title="Done")
    show_rows([ROWS[0] | {"synthetic": False}, ROWS[0] | {"synthetic": True}],
              as_json=False, title="Models")  # fmt: skip
    told = " ".join(capsys.readouterr().out.split())
    assert "Done (synthetic data)" in told and "Models (synthetic data)" in told
    show({"customers": 1, "synthetic": False}, as_json=False, title="Done")
    show_rows([ROWS[0] | {"synthetic": None}], as_json=False, title="Models")
    assert "(synthetic data)" not in capsys.readouterr().out


def test_rows_too_long_for_the_terminal_become_blocks(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    show_rows(ROWS, as_json=False, title="Models")
    told = capsys.readouterr().out
    assert "churn" in told and "0.0261" in told, "nothing is cut"


def test_a_table_of_the_settings_is_no_markup(capsys):
    show({"do": "set base_currency under [features]"}, as_json=False, title="")
    show_rows([{"do": "see [training.churn]"}], as_json=False, title="")
    told = capsys.readouterr().out
    assert "[features]" in told and "[training.churn]" in told and "\\" not in told


def test_quiet_work_prints_nothing(capsys):
    with progress(quiet=True) as step:
        step("reading", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_progress_goes_to_standard_error(capsys):
    with progress(quiet=False) as step:
        step("reading", 1, 2)
    told = capsys.readouterr()
    assert told.out == "" and "reading" in told.err
