"""What the gateway shows a worker of a garment, the worker reads."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from handlers.models import read_offer
from handlers.request import GarmentRequest
from tests.gateway.running import anyio_backend, quiet
from tests.gateway.steps_stand_in import stepping_gateway

__all__ = ["anyio_backend", "quiet"]

pytestmark = pytest.mark.anyio
CONFIG = Path(__file__).parents[2] / "config" / "idm_vton.yaml"
PATH = "/api/v1/garments"


async def test_a_garment_is_shown_and_forgotten_in_words_the_worker_knows(tmp_path: Path) -> None:
    offer = read_offer(yaml.safe_load(CONFIG.read_text("utf-8")))
    shutil.copy(CONFIG, tmp_path)
    async with stepping_gateway(tmp_path) as (gateway, worker):
        answer = await gateway.client.post(
            PATH,
            files={"garment_image": ("dress.jpg", gateway.garment, "image/jpeg")},
            data={"category": "dresses", "garment_description": "red", "engine": "idm_vton"},
        )
        assert answer.json()["warmed"] is True
        garment_id = answer.json()["garment_id"]
        assert (await gateway.client.delete(f"{PATH}/{garment_id}")).status_code == 204
        shown, forgotten = (read(asked, offer) for asked in worker.asked)
    assert shown.garment_image == forgotten.garment_image
    assert (shown.params.pinned, forgotten.params.pinned) == (True, False)
    assert (shown.params.category, shown.params.garment_description) == ("dresses", "red")
    assert replace(shown.params, pinned=False) == forgotten.params


def read(asked: dict[str, Any], offer: Any) -> GarmentRequest:  # noqa: ANN401 - an Offer of its own kind
    pictures = {"garment_image": asked["garment_image"]}
    return GarmentRequest.read(json.loads(asked["params"]), pictures, offer)
