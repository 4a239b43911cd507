"""A short try-on of shipped pictures, the same each time: what INT8 is held against."""

from dataclasses import replace
from importlib import resources
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handlers import samples
from handlers.diffusion import (
    conditioning,
    denoising,
    garment_pass,
    latents,
    mixing,
    networks,
    sampling,
)
from handlers.diffusion.attention import GarmentFeatures, Reference
from handlers.diffusion.denoising import GarmentView, PersonView, Plan, Run
from handlers.diffusion.features_store import FeatureStore
from handlers.diffusion.loading import Networks
from handlers.diffusion.noise import SeededNoise
from handlers.quantize import TIMESTEPS, Observed
from handlers.vision import planes

_SEED: Final = 1
STEPS: Final = 8
_GUIDANCE: Final = 2.0
_GRAIN_PX: Final = 64


@torch.inference_mode()
def observe(nets: Networks, width_px: int, height_px: int) -> Observed:
    """Run the networks on a person and a garment at half the size that is painted.

    A quarter of the pixels, so that full precision fits where only INT8 will stay.
    """
    width_px, height_px = _halved(width_px), _halved(height_px)
    plan = Plan(1, height_px, width_px, STEPS, _GUIDANCE, strength=1.0)
    person, garment = subject(nets, plan)
    noise = SeededNoise([_SEED])
    run = denoising.prepare(nets, person, garment, plan, noise)
    painted = mixing.denoise(nets, run, noise, lambda _step: None)
    picture = latents.to_rgb(latents.decode(nets, painted)).astype(np.float32) / 255

    clean = person.masked.mean * person.masked.scale
    timesteps = torch.tensor(TIMESTEPS, device=nets.device)
    predicted: list[NDArray[np.float32]] = []
    looks = [replace(run.look(0), timestep=one) for one in timesteps]
    with garment_pass.at_work(nets, looks, FeatureStore()) as features:
        for index, timestep in enumerate(timesteps):
            noisy = sampling.add_noise(run.schedule, clean, run.start, timestep)
            told = _predicted(nets, run, noisy, timestep, features(index))
            predicted.append(told.cpu().numpy())
    return Observed(predicted, picture)


def subject(nets: Networks, plan: Plan) -> tuple[PersonView, GarmentView]:
    """See the shipped person and garment at the size of `plan`."""
    return _person(nets, plan), _garment(nets, plan)


def _predicted(
    nets: Networks, run: Run, now: Tensor, timestep: Tensor, features: GarmentFeatures
) -> Tensor:
    """Run the try-on network once: both halves, where there are two."""
    sample = torch.cat([now, run.fixed], dim=1)
    if run.plan.guided:
        sample = torch.cat([sample, sample])
    predicted = networks.predict_noise(
        nets.tryon,
        sample.to(nets.dtype),
        timestep,
        Reference(features, run.prompt),
        run.text_embeds,
        run.time_ids,
    )
    return predicted.float()


def _person(nets: Networks, plan: Plan) -> PersonView:
    image = _shipped("person.jpg", plan)
    mask = np.zeros((1, 1, plan.height_px, plan.width_px), np.float32)
    mask[
        ..., plan.height_px // 4 : -plan.height_px // 4, plan.width_px // 4 : -plan.width_px // 4
    ] = 1
    nobody = np.full_like(image, -1)
    return denoising.look_at_person(nets, image, mask, nobody, whole=False)


def _garment(nets: Networks, plan: Plan) -> GarmentView:
    seen = conditioning.clip_pixels(nets, [_rgb("garment.jpg", plan)])
    words = conditioning.encode_words(nets, [conditioning.prompts("shirt")])
    image, blank = _shipped("garment.jpg", plan), conditioning.blank(nets)
    return denoising.look_at_garment(nets, image, seen, words, blank)


def _shipped(name: str, plan: Plan) -> planes.Planes:
    """Give a shipped picture as planes (1, 3, H, W) in [-1, 1]."""
    return planes.image_planes(_rgb(name, plan), plan.width_px, plan.height_px)[None]


def _rgb(name: str, plan: Plan) -> NDArray[np.uint8]:
    encoded = np.frombuffer(resources.files(samples).joinpath(name).read_bytes(), np.uint8)
    bgr = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    size = (plan.width_px, plan.height_px)
    return np.asarray(cv2.resize(bgr[..., ::-1], size, interpolation=cv2.INTER_AREA), np.uint8)


def _halved(side_px: int) -> int:
    return max(side_px // 2 // _GRAIN_PX, 1) * _GRAIN_PX
