from pathlib import Path

import pytest

from handlers import places


def test_a_relative_path_is_relative_to_the_servers_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(places.HOME, "/srv")
    assert places.resolve("models/idm-vton") == Path("/srv/models/idm-vton")
    assert places.resolve("/data/idm-vton") == Path("/data/idm-vton")


def test_the_environment_outranks_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(places.HOME, "/srv")
    monkeypatch.setenv("VTON_IDM_VTON_MODEL", "/elsewhere")
    assert places.resolve("models/idm-vton", "VTON_IDM_VTON_MODEL") == Path("/elsewhere")
    monkeypatch.setenv("VTON_IDM_VTON_MODEL", "")
    assert places.resolve("models/idm-vton", "VTON_IDM_VTON_MODEL") == Path("/srv/models/idm-vton")


def test_what_nobody_names_lies_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(places.HOME, "/srv")
    monkeypatch.delenv("VTON_SAFETY_MODEL", raising=False)
    assert places.resolve_wished("", "VTON_SAFETY_MODEL") is None
    assert places.resolve_wished("models/safety") == Path("/srv/models/safety")
    monkeypatch.setenv("VTON_SAFETY_MODEL", "/elsewhere")
    assert places.resolve_wished("", "VTON_SAFETY_MODEL") == Path("/elsewhere")
