"""A thread that always does the next thing: in order, one at a time, its end noted."""

import threading
from collections import deque

from handlers.engine.loop import Loop
from tests.patience import PATIENCE_S


class Bench:
    """Things to do, and what was noted of them."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.waiting: deque[str] = deque()
        self.noted: list[tuple[str, str]] = []
        self.may_work, self.works = threading.Event(), threading.Event()
        self.loop = Loop[str, str](self.lock, self.choose, self.work, self.note)
        self.loop.start("bench")

    def choose(self) -> str | None:
        return self.waiting.popleft() if self.waiting else None

    def work(self, chosen: str) -> str:
        self.works.set()
        assert self.may_work.wait(PATIENCE_S)
        return chosen.upper()

    def note(self, chosen: str, given: str) -> None:
        self.noted.append((chosen, given))

    def bring(self, *things: str) -> None:
        with self.lock:
            self.waiting.extend(things)
            self.loop.wake()

    def until(self, count: int) -> None:
        with self.lock:
            while len(self.noted) < count:
                assert self.loop.changed.wait(PATIENCE_S)


def test_things_are_done_one_after_the_other_and_noted() -> None:
    bench = Bench()
    bench.may_work.set()
    bench.bring("a", "b")
    bench.until(2)
    bench.bring("c")
    bench.until(3)
    assert bench.noted == [("a", "A"), ("b", "B"), ("c", "C")]


def test_what_follows_comes_after_what_is_being_done_or_at_once() -> None:
    bench, story = Bench(), list[str]()
    with bench.lock:
        bench.loop.then(lambda: story.append("at once"))
    bench.bring("a")
    assert bench.works.wait(PATIENCE_S)
    with bench.lock:
        bench.loop.then(lambda: story.append("followed"))
    assert story == ["at once"]
    bench.may_work.set()
    bench.until(1)
    assert story == ["at once", "followed"]


def test_what_ends_it_is_kept_for_whoever_looks_next() -> None:
    def fail(_chosen: str, _given: str) -> None:
        raise ValueError("planted")

    lock = threading.RLock()
    things = deque(["a"])
    loop = Loop[str, str](lock, lambda: things.popleft() if things else None, str.upper, fail)
    with lock:
        loop.start("breaks")
        while loop.fault is None:
            assert loop.changed.wait(PATIENCE_S)
    assert str(loop.fault) == "planted"
