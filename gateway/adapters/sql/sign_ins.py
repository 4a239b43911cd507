"""Sign-ins in the database: those that ended early, and refreshes that several want at once."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update

from gateway.adapters.sql.database import Database
from gateway.adapters.sql.identity_tables import denied_sign_ins, sign_in_refreshes
from gateway.ports.clock import Clock
from gateway.ports.identity import Refresh, Turn

_CLAIMED: Final = "claimed"


class SqlDenialBook:
    """Implements the DenialBook port."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def deny(self, names: Sequence[str], before: float, until: float) -> None:
        """Refuse what was issued up to `before`; a later word never takes an earlier one back."""
        told = denied_sign_ins.c
        async with self._database.writing() as connection:
            for name in names:
                await self._database.lock(connection, f"denied {name}")
                had = (
                    await connection.execute(
                        select(told.before, told.until).where(told.name == name)
                    )
                ).one_or_none()
                row: dict[str, Any] = {"name": name, "before": before, "until": until}
                if had is None:
                    await connection.execute(insert(denied_sign_ins), row)
                else:
                    longest = {
                        "before": max(before, had.before),
                        "until": max(until, had.until),
                    }
                    changed = update(denied_sign_ins).where(told.name == name).values(longest)
                    await connection.execute(changed)

    async def denied(self, names: Sequence[str]) -> float:
        """Up to when what was issued under any of the names is refused; else 0."""
        told = denied_sign_ins.c
        wanted = select(func.max(told.before)).where(
            told.name.in_(names), told.until > self._clock.now()
        )
        async with self._database.reading() as connection:
            return float((await connection.execute(wanted)).scalar_one() or 0.0)

    async def clear(self) -> int:
        """Forget what has expired; how many."""
        over = delete(denied_sign_ins).where(denied_sign_ins.c.until <= self._clock.now())
        async with self._database.writing() as connection:
            return (await connection.execute(over)).rowcount


class SqlRefreshBook:
    """Implements the RefreshBook port: a row for each refresh token that is being used up."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def claim(self, name: str, lease_s: float) -> Refresh:
        """Whose turn it is; mine for as long as the lease, if nobody else has it."""
        told, now = sign_in_refreshes.c, self._clock.now()
        mine: dict[str, Any] = {"state": _CLAIMED, "sealed": None, "until": now + lease_s}
        async with self._database.writing() as connection:
            await self._database.lock(connection, f"refresh {name}")
            found = await connection.execute(select(sign_in_refreshes).where(told.name == name))
            row = found.one_or_none()
            if row is None:
                await connection.execute(insert(sign_in_refreshes), {"name": name, **mine})
                return Refresh(Turn.MINE)
            if row.until > now:
                return _standing(row.state, row.sealed)
            # A claim whose holder is silent, or an outcome that is too old to be shared.
            taken = update(sign_in_refreshes).where(told.name == name).values(mine)
            await connection.execute(taken)
            return Refresh(Turn.MINE)

    async def finish(self, name: str, sealed: bytes, keep_s: float) -> None:
        """Tell everybody what came of it."""
        await self._set(name, Turn.DONE.value, sealed, keep_s)

    async def refuse(self, name: str, keep_s: float) -> None:
        """Tell everybody that the token is none."""
        await self._set(name, Turn.REFUSED.value, None, keep_s)

    async def release(self, name: str) -> None:
        """Let somebody else try."""
        told = sign_in_refreshes.c
        gone = delete(sign_in_refreshes).where(told.name == name, told.state == _CLAIMED)
        async with self._database.writing() as connection:
            await connection.execute(gone)

    async def clear(self) -> int:
        """Forget what is over; how many."""
        over = delete(sign_in_refreshes).where(sign_in_refreshes.c.until <= self._clock.now())
        async with self._database.writing() as connection:
            return (await connection.execute(over)).rowcount

    async def _set(self, name: str, state: str, sealed: bytes | None, keep_s: float) -> None:
        row = {"state": state, "sealed": sealed, "until": self._clock.now() + keep_s}
        told = update(sign_in_refreshes).where(sign_in_refreshes.c.name == name).values(row)
        async with self._database.writing() as connection:
            await connection.execute(told)


def _standing(state: str, sealed: bytes | None) -> Refresh:
    return Refresh(Turn.THEIRS) if state == _CLAIMED else Refresh(Turn(state), sealed or b"")
