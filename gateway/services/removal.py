"""Removing objects: one that cannot be removed keeps no other."""

from collections.abc import Iterable

from gateway.errors.kinds import StorageFailed
from gateway.ports.storage import ObjectStore


async def remove(store: ObjectStore, keys: Iterable[str]) -> int:
    """Delete every one of these, as far as the store lets go of them; how many are left."""
    left = 0
    for key in keys:
        try:
            await store.delete(key)
        except StorageFailed:
            left += 1
    return left
