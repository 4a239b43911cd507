"""The OpenAPI document, and whether the gateway keeps to it."""

import os
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance

from gateway.app import create_app
from gateway.documentation.reference import STYLE
from gateway.errors.codes import ErrorCode
from gateway.settings.tree import Settings
from tests.gateway.recommending import recommending
from tests.gateway.running import Gateway
from tests.gateway.torchserve_stand_in import serve

pytestmark = pytest.mark.anyio
EXAMPLES = int(os.environ.get("VTON_EXAMPLES", "25"))
"""Requests for each operation and mode; `make test-api` sends more."""
REFUSALS = {400, 413, 415, 422}
MORE_THAN_A_SCHEMA = {
    # Bytes that fit `format: binary` are rarely a picture of the declared type.
    "POST /api/v1/process-tryon",
    "POST /api/v1/tryon/sessions",
    "POST /api/v1/garments",
    "POST /api/v1/person/analyse",
    "POST /api/v1/recommendations",
    "POST /api/v1/uploads",
    # One of two fields, and never both.
    "POST /api/v1/tryon/batches",
    # What the engine that is deployed cannot do.
    "POST /api/v1/bodies",
    # A cursor is what the page before ended with.
    "GET /api/v1/garments",
}
"""Operations that may refuse what fits the document: each such answer says why."""


async def test_every_operation_is_described_with_its_errors_and_examples(gateway: Gateway) -> None:
    document = (await gateway.client.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            assert operation["description"]
            for status, answer in operation["responses"].items():
                if int(status) >= 400 and path.startswith("/api"):
                    _check_examples(answer)


def _check_examples(answer: dict[str, Any]) -> None:
    content = answer["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/ErrorResponse"}
    for example in content["examples"].values():
        assert example["value"]["error_code"] in set(ErrorCode)


async def test_every_reference_leads_somewhere(gateway: Gateway) -> None:
    answer = await gateway.client.get("/openapi.json")
    schemas = answer.json()["components"]["schemas"]
    for part in answer.text.split('"#/components/schemas/')[1:]:
        assert part.partition('"')[0] in schemas


async def test_the_reference_shows_every_operation_and_needs_no_network(gateway: Gateway) -> None:
    page = await gateway.client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for path in (await gateway.client.get("/openapi.json")).json()["paths"]:
        assert path in page.text
    assert "<script" not in page.text
    assert "https://" not in page.text
    digest = b64encode(sha256(STYLE.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.headers["content-security-policy"]
    assert f"<style>{STYLE}</style>" in page.text


async def test_the_documentation_can_be_switched_off(gateway: Gateway) -> None:
    app = create_app(Settings.model_validate({"http": {"docs": False}}), gateway.resources)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway"
    ) as client:
        for path in ("/docs", "/openapi.json"):
            assert (await client.get(path)).status_code == 404


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """A gateway on a real port, in front of stand-ins."""
    async with (
        recommending(folder) as opened,
        serve(create_app(Settings(), opened.gateway.resources)) as url,
    ):
        yield url


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    """The gateway's own document, as it serves it."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(served(tmp_path_factory.mktemp("config"))) as url,
    ):
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


@st.composite
def _drawable(draw: st.DrawFn, cases: st.SearchStrategy[Any]) -> schemathesis.Case[Any]:
    """Skip the cases that the generator itself cannot mutate: file parts, now and then."""
    try:
        case: schemathesis.Case[Any] = draw(cases)
    except ValueError as broken:
        if "Unsupported type: 'Binary'" in str(broken):
            reject()
        raise
    return case


@pytest.mark.parametrize("mode", GenerationMode)
def test_the_gateway_keeps_to_its_document(api: BaseSchema, mode: GenerationMode) -> None:
    for found in api.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]  # a broken document fails here
        takes_input = operation.body or list(operation.iter_parameters())
        if mode is GenerationMode.NEGATIVE and not takes_input:
            continue
        name = f"{operation.method.upper()} {operation.path}"
        excluded = [positive_data_acceptance] if name in MORE_THAN_A_SCHEMA else []
        _keeps_to_it(operation.as_strategy(generation_mode=mode), excluded)


def _keeps_to_it(cases: st.SearchStrategy[Any], excluded: list[Any]) -> None:
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=_drawable(cases))
    def keeps_to_it(case: schemathesis.Case[Any]) -> None:
        answer = case.call_and_validate(excluded_checks=excluded)
        if answer.status_code in REFUSALS:
            assert answer.json()["details"], "a refusal says why"

    keeps_to_it()
