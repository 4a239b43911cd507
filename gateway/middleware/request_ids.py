"""The id that runs through everything one request causes."""

from __future__ import annotations

import re
from typing import Final
from uuid import uuid4

HEADER: Final = "X-Request-Id"
_ACCEPTABLE: Final = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)


def request_id_from(incoming: str | None) -> str:
    """The caller's id when it is harmless to log and to send on, else a new one."""
    if incoming is not None and _ACCEPTABLE.fullmatch(incoming):
        return incoming
    return uuid4().hex
