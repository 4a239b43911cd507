"""Keep secrets out of everything that is written down."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

MASK: Final = "[redacted]"
_SECRET_NAME: Final = re.compile(
    r"(^|[_\-.])(authorization|auth|password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|"
    r"cookie|signature|credential|jwt|bearer|private[_-]?key|subscription[_-]?key|session[_-]?id)s?($|[_\-.])",
    re.IGNORECASE,
)
_SECRET_TEXT: Final = re.compile(
    r"(?P<scheme>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|(?P<name>\b[\w-]*(?:password|secret|token|api[_-]?key|access[_-]?key|signature)[\"']?\s*[=:]\s*"
    r"[\"']?)[^\s&\"',;]+"
    r"|(?P<user>://[^/\s:@]*:)[^/\s@]+(?=@)",
    re.IGNORECASE,
)
_INTERNALS: Final = re.compile(
    r"(?:^|[\s\"'(=])(?:/|\\\\|[A-Za-z]:\\)[\w.-]+"  # an absolute path
    r"|\.py\b|Traceback|File \"|0x[0-9a-f]{6,}|\blocalhost\b|\b\d{1,3}(?:\.\d{1,3}){3}\b"
)


def shows_internals(text: str) -> bool:
    """Whether a text that came from inside shows a path, an address, or a piece of a stack."""
    return _INTERNALS.search(text) is not None


class Redactor:
    """Masks values under secret names, text that looks like a secret, and the known secrets."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        parts = sorted({re.escape(secret) for secret in known if secret}, key=len, reverse=True)
        self._known = re.compile("|".join(parts)) if parts else None

    def value(self, value: object) -> object:
        """A copy of any nested value with its secrets masked."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                self.text(str(name)): self.named(str(name), inner) for name, inner in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(inner) for inner in value]
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        return value

    def named(self, name: str, value: object) -> object:
        """The value to write under `name`."""
        if _SECRET_NAME.search(name) and value is not None:
            return MASK
        return self.value(value)

    def text(self, text: str) -> str:
        """The text with every known secret, and all that looks like one, masked."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return _SECRET_TEXT.sub(_masked, text)


def _masked(match: re.Match[str]) -> str:
    kept = match["scheme"] or match["name"] or match["user"] or ""
    return f"{kept}{MASK}"
