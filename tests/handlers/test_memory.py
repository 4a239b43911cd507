import weakref

import numpy as np
import psutil
import pytest
import torch

from handlers import memory


def test_what_is_measured_is_what_the_system_says() -> None:
    held = memory.measure()
    assert abs(held.rss_bytes - psutil.Process().memory_info().rss) < 20_000_000
    assert held.gpu_bytes == 0


def test_releasing_keeps_what_is_in_use() -> None:
    memory.share_one_arena()
    kept = np.arange(1_000_000)
    memory.release()
    assert kept.sum() == 499_999_500_000


@pytest.mark.parametrize(
    ("caught", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("HIP error: Out Of Memory"), True),
        (RuntimeError("size mismatch"), False),
    ],
)
def test_running_out_is_told_from_other_faults(caught: Exception, *, expected: bool) -> None:
    assert memory.ran_out(caught) is expected


@pytest.mark.prop(24)
def test_recovering_frees_what_only_points_at_itself() -> None:
    class Knot:
        pass

    knot = Knot()
    knot.self = knot  # type: ignore[attr-defined]  # that is the knot
    gone = weakref.ref(knot)
    del knot
    memory.recover()
    assert gone() is None


def test_without_a_gpu_a_request_uses_none_of_it() -> None:
    assert memory.GpuWatch().read() == memory.GpuUse(0, 0, 0)


def test_the_host_has_more_than_this_process() -> None:
    assert memory.host_bytes() > memory.measure().rss_bytes
