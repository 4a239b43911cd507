"""A server in a process of its own, with a folder of its own, on a loopback port of its own."""

import atexit
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil

_START_S = 120.0
_POLL_S = 0.01
_NOBODY = 65534
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class DidNotStart(Exception):
    """The program ended, or did not listen in time; its last words are told."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens to at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def held_port() -> socket.socket:
    """A port of 127.0.0.1 that is nobody else's until the socket is closed.

    Nobody is given it, for listening or for calling, whether or not a server listens to it; one
    that reuses addresses, as all of ours do, can.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder


def private_folder(name: str) -> Path:
    """A new folder for this server alone, where whoever it runs as can reach it."""
    bases = (base for base in (Path(tempfile.gettempdir()), Path("/tmp")) if _is_open(base))  # noqa: S108
    return Path(tempfile.mkdtemp(prefix=f"vton-{name}-", dir=next(bases, None)))


def is_root() -> bool:
    return os.geteuid() == 0


@cache
def for_nobody(programs: Path) -> Path:
    """The folder of programs, or a copy of it where an unprivileged user cannot reach it."""
    if not is_root() or _is_open(programs):
        return programs
    copy = Path(tempfile.mkdtemp(prefix="vton-programs-", dir="/tmp"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    copy.chmod(0o755)
    shutil.copytree(programs, copy, symlinks=True, dirs_exist_ok=True)
    return copy


def _is_open(folder: Path) -> bool:
    """Whether everybody may walk down to this folder."""
    resolved = folder.resolve()
    return all(part.stat().st_mode & 0o001 for part in (resolved, *resolved.parents))


def run_as_nobody(command: Sequence[str | Path]) -> None:
    """Run a command to its end without root's rights; raises DidNotStart when it fails."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False, **_without_root())
    if ran.returncode != 0:
        raise DidNotStart(f"{command[0]}: {ran.stdout[-500:]}{ran.stderr[-1500:]}")


def _without_root() -> dict[str, Any]:
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if is_root() else {}


def _is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; one whose new parent has not looked after it yet does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# To the kernel, the parent is the thread that started it: this one stays for as long as the tests.
_STARTER = ThreadPoolExecutor(1, thread_name_prefix="starter")


def _die_with_parent() -> None:
    """Linux ends the server when the tests are ended without a chance to."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """One server; what kind is told by `_command`. Its port stays the same through every restart.

    Ends nothing but what it started.
    """

    stop_signal = signal.SIGTERM
    refuses_root = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = private_folder(name)
        self._holder = held_port()
        self.port: int = self._holder.getsockname()[1]
        self._user = _without_root() if self.refuses_root else {}
        if self._user:
            os.chown(self.folder, _NOBODY, _NOBODY)
        self._process: subprocess.Popen[bytes] | None = None

    def _command(self) -> Sequence[str | Path]:
        raise NotImplementedError

    def _environment(self) -> Mapping[str, str]:
        return {}

    @property
    def is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, and wait until it answers; raises DidNotStart."""
        assert not self.is_up
        self._process = _STARTER.submit(self._begun).result()
        self._wait_until_ready()

    def _begun(self) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                self._command(),
                cwd=self.folder,
                env=os.environ | dict(self._environment()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - calls the kernel, takes no lock
                **self._user,
            )

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + _START_S
        while not self._is_ready():
            if not self.is_up or time.monotonic() > end:
                words = (self.folder / "log").read_text(errors="replace")[-2000:]
                self.kill()
                raise DidNotStart(f"{self.name}: {words}")
            time.sleep(_POLL_S)

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        """End it as its administrator would."""
        if self._process is not None:
            self._process.send_signal(self.stop_signal)
            self._process.wait()

    def kill(self) -> None:
        """End it and all it started as a power cut would: kill -9."""
        if self._process is None:
            return
        all_of_it: list[psutil.Process] = []
        if self.is_up:
            main = psutil.Process(self._process.pid)
            main.suspend()  # or it might start one more while they are counted
            all_of_it = [main, *main.children(recursive=True)]
        for process in all_of_it:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        while any(_is_alive(process) for process in all_of_it[1:]):
            time.sleep(_POLL_S)

    def restart(self) -> None:
        """Be killed, and come back with what was kept."""
        self.kill()
        self.start()

    def close(self) -> None:
        """End it, remove what it wrote, and let go of its port."""
        self.kill()
        self._holder.close()
        shutil.rmtree(self.folder, ignore_errors=True)
