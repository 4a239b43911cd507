"""Several models in one worker, as many as fit: the least recently used makes room for the next."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from handlers.cache import Sized

M = TypeVar("M", bound=Sized)


@dataclass(slots=True)
class _Held(Generic[M]):
    """A model in memory; `users` are those who work with it at this moment."""

    model: M
    users: int = 0


@dataclass(frozen=True, slots=True)
class Census:
    """What a pool holds and has done since it was made."""

    models: int
    held_bytes: int
    loads: int
    evictions: int

    def gauges(self) -> dict[str, float]:
        """Give them by metric name."""
        return {
            "vton_models": self.models,
            "vton_models_bytes": self.held_bytes,
            "vton_model_loads": self.loads,
            "vton_model_evictions": self.evictions,
        }


class Pool(Generic[M]):
    """Models by name, at most `budget_bytes` of them; safe for any number of threads.

    load: makes a model; expected_bytes: what it will take, asked before it is there.
    unloaded: told after models have gone, to give their memory back.
    A model that is larger than the budget is held alone. Nobody may ask for a second model while
    they use a first one: they might wait for themselves.
    """

    def __init__(
        self,
        load: Callable[[str], M],
        expected_bytes: Callable[[str], int],
        budget_bytes: int,
        unloaded: Callable[[], None],
    ) -> None:
        self._load = load
        self._expected_bytes = expected_bytes
        self._budget_bytes = budget_bytes
        self._unloaded = unloaded
        self._held: OrderedDict[str, _Held[M]] = OrderedDict()
        self._changed = threading.Condition()
        self._loading = False
        self._loads = self._evictions = 0

    @contextmanager
    def use(self, name: str) -> Iterator[M]:
        """Give the model, loaded once however many ask; it stays as long as anybody uses it.

        What loading raises goes to the caller who loads; another who waits tries again.
        """
        held = self._taken(name)
        try:
            yield held.model
        finally:
            with self._changed:
                held.users -= 1
                self._changed.notify_all()

    def at_hand(self, name: str) -> bool:
        """Say whether a model could be had now without waiting for users of others."""
        with self._changed:
            return name in self._held or self._may_load(name)

    def models(self) -> list[M]:
        """Give the models that are in memory, the next to leave first."""
        with self._changed:
            return [held.model for held in self._held.values()]

    def names(self) -> list[str]:
        """Give their names, in the same order."""
        with self._changed:
            return list(self._held)

    def census(self) -> Census:
        """Count at one instant."""
        with self._changed:
            return Census(len(self._held), self._held_bytes(), self._loads, self._evictions)

    def _taken(self, name: str) -> _Held[M]:
        with self._changed:
            while name not in self._held and not self._may_load(name):
                self._changed.wait()
            if name in self._held:
                return self._used(name)
            self._loading = True
            evicted = self._evict(self._expected_bytes(name))
        try:
            if evicted:
                self._unloaded()
            model = self._load(name)
        except BaseException:
            with self._changed:
                self._loading = False
                self._changed.notify_all()
            raise
        return self._kept(name, model)

    def _kept(self, name: str, model: M) -> _Held[M]:
        with self._changed:
            self._loading = False
            self._loads += 1
            self._held[name] = _Held(model)
            held = self._used(name)
            surplus = self._evict(0)  # where it takes more than was expected
            self._changed.notify_all()
        if surplus:
            self._unloaded()
        return held

    def _used(self, name: str) -> _Held[M]:
        self._held.move_to_end(name)
        held = self._held[name]
        held.users += 1
        return held

    def _may_load(self, name: str) -> bool:
        """Whether nobody is loading, and there is room beside the models in use."""
        if self._loading:
            return False
        in_use = [held.model.nbytes for held in self._held.values() if held.users]
        return not in_use or sum(in_use) + self._expected_bytes(name) <= self._budget_bytes

    def _evict(self, wanted_bytes: int) -> bool:
        """Unload what nobody uses, the least recently used first, until `wanted_bytes` fit."""
        gone = False
        for name in list(self._held):
            if self._held_bytes() + wanted_bytes <= self._budget_bytes:
                break
            if not self._held[name].users:
                del self._held[name]
                self._evictions += 1
                gone = True
        return gone

    def _held_bytes(self) -> int:
        return sum(held.model.nbytes for held in self._held.values())
