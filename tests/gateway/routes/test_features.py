"""What is switched off is refused by its own name, in no document, and told by health."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from gateway.app import create_app
from gateway.settings.features import FeatureSettings, features
from gateway.settings.tree import Settings
from tests.gateway.live import MINE
from tests.gateway.running import Gateway, running_gateway

pytestmark = pytest.mark.anyio
CONFIG = Path(__file__).parents[3] / "config"
EVERY = tuple(FeatureSettings.model_fields)
# One path of each, and the method that it is asked by.
PATHS = {
    "aliases": ("GET", "/api/tryon/sessions"),
    "bodies": ("POST", "/api/v1/bodies"),
    "garments": ("GET", "/api/v1/garments"),
    "person_analysis": ("POST", "/api/v1/person/analyse"),
    "recommendations": ("POST", "/api/v1/recommendations"),
    "webhooks": ("GET", "/api/v1/webhooks"),
}
WITHOUT_PATHS = {"remote_engine"}


def operations(settings: Settings) -> set[tuple[str, str]]:
    """Every operation that the document of such a gateway tells of."""
    paths = create_app(settings).openapi()["paths"]
    return {(method, path) for path, methods in paths.items() for method in methods}


async def told(gateway: Gateway) -> dict[str, Any]:
    health: dict[str, Any] = (await gateway.client.get("/health")).json()["features"]
    return health


@pytest.mark.parametrize("feature", PATHS)
async def test_what_is_off_answers_with_its_own_error(tmp_path: Path, feature: str) -> None:
    async with running_gateway(tmp_path, features={feature: False}) as gateway:
        answers = {
            name: await gateway.client.request(method, path, headers=MINE)
            for name, (method, path) in PATHS.items()
        }
        assert (await told(gateway))[feature] == {"on": False, "setting": f"features.{feature}"}
    body = answers.pop(feature).json()
    assert body["error_code"] == "SYS_9005"
    assert body["details"] == {"feature": feature, "reason": "switched_off"}
    assert "SYS_9005" not in "".join(answer.text for answer in answers.values())


def test_what_is_off_is_in_no_document() -> None:
    whole = operations(Settings())
    off = Settings.model_validate({"features": dict.fromkeys(EVERY, False)})
    gone = whole - operations(off)
    for feature in PATHS.keys() - {"aliases"}:  # which are in none
        method, path = PATHS[feature]
        assert (method.lower(), path) in gone
    assert ("post", "/api/v1/process-tryon") not in gone
    assert ("get", "/health") not in gone


def test_every_switch_is_tried_here() -> None:
    assert PATHS.keys() | WITHOUT_PATHS == set(EVERY)


async def test_without_webhooks_no_session_names_one(tmp_path: Path) -> None:
    url = "/api/v1/tryon/sessions?webhook_url=https://shop.example/hook"
    async with running_gateway(tmp_path, features={"webhooks": False}) as gateway:
        files = {
            "user_image": ("p.jpg", gateway.person, "image/jpeg"),
            "garment_image": ("g.jpg", gateway.garment, "image/jpeg"),
        }
        answer = await gateway.client.post(url, headers=MINE, files=files)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "SYS_9005")


async def test_health_lists_every_capability(gateway: Gateway) -> None:
    found = await told(gateway)
    assert set(EVERY) <= found.keys()
    assert found["anonymous_visitors"] == {"on": True, "setting": None}
    assert found["sign_in"] == {"on": False, "setting": "supabase.url"}
    assert found["remote_engine"] == {"on": False, "setting": "pixazo.key"}


@pytest.mark.parametrize("key", [None, "k" * 32])
def test_the_remote_engine_needs_its_switch_and_its_key(key: str | None) -> None:
    for is_on in (True, False):
        settings = Settings.model_validate(
            {"pixazo": {"key": key}, "features": {"remote_engine": is_on}}
        )
        assert features(settings)["remote_engine"].is_on is (is_on and key is not None)


async def test_a_remote_engine_that_is_off_is_nowhere(tmp_path: Path) -> None:
    shutil.copy(CONFIG / "pixazo.yaml", tmp_path)
    async with running_gateway(
        tmp_path, pixazo={"key": "k" * 32}, features={"remote_engine": False}
    ) as gateway:
        assert "pixazo" not in gateway.resources.registry.engines
        models = (await gateway.client.get("/api/v1/models")).text
    assert "pixazo" not in models
