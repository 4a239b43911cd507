"""The OpenAPI document, and whether the gateway keeps to it."""

import os
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
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
from schemathesis.specs.openapi import formats, media_types
from schemathesis.specs.openapi.checks import positive_data_acceptance

from gateway.app import create_app
from gateway.documentation.reference import STYLE
from gateway.errors.codes import ErrorCode
from gateway.settings.tree import Settings
from tests.gateway import pictures
from tests.gateway.recommending import recommending
from tests.gateway.running import Gateway
from tests.gateway.torchserve_stand_in import serve

pytestmark = pytest.mark.anyio
EXAMPLES = int(os.environ.get("VTON_EXAMPLES", "25"))
"""Requests for each operation and mode; `make test-api` sends more."""
REFUSALS = {400, 413, 415, 422}
SIZE_PX = (96, 120)
"""Of every picture that is sent: a mask lies on its photo."""
_URL = r"https?://[a-z]{1,20}\.example(:[1-9][0-9]{0,3})?(/[a-z0-9]{0,9}){0,3}(\?[a-z]{1,9}=[0-9]{1,9})?"
BEYOND_A_SCHEMA = {
    "VAL_2001": (
        "cannot honour this",  # which options there are depends on the engine that is named
        "for the engine '",  # and so do their ranges
        "is given twice",  # an option of a form is a field, or within `options`
        "are taken",  # how many items a batch makes is a product
        "needs X-User-Token",  # one header may not come without another
        "for this caller",  # what is allowed depends on who asks
    ),
    "VAL_2004": ("content of the file is not what it was declared",),  # a JPEG called a PNG
}
"""Why what fits the document may be refused all the same, by code: words of the refusal."""


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


async def test_the_document_says_what_this_deployment_has(gateway: Gateway) -> None:
    schemas = (await gateway.client.get("/openapi.json")).json()["components"]["schemas"]
    for name in ("TryOnForm", "GarmentForm"):
        assert schemas[name]["properties"]["engine"]["enum"] == ["diffusion", "geometric"]
    drawn = schemas["BodiesBody"]["properties"]
    assert drawn["pose"]["anyOf"] == [{"type": "null"}]
    assert {"type": "null"} in drawn["steps"]["anyOf"]
    assert len(drawn["steps"]["anyOf"]) == 2


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


@contextmanager
def _photos() -> Iterator[None]:
    """Have every file that is sent be a picture of the type that it is declared to be."""
    files = {kind: getattr(pictures, kind)(SIZE_PX) for kind in ("jpeg", "png", "webp")}
    for kind, file in files.items():
        schemathesis.openapi.media_type(f"image/{kind}", st.just(file))
    encoded = [b64encode(file).decode() for file in files.values()]
    schemathesis.openapi.format("byte", st.sampled_from(encoded))
    schemathesis.openapi.format("uri", st.from_regex(_URL, fullmatch=True))
    try:
        yield
    finally:
        media_types.unregister_all()
        formats.unregister_string_format("byte")
        formats.unregister_string_format("uri")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the gateway is."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(served(tmp_path_factory.mktemp("config"))) as url,
    ):
        yield url


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
def test_the_gateway_keeps_to_its_document(url: str, mode: GenerationMode) -> None:
    with _photos():
        for found in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations():
            operation = found.ok()  # type: ignore[union-attr]  # a broken document fails here
            takes_input = operation.body or list(operation.iter_parameters())
            if mode is GenerationMode.POSITIVE or takes_input:
                _keeps_to_it(operation.as_strategy(generation_mode=mode))


def _keeps_to_it(cases: st.SearchStrategy[Any]) -> None:
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=_drawable(cases))
    def keeps_to_it(case: schemathesis.Case[Any]) -> None:
        answer = case.call()
        excluded: list[Any] = [positive_data_acceptance] if _is_beyond_a_schema(answer) else []
        case.validate_response(answer, excluded_checks=excluded)
        if answer.status_code in REFUSALS:
            assert answer.json()["details"], "a refusal says why"

    keeps_to_it()


def _is_beyond_a_schema(answer: schemathesis.Response) -> bool:
    """Whether a refusal is for reasons alone that no schema can say."""
    if answer.status_code not in REFUSALS:
        return False
    told = answer.json()
    known = BEYOND_A_SCHEMA.get(told["error_code"], ())
    said = [one["message"] for one in told["details"].get("fields", ())] or [told["message"]]
    return all(any(words in message for words in known) for message in said)
