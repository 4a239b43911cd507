"""The versions of several TorchServe hosts behind the VersionControl port, as if they were one's.

What is asked is asked of every host, and done when all have done it. A version is what the host
that is furthest behind says of it: ready workers are those that every host has, and the default is
what every host serves by default.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import TypeVar

from gateway.adapters.torchserve_management import TorchServeVersions
from gateway.domain.versions import Archive, Registered

T = TypeVar("T")


class HostsVersions:
    """Acts on every host; raises what a host raises, when the others have ended."""

    def __init__(self, hosts: Sequence[TorchServeVersions]) -> None:
        self._hosts = tuple(hosts)

    async def versions(self, model: str) -> tuple[Registered, ...]:
        """Every version that is registered on all hosts, the default one first; () for none."""
        told = await _all(*(host.versions(model) for host in self._hosts))
        first, *others = ({one.version: one for one in versions} for versions in told)
        return tuple(
            common([one, *(other[version] for other in others)])
            for version, one in first.items()
            if all(version in other for other in others)
        )

    async def register(self, archive: Archive) -> None:
        """Register an archive everywhere; where it is registered it stays as it is."""
        await _all(*(host.register(archive) for host in self._hosts))

    async def scale(self, model: str, version: str, workers: int) -> None:
        """Have so many workers on each host; they get ready later."""
        await _all(*(host.scale(model, version, workers) for host in self._hosts))

    async def make_default(self, model: str, version: str) -> None:
        """Send whatever names no version to this one, on every host."""
        await _all(*(host.make_default(model, version) for host in self._hosts))

    async def unregister(self, model: str, version: str) -> None:
        """End a version's workers on every host."""
        await _all(*(host.unregister(model, version) for host in self._hosts))


def common(told: Sequence[Registered]) -> Registered:
    """What several hosts have in common of one version."""
    states = [one.state for one in told]
    furthest_behind = min(states, key=lambda state: state.ready_workers)
    most_starts = max(states, key=lambda state: len(state.pids))
    return replace(
        told[0],
        state=replace(furthest_behind, pids=most_starts.pids),
        is_default=all(one.is_default for one in told),
        waiting=sum(one.waiting for one in told),
    )


async def _all(*asked: Awaitable[T]) -> list[T]:
    """Wait for all of them, then raise what the first raised that did."""
    ended = await asyncio.gather(*asked, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one
    return [one for one in ended if not isinstance(one, BaseException)]
