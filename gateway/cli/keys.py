"""`vton keys`: make, list and revoke API keys in the configured database, as its operator.

It asks no server and shows no token: whoever reaches the database may. So the first key is made.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from gateway.assembly.identity import open_keys
from gateway.cli.here import settings_here
from gateway.domain.api_keys import PREFIX, ApiKey
from gateway.domain.identity import KEY_SCOPES
from gateway.errors.kinds import InvalidInput, NotFound
from gateway.schemas.auth import KeyBody
from gateway.services.api_keys import ApiKeyService
from gateway.services.audit import AuditService
from gateway.telemetry import configure_logging

_OPERATOR: Final = "operator"
_NEVER: Final = "never"
_FLAGS: Final = {"expires_in_days": "--expires", "limits.gpu_s_per_day": "--budget"}


def add_keys(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those there are."""
    text = "make, list and revoke API keys, in the database of the settings"
    one = commands.add_parser("keys", help=text, description=__doc__)
    actions = one.add_subparsers(required=True, metavar="ACTION")
    _add_create(actions)
    one = actions.add_parser("list", help=list_keys.__doc__, description=list_keys.__doc__)
    one.set_defaults(command=list_keys)
    one = actions.add_parser("revoke", help=revoke.__doc__, description=revoke.__doc__)
    one.add_argument("key", help="its id, or how it begins: vton_<id>")
    one.set_defaults(command=revoke)


def create(options: argparse.Namespace) -> int:
    """Make a key; it is printed this once, and only its hash is kept."""
    key, text = asyncio.run(_create(_body(options)))
    _print(text)
    told = f"{key.prefix} of {key.owner}: {', '.join(sorted(key.scopes))}"
    _say(f"{told}; expires: {_day(key.expires_at)}. Keep it: nobody can show it again.")
    return 0


def list_keys(_: argparse.Namespace) -> int:
    """Print every key, the newest first: id, name, owner, state, expiry, GPU seconds, scopes."""
    for key in asyncio.run(_keys()):
        _print(_line(key, time.time()))
    return 0


def revoke(options: argparse.Namespace) -> int:
    """End a key: it opens nothing from now on."""
    key_id = options.key.removeprefix(PREFIX).partition("_")[0]
    asyncio.run(_revoke(key_id))
    _print(f"{PREFIX}{key_id}  revoked")
    return 0


def _add_create(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    one = actions.add_parser("create", help=create.__doc__, description=create.__doc__)
    one.add_argument("--name", required=True, help="what it is for, as lists show it")
    every = ",".join(sorted(KEY_SCOPES))
    usual = ",".join(KeyBody.model_fields["scopes"].get_default())
    one.add_argument(
        "--scopes",
        type=lambda text: text.split(","),
        metavar="SCOPE,…",
        help=f"what it may, of {every} (default: {usual})",
    )
    one.add_argument(
        "--budget", type=float, metavar="GPU_S", help="GPU seconds a day of UTC (no budget)"
    )
    one.add_argument("--expires", type=int, metavar="DAYS", help=f"in so many days ({_NEVER})")
    one.add_argument("--requests-per-min", type=int, metavar="N", help="at most (as its owner)")
    one.add_argument("--concurrent-sessions", type=int, metavar="N", help="at most (as its owner)")
    one.add_argument("--owner", help="the client whose it is, and what it makes (the key itself)")
    one.set_defaults(command=create)


def _body(options: argparse.Namespace) -> KeyBody:
    """What is wanted, held against what the API would take; raises InvalidInput."""
    limits = {
        "requests_per_min": options.requests_per_min,
        "gpu_s_per_day": options.budget,
        "concurrent_sessions": options.concurrent_sessions,
    }
    told = {"name": options.name, "expires_in_days": options.expires, "owner": options.owner}
    scopes = {} if options.scopes is None else {"scopes": options.scopes}
    try:
        return KeyBody.model_validate({**told, **scopes, "limits": limits})
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise InvalidInput("; ".join(_fault(one["loc"], one["msg"]) for one in faults)) from None


def _fault(where: tuple[int | str, ...], message: str) -> str:
    names = ".".join(str(part) for part in where if not isinstance(part, int))
    flag = _FLAGS.get(names, f"--{names.rpartition('.')[2].replace('_', '-')}")
    return f"{flag}: {message}"


async def _create(body: KeyBody) -> tuple[ApiKey, str]:
    async with _opened() as (keys, audit):
        made = await keys.make(body.wish(body.client))
        await audit.record("key.made", _OPERATOR, reason=made[0].prefix)
        return made


async def _keys() -> Sequence[ApiKey]:
    async with _opened() as (keys, _):
        return await keys.of(None)


async def _revoke(key_id: str) -> None:
    async with _opened() as (keys, audit):
        try:
            await keys.revoke(key_id, None)
        except NotFound:
            raise NotFound("There is no such key: see vton keys list.") from None
        await audit.record("key.revoked", _OPERATOR, reason=key_id)


def _opened() -> AbstractAsyncContextManager[tuple[ApiKeyService, AuditService]]:
    """The database of the settings; only warnings are told beside what is asked for."""
    settings = settings_here()
    configure_logging("WARNING", settings.secrets(), sys.stderr)
    return open_keys(settings)


def _line(key: ApiKey, now: float) -> str:
    state = "revoked" if key.revoked_at is not None else "live" if key.is_live(now) else "expired"
    budget, spent = key.limits.gpu_s_per_day, f"{key.gpu_s_today:.1f}"
    gpu = f"{spent} GPU s" if budget is None else f"{spent}/{budget:g} GPU s"
    scopes = ",".join(sorted(key.scopes))
    head = f"{key.prefix}  {key.name:20}  {key.owner:24}  {state:7}  {_day(key.expires_at):10}"
    return f"{head}  {gpu:16}  {scopes}"


def _day(at: float | None) -> str:
    return _NEVER if at is None else datetime.fromtimestamp(at, UTC).date().isoformat()


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
