"""Who is on which version of a model: requests in flight, and what became of those that ended."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from gateway.adapters.torchserve_answers import RetryError
from gateway.domain.versions import Split, Tally, version_for
from gateway.errors.kinds import (
    BadDimensions,
    ContentMismatch,
    GatewayError,
    InferenceFailed,
    InvalidInput,
    ModelNotLoaded,
    OutOfMemory,
    Unfit,
)

_FAULTS: Final = (InferenceFailed, ModelNotLoaded, OutOfMemory)
_REFUSALS: Final = (BadDimensions, ContentMismatch, InvalidInput, Unfit)


class VersionTraffic:
    """Implements the Traffic port: counts every attempt under the version that it goes to.

    `now_s` is a clock that never goes back. Whoever sets `on_end` hears model, version and outcome
    of each attempt that tells something of its version.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self.on_end: Callable[[str, str, str], None] | None = None
        self._splits: dict[str, Split] = {}
        self._in_flight = Counter[tuple[str, str]]()
        self._tallies: dict[tuple[str, str], Tally] = {}

    def share_out(self, model: str, split: Split | None) -> None:
        """Let a share of a model's requests try a version; None: all go to the default."""
        self._splits.pop(model, None)
        if split is not None:
            self._splits[model] = split

    def split(self, model: str) -> Split | None:
        """How a model's requests are shared out now."""
        return self._splits.get(model)

    def version_for(self, model: str, default: str | None, request_id: str) -> str | None:
        """The version that a request goes to."""
        return version_for(self._splits.get(model), default, request_id)

    def in_flight(self, model: str, version: str) -> int:
        """How many requests of this gateway a version is at work on."""
        return self._in_flight[model, version]

    def in_use(self, model: str) -> set[str]:
        """Every version that has requests in flight, or may get some beside the default."""
        used = {version for (name, version), n in self._in_flight.items() if name == model and n}
        split = self._splits.get(model)
        return used if split is None else used | {split.canary}

    def tally(self, model: str, version: str) -> Tally:
        """What has become of a version's requests since the counts were last cleared."""
        return self._tallies.get((model, version), Tally())

    def clear(self, model: str) -> None:
        """Begin to count a model's ended requests anew."""
        for key in [key for key in self._tallies if key[0] == model]:
            del self._tallies[key]

    @contextmanager
    def attempt(self, model: str, version: str) -> Iterator[None]:
        """Count one attempt while it is under way, and how it ended."""
        key, started_s = (model, version), self._now_s()
        self._in_flight[key] += 1
        try:
            yield
        except (RetryError, GatewayError) as error:
            if _is_fault(error):
                self._ended(key, self.tally(*key).with_failure(), "failed")
            elif isinstance(error, _REFUSALS):
                self._ended(key, self.tally(*key).with_refusal(), "refused")
            raise
        else:
            self._ended(key, self.tally(*key).with_answer(self._now_s() - started_s), "answered")
        finally:
            self._in_flight[key] -= 1
            if not self._in_flight[key]:
                del self._in_flight[key]

    def _ended(self, key: tuple[str, str], tally: Tally, outcome: str) -> None:
        self._tallies[key] = tally
        if self.on_end is not None:
            self.on_end(*key, outcome)


def _is_fault(error: RetryError | GatewayError) -> bool:
    """Whether it is the version's: a full queue is not, nor is a model server that is away."""
    if not isinstance(error, RetryError):
        return isinstance(error, _FAULTS)
    return error.crashed or (
        error.reason == "no_worker" and isinstance(error.error, ModelNotLoaded)
    )
