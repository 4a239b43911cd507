"""A model store is loaded from only as it was packed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from handlers import archive, sums
from tests.handlers.torchserve_rows import ROOT

Tamper = Callable[[Path], object]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of two versions."""
    for version in ("1.0.0", "1.1.0"):
        archive.pack(
            "geometric", ROOT / "config" / "geometric.yaml", tmp_path, version, is_versioned=True
        )
    return tmp_path


def test_what_was_packed_is_genuine(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(sums.faults(store)) == []
    assert archive.main(["--check", "--output", str(store)]) == 0
    assert capsys.readouterr().err == ""


def replaced(file: Path) -> None:
    file.write_bytes(file.read_bytes()[::-1])


def linked(file: Path) -> None:
    file.symlink_to(file.rename(file.with_suffix(".elsewhere")))


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (replaced, "not the bytes"),
        (lambda file: file.write_bytes(file.read_bytes() + b"\0"), "not the bytes"),
        (linked, "not the bytes"),
        (Path.unlink, "missing"),
        (lambda file: file.rename(file.with_name("other-1.0.0.mar")), "not listed"),
        (lambda file: (file.parent / sums.NAME).unlink(), "not listed"),
    ],
)
def test_a_change_is_named_with_what_to_do(
    tamper: Tamper, reason: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper(store / "geometric-1.1.0.mar")
    assert archive.main(["geometric", "--check", "--output", str(store)]) == 1
    told = capsys.readouterr().err
    assert str(store) in told
    assert reason in told
    assert "make archive" in told
    assert not (store / "geometric.mar").exists()  # nothing was packed over it


def test_an_empty_store_is_as_it_was_packed(tmp_path: Path) -> None:
    assert list(sums.faults(tmp_path / "nowhere")) == []
    assert archive.main(["geometric", "--check", "--output", str(tmp_path)]) == 0
    assert archive.main(["geometric", "--check", "--output", str(tmp_path)]) == 0


def test_nothing_to_do_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        archive.main([])
    assert "--check" in capsys.readouterr().err
