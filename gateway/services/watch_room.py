"""Places for those who watch sessions: a stream stays open, so that few could take them all."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import Gauge

from gateway.errors.limits import WatchersFull
from gateway.services.admission import Admission


@dataclass(frozen=True, slots=True)
class WatchPlaces:
    """How many may watch at once: in all, what is one owner's, and one session.

    Whoever has a link watches in its owner's name, and whoever has the link may pass it on.
    """

    in_all: int
    per_owner: int
    per_session: int


class WatchRoom:
    """Gives out the places of this gateway; the gauge counts those that are taken."""

    def __init__(self, places: WatchPlaces, gauge: Gauge) -> None:
        self._everybody = Admission(places.in_all, gauge)
        self._owners = _Shares("user", places.per_owner)
        self._sessions = _Shares("session", places.per_session)

    @property
    def taken(self) -> int:
        """How many watch."""
        return self._everybody.in_flight

    @contextmanager
    def one(self, session_id: str, owner: str) -> Iterator[None]:
        """A place for one who watches; raises WatchersFull, or Busy when nobody gets one."""
        with self._sessions.one(session_id), self._owners.one(owner), self._everybody.one():
            yield


class _Shares:
    """So many at once for each name."""

    def __init__(self, of: str, most: int) -> None:
        self._of = of
        self._most = most
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        if self._taken[name] >= self._most:
            raise WatchersFull(details={self._of: self._most})
        self._taken[name] += 1
        try:
            yield
        finally:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]
