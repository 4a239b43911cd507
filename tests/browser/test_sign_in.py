"""The sign-in in a real browser: a page without a session leads there, and back."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from playwright.sync_api import Browser, Page, expect

from gateway.app import create_app
from tests.gateway.running import HANGS_S
from tests.gateway.signing_in import ADA, signing_in
from tests.gateway.torchserve_stand_in import serve

pytestmark = pytest.mark.slow


@asynccontextmanager
async def signing_in_on_a_port(folder: Path) -> AsyncIterator[str]:
    """A gateway that lets in nobody who has not signed in."""
    told = {"identity": {"anonymous": False}, "supabase": {"secure_cookies": False}}
    async with signing_in(folder, **told) as place:
        resources = place.gateway.resources
        async with serve(create_app(resources.settings, resources)) as url:
            yield url


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    folder = tmp_path_factory.mktemp("signing_in")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(signing_in_on_a_port(folder)) as url,
    ):
        yield url


def fill(page: Page, password: str) -> None:
    page.get_by_label("E-mail address").fill(ADA["email"])
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.prop(1)
def test_one_signs_in_and_out_by_keyboard_and_eye(browser: Browser, guarded: str) -> None:
    context = browser.new_context()
    context.set_default_timeout(1000 * HANGS_S)
    page = context.new_page()
    page.goto(guarded)
    expect(page).to_have_url(f"{guarded}/sign-in.html?next=%2F")
    fill(page, "a guess")
    expect(page.get_by_role("alert")).to_have_text("The e-mail address or the password is wrong.")
    fill(page, ADA["password"])
    expect(page).to_have_url(f"{guarded}/")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{guarded}/sign-in.html")
    page.goto(guarded)
    expect(page).to_have_url(f"{guarded}/sign-in.html?next=%2F")
    context.close()


def test_who_is_signed_in_passes_the_sign_in_page_and_goes_nowhere_else(
    browser: Browser, guarded: str
) -> None:
    context = browser.new_context()
    context.set_default_timeout(1000 * HANGS_S)
    page = context.new_page()
    page.goto(f"{guarded}/sign-in.html?next=https://evil.example/")
    fill(page, ADA["password"])
    expect(page).to_have_url(f"{guarded}/")
    page.goto(f"{guarded}/sign-in.html?next=//evil.example/")
    expect(page).to_have_url(f"{guarded}/")
    # The access token alone is lost: the refresh token brings another.
    context.clear_cookies(name="vton_access")
    page.goto(guarded)
    expect(page).to_have_url(f"{guarded}/")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    context.close()
