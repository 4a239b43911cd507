"""A repository's networks in memory: every weight named in its file, or none of it.

Whatever is missing, surplus, wrongly shaped or truncated raises BadCheckpoint with file and key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor
from transformers import (
    CLIPImageProcessorPil,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
    PreTrainedModel,
)
from transformers.utils.logging import disable_progress_bar

from handlers.diffusion import networks
from handlers.diffusion.replays import Replays
from handlers.diffusion.repository import BadCheckpoint, Network, Part, Repository
from handlers.diffusion.resampler import Sizes
from handlers.diffusion.visits import Visits
from handlers.diffusion.weights import load_into

_Encoder = TypeVar("_Encoder", bound=PreTrainedModel)

# Autoencoders that were saved before diffusers renamed its attention.
_OLD_ATTENTION: Final = {
    ".query.": ".to_q.",
    ".key.": ".to_k.",
    ".value.": ".to_v.",
    ".proj_attn.": ".to_out.0.",
}


@dataclass(frozen=True, slots=True)
class Foundation:
    """What every model of SDXL's family stands on, ready to run on `device`.

    Denoisers and encoders are in `dtype`; the autoencoder stays in float32, which SDXL's needs.
    `visits` knows which of them live elsewhere, and come to work.
    """

    vae: AutoencoderKL
    tokenizers: tuple[CLIPTokenizer, CLIPTokenizer]
    text_encoders: tuple[CLIPTextModel, CLIPTextModelWithProjection]
    scheduler: Mapping[str, Any]
    device: torch.device
    dtype: torch.dtype
    visits: Visits = field(default_factory=Visits, kw_only=True)

    @property
    def factor(self) -> int:
        """Pixels along a side of one latent."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))


@dataclass(frozen=True, slots=True)
class Networks(Foundation):
    """All of IDM-VTON; `replays` are recorded passes of the try-on network, where wished."""

    tryon: UNet2DConditionModel
    garment: UNet2DConditionModel
    image_encoder: CLIPVisionModelWithProjection
    image_processor: CLIPImageProcessorPil
    replays: Replays | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class SdxlNetworks(Foundation):
    """All of SDXL."""

    unet: UNet2DConditionModel

    @property
    def grain_px(self) -> int:
        """What the sides of a picture are multiples of, in pixels."""
        return int(self.factor * 2 ** (len(self.unet.config.block_out_channels) - 1))


def load(repository: Repository, device: torch.device, dtype: torch.dtype) -> Networks:
    """Load IDM-VTON; raises BadCheckpoint, and then nothing is loaded."""
    place = _Place(repository, device, dtype)
    return Networks(
        tryon=place.tryon(),
        garment=place.garment(),
        image_encoder=place.encoder(CLIPVisionModelWithProjection, "image_encoder"),
        image_processor=CLIPImageProcessorPil(),
        **place.foundation(),
    )


def load_sdxl(repository: Repository, device: torch.device, dtype: torch.dtype) -> SdxlNetworks:
    """Load SDXL; raises BadCheckpoint, and then nothing is loaded."""
    place = _Place(repository, device, dtype)
    predicts = repository.config("scheduler").get("prediction_type", "epsilon")
    if predicts != "epsilon":
        file = repository.folder("scheduler") / "scheduler_config.json"
        raise BadCheckpoint(f"{file}: prediction_type is {predicts}, expected epsilon")
    return SdxlNetworks(unet=place.sdxl(), **place.foundation())


def encoder(
    kind: type[_Encoder],
    config: Mapping[str, Any],
    state: Mapping[str, Tensor],
    file: Path,
    dtype: torch.dtype,
) -> _Encoder:
    """Build one of transformers' encoders of `state`, which is `file`'s; raises BadCheckpoint."""
    disable_progress_bar()  # a worker's log is for lines
    model, found = kind.from_pretrained(
        None,
        config=kind.config_class(**config),
        state_dict=dict(state),
        dtype=dtype,
        output_loading_info=True,
    )
    for what in ("missing", "unexpected", "mismatched"):
        if keys := sorted(map(str, found[f"{what}_keys"])):
            raise BadCheckpoint(f"{file}: {what} key {keys[0]} (of {len(keys)})")
    return _still(model)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where weights come from and where they go."""

    repository: Repository
    device: torch.device
    dtype: torch.dtype

    def foundation(self) -> dict[str, Any]:
        return {
            "vae": self.vae(),
            "tokenizers": (self.tokenizer("tokenizer"), self.tokenizer("tokenizer_2")),
            "text_encoders": (
                self.encoder(CLIPTextModel, "text_encoder"),
                self.encoder(CLIPTextModelWithProjection, "text_encoder_2"),
            ),
            "scheduler": self.repository.config("scheduler"),
            "device": self.device,
            "dtype": self.dtype,
        }

    def sdxl(self) -> UNet2DConditionModel:
        unet = self._built("unet", networks.sdxl_unet)
        file = self.repository.weight_file("unet")
        return self._filled(unet, self.repository.weights("unet"), file, self.dtype)

    def tryon(self) -> UNet2DConditionModel:
        file, state = self.repository.weight_file("unet"), self.repository.weights("unet")
        try:
            sizes = Sizes.of(state, f"{networks.RESAMPLER}.")
        except (KeyError, ValueError) as fault:
            raise BadCheckpoint(f"{file}: lacks {fault.args[0]}") from fault
        unet = self._built("unet", lambda config: networks.tryon_unet(config, sizes))
        return self._filled(unet, state, file, self.dtype)

    def garment(self) -> UNet2DConditionModel:
        unet = self._built("unet_encoder", networks.garment_unet)
        surplus = networks.unused_keys(self.repository.config("unet_encoder"), unet)
        state = self.repository.weights("unet_encoder")
        file = self.repository.weight_file("unet_encoder")
        return self._filled(unet, state, file, self.dtype, surplus)

    def vae(self) -> AutoencoderKL:
        vae = self._built("vae", AutoencoderKL.from_config)
        state = {_renamed(key): value for key, value in self.repository.weights("vae").items()}
        file = self.repository.weight_file("vae")
        return self._filled(vae, state, file, torch.float32)

    def encoder(self, kind: type[_Encoder], part: Network) -> _Encoder:
        file, config = self.repository.weight_file(part), self.repository.config(part)
        state = self.repository.weights(part)
        return encoder(kind, config, state, file, self.dtype).to(self.device)

    def tokenizer(self, part: Part) -> CLIPTokenizer:
        folder = self.repository.folder(part)
        try:
            return CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise BadCheckpoint(f"{folder}: no tokenizer ({fault})") from fault

    def _built(self, part: Network, build: Callable[[Mapping[str, Any]], Any]) -> Any:  # noqa: ANN401
        """Lay a network out without memory, as its configuration says."""
        config = self.repository.config(part)
        try:
            with torch.device("meta"):
                return build(config)
        except (KeyError, TypeError, ValueError, RuntimeError) as fault:
            file = self.repository.folder(part) / "config.json"
            raise BadCheckpoint(f"{file}: describes no such network ({fault})") from fault

    def _filled(
        self,
        module: Any,  # noqa: ANN401  diffusers and transformers are loosely typed
        state: Mapping[str, Tensor],
        file: Path,
        dtype: torch.dtype,
        surplus: tuple[str, ...] = (),
    ) -> Any:  # noqa: ANN401
        load_into(module, state, file, ignore=surplus, dtype=dtype, device=self.device)
        return _still(module)


def _still(module: Any) -> Any:  # noqa: ANN401  diffusers and transformers are loosely typed
    return module.eval().requires_grad_(requires_grad=False)


def _renamed(key: str) -> str:
    for old, new in _OLD_ATTENTION.items():
        key = key.replace(old, new)
    return key
