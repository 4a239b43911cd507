"""Records a run in the goldens' format, by the plain formulas and diffusers' own scheduler.

What the original would have written down cannot be had for other sizes; this is the next best: no
rewrite of ours, one picture after the other, and the library where it has an answer.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler
from diffusers.image_processor import VaeImageProcessor
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.gpu.upstream import make_plain
from handlers.diffusion import conditioning, networks
from handlers.diffusion.attention import Reference
from handlers.diffusion.loading import Networks

WORDS = ("knitted pullover", "long skirt", "shirt")


@dataclass(frozen=True)
class Wish:
    """What to record."""

    batch: int
    height: int
    width: int
    steps: int
    guidance: float
    strength: float
    seed: int = 4


def record(nets: Networks, folder: Path, wish: Wish) -> None:
    """Write `run.safetensors` and `run.json`; `nets` is left with the plain formulas."""
    told = {
        "batch": wish.batch,
        "height": wish.height,
        "width": wish.width,
        "num_inference_steps": wish.steps,
        "guidance_scale": wish.guidance,
        "strength": wish.strength,
        "scheduler": "ddpm",
        "scheduler_config": dict(nets.scheduler),
        "descriptions": WORDS[: wish.batch],
        "prompt_prefix": "model is wearing ",
        "cloth_prefix": "a photo of ",
        "negative_prompt": conditioning.NEGATIVE_PROMPT,
        "input_seeds": list(range(wish.batch)),
    }
    with torch.inference_mode():
        tensors = _Recorder(nets, wish).run()
    folder.mkdir(parents=True)
    save_file(
        {key: one.contiguous().clone() for key, one in tensors.items()}, folder / "run.safetensors"
    )
    (folder / "run.json").write_text(json.dumps(told))


class _Recorder:
    def __init__(self, nets: Networks, wish: Wish) -> None:
        self.nets, self.wish = nets, wish
        self.kept: dict[str, Tensor] = {}
        self.make = torch.Generator().manual_seed(wish.seed)
        factor = 2 ** (len(nets.vae.config.block_out_channels) - 1)
        self.processor = VaeImageProcessor(vae_scale_factor=factor)
        self.size = (wish.batch, 4, wish.height // factor, wish.width // factor)

    def run(self) -> dict[str, Tensor]:
        wish, nets = self.wish, self.nets
        scheduler = DDPMScheduler.from_config(dict(nets.scheduler))
        scheduler.set_timesteps(wish.steps)
        times = scheduler.timesteps[wish.steps - int(wish.steps * wish.strength) :]
        person, pose, garment = (self._planes(kind) for kind in ("person", "pose", "garment"))
        mask = self._mask()
        clean = self._encoded(person) if wish.strength < 1 else None
        latents = self._draw("initial_noise")
        if clean is not None:
            latents = scheduler.add_noise(clean, latents, times[:1])
        fixed = [torch.nn.functional.interpolate(mask, size=self.size[2:])]
        fixed += [self._encoded(person * (mask < 0.5)), self._encoded(pose)]
        cloth = self._encoded(garment)
        words, pooled, tokens = self._conditions()
        make_plain(nets.tryon, words, tokens)
        for timestep in times:
            predicted = self._predicted(
                torch.cat([latents, *fixed], dim=1), timestep, cloth, pooled
            )
            latents = self._stepped(scheduler, predicted, timestep, latents)
        decoded = nets.vae.decode(latents / nets.vae.config.scaling_factor).sample
        self.kept |= {"timesteps": times, "decoder_output": decoded}
        pictures = self.processor.postprocess(decoded, output_type="np")
        self.kept["output_uint8"] = torch.from_numpy((pictures * 255).round().astype(np.uint8))
        return self.kept

    def _draw(self, where: str) -> Tensor:
        count = sum(key.startswith("draw.") for key in self.kept)
        drawn = torch.randn(self.size, generator=self.make)
        self.kept[f"draw.{count:03d}.{where}.generator"] = drawn
        return drawn

    def _planes(self, kind: str) -> Tensor:
        rows = [
            self._picture(kind, row, (self.wish.height, self.wish.width, 3))
            for row in range(self.wish.batch)
        ]
        return torch.cat([self.processor.preprocess(Image.fromarray(one)) for one in rows])

    def _mask(self) -> Tensor:
        size = (self.wish.height, self.wish.width)
        rows = [self._picture("mask", row, size) for row in range(self.wish.batch)]
        return torch.stack([torch.from_numpy(one >= 128).float()[None] for one in rows])

    def _picture(self, kind: str, row: int, size: tuple[int, ...]) -> np.ndarray[Any, Any]:
        made = np.random.default_rng([row, *kind.encode()]).integers(0, 256, size, np.uint8)
        self.kept[f"in.{row}.{kind}_uint8"] = torch.from_numpy(made)
        return made

    def _encoded(self, planes: Tensor) -> Tensor:
        given = self.nets.vae.encode(planes).latent_dist
        sampled: Tensor = given.mean + given.std * self._draw("vae_posterior")
        scale: float = self.nets.vae.config.scaling_factor
        return sampled * scale

    def _conditions(self) -> tuple[Tensor, Tensor, Tensor]:
        nets, wish = self.nets, self.wish
        worn = conditioning.encode_text(
            nets, [f"model is wearing {one}" for one in WORDS[: wish.batch]]
        )
        nothing = conditioning.encode_text(nets, [conditioning.NEGATIVE_PROMPT] * wish.batch)
        shown = [self.kept[f"in.{row}.garment_uint8"].numpy() for row in range(wish.batch)]
        pixels = conditioning.clip_pixels(nets, shown)
        seen, unseen = (
            nets.tryon.encoder_hid_proj(conditioning.encode_picture(nets, one))
            for one in (pixels, torch.zeros_like(pixels))
        )
        self.text = conditioning.encode_text(
            nets, [f"a photo of {one}" for one in WORDS[: wish.batch]]
        )
        if wish.guidance <= 1:
            return worn.hidden, worn.pooled, seen
        self.kept["ip_tokens"] = torch.cat([unseen, seen])
        words = torch.cat([nothing.hidden, worn.hidden])
        return words, torch.cat([nothing.pooled, worn.pooled]), self.kept["ip_tokens"]

    def _predicted(self, sample: Tensor, timestep: Tensor, cloth: Tensor, pooled: Tensor) -> Tensor:
        features = networks.look_at_garment(self.nets.garment, cloth, timestep, self.text.hidden)
        guided = self.wish.guidance > 1
        rows = torch.cat([sample, sample]) if guided else sample
        ids = torch.tensor(
            [[self.wish.height, self.wish.width, 0, 0, self.wish.height, self.wish.width]]
        )
        predicted = networks.predict_noise(
            self.nets.tryon,
            rows,
            timestep,
            Reference(features, ()),
            pooled,
            ids.expand(len(rows), -1).float(),
        )
        if not guided:
            return predicted
        negative, positive = predicted.chunk(2)
        return negative + self.wish.guidance * (positive - negative)

    def _stepped(
        self, scheduler: DDPMScheduler, predicted: Tensor, timestep: Tensor, latents: Tensor
    ) -> Tensor:
        before = self.make.get_state()
        stepped: Tensor = scheduler.step(
            predicted, timestep, latents, generator=self.make
        ).prev_sample
        self.make.set_state(before)
        self._draw("ddpm_step")
        return stepped
