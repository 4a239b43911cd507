"""What a try-on is conditioned on besides pixels: words, the garment's picture, the size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from handlers.diffusion.loading import Foundation, Networks

PROMPT: Final = "model is wearing "
GARMENT_PROMPT: Final = "a photo of "
NEGATIVE_PROMPT: Final = "monochrome, lowres, bad anatomy, worst quality, low quality"
_COLOURS: Final = 3


@dataclass(frozen=True, slots=True)
class Text:
    """Encoded words.

    hidden: (rows, 77, width of both encoders), pooled: (rows, width of the second's projection).
    """

    hidden: Tensor
    pooled: Tensor


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a garment: what it is, and what a person who has it on wears."""

    shown: Text
    worn: Text

    @property
    def nbytes(self) -> int:
        """What the tensors occupy, in bytes."""
        return sum(one.hidden.nbytes + one.pooled.nbytes for one in (self.shown, self.worn))


@dataclass(frozen=True, slots=True)
class Blank:
    """What the unconditional half is told: the negative prompt, and tokens of an all-zero picture.

    The same for every request: one row, or as many as are wished.
    """

    negative: Text
    tokens: Tensor


def encode_words(networks: Networks, prompts: Sequence[tuple[str, str]]) -> Words:
    """Encode per row what the person wears, and what the garment is."""
    worn, shown = zip(*prompts, strict=True)
    with networks.visits.of(*networks.text_encoders):
        return Words(encode_text(networks, shown), encode_text(networks, worn))


def blank(networks: Networks, rows: int = 1) -> Blank:
    """Encode what the unconditional half is told."""
    size_px = networks.image_encoder.config.image_size
    with networks.visits.of(networks.image_encoder):
        unseen = encode_picture(networks, torch.zeros(1, _COLOURS, size_px, size_px))
    negative = encode_text(networks, [NEGATIVE_PROMPT])
    return Blank(
        Text(negative.hidden.expand(rows, -1, -1), negative.pooled.expand(rows, -1)),
        image_tokens(networks, unseen).expand(rows, -1, -1),
    )


def encode_text(networks: Foundation, texts: Sequence[str]) -> Text:
    """Encode as SDXL does: the layer before the last of both encoders, side by side."""
    ids = [token_ids(networks, index, texts) for index in range(2)]
    with networks.visits.of(*networks.text_encoders):
        told = [
            encoder(tokens.to(networks.device), output_hidden_states=True)
            for encoder, tokens in zip(networks.text_encoders, ids, strict=True)
        ]
    hidden = torch.cat([one.hidden_states[-2] for one in told], dim=-1)
    return Text(hidden, told[1].text_embeds)


def token_ids(networks: Foundation, index: int, texts: Sequence[str]) -> Tensor:
    """Give the ids of `texts`, (rows, 77) int64, by the first (0) or second (1) tokenizer."""
    tokenizer = networks.tokenizers[index]
    found = tokenizer(
        list(texts),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    ids: Tensor = found.input_ids
    return ids


def clip_pixels(networks: Networks, pictures: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Bring (H, W, 3) uint8 RGB pictures to what the image encoder reads, (rows, 3, 224, 224)."""
    images = [Image.fromarray(picture) for picture in pictures]
    pixels: Tensor = networks.image_processor(images=images, return_tensors="pt").pixel_values
    return pixels


def encode_picture(networks: Networks, pixels: Tensor) -> Tensor:
    """Give the layer before the last of the image encoder, (rows, tokens, width).

    The unconditional picture is all zero pixels, not zero tokens.
    """
    given = pixels.to(networks.device, networks.dtype)
    with networks.visits.of(networks.image_encoder):
        hidden: Tensor = networks.image_encoder(given, output_hidden_states=True).hidden_states[-2]
    return hidden


def image_tokens(networks: Networks, hidden: Tensor) -> Tensor:
    """Give the tokens of a picture that stand beside the text's, (rows, queries, text width)."""
    resampler = networks.tryon.encoder_hid_proj
    with networks.visits.of(resampler):
        tokens: Tensor = resampler(hidden)
    return tokens


def time_ids(networks: Foundation, height_px: int, width_px: int, rows: int) -> Tensor:
    """Give SDXL's size conditioning, (rows, 6): original size, crop corner, target size."""
    ids = [height_px, width_px, 0, 0, height_px, width_px]
    return torch.tensor([ids] * rows, dtype=networks.dtype, device=networks.device)


def prompts(description: str) -> tuple[str, str]:
    """Give what the person wears and what the garment is, in the words of the training."""
    return PROMPT + description, GARMENT_PROMPT + description
