"""Time the embedded engine as a worker runs it, in this process, after its own warm-up.

    python -m benchmarks.geometric           30 rounds at each size
    python -m benchmarks.geometric --quick   8 rounds

Three kinds of try-on take turns, so that a busy machine slows all of them alike:
  cold            a person and a garment never seen before: the baseline, no cache helps
  second garment  another garment on the same person: person analysis is skipped
  again           the same person and garment: both analyses are skipped
Times are in ms, from encoded pictures to an encoded picture, network and TorchServe apart.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles

import cv2
import numpy as np
import yaml

from benchmarks import report
from benchmarks.pairs import read_rgb
from benchmarks.regions import RGB
from handlers.geometric import GeometricHandler
from handlers.request import Params, TryOnRequest
from handlers.settings import GeometricSettings, read
from handlers.stages import Stages

_CONFIG = report.ROOT / "config" / "geometric.yaml"
_SAMPLES = report.ROOT / "gateway" / "web" / "samples"
_PERSON = _SAMPLES / "people" / "woman-ochre-tee.jpg"
_GARMENTS = (_SAMPLES / "garments" / "logo-tee.jpg", _SAMPLES / "garments" / "plaid-shirt.jpg")
_SIZES_PX = ((384, 512), (768, 1024))
_KINDS = ("cold", "second garment", "again")
_STAGES = ("decode", *GeometricHandler.stages)
_ROUNDS, _QUICK_ROUNDS = 30, 8


@dataclass(frozen=True, slots=True)
class Run:
    """One try-on: which kind, how long in all and per stage, in ms."""

    kind: str
    total_ms: float
    stage_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Taken:
    """Every run at one size, and the memory they took."""

    runs: tuple[Run, ...]
    peak_rss_mib: float


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 0."""
    options = report.arguments(__doc__).parse_args(argv)
    rounds = _QUICK_ROUNDS if options.quick else _ROUNDS
    # One fresh process per size, so that each peak is that of a worker.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        taken = list(processes.map(_measured, _SIZES_PX, [rounds] * len(_SIZES_PX)))
    measured = report.provenance()
    print(f"embedded engine, {rounds} rounds: {measured}\n")
    print(report.table(["try-on", "median", "p95", *_STAGES, "peak MiB"], list(_rows(taken))))
    if options.json:
        results = {
            f"{width}x{height}": {"ms": _summary(size.runs), "peak_rss_mib": size.peak_rss_mib}
            for (width, height), size in zip(_SIZES_PX, taken, strict=True)
        }
        report.write_json(options.json, measured, {"rounds": rounds, "sizes": results})
    return 0


def _measured(size_px: tuple[int, int], rounds: int) -> Taken:
    runs = tuple(_measure(_handler(size_px), size_px, rounds))
    return Taken(runs, _peak_rss_mib())


def _peak_rss_mib() -> float:
    """The most this process ever held in memory."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak_kib = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(peak_kib) / 1024


def _handler(size_px: tuple[int, int]) -> GeometricHandler:
    """A worker's handler, warmed up, that answers in exactly this size."""
    section = yaml.safe_load(_CONFIG.read_text(encoding="utf-8"))["handler"]
    section["limits"] |= {"min_width_px": size_px[0], "min_height_px": size_px[1]}
    section["warmup"]["sizes_px"] = [list(size_px)]
    handler = GeometricHandler()
    handler.settings = read(GeometricSettings, section, "handler")
    handler.load()
    handler.warm_up()
    return handler


def _measure(handler: GeometricHandler, size_px: tuple[int, int], rounds: int) -> Iterator[Run]:
    person, garments = read_rgb(_PERSON), [read_rgb(path) for path in _GARMENTS]
    params = Params("upper_body", "jpeg", *size_px)
    for number in range(rounds):
        wearer = _png(_unlike(person, number))
        first, second = (_png(_unlike(garment, number)) for garment in garments)
        for kind, garment in zip(_KINDS, (first, second, second), strict=True):
            stages = Stages((), lambda _stage, _step, _of: None)
            request = TryOnRequest(params, wearer, garment)
            with stages.stage("total"):
                handler.run(request, stages)
            yield Run(kind, stages.elapsed_ms["total"], stages.elapsed_ms)


def _unlike(picture: RGB, number: int) -> RGB:
    """The same picture to the eye, another one to a cache keyed by content."""
    copy = picture.copy()
    copy[:4, :4] = number
    return copy


def _png(picture: RGB) -> bytes:
    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return np.asarray(encoded).tobytes()


def _rows(taken: Sequence[Taken]) -> Iterator[list[str]]:
    for (width, height), size in zip(_SIZES_PX, taken, strict=True):
        for kind, numbers in _summary(size.runs).items():
            cells = [numbers[name] for name in ("median", "p95", *_STAGES)]
            told = [f"{ms:.0f}" for ms in cells]
            yield [f"{width}x{height} {kind}", *told, f"{size.peak_rss_mib:.0f}"]


def _summary(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Median and 95th percentile in all, and medians per stage, by kind."""
    told = {}
    for kind in _KINDS:
        taken = [run for run in runs if run.kind == kind]
        totals = [run.total_ms for run in taken]
        told[kind] = {
            "median": median(totals),
            "p95": quantiles(totals, n=20, method="inclusive")[-1],
            **{name: median(run.stage_ms.get(name, 0.0) for run in taken) for name in _STAGES},
        }
    return told


if __name__ == "__main__":
    sys.exit(main())
