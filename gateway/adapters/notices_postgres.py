"""Notices by Postgres's LISTEN and NOTIFY, on a connection of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg

from gateway.adapters.notices_remote import Dial, Heard, Line

_CHANNEL: Final = "vton_notices"
_CLOSE_S: Final = 2.0


def dial_postgres(url: str, timeout_s: float) -> Dial:
    """Lines to the database at `url`; a pooler between must keep sessions."""
    plain = url.replace("postgresql+asyncpg://", "postgresql://", 1)

    @asynccontextmanager
    async def dial(hear: Heard) -> AsyncIterator[Line]:
        connection = await asyncpg.connect(plain, timeout=timeout_s, command_timeout=timeout_s)
        try:
            connection.add_termination_listener(lambda _: hear(None))
            await connection.add_listener(_CHANNEL, lambda *what: hear(what[-1]))
            yield Line(
                lambda message: connection.execute("SELECT pg_notify($1, $2)", _CHANNEL, message),
                lambda: not connection.is_closed(),
            )
        finally:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=_CLOSE_S)

    return dial
