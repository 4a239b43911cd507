"""Passes that are recorded, with a recorder that any machine has; a GPU's is in test_on_gpu."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from handlers.diffusion.mixing import advance
from handlers.diffusion.replays import Recorded, Replays, Work
from tests.handlers.diffusion import tiny
from tests.handlers.diffusion.test_mixing import Wish, alone, walk


def in_place(work: Work, given: Sequence[Tensor]) -> Recorded:
    """Record as a GPU does: fixed places that are read and written, however often it is run."""
    fixed = [torch.empty_like(one, memory_format=torch.contiguous_format) for one in given]
    told = [one.clone() for one in work(given)]

    def start() -> None:
        for where, one in zip(told, work(fixed), strict=True):
            where.copy_(one)

    return Recorded(fixed, told, start)


def doubled(given: Sequence[Tensor]) -> list[Tensor]:
    return [2 * one for one in given]


def test_what_comes_out_stays_when_the_pass_runs_again() -> None:
    replays = Replays(2, in_place)
    first = replays("double", doubled, [torch.ones(3)])
    second = replays("double", doubled, [torch.full((3,), 5.0)])
    assert (first[0].tolist(), second[0].tolist()) == ([2.0] * 3, [10.0] * 3)
    assert len(replays) == 1


def test_each_shape_and_each_pass_is_recorded_and_the_oldest_leaves() -> None:
    replays = Replays(2, in_place)
    for size in (1, 2, 1, 3, 1):
        replays("double", doubled, [torch.ones(size)])
        assert len(replays) <= 2
    recorded: list[int] = []

    def counting(work: Work, given: Sequence[Tensor]) -> Recorded:
        recorded.append(len(given[0]))
        return in_place(work, given)

    replays = Replays(2, counting)
    for size in (1, 2, 1, 3, 1, 2):
        replays("double", doubled, [torch.ones(size)])
    assert recorded == [1, 2, 3, 2]


@torch.inference_mode()
def test_walks_step_by_recordings_as_they_do_without() -> None:
    nets = replace(tiny.networks(), replays=Replays(8, in_place))
    wishes = [
        Wish(1, 4, 2.0, 1.0, "ddpm", 1, 0),
        Wish(2, 4, 2.0, 1.0, "dpmpp_2m", 1, 0, guidance_until=0.5, step_cache=2),
    ]
    walks = [walk(wish) for wish in wishes]
    while walks[0].steps_left:
        advance(nets, walks)
    for wish, one in zip(wishes, walks, strict=True):
        assert tiny.relative(one.now, alone(wish)) < 1e-5
