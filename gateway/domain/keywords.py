"""Keywords for a search of clothes: whatever a model says, only words of reasonable shape."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

LEAST: Final = 5
MOST: Final = 10
"""How many keywords a search is made of."""

MAX_CHARS: Final = 60
_MAX_LOOKED_AT: Final = 100
_MAX_WORDS: Final = 5
_MAX_WORD_CHARS: Final = 20
_MAX_DIGITS: Final = 4
_LEAST_LETTERS: Final = 3
_WORD: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")  # noqa: RUF001 - shops write it both ways
_EDGES: Final = " \t\r\n.,;:!?\"'`*#-–—•()[]{}"  # noqa: RUF001 - what lists and quotes leave
_NOT_CLOTHES: Final = frozenset(
    {"http", "https", "www", "html", "script", "json", "null", "none", "undefined", "nan", "true",
     "false", "error", "sorry", "cannot", "keyword", "keywords", "unknown", "select", "drop",
     "ignore", "instructions"}
)  # fmt: skip


def clean(raw: Iterable[object]) -> tuple[str, ...]:
    """The usable keywords among what was said, each once, in their order, at most MOST.

    A keyword is in lower case, of at most MAX_CHARS characters: a few words of letters, hyphens
    and apostrophes, with a short number at most ("90s denim jacket"), and no control characters.
    """
    found: dict[str, None] = {}
    for _, said in zip(range(_MAX_LOOKED_AT), raw, strict=False):
        keyword = _cleaned(said)
        if keyword is not None:
            found.setdefault(keyword)
        if len(found) == MOST:
            break
    return tuple(found)


def merged(first: Iterable[str], second: Iterable[str], least: int = LEAST) -> tuple[str, ...]:
    """The first keywords, with so many of the second that there are `least`."""
    kept = list(dict.fromkeys(first))
    for keyword in second:
        if len(kept) >= least:
            break
        if keyword not in kept:
            kept.append(keyword)
    return tuple(kept)


def _cleaned(said: object) -> str | None:
    if not isinstance(said, str) or len(said) > MAX_CHARS * 2:
        return None
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", said).casefold())
    text = text.strip(_EDGES)
    if any(unicodedata.category(char)[0] == "C" for char in text):
        return None
    words = text.replace("&", " ").split()
    keyword = " ".join(words)
    return keyword if len(keyword) <= MAX_CHARS and _is_reasonable(words) else None


def _is_reasonable(words: list[str]) -> bool:
    parts = {part for word in words for part in re.split(r"['’-]", word)}  # noqa: RUF001
    return (
        1 <= len(words) <= _MAX_WORDS
        and all(len(word) <= _MAX_WORD_CHARS and _WORD.fullmatch(word) for word in words)
        and any(len(part) >= _LEAST_LETTERS and part.isalpha() for part in parts)
        and sum(char.isdigit() for word in words for char in word) <= _MAX_DIGITS
        and not parts & _NOT_CLOTHES
    )
