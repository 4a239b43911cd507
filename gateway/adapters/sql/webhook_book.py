"""Endpoints of webhooks and their deliveries, as their owners see them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select, update

from gateway.adapters.sql.database import Database
from gateway.adapters.sql.webhook_tables import webhook_deliveries, webhook_endpoints
from gateway.domain.webhooks import Delivery, DeliveryState, Endpoint, Secret
from gateway.ports.clock import Clock


class SqlWebhookBook:
    """Implements the WebhookBook port."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, endpoint: Endpoint, most: int) -> bool:
        """Write an endpoint down, unless its owner has `most` already."""
        count = select(func.count()).select_from(webhook_endpoints).where(_lasting(endpoint.owner))
        async with self._database.writing() as connection:
            await self._database.lock(connection, f"webhooks {endpoint.owner}")
            had: int = (await connection.execute(count)).scalar_one()
            if endpoint.session_id is None and had >= most:
                return False
            await connection.execute(insert(webhook_endpoints), endpoint_row(endpoint))
        return True

    async def endpoints(self, owner: str) -> Sequence[Endpoint]:
        """An owner's endpoints, the oldest first; not those of single sessions."""
        told = webhook_endpoints.c
        wanted = select(webhook_endpoints).where(_lasting(owner)).order_by(told.created_at, told.id)
        async with self._database.reading() as connection:
            return [_endpoint(row) for row in await connection.execute(wanted)]

    async def find(self, owner: str, endpoint_id: str) -> Endpoint | None:
        """An owner's endpoint; nobody else's."""
        wanted = select(webhook_endpoints).where(_owned(owner, endpoint_id))
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).one_or_none()
        return None if row is None else _endpoint(row)

    async def change_secrets(
        self, owner: str, endpoint_id: str, change: Callable[[Sequence[Secret]], Sequence[Secret]]
    ) -> Endpoint | None:
        """Sign with what this makes of the secrets, nobody else changing them meanwhile.

        The endpoint as it is then; none where there is no such endpoint.
        """
        own = _owned(owner, endpoint_id)

        def changed(connection: Connection) -> Endpoint | None:
            held = select(webhook_endpoints).where(own).with_for_update()
            row = connection.execute(held).one_or_none()
            if row is None:
                return None
            endpoint = _endpoint(row)
            secrets = tuple(change(endpoint.secrets))
            values = {"secrets": [asdict(one) for one in secrets]}
            connection.execute(update(webhook_endpoints).where(own).values(values))
            return replace(endpoint, secrets=secrets)

        return await self._database.write(changed)

    async def enable(self, owner: str, endpoint_id: str) -> bool:
        """Tell a disabled endpoint again, from now on; whether there is such an endpoint."""
        return await self._change(owner, endpoint_id, disabled=None)

    async def remove(self, owner: str, endpoint_id: str) -> bool:
        """Forget an endpoint and all its deliveries; whether there was one."""
        gone = delete(webhook_endpoints).where(_owned(owner, endpoint_id))
        async with self._database.writing() as connection:
            return (await connection.execute(gone)).rowcount == 1

    async def deliveries(self, owner: str, endpoint_id: str, limit: int) -> Sequence[Delivery]:
        """An endpoint's deliveries, the newest first."""
        messages = webhook_deliveries.c
        wanted = (
            select(webhook_deliveries)
            .join(webhook_endpoints, webhook_endpoints.c.id == messages.endpoint_id)
            .where(_owned(owner, endpoint_id))
            .order_by(messages.created_at.desc(), messages.id.desc())
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [_delivery(row) for row in await connection.execute(wanted)]

    async def of_session(self, owner: str, session_id: str) -> Endpoint | None:
        """The endpoint that a session came with."""
        told = webhook_endpoints.c
        wanted = select(webhook_endpoints).where(told.owner == owner, told.session_id == session_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted.limit(1))).one_or_none()
        return None if row is None else _endpoint(row)

    async def deliveries_of(self, owner: str, session_id: str, limit: int) -> Sequence[Delivery]:
        """What was told of a session, to whichever endpoint, the newest first."""
        messages = webhook_deliveries.c
        wanted = (
            select(webhook_deliveries)
            .join(webhook_endpoints, webhook_endpoints.c.id == messages.endpoint_id)
            .where(webhook_endpoints.c.owner == owner, messages.session_id == session_id)
            .order_by(messages.created_at.desc(), messages.id.desc())
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [_delivery(row) for row in await connection.execute(wanted)]

    async def redeliver(self, owner: str, message_id: str) -> bool:
        """Deliver a message anew, as if it were new; whether its endpoint is there and enabled."""
        told, messages = webhook_endpoints.c, webhook_deliveries.c
        able = select(told.id).where(told.owner == owner, told.disabled.is_(None))
        again = (
            update(webhook_deliveries)
            .where(messages.id == message_id, messages.endpoint_id.in_(able))
            .values(
                state=DeliveryState.WAITING.value,
                tries=0,
                # Whoever is at it now no longer is.
                attempt=messages.attempt + 1,
                not_before=self._clock.now(),
                ended_at=None,
            )
        )
        async with self._database.writing() as connection:
            return (await connection.execute(again)).rowcount == 1

    async def _change(self, owner: str, endpoint_id: str, **changes: object) -> bool:
        changed = update(webhook_endpoints).where(_owned(owner, endpoint_id)).values(**changes)
        async with self._database.writing() as connection:
            return (await connection.execute(changed)).rowcount == 1


def endpoint_row(endpoint: Endpoint) -> dict[str, Any]:
    """The columns of an endpoint."""
    return {
        "id": endpoint.endpoint_id,
        "owner": endpoint.owner,
        "url": endpoint.url,
        "secrets": [asdict(secret) for secret in endpoint.secrets],
        "kinds": list(endpoint.kinds),
        "session_id": endpoint.session_id,
        "created_at": endpoint.created_at,
    }


def _lasting(owner: str) -> ColumnElement[bool]:
    return and_(webhook_endpoints.c.owner == owner, webhook_endpoints.c.session_id.is_(None))


def _owned(owner: str, endpoint_id: str) -> ColumnElement[bool]:
    return and_(webhook_endpoints.c.owner == owner, webhook_endpoints.c.id == endpoint_id)


def _endpoint(row: Row[Any]) -> Endpoint:
    return Endpoint(
        endpoint_id=row.id,
        owner=row.owner,
        url=row.url,
        secrets=tuple(Secret(**secret) for secret in row.secrets),
        kinds=tuple(row.kinds),
        session_id=row.session_id,
        created_at=row.created_at,
        disabled=row.disabled,
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        message_id=row.id,
        endpoint_id=row.endpoint_id,
        session_id=row.session_id,
        kind=row.kind,
        state=DeliveryState(row.state),
        tries=row.tries,
        created_at=row.created_at,
        not_before=row.not_before,
        ended_at=row.ended_at,
        last_status=row.last_status,
        last_error=row.last_error,
    )
