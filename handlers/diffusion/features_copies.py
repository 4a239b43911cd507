"""Features between a device's memory and the host's."""

from typing import Any

import torch

from handlers.diffusion.attention import GarmentFeatures
from handlers.diffusion.visits import HOME


def nbytes(features: GarmentFeatures) -> int:
    """Count what features occupy."""
    return sum(layer.nbytes for layer in features)


def are_sound(features: GarmentFeatures) -> bool:
    """Whether they are numbers: what spoils one layer spoils all that come after it."""
    return not features or bool(torch.isfinite(features[-1]).all())


class Copies:
    """Copies to and from `device`; without an accelerator there is nothing to copy."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._side: Any = None

    def mark(self) -> Any:  # noqa: ANN401  torch's event, which is not typed
        """Mark that what was asked of the device until now is to be done before a copy."""
        if self._device.type != "cuda":
            return None
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        return event

    def near(self, features: GarmentFeatures) -> GarmentFeatures:
        """Give them on the device; from page-locked memory, nobody waits for the copy."""
        if features[0].device == self._device:
            return features
        return tuple(layer.to(self._device, non_blocking=True) for layer in features)

    def locked(self, features: GarmentFeatures) -> GarmentFeatures:
        """Give what lies on the host in page-locked memory, where that helps a copy."""
        if self._device.type != "cuda":
            return features
        return tuple(layer.pin_memory() for layer in features)

    def home(self, features: GarmentFeatures, made: Any = None) -> GarmentFeatures:  # noqa: ANN401
        """Give them in the host's memory, page-locked, by a stream of their own."""
        if features[0].device == HOME:
            return features
        if features[0].device.type != "cuda":
            return tuple(layer.to(HOME) for layer in features)
        device = features[0].device
        made = made or self.mark()
        if self._side is None:
            self._side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        with torch.cuda.stream(self._side):
            if made is not None:
                self._side.wait_event(made)
            else:
                self._side.wait_stream(torch.cuda.default_stream(device))
            copies = tuple(_copied(layer) for layer in features)
            for layer in features:
                layer.record_stream(self._side)
        self._side.synchronize()
        return copies


def _copied(layer: torch.Tensor) -> torch.Tensor:
    locked = torch.empty(layer.shape, dtype=layer.dtype, pin_memory=True)
    return locked.copy_(layer, non_blocking=True)
