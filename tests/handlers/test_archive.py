import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from handlers import archive
from tests.handlers.torchserve_rows import ROOT, config


def test_equal_sources_give_equal_bytes(tmp_path: Path) -> None:
    first = archive.pack("geometric", ROOT / "config" / "geometric.yaml", tmp_path / "a")
    second = archive.pack("geometric", ROOT / "config" / "geometric.yaml", tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    sums = [(path.parent / "SHA256SUMS").read_text() for path in (first, second)]
    assert sums[0] == sums[1]
    subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "a", check=True
    )


def test_an_archive_names_its_entry_and_version(tmp_path: Path) -> None:
    path = archive.pack("geometric", ROOT / "config" / "geometric.yaml", tmp_path)
    with zipfile.ZipFile(path) as packed:
        manifest = json.loads(packed.read("MAR-INF/MANIFEST.json"))
        assert set(packed.namelist()) == {"MAR-INF/MANIFEST.json", "geometric.py", "geometric.yaml"}
    assert manifest["model"] == {
        "modelName": "geometric",
        "handler": "geometric.py",
        "modelVersion": config()["handler"]["version"],
        "configFile": "geometric.yaml",
    }


@pytest.mark.parametrize("model", ["geometric", "idm_vton", "person", "sdxl"])
def test_every_shipped_model_can_be_packed(model: str, tmp_path: Path) -> None:
    assert archive.pack(model, ROOT / "config" / f"{model}.yaml", tmp_path).is_file()


def test_packing_again_replaces_the_old_hash(tmp_path: Path) -> None:
    for version in ("1.0.0", "1.1.0"):
        archive.pack("geometric", ROOT / "config" / "geometric.yaml", tmp_path, version)
    assert len((tmp_path / "SHA256SUMS").read_text().splitlines()) == 1


@pytest.mark.parametrize("version", ["1", "1.0", "v1.0.0", "1.0.0-beta", "latest"])
def test_a_version_is_semantic(
    version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert archive.main(["geometric", "--version", version, "--output", str(tmp_path)]) == 1
    assert "MAJOR.MINOR.PATCH" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.mar"))


def test_an_unknown_model_is_an_error_not_a_trace(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "handlers.archive", "nobody", "--output", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("cannot pack nobody")


@pytest.mark.prop(37)
def test_a_setting_that_a_worker_would_refuse_is_refused_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "config" / "geometric.yaml").read_text()
    wrong = text.replace("jpeg_quality: 92", "jpeg_quality: high")
    (tmp_path / "geometric.yaml").write_text(wrong)
    options = ["geometric", "--config", str(tmp_path), "--output", str(tmp_path / "store")]
    assert archive.main(options) == 1
    assert "handler.encode.jpeg_quality: expected a whole number" in capsys.readouterr().err
