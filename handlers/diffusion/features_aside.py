"""A thread of its own for copies and files, so that nobody who steps waits for a disk."""

import logging
import threading
from collections import deque
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Aside:
    """Does one thing after the other, in the background; what fails is written down.

    The thread begins with the first thing to do. It ends with the process, wherever it is then.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._is_busy = False
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        """How many things are still to be done."""
        with self._changed:
            return len(self._jobs) + self._is_busy

    def do(self, job: Callable[[], None]) -> None:
        """Have something done when its turn has come."""
        with self._changed:
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def finish(self) -> None:
        """Wait until nothing is left to do."""
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs and not self._is_busy)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._jobs))
                job, self._is_busy = self._jobs.popleft(), True
            try:
                job()
            except Exception:
                logger.exception("%s: something in the background failed", self._name)
            del job  # it may hold tensors
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()
