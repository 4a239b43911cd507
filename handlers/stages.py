"""The stages of one request: announced as they begin, timed as they end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Announce = Callable[[str, int, int], None]


class Stages:
    """Runs named stages in order; `elapsed_ms` tells how long each took.

    `announce(stage, step, of)` is called as a stage of `names` first begins; others are only timed.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        announce: Announce,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._names = names
        self._announce = announce
        self._clock = clock
        self.elapsed_ms: dict[str, float] = {}

    def progress(self, name: str, step: int, of: int) -> None:
        """Announce how far a long stage is: `step` of its own `of` steps are done."""
        self._announce(name, step, of)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what runs inside under `name`; a name met again adds up."""
        if name in self._names and name not in self.elapsed_ms:
            self._announce(name, self._names.index(name) + 1, len(self._names))
        started = self._clock()
        try:
            yield
        finally:
            spent_ms = (self._clock() - started) * 1000
            self.elapsed_ms[name] = round(self.elapsed_ms.get(name, 0.0) + spent_ms, 2)
