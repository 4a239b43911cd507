import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.pool import Pool
from tests.patience import PATIENCE_S

SIZES = {"small": 10, "middle": 20, "large": 30, "huge": 200}


@dataclass(eq=False)
class Model:
    name: str
    nbytes: int


@dataclass
class Shelf:
    """Loads models of known sizes and counts; `found` is what was held when one was loaded."""

    sizes: dict[str, int] = field(default_factory=lambda: dict(SIZES))
    loaded: list[str] = field(default_factory=list)
    found: list[int] = field(default_factory=list)
    unloads: int = 0

    def load(self, name: str) -> Model:
        self.loaded.append(name)
        self.found.append(self.lent.census().held_bytes)
        return Model(name, self.sizes[name])

    def pool(self, budget_bytes: int) -> Pool[Model]:
        self.lent = Pool(self.load, SIZES.__getitem__, budget_bytes, self.unloaded)
        return self.lent

    def unloaded(self) -> None:
        self.unloads += 1


@pytest.mark.prop(26)
@settings(max_examples=200)
@given(budget=st.integers(0, 70), asked=st.lists(st.sampled_from(sorted(SIZES)), max_size=30))
def test_only_the_least_recently_used_leave(budget: int, asked: list[str]) -> None:
    shelf, expected = Shelf(), OrderedDict[str, int]()
    pool, evictions = shelf.pool(budget), 0
    for name in asked:
        if name not in expected:
            while expected and sum(expected.values()) + SIZES[name] > budget:
                expected.popitem(last=False)
                evictions += 1
            expected[name] = SIZES[name]
        expected.move_to_end(name)
        with pool.use(name) as model:
            assert model.name == name
        assert pool.names() == list(expected)
    census = pool.census()
    assert (census.evictions, census.loads) == (evictions, len(shelf.loaded))
    assert census.held_bytes == sum(expected.values())
    for name, held_bytes in zip(shelf.loaded, shelf.found, strict=True):
        assert held_bytes + SIZES[name] <= budget or held_bytes == 0  # room is made before


@pytest.mark.prop(25)
@settings(max_examples=100, deadline=None)
@given(threads=st.integers(1, 12))
def test_any_number_of_threads_get_one_instance(threads: int) -> None:
    shelf, start = Shelf(), threading.Barrier(threads)
    pool = shelf.pool(100)

    def ask() -> Model:
        start.wait(PATIENCE_S)
        with pool.use("small") as model:
            return model

    with ThreadPoolExecutor(threads) as workers:
        given_out = {id(one.result()) for one in [workers.submit(ask) for _ in range(threads)]}
    assert len(given_out) == 1
    assert shelf.loaded == ["small"]


def test_what_is_in_use_stays_and_the_next_waits_for_it() -> None:
    pool = Shelf().pool(30)
    in_use, let_go = threading.Event(), threading.Event()

    def work() -> None:
        with pool.use("middle"):
            in_use.set()
            let_go.wait(PATIENCE_S)

    def ask() -> list[str]:
        with pool.use("large"):
            return pool.names()

    with ThreadPoolExecutor(2) as workers:
        working = workers.submit(work)
        in_use.wait(PATIENCE_S)
        waiting = workers.submit(ask)
        assert wait([waiting], timeout=0.05).not_done
        assert pool.names() == ["middle"]
        let_go.set()
        assert waiting.result(PATIENCE_S) == ["large"]
        working.result(PATIENCE_S)


def test_beside_one_in_use_another_is_loaded_where_both_fit() -> None:
    pool = Shelf().pool(30)
    with pool.use("middle"), ThreadPoolExecutor(1) as workers:

        def ask() -> list[str]:
            with pool.use("small"):
                return pool.names()

        assert workers.submit(ask).result(PATIENCE_S) == ["middle", "small"]


@pytest.mark.prop(26)
def test_one_that_is_larger_than_expected_pushes_others_out() -> None:
    shelf = Shelf({**SIZES, "small": 25})
    pool = shelf.pool(40)
    for name in ("middle", "small"):
        with pool.use(name):
            pass
    assert pool.names() == ["small"]
    assert shelf.unloads == 1


def test_a_load_that_fails_is_the_caller_s_and_tried_again() -> None:
    shelf = Shelf()
    del shelf.sizes["small"]
    pool = shelf.pool(40)
    with pytest.raises(KeyError), pool.use("small"):
        pass
    shelf.sizes["small"] = 10
    with pool.use("small") as model:
        assert model.nbytes == 10


def test_many_threads_over_many_models_never_exceed_the_budget() -> None:
    pool, over = Shelf().pool(30), threading.Event()

    def ask(number: int) -> None:
        with pool.use(("small", "middle", "large")[number % 3]) as model:
            if pool.census().held_bytes > 30 or model.name not in pool.names():
                over.set()

    with ThreadPoolExecutor(6) as workers:
        for done in [workers.submit(ask, number) for number in range(90)]:
            done.result(PATIENCE_S)
    assert not over.is_set()
