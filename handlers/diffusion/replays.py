"""CUDA graphs: a pass whose kernels are recorded once and then started all at once.

A graph reads and writes the memory it was recorded with, and one is needed for every shape of
what goes in, so as many are kept as `most` says and the least recently used leaves. What goes in
is copied to where the graph reads, whatever its address was; what comes out is copied away.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import torch
from torch import Tensor

Work: TypeAlias = Callable[[Sequence[Tensor]], Sequence[Tensor]]

_WARM_UPS: Final = 3  # before a recording, for what is set up at first use


@dataclass(frozen=True, slots=True)
class Recorded:
    """A pass that was recorded: where it reads, where it writes, and how it is started."""

    given: Sequence[Tensor]
    told: Sequence[Tensor]
    start: Callable[[], None]


def record(work: Work, given: Sequence[Tensor]) -> Recorded:
    """Record `work` as a CUDA graph.

    Another thread may prepare a request meanwhile, and may allocate: only what this thread does is
    held against the recording.
    """
    fixed = [one.clone(memory_format=torch.contiguous_format) for one in given]
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(_WARM_UPS):
            work(fixed)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        told = work(fixed)
    return Recorded(fixed, told, graph.replay)


class Replays:
    """Passes by the shapes of what goes in, each recorded when it is first asked for."""

    def __init__(
        self, most: int, recorder: Callable[[Work, Sequence[Tensor]], Recorded] = record
    ) -> None:
        """Keep `most` recordings at once."""
        self._most = most
        self._recorder = recorder
        self._known: OrderedDict[Hashable, Recorded] = OrderedDict()

    def __len__(self) -> int:
        """Count the recordings."""
        return len(self._known)

    def __call__(self, name: str, work: Work, given: Sequence[Tensor]) -> list[Tensor]:
        """Do what `work`, always the same for a `name`, does with `given`."""
        key = (name, *((one.shape, one.dtype) for one in given))
        if key not in self._known:
            while len(self._known) >= self._most:
                self._known.popitem(last=False)
            self._known[key] = self._recorder(work, given)
        self._known.move_to_end(key)
        recorded = self._known[key]
        for where, one in zip(recorded.given, given, strict=True):
            where.copy_(one)
        recorded.start()
        return [one.clone() for one in recorded.told]
