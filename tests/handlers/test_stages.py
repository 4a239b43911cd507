import pytest

from handlers.stages import Stages


def test_a_stage_that_breaks_is_still_timed() -> None:
    ticks = iter([1.0, 1.25])
    stages = Stages((), lambda _stage, _step, _of: None, clock=lambda: next(ticks))
    with pytest.raises(ValueError, match="broken"), stages.stage("pose"):
        raise ValueError("broken")
    assert stages.elapsed_ms == {"pose": 250.0}


def test_a_stage_met_again_adds_up_and_is_announced_once() -> None:
    ticks = iter([0.0, 0.5, 2.0, 2.25])
    announced: list[tuple[str, int, int]] = []
    stages = Stages(("pose", "parse"), lambda *told: announced.append(told), lambda: next(ticks))
    for _ in range(2):
        with stages.stage("parse"):
            pass
    assert stages.elapsed_ms == {"parse": 750.0}
    assert announced == [("parse", 2, 2)]


def test_a_long_stage_says_how_far_it_is() -> None:
    announced: list[tuple[str, int, int]] = []
    stages = Stages(("denoise",), lambda *told: announced.append(told))
    with stages.stage("denoise"):
        stages.progress("denoise", 7, 30)
    assert announced == [("denoise", 1, 1), ("denoise", 7, 30)]
