"""What each memory profile does, run on the CPU: the way is the same, only the journeys are not."""

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from handlers.diffusion import assembly, int8, latents, trial
from handlers.diffusion.assembly import Assembled, Machine
from handlers.diffusion.loading import Networks
from handlers.diffusion.profiles import PROFILES
from handlers.diffusion.repository import Repository
from handlers.diffusion.settings import IdmVtonSettings
from handlers.quantize import Limits, Verdict, deviation, quantise_or_keep
from handlers.settings import BadSetting, read
from tests.handlers.diffusion import deployment, tiny

WIDE = {"step_error": 0.05, "picture_error": 0.05, "psnr_db": 30.0}


def configured(**changes: Any) -> IdmVtonSettings:  # noqa: ANN401  any setting
    return read(IdmVtonSettings, deployment.sections()["handler"] | changes, "handler")


def assembled(known: Verdict | None = None, **changes: Any) -> Assembled:  # noqa: ANN401
    settings = configured(**changes)
    repository = Repository.open(tiny.REPOSITORY)
    return assembly.assemble(repository, Machine.of(settings), settings, known)


def observed(nets: Networks) -> Any:  # noqa: ANN401  of handlers.quantize
    return trial.observe(nets, deployment.WIDTH_PX, deployment.HEIGHT_PX)


@contextmanager
def order(nets: Networks) -> Iterator[list[str]]:
    """Write down which of the two networks runs, pass by pass."""
    ran: list[str] = []
    with ExitStack() as hooks:
        for name in ("garment", "tryon"):
            block: nn.Module = getattr(nets, name).mid_block
            hook = block.register_forward_hook(lambda *_args, name=name: ran.append(name))
            hooks.callback(hook.remove)
        yield ran


@pytest.mark.parametrize("memory", [name for name, one in PROFILES.items() if not one.int8])
def test_a_smaller_memory_gives_the_same_picture(memory: str) -> None:
    whole, small = observed(tiny.networks()), observed(assembled(memory=memory).networks)
    assert np.array_equal(whole.picture, small.picture)
    assert deviation(whole, small).step_error == 0


def test_where_both_networks_do_not_fit_the_garment_s_runs_ahead() -> None:
    beside, ahead = assembled(memory="16gb").networks, assembled(memory="12gb").networks
    for nets, alternating in ((beside, True), (ahead, False)):
        with order(nets) as ran:
            observed(nets)
        first = ran[: 2 * trial.STEPS]
        assert sorted(first) == ["garment"] * trial.STEPS + ["tryon"] * trial.STEPS
        assert (first[:2] == ["garment", "tryon"]) is alternating


@pytest.mark.parametrize("memory", PROFILES)
def test_every_guest_of_a_profile_visits(memory: str) -> None:
    made = assembled(memory=memory, verify=False)
    found = assembly.parts(made.networks)
    for part, modules in found.items():
        for module in modules:
            assert (module in made.networks.visits) is (part in PROFILES[memory].guests)


def test_a_picture_decoded_in_tiles_is_nearly_the_same() -> None:
    plain, tiled = tiny.networks(), assembled(memory="16gb").networks
    drawn = torch.randn(1, 4, 96, 80, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        whole, pieces = (latents.to_rgb(latents.decode(nets, drawn)) for nets in (plain, tiled))
    assert whole.shape == pieces.shape
    assert not np.array_equal(whole, pieces)
    assert np.abs(whole.astype(int) - pieces).mean() < 3


@pytest.mark.slow
@pytest.mark.prop(22)
def test_int8_is_measured_at_load_and_told() -> None:
    made = assembled(quantization="int8", quantization_limits=WIDE)
    told = made.told()
    assert told["quantization"] == "int8"
    assert 0.001 < told["quantization_error"] < 0.05
    found = deviation(observed(tiny.networks()), observed(made.networks))
    assert found.step_error == pytest.approx(told["quantization_error"], rel=0.05)
    assert assembly.held_bytes(made.networks) < assembly.held_bytes(tiny.networks())


@pytest.mark.slow
@pytest.mark.prop(22)
def test_int8_over_the_shipped_limit_falls_back(caplog: pytest.LogCaptureFixture) -> None:
    """The tiny network bears even bfloat16 badly: it is over the limit by itself."""
    caplog.set_level(logging.INFO)
    made = assembled(quantization="int8")
    assert made.told()["quantization"] == "none"
    assert made.told()["quantization_error"] > 0.02
    assert np.array_equal(observed(made.networks).picture, observed(tiny.networks()).picture)
    (line,) = [one.message for one in caplog.records if "INT8" in one.message]
    assert "(limit 0.02): full precision instead" in line


@pytest.mark.slow
@pytest.mark.prop(22)
@pytest.mark.parametrize("broken", [False, True])
def test_a_broken_quantisation_is_caught(*, broken: bool) -> None:
    def quantise(nets: Networks) -> None:
        int8.quantise(nets.tryon)
        if broken:
            spoiled = nets.tryon.mid_block.attentions[0].transformer_blocks[0].attn1.to_v
            spoiled.state.SCB *= 3

    nets, verdict = quantise_or_keep(tiny.fresh_networks, quantise, observed, Limits(**WIDE))
    assert verdict.int8 is not broken
    assert deviation(observed(tiny.networks()), observed(nets)).step_error < 0.05


@pytest.mark.slow
def test_what_was_found_once_is_not_measured_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    first = assembled(quantization="int8", quantization_limits=WIDE)
    caplog.clear()
    again = assembled(first.verdict, quantization="int8", quantization_limits=WIDE)
    refused = assembled(replace(first.verdict, int8=False), quantization="int8")
    assert again.told() == first.told()
    assert refused.told()["quantization"] == "none"
    assert {one.name for one in caplog.records} <= {"handlers.diffusion.manifest"}


def test_the_smallest_profile_quantises_unless_told_otherwise() -> None:
    assert assembled(memory="8gb", verify=False).told()["quantization"] == "int8"
    assert assembled(memory="8gb", quantization="none").told()["quantization"] == "none"
    assert Machine.of(configured(memory="auto")).profile == PROFILES["full"]


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(BadSetting, match=r"handler\.quantization: int8 needs .*gpu"):
        Machine.of(configured(memory="8gb"))
    assert Machine.of(configured(memory="8gb", quantization="none")).memory == "8gb"


@pytest.mark.parametrize("setting", ["memory", "quantization", "attention"])
def test_an_unknown_word_stops_the_start(setting: str) -> None:
    with pytest.raises(BadSetting, match=rf"handler\.{setting}: expected .*found some"):
        Machine.of(configured(**{setting: "some"}))
