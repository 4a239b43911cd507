import numpy as np
import psutil

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
