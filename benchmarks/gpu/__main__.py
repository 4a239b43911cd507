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
_COLUMNS: Final = (
    "formulas", "ms a step", "s an image", "speed-up", "TFLOP a step", "of matmul peak", "peak GiB"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """One way to run the networks; times are medians."""

    name: str
    step_ms: float
    image_s: float
    step_tflop: float
    peak_share: float
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
        rows = list(_measured(subject, options.steps, options.rounds, peak_tera))
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
    ours = {_OURS: counted(subject.our_features), _WARM: counted(lambda _timestep: kept)}
    rows = [[name, f"{tera:.4g}", f"{original / tera:.2f}x"] for name, tera in ours.items()]
    columns = ("formulas", "TFLOP a step", "fewer")
    return report.table(columns, [[_ORIGINAL, f"{original:.4g}", "1.00x"], *rows])


def _measured(subject: Subject, steps: int, rounds: int, peak_tera: float) -> Iterator[Measured]:
    """Yield the original first, then ours, then ours with the garment's features at hand."""
    timestep = torch.tensor(_MIDDLE)
    subject.use_upstream()
    expected = subject.predict(
        subject.inputs.latents, timestep, subject.upstream_features(timestep)
    )
    features = subject.upstream_features
    yield _one(_ORIGINAL, subject, features, (steps, rounds, peak_tera), expected)
    subject.use_ours()
    yield _one(_OURS, subject, subject.our_features, (steps, rounds, peak_tera), expected)
    kept = subject.our_features(timestep)
    yield _one(_WARM, subject, lambda _timestep: kept, (steps, rounds, peak_tera), expected)


def _one(
    name: str,
    subject: Subject,
    features: Callable[[Tensor], GarmentFeatures],
    plan: tuple[int, int, float],
    expected: Tensor,
) -> Measured:
    steps, rounds, peak_tera = plan
    timestep, start = torch.tensor(_MIDDLE), subject.inputs.latents

    def step() -> Tensor:
        return subject.predict(start, timestep, features(timestep))

    step_s = median(clock.seconds(subject.device, step, rounds))
    tflop = clock.tera_operations(step)
    image_s = median(clock.seconds(subject.device, lambda: subject.image(steps, features), 3))
    peak = clock.peak_bytes(subject.device, lambda: subject.image(1, features))
    apart = float((step() - expected).norm() / expected.norm())
    share = tflop / step_s / peak_tera
    return Measured(name, step_s * 1000, image_s, tflop, share, peak / _GIB, apart)


def _cells(one: Measured, baseline: Measured) -> list[str]:
    return [
        one.name,
        f"{one.step_ms:.2f}",
        f"{one.image_s:.3f}",
        f"{baseline.image_s / one.image_s:.2f}x",
        f"{one.step_tflop:.2f}",
        f"{one.peak_share:.0%}",
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
    parser.add_argument("--steps", type=int, default=30, help="denoising steps of an image")
    parser.add_argument("--rounds", type=int, default=20, help="how often a step is timed")
    parser.add_argument("--output", type=Path, default=_RESULTS, help="folder of the results")
    options = parser.parse_args(argv)
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("torch sees no GPU here; --device cpu --tiny shows that the benchmark works")
    options.dtype = options.dtype or ("float32" if options.device == "cpu" else "float16")
    if options.quick:
        options.steps, options.rounds = min(options.steps, 4), min(options.rounds, 3)
    options.output.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    sys.exit(main())
