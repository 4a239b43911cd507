import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.cache import LruCache, content_key
from tests.patience import PATIENCE_S


@dataclass(frozen=True)
class Blob:
    key: int
    nbytes: int


@pytest.mark.prop(26)
@given(
    capacity=st.integers(0, 40),
    asked=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 15)), max_size=60),
)
def test_only_the_least_recently_used_leave(capacity: int, asked: list[tuple[int, int]]) -> None:
    cache: LruCache[Blob] = LruCache(capacity)
    model: OrderedDict[int, int] = OrderedDict()
    evictions = 0
    for key, size in asked:
        blob, hit = cache.get_or_compute(key, partial(Blob, key, size))
        assert blob.key == key
        assert hit == (key in model)
        if hit:
            model.move_to_end(key)
        elif size <= capacity:
            model[key] = size
            while sum(model.values()) > capacity:
                model.popitem(last=False)
                evictions += 1
        assert cache.keys() == list(model)
    counters = cache.counters()
    assert counters.held_bytes == sum(model.values()) <= capacity
    assert counters.evictions == evictions
    assert counters.hits + counters.misses == len(asked)


@pytest.mark.prop(17)
def test_a_second_question_is_a_hit_and_computes_nothing() -> None:
    cache: LruCache[Blob] = LruCache(100)
    computed: list[int] = []

    def compute() -> Blob:
        computed.append(1)
        return Blob(1, 10)

    first, second = cache.get_or_compute("a", compute), cache.get_or_compute("a", compute)
    assert (first[1], second[1]) == (False, True)
    assert first[0] is second[0]
    assert len(computed) == 1
    assert (cache.counters().hits, cache.counters().misses) == (1, 1)


def test_the_same_question_from_many_threads_is_computed_once() -> None:
    cache: LruCache[Blob] = LruCache(100)
    release, computed = threading.Event(), []

    def compute() -> Blob:
        computed.append(1)
        release.wait(PATIENCE_S)
        return Blob(1, 10)

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(cache.get_or_compute, "a", compute) for _ in range(8)]
        release.set()
        values = {id(answer.result()[0]) for answer in answers}
    assert len(computed) == len(values) == 1


def test_a_failure_reaches_the_caller_and_is_not_kept() -> None:
    cache: LruCache[Blob] = LruCache(100)

    def fail() -> Blob:
        raise ValueError("no garment")

    with pytest.raises(ValueError, match="no garment"):
        cache.get_or_compute("a", fail)
    assert cache.get_or_compute("a", lambda: Blob(2, 1)) == (Blob(2, 1), False)


def test_a_key_names_pixels_shape_and_parts() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    same = np.asfortranarray(pixels)
    keys = {
        content_key(pixels),
        content_key(pixels.reshape(4, 2, 3)),
        content_key(np.bitwise_not(pixels)),
        content_key(pixels, "upper_body"),
        content_key(pixels, "dresses"),
    }
    assert len(keys) == 5
    assert content_key(same) == content_key(pixels)


def test_nothing_is_kept_beyond_its_age_however_often_it_is_asked_for() -> None:
    time_s = [0.0]
    cache: LruCache[Blob] = LruCache(100, 60.0, lambda: time_s[0])
    for second in (0, 30, 59):
        time_s[0] = second
        cache.get_or_compute("a", lambda: Blob(1, 10))
    assert cache.counters().hits == 2
    time_s[0] = 60
    assert not cache.get_or_compute("a", lambda: Blob(2, 10))[1]
    time_s[0] = 120
    cache.sweep()
    assert (cache.counters().entries, cache.counters().held_bytes) == (0, 0)


def test_what_a_forgotten_picture_went_into_leaves_and_the_rest_stays() -> None:
    time_s = [0.0]
    cache: LruCache[Blob] = LruCache(100, clock=lambda: time_s[0])
    cache.get_or_compute("a", lambda: Blob(1, 10), of=("photo", "mask"))
    cache.get_or_compute("b", lambda: Blob(2, 10), of=("other",))
    cache.get_or_compute("b", lambda: Blob(2, 10), of=("the same encoded anew",))
    assert cache.forget(["mask", "nobody"]) == 1
    assert cache.keys() == ["b"]
    assert cache.forget(["the same encoded anew"]) == 1
    assert cache.counters().held_bytes == 0


def test_what_is_under_way_when_its_picture_is_forgotten_is_not_kept() -> None:
    time_s = [0.0]
    cache: LruCache[Blob] = LruCache(100, clock=lambda: time_s[0])

    def compute() -> Blob:
        cache.forget(["photo"])
        return Blob(1, 10)

    cache.get_or_compute("a", compute, of=("photo",))
    cache.get_or_compute("b", lambda: Blob(1, 10), of=("photo",))  # was still in a queue
    assert cache.keys() == []
    time_s[0] = 121.0
    cache.get_or_compute("b", lambda: Blob(1, 10), of=("photo",))
    assert cache.keys() == ["b"]
