"""Properties 32 to 35, 37 and 38: what is written down, and what every error looks like."""

import io
import json
import logging
import string
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from gateway.app import create_app
from gateway.domain.uploads import Upload
from gateway.errors.kinds import Misconfigured
from gateway.services.pictures import PictureService, StoredPicture
from gateway.settings.tree import PREFIX, Settings, load_settings
from gateway.telemetry import configure_logging
from tests.gateway.running import Gateway, running_gateway

pytestmark = pytest.mark.anyio
for_all = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
ALWAYS = {"timestamp", "level", "message", "request_id"}
SHAPE = {"error_code", "message", "details", "request_id"}


class Log:
    """What was written, line by line."""

    def __init__(self, stream: io.StringIO) -> None:
        self.stream = stream

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().split("\n") if line]

    def clear(self) -> None:
        self.stream.seek(0)
        self.stream.truncate()


@pytest.fixture
def log() -> Iterator[Log]:
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    configure_logging("INFO", stream=stream)
    yield Log(stream)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.prop(32)
@for_all
@given(message=st.text(), fields=st.dictionaries(st.text(string.ascii_lowercase), values))
async def test_whatever_is_logged_is_one_line_of_json(
    log: Log, message: str, fields: dict[str, Any]
) -> None:
    log.clear()
    structlog.get_logger().info(message, **{f"x_{name}": value for name, value in fields.items()})
    logging.getLogger("a.library").warning("%s", message)
    assert [line.keys() >= ALWAYS for line in log.lines()] == [True, True]


class Broken(PictureService):
    """Fails as nothing should."""

    async def keep(self, upload: Upload, keeper: str | None) -> StoredPicture:  # noqa: ARG002
        raise RuntimeError(f"cannot write /var/lib/objects for {upload.field}")


@pytest.mark.prop(33)
async def test_an_exception_is_logged_with_stack_and_context(gateway: Gateway, log: Log) -> None:
    answer = await _broken(gateway).post(
        "/api/v1/uploads", files={"file": ("a.jpg", gateway.person, "image/jpeg")}
    )
    line = next(line for line in log.lines() if line["level"] == "error")
    assert "RuntimeError: cannot write" in line["exception"]
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["user_id"] == "anonymous"
    assert line["endpoint"] == "/api/v1/uploads"
    assert (answer.status_code, answer.json()["error_code"]) == (500, "SYS_9001")
    assert "objects" not in answer.text


def _broken(gateway: Gateway) -> httpx.AsyncClient:
    pictures = object.__new__(Broken)
    resources = replace(gateway.resources, pictures=pictures)
    transport = httpx.ASGITransport(create_app(Settings(), resources))
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


@pytest.mark.prop(34)
@for_all
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]),
    path=st.sampled_from(
        [
            *("/api/v1/process-tryon", "/api/v1/person/analyse", "/api/v1/uploads"),
            *("/api/v1/bodies", "/health", "/docs"),
        ]
    )
    | st.text(string.ascii_letters + string.digits + "/.%~;=<>\"' ", max_size=20).map(
        lambda text: "/" + text
    ),
    content=st.binary(max_size=60),
    content_type=st.sampled_from(
        ["application/json", "multipart/form-data; boundary=e", "multipart/form-data", "text/x"]
    ),
)
async def test_every_error_answer_has_the_one_shape(
    gateway: Gateway, method: str, path: str, content: bytes, content_type: str
) -> None:
    url = httpx.URL("http://gateway").copy_with(path=path.partition("?")[0])
    headers = {"Content-Type": content_type}
    answer = await gateway.client.request(method, url, content=content, headers=headers)
    if answer.is_error:
        body = answer.json()
        assert body.keys() == SHAPE
        assert body["request_id"] == answer.headers["x-request-id"]
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.prop(34)
async def test_the_framework_s_own_errors_have_the_shape_too(gateway: Gateway) -> None:
    huge = {"Content-Length": str(1 << 40), "Content-Type": "application/json"}
    answers = {
        404: await gateway.client.get("/nope"),
        405: await gateway.client.delete("/api/v1/uploads"),
        413: await gateway.client.post("/api/v1/process-tryon", content=b"{}", headers=huge),
        415: await gateway.client.post("/api/v1/process-tryon", content=b"{}"),
        422: await gateway.draw(height_cm=139),
        500: await _broken(gateway).post(
            "/api/v1/uploads", files={"file": ("a.jpg", gateway.person, "image/jpeg")}
        ),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.json().keys() == SHAPE
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.prop(35)
@for_all
@given(request_id=st.from_regex(r"[A-Za-z0-9._-]{8,64}", fullmatch=True))
async def test_one_request_id_runs_through_everything(
    gateway: Gateway, log: Log, request_id: str
) -> None:
    log.clear()
    answer = await gateway.tryon(headers={"X-Request-Id": request_id})
    assert answer.headers["x-request-id"] == request_id
    assert answer.json()["request_id"] == request_id
    in_the_background = {"expired objects erased", "erasing run"}
    ids = {line["request_id"] for line in log.lines() if line["message"] not in in_the_background}
    assert ids == {request_id}
    if not answer.json()["cached"]:
        assert gateway.torchserve.asked[-1]["request_id"] == request_id
    analysis = await gateway.analyse(headers={"X-Request-Id": request_id})
    assert analysis.json()["request_id"] == request_id
    gateway.client.headers["X-Request-Id"] = request_id
    assert (await gateway.draw()).json()["request_id"] == request_id


def _leaves(model: type[BaseModel], prefix: str = PREFIX) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, field in model.model_fields.items():
        default = field.get_default()
        if isinstance(default, BaseModel):
            found |= _leaves(type(default), f"{prefix}{name.upper()}__")
        else:
            found[f"{prefix}{name.upper()}"] = default
    return found


TYPED = [name for name, default in _leaves(Settings).items() if isinstance(default, int | float)]
not_numbers = st.text(string.ascii_letters, min_size=1, max_size=8).filter(
    lambda text: (
        text.lower() not in {"true", "false", "yes", "no", "on", "off", "t", "f", "y", "n"}
        and text.lower() not in {"inf", "infinity", "nan"}
    )
)


@pytest.mark.prop(37)
@for_all
@given(name=st.sampled_from(TYPED), value=not_numbers)
async def test_a_setting_of_the_wrong_type_stops_the_start_by_name(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("VTON_ENVIRONMENT", raising=False)
        environment.setenv(name, value)
        with pytest.raises(Misconfigured, match=name):
            load_settings(tmp_path)


# A mark of its own: Hypothesis likes words of the code, and those may well be in an answer.
secrets = st.text(string.ascii_letters + string.digits + "-_.", min_size=6, max_size=34).map(
    lambda tail: f"q7Z-9x{tail}"
)


@pytest.mark.prop(38)
@for_all
@given(secret=secrets, around=st.text(max_size=10))
async def test_no_configured_secret_reaches_a_line(log: Log, secret: str, around: str) -> None:
    configure_logging("INFO", [secret], log.stream)
    log.clear()
    logger = structlog.get_logger()
    message = f"{around}{secret}"
    logger.info(message, nested={"list": [secret], secret: 1}, token=secret)
    logging.getLogger("a.library").warning("sent %s to %r", secret, {"key": secret})
    try:
        int(secret + "x")
    except ValueError:
        logger.exception("failed")
    assert secret not in log.stream.getvalue()


@pytest.mark.prop(38)
@for_all
@given(secret=secrets)
async def test_no_credential_of_a_caller_reaches_a_line_or_an_error(
    gateway: Gateway, log: Log, secret: str
) -> None:
    log.clear()
    headers = {"Authorization": f"Bearer {secret}", "Cookie": f"session={secret}"}
    key, visitor = {"X-API-Key": f"vton_{secret}"}, {"X-User-Token": secret.ljust(22, "0")}
    answers = [
        await gateway.client.get("/api/v1/auth/me", headers=key),
        await gateway.client.get("/api/v1/tryon/sessions", headers=visitor),
        await gateway.client.post(
            "/api/v1/auth/login", json={"email": "a@b.example", "password": secret}
        ),
        await gateway.client.delete("/api/v1/keys/x", headers=visitor | {"X-CSRF-Token": secret}),
        await gateway.tryon(headers=headers, fields={"steps": 3}),
        await gateway.client.get(
            f"/api/v1/results/x?expires=1&signature={secret}", headers=headers
        ),
        await gateway.client.get(f"/nope?token={secret}", headers=headers),
    ]
    assert secret not in log.stream.getvalue() + "".join(answer.text for answer in answers)


@pytest.mark.prop(38)
async def test_the_tokens_of_the_model_server_reach_no_line(tmp_path: Path, log: Log) -> None:
    token = "model-server-token"  # noqa: S105
    async with running_gateway(
        tmp_path, torchserve={"inference_token": token, "management_token": token}
    ) as gateway:
        await gateway.tryon()
        shown = f"{gateway.resources.settings!r} {log.stream.getvalue()}"
    assert token not in shown
