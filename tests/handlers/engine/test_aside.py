"""One thread beside the one that steps: one piece of work at a time, its end noticed."""

import threading

import pytest

from handlers.engine.aside import Aside

PATIENCE_S = 30.0


def test_work_goes_on_beside_and_is_taken_when_it_is_done() -> None:
    aside, may_end = Aside[str, int](), threading.Event()
    aside.begin("ann", lambda: 7 if may_end.wait(PATIENCE_S) else 0)
    assert aside.take() is None
    may_end.set()
    taken = aside.take(PATIENCE_S)
    assert taken is not None
    assert (taken[0], taken[1].result()) == ("ann", 7)
    assert aside.take() is None


def test_a_second_piece_of_work_is_refused_until_the_first_is_taken() -> None:
    aside = Aside[str, int]()
    aside.begin("ann", lambda: 1)
    with pytest.raises(RuntimeError, match="one piece of work at a time"):
        aside.begin("bob", lambda: 2)
    assert not aside.is_free
    assert aside.take(PATIENCE_S) is not None
    assert aside.is_free


def test_a_fault_is_the_one_s_whose_work_it_was() -> None:
    aside = Aside[str, int]()

    def fail() -> int:
        raise ValueError("planted")

    aside.begin("ann", fail)
    taken = aside.take(PATIENCE_S)
    assert taken is not None
    with pytest.raises(ValueError, match="planted"):
        taken[1].result()


def test_what_follows_comes_after_the_work_or_at_once() -> None:
    aside, may_end, story = Aside[str, None](), threading.Event(), list[str]()
    aside.then(lambda: story.append("at once"))

    def work() -> None:
        may_end.wait(PATIENCE_S)
        story.append("worked")

    aside.begin("ann", work)
    followed = threading.Event()

    def follow() -> None:
        story.append("followed")
        followed.set()

    aside.then(follow)
    may_end.set()
    assert followed.wait(PATIENCE_S)
    assert story == ["at once", "worked", "followed"]
