"""The clock of the event loop, which a test may put forward: who waits that long has waited."""

import asyncio


def let_pass(seconds: float) -> None:
    """Have so much time be over for everything that waits in the running loop."""
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]
