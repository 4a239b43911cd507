"""Presets and approximate options against the exact run of the same seed.

    python -m benchmarks.approximations [--quick] [--json FILE] [--model FOLDER] [--device cuda]

Operations are counted over all steps of one picture, the garment seen anew; time is the least that
the steps took; PSNR and SSIM are between the decoded pictures. A sampler that draws noise at every
step leads elsewhere than one that does not, so a preset's picture differs from the exact one in
more than its quality; the second pair of columns holds each way against 50 steps of its own
sampler, which is what fewer steps and the options are meant to keep.

Without --model the tiny network of the records runs, whose weights are random: its numbers show
what an option saves and that it does something, and say little of what an eye would see.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.gpu import clock
from handlers.diffusion import denoising, latents, mixing, trial
from handlers.diffusion.denoising import GarmentView, PersonView, Plan
from handlers.diffusion.loading import Networks, load
from handlers.diffusion.noise import SeededNoise
from handlers.diffusion.repository import Repository
from handlers.models import read_offer

_TINY: Final = report.ROOT / "tests" / "fixtures" / "idm_vton" / "tiny-idm-vton"
_CONFIG: Final = report.ROOT / "config" / "idm_vton.yaml"
_SEED: Final = 1
_MANY_STEPS: Final = 50
_TINY_SIZE_PX: Final = (96, 128)
_SIZE_PX: Final = (768, 1024)
_COLUMNS: Final = (
    "way", "steps", "TFLOP", "fewer", "s", "faster",
    "PSNR dB", "SSIM", "PSNR own", "SSIM own",
)  # fmt: skip

Rgb = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Measured:
    """One way to paint a picture; `own_`: against many exact steps of its own sampler."""

    name: str
    sampler: str
    steps: int
    tflop: float
    seconds: float
    psnr_db: float
    ssim: float
    own_psnr_db: float
    own_ssim: float


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, store the numbers; 0."""
    parser = report.arguments(__doc__)
    parser.add_argument("--model", type=Path, help="a repository with real weights")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--rounds", type=int, default=3, help="how often a run is timed")
    options = parser.parse_args(argv)
    device, rounds = torch.device(options.device), 1 if options.quick else options.rounds
    dtype = torch.float32 if device.type == "cpu" else torch.float16
    nets = load(Repository.open(options.model or _TINY), device, dtype)
    width_px, height_px = _SIZE_PX if options.model else _TINY_SIZE_PX
    with torch.inference_mode():
        painter = Painter(nets, Plan(1, height_px, width_px, 30, 2.0, strength=1.0))
        rows = list(measured(painter, ways(painter.plan), rounds))
    machine = report.provenance()
    weights = "real weights" if options.model else "tiny random weights"
    print(f"IDM-VTON, {weights}, {width_px}x{height_px}, guidance 2, {dtype} on {device}")
    print(f"{machine}\n\n{report.table(_COLUMNS, [_cells(one, rows[0]) for one in rows])}")
    if options.json:
        stored = [{name: _stored(value) for name, value in asdict(one).items()} for one in rows]
        report.write_json(options.json, machine, {"weights": weights, "rows": stored})
    return 0


def ways(exact: Plan) -> Mapping[str, Plan]:
    """Give the exact way first, then the shipped presets, then each option by itself."""
    presets = read_offer(yaml.safe_load(_CONFIG.read_text())).named()
    own = {
        f"preset {name}": replace(
            exact,
            sampler=one.sampler,
            steps=one.steps,
            guidance_from=one.guidance_from,
            guidance_until=one.guidance_until,
            step_cache=one.step_cache,
        )
        for name, one in presets.items()
    }
    return {
        "exact": exact,
        **own,
        "guidance until 0.75": replace(exact, guidance_until=0.75),
        "guidance 0.2 to 0.8": replace(exact, guidance_from=0.2, guidance_until=0.8),
        "step cache 2": replace(exact, step_cache=2),
        "step cache 3": replace(exact, step_cache=3),
        "15 steps, until 0.75, cache 2": replace(
            exact, sampler="dpmpp_2m", steps=15, guidance_until=0.75, step_cache=2
        ),
    }


class Painter:
    """The shipped person and garment, painted by any plan with one seed."""

    def __init__(self, nets: Networks, plan: Plan) -> None:
        self.nets, self.plan = nets, plan
        seen: tuple[PersonView, GarmentView] = trial.subject(nets, plan)
        self.person, self.garment = seen
        self.picture = cache(self._picture)

    def steps(self, plan: Plan) -> torch.Tensor:
        """Take all steps; give clean latents."""
        noise = SeededNoise([_SEED])
        run = denoising.prepare(self.nets, self.person, self.garment, plan, noise)
        return mixing.denoise(self.nets, run, noise, lambda _step: None)

    def _picture(self, plan: Plan) -> Rgb:
        painted: Rgb = latents.to_rgb(latents.decode(self.nets, self.steps(plan)))[0]
        return painted


def measured(painter: Painter, plans: Mapping[str, Plan], rounds: int) -> Iterator[Measured]:
    """Yield every way, in order."""
    taken: dict[str, list[float]] = {name: [] for name in plans}
    for _ in range(rounds):  # all ways in turn, so that a slow minute of the machine meets all
        for name, plan in plans.items():
            taken[name] += clock.seconds(painter.nets.device, partial(painter.steps, plan), 1)
    exact = painter.picture(painter.plan)
    for name, plan in plans.items():
        seen = painter.picture(plan)
        own = painter.picture(replace(painter.plan, steps=_MANY_STEPS, sampler=plan.sampler))
        yield Measured(
            name=name,
            sampler=plan.sampler,
            steps=plan.steps,
            tflop=clock.tera_operations(partial(painter.steps, plan)),
            seconds=min(taken[name]),
            psnr_db=psnr_db(exact, seen),
            ssim=ssim(exact, seen),
            own_psnr_db=psnr_db(own, seen),
            own_ssim=ssim(own, seen),
        )


def psnr_db(one: Rgb, other: Rgb) -> float:
    """Peak signal to noise of two pictures, in dB; infinite for equal ones."""
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(one: Rgb, other: Rgb) -> float:
    """Structural similarity of two pictures' grey levels (Wang et al., 2004), mean of windows."""
    grey = [
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64) for picture in (one, other)
    ]

    def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5))

    means = [smooth(values) for values in grey]
    spreads = [smooth(v * v) - m * m for v, m in zip(grey, means, strict=True)]
    shared = smooth(grey[0] * grey[1]) - means[0] * means[1]
    light, contrast = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    alike = (2 * means[0] * means[1] + light) * (2 * shared + contrast)
    whole = (means[0] ** 2 + means[1] ** 2 + light) * (spreads[0] + spreads[1] + contrast)
    return float(np.mean(alike / whole))


def _cells(one: Measured, exact: Measured) -> list[str]:
    return [
        one.name,
        f"{one.steps} {one.sampler}",
        f"{one.tflop:.4g}",
        f"{exact.tflop / one.tflop:.2f}x",
        f"{one.seconds:.2f}",
        f"{exact.seconds / one.seconds:.2f}x",
        f"{one.psnr_db:.1f}",
        f"{one.ssim:.3f}",
        f"{one.own_psnr_db:.1f}",
        f"{one.own_ssim:.3f}",
    ]


def _stored(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    sys.exit(main())
