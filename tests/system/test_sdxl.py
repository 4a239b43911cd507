"""The tiny SDXL behind a real TorchServe: people by the number, each with a seed of its own."""

import json
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

from gateway.stack.plan import plan_for
from gateway.stack.running import Stack
from handlers import images
from tests.handlers.diffusion import sdxl_deployment, tiny_sdxl
from tests.handlers.torchserve_rows import ROOT, read_frames
from tests.patience import PATIENCE_S
from tests.system.running import Running, cpu_s, until

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("sdxl")]
A_BIT_OF_WORK_S = 0.3
BODY = {"count": 1, "height_cm": 172, "weight_kg": 68.5, "output_format": "png"}


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Bring up a stack of the embedded engine and the one that draws people."""
    folder = tmp_path_factory.mktemp("sdxl")
    config = sdxl_deployment.write(folder / "config")
    (config / "geometric.yaml").write_bytes((ROOT / "config" / "geometric.yaml").read_bytes())
    plan = plan_for(ROOT, ["geometric"], None, config, person=False)
    plan = replace(
        plan,
        models=(*plan.models, "sdxl"),
        workers={"VTON_SDXL_MODEL": str(tiny_sdxl.repository())},
        settings=plan.settings | {"VTON_STORAGE__URL": (folder / "objects").as_uri()},
        logs=folder / "logs",
    )
    with Stack(plan, threading.Event()) as stack:
        yield Running(stack, folder / "logs")


def ask(running: Running, **options: Any) -> list[tuple[str, Any]]:  # noqa: ANN401  any option
    """Ask the worker itself; give its frames."""
    params = json.dumps({**BODY, **options}).encode()
    url = f"{running.stack.inference_url}/predictions/sdxl"
    part = {"params": (None, params, "application/json")}
    answer = httpx.post(url, files=part, timeout=PATIENCE_S)
    assert answer.status_code == 200
    return read_frames(answer.content)


def draw(running: Running, **options: Any) -> httpx.Response:  # noqa: ANN401  any option
    """Ask the gateway."""
    asked = {**BODY, **options}
    return httpx.post(f"{running.stack.url}/api/v1/bodies", json=asked, timeout=PATIENCE_S)


@contextmanager
def at_work(running: Running) -> Iterator[psutil.Process]:
    """Wait at the end until the worker is busy with what was asked inside."""
    worker = running.worker("sdxl")
    idle_s = cpu_s(worker)
    yield worker
    until(lambda: cpu_s(worker) > idle_s + A_BIT_OF_WORK_S, "the worker is at it")


def fetched(running: Running, url: str) -> bytes:
    return httpx.get(f"{running.stack.url}{url}", timeout=PATIENCE_S).content


def pixels(encoded: bytes) -> NDArray[np.int16]:
    return images.decode(encoded, "result", 10**6).astype(np.int16)


@pytest.mark.prop(16)
def test_four_people_are_four_pictures_of_four_seeds(drawing: Running) -> None:
    frames = ask(drawing, count=4, seed=100, ethnicity="hispanic", skin_tone="tan")
    *_, (last, told) = frames
    shown = [pixels(content) for kind, content in frames if kind == "I"]
    assert (last, told["seeds"]) == ("D", [100, 101, 102, 103])
    assert len({one.tobytes() for one in shown}) == 4
    assert told["ai_generated"] is True
    again = ask(drawing, seed=102, ethnicity="hispanic", skin_tone="tan")
    alone = next(pixels(content) for kind, content in again if kind == "I")
    assert np.abs(alone - shown[2]).max() <= 1


def test_every_step_comes_as_it_is_taken(drawing: Running) -> None:
    told = [content for kind, content in ask(drawing, count=4, steps=7) if kind == "P"]
    # How many pictures step at once is measured: a step counts once for each of them.
    steps = [one["step"] for one in told if (one["stage"], one["of"]) == ("drawing", 28)]
    assert steps == sorted(set(steps))
    assert steps[-1] == 28


@pytest.mark.prop(29)
@pytest.mark.prop(30)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("height_cm", 139),
        ("weight_kg", 201),
        ("ethnicity", "elf"),
        ("skin_tone", "fair, nude, <script>"),
        ("count", 11),
        ("mood", "glad"),
    ],
)
def test_what_cannot_be_asked_for_is_named(drawing: Running, field: str, value: object) -> None:
    ((kind, told),) = ask(drawing, **{field: value})
    assert (kind, told["error_code"]) == ("E", "VAL_2001")
    assert list(told["details"]["fields"]) == [field]


def test_four_people_come_through_the_gateway(drawing: Running) -> None:
    told = draw(drawing, count=4, seed=200, skin_tone="olive").json()
    assert [one["seed"] for one in told["images"]] == [200, 201, 202, 203]
    assert told["ai_generated"] is True
    shown = [fetched(drawing, one["url"]) for one in told["images"]]
    assert all(b"trainedAlgorithmicMedia" in one for one in shown)
    (alone,) = draw(drawing, seed=203, skin_tone="olive").json()["images"]
    difference = pixels(fetched(drawing, alone["url"])) - pixels(shown[3])
    assert np.abs(difference).max() <= 1


@pytest.mark.prop(27)
@pytest.mark.parametrize(
    ("field", "value"),
    [("height_cm", 139), ("weight_kg", 201), ("ethnicity", "elf"), ("skin_tone", "fair, nude")],
)
def test_the_gateway_names_what_cannot_be_asked_for(
    drawing: Running, field: str, value: object
) -> None:
    answer = draw(drawing, **{field: value})
    assert answer.status_code == 422
    assert field in str(answer.json()["details"])


def test_a_size_that_cannot_be_drawn_is_named(drawing: Running) -> None:
    answer = draw(drawing, width_px=70)
    assert answer.status_code == 422
    assert "multiple of 32" in str(answer.json()["details"])
    ((_, told),) = [one for one in ask(drawing, width_px=70) if one[0] == "E"]
    assert told["details"]["fields"] == {"width_px": "must be a multiple of 32"}


@pytest.mark.prop(23)
def test_a_short_one_overtakes_a_long_one(drawing: Running) -> None:
    ended: list[str] = []

    def ask_for(name: str, **options: int) -> None:
        answer = draw(drawing, **options)
        assert answer.status_code == 200, answer.text
        ended.append(name)

    long = threading.Thread(
        target=ask_for, args=("long",), kwargs={"steps": 50, "count": 10, "seed": 1}
    )
    with at_work(drawing):
        long.start()
    short = threading.Thread(target=ask_for, args=("short",), kwargs={"steps": 1, "seed": 2})
    with drawing.standing_still("sdxl"):
        short.start()
    short.join()
    long.join()
    assert ended == ["short", "long"]


@pytest.mark.prop(16)
def test_a_worker_that_dies_between_steps_loses_nobody(drawing: Running) -> None:
    answers: dict[int, httpx.Response] = {}

    def ask_for(seed: int) -> None:
        answers[seed] = draw(drawing, steps=50, count=4, seed=seed)

    seeds = (300, 400, 500)
    crowd = [threading.Thread(target=ask_for, args=(seed,)) for seed in seeds]
    with at_work(drawing) as worker:
        for one in crowd:
            one.start()
    worker.kill()
    for one in crowd:
        one.join()
    assert [answers[seed].status_code for seed in seeds] == [200, 200, 200]
    for seed in seeds:
        assert [one["seed"] for one in answers[seed].json()["images"]] == [
            seed,
            seed + 1,
            seed + 2,
            seed + 3,
        ]


@pytest.mark.slow
def test_a_folder_without_the_model_stops_the_start_by_name(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    config = sdxl_deployment.write(tmp_path / "config")
    (config / "geometric.yaml").write_bytes((ROOT / "config" / "geometric.yaml").read_bytes())
    plan = plan_for(ROOT, ["geometric"], None, config, person=False)
    workers = {"VTON_SDXL_MODEL": str(tmp_path / "half")}
    plan = replace(plan, models=("sdxl",), workers=workers, logs=tmp_path / "logs")
    with (
        pytest.raises(Exception, match=r"missing: .*half.unet.config\.json"),
        Stack(plan, threading.Event()),
    ):
        pass
