"""Notices by whatever an URL names; what is not used is not imported."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.adapters.notices_memory import MemoryNotices
from gateway.adapters.notices_remote import Dial, RemoteNotices, Waits
from gateway.errors.kinds import Misconfigured
from gateway.ports.sessions import Notices


@asynccontextmanager
async def open_notices(url: str, waits: Waits = Waits()) -> AsyncIterator[Notices]:  # noqa: B008
    """Notices at `redis://…`, `rediss://…`, `postgresql://…`, or `memory:` for this process alone.

    A server that is away stops nothing: notices then come with the first poll. Raises Misconfigured
    for any other URL.
    """
    dial = _dial(url, waits)
    if dial is None:
        yield MemoryNotices()
        return
    async with RemoteNotices(dial, waits).running() as notices:
        yield notices


def _dial(url: str, waits: Waits) -> Dial | None:
    match url.partition(":")[0].partition("+")[0]:
        case "memory":
            return None
        case "postgresql" | "postgres":
            from gateway.adapters.notices_postgres import dial_postgres  # noqa: PLC0415

            return dial_postgres(url, waits.echo_s)
        case "redis" | "rediss" | "unix":
            from gateway.adapters.notices_redis import dial_redis  # noqa: PLC0415 - 0.4 s, 20 MB

            return dial_redis(url, waits.echo_s)
    raise Misconfigured(
        "setting VTON_NOTICES__URL: must begin with redis://, postgresql:// or memory:"
    )
