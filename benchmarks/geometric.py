"""Time the embedded engine as a worker runs it, in this process, after its own warm-up.

    python -m benchmarks.geometric           30 rounds at each size
    python -m benchmarks.geometric --quick   8 rounds

Three kinds of try-on take turns, so that a busy machine slows all of them alike:
  cold            a person and a garment never seen before: the baseline, no cache helps
  second garment  another garment on the same person: person analysis is skipped
  again           the same person and garment: both analyses are skipped
Times are in ms, from encoded pictures to an encoded picture, network and TorchServe apart.
"""

import resource
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

import cv2
import numpy as np
import yaml

from benchmarks import report
from benchmarks.pairs import read_rgb
from benchmarks.regions import RGB
from handlers.geometric import GeometricHandler
from handlers.request import Params, TryOnRequest
from handlers.settings import HandlerSettings, read
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


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 0."""
    options = report.arguments(__doc__).parse_args(argv)
    rounds = _QUICK_ROUNDS if options.quick else _ROUNDS
    runs = {size: list(_measure(_handler(size), size, rounds)) for size in _SIZES_PX}
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    measured = report.provenance()
    print(f"embedded engine, {rounds} rounds: {measured}\n")
    print(report.table(["try-on", "median", "p95", *_STAGES], list(_rows(runs))))
    print(f"\npeak resident memory of the process: {peak_mib:.0f} MiB")
    if options.json:
        results = {f"{w}x{h}": _summary(taken) for (w, h), taken in runs.items()}
        report.write_json(
            options.json, measured, {"rounds": rounds, "peak_rss_mib": peak_mib, "ms": results}
        )
    return 0


def _handler(size_px: tuple[int, int]) -> GeometricHandler:
    """A worker's handler, warmed up, that answers in exactly this size."""
    section = yaml.safe_load(_CONFIG.read_text(encoding="utf-8"))["handler"]
    section["limits"] |= {"min_width_px": size_px[0], "min_height_px": size_px[1]}
    section["warmup"]["sizes_px"] = [list(size_px)]
    handler = GeometricHandler()
    handler.settings = read(HandlerSettings, section, "handler")
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


def _rows(runs: Mapping[tuple[int, int], Sequence[Run]]) -> Iterator[list[str]]:
    for (width, height), taken in runs.items():
        for kind, numbers in _summary(taken).items():
            cells = [numbers[name] for name in ("median", "p95", *_STAGES)]
            yield [f"{width}x{height} {kind}", *(f"{ms:.0f}" for ms in cells)]


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
