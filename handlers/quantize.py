"""What INT8 may change in a model, how that is measured, and what follows when it is too much.

Networks are observed before and after: the noise they predict over the whole range of time steps,
and a picture from the same seed. Random weights quantise well, real ones hold outliers, so a model
is judged by its own weights each time it is loaded for the first time.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

N = TypeVar("N")
TIMESTEPS: Final = (1, 250, 500, 750, 999)


@dataclass(frozen=True, slots=True)
class Limits:
    """How far quantised networks may stray.

    step_error: share of the predicted noise's norm; picture_error: mean of grey levels in [0, 1];
    psnr_db: at least, between the pictures of one seed.
    """

    step_error: float
    picture_error: float
    psnr_db: float


@dataclass(frozen=True, slots=True)
class Observed:
    """What networks do: noise predicted at each of TIMESTEPS, and a picture in [0, 1]."""

    noise: Sequence[NDArray[np.float32]]
    picture: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far quantised networks strayed, in the units of Limits; the worst time step is named."""

    step_error: float
    worst_timestep: int
    picture_error: float
    psnr_db: float

    def faults(self, limits: Limits) -> list[str]:
        """Say what is over its limit; a number that is none is over every limit."""
        step = f"{self.step_error:.4f} of the noise at time step {self.worst_timestep}"
        found = {
            f"{step} (limit {limits.step_error})": self.step_error < limits.step_error,
            f"{self.picture_error:.4f} of the picture's range (limit {limits.picture_error})": (
                self.picture_error < limits.picture_error
            ),
            f"{self.psnr_db:.1f} dB (at least {limits.psnr_db})": self.psnr_db > limits.psnr_db,
        }
        return [fault for fault, good in found.items() if not good]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a model runs in INT8; deviation: None where none was measured."""

    int8: bool
    deviation: Deviation | None = None


def deviation(full: Observed, quantised: Observed) -> Deviation:
    """Measure property 22: the worst relative L2 error of a step, and what is left in a picture."""
    errors = [
        _relative(ours, exact) for ours, exact in zip(quantised.noise, full.noise, strict=True)
    ]
    worst = int(np.argmax(errors))  # the first that is not a number, where there is one
    difference = quantised.picture.astype(np.float64) - full.picture
    power = float(np.mean(difference**2))
    return Deviation(
        step_error=errors[worst],
        worst_timestep=TIMESTEPS[worst],
        picture_error=float(np.abs(difference).mean()),
        psnr_db=math.inf if power == 0 else -10 * math.log10(power),
    )


def quantise_or_keep(
    load: Callable[[], N],
    quantise: Callable[[N], None],
    observe: Callable[[N], Observed],
    limits: Limits,
) -> tuple[N, Verdict]:
    """Load a model and quantise it in place; over a limit, load it anew and leave it whole.

    The numbers and the limits stand in one line of the log, either way.
    """
    model = load()
    before = observe(model)
    quantise(model)
    found = deviation(before, observe(model))
    faults = found.faults(limits)
    if not faults:
        logger.info(
            "INT8 verified: worst step %.4f (limit %s), %.1f dB",
            found.step_error,
            limits.step_error,
            found.psnr_db,
        )
        return model, Verdict(int8=True, deviation=found)
    logger.warning("INT8 changes %s: full precision instead", ", ".join(faults))
    del model  # before the next one comes
    return load(), Verdict(int8=False, deviation=found)


def _relative(ours: NDArray[np.float32], exact: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(ours - exact) / np.linalg.norm(exact))
