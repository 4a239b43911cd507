import io
from base64 import b64encode

import httpx
import pytest
from PIL import Image

from tests.patience import PATIENCE_S
from tests.system.running import GARMENT, PERSON, Running, cpu_s, unlike, until

pytestmark = pytest.mark.system


def in_json(picture: bytes) -> dict[str, str]:
    return {"base64": b64encode(picture).decode()}


@pytest.mark.prop(14)
@pytest.mark.prop(15)
@pytest.mark.prop(35)
@pytest.mark.prop(36)
def test_a_try_on_goes_through_every_stage_under_one_id(running: Running) -> None:
    answer = running.try_on(unlike(PERSON), unlike(GARMENT), request_id="one-try-on")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["engine"] == "geometric"
    assert {"pose", "segmentation", "garment_transfer", "encode"} <= body["metadata"][
        "stage_ms"
    ].keys()
    url = httpx.URL(running.stack.url).join(body["result_url"])
    result = httpx.get(url, timeout=PATIENCE_S)
    with Image.open(io.BytesIO(result.content)) as picture:
        assert picture.width >= 512
        assert picture.height >= 768
    assert running.told("gateway", "one-try-on")
    inference = running.inference("one-try-on")
    assert inference["model"] == "geometric"
    assert inference["batch_size"] == 1
    assert inference["duration_ms"] > 0
    assert "gpu_memory_bytes" in inference


@pytest.mark.prop(40)
def test_a_small_try_on_is_there_within_ten_seconds(running: Running) -> None:
    """By what the worker computes: the time that others take of the machine is not its own."""
    box, worker = {"width_px": "512", "height_px": "768"}, running.worker()
    before_s = cpu_s(worker)
    answer = running.try_on(unlike(PERSON), unlike(GARMENT), options=box)
    assert cpu_s(worker) - before_s < 10
    assert answer.status_code == 200, answer.text
    assert answer.json()["metadata"]["height_px"] == 768


@pytest.mark.prop(17)
def test_the_second_garment_on_a_person_skips_person_analysis(running: Running) -> None:
    person, garments = unlike(PERSON), [unlike(GARMENT), unlike(GARMENT)]
    first, second = (running.infer(person, garment)[-1][1] for garment in garments)
    assert first["cache"] == {"person": "miss", "garment": "miss"}
    assert second["cache"] == {"person": "hit", "garment": "miss"}
    assert "pose" in first["stage_ms"]
    assert "pose" not in second["stage_ms"]
    third = running.infer(person, garments[0])[-1][1]
    assert third["cache"] == {"person": "hit", "garment": "hit"}
    until(lambda: running.gauge("vton_person_cache_hits") >= 2, "the hits are counted")


@pytest.mark.prop(17)
def test_of_a_batch_the_person_is_analysed_once(running: Running) -> None:
    people = [{"user_image": in_json(unlike(PERSON))}]
    garments = [{"garment_image": in_json(unlike(GARMENT))} for _ in range(3)]
    url = f"{running.stack.url}/api/v1/tryon/batches"
    asked = {"people": people, "garments": garments}
    answer = httpx.post(url, json=asked, headers={"Prefer": "wait=60"}, timeout=PATIENCE_S)
    items = answer.json()["items"]
    assert [item["state"] for item in items] == ["completed"] * 3
    seen = sorted(item["metadata"]["cache"]["person"] for item in items)
    assert seen == ["hit", "hit", "miss"]


@pytest.mark.prop(32)
def test_every_line_of_every_log_is_json(running: Running) -> None:
    running.try_on(b"no picture", unlike(GARMENT))
    for part in ("torchserve", "gateway"):
        for line in running.lines(part):
            assert {"timestamp", "level", "message", "request_id"} <= line.keys()


def test_the_worker_says_it_is_ready_after_its_warm_up(running: Running) -> None:
    def told() -> list[str]:
        return [line["message"] for line in running.lines("torchserve")]

    until(lambda: "model ready" in told(), "a worker says that it is ready")
    messages = told()
    first_inference = messages.index("inference") if "inference" in messages else len(messages)
    assert messages.index("model ready") < first_inference
    (ready,) = [line for line in running.lines("torchserve") if line["message"] == "model ready"][
        :1
    ]
    assert ready["warm_up_ms"] > 0
