"""A device that only exists as a clock: requests arrive, steps take their time, nothing sleeps."""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from handlers.engine.costs import StepCosts
from handlers.engine.scheduler import Batch, Scheduler
from handlers.engine.tickets import Admitted, Ticket


@dataclass(frozen=True)
class Arrival:
    at_s: float
    ticket: Ticket
    leaves_s: float | None = None


@dataclass
class Story:
    """What happened: when each was done, who was refused or left, every batch and its start."""

    done_s: dict[str, float] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    steps: dict[str, int] = field(default_factory=dict)
    batches: list[tuple[float, Batch]] = field(default_factory=list)
    idle_while_waiting: int = 0


def play(
    scheduler: Scheduler,
    costs: StepCosts,
    arrivals: Iterable[Arrival],
    choose: Callable[[Scheduler, float], Batch | None] = Scheduler.next_batch,
) -> Story:
    """Let everybody come and go until nobody is in."""
    story, now = Story(), 0.0
    coming = [(one.at_s, number, one) for number, one in enumerate(arrivals)]
    heapq.heapify(coming)
    leaving = [(one.leaves_s, one.ticket.name) for _, _, one in coming if one.leaves_s is not None]
    heapq.heapify(leaving)
    while coming or len(scheduler):
        if not len(scheduler) and coming[0][0] > now:
            now = coming[0][0]
        while coming and coming[0][0] <= now:
            _enter(scheduler, heapq.heappop(coming)[2], now, story)
        while leaving and leaving[0][0] <= now:
            _leave(scheduler, heapq.heappop(leaving)[1], now, story)
        batch = choose(scheduler, now)
        if batch is None:
            story.idle_while_waiting += len(scheduler) > 0
            continue
        story.batches.append((now, batch))
        took_s = costs.step_s(batch.bucket, len(batch.names))
        now += took_s
        for name in batch.names:
            story.steps[name] = story.steps.get(name, 0) + 1
        story.done_s |= dict.fromkeys(scheduler.stepped(batch, took_s), now)
    return story


def _enter(scheduler: Scheduler, arrival: Arrival, now: float, story: Story) -> None:
    if isinstance(scheduler.admit(arrival.ticket, now), Admitted):
        scheduler.ready(arrival.ticket.name)
    else:
        story.refused.add(arrival.ticket.name)


def _leave(scheduler: Scheduler, name: str, now: float, story: Story) -> None:
    if name in scheduler.waiting(now):
        scheduler.leave(name)
        story.left.add(name)
