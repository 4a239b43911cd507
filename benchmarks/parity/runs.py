"""Goldens of whole runs: pictures and words in, every stage and the picture out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.parity.report import Compared, largest, relative_l2
from handlers.diffusion import conditioning, denoising, latents, mixing
from handlers.diffusion.denoising import GarmentView, PersonView, Plan, Purpose, Run, Step
from handlers.diffusion.loading import Networks
from handlers.vision import planes

_LATENTS: Final = 1e-4
_ENCODED: Final = 2e-4
_LEVELS: Final = 1.0
_DRAW: Final = "draw."
Tensors = Mapping[str, Tensor]


class RecordedNoise:
    """Implements the denoiser's Noise with draws that were recorded, in their order."""

    def __init__(self, golden: Tensors) -> None:
        self._left = [golden[key] for key in sorted(golden) if key.startswith(_DRAW)]

    def draw(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        """Give the next draw; of one that was drawn row by row, as many as fill the shape."""
        rows: list[Tensor] = []
        while sum(map(len, rows)) < shape[0]:
            if not self._left:
                raise ValueError(f"no draw was recorded for {purpose}")
            rows.append(self._left.pop(0))
        return torch.cat(rows)


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded run: what is told of it, what came out, and the pictures that went in."""

    name: str
    told: Mapping[str, Any]
    golden: Tensors
    given: Tensors

    def pictures(self, kind: str) -> list[NDArray[np.uint8]]:
        """Give a kind of input, one array per row of the batch."""
        keys = (f"in.{row}.{kind}_uint8" for row in range(self.told["batch"]))
        return [self.given[key].numpy() for key in keys]

    def prompts(self) -> list[tuple[str, str]]:
        """Say per row what the person wears and what the garment is."""
        worn, shown = self.told["prompt_prefix"], self.told["cloth_prefix"]
        return [(worn + words, shown + words) for words in self.told["descriptions"]]

    def person(self, nets: Networks) -> PersonView:
        """See the people."""
        size = (self.told["width"], self.told["height"])
        image = np.stack([planes.image_planes(one, *size) for one in self.pictures("person")])
        mask = np.stack([planes.mask_plane(one, *size) for one in self.pictures("mask")])
        pose = np.stack([planes.image_planes(one, *size) for one in self.pictures("pose")])
        return denoising.look_at_person(nets, image, mask, pose, whole=True)

    def garment(self, nets: Networks) -> GarmentView:
        """See the garments."""
        size, pictures = (self.told["width"], self.told["height"]), self.pictures("garment")
        image = np.stack([planes.image_planes(one, *size) for one in pictures])
        seen = conditioning.clip_pixels(nets, pictures)
        words = conditioning.encode_words(nets, self.prompts())
        blank = conditioning.blank(nets, len(pictures))
        return denoising.look_at_garment(nets, image, seen, words, blank)

    def plan(self) -> Plan:
        """Give the options it was recorded with."""
        return Plan(
            rows=self.told["batch"],
            height_px=self.told["height"],
            width_px=self.told["width"],
            steps=self.told["num_inference_steps"],
            guidance_scale=self.told["guidance_scale"],
            strength=self.told.get("strength", 1.0),
            sampler=self.told.get("scheduler", "ddpm"),
            garment_latents="sample",
        )


def cases(folder: Path) -> Iterator[Case]:
    """Yield the recorded runs of an `e2e` folder; one without pictures takes a sibling's."""
    told = {file: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}
    golden = {file: load_file(file.with_suffix(".safetensors")) for file in told}
    for file, one in told.items():
        alike = [other for other in told if _inputs(told[other]) == _inputs(one)]
        owners = [other for other in (file, *alike) if "in.0.person_uint8" in golden[other]]
        if owners:
            yield Case(file.stem, one, golden[file], golden[owners[0]])


def compare(folder: Path, nets: Networks, tolerance: float) -> Iterator[Compared]:
    """Yield the difference to every golden of an `e2e` folder (see its FORMAT.md).

    `tolerance` is that of a single network's forward.
    """
    for case in cases(folder):
        config = case.told.get("scheduler_config", nets.scheduler)
        yield from _compared(case, replace(nets, scheduler=config), tolerance)


def _compared(case: Case, nets: Networks, tolerance: float) -> Iterator[Compared]:
    garment, noise = case.garment(nets), RecordedNoise(case.golden)
    run = denoising.prepare(nets, case.person(nets), garment, case.plan(), noise)
    steps: list[Step] = []
    decoded = latents.decode(nets, mixing.denoise(nets, run, noise, steps.append))
    rgb = latents.to_rgb(decoded)
    sides = [garment.no_tokens, garment.tokens] if run.plan.guided else [garment.tokens]
    conditions = {"ip_tokens": torch.cat(sides)} | _pictures(
        nets, conditioning.clip_pixels(nets, case.pictures("garment"))
    )
    for key, ours in (_words(nets, case, garment) | conditions).items():
        yield from _one(case, key, ours, tolerance)
    scaled = steps[-1].latents / nets.vae.config.scaling_factor
    painted = _painting(run, steps) | {
        "decoder_input": (scaled, _LATENTS),
        "decoder_output": (decoded, _LATENTS),
    }
    for key, (ours, allowed) in painted.items():
        yield from _one(case, key, ours, allowed)
    if "output_uint8" in case.golden:
        name = f"e2e/{case.name}/output_uint8"
        apart = largest(name, rgb, case.golden["output_uint8"], _LEVELS)
        yield replace(apart, measure="levels")


def _one(case: Case, key: str, ours: Tensor, tolerance: float) -> Iterator[Compared]:
    if key in case.golden:
        theirs = case.golden[key]
        # What is the same for every row was sometimes recorded once.
        ours = ours[: len(theirs)] if ours.shape[1:] == theirs.shape[1:] else ours
        yield relative_l2(f"e2e/{case.name}/{key}", ours, theirs, tolerance)


def _words(nets: Networks, case: Case, garment: GarmentView) -> dict[str, Tensor]:
    worn, shown = zip(*case.prompts(), strict=True)
    texts = {"prompt": worn, "cloth": shown, "negative": (case.told["negative_prompt"],)}
    ids = {
        f"ids.{name}.{kind}": conditioning.token_ids(nets, index, texts[kind])
        for index, name in enumerate(("tokenizer", "tokenizer_2"))
        for kind in texts
    }
    return ids | {
        "prompt_embeds": garment.prompt.hidden,
        "negative_prompt_embeds": garment.negative.hidden,
        "pooled_prompt_embeds": garment.prompt.pooled,
        "negative_pooled_prompt_embeds": garment.negative.pooled,
        "garment_text": garment.text.hidden,
    }


def _pictures(nets: Networks, clip_pixels: Tensor) -> dict[str, Tensor]:
    seen = conditioning.encode_picture(nets, clip_pixels)
    unseen = conditioning.encode_picture(nets, torch.zeros_like(clip_pixels))
    return {
        "clip_pixel_values_stride4": clip_pixels[:, :, ::4, ::4],
        "clip_hidden_cond": seen,
        "clip_hidden_uncond": unseen,
    }


def _painting(run: Run, steps: Sequence[Step]) -> dict[str, tuple[Tensor, float]]:
    features = {
        f"garment_features.step0.{index:03d}": (feature, _ENCODED)
        for index, feature in enumerate(steps[0].garment)
    }
    return {
        "timesteps": (run.schedule.timesteps, 0.0),
        "text_embeds": (run.text_embeds, _LATENTS),
        "time_ids": (run.time_ids, 0.0),
        "garment_latents": (run.garment_latents, _ENCODED),
        "unet_input_step0": (steps[0].sample, _ENCODED),
        **features,
        "noise_pred": (torch.stack([step.predicted for step in steps]), _LATENTS),
        "latents_after_step": (torch.stack([step.latents for step in steps]), _LATENTS),
    }


def _inputs(told: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple(str(told.get(key)) for key in ("input_seeds", "height", "width", "batch"))
