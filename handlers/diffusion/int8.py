"""Linear layers in INT8 (LLM.int8(), arXiv 2208.07339) by bitsandbytes, and how such layers move.

Weights become whole numbers row by row; activations do so at each call, but for the columns that
hold outliers, which stay in half precision. It saves memory, not time.
"""

import logging
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

import torch
from torch import nn

from handlers.settings import BadSetting

OUTLIERS_FROM: Final = 6.0
# Few parameters through which everything passes: left as they are, they halve the error.
KEPT: Final = frozenset(
    {
        "time_embedding",
        "add_embedding",
        "time_emb_proj",
        "proj_in",
        "proj_out",
        "conv_in",
        "conv_out",
    }
)
_LIBRARY: Final = "bitsandbytes"


def check_available() -> None:
    """Raise BadSetting where the library is missing."""
    try:
        import_module(_LIBRARY)
    except ImportError as fault:
        raise BadSetting(
            f'handler.quantization: int8 needs `pip install -e ".[gpu]"` ({fault})'
        ) from fault


def quantise(
    network: nn.Module,
    kept: frozenset[str] = KEPT,
    outliers_from: float = OUTLIERS_FROM,
) -> int:
    """Replace the linear layers of `network` in place, where it lies; give how many they were.

    Those with a name of `kept` in their path stay as they are.
    """
    layers = [
        (path, layer)
        for path, layer in network.named_modules()
        if isinstance(layer, nn.Linear) and not kept & set(path.split("."))
    ]
    for path, layer in layers:
        network.set_submodule(path, _quantised(layer, outliers_from))
    # It would tell of every call that float32 is brought to half precision for it.
    logging.getLogger(f"{_LIBRARY}.autograd._functions").setLevel(logging.ERROR)
    return len(layers)


def move(module: nn.Module, device: torch.device) -> None:
    """Bring a module to a device.

    `module.to` alone leaves behind what the quantised layers inside hold beside parameters.
    """
    with torch.inference_mode(mode=False):  # parameters must not become inference tensors
        module.to(device)
        for layer in _int8_layers(module):
            layer.state.CB = layer.weight.data
            layer.state.SCB = layer.state.SCB.to(device)


def held_bytes(module: nn.Module) -> int:
    """Count what a module's parameters, buffers and scales occupy."""
    scales = sum(layer.state.SCB.nbytes for layer in _int8_layers(module))
    return scales + sum(one.nbytes for one in (*module.parameters(), *module.buffers()))


def _quantised(layer: nn.Linear, outliers_from: float) -> nn.Module:
    from bitsandbytes import functional  # noqa: PLC0415  few need it, and it is slow to import
    from bitsandbytes.nn import Int8Params, Linear8bitLt  # noqa: PLC0415  as above

    with torch.device("meta"):
        made = Linear8bitLt(
            layer.in_features,
            layer.out_features,
            bias=layer.bias is not None,
            has_fp16_weights=False,
            threshold=outliers_from,
        )
    whole, scales, _ = functional.int8_vectorwise_quant(layer.weight.data.half())
    made.weight = Int8Params(whole, requires_grad=False, CB=whole, SCB=scales)
    made.bias = layer.bias
    made.init_8bit_state()
    return made.eval()  # in training mode it would multiply in full precision


def _int8_layers(module: nn.Module) -> Iterator[Any]:
    library = sys.modules.get(f"{_LIBRARY}.nn")
    if library is not None:
        yield from (one for one in module.modules() if isinstance(one, library.Linear8bitLt))
