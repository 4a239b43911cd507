"""API keys in the database."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, insert, or_, select, true, update

from gateway.adapters.sql.database import Database
from gateway.adapters.sql.identity_tables import api_keys
from gateway.adapters.sql.purse import spent_today
from gateway.domain.api_keys import ApiKey
from gateway.domain.identity import KeyLimits, Scope
from gateway.ports.clock import Clock


class SqlKeyBook:
    """Implements the KeyBook port."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, key: ApiKey, most: int) -> bool:
        """Write a key down, unless its owner has `most` that live."""
        told, now = api_keys.c, self._clock.now()
        lives = and_(
            told.revoked_at.is_(None), or_(told.expires_at.is_(None), told.expires_at > now)
        )
        count = select(func.count()).select_from(api_keys).where(told.owner == key.owner, lives)
        row = {
            "id": key.key_id,
            "owner": key.owner,
            "name": key.name,
            "digest": key.digest,
            "scopes": sorted(key.scopes),
            "limits": asdict(key.limits),
            "created_at": key.created_at,
            "expires_at": key.expires_at,
        }
        async with self._database.writing() as connection:
            await self._database.lock(connection, f"keys {key.owner}")
            had: int = (await connection.execute(count)).scalar_one()
            if had >= most:
                return False
            await connection.execute(insert(api_keys), row)
        return True

    async def find(self, key_id: str) -> ApiKey | None:
        """A key by its public part."""
        async with self._database.reading() as connection:
            found = await connection.execute(select(api_keys).where(api_keys.c.id == key_id))
            row = found.one_or_none()
        return None if row is None else _key(row, self._clock.now())

    async def of(self, owner: str | None) -> Sequence[ApiKey]:
        """An owner's keys, or everybody's; the newest first."""
        told = api_keys.c
        wanted = select(api_keys).where(_owned(owner)).order_by(told.created_at.desc(), told.id)
        now = self._clock.now()
        async with self._database.reading() as connection:
            return [_key(row, now) for row in await connection.execute(wanted)]

    async def revoke(self, key_id: str, owner: str | None) -> bool:
        """End a key of this owner, or anybody's; whether there was one. The first time counts."""
        told = api_keys.c
        ended = (
            update(api_keys)
            .where(told.id == key_id, _owned(owner))
            .values(revoked_at=func.coalesce(told.revoked_at, self._clock.now()))
        )
        async with self._database.writing() as connection:
            return (await connection.execute(ended)).rowcount == 1

    async def used(self, key_id: str) -> None:
        """Note that a key is in use."""
        now = self._clock.now()
        noted = update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=now)
        async with self._database.writing() as connection:
            await connection.execute(noted)


def _owned(owner: str | None) -> ColumnElement[bool]:
    return true() if owner is None else api_keys.c.owner == owner


def _key(row: Row[Any], now: float) -> ApiKey:
    return ApiKey(
        key_id=row.id,
        owner=row.owner,
        name=row.name,
        digest=row.digest,
        scopes=frozenset(Scope(name) for name in row.scopes if name in set(Scope)),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        limits=KeyLimits(**row.limits),
        gpu_s_today=spent_today(row.spent_day, row.spent_gpu_s, now),
    )
