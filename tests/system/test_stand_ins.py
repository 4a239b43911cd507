"""The whole stack on made-up outside services: somebody signs in, and has a key made."""

import threading
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.stack.plan import plan_for
from gateway.stack.running import Stack
from tests.documentation import ROOT
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow


def test_the_stack_runs_on_stand_ins_and_says_so(tmp_path: Path) -> None:
    plan = plan_for(ROOT, ["geometric"])
    settings = plan.settings | {"VTON_STORAGE__URL": (tmp_path / "objects").as_uri()}
    plan = replace(plan, logs=tmp_path / "logs", settings=settings, stand_ins=True)
    with (
        Stack(plan, threading.Event()) as stack,
        httpx.Client(base_url=stack.url, timeout=PATIENCE_S) as browser,
    ):
        told = browser.get("/health").json()["features"]
        assert [told[name]["on"] for name in ("recommendations", "stand_ins")] == [True, True]
        browser.headers["Origin"] = stack.url
        account = {"email": "ada@example.org", "password": "ada's password"}
        assert browser.post("/api/v1/auth/login", json=account).status_code == 200
        browser.headers["X-CSRF-Token"] = browser.cookies["vton_csrf"]
        assert browser.post("/api/v1/auth/refresh").status_code == 200
        key = browser.post("/api/v1/keys", json={"name": "server"}).json()["key"]
        headers = {"Authorization": f"Bearer {key}"}
        me = httpx.get(f"{stack.url}/api/v1/auth/me", headers=headers, timeout=PATIENCE_S).json()
        assert (me["kind"], me["can_sign_in"]) == ("api_key", True)
        assert browser.post("/api/v1/auth/logout", json={}).status_code == 204
