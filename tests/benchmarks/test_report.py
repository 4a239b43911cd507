"""What benchmarks print and store, and how a bar is read."""

import json
from pathlib import Path

import pytest

from benchmarks import bar, report


def test_a_table_is_markdown_with_numbers_to_the_right() -> None:
    printed = report.table(["pair", "n"], [["first", "1"], ["second", "22"]])
    assert printed.splitlines() == [
        "| pair   |  n |",
        "| ------ | -: |",
        "| first  |  1 |",
        "| second | 22 |",
    ]


def test_numbers_are_stored_with_machine_commit_and_date(tmp_path: Path) -> None:
    file = tmp_path / "new" / "numbers.json"
    measured = report.provenance()
    report.write_json(file, measured, {"answer": 42})
    stored = json.loads(file.read_text())
    assert stored["answer"] == 42
    assert {"cpu", "cores", "python", "commit", "date"} <= stored["measured"].keys()
    assert measured.commit in str(measured)


def test_a_limit_has_its_side() -> None:
    most, least = bar.Limit(5, up=False), bar.Limit(0.9, up=True)
    assert (most.met_by(5), most.met_by(5.1), str(most)) == (True, False, "<=5")
    assert (least.met_by(0.9), least.met_by(0.89), str(least)) == (True, False, ">=0.9")
    assert most.met_by(None)


def test_the_configured_bar_judges_every_printed_metric() -> None:
    limits = bar.read(report.ROOT / "config" / "quality.yaml")
    prototype = limits.references["prototype"]
    assert prototype.keys() == limits.limits.keys()
    assert "revealed_de" in limits.missed(prototype)


def test_a_limit_without_a_side_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "quality.yaml"
    file.write_text("bar: {texture: {about: 1}}\nreferences: {}\n")
    with pytest.raises(KeyError):
        bar.read(file)
