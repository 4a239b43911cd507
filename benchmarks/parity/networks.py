"""Goldens of single networks: resampler, garment network, try-on network, schedules."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmarks.parity.report import Compared, relative_l2
from benchmarks.parity.watching import watching
from handlers.diffusion import networks, sampling
from handlers.diffusion.attention import Reference, prompt_keys
from handlers.diffusion.loading import Networks

_SCHEDULE: Final = 1e-6
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Unit:
    """A `unit` folder (see its FORMAT.md), the networks it was recorded from, the tolerance."""

    folder: Path
    nets: Networks
    tolerance: float

    def compare(self) -> Iterator[Compared]:
        """Yield the difference to every golden that is there."""
        for name, compare in (
            ("resampler", self._resampler),
            ("garment_unet", self._garment),
            ("tryon_unet", self._tryon),
            ("scheduler", self._scheduler),
        ):
            file = self.folder / f"{name}.safetensors"
            if file.is_file():
                yield from compare(name, load_file(file))

    def _resampler(self, name: str, golden: Tensors) -> Iterator[Compared]:
        resampler = self.nets.tryon.encoder_hid_proj
        arguments = {}
        for index, (_, feed_forward) in enumerate(resampler.layers):
            following = [layer[0] for layer in resampler.layers[index + 1 : index + 2]]
            after = (following[0], 1) if following else (resampler.proj_out, 0)
            arguments[f"layer{index}.after_attention"] = (feed_forward, 0)
            arguments[f"layer{index}.after_feed_forward"] = after
        with watching({"after_proj_in": resampler.proj_in}, arguments) as seen:
            seen["output"] = resampler(golden["input"])
        yield from self._all(name, seen, golden)

    def _garment(self, name: str, golden: Tensors) -> Iterator[Compared]:
        unet = self.nets.garment
        last = {"sample_before_last_up_block": unet.up_blocks[-1]}
        with watching({"time_embedding": unet.time_embedding, **last}, {}) as seen:
            features = networks.look_at_garment(
                unet, golden["latents"], golden["timestep"], golden["encoder_hidden_states"]
            )
        seen |= {f"feature.{index:03d}": feature for index, feature in enumerate(features)}
        yield from self._all(name, seen, golden)

    def _tryon(self, name: str, golden: Tensors) -> Iterator[Compared]:
        unet, features = self.nets.tryon, tuple(self._features())
        if not features:
            return
        text, tokens = golden["encoder_hidden_states"], golden["ip_tokens"]
        reference = Reference(features, prompt_keys(unet, text, tokens))
        results, arguments = self._places(unet)
        with watching(results, arguments) as seen:
            seen["noise_pred"] = networks.predict_noise(
                unet,
                golden["sample"],
                golden["timestep"],
                reference,
                golden["text_embeds"],
                golden["time_ids"],
            )
        yield from self._all(name, seen, _asked(golden))

    def _places(
        self,
        unet: Any,  # noqa: ANN401  diffusers is untyped
    ) -> tuple[dict[str, nn.Module], dict[str, tuple[nn.Module, int]]]:
        results = {
            "time_embedding": unet.time_embedding,
            "add_embedding": unet.add_embedding,
            "after_conv_in": unet.conv_in,
            "after_mid_block": unet.mid_block,
            **{f"after_down_blocks.{i}": block for i, block in enumerate(unet.down_blocks)},
            **{f"after_up_blocks.{i}": block for i, block in enumerate(unet.up_blocks)},
        }
        arguments = {"add_embedding_in": (unet.add_embedding, 0)}
        if block := self._recorded(unet):
            results |= {"block.hidden_out": block, "block.attn2_out": block.attn2}
            results |= {"block.attn1_out_full": block.attn1}
            arguments |= {"block.hidden_in": (block, 0), "block.attn2_in": (block.attn2, 0)}
            arguments |= {"block.attn1_in_concat": (block.attn1, 0)}
        return results, arguments

    def _recorded(self, unet: Any) -> Any:  # noqa: ANN401
        file = self.folder / "unit.json"
        told = json.loads(file.read_text()) if file.is_file() else {}
        return unet.get_submodule(told["block_recorded"]) if "block_recorded" in told else None

    def _features(self) -> Iterator[Tensor]:
        """The garment features that the try-on goldens were recorded with."""
        file = self.folder / "garment_unet.safetensors"
        golden = load_file(file) if file.is_file() else {}
        yield from (golden[key] for key in sorted(golden) if key.startswith("feature."))

    def _scheduler(self, name: str, golden: Tensors) -> Iterator[Compared]:
        runs = sorted({key.rsplit(".", 1)[0] for key in golden if key.endswith(".trajectory")})
        for run in runs:
            sampler, steps = run.split(".")
            plan = sampling.schedule(self.nets.scheduler, sampler, int(steps), 1.0)
            yield self._one(
                f"{name}/{run}.timesteps", plan.timesteps, golden[f"{run}.timesteps"], 0
            )
            walked = torch.stack(list(_walk(plan, sampler, run, golden)))
            yield self._one(f"{name}/{run}.trajectory", walked, golden[f"{run}.trajectory"])
        plan = sampling.schedule(self.nets.scheduler, "ddpm", 1, 1.0)
        if "alphas_cumprod" in golden:
            yield self._one(f"{name}/alphas_cumprod", plan.alphas_cumprod, golden["alphas_cumprod"])
        for key in sorted(key for key in golden if key.startswith("add_noise.t")):
            at = torch.tensor(int(key.removeprefix("add_noise.t")))
            clean, noise = golden["add_noise.x0"], golden["add_noise.noise"]
            yield self._one(
                f"{name}/{key}", sampling.add_noise(plan, clean, noise, at), golden[key]
            )

    def _one(
        self, name: str, ours: Tensor, golden: Tensor, tolerance: float = _SCHEDULE
    ) -> Compared:
        return relative_l2(f"unit/{name}", ours, golden, tolerance)

    def _all(self, name: str, seen: Tensors, golden: Tensors) -> Iterator[Compared]:
        for key in sorted(golden.keys() & seen.keys()):
            yield self._one(f"{name}/{key}", seen[key], golden[key], self.tolerance)


def _asked(golden: Tensors) -> Tensors:
    """The goldens of self-attention without the garment's own questions, which we never ask."""
    return {
        key: value[:, : value.shape[1] // 2] if key.startswith("block.attn1_") else value
        for key, value in golden.items()
    }


def _walk(plan: sampling.Schedule, sampler: str, run: str, golden: Tensors) -> Iterator[Tensor]:
    now = golden[f"{run}.start"]
    for index, timestep in enumerate(plan.timesteps):
        predicted = golden[f"{run}.model_output"][index]
        if sampler == "ddim":
            now = sampling.ddim_step(plan, predicted, timestep, now)
        else:
            now = sampling.ddpm_step(plan, predicted, timestep, now, golden[f"{run}.noise"][index])
        yield now
