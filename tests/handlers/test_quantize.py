import logging
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.quantize import TIMESTEPS, Limits, Observed, Verdict, deviation, quantise_or_keep

LIMITS = Limits(step_error=0.02, picture_error=0.02, psnr_db=34.0)
SHAPE = (1, 4, 8, 8)


def seen(seed: int = 0) -> Observed:
    make = np.random.default_rng(seed)
    noise = [make.standard_normal(SHAPE).astype(np.float32) for _ in TIMESTEPS]
    return Observed(noise, make.random((1, 16, 16, 3), np.float32))


def strayed(by: float, at: int = 2, picture_by: float = 0.0) -> Observed:
    exact = seen()
    noise = [one * (1 + by) if index == at else one for index, one in enumerate(exact.noise)]
    return Observed(noise, exact.picture + np.float32(picture_by))


@pytest.mark.prop(22)
@given(by=st.floats(0.001, 0.5), at=st.integers(0, len(TIMESTEPS) - 1))
def test_the_worst_time_step_counts(by: float, at: int) -> None:
    found = deviation(seen(), strayed(by, at))
    assert found.step_error == pytest.approx(by, rel=1e-3)
    assert found.worst_timestep == TIMESTEPS[at]
    if abs(by - LIMITS.step_error) > 1e-4:
        assert bool(found.faults(LIMITS)) == (by > LIMITS.step_error)


@pytest.mark.prop(22)
@given(by=st.floats(0.0001, 0.3))
def test_a_picture_is_measured_in_levels_and_decibels(by: float) -> None:
    found = deviation(seen(), strayed(0, picture_by=by))
    assert found.picture_error == pytest.approx(by, rel=1e-2)
    assert found.psnr_db == pytest.approx(-20 * math.log10(by), abs=0.1)
    if by > 0.0205:
        assert "of the picture's range (limit 0.02)" in " ".join(found.faults(LIMITS))


def test_equal_pictures_are_infinitely_alike() -> None:
    found = deviation(seen(), seen())
    assert (found.step_error, found.psnr_db) == (0, math.inf)
    assert not found.faults(LIMITS)


def test_what_is_no_number_is_over_every_limit() -> None:
    assert len(deviation(seen(), strayed(math.nan, 3, math.nan)).faults(LIMITS)) == 3
    assert deviation(seen(), strayed(math.nan, 3)).worst_timestep == TIMESTEPS[3]


class Model:
    """A stand-in for networks: what it shows is what it is."""

    def __init__(self) -> None:
        self.shows = seen()


def judged(stray: Callable[[Observed], Observed]) -> tuple[list[Model], Model, Verdict]:
    made: list[Model] = []

    def load() -> Model:
        made.append(Model())
        return made[-1]

    def quantise(model: Model) -> None:
        model.shows = stray(model.shows)

    model, verdict = quantise_or_keep(load, quantise, lambda one: one.shows, LIMITS)
    return made, model, verdict


def test_a_good_quantisation_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made, model, verdict = judged(lambda _: strayed(0.01))
    assert made == [model]
    assert verdict.int8
    assert "worst step 0.0100 (limit 0.02)" in caplog.text


@pytest.mark.prop(22)
def test_over_the_limit_the_model_is_loaded_whole_and_the_log_says_by_how_much(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made, model, verdict = judged(lambda whole: replace(strayed(0.03, 4), picture=whole.picture))
    assert len(made) == 2
    assert model is made[1]
    assert not verdict.int8
    assert deviation(seen(), model.shows).step_error == 0
    (record,) = caplog.records
    assert "0.0300 of the noise at time step 999 (limit 0.02)" in record.message
