"""Time, memory and arithmetic of a device, measured on it."""

import time
from collections.abc import Callable
from statistics import median
from typing import Final

import torch
from torch.utils.flop_counter import FlopCounterMode

_MATMUL_SIDE: Final = {"cuda": 8192, "cpu": 1024}
_TERA: Final = 1e12


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(device: torch.device, work: Callable[[], object], rounds: int) -> list[float]:
    """Time `work` after one round that is not counted."""
    work()
    return [_once(device, work) for _ in range(rounds)]


def _once(device: torch.device, work: Callable[[], object]) -> float:
    synchronise(device)
    started = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - started


def peak_bytes(device: torch.device, work: Callable[[], object]) -> int:
    """Measure the most that a GPU holds while `work` runs, weights included; 0 elsewhere."""
    if device.type != "cuda":
        work()
        return 0
    synchronise(device)
    torch.cuda.reset_peak_memory_stats(device)
    work()
    synchronise(device)
    return torch.cuda.max_memory_allocated(device)


def tera_operations(work: Callable[[], object]) -> float:
    """Count the multiplications and additions of `work`, in 10^12."""
    with FlopCounterMode(display=False) as counter:
        work()
    operations: int = counter.get_total_flops()
    return operations / _TERA


def matmul_peak_tera(device: torch.device, dtype: torch.dtype) -> float:
    """Measure how many 10^12 operations a second a large matrix product reaches."""
    side = _MATMUL_SIDE[device.type]
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    taken = seconds(device, lambda: left @ right, 10)
    return (side**3 * 2.0) / median(taken) / _TERA
