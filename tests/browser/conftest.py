"""A real Chromium in front of a real stack, or of the site that VTON_SITE names."""

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from gateway.stack.plan import plan_for
from gateway.stack.running import Stack
from tests.documentation import ROOT
from tests.gateway.running import HANGS_S

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PHONE = ViewportSize(width=360, height=740)
expect.set_options(timeout=1000 * HANGS_S)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder: an open browser holds this thread's event loop for good."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running product."""
    if "VTON_SITE" in os.environ:
        yield os.environ["VTON_SITE"]
        return
    folder = tmp_path_factory.mktemp("stack")
    settings = {"VTON_STORAGE__URL": (folder / "objects").as_uri()}
    plan = plan_for(ROOT, ["geometric"])
    plan = replace(plan, logs=folder / "logs", settings=plan.settings | settings, stand_ins=True)
    with Stack(plan, threading.Event()) as stack:
        yield stack.url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium: the one VTON_CHROMIUM names, the system's, or Playwright's own."""
    path = os.environ.get("VTON_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=path, args=list(_FLAGS), timeout=1000 * HANGS_S
        )
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """The fitting room, open on a phone; a script error or a blocked resource fails the test."""
    context = browser.new_context(viewport=PHONE, reduced_motion="reduce")
    context.set_default_timeout(1000 * HANGS_S)
    opened = context.new_page()
    faults: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "/api/" not in message.location["url"]:
            faults.append(message.text)

    opened.on("console", note)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(site)
    opened.locator("#go:enabled").wait_for()
    yield opened
    context.close()
    assert faults == []
