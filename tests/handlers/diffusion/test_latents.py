"""What is shown of latents before they are painted."""

import numpy as np
import torch

from handlers.diffusion import latents


def test_a_preview_has_a_pixel_per_cell() -> None:
    shown = latents.preview_rgb(torch.randn(2, 4, 16, 12))
    assert shown.shape == (2, 16, 12, 3)
    assert shown.dtype == np.uint8


def test_rows_are_shown_by_themselves() -> None:
    rows = torch.randn(3, 4, 8, 8)
    assert np.array_equal(latents.preview_rgb(rows)[1], latents.preview_rgb(rows[1:2])[0])


def test_brightness_is_the_first_channel() -> None:
    """The factors that were published for SDXL: 0 is grey, more of the first channel is lighter."""
    dark, grey, light = (
        latents.preview_rgb(torch.tensor([level, 0.0, 0.0, 0.0]).reshape(1, 4, 1, 1))
        for level in (-1.0, 0.0, 1.0)
    )
    assert grey.ravel().tolist() == [141, 125, 127]
    assert (dark < grey).all() and (grey < light).all()  # noqa: PT018  both are one claim


def test_what_is_no_number_is_shown_all_the_same() -> None:
    assert latents.preview_rgb(torch.full((1, 4, 2, 2), torch.nan)).shape == (1, 2, 2, 3)
