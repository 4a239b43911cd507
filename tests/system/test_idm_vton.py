"""The tiny published repository behind a real TorchServe, asked for through the gateway."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from PIL import Image

from gateway.stack.plan import plan_for
from gateway.stack.running import Stack
from tests.handlers.diffusion import deployment, tiny
from tests.handlers.torchserve_rows import ROOT
from tests.patience import PATIENCE_S
from tests.system.running import Running, cpu_s, until

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("idm_vton")]
CASE = "app_b1_ddpm"
A_BIT_OF_WORK_S = 0.3
LONG = {"steps": "50", "num_samples": "4", "seed": "201"}


@pytest.fixture(scope="module")
def diffusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("idm")
    config = deployment.write(folder / "config")
    plan = plan_for(ROOT, ["idm_vton"], tiny.REPOSITORY, config, person=False)
    settings = {"VTON_STORAGE__URL": (folder / "objects").as_uri()}
    plan = replace(plan, logs=folder / "logs", settings=plan.settings | settings)
    with Stack(plan, threading.Event()) as stack:
        yield Running(stack, folder / "logs")


def png(pixels: NDArray[np.uint8]) -> bytes:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def ask(running: Running, options: dict[str, str], *without: str) -> httpx.Response:
    case = tiny.case(CASE)
    parts = {
        "user_image": "person",
        "garment_image": "garment",
        "mask": "mask",
        "densepose": "pose",
    }
    files = {
        part: (f"{part}.png", png(case.pictures(kind)[0]), "image/png")
        for part, kind in parts.items()
        if part not in without
    }
    url = f"{running.stack.url}/api/v1/process-tryon"
    return httpx.post(url, files=files, data=options, timeout=PATIENCE_S)


def recorded() -> dict[str, str]:
    """The options that the golden was made with."""
    told: Any = tiny.case(CASE).told
    return {
        "seed": str(told["generator_seed"]),
        "pose_seed": str(told["global_seed_for_pose_encoding"]),
        "steps": str(told["num_inference_steps"]),
        "guidance_scale": str(told["guidance_scale"]),
        "garment_description": told["descriptions"][0],
        "output_format": "png",
    }


@contextmanager
def at_work(running: Running) -> Iterator[psutil.Process]:
    """Wait at the end until the worker is busy with what was asked inside."""
    worker = running.worker("idm_vton")
    idle_s = cpu_s(worker)
    yield worker
    until(lambda: cpu_s(worker) > idle_s + A_BIT_OF_WORK_S, "the worker is at it")


def picture(running: Running, url: str) -> NDArray[np.int16]:
    answer = httpx.get(f"{running.stack.url}{url}", timeout=PATIENCE_S)
    with Image.open(io.BytesIO(answer.content)) as opened:
        return np.array(opened.convert("RGB"), np.int16)


def test_the_golden_s_picture_comes_through_the_gateway(diffusing: Running) -> None:
    answer = ask(diffusing, recorded())
    assert answer.status_code == 200, answer.text
    told = answer.json()
    expected = tiny.case(CASE).golden["output_uint8"][0].numpy().astype(np.int16)
    assert np.abs(picture(diffusing, told["result_url"]) - expected).max() <= 1
    assert told["engine"] == "idm_vton"
    assert told["metadata"]["licence"] == "CC-BY-NC-SA-4.0"


@pytest.mark.prop(16)
def test_every_sample_is_a_picture_of_its_own(diffusing: Running) -> None:
    answer = ask(diffusing, {**recorded(), "num_samples": "3", "seed": "7"})
    told = answer.json()
    assert told["metadata"]["seeds"] == [7, 8, 9]
    shown = {picture(diffusing, url).tobytes() for url in told["result_urls"]}
    assert len(shown) == 3


@pytest.mark.prop(17)
def test_the_worker_remembers_person_and_garment(diffusing: Running) -> None:
    ask(diffusing, {**recorded(), "seed": "101"})
    again = ask(diffusing, {**recorded(), "seed": "102"}).json()
    assert {"person": "hit", "garment": "hit"}.items() <= again["metadata"]["cache"].items()


def test_what_a_picture_lacks_is_told(diffusing: Running) -> None:
    answer = ask(diffusing, recorded(), "mask")
    assert answer.status_code == 422
    assert answer.json()["details"]["reason"] == "no_person"


@pytest.mark.prop(23)
def test_a_short_one_overtakes_a_long_one(diffusing: Running) -> None:
    ended: list[str] = []

    def ask_for(name: str, **options: str) -> None:
        answer = ask(diffusing, {**recorded(), **options})
        assert answer.status_code == 200, answer.text
        ended.append(name)

    long = threading.Thread(target=ask_for, args=("long",), kwargs=LONG)
    with at_work(diffusing):
        long.start()
    short = threading.Thread(target=ask_for, args=("short",), kwargs={"steps": "1", "seed": "202"})
    with diffusing.standing_still("idm_vton"):
        short.start()
    short.join()
    long.join()
    assert ended == ["short", "long"]


@pytest.mark.prop(16)
def test_a_worker_that_dies_between_steps_loses_nobody(diffusing: Running) -> None:
    answers: list[httpx.Response] = []

    def ask_for(seed: int) -> None:
        answers.append(ask(diffusing, {**recorded(), "steps": "50", "seed": str(seed)}))

    crowd = [threading.Thread(target=ask_for, args=(300 + n,)) for n in range(3)]
    with at_work(diffusing) as worker:
        for one in crowd:
            one.start()
    worker.kill()
    for one in crowd:
        one.join()
    assert [answer.status_code for answer in answers] == [200, 200, 200]


@pytest.mark.parametrize(
    ("field", "value"),
    [("steps", "51"), ("guidance_scale", "0.5"), ("strength", "1.5"), ("num_samples", "5")],
)
def test_an_option_outside_its_range_is_named(diffusing: Running, field: str, value: str) -> None:
    answer = ask(diffusing, {**recorded(), field: value})
    assert answer.status_code == 422
    assert field in str(answer.json()["details"])


@pytest.mark.slow
def test_a_broken_repository_stops_the_start_by_name(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    config = deployment.write(tmp_path / "config")
    plan = plan_for(ROOT, ["idm_vton"], tmp_path / "half", config, person=False)
    plan = replace(plan, logs=tmp_path / "logs")
    with (
        pytest.raises(Exception, match=r"missing: .*half.unet.config\.json"),
        Stack(plan, threading.Event()),
    ):
        pass
