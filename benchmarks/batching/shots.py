"""Requests sent by the load's process, and what became of them."""

import json
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.batching.traffic import STEPS, WITHIN_S, Arrival


class NotSent(Exception):
    """The load's process failed; the message is its own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request at one contender; times in seconds from the trace's begin.

    `outcome` is `done`, an error's code, or `http` and the status; `device` is what the emulated
    device told of it, empty unless done.
    """

    arrival: Arrival
    sent_s: float
    ended_s: float
    outcome: str
    device: Mapping[str, Any]

    @property
    def is_done(self) -> bool:
        """Whether there is a picture."""
        return self.outcome == "done"

    @property
    def latency_s(self) -> float:
        """The seconds from when it should have been sent to its stream's end."""
        return self.ended_s - self.arrival.at_s

    @property
    def is_in_time(self) -> bool:
        """Whether the picture came while it was of use."""
        return self.is_done and self.latency_s <= WITHIN_S[self.arrival.kind]


def send(
    urls: Mapping[str, str], arrivals: Sequence[Arrival], told: Collection[str] = ()
) -> dict[str, list[Answer]]:
    """Send a trace to every address; those of `told` hear of kinds and deadlines.

    Raises NotSent.
    """
    plan = {
        "urls": dict(urls),
        "arrivals": [[one.at_s, STEPS[one.kind], _schedule(one)] for one in arrivals],
        "schedules": list(told),
    }
    command = [sys.executable, "-m", "benchmarks.batching.client"]
    ran = subprocess.run(  # noqa: S603  our own module
        command, input=json.dumps(plan), capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise NotSent(ran.stderr.strip())
    answers: dict[str, list[Answer]] = {name: [] for name in urls}
    for name, index, *rest in json.loads(ran.stdout):
        answers[name].append(Answer(arrivals[index], *rest))
    return answers


def _schedule(arrival: Arrival) -> dict[str, Any]:
    return {"kind": arrival.kind, "within_s": WITHIN_S[arrival.kind]}
