"""What stands around every call to an outside service: breaker, bulkhead and time-out in one.

After several failures in a row nothing is called any more. After the reset time one call, and only
one at a time, tries whether the service is back; if it is, all may call again. A call that was
cancelled tells nothing of the service, and counts neither way. pybreaker counts and keeps the
state; as it knows nothing of event loops it is told of each call after its end.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final

import pybreaker

from gateway.errors.kinds import Busy, GatewayError, TimedOut
from gateway.ports.clock import Clock

CIRCUIT_OPEN: Final = "circuit_open"
"""What `details["reason"]` of a refusal says."""


class State(StrEnum):
    """Of a circuit: closed lets everybody through, open nobody, half-open one at a time."""

    CLOSED = pybreaker.STATE_CLOSED
    HALF_OPEN = pybreaker.STATE_HALF_OPEN
    OPEN = pybreaker.STATE_OPEN


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """After how many failures in a row a circuit opens, and for how many seconds.

    `max_concurrent` calls at once are let through; None means any number. A call may take
    `timeout_s`; None leaves that to whoever calls.
    """

    failures: int = 5
    reset_s: float = 30.0
    max_concurrent: int | None = None
    timeout_s: float | None = None


OnChange = Callable[[str, State], None]
IsFault = Callable[[Exception], bool]


def is_fault(error: Exception) -> bool:
    """Whether an error is the service's: not what says that the caller asked wrongly."""
    return not isinstance(error, GatewayError) or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR


class Breaker:
    """Guards the calls to one service.

    `refusal` is the service's own error, raised while nothing is called; `on_change` hears the
    service's name and the new state; `is_fault` tells which errors are the service's.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        refusal: type[GatewayError],
        rules: BreakerRules,
        on_change: OnChange,
        is_fault: IsFault = is_fault,
    ) -> None:
        self.name = name
        self._rules = rules
        self._clock = clock
        self._refusal = refusal
        self._on_change = on_change
        self._is_fault = is_fault
        self._circuit = pybreaker.CircuitBreaker(
            fail_max=rules.failures, reset_timeout=0, throw_new_error_on_trip=False
        )
        self._opened_s = 0.0
        self._changes = 0
        self._is_trying = False
        self._in_flight = 0

    @property
    def state(self) -> State:
        """The circuit's state; an open one stays so until somebody tries."""
        return State(self._circuit.current_state)

    @property
    def admits(self) -> bool:
        """Whether a call would be let through at this moment."""
        return not (self._is_full or self._is_shut)

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """Call the service within the block; whatever the block raises is passed on.

        Raises the service's own error, with Retry-After, while the circuit is open; Busy when too
        many calls are under way; TimedOut when the block takes too long.
        """
        began = self._begin()
        try:
            async with asyncio.timeout(self._rules.timeout_s) as limit:
                yield
        except TimeoutError as error:
            self._note(began, is_failure=True)
            if not limit.expired():
                raise
            raise TimedOut from error
        except Exception as error:
            self._note(began, is_failure=self._is_fault(error))
            raise
        else:
            self._note(began, is_failure=False)
        finally:
            self._in_flight -= 1
            if began == self._changes:
                self._is_trying = False

    def refusal(self) -> GatewayError:
        """The service's own error, which says when to come back."""
        retry_s = max(1, math.ceil(self._wait_s))
        return self._refusal(
            details={"service": self.name, "reason": CIRCUIT_OPEN},
            headers={"Retry-After": str(retry_s)},
        )

    @property
    def _is_full(self) -> bool:
        most = self._rules.max_concurrent
        return most is not None and self._in_flight >= most

    @property
    def _is_shut(self) -> bool:
        return self.state is not State.CLOSED and (self._is_trying or self._wait_s > 0)

    @property
    def _wait_s(self) -> float:
        return self._opened_s + self._rules.reset_s - self._clock.monotonic()

    def _begin(self) -> int:
        """Take part in the state as it is now; what the call tells is heard only in this state."""
        if self._is_shut:
            raise self.refusal()
        if self._is_full:
            raise Busy(details={"service": self.name})
        if self.state is not State.CLOSED:
            self._is_trying = True
            if self.state is State.OPEN:
                self._circuit.half_open()
                self._changed()
        self._in_flight += 1
        return self._changes

    def _note(self, began: int, *, is_failure: bool) -> None:
        if began != self._changes:
            return
        before = self.state
        with suppress(_Failed), self._circuit.calling():
            if is_failure:
                raise _Failed
        if self.state is not before:
            self._opened_s = self._clock.monotonic()
            self._is_trying = False
            self._changed()

    def _changed(self) -> None:
        self._changes += 1
        self._on_change(self.name, self.state)


class Breakers:
    """Makes the breakers of a deployment, and knows the state of each for metrics and health."""

    def __init__(self, clock: Clock, on_change: OnChange) -> None:
        self._clock = clock
        self._on_change = on_change
        self._made: dict[str, Breaker] = {}

    def breaker(
        self,
        name: str,
        refusal: type[GatewayError],
        rules: BreakerRules,
        is_fault: IsFault = is_fault,
    ) -> Breaker:
        """The breaker around a service; one for each name."""
        if name not in self._made:
            made = Breaker(name, self._clock, refusal, rules, self._on_change, is_fault)
            self._made[name] = made
            self._on_change(name, made.state)
        return self._made[name]

    def states(self) -> Mapping[str, str]:
        """The state of each circuit by its service's name."""
        return {name: breaker.state for name, breaker in self._made.items()}


class _Failed(Exception):
    """A call failed: what pybreaker is told of it."""
