"""A denoiser's transformer blocks compiled, and nothing around them.

Blocks of one width are the same code with other weights, so each width is compiled once and not
each of its tens of blocks (diffusers' `compile_repeated_blocks`, with our attention). What a block
is told of its layer is picked out before it, or every block would be compiled for its number.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from handlers.diffusion.attention import Reference, transformer_blocks

logger = logging.getLogger(__name__)

_FORMS: Final = 64  # sizes of batches and tokens that one block may be compiled for


def compile_blocks(unet: UNet2DConditionModel) -> None:
    """Let every transformer block run compiled from its first use on.

    Where compiling fails (there is no compiler, or it does not know the device), a line in the log
    says so once and the blocks run as they are.
    """
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _FORMS)  # noqa: SLF001  torch has no other name for it
    state = _State()
    for layer, block in enumerate(transformer_blocks(unet)):
        block.forward = CompiledBlock(block, layer, state)


class _State:
    """Whether compiling has failed for the blocks of a network."""

    def __init__(self) -> None:
        self.has_failed = False


class CompiledBlock:
    """A transformer block's forward pass, compiled."""

    def __init__(self, block: BasicTransformerBlock, layer: int, state: _State) -> None:
        self.layer = layer
        self.plain: Callable[..., Tensor] = block.forward
        self.compiled: Callable[..., Tensor] = torch.compile(block.forward)
        self.state = state

    def __call__(
        self,
        hidden_states: Tensor,
        cross_attention_kwargs: dict[str, Any] | None = None,
        **told: Any,  # noqa: ANN401  diffusers' own
    ) -> Tensor:
        """Run the block on (rows, tokens, width)."""
        own, seen = _own(cross_attention_kwargs or {}, self.layer)
        result = self._run(hidden_states, cross_attention_kwargs=own, **told)
        if seen is not None:
            seen.extend(own["captured"])
        return result

    def _run(self, hidden_states: Tensor, **told: Any) -> Tensor:  # noqa: ANN401  diffusers' own
        if not self.state.has_failed:
            try:
                compiled = self.compiled(hidden_states, **told)
            except torch._dynamo.exc.TorchDynamoException as fault:  # noqa: SLF001  as above
                self.state.has_failed = True
                reason = str(fault).strip().partition("\n")[0]
                logger.warning("transformer blocks run uncompiled: %s", reason)
            else:
                return compiled
        if captured := told["cross_attention_kwargs"].get("captured"):
            captured.clear()  # what a pass that failed may have left
        return self.plain(hidden_states, **told)


def _own(told: dict[str, Any], layer: int) -> tuple[dict[str, Any], list[Tensor] | None]:
    """Give what concerns one block, and the list that what it captures belongs in."""
    own = dict(told)
    reference: object = told.get("reference")
    if isinstance(reference, Reference):
        own["reference"] = reference.at(layer)
    if "captured" not in told:
        return own, None
    own["captured"] = []
    return own, told["captured"]
