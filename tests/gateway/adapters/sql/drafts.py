"""Sessions to write down."""

from itertools import count

from gateway.domain.results import StoredResult
from gateway.domain.sessions import Ask, Draft, Fault, Kind, Outcome
from gateway.errors.codes import ErrorCode

ENGINE = "geometric"
ENGINES = (ENGINE,)
DAY_S = 86_400.0
OUTCOME = Outcome(StoredResult(("r1", "r2"), 2_000_000_000, {"seed": 7}), False, 12.5)  # noqa: FBT003
FAULT = Fault(ErrorCode.UNFIT, "Nobody is there.", {"image": "person_image"})
_NUMBERS = count()


def draft(
    now: float,
    items: int = 1,
    owner: str = "ann",
    kind: Kind = Kind.STANDARD,
    cancel_after_s: float | None = None,
) -> Draft:
    """A session of so many items, made now."""
    number = next(_NUMBERS)
    pictures = {"user_image": f"person-{number}", "garment_image": f"garment-{number}"}
    return Draft(
        session_id=f"session-{number}",
        owner=owner,
        kind=kind,
        engine=ENGINE,
        asks=tuple(Ask(pictures, {"seed": 7}, garment=place) for place in range(items)),
        request_id="0123456789abcdef",
        created_at=now,
        expires_at=now + DAY_S,
        cancel_at=None if cancel_after_s is None else now + cancel_after_s,
    )
