"""The fence is what keeps items from ending twice: without it, tests of the queue fail."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SUITE = "tests/gateway/adapters/sql/test_queue.py"

pytestmark = pytest.mark.slow


def test_without_the_fence_the_suite_turns_red() -> None:
    command = [sys.executable, "-m", "pytest", SUITE, "-q", "-p", "no:cacheprovider"]
    unfenced = ["-p", "tests.gateway.sessions.unfenced", "-k", "sqlite and changes_nothing"]
    done = subprocess.run(
        [*command, *unfenced], cwd=ROOT, capture_output=True, text=True, check=False
    )
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert {line.split("[sqlite-")[1].split("]")[0] for line in failed} == {
        "complete",
        "fail",
        "give_back",
        "progress",
    }
