import math
from xml.etree import ElementTree as ET

import pytest

from benchmarks.batching import chart, columns, tables
from benchmarks.batching.contenders import ALL, CLASSIC, IN_ORDER, OURS
from benchmarks.batching.overheads import Overheads
from benchmarks.batching.shots import Answer
from benchmarks.batching.traffic import PREVIEW, QUALITY, Arrival
from benchmarks.batching.verdicts import verdicts


def answer(at_s: float, took_s: float, kind: str = PREVIEW, outcome: str = "done") -> Answer:
    device = {"steps": round(at_s * 10), "off": round(at_s)} if outcome == "done" else {}
    return Answer(Arrival(at_s, kind), at_s, at_s + took_s, outcome, device)


def crowd(took_s: float) -> list[Answer]:
    """One of each kind every second of a hundred."""
    return [answer(float(s), took_s, kind) for s in range(100) for kind in (PREVIEW, QUALITY)]


def test_a_percentile_is_one_of_the_values() -> None:
    assert columns.percentile(range(1, 101), 0.95) == 95
    assert columns.percentile([3.0], 0.5) == 3.0
    assert math.isnan(columns.percentile([], 0.5))


def test_latency_counts_from_when_a_request_should_have_been_sent() -> None:
    sent_late = Answer(Arrival(10.0, PREVIEW), 12.0, 12.5, "done", {"steps": 1, "off": 0})
    assert sent_late.latency_s == 2.5
    assert not sent_late.is_in_time


def test_who_came_while_it_was_still_empty_does_not_count() -> None:
    answers = [answer(1.0, 60.0), *(answer(float(s), 0.5) for s in range(10, 100))]
    assert columns.figures(answers, 100.0).p95_s[PREVIEW] == pytest.approx(0.5)


def test_refused_is_not_late_and_cut_is() -> None:
    answers = [
        answer(20.0, 0.2),
        answer(30.0, 0.1, outcome="ML_4007"),
        answer(40.0, 0.1, outcome="cut"),
        answer(50.0, 1.5),
    ]
    told = columns.figures(answers, 100.0)
    assert (told.refused, told.late, told.failed) == (1 / 4, 2 / 3, 1)
    assert told.in_time == pytest.approx(4 * 0.022 / 90)
    assert told.off == pytest.approx(0.1)


def test_every_target_has_its_verdict() -> None:
    busy = columns.column(
        0.8, 100.0, {OURS.name: crowd(0.1), IN_ORDER.name: crowd(0.9), CLASSIC.name: crowd(3.0)}
    )
    cost = Overheads({PREVIEW: 20.0, QUALITY: 22.0}, {PREVIEW: 12.0, QUALITY: 11.0}, 0.4)
    words = {one.target: one.word for one in verdicts([busy], cost)}
    assert list(words.values()) == [
        "not met",
        "met",
        "met",
        "not measured",
        "not measured",
        "not met",
        "met",
    ]
    assert "not met" in tables.verdicts(verdicts([busy], cost))


def test_overload_is_judged_by_work_in_time_and_by_who_was_promised() -> None:
    over = columns.column(1.2, 100.0, {OURS.name: crowd(0.1)})
    in_time, late = (one for one in verdicts([over], None) if one.target.startswith("at 1.2"))
    assert in_time.measured == pytest.approx(34 * 0.022)
    assert in_time.met is False
    assert late.met is True


def test_the_table_and_the_chart_show_everybody() -> None:
    run = [
        columns.column(load, 100.0, {one.name: crowd(load) for one in ALL}) for load in (0.2, 0.8)
    ]
    drawn = ET.fromstring(chart.svg(run))  # noqa: S314  our own
    text = " ".join(drawn.itertext())
    for contender in ALL:
        assert contender.title in text
        assert contender.title in tables.column(run[0])
    assert "prefers-color-scheme: dark" in text
