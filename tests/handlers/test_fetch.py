import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from handlers import fetch
from handlers.diffusion.repository import Repository
from handlers.errors import ModelNotLoaded
from tests.handlers.torchserve_rows import ROOT

TINY = ROOT / "tests" / "fixtures" / "idm_vton" / "tiny-idm-vton"
(IDM_VTON,) = fetch.sources()["idm_vton"]


class Hub:
    """A hub that holds the tiny repository and counts what is asked of it."""

    def __init__(self) -> None:
        self.asked = 0

    def download(self, source: fetch.Source, folder: Path) -> None:
        self.asked += 1
        files = {file for pattern in source.files for file in TINY.glob(pattern)}
        for file in files:
            copy = folder / file.relative_to(TINY)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def test_the_listed_files_are_all_that_the_engine_needs(tmp_path: Path) -> None:
    Hub().download(IDM_VTON, tmp_path)
    Repository.open(tmp_path)


def test_a_fetched_repository_is_converted_once(tmp_path: Path) -> None:
    hub = Hub()
    first = fetch.fetch(IDM_VTON, tmp_path, hub.download, "float16")
    assert (first / "manifest.json").exists()
    assert fetch.fetch(IDM_VTON, tmp_path, hub.download, "float16") == first
    assert hub.asked == 1


def test_what_is_there_is_looked_at_again(tmp_path: Path) -> None:
    folder = fetch.fetch(IDM_VTON, tmp_path, Hub().download, "float16")
    (folder / "vae" / "config.json").write_text("{}")
    with pytest.raises(ModelNotLoaded) as caught:
        fetch.fetch(IDM_VTON, tmp_path, Hub().download, "float16")
    assert "vae/config.json: not the bytes" in str(caught.value)


def test_what_needs_no_conversion_is_listed_and_held_against_the_list(tmp_path: Path) -> None:
    plain = replace(IDM_VTON, folder=".", files=("unet/*", "vae/*"), convert=False)
    for _ in range(2):
        fetch.fetch(plain, tmp_path, Hub().download, "float16")
        assert {file.parent.name for file in tmp_path.rglob("manifest.json")} == {"unet", "vae"}
    hub = Hub()

    def changed(source: fetch.Source, folder: Path) -> None:
        hub.download(source, folder)
        (folder / "vae" / "config.json").write_text("{}")

    with pytest.raises(ModelNotLoaded) as caught:
        fetch.fetch(plain, tmp_path, changed, "float16")
    assert "vae/config.json: not the bytes" in str(caught.value)


def test_what_needs_no_conversion_lies_where_it_was_fetched_to(tmp_path: Path) -> None:
    plain = replace(IDM_VTON, folder="plain", convert=False)
    folder = fetch.fetch(plain, tmp_path, Hub().download, "float16")
    assert folder == tmp_path / "plain"
    assert (folder / "unet" / "diffusion_pytorch_model.bin").exists()


def test_terms_are_told_before_anything_is_fetched(tmp_path: Path) -> None:
    ran = away(tmp_path, "idm_vton")
    assert ran.returncode == 1
    terms, failure, *advice = ran.stderr.splitlines()
    assert terms.endswith("licensed under CC-BY-NC-SA-4.0; NOT for commercial use")
    assert failure.startswith("cannot fetch: yisol/IDM-VTON: ")
    assert str(tmp_path / "idm-vton.published") in advice[-1]
    assert "Traceback" not in ran.stderr


def test_a_model_that_nobody_lists_is_refused(tmp_path: Path) -> None:
    ran = away(tmp_path, "nothing")
    assert ran.returncode == 2
    assert "person" in ran.stderr


def away(folder: Path, model: str) -> subprocess.CompletedProcess[str]:
    """Run the command where no hub can be reached."""
    return subprocess.run(
        [sys.executable, "-m", "handlers.fetch", model, "--to", str(folder)],
        cwd=ROOT,
        env=os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_source_names_its_terms() -> None:
    for sources in fetch.sources().values():
        for source in sources:
            assert source.licence
            assert source.files
