"""Which of the forms of an answer a client prefers."""

_IMAGE = "image/"
_EVENTS = "text/event-stream"
_JSON = "application/"


def prefers_image(accept: str) -> bool:
    """Whether an Accept header ranks some image type above JSON; a bare `*/*` means JSON."""
    return _prefers(accept, _IMAGE, _JSON)


def prefers_events(accept: str) -> bool:
    """Whether an Accept header ranks a stream of events above JSON and every image type."""
    return _prefers(accept, _EVENTS, _JSON) and _prefers(accept, _EVENTS, _IMAGE)


def _prefers(accept: str, wanted: str, other: str) -> bool:
    ranges = [_range(part) for part in accept.lower().split(",") if part.strip()]
    return _weight_of(ranges, wanted) > _weight_of(ranges, other)


def _weight_of(ranges: list[tuple[str, float]], prefix: str) -> float:
    return max((weight for kind, weight in ranges if kind.startswith(prefix)), default=0.0)


def _range(part: str) -> tuple[str, float]:
    kind, _, parameters = part.partition(";")
    weight = 1.0
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            weight = _weight(value)
    return kind.strip(), weight


def _weight(value: str) -> float:
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
