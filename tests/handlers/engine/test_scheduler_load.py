"""The scheduler in a busy shop, against a virtual clock: what it is for, in numbers."""

import random
from dataclasses import replace
from statistics import quantiles

import pytest

from handlers.engine.scheduler import Batch, Scheduler
from handlers.engine.tickets import Kind, Ticket
from tests.handlers.engine.simulation import Arrival, Story, play
from tests.handlers.engine.test_scheduler import COSTS, LARGE, scheduler


def shop(load: float, seconds: float, seed: int) -> list[Arrival]:
    """Poisson arrivals, 70 % previews of 4 steps and 30 % of 30, at a share of the capacity."""
    draw = random.Random(seed)
    mean_steps = 0.7 * 4 + 0.3 * 30
    rate = load / (mean_steps * COSTS.step_s(LARGE, 1))
    coming: list[Arrival] = []
    at = 0.0
    while (at := at + draw.expovariate(rate)) < seconds:
        preview = draw.random() < 0.7
        kind, steps = (Kind.PREVIEW, 4) if preview else (Kind.STANDARD, 30)
        coming.append(Arrival(at, Ticket(f"r{len(coming)}", f"u{len(coming)}", kind, LARGE, steps)))
    return coming


def first_come(crowd: Scheduler, _now_s: float) -> Batch | None:
    entries = sorted(crowd._entries.values(), key=lambda entry: entry.arrived_s)
    return Batch(LARGE, (entries[0].ticket.name,)) if entries else None


def p95(story: Story, coming: list[Arrival], kind: Kind) -> float:
    waits = [story.done_s[one.ticket.name] - one.at_s for one in coming if one.ticket.kind is kind]
    return quantiles(waits, n=20)[-1]


@pytest.mark.slow
def test_previews_hardly_wait_and_the_others_pay_little() -> None:
    coming = shop(load=0.8, seconds=600, seed=1)
    ours = play(scheduler(), COSTS, coming)
    theirs = play(scheduler(), COSTS, coming, first_come)
    assert p95(ours, coming, Kind.PREVIEW) <= 0.1 * p95(theirs, coming, Kind.PREVIEW)
    assert p95(ours, coming, Kind.STANDARD) <= 1.25 * p95(theirs, coming, Kind.STANDARD)


@pytest.mark.slow
def test_in_overload_what_is_let_in_is_in_time() -> None:
    coming = [
        replace(one, ticket=replace(one.ticket, deadline_s=one.at_s + 5.0))
        for one in shop(load=1.2, seconds=600, seed=2)
    ]
    story = play(scheduler(), COSTS, coming)
    late = sum(
        story.done_s[one.ticket.name] > one.at_s + 5.0
        for one in coming
        if one.ticket.name in story.done_s
    )
    served_s = sum(
        one.ticket.steps * COSTS.step_s(LARGE, 1)
        for one in coming
        if one.ticket.name in story.done_s
    )
    assert late <= 0.02 * len(story.done_s)
    assert served_s >= 0.95 * 600
