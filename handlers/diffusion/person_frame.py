"""A person in the frame that is painted: the photo, where to repaint it, how the body stands."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self, cast

import numpy as np
from numpy.typing import NDArray

from handlers.errors import BadParameters, Unfit
from handlers.understanding.contract import Understanding
from handlers.vision import crop, densepose_picture
from handlers.vision.agnostic import Category, agnostic_mask
from handlers.vision.frame import Frame

_WHITE: Final = 255
_HALF: Final = 128


@dataclass(frozen=True, slots=True)
class Given:
    """What the caller brought: a mask (h, w) bool and a DensePose picture (h, w, 3), or None.

    Both are pictures of the whole photo, of any size.
    """

    mask: NDArray[np.bool_] | None
    densepose: NDArray[np.uint8] | None


@dataclass(frozen=True, slots=True)
class PersonFrame:
    """What is painted from.

    picture, densepose: (H, W, 3) uint8 of the painted frame; mask: (H, W) uint8, white = repaint;
    free: (h, w) bool, the photo's pixels that may change. `understood` is what was found out about
    the person, None where nothing had to be.
    """

    frame: Frame
    picture: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    densepose: NDArray[np.uint8]
    free: NDArray[np.bool_]
    understood: Understanding | None

    @classmethod
    def of(
        cls,
        frame: Frame,
        given: Given,
        understood: Understanding | None,
        category: str,
        arm_width_px: int,
    ) -> Self:
        """Take what was given, and make the rest from what was understood of the frame's box.

        Raises BadParameters for a mask that is black where the frame is, Unfit where nothing of the
        person is to repaint, ValueError where something is neither given nor understood.
        """
        mask = _mask(frame, given.mask, understood, category, arm_width_px)
        pose = _densepose(frame, given.densepose, understood)
        return cls(
            frame, frame.view(frame.photo), mask, pose, _free(frame, given, mask), understood
        )

    def result(self, painted: NDArray[np.uint8], *, keep_unmasked: bool) -> NDArray[np.uint8]:
        """Put a painted frame (H, W, 3) back into the photo.

        keep_unmasked: pixels that were not to be repainted are the photo's own, exactly.
        """
        pasted = self.frame.paste(painted)
        return np.where(self.free[..., None], pasted, self.frame.photo) if keep_unmasked else pasted

    def told(self) -> Mapping[str, Any]:
        """What a caller may want to know of it, JSON-ready."""
        understood = self.understood
        return {
            "mask_share": round(float(np.mean(self.mask >= _HALF)), 4),
            "warnings": [asdict(one) for one in understood.warnings] if understood else [],
            "models": [asdict(one) for one in understood.models] if understood else [],
        }


def _mask(
    frame: Frame,
    given: NDArray[np.bool_] | None,
    understood: Understanding | None,
    category: str,
    arm_width_px: int,
) -> NDArray[np.uint8]:
    if given is not None:
        mask = frame.view(_white(given))
        if mask.max() < _HALF:
            fault = {"mask": "must be white somewhere in the part of the photo that is painted"}
            raise BadParameters("The parameters are not valid.", {"fields": fault})
        return mask
    if understood is None:
        raise ValueError("a mask is neither given nor understood")
    kind = cast("Category", category)
    found = agnostic_mask(understood.parse_map, understood.keypoints, kind, arm_width_px)
    if not found.any():
        raise Unfit(
            "person_image cannot be used: nothing that such a garment covers was found in it",
            {"image": "person_image", "reason": "nothing_to_repaint"},
        )
    return crop.resized(_white(found), frame.width_px, frame.height_px)


def _densepose(
    frame: Frame, given: NDArray[np.uint8] | None, understood: Understanding | None
) -> NDArray[np.uint8]:
    if given is not None:
        return frame.view(given)
    if understood is None:
        raise ValueError("a DensePose picture is neither given nor understood")
    picture = densepose_picture.render(understood.densepose_parts)
    return crop.resized(picture, frame.width_px, frame.height_px)


def _free(frame: Frame, given: Given, mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The photo's pixels that may change: of the box those the mask says, finely where given."""
    height_px, width_px = frame.photo.shape[:2]
    ground = np.zeros((height_px, width_px), np.uint8)
    free = crop.paste_back(ground, mask, frame.box) >= _HALF
    if given.mask is not None:
        finely = crop.resized_labels(_white(given.mask), width_px, height_px) >= _HALF
        inside = crop.paste_back(ground, np.full_like(mask, _WHITE), frame.box) >= _HALF
        free = finely & inside
    return free


def _white(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return mask.astype(np.uint8) * np.uint8(_WHITE)
