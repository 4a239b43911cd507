import re
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import psutil
import pytest

from gateway.cli.main import main
from gateway.stack.plan import plan_for
from gateway.stack.running import Stack
from handlers.archive import pack
from tests.handlers.torchserve_rows import ROOT
from tests.patience import PATIENCE_S
from tests.system.running import GARMENT, PERSON, Running, patient, unlike, until

pytestmark = [pytest.mark.system, pytest.mark.slow]

TOKEN = "the-token-of-whoever-runs-this-place"  # noqa: S105 - the tests' own
EVERY_S = 2.0
AT_ONCE = 4
SMALL = {"width_px": "512", "height_px": "768"}
ADMIN = "/api/v1/admin/models/geometric"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack of its own: its model store has 1.1.0, and 1.2.0 whose worker cannot start."""
    folder = tmp_path_factory.mktemp("rollout")
    store, sound, broken = folder / "store", patient(folder / "config"), folder / "broken"
    shutil.copytree(ROOT / "config", broken)
    text = (broken / "geometric.yaml").read_text()
    (broken / "geometric.yaml").write_text(
        re.sub("max_input_pixels: .*", "max_input_pixels: 1", text)
    )
    for version, config in (("1.0.0", sound), ("1.1.0", sound), ("1.2.0", broken)):
        pack("geometric", config / "geometric.yaml", store, version, is_versioned=True)
    settings = {
        "VTON_STORAGE__URL": (folder / "objects").as_uri(),
        "VTON_ADMIN__TOKEN": TOKEN,
        "VTON_ROLLOUT__SLOWDOWN": "1000",  # two workers share the test's cores
    }
    plan = plan_for(ROOT, ["geometric"], config=sound)
    plan = replace(plan, logs=folder / "logs", store=store, settings=plan.settings | settings)
    with Stack(plan, threading.Event()) as stack:
        yield Running(stack, folder / "logs")


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTON_ADMIN__TOKEN", TOKEN)


def try_on(place: Running) -> httpx.Response:
    return place.try_on(unlike(PERSON), unlike(GARMENT), options=SMALL)


@contextmanager
def traffic(place: Running) -> Iterator[list[Future[httpx.Response]]]:
    """Try-ons at a steady pace, as long as a few at most wait for their answers."""
    asked: list[Future[httpx.Response]] = []
    is_over = threading.Event()
    with ThreadPoolExecutor(AT_ONCE + 1) as pool:

        def keep_asking() -> None:
            while not is_over.wait(EVERY_S):
                if sum(not one.done() for one in asked) < AT_ONCE:
                    asked.append(pool.submit(try_on, place))

        asking = pool.submit(keep_asking)
        try:
            yield asked
        finally:
            is_over.set()
            asking.result()


def served_by(asked: list[Future[httpx.Response]]) -> list[str]:
    """The version that served each request; fails the test for one that was not served."""
    answers = [one.result(PATIENCE_S) for one in asked]
    assert [a.text for a in answers if a.status_code != 200] == []
    return [a.json()["model_version"] for a in answers]


def roll(place: Running, *wish: str) -> int:
    """The command line's exit status."""
    return main(["rollout", "geometric", *wish, "--url", place.stack.url])


def versions(place: Running) -> dict[str, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    told = httpx.get(
        f"{place.stack.url}{ADMIN}/versions", headers=headers, timeout=PATIENCE_S
    ).json()
    return {one["version"]: one for one in told["versions"]}


def test_a_version_is_rolled_out_and_back_and_every_request_is_served(
    place: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    with traffic(place) as asked:
        assert roll(place, "1.1.0", "--share", "0.5", "--canary-s", "12") == 0
        assert [*versions(place)] == ["1.1.0"]
        assert roll(place, "1.0.0") == 0
    served = served_by(asked)
    assert {*served} == {"1.0.0", "1.1.0"}
    assert [*versions(place)] == ["1.0.0"]
    told = capsys.readouterr().err
    for word in ("registering", "warming", "canary", "shifting", "draining", "done"):
        assert word in told


def test_a_worker_that_cannot_start_leaves_the_version_before(
    place: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    with traffic(place) as asked:
        assert roll(place, "1.2.0") == 1
    assert {*served_by(asked)} == {"1.0.0"}
    assert "failed: worker_not_ready" in capsys.readouterr().err
    assert [*versions(place)] == ["1.0.0"]


def test_an_archive_that_was_changed_is_refused(
    place: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    store = place.stack.store
    (store / "geometric-1.3.0.mar").write_bytes((store / "geometric-1.1.0.mar").read_bytes())
    assert roll(place, "1.3.0") == 1
    assert "VAL_2001" in (told := capsys.readouterr().err)
    assert "SHA256SUMS" in told
    assert [*versions(place)] == ["1.0.0"]


def test_an_old_worker_that_dies_as_it_drains_takes_nobody_along(place: Running) -> None:
    asked_for = {"url": "geometric-1.1.0.mar", "initial_workers": "1", "synchronous": "false"}
    httpx.post(f"{place.stack.management_url}/models", params=asked_for, timeout=PATIENCE_S)
    until(lambda: versions(place)["1.1.0"]["ready_workers"] == 1, "the new version is warm")
    old = psutil.Process(int(place.model()["workers"][0]["pid"]))
    with ThreadPoolExecutor(8) as pool:
        old.send_signal(signal.SIGSTOP)
        asked = [pool.submit(try_on, place) for _ in range(5)]
        until(lambda: versions(place)["1.0.0"]["in_flight"] == 5, "all are on the old version")
        rolled = pool.submit(roll, place, "1.1.0")
        until(lambda: versions(place).get("1.1.0", {}).get("is_default", False), "it has shifted")
        assert not rolled.done()
        assert versions(place)["1.0.0"]["in_flight"] == 5
        old.kill()
        assert served_by(asked) == ["1.1.0"] * 5
        assert rolled.result(PATIENCE_S) == 0
    assert [*versions(place)] == ["1.1.0"]
    assert roll(place, "1.0.0") == 0


def test_another_token_is_told(
    place: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VTON_ADMIN__TOKEN", "guess")
    assert roll(place, "1.1.0") == 1
    assert "AUTH_1001" in capsys.readouterr().err
    monkeypatch.delenv("VTON_ADMIN__TOKEN")
    assert roll(place, "1.1.0") == 1
    assert "VTON_ADMIN__TOKEN is not set" in capsys.readouterr().err
