"""Splines and fills keep what they are told to keep."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from handlers.vision.fill import push_pull, spread
from handlers.vision.lines import resample
from handlers.vision.warp import spline_maps

points = st.lists(
    st.tuples(st.integers(0, 19), st.integers(0, 19)), min_size=4, max_size=12, unique=True
)


@given(points, st.floats(-30, 30), st.floats(-30, 30), st.floats(0.5, 2.0))
def test_a_spline_through_a_moved_and_scaled_figure_is_that_motion(
    grid: list[tuple[int, int]], dx: float, dy: float, zoom: float
) -> None:
    target = np.array(grid, np.float64) * 10
    source = target * zoom + [dx, dy]
    if np.linalg.matrix_rank(target - target.mean(0), tol=1.0) < 2:
        return
    map_x, map_y = spline_maps(source, target, (0, 0, 200, 200), 10)
    y, x = np.mgrid[20:180, 20:180]
    assert np.abs(map_x[20:180, 20:180] - (x * zoom + dx)).max() < 1.5
    assert np.abs(map_y[20:180, 20:180] - (y * zoom + dy)).max() < 1.5


@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.9))
def test_push_pull_keeps_the_known_and_invents_no_extremes(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.uniform(10, 200, (40, 30, 3)).astype(np.float32)
    known = (rng.random((40, 30)) < share).astype(np.float32)
    known[0, 0] = 1
    filled = push_pull(values, known)
    assert np.allclose(filled[known > 0], values[known > 0], atol=1e-3)
    seen = values[known > 0]
    assert filled.min() > seen.min() - 1
    assert filled.max() < seen.max() + 1


@given(st.integers(0, 2**32 - 1))
def test_spread_gives_only_known_colours(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 255, (20, 25, 3), np.uint8)
    known = rng.random((20, 25)) < 0.2
    known[3, 4] = True
    told = {tuple(c) for c in rgb[known]}
    assert {tuple(c) for c in spread(rgb, known).reshape(-1, 3)} <= told


@given(points, st.integers(2, 60))
def test_resampling_keeps_ends_and_steps_evenly(line: list[tuple[int, int]], count: int) -> None:
    way = np.array(line, np.float64)
    found, along = resample(way, count)
    assert np.allclose(found[[0, -1]], way[[0, -1]])
    assert np.allclose(np.diff(along), along[-1] / (count - 1))
