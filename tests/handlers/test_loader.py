import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.loader import Loader
from tests.patience import PATIENCE_S


@pytest.mark.prop(25)
@settings(max_examples=100)
@given(threads=st.integers(1, 12))
def test_any_number_of_threads_get_one_instance(threads: int) -> None:
    made: list[object] = []
    start = threading.Barrier(threads)

    def factory() -> object:
        made.append(object())
        return made[-1]

    loader = Loader(factory)

    def ask() -> object:
        start.wait(PATIENCE_S)
        return loader.get()

    with ThreadPoolExecutor(threads) as pool:
        given_out = {id(answer.result()) for answer in [pool.submit(ask) for _ in range(threads)]}
    assert len(made) == len(given_out) == 1
    assert loader.loaded


def test_a_factory_that_fails_is_tried_again() -> None:
    attempts: list[int] = []

    def factory() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("the weights are away")
        return "model"

    loader = Loader(factory)
    with pytest.raises(OSError, match="away"):
        loader.get()
    assert not loader.loaded
    assert loader.get() == "model"
