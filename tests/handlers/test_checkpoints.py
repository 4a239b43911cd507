"""Every place where a checkpoint is read: only what was listed, and nothing of it is run."""

import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from handlers.diffusion import manifest
from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.diffusion.repository import Repository
from handlers.diffusion.safety import Checker
from handlers.settings import BadSetting
from handlers.understanding.densepose import checkpoint as densepose
from handlers.understanding.openpose import OpenPoseEstimator
from handlers.understanding.schp import SchpParser
from handlers.understanding.segformer import SegformerParser
from tests.handlers.diffusion import tiny_sdxl
from tests.handlers.torchserve_rows import ROOT
from tests.handlers.understanding import test_openpose, test_schp, tiny_pretrained
from tests.handlers.understanding.densepose import tiny

UNET = "unet/diffusion_pytorch_model.bin"


@dataclass(frozen=True)
class Place:
    """Where a checkpoint is read: `made` gives the file of weights in a folder that is sound."""

    made: Callable[[Path], Path]
    load: Callable[[Path], object]  # of the folder
    pickled: str  # the name that a pickle has there, or "" where none is read


def diffusion(folder: Path) -> Path:
    shutil.copytree(ROOT / "tests/fixtures/idm_vton/tiny-idm-vton", folder, dirs_exist_ok=True)
    return folder / UNET


def segformer(folder: Path) -> Path:
    return tiny_pretrained.segformer(folder) / "model.safetensors"


def safety(folder: Path) -> Path:
    return tiny_sdxl.write_checker(folder, 0.5) / "model.safetensors"


def schp(folder: Path) -> Path:
    test_schp.write_network(folder / "parsing_lip.onnx", 473, 20, {})
    test_schp.write_network(folder / "parsing_atr.onnx", 512, 18, {})
    return folder / "parsing_atr.onnx"


PLACES = {
    "diffusion": Place(diffusion, lambda at: Repository.open(at).weights("unet"), UNET),
    "safety checker": Place(safety, Checker, "pytorch_model.bin"),
    "parsing": Place(segformer, lambda at: SegformerParser(at, "cpu"), "pytorch_model.bin"),
    "parsing by ONNX": Place(schp, lambda at: SchpParser(at, "cpu"), ""),
    "pose": Place(
        lambda at: test_openpose.saved(at / "body.pth", test_openpose.state()),
        lambda at: OpenPoseEstimator(at / "body.pth", 0.0, "cpu"),
        "body.pth",
    ),
    "surface": Place(
        lambda at: tiny.saved(at / "model.pkl"),
        lambda at: densepose.load(at / "model.pkl", tiny.INPUT_SIZE, "cpu"),
        "model.pkl",
    ),
}
places = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())


def refusal(place: Place, folder: Path) -> str:
    with pytest.raises(BadCheckpoint) as caught:
        place.load(folder)
    return str(caught.value)


@places
def test_what_is_listed_is_loaded_and_a_change_is_refused_by_name(
    place: Place, tmp_path: Path
) -> None:
    file = place.made(tmp_path)
    assert manifest.main([str(tmp_path)]) == 0
    place.load(tmp_path)
    whole = bytearray(file.read_bytes())
    whole[-1] ^= 1
    file.write_bytes(whole)
    assert refusal(place, tmp_path).startswith(f"{file}: not the bytes that manifest.json lists")


@places
def test_what_is_not_listed_is_loaded_only_where_unchecked_weights_may_be(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.made(tmp_path)
    place.load(tmp_path)
    monkeypatch.setenv(manifest.VARIABLE, "true")
    told = refusal(place, tmp_path)
    assert told.startswith(f"{tmp_path}: no manifest.json")
    assert f"python -m handlers.diffusion.manifest {tmp_path}" in told
    manifest.write(tmp_path)
    place.load(tmp_path)


@pytest.mark.prop(37)
def test_a_switch_that_says_neither_stops_the_load_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(manifest.VARIABLE, "perhaps")
    with pytest.raises(BadSetting, match=manifest.VARIABLE):
        manifest.verify(tmp_path, ())


class Runs:
    """What a pickle may be: a call of anything."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.told = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.told


def hostile(planted: Path) -> list[object]:
    """Contents that run something where pickles are run."""
    calls = [
        Runs(os.mkdir, str(planted)),
        Runs(os.system, f"mkdir {planted}"),
        Runs(eval, f"__import__('os').mkdir({str(planted)!r})"),
        Runs(getattr, Path(planted), "mkdir"),
    ]
    named = [{"model": {"a.weight": call}} for call in calls]
    return [*calls, *named, {"a.weight": torch.zeros(1), "b": calls[0]}, [calls[0]]]


of_pickles = pytest.mark.filterwarnings("ignore:Detected pickle protocol")


def written(content: object, file: Path) -> list[bytes]:
    """The content as every kind of pickle that torch and Python know."""
    kinds = [pickle.dumps(content, protocol) for protocol in (0, 2, 4, 5)]
    for is_zip in (True, False):
        torch.save(content, file, _use_new_zipfile_serialization=is_zip)
        kinds.append(file.read_bytes())
    return kinds


@of_pickles
@pytest.mark.parametrize(
    "place",
    [one for one in PLACES.values() if one.pickled],
    ids=[k for k in PLACES if PLACES[k].pickled],
)
def test_a_pickle_that_would_run_something_runs_nothing_and_is_named(
    place: Place, tmp_path: Path
) -> None:
    planted = tmp_path / "planted"
    folder = tmp_path / "model"
    folder.mkdir()
    place.made(folder).unlink()
    file = folder / place.pickled
    for content in hostile(planted):
        for data in written(content, file):
            file.write_bytes(data)
            assert refusal(place, folder).startswith(f"{file}: ")
            assert not planted.exists()


@of_pickles
@places
def test_a_pickle_under_another_name_runs_nothing_and_is_named(
    place: Place, tmp_path: Path
) -> None:
    planted = tmp_path / "planted"
    folder = tmp_path / "model"
    folder.mkdir()
    file = place.made(folder)
    for data in written(Runs(os.mkdir, str(planted)), file):
        file.write_bytes(data)
        assert refusal(place, folder).startswith(f"{file}: ")
    assert not planted.exists()
