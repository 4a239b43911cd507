"""`vton forget` and `vton verify-receipt`: erase what is over now, and check what was signed."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from gateway.cli.here import settings_here
from gateway.domain.receipts import ReceiptKey, is_genuine
from gateway.metrics import Metrics
from gateway.resources import open_resources
from gateway.settings.tree import Settings


def forget(_: argparse.Namespace) -> int:
    """Erase what is over or was deleted, once, as the server does by itself every hour."""
    erased = asyncio.run(_run(settings_here()))
    _say("  ".join(f"{kind} {count}" for kind, count in erased.items()))
    return 0


def verify_receipt(options: argparse.Namespace) -> int:
    """Check a deletion receipt, by its public key or by this deployment's own."""
    public: str | None = options.public_key
    if public is None:
        secret = settings_here().storage.signing_secret.get_secret_value()
        public = ReceiptKey(secret.encode()).public
    try:
        receipt = json.loads(options.receipt.read_text())
    except ValueError:
        receipt = None
    genuine = isinstance(receipt, dict) and is_genuine(receipt, public)
    _say("genuine" if genuine else "NOT genuine: changed, or signed by another key")
    return 0 if genuine else 1


def add_privacy(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add both commands to those of `vton`."""
    one = commands.add_parser("forget", help=forget.__doc__, description=forget.__doc__)
    one.set_defaults(command=forget)
    told = verify_receipt.__doc__
    one = commands.add_parser("verify-receipt", help=told, description=told)
    one.add_argument("receipt", type=Path, help="the receipt's JSON, as it was answered")
    one.add_argument("--public-key", help="of GET /api/v1/receipts/key (this deployment's)")
    one.set_defaults(command=verify_receipt)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


async def _run(settings: Settings) -> Mapping[str, int]:
    idle = {"is_running": False}
    sessions = settings.sessions.model_copy(update=idle)
    webhooks = settings.webhooks.model_copy(update=idle)
    told = settings.model_copy(update={"sessions": sessions, "webhooks": webhooks})
    async with open_resources(told, Metrics()) as resources:
        await resources.erasing.job.run()
        return resources.erasing.job.totals
