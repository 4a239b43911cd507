"""What every benchmark prints and stores: a table with machine, commit and date."""

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where and when numbers were measured, and of which code."""

    cpu: str
    cores: int
    memory_gib: float
    python: str
    commit: str
    date: str

    def __str__(self) -> str:
        """One line for the head of a table."""
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gib:.0f} GiB, Python {self.python}; "
            f"commit {self.commit}; {self.date}"
        )


def provenance() -> Provenance:
    """Ask the machine and the working copy."""
    return Provenance(
        cpu=_cpu_model(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30,
        python=platform.python_version(),
        commit=_commit(),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, padded so that it reads well in a terminal too; numbers to the right."""
    lines = [columns, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]

    def render(line: Sequence[str]) -> str:
        first, *rest = (
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        return "| " + " | ".join([first, *rest]) + " |"

    first, *rest = ("-" * width for width in widths)
    rule = "| " + " | ".join([first, *(dashes[:-1] + ":" for dashes in rest)]) + " |"
    return "\n".join([render(columns), rule, *map(render, rows)])


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser with the two options that every benchmark takes."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a smaller run, under 60 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers here")
    return parser


def write_json(path: Path, measured: Provenance, results: Mapping[str, object]) -> None:
    """Store the numbers with their provenance."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"measured": asdict(measured), **results}, indent=1) + "\n")


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _commit() -> str:
    """The short commit id, marked `+` where tracked files differ from it."""
    try:
        commit = _git("rev-parse", "--short", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    done = subprocess.run(  # noqa: S603 - constant words
        ["git", *words],  # noqa: S607 - whichever git the developer uses
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
