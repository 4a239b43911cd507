"""Walks as rows of one batch: the unconditional rows of all, then everybody's conditional ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from handlers.diffusion.attention import PromptKeys
from handlers.diffusion.denoising import Run


class Member(Protocol):
    """A run under way, at a step that it has not taken yet."""

    @property
    def run(self) -> Run:
        """What stays the same over its steps."""
        ...

    @property
    def now(self) -> Tensor:
        """Its latents, (rows, 4, h, w)."""
        ...

    @property
    def guided(self) -> bool:
        """Whether the step makes an unconditional prediction beside the conditional one."""
        ...

    @property
    def timestep(self) -> Tensor:
        """The step's timestep, ()."""
        ...


M = TypeVar("M", bound=Member)


@dataclass(frozen=True, slots=True)
class Batch(Generic[M]):
    """What the rows of some walks tell the try-on network."""

    walks: Sequence[M]

    @property
    def rows(self) -> list[M]:
        """Whose rows there are, in their order: a guided walk's stand in two places."""
        return [*(walk for walk in self.walks if walk.guided), *self.walks]

    def sample(self) -> Tensor:
        """Give the channels that are painted and those that stay the same, (rows, 13, h, w)."""
        return torch.cat([torch.cat([walk.now, walk.run.fixed], dim=1) for walk in self.rows])

    def timesteps(self) -> Tensor:
        """Give each row's timestep, (rows,)."""
        return torch.cat([walk.timestep.expand(walk.run.plan.rows) for walk in self.rows])

    def text_embeds(self) -> Tensor:
        """Give the pooled text, (rows, width)."""
        return self.joined([walk.run.text_embeds for walk in self.walks])

    def time_ids(self) -> Tensor:
        """Give the size conditioning, (rows, 6), which is the same for all rows of a walk."""
        return torch.cat([walk.run.time_ids[: walk.run.plan.rows] for walk in self.rows])

    def prompt(self) -> tuple[PromptKeys, ...]:
        """Give keys and values of every layer."""
        told = [walk.run.prompt for walk in self.walks]
        return tuple(
            PromptKeys(*(self.joined(parts) for parts in zip(*layers, strict=True)))
            for layers in zip(*told, strict=True)
        )

    def joined(self, told: Sequence[Tensor]) -> Tensor:
        """Bring what each walk has, its unconditional rows first where it has any, in order."""
        if len(self.walks) == 1:  # it lies in order already
            plan = self.walks[0].run.plan
            return told[0][-plan.rows * (1 + self.walks[0].guided) :]
        pairs = list(zip(self.walks, told, strict=True))
        first = [one[: walk.run.plan.rows] for walk, one in pairs if walk.guided]
        return torch.cat([*first, *(one[-walk.run.plan.rows :] for walk, one in pairs)])

    def parted(self, rows: Tensor) -> list[Tensor]:
        """Give each walk its own of the batch's rows, its unconditional ones first."""
        if len(self.walks) == 1:
            return [rows]
        parts = list(torch.split(rows, [walk.run.plan.rows for walk in self.rows]))
        first = {id(walk): parts.pop(0) for walk in self.walks if walk.guided}
        return [
            torch.cat([first[id(walk)], part]) if id(walk) in first else part
            for walk, part in zip(self.walks, parts, strict=True)
        ]
