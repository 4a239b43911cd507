"""Pictures that are to be forgotten: one worker is asked, and every other one of its host hears it.

A picture is named by the sha256 of the bytes that came in. TorchServe cannot ask a worker of its
choice, so whoever is asked forgets and leaves a note in a folder that all workers of the model
read once a second; a worker without requests hears of it, too, and drops what is too
old.
"""

import hashlib
import json
import logging
import os
import re
import stat
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, Final, Protocol, Self

from handlers.errors import BadParameters

logger = logging.getLogger(__name__)

TASK: Final = "forget"
_MOST: Final = 1024
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PAUSE_S: Final = 1.0
_NOTE_LIVES_S: Final = 60.0
_SUFFIX: Final = ".json"
_PRIVATE: Final = 0o700
_NAME_CHARS: Final = 24


def part_digest(content: bytes) -> str:
    """Name a picture by the bytes that it came in, as whoever has it forgotten does."""
    return hashlib.sha256(content).hexdigest()


class Forgetful(Protocol):
    """Whoever keeps something of pictures."""

    def forget_pictures(self, pictures: Collection[str]) -> int:
        """Drop whatever was made of these pictures; how many entries it was."""
        ...

    def sweep(self) -> None:
        """Drop whatever is too old."""
        ...


@dataclass(frozen=True, slots=True)
class ForgetRequest:
    """Pictures to forget, by the sha256 of their bytes, hexadecimal."""

    pictures: frozenset[str]

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> Self | None:
        """Read a row's parameters; None for another task, BadParameters for what is not valid."""
        if params.get("task") != TASK:
            return None
        told = params.get("pictures")
        named = told if isinstance(told, list) and len(told) <= _MOST else [None]
        if not all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in named):
            fault = f"must be a list of {_MOST} sha256 at most, hexadecimal"
            raise BadParameters("The parameters are not valid.", {"fields": {"pictures": fault}})
        return cls(frozenset(map(str, named)))


class Board:
    """Notes of what is to be forgotten, in a folder of this user's alone; each lives a minute."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._now = now
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def post(self, pictures: Collection[str]) -> None:
        """Leave a note for the other workers."""
        self._folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        if not self._is_ours():
            logger.warning("%s: not ours; other workers are not told", self._folder)
            return
        name = f"{token_hex(8)}{_SUFFIX}"
        part = self._folder / f"{name}.part"
        part.write_text(json.dumps({"at": self._now(), "pictures": sorted(pictures)}))
        with self._lock:  # or who reads meanwhile would take it for another worker's
            self._seen.add(name)
            part.replace(self._folder / name)

    def news(self) -> set[str]:
        """Give the pictures of notes that were not read before; what is old is taken down."""
        found: set[str] = set()
        with self._lock:
            names = {file.name for file in self._files()}
            new, self._seen = names - self._seen, names
        for name in new:
            found |= self._read(self._folder / name)
        return found

    def _files(self) -> list[Path]:
        if not self._folder.is_dir() or not self._is_ours():
            return []
        return [file for file in self._folder.iterdir() if not self._is_over(file)]

    def _is_over(self, file: Path) -> bool:
        try:
            is_over = self._now() - file.stat().st_mtime > _NOTE_LIVES_S
            if is_over:
                file.unlink()
        except FileNotFoundError:
            return True  # another worker took it down
        return is_over or file.suffix != _SUFFIX

    def _read(self, file: Path) -> set[str]:
        try:
            asked = ForgetRequest.read({**json.loads(file.read_text()), "task": TASK})
        except (OSError, ValueError, TypeError, BadParameters):
            return set()
        return set() if asked is None else set(asked.pictures)

    def _is_ours(self) -> bool:
        told = self._folder.lstat()
        return stat.S_ISDIR(told.st_mode) and told.st_uid == os.getuid()


def board_of(model_folder: str) -> Board:
    """The board that the workers of a model's version share, unpacked there by one TorchServe."""
    told = f"{os.getuid()} {os.getppid()} {model_folder}"
    name = hashlib.sha256(told.encode()).hexdigest()[:_NAME_CHARS]
    return Board(Path(tempfile.gettempdir()) / f"vton-forgotten-{name}")


def watch(board: Board, worker: Forgetful) -> threading.Thread:
    """Look at the board, and for what is too old, once a second while the worker lives."""
    thread = threading.Thread(
        target=_watch, args=(board, weakref.ref(worker)), name="forgetting", daemon=True
    )
    thread.start()
    return thread


def look(board: Board, worker: Forgetful) -> None:
    """Hear what others were told, and drop what is too old; a failure is logged."""
    try:
        if news := board.news():
            worker.forget_pictures(news)
        worker.sweep()
    except Exception:
        logger.exception("a worker could not forget")


def _watch(board: Board, found: "weakref.ref[Forgetful]") -> None:
    while (worker := found()) is not None:
        look(board, worker)
        del worker
        time.sleep(_PAUSE_S)
