"""The machine's clock."""

import time


class SystemClock:
    """Implements the Clock port."""

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()
