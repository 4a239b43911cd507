"""Which of two forms of an answer a client prefers."""


def prefers_image(accept: str) -> bool:
    """Whether an Accept header ranks some image type above JSON; a bare `*/*` means JSON."""
    ranges = [_range(part) for part in accept.lower().split(",") if part.strip()]
    image = max((weight for kind, weight in ranges if kind.startswith("image/")), default=0.0)
    json = max((weight for kind, weight in ranges if kind.startswith("application/")), default=0.0)
    return image > json


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
