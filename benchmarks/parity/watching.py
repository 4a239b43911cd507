"""What passes through the modules of a network while it runs."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def watching(
    results: Mapping[str, nn.Module], arguments: Mapping[str, tuple[nn.Module, int]]
) -> Iterator[dict[str, Tensor]]:
    """Collect by name what modules return (of a tuple the first) and one argument of others."""
    seen: dict[str, Tensor] = {}
    with ExitStack() as hooks:
        for name, module in results.items():
            hooks.enter_context(_hook(module, name, None, seen))
        for name, (module, position) in arguments.items():
            hooks.enter_context(_hook(module, name, position, seen))
        yield seen


@contextmanager
def _hook(
    module: nn.Module, name: str, position: int | None, seen: dict[str, Tensor]
) -> Iterator[None]:
    def keep(_module: nn.Module, arguments: tuple[Any, ...], result: Any) -> None:  # noqa: ANN401
        if position is not None:
            seen[name] = arguments[position]
        else:
            seen[name] = result[0] if isinstance(result, tuple) else result

    handle = module.register_forward_hook(keep)
    try:
        yield
    finally:
        handle.remove()
