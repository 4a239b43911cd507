"""The resampler of IP-Adapter Plus: a picture's many tokens become a few that a UNet can read.

A perceiver (arXiv 2103.03206) as arXiv 2308.06721 uses it; parameters are named as published.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

_HEAD_WIDTH: Final = 64  # the one size that no shape tells


@dataclass(frozen=True, slots=True)
class Sizes:
    """Widths in channels: of the picture's tokens, inside, of the heads, of the result."""

    given: int
    inside: int
    heads: int
    feed_forward: int
    result: int
    queries: int
    depth: int

    @classmethod
    def of(cls, state: Mapping[str, Tensor], prefix: str) -> "Sizes":
        """Read the sizes from published weights; raises KeyError for one that is not there."""
        inside, given = state[f"{prefix}proj_in.weight"].shape
        layers = {key.split(".")[2] for key in state if key.startswith(f"{prefix}layers.")}
        return cls(
            given=given,
            inside=inside,
            heads=state[f"{prefix}layers.0.0.to_q.weight"].shape[0],
            feed_forward=state[f"{prefix}layers.0.1.1.weight"].shape[0],
            result=state[f"{prefix}proj_out.weight"].shape[0],
            queries=state[f"{prefix}latents"].shape[1],
            depth=len(layers),
        )


class Resampler(nn.Module):
    """(rows, picture tokens, given width) to (rows, queries, result width)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(1, sizes.queries, sizes.inside))
        self.proj_in = nn.Linear(sizes.given, sizes.inside)
        self.layers = nn.ModuleList(
            nn.ModuleList([_Attention(sizes), _feed_forward(sizes)]) for _ in range(sizes.depth)
        )
        self.proj_out = nn.Linear(sizes.inside, sizes.result)
        self.norm_out = nn.LayerNorm(sizes.result)

    def forward(self, picture: Tensor) -> Tensor:
        """Ask the picture's tokens with learnt queries, layer by layer."""
        picture = self.proj_in(picture)
        latents = self.latents.expand(len(picture), -1, -1)
        for attention, feed_forward in cast("Iterable[tuple[nn.Module, nn.Module]]", self.layers):
            latents = latents + attention(picture, latents)
            latents = latents + feed_forward(latents)
        result: Tensor = self.norm_out(self.proj_out(latents))
        return result


class _Attention(nn.Module):
    """Latents ask the picture and one another."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(sizes.inside)
        self.norm2 = nn.LayerNorm(sizes.inside)
        self.to_q = nn.Linear(sizes.inside, sizes.heads, bias=False)
        self.to_kv = nn.Linear(sizes.inside, 2 * sizes.heads, bias=False)
        self.to_out = nn.Linear(sizes.heads, sizes.inside, bias=False)

    def forward(self, picture: Tensor, latents: Tensor) -> Tensor:
        picture, latents = self.norm1(picture), self.norm2(latents)
        keys, values = self.to_kv(torch.cat([picture, latents], dim=1)).chunk(2, dim=-1)
        query = _split(self.to_q(latents))
        answers = functional.scaled_dot_product_attention(query, _split(keys), _split(values))
        projected: Tensor = self.to_out(answers.transpose(1, 2).flatten(2))
        return projected


def _feed_forward(sizes: Sizes) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(sizes.inside),
        nn.Linear(sizes.inside, sizes.feed_forward, bias=False),
        nn.GELU(),
        nn.Linear(sizes.feed_forward, sizes.inside, bias=False),
    )


def _split(tokens: Tensor) -> Tensor:
    """(rows, tokens, heads' width) to (rows, heads, tokens, head width)."""
    return tokens.view(*tokens.shape[:2], -1, _HEAD_WIDTH).transpose(1, 2)
