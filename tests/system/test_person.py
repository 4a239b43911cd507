import io
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.patience import PATIENCE_S
from tests.system.running import GARMENT, PERSON, Running, unlike

pytestmark = pytest.mark.system

BODY = {"nose", "neck", "left_shoulder", "right_shoulder", "left_hip", "right_hip"}


def analysed(running: Running, photo: bytes, request_id: str = "") -> dict[str, Any]:
    answer = httpx.post(
        f"{running.stack.url}/api/v1/person/analyse",
        files={"user_image": ("person.png", photo, "image/png")},
        data={"category": "upper_body"},
        headers={"X-Request-Id": request_id} if request_id else {},
        timeout=PATIENCE_S,
    )
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def fetched(running: Running, url: str) -> bytes:
    answer = httpx.get(httpx.URL(running.stack.url).join(url), timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    return answer.content


def pixels(encoded: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(encoded)) as opened:
        return np.asarray(opened)


def test_a_photo_is_understood_in_its_own_frame(running: Running) -> None:
    photo = unlike(PERSON)
    told = analysed(running, photo, request_id="one-analysis")
    height_px, width_px = pixels(photo).shape[:2]
    assert (told["width_px"], told["height_px"]) == (width_px, height_px)
    points = {point["name"]: point for point in told["keypoints"]}
    assert points.keys() >= BODY
    assert points["nose"]["y_px"] < points["neck"]["y_px"] < points["left_hip"]["y_px"]
    assert all(0 <= p["x_px"] < width_px and 0 <= p["y_px"] < height_px for p in points.values())
    parse_map = pixels(fetched(running, told["parse_map_url"]))
    mask = pixels(fetched(running, told["mask_url"]))
    densepose = pixels(fetched(running, told["densepose_url"]))
    assert parse_map.shape == mask.shape == (height_px, width_px)
    assert densepose.shape == (height_px, width_px, 3)
    assert set(np.unique(mask)) == {0, 255}
    shirt = parse_map == told["labels"]["upper_clothes"]
    assert shirt.mean() > 0.02
    assert mask[shirt].mean() > 0.95 * 255
    assert mask[parse_map == told["labels"]["face"]].mean() < 0.05 * 255
    assert running.inference("one-analysis")["model"] == "person"


def test_every_answering_model_is_named_with_its_terms(running: Running) -> None:
    told = analysed(running, unlike(PERSON))
    assert {model["part"] for model in told["models"]} >= {"pose"}
    assert all(model["licence"] for model in told["models"])


@pytest.mark.prop(17)
def test_the_same_photo_is_understood_once(running: Running) -> None:
    photo = unlike(PERSON)
    first, again = analysed(running, photo), analysed(running, photo)
    assert (first["cached"], again["cached"]) == (False, True)
    assert again["keypoints"] == first["keypoints"]


def test_an_edited_mask_limits_a_try_on(running: Running) -> None:
    photo = unlike(PERSON)
    mask = pixels(fetched(running, analysed(running, photo)["mask_url"])).copy()
    mask[:, : mask.shape[1] // 2] = 0  # the caller keeps the left half
    written = io.BytesIO()
    Image.fromarray(mask).save(written, "PNG")
    answer = httpx.post(
        f"{running.stack.url}/api/v1/process-tryon",
        files={
            "user_image": ("person.png", photo, "image/png"),
            "garment_image": ("garment.png", unlike(GARMENT), "image/png"),
            "mask": ("mask.png", written.getvalue(), "image/png"),
        },
        data={"category": "upper_body", "output_format": "png"},
        timeout=PATIENCE_S,
    )
    assert answer.status_code == 200, answer.text
    result = pixels(fetched(running, answer.json()["result_url"]))
    before = pixels(photo)
    assert result.shape == before.shape
    half = before.shape[1] // 2
    assert np.array_equal(result[:, :half], before[:, :half])
    assert (result[:, half:] != before[:, half:]).any()


def test_a_photo_of_nobody_is_declined(running: Running) -> None:
    wall = io.BytesIO()
    Image.new("RGB", (600, 800), (120, 130, 140)).save(wall, "PNG")
    answer = httpx.post(
        f"{running.stack.url}/api/v1/person/analyse",
        files={"user_image": ("wall.png", wall.getvalue(), "image/png")},
        timeout=PATIENCE_S,
    )
    assert answer.status_code == 422
    assert answer.json()["error_code"] == "ML_4005"
