"""Time full-size IDM-VTON with random weights: the original's formulas beside ours, in one run.

    python -m benchmarks.gpu                       a GPU, 768x1024, 30 steps, guidance 2
    python -m benchmarks.gpu --device cpu --tiny   the same on anything, to see that it works
    python -m benchmarks.gpu --device meta         no time taken, only operations counted

Random weights cost what published ones do. Text and image encoders stand apart: they run once per
garment. Needs torch, diffusers and safetensors alone. Writes a JSON and a table.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import torch
from torch import Tensor

from benchmarks import report
from benchmarks.gpu import clock
from benchmarks.gpu.networks import Subject
from benchmarks.gpu.sizes import PUBLISHED, TINY, Architecture
from handlers.diffusion.attention import GarmentFeatures

_DTYPES: Final = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
_RESULTS: Final = report.ROOT / "benchmarks" / "results"
_MIDDLE: Final = 501  # a timestep in the middle of a run
_GIB: Final = 2**30
_ORIGINAL, _OURS, _WARM = "original", "ours", "ours, garment at hand"
_FINE: Final = "ours, deep layers at rest"
_COMPILED: Final = ", compiled"
_COLUMNS: Final = (
    "formulas", "ms a step", "s an image", "speed-up", "TFLOP a step",
    "step of peak", "image of peak", "peak GiB",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """One way to run the networks; times are medians.

    Shares are of the time that the operations would take at the matrix product's measured pace: of
    a step, and of an image with its encoders and decoder.
    """

    name: str
    step_ms: float
    image_s: float
    step_tflop: float
    peak_share: float
    roofline_share: float
    peak_gib: float
    difference: float


def main(argv: Sequence[str] | None = None) -> int:
    """Print and store the table; 0."""
    options = _options(argv)
    device, dtype = torch.device(options.device), _DTYPES[options.dtype]
    size = TINY if options.tiny else PUBLISHED
    if device.type == "meta":
        print(_counts(size))
        return 0
    with torch.inference_mode():
        peak_tera = clock.matmul_peak_tera(device, dtype)
        subject = Subject(size, device, dtype)
        plan = (options.steps, options.rounds, peak_tera)
        rows = list(_measured(subject, plan, compiled=options.compiled))
    measured, name = report.provenance(), _device_name(device)
    head = _head(size, name, options.dtype, options.steps, peak_tera)
    shown = (
        f"{head}\n{measured}\n\n{report.table(_COLUMNS, [_cells(one, rows[0]) for one in rows])}\n"
    )
    print(shown)
    stem = f"gpu-{'-'.join(name.lower().split())}-{datetime.now(UTC):%Y-%m-%d}"
    results = {
        "device": name,
        "dtype": options.dtype,
        "torch": torch.__version__,
        "steps": options.steps,
        "matmul_peak_tflops": peak_tera,
        "formulas": [asdict(one) for one in rows],
    }
    report.write_json(options.json or options.output / f"{stem}.json", measured, results)
    (options.output / f"{stem}.md").write_text(shown)
    return 0


@torch.inference_mode()
def _counts(size: Architecture) -> str:
    """Tell the operations of a step by each of the formulas; no weight needs a value for that."""
    subject = Subject(size, torch.device("meta"), torch.float16)
    timestep, start = torch.tensor(_MIDDLE, device="meta"), subject.inputs.latents

    def counted(features: Callable[[Tensor], GarmentFeatures]) -> float:
        return clock.tera_operations(lambda: subject.predict(start, timestep, features(timestep)))

    subject.use_upstream()
    original = counted(subject.upstream_features)
    subject.use_ours()
    kept = subject.our_features(timestep)
    ours = {
        _OURS: counted(subject.our_features),
        _WARM: counted(lambda _timestep: kept),
        _FINE: clock.tera_operations(lambda: subject.predict_again(start, timestep)),
    }
    rows = [[name, f"{tera:.4g}", f"{original / tera:.2f}x"] for name, tera in ours.items()]
    columns = ("formulas", "TFLOP a step", "fewer")
    return report.table(columns, [[_ORIGINAL, f"{original:.4g}", "1.00x"], *rows])


def _measured(
    subject: Subject, plan: tuple[int, int, float], *, compiled: bool
) -> Iterator[Measured]:
    """Yield the original first, then ours, then ours with the garment's features at hand.

    Then, where wished, the same three with compiled transformer blocks.
    """
    timestep = torch.tensor(_MIDDLE)
    subject.use_upstream()
    start = subject.inputs.latents
    expected = subject.predict(start, timestep, subject.upstream_features(timestep))
    eager: dict[str, tuple[float, float]] = {}
    for suffix in ("", _COMPILED) if compiled else ("",):
        if suffix:
            subject.compile()
        subject.use_upstream()
        one = partial(_one, subject, plan, expected, eager)
        yield one(_ORIGINAL + suffix, subject.upstream_features)
        subject.use_ours()
        yield one(_OURS + suffix, subject.our_features)
        kept = subject.our_features(timestep)
        yield one(_WARM + suffix, partial(_at_hand, kept))


def _at_hand(kept: GarmentFeatures, timestep: Tensor) -> GarmentFeatures:
    del timestep
    return kept


def _one(
    subject: Subject,
    plan: tuple[int, int, float],
    expected: Tensor,
    eager: dict[str, tuple[float, float]],
    name: str,
    features: Callable[[Tensor], GarmentFeatures],
) -> Measured:
    """Measure one way; operations are those of the way uncompiled, where they can be counted."""
    steps, rounds, peak_tera = plan
    timestep, start = torch.tensor(_MIDDLE), subject.inputs.latents

    def step() -> Tensor:
        return subject.predict(start, timestep, features(timestep))

    if not name.endswith(_COMPILED):
        a_step = clock.tera_operations(step)
        rest = clock.tera_operations(lambda: subject.image(1, features)) - a_step
        eager[name] = a_step, rest + steps * a_step
    tflop, image_tflop = eager[name.removesuffix(_COMPILED)]
    step_s = median(clock.seconds(subject.device, step, rounds))
    image_s = median(clock.seconds(subject.device, lambda: subject.image(steps, features), 3))
    peak = clock.peak_bytes(subject.device, lambda: subject.image(1, features))
    return Measured(
        name=name,
        step_ms=step_s * 1000,
        image_s=image_s,
        step_tflop=tflop,
        peak_share=tflop / step_s / peak_tera,
        roofline_share=image_tflop / image_s / peak_tera,
        peak_gib=peak / _GIB,
        difference=float((step() - expected).norm() / expected.norm()),
    )


def _cells(one: Measured, baseline: Measured) -> list[str]:
    return [
        one.name,
        f"{one.step_ms:.2f}",
        f"{one.image_s:.3f}",
        f"{baseline.image_s / one.image_s:.2f}x",
        f"{one.step_tflop:.2f}",
        f"{one.peak_share:.0%}",
        f"{one.roofline_share:.0%}",
        f"{one.peak_gib:.1f}",
    ]


def _head(size: Architecture, device: str, dtype: str, steps: int, peak_tera: float) -> str:
    frame = f"{size.width_px}x{size.height_px}, {steps} steps, guidance 2"
    peak = f"matrix product {peak_tera:.1f} TFLOP/s"
    where = f"{dtype} on {device} ({peak}), torch {torch.__version__}"
    return f"IDM-VTON, random weights, {frame}, {where}"


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = report.arguments(__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, cpu or meta")
    parser.add_argument("--dtype", choices=_DTYPES, help="float16 on a GPU, float32 on a CPU")
    parser.add_argument("--tiny", action="store_true", help="a tiny architecture of the same shape")
    parser.add_argument(
        "--compiled",
        action=argparse.BooleanOptionalAction,
        help="also with compiled transformer blocks; by default on a GPU alone",
    )
    parser.add_argument("--steps", type=int, default=30, help="denoising steps of an image")
    parser.add_argument("--rounds", type=int, default=20, help="how often a step is timed")
    parser.add_argument("--output", type=Path, default=_RESULTS, help="folder of the results")
    options = parser.parse_args(argv)
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("torch sees no GPU here; --device cpu --tiny shows that the benchmark works")
    options.dtype = options.dtype or ("float32" if options.device == "cpu" else "float16")
    if options.compiled is None:
        options.compiled = options.device.startswith("cuda")
    if options.quick:
        options.steps, options.rounds = min(options.steps, 4), min(options.rounds, 3)
    options.output.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    sys.exit(main())
