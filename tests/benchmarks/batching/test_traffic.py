from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.batching import traffic
from benchmarks.batching.curves import ALONE_MS, CURVES
from benchmarks.batching.traffic import PREVIEW


@given(load=st.floats(0.1, 2.0), seed=st.integers(0, 99))
def test_a_trace_offers_the_load_it_is_named_after(load: float, seed: int) -> None:
    arrivals = traffic.trace(load, 400.0, seed)
    assert traffic.offered(arrivals, 400.0) == pytest.approx(load, rel=0.05)
    previews = sum(one.kind == PREVIEW for one in arrivals)
    assert previews / len(arrivals) == pytest.approx(0.7, abs=0.02)


def test_a_trace_is_in_order_and_the_same_again() -> None:
    arrivals = traffic.trace(0.8, 100.0)
    assert arrivals == traffic.trace(0.8, 100.0)
    assert arrivals != traffic.trace(0.8, 100.0, seed=1)
    times = [one.at_s for one in arrivals]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= 100


def test_gaps_vary_as_those_of_a_poisson_process_do() -> None:
    times = [one.at_s for one in traffic.trace(0.8, 4000.0)]
    gaps = [after - before for before, after in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert spread / mean == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("name", CURVES)
def test_a_step_alone_costs_the_same_on_every_curve_and_company_never_costs_more(name: str) -> None:
    curve = CURVES[name]
    assert curve.seconds(1) == pytest.approx(ALONE_MS / 1000)
    each = [curve.seconds(members) / members for members in range(1, 17)]
    assert all(after <= before + 1e-12 for before, after in pairwise(each))
    assert str(curve).startswith("one step of 1: 22.0 ms")
