"""Lays one picture over another without a third."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def lay_over(
    under: NDArray[np.float32], over: NDArray[np.float32], alpha: NDArray[np.float32]
) -> None:
    """Blends in place: `under` becomes the result, `over` is used up.

    under, over: (H, W, 3) float32; alpha: (H, W) float32, 0..1, 1 = over.
    """
    over -= under
    over *= alpha[..., None]
    under += over
