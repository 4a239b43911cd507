"""Brings the stack up, watches it, takes it down; what it started never outlives it."""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Final, Self

import httpx

from gateway.stack import torchserve
from gateway.stack.children import Child
from gateway.stack.plan import Plan
from gateway.stack.ports import Ports, claim

_POLL_S: Final = 0.2
_GRACE_S: Final = 15.0
_LOG_TAIL_LINES: Final = 15
_FAILED_LOAD: Final = b"Load model failed"
_MAX_FAILED_LOADS: Final = 3


class StackFailed(Exception):
    """A part of the stack did not come up, or went away; the message says which."""


class Interrupted(Exception):
    """Somebody asked the stack to end before it was up."""


class Stack:
    """TorchServe and the gateway, up from `with` until its end."""

    def __init__(self, plan: Plan, stop: threading.Event) -> None:
        self._plan = plan
        self._stop = stop
        self._children: list[Child] = []
        self._outputs: list[IO[bytes]] = []
        self._folder = Path()
        self._held = ExitStack()
        self.ports = Ports()
        self.store = Path()

    @property
    def url(self) -> str:
        """Where the gateway answers."""
        host = "127.0.0.1" if self._plan.host in ("0.0.0.0", "::") else self._plan.host  # noqa: S104  compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.ports.gateway}"

    @property
    def inference_url(self) -> str:
        """Where TorchServe infers."""
        return f"http://127.0.0.1:{self.ports.inference}"

    @property
    def management_url(self) -> str:
        """Where TorchServe's models are managed."""
        return f"http://127.0.0.1:{self.ports.management}"

    @property
    def stand_ins_url(self) -> str:
        """Where made-up outside services are, if there are any."""
        return f"http://127.0.0.1:{self.ports.stand_ins}"

    @property
    def metrics_url(self) -> str:
        """Where TorchServe's and the workers' metrics are scraped."""
        return f"http://127.0.0.1:{self.ports.metrics}/metrics"

    def __enter__(self) -> Self:
        """Start both parts and wait until a try-on would be served.

        Raises Misconfigured for a port that is taken, StackFailed when a part does not come up,
        Interrupted when asked to end meanwhile.
        """
        self.ports = claim(self._held, self._plan.ports, self._plan.host)
        # Short, because a socket's path may have 107 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="vton-"))
        try:
            self._start()
            self._await_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the gateway, then TorchServe with its workers."""
        self._end()

    def watch(self) -> None:
        """Wait until asked to end; raises StackFailed when a part ends by itself."""
        while not self._stop.wait(_POLL_S):
            self._refuse_dead()

    def _start(self) -> None:
        plan = self._plan
        effective = torchserve.prepare(plan, self._folder, self.ports)
        self.store = torchserve.store_of(plan, self._folder)
        command = torchserve.command(plan.root, effective, self.store)
        self._spawn("torchserve", command, torchserve.environment(plan, self._folder), self._folder)
        settings = {
            **os.environ,
            **(self._start_stand_ins() if plan.stand_ins else {}),
            **plan.settings,
            "VTON_TRYON__ENGINES_DIR": str(plan.config),
            "VTON_ROLLOUT__MODEL_STORE": str(self.store),
            "VTON_HTTP__HOST": plan.host,
            "VTON_HTTP__PORT": str(self.ports.gateway),
            "VTON_TORCHSERVE__INFERENCE_URL": self.inference_url,
            "VTON_TORCHSERVE__MANAGEMENT_URL": self.management_url,
        }
        self._spawn("gateway", [sys.executable, "-m", "gateway"], settings, plan.root)

    def _start_stand_ins(self) -> dict[str, str]:
        """Run the made-up services, and give the settings that lead to them."""
        from gateway.stand_ins.server import settings_for  # noqa: PLC0415 - for these stacks alone

        command = [sys.executable, "-m", "gateway.stand_ins", str(self.ports.stand_ins)]
        self._spawn("stand-ins", command, dict(os.environ), self._plan.root)
        return settings_for(self.stand_ins_url)

    def _spawn(self, name: str, command: list[str], settings: dict[str, str], cwd: Path) -> None:
        output: IO[bytes] = sys.stdout.buffer
        if self._plan.logs is not None:
            self._plan.logs.mkdir(parents=True, exist_ok=True)
            output = (self._plan.logs / f"{name}.log").open("wb")
            self._outputs.append(output)
        self._children.append(Child(name, command, settings, cwd, output, _FAILED_LOAD))

    def _await_ready(self) -> None:
        deadline = time.monotonic() + self._plan.startup_s
        with httpx.Client(timeout=5.0) as client:
            for part, url, is_ready in self._conditions():
                while not _holds(client, url, is_ready):
                    if self._stop.wait(_POLL_S):
                        raise Interrupted
                    self._refuse_dead()
                    self._refuse_failed_loads()
                    if time.monotonic() > deadline:
                        within = f"within {self._plan.startup_s:.0f} s"
                        raise StackFailed(f"{part} was not ready {within}{self._tail(part)}")

    def _conditions(self) -> Iterator[tuple[str, str, Callable[[httpx.Response], bool]]]:
        for model in self._plan.models:
            yield "torchserve", f"{self.management_url}/models/{model}", _has_worker
        if self._plan.stand_ins:
            yield "stand-ins", f"{self.stand_ins_url}/", lambda answer: answer.is_success
        yield "gateway", f"{self.url}/health/ready", lambda answer: answer.is_success

    def _refuse_dead(self) -> None:
        for child in self._children:
            if child.status is not None:
                what = f"{child.name} ended by itself with status {child.status}"
                raise StackFailed(f"{what}{self._tail(child.name)}")

    def _refuse_failed_loads(self) -> None:
        """TorchServe would try for ever; what failed three times is not there the fourth."""
        for child in self._children:
            if child.alarms >= _MAX_FAILED_LOADS:
                told = self._told_by_worker(child.name) or self._tail(child.name)
                raise StackFailed(f"{child.name} cannot load its model{told}")

    def _told_by_worker(self, part: str) -> str:
        """What a worker itself gave as the reason, where the log is in a file."""
        if self._plan.logs is None:
            return ""
        log = (self._plan.logs / f"{part}.log").read_text(errors="replace")
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        faults = [one for one in lines if one["level"] == "error"]
        own = [one["message"] for one in faults if one["logger"].startswith("handlers.")]
        return f": {own[-1]}" if own else ""

    def _tail(self, part: str) -> str:
        """The last lines of a part's log, where it is in a file."""
        if self._plan.logs is None:
            return ""
        log = self._plan.logs / f"{part}.log"
        lines = log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return "\n".join([f"; the end of {log}:", *map(_message, lines)])

    def _end(self) -> None:
        for child in reversed(self._children):
            child.stop(_GRACE_S)
        self._children.clear()
        for output in self._outputs:
            output.close()
        self._held.close()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C, SIGTERM and a closed terminal set."""
    stop = threading.Event()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {
        number: signal.signal(number, ask)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _holds(client: httpx.Client, url: str, is_ready: Callable[[httpx.Response], bool]) -> bool:
    try:
        return is_ready(client.get(url))
    except httpx.HTTPError:
        return False


def _message(line: str) -> str:
    """What a log line says, without what is for machines."""
    try:
        return str(json.loads(line)["message"])
    except (ValueError, KeyError, TypeError):
        return line


def _has_worker(answer: httpx.Response) -> bool:
    return answer.is_success and any(
        worker["status"] == "READY" for version in answer.json() for worker in version["workers"]
    )
