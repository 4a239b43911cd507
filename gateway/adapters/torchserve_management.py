"""TorchServe's management API behind the VersionControl port.

Nothing is asked for synchronously: that would hold one of TorchServe's few threads for a whole
load, and for ever when the load fails.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import httpx

from gateway.adapters.torchserve_answers import described_state
from gateway.domain.redaction import shows_internals
from gateway.domain.versions import Archive, Registered, VersionRefused
from gateway.errors.kinds import ModelNotLoaded

_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_COMMAND_S: Final = 150.0  # TorchServe itself gives a worker 120 s to end


class TorchServeVersions:
    """Registers, scales, makes default and unregisters versions; whoever made the client closes it.

    Every method raises ModelNotLoaded when TorchServe does not answer, VersionRefused when it
    refuses.
    """

    def __init__(self, management: httpx.AsyncClient) -> None:
        self._management = management

    async def versions(self, model: str) -> tuple[Registered, ...]:
        """Every version of a model that is registered, the default one first; () for none."""
        default = await self._ask("GET", f"/models/{model}")
        if default.status_code == _NOT_FOUND:
            return ()
        every = await self._ask("GET", f"/models/{model}/all")
        told = [one for answer in (default, every) for one in _checked(answer).json()]
        by_version = {str(one["modelVersion"]): one for one in told}
        return tuple(
            _registered(one, is_default=number == 0)
            for number, one in enumerate(by_version.values())
        )

    async def register(self, archive: Archive) -> None:
        """Register an archive of the model store with the batch settings of its YAML.

        A version that is registered already stays as it is.
        """
        asked: dict[str, str | int] = {"url": archive.file, "model_name": archive.model}
        asked |= {"initial_workers": 0, "synchronous": "false", **archive.serving}
        answer = await self._ask("POST", "/models", asked)
        if answer.status_code != _CONFLICT:
            _checked(answer)

    async def scale(self, model: str, version: str, workers: int) -> None:
        """Have so many workers; they get ready later."""
        asked: dict[str, str | int] = {"min_worker": workers, "max_worker": workers}
        asked["synchronous"] = "false"
        _checked(await self._ask("PUT", f"/models/{model}/{version}", asked))

    async def make_default(self, model: str, version: str) -> None:
        """Send whatever names no version to this one, from now on."""
        _checked(await self._ask("PUT", f"/models/{model}/{version}/set-default"))

    async def unregister(self, model: str, version: str) -> None:
        """End a version's workers, whatever they are at; one that is gone is gone."""
        answer = await self._ask("DELETE", f"/models/{model}/{version}")
        if answer.status_code != _NOT_FOUND:
            _checked(answer)

    async def _ask(
        self, method: str, path: str, asked: Mapping[str, str | int] | None = None
    ) -> httpx.Response:
        try:
            async with asyncio.timeout(_COMMAND_S):
                return await self._management.request(method, path, params=asked)
        except (httpx.HTTPError, TimeoutError) as error:
            raise ModelNotLoaded("The model server does not answer.") from error


def _registered(told: Mapping[str, Any], *, is_default: bool) -> Registered:
    return Registered(
        version=str(told["modelVersion"]),
        state=described_state(told),
        is_default=is_default,
        archive=str(told["modelUrl"]),
        waiting=int(told.get("jobQueueStatus", {}).get("pendingRequests", 0)),
    )


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    raise VersionRefused(_told(answer))


def _told(answer: httpx.Response) -> str:
    """What TorchServe says of a refusal, unless it shows something internal."""
    try:
        content: Any = answer.json()
        message = str(content["message"])
    except (ValueError, KeyError, TypeError):
        message = ""
    if not message or shows_internals(message):
        message = f"status {answer.status_code}; its log says more"
    return f"The model server refuses: {message}"
