"""`vton rollout`: asks a running gateway for a rollout, and follows it to its end."""

import os
import threading
from collections.abc import Callable
from typing import Any, Final

import httpx

_TOKEN: Final = "VTON_ADMIN__TOKEN"  # noqa: S105 - the name of a variable
_TIMEOUT_S: Final = 30.0
_LOOK_S: Final = 0.5
_PATIENCE: Final = 20  # looks without an answer: a gateway that restarts is back by then
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_INTERRUPTED: Final = 130
_ENDS: Final = frozenset({"done", "failed", "rolled_back"})


class RolloutFailed(Exception):
    """The gateway refused, or cannot be asked; the message says why."""


class Follower:
    """Follows one model's rollout; `say` is told every step of it, once."""

    def __init__(self, url: str, model: str, say: Callable[[str], None]) -> None:
        self._url = url
        self._path = f"/api/v1/admin/models/{model}"
        self._model = model
        self._say = say

    def roll_out(self, version: str, *, share: float, canary_s: float | None) -> int:
        """Begin a rollout, or join the same one under way; give the exit status at its end.

        Raises RolloutFailed.
        """
        wish: dict[str, Any] = {"version": version, "share": share}
        wish |= {} if canary_s is None else {"canary_s": canary_s}
        with self._client() as client:
            answer = self._ask(client, "POST", "/versions", wish)
            under_way = _json(answer).get("details") or {}
            if answer.status_code == _CONFLICT and under_way.get("version") == version:
                self._say(f"{version} is being rolled out already: following")
                return self._follow(client, str(under_way["rollout_id"]))
            return self._follow(client, str(_checked(answer)["rollout_id"]))

    def go_back(self) -> int:
        """Have the rollout under way go back, and follow it; raises RolloutFailed."""
        with self._client() as client:
            rollout_id = _checked(self._ask(client, "GET", "/versions"))["rollout_id"]
            if rollout_id is None:
                raise RolloutFailed(f"no rollout of {self._model} is under way")
            _checked(self._ask(client, "POST", f"/rollouts/{rollout_id}/rollback"))
            self._follow(client, rollout_id)
            return 0

    def _follow(self, client: httpx.Client, rollout_id: str) -> int:
        try:
            told = self._end_of(client, rollout_id)
        except KeyboardInterrupt:
            self._say("\nthe rollout goes on in the gateway. The same command follows it again;")
            self._say(f"`vton rollout {self._model} --cancel` has it go back")
            return _INTERRUPTED
        reason = told["reason"]
        if reason is not None:
            self._say(f"{told['state']}: {reason['code']}: {reason['message']}")
        return int(told["state"] != "done")

    def _end_of(self, client: httpx.Client, rollout_id: str) -> dict[str, Any]:
        pause, seen, unanswered = threading.Event(), 0, 0
        while True:
            try:
                told = _checked(self._ask(client, "GET", f"/rollouts/{rollout_id}"))
            except _Away:
                unanswered += 1
                if unanswered > _PATIENCE:
                    raise
            else:
                unanswered = 0
                for event in told["history"][seen:]:
                    self._say(f"{event['at'][11:19]}  {event['state']:12} {event['message']}")
                seen = len(told["history"])
                if told["state"] in _ENDS:
                    return told
            pause.wait(_LOOK_S)

    def _client(self) -> httpx.Client:
        token = os.environ.get(_TOKEN)
        if not token:
            raise RolloutFailed(
                f"{_TOKEN} is not set: it is the token the gateway was started with"
            )
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self._url, headers=headers, timeout=_TIMEOUT_S)

    def _ask(
        self, client: httpx.Client, method: str, path: str, body: object = None
    ) -> httpx.Response:
        try:
            return client.request(method, self._path + path, json=body)
        except httpx.HTTPError as error:
            raise _Away(f"{self._url} does not answer: {error}") from error


class _Away(RolloutFailed):
    """The gateway does not answer; it may be on its way back."""


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _checked(answer: httpx.Response) -> dict[str, Any]:
    told = _json(answer)
    if answer.is_success:
        return told
    if answer.status_code == _NOT_FOUND:
        raise RolloutFailed(
            f"{told.get('message')} Does the gateway have {_TOKEN}, and this model?"
        )
    if "error_code" not in told:
        raise RolloutFailed(f"status {answer.status_code}")
    raise RolloutFailed(f"{told['error_code']} {told['message']} {told['details'] or ''}".rstrip())
