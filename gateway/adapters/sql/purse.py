"""What API keys cost a day, in the rows of the keys themselves."""

from typing import Final

from sqlalchemy import Double, Integer, bindparam, case, select, update

from gateway.adapters.sql.database import Database
from gateway.adapters.sql.identity_tables import api_keys
from gateway.domain.budgets import day_of
from gateway.ports.clock import Clock

_DAY: Final = bindparam("today", type_=Integer)
_COST: Final = bindparam("cost_s", type_=Double)
# A clock that is behind around midnight adds to the newer day: nothing is ever taken back.
_CHARGED: Final = {
    "spent_gpu_s": case(
        (api_keys.c.spent_day >= _DAY, api_keys.c.spent_gpu_s + _COST), else_=_COST
    ),
    "spent_day": case((api_keys.c.spent_day >= _DAY, api_keys.c.spent_day), else_=_DAY),
}


class SqlPurse:
    """Implements the Purse port: one statement adds, so that no two gateways lose a sum."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def spent_s(self, key_id: str) -> float:
        """The GPU seconds that a key has cost today."""
        told = api_keys.c
        wanted = select(told.spent_day, told.spent_gpu_s).where(told.id == key_id)
        row = await self._database.read(lambda connection: connection.execute(wanted).one_or_none())
        return 0.0 if row is None else spent_today(*row, self._clock.now())

    async def charge(self, key_id: str, gpu_s: float) -> None:
        """Add to what a key has cost today."""
        told = {"today": day_of(self._clock.now()), "cost_s": gpu_s}
        charged = update(api_keys).where(api_keys.c.id == key_id).values(_CHARGED)
        await self._database.write(
            lambda connection: connection.execute(charged, told), goes_first=True
        )


def spent_today(day: int, gpu_s: float, now: float) -> float:
    """Of what a key cost on a day, what it cost on that of a Unix time."""
    return gpu_s if day >= day_of(now) else 0.0
