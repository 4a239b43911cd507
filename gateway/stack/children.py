"""Child processes that end with their parent: each in a session of its own, with all it started.

A terminal's Ctrl-C reaches only the parent, which then ends its children in the right order.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

import psutil

from gateway.stack.lines import LinePump

_POLL_S: Final = 0.05


class Child:
    """One child process and its descendants; `output` gets its lines, as JSON.

    `alarms` counts the lines that hold `alarm`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        output: IO[bytes],
        alarm: bytes | None = None,
    ) -> None:
        self.name = name
        self._process = subprocess.Popen(  # noqa: S603  our own command, no shell
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101  a pipe was asked for
        self._lines = LinePump(name, self._process.stdout, output, alarm)
        self._lines.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.poll()

    @property
    def alarms(self) -> int:
        """How often it said what was listened for."""
        return self._lines.heard

    def stop(self, grace_s: float) -> None:
        """Ask it to end, wait, and take away whatever of its session is still there."""
        members = self._members()
        if self.status is None:
            self._process.terminate()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _end_all(members | self._members(), grace_s)
        self._lines.join(grace_s)

    def _members(self) -> set[psutil.Process]:
        """Everything in the child's session: also what outlived the process that started it."""
        found = set()
        for process in psutil.process_iter():
            try:
                if process.pid != self.pid and os.getsid(process.pid) == self.pid:
                    found.add(process)
            except (ProcessLookupError, PermissionError):
                continue
        return found


def _end_all(processes: set[psutil.Process], grace_s: float) -> None:
    for send in (signal.SIGTERM, signal.SIGKILL):
        alive = {one for one in processes if one.is_running()}
        for one in alive:
            try:
                one.send_signal(send)
            except psutil.NoSuchProcess:
                continue
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline and any(_lives(one) for one in alive):
            time.sleep(_POLL_S)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
