"""How often networks run."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def counted(*modules: nn.Module) -> Iterator[list[int]]:
    """Give a list that counts the forward passes of each module while inside."""
    calls = [0] * len(modules)

    def count(index: int) -> None:
        calls[index] += 1

    hooks = [
        module.register_forward_hook(lambda *_args, index=index: count(index))
        for index, module in enumerate(modules)
    ]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()
