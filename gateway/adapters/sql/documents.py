"""Documents as both databases can hold them: what Postgres would refuse, SQLite is not given."""

import json
from typing import Any, Final

_BACKSLASH: Final = r"\\"
_NUL: Final = r"\u0000"


def written(document: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """A document as JSON; raises ValueError for NaN, infinities, NUL and half characters."""
    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    text.encode()
    if _NUL in text and _NUL in text.replace(_BACKSLASH, ""):
        message = "a string holds NUL"
        raise ValueError(message)
    return text
