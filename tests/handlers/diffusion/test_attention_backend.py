import logging
import math
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from handlers.diffusion import attention, attention_backend, trial
from handlers.quantize import deviation
from handlers.settings import BadSetting
from tests.handlers.diffusion import tiny

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def written_out(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    logits = query @ keys.transpose(-1, -2) / math.sqrt(query.shape[-1])
    return logits.softmax(-1) @ values


def test_every_layer_asks_the_backend_it_was_given() -> None:
    nets = tiny.fresh_networks()
    calls: list[int] = []

    def attend(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        calls.append(1)
        return written_out(query, keys, values)

    for unet in (nets.tryon, nets.garment):
        attention.use_backend(unet, attend)
    told = trial.observe(nets, 96, 128)
    layers = [len(list(attention.transformer_blocks(one))) for one in (nets.tryon, nets.garment)]
    passes = trial.STEPS + len(told.noise)
    # self, text and picture there; self and text here
    assert len(calls) == passes * (3 * layers[0] + 2 * layers[1])
    assert deviation(trial.observe(tiny.networks(), 96, 128), told).step_error < 1e-4


def test_without_a_gpu_torch_attends() -> None:
    for wish in ("auto", "sdpa"):
        assert attention_backend.choose(wish, CPU, torch.float32).name == "sdpa"


@pytest.mark.skipif("xformers" in sys.modules, reason="needs a machine without xformers")
def test_on_a_gpu_auto_falls_back_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert attention_backend.choose("auto", GPU, torch.float16).name == "sdpa"
    assert "xformers does not work here (No module named 'xformers')" in caplog.text


def test_xformers_that_was_asked_for_and_is_not_there_stops_the_start() -> None:
    with pytest.raises(BadSetting, match=r"handler\.attention: xformers does not work here"):
        attention_backend.choose("xformers", CPU, torch.float32)


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(BadSetting, match="expected one of auto, sdpa, xformers, found flash"):
        attention_backend.choose("flash", CPU, torch.float32)


def test_xformers_gets_tokens_before_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its layout is (rows, tokens, heads, width); a library in its place answers in that one."""

    def theirs(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        turned = [one.transpose(1, 2) for one in (query, keys, values)]
        return written_out(*turned).transpose(1, 2)

    library = SimpleNamespace(memory_efficient_attention=theirs)
    monkeypatch.setitem(sys.modules, "xformers.ops", library)
    backend = attention_backend.choose("xformers", CPU, torch.float32)
    query, keys, values = (torch.randn(2, 3, tokens, 8) for tokens in (5, 7, 7))
    assert backend.name == "xformers"
    exact = attention_backend.sdpa(query, keys, values)
    assert torch.allclose(backend.attend(query, keys, values), exact, atol=1e-5)


def test_an_operator_that_refuses_this_device_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def theirs(*_given: Tensor) -> Tensor:
        raise NotImplementedError("No operator found for `memory_efficient_attention_forward`")

    library = SimpleNamespace(memory_efficient_attention=theirs)
    monkeypatch.setitem(sys.modules, "xformers.ops", library)
    with pytest.raises(BadSetting, match="No operator found"):
        attention_backend.choose("xformers", CPU, torch.float32)
