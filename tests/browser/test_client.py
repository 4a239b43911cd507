"""The JavaScript client by itself: what it sends, what it throws, how it waits."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route

PATH = "**/api/v1/process-tryon"
ANSWER: dict[str, Any] = {
    "request_id": "r1",
    "result_url": "/api/v1/results/x.jpg?expires=1&signature=s",
    "expires_at": "2026-11-22T00:00:00Z",
    "engine": "geometric",
    "model_version": "1.0.0",
    "cached": False,
    "processing_time_ms": 640.5,
    "metadata": {"kept_share": 0.8, "warnings": [{"code": "c", "message": "m"}]},
}
CALL = """async ({ settings, request, abortMs, timeoutMs }) => {
  const { TryOnClient } = await import("/client.js");
  const picture = new Blob(["pixels"], { type: "image/png" });
  const call = { timeoutMs };
  if (abortMs !== undefined) call.signal = AbortSignal.timeout(abortMs);
  try {
    const asked = { userImage: picture, garmentImage: picture, ...request };
    return await new TryOnClient(settings).tryOn(asked, call);
  } catch (error) {
    return {
      name: error.name, message: error.message, code: error.code, status: error.status,
      requestId: error.requestId, retryAfterS: error.retryAfterS, fields: error.fields,
      image: error.image, reason: error.reason,
    };
  }
}"""


def call(
    page: Page,
    settings: dict[str, Any] | None = None,
    request: dict[str, Any] | None = None,
    abort_ms: int | None = None,
    timeout_ms: int | None = None,
) -> dict[str, Any]:
    given: dict[str, Any] = {"settings": settings or {}, "request": request or {}}
    if abort_ms is not None:
        given["abortMs"] = abort_ms
    if timeout_ms is not None:
        given["timeoutMs"] = timeout_ms
    result: dict[str, Any] = page.evaluate(CALL, given)
    return result


def answer(
    page: Page, status: int, body: dict[str, Any], headers: dict[str, str] | None = None
) -> None:
    page.route(PATH, lambda route: route.fulfill(status=status, headers=headers, json=body))


def test_a_result_is_read(page: Page) -> None:
    answer(page, 200, ANSWER)
    result = call(page)
    assert result["resultUrl"].startswith("http://")
    assert result["resultUrl"].endswith("/api/v1/results/x.jpg?expires=1&signature=s")
    assert (result["keptShare"], result["confidence"]) == (0.8, None)
    assert result["warnings"] == [{"code": "c", "message": "m"}]


def test_every_sample_has_its_link(page: Page) -> None:
    urls = [f"/api/v1/results/{name}.jpg" for name in "xyz"]
    answer(page, 200, ANSWER | {"result_urls": urls})
    assert [url.rpartition("/api")[2] for url in call(page)["resultUrls"]] == [
        url.removeprefix("/api") for url in urls
    ]


ANALYSIS: dict[str, Any] = {
    "request_id": "r2",
    "mask_url": "/api/v1/results/m.png?s",
    "parse_map_url": "/api/v1/results/p.png?s",
    "densepose_url": "/api/v1/results/d.png?s",
    "expires_at": "2026-11-22T00:00:00Z",
    "width_px": 768,
    "height_px": 1024,
    "keypoints": [{"name": "nose", "x_px": 1.5, "y_px": 2, "confidence": 0.9}],
    "labels": {"background": 0},
    "warnings": [],
}
ANALYSE = """async () => {
  const { TryOnClient } = await import("/client.js");
  const userImage = new Blob(["pixels"], { type: "image/png" });
  return new TryOnClient().analyse({ userImage, category: "dresses", autoCrop: false });
}"""


def test_an_analysis_is_asked_for_and_read(page: Page) -> None:
    sent: list[str] = []

    def keep(route: Route) -> None:
        sent.append(route.request.post_data or "")
        route.fulfill(json=ANALYSIS)

    page.route("**/api/v1/person/analyse", keep)
    analysis = page.evaluate(ANALYSE)
    assert '{"category":"dresses","auto_crop":false}' in sent[0]
    assert analysis["maskUrl"].endswith("/api/v1/results/m.png?s")
    assert analysis["maskUrl"].startswith("http://")
    assert (analysis["widthPx"], analysis["labels"]) == (768, {"background": 0})
    assert analysis["keypoints"] == ANALYSIS["keypoints"]


def test_options_go_out_under_the_apis_names(page: Page) -> None:
    sent: list[str] = []

    def keep(route: Route) -> None:
        sent.append(route.request.post_data or "")
        route.fulfill(json=ANSWER)

    page.route(PATH, keep)
    call(page, request={"category": "dresses", "widthPx": 600, "outputFormat": "webp"})
    assert '{"category":"dresses","width_px":600,"output_format":"webp"}' in sent[0]


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (422, "VAL_2001", "InvalidInputError"),
        (413, "VAL_2002", "InvalidInputError"),
        (422, "ML_4004", "InvalidInputError"),
        (422, "ML_4005", "UnfitPictureError"),
        (429, "RATE_3001", "BusyError"),
        (503, "ML_4001", "BusyError"),
        (502, "ML_4002", "ServerError"),
        (500, "SYS_9001", "ServerError"),
        (401, "AUTH_1001", "TryOnError"),
    ],
)
def test_every_failure_has_its_type(page: Page, status: int, code: str, name: str) -> None:
    told = {"error_code": code, "message": "told", "details": {}, "request_id": "r9"}
    answer(page, status, told)
    thrown = call(page)
    assert (thrown["name"], thrown["code"], thrown["status"]) == (name, code, status)
    assert (thrown["message"], thrown["requestId"]) == ("told", "r9")


def test_details_are_typed(page: Page) -> None:
    wrong = [{"field": "seed", "message": "must be a whole number"}]
    answer(page, 422, {"error_code": "VAL_2001", "details": {"fields": wrong}})
    assert call(page)["fields"] == wrong
    details = {"image": "garment_image", "reason": "no_garment"}
    answer(page, 422, {"error_code": "ML_4005", "details": details})
    thrown = call(page)
    assert (thrown["image"], thrown["reason"]) == ("garment_image", "no_garment")


def test_an_answer_that_is_not_the_apis_is_still_an_error(page: Page) -> None:
    page.route(PATH, lambda route: route.fulfill(status=502, body="<html>bad gateway</html>"))
    thrown = call(page)
    assert (thrown["name"], thrown["message"]) == ("ServerError", "The server answered 502.")


def test_what_would_take_too_long_is_not_asked_again(page: Page) -> None:
    asked: list[Route] = []

    def late(route: Route) -> None:
        asked.append(route)
        told = {"error_code": "ML_4007", "details": {"estimate_s": 0.4, "within_s": 0.1}}
        route.fulfill(status=503, headers={"Retry-After": "1"}, json=told)

    page.route(PATH, late)
    thrown = call(page, request={"deadlineS": 0.1})
    assert (thrown["name"], thrown["code"], thrown["retryAfterS"]) == ("BusyError", "ML_4007", 1)
    assert len(asked) == 1


STREAM = """event: progress
data: {"stage": "queue", "step": 0, "of": 8, "queue_position": 1, "estimate_s": 4.5}

: still here

event: preview
data: {"step": 2, "of": 8, "image": "data:image/jpeg;base64,AA=="}

event: %s
data: %s

"""
HEAR = """async () => {
  const { TryOnClient } = await import("/client.js");
  const userImage = new Blob(["pixels"], { type: "image/png" });
  const heard = [];
  const call = { onProgress: (p) => heard.push(p), onPreview: (p) => heard.push(p) };
  try {
    const asked = { userImage, garmentId: "g1", previewEvery: 2 };
    return { heard, result: await new TryOnClient().tryOn(asked, call) };
  } catch (error) {
    return { heard, name: error.name, message: error.message, requestId: error.requestId };
  }
}"""


def test_who_wants_to_hear_gets_a_stream_of_events(page: Page) -> None:
    asked: list[tuple[str, str]] = []

    def tell(route: Route) -> None:
        asked.append((route.request.headers["accept"], route.request.post_data or ""))
        body = STREAM % ("result", json.dumps(ANSWER))
        route.fulfill(body=body, content_type="text/event-stream")

    page.route(PATH, tell)
    told = page.evaluate(HEAR)
    assert told["heard"] == [
        {"stage": "queue", "step": 0, "of": 8, "queuePosition": 1, "estimateS": 4.5},
        {"step": 2, "of": 8, "url": "data:image/jpeg;base64,AA=="},
    ]
    assert told["result"]["requestId"] == "r1"
    [(accept, body)] = asked
    assert accept == "text/event-stream"
    assert '{"garment_id":"g1","preview_every":2}' in body
    assert "garment_image" not in body


@pytest.mark.parametrize(
    ("name", "data", "thrown", "message"),
    [
        ("error", {"error_code": "ML_4005", "message": "Nobody."}, "UnfitPictureError", "Nobody."),
        ("error", {"error_code": "RATE_3002", "message": "Full."}, "BusyError", "Full."),
        ("error", {"error_code": "ML_4002", "message": "Broke."}, "ServerError", "Broke."),
        ("progress", {"step": 1}, "UnreachableError", "The connection was lost."),
    ],
)
def test_a_stream_may_end_otherwise(
    page: Page, name: str, data: dict[str, Any], thrown: str, message: str
) -> None:
    body = STREAM % (name, json.dumps({"request_id": "r3"} | data))
    page.route(PATH, lambda route: route.fulfill(body=body, content_type="text/event-stream"))
    told = page.evaluate(HEAR)
    assert (told["name"], told["message"]) == (thrown, message)


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (2, 3)])
def test_busy_is_asked_again_as_often_as_allowed(page: Page, retries: int, attempts: int) -> None:
    asked: list[Route] = []

    def busy(route: Route) -> None:
        asked.append(route)
        route.fulfill(status=503, headers={"Retry-After": "0"}, json={})

    page.route(PATH, busy)
    assert call(page, {"retries": retries})["name"] == "BusyError"
    assert len(asked) == attempts


def test_a_long_wait_is_left_to_the_caller(page: Page) -> None:
    answer(page, 429, {}, {"Retry-After": "3600"})
    thrown = call(page)
    assert (thrown["name"], thrown["retryAfterS"]) == ("BusyError", 3600)


def test_no_answer_in_time_is_an_error(page: Page) -> None:
    page.route(PATH, lambda _: None)
    assert call(page, {"timeoutMs": 50})["name"] == "TimedOutError"


def test_a_call_may_be_given_more_or_less_time(page: Page) -> None:
    page.route(PATH, lambda _: None)
    thrown = call(page, {"timeoutMs": 60_000}, timeout_ms=50)
    assert (thrown["name"], thrown["message"]) == ("TimedOutError", "No answer within 0.05 s.")


def test_the_caller_can_give_up_even_while_waiting(page: Page) -> None:
    answer(page, 503, {}, {"Retry-After": "15"})
    assert call(page, abort_ms=50)["name"] == "TimeoutError"


def test_a_server_that_is_away_is_told(page: Page) -> None:
    page.route(PATH, lambda route: route.abort("connectionrefused"))
    assert call(page)["name"] == "UnreachableError"
