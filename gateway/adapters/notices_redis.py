"""Notices by Redis's publish and subscribe."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.adapters.notices_remote import Dial, Heard, Line, end

_CHANNEL: Final = "vton:notices"


def dial_redis(url: str, timeout_s: float) -> Dial:
    """Lines to the Redis at `url`; deployments that share it use databases of their own."""

    @asynccontextmanager
    async def dial(hear: Heard) -> AsyncIterator[Line]:
        # A connection that mends itself would not say what it has missed.
        client = Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s,
            decode_responses=True,
        )
        channel = f"{_CHANNEL}:{client.connection_pool.connection_kwargs.get('db', 0)}"
        async with client, aclosing(client.pubsub(ignore_subscribe_messages=True)) as heard:
            await heard.subscribe(channel)
            listening = asyncio.create_task(_listen(heard, hear))
            try:
                yield Line(
                    lambda message: client.publish(channel, message),
                    lambda: not listening.done(),
                )
            finally:
                await end(listening)

    return dial


async def _listen(heard: PubSub, hear: Heard) -> None:
    try:
        async for message in heard.listen():
            hear(message["data"])
    except (RedisError, OSError):
        """Whoever holds the line finds it closed."""
    finally:
        hear(None)
