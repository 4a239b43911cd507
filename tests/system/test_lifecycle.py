import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.handlers.diffusion import deployment, tiny
from tests.handlers.torchserve_rows import ROOT
from tests.patience import PATIENCE_S
from tests.system.running import lives, until

pytestmark = pytest.mark.system

VTON = [sys.executable, "-c", "import sys; from gateway.cli.main import main; sys.exit(main())"]
ALONE = "--no-person"  # what does not matter need not start


class Served:
    """A `vton serve` of its own, in the foreground of its own session."""

    def __init__(self, folder: Path, *options: str) -> None:
        environment = os.environ | {"VTON_STORAGE__URL": (folder / "objects").as_uri()}
        self.process = subprocess.Popen(
            [*VTON, "serve", "--port", "0", "--logs", str(folder), *options],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = ""

    def url(self) -> str:
        """Wait until it says where its page is."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if line.startswith("ready"):
                break
        found = re.search(r"^page\s+(\S+)$", self.said, re.MULTILINE)
        assert found, self.said
        return found[1]

    def family(self) -> list[psutil.Process]:
        """List everything it started, workers included."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal; give the exit status and the rest of what it says."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, rest


@contextmanager
def served(folder: Path, *options: str) -> Iterator[Served]:
    one = Served(folder, *options)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.end(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_everything(number: signal.Signals, tmp_path: Path) -> None:
    with served(tmp_path) as one:
        assert httpx.get(f"{one.url()}health/ready", timeout=PATIENCE_S).is_success
        family = one.family()
        assert len(family) >= 4  # Java, two workers, the gateway
        status, rest = one.end(number)
    assert (status, rest.strip()) == (0, "stopped")
    assert not [process for process in family if lives(process)]


def test_two_stacks_run_side_by_side(tmp_path: Path) -> None:
    with served(tmp_path / "a", ALONE) as first, served(tmp_path / "b", ALONE) as second:
        urls = {first.url(), second.url()}
        assert len(urls) == 2
        assert all(httpx.get(f"{url}health/ready", timeout=PATIENCE_S).is_success for url in urls)


@pytest.mark.parametrize("part", ["java", "python"])
def test_a_part_that_dies_ends_the_rest(part: str, tmp_path: Path) -> None:
    with served(tmp_path, ALONE) as one:
        one.url()
        family = one.family()
        direct = psutil.Process(one.process.pid).children()
        next(process for process in direct if part in process.name()).kill()
        rest, _ = one.process.communicate(timeout=PATIENCE_S)
    assert one.process.returncode == 1
    assert "ended by itself" in rest
    until(lambda: not any(lives(process) for process in family), "all are gone")


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ran = subprocess.run(
            [*VTON, "serve", "--port", str(port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 1
    assert f"cannot listen on port {port} (gateway)" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_model_that_cannot_load_ends_the_start(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    shutil.copy(ROOT / "config.properties", tmp_path)
    config = tmp_path / "config" / "geometric.yaml"
    config.write_text(re.sub("max_input_pixels: .*", "max_input_pixels: 1", config.read_text()))
    ran = subprocess.run(
        [*VTON, "serve", "--port", "0", "--logs", str(tmp_path / "logs"), ALONE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "torchserve cannot load its model" in ran.stderr


@pytest.mark.parametrize("engine", ["geometric", "idm_vton"])
def test_the_demo_leaves_two_pictures_and_no_process(engine: str, tmp_path: Path) -> None:
    options = ["--engine", engine]
    if engine == "idm_vton":
        config = deployment.write(tmp_path / "config")
        options += ["--model", str(tiny.REPOSITORY), "--config", str(config)]
    ran = subprocess.run(
        [*VTON, "demo", "--output", str(tmp_path), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"on the {engine} engine" in ran.stdout
    for name in ("result.jpg", "before_after.jpg"):
        assert str(tmp_path / name) in ran.stdout
        assert (tmp_path / name).read_bytes().startswith(b"\xff\xd8")
