import re
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from gateway.errors.kinds import Misconfigured
from gateway.settings.tree import PREFIX, Environment, Settings, load_settings

CONFIG = Path(__file__).parents[3] / "config"
EXAMPLE = (CONFIG / "gateway.example.env").read_text("utf-8")
LINE = re.compile(r"^(VTON_[A-Z0-9_]+)=(.*)$", re.MULTILINE)


def defaults(tree: BaseModel, prefix: str = PREFIX) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in type(tree).model_fields:
        value = getattr(tree, name)
        if isinstance(value, BaseModel):
            found |= defaults(value, f"{prefix}{name.upper()}__")
        else:
            found[f"{prefix}{name.upper()}"] = value
    return found


def spelled(value: object) -> str:
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in defaults(Settings()):
        monkeypatch.delenv(name, raising=False)


def test_the_example_lists_every_setting_with_its_default_and_no_other() -> None:
    listed = dict(LINE.findall(EXAMPLE))
    assert listed == {name: spelled(value) for name, value in defaults(Settings()).items()}


def test_every_setting_is_described_in_the_line_above_it() -> None:
    lines = EXAMPLE.splitlines()
    for above, line in pairwise(lines):
        assert not line.startswith(PREFIX) or above.startswith("# "), line


@pytest.mark.parametrize("environment", Environment)
def test_the_shipped_files_start_once_the_secret_is_given(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VTON_ENVIRONMENT", environment)
    monkeypatch.setenv("VTON_STORAGE__SIGNING_SECRET", "x" * 40)
    assert load_settings(CONFIG).environment is environment


def test_the_environment_outranks_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "development.env").write_text("VTON_HTTP__PORT=1\nVTON_LOG_LEVEL=DEBUG\n")
    monkeypatch.setenv("VTON_HTTP__PORT", "2")
    settings = load_settings(tmp_path)
    assert (settings.http.port, settings.log_level) == (2, "DEBUG")


def test_an_unknown_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTON_ENVIRONMENT", "moon")
    with pytest.raises(Misconfigured, match="VTON_ENVIRONMENT"):
        load_settings(CONFIG)


def test_secrets_are_masked_wherever_settings_are_shown() -> None:
    settings = Settings.model_validate({"storage": {"signing_secret": "hunter2-hunter2"}})
    assert "hunter2" not in f"{settings!r} {settings.model_dump_json()}"
    assert settings.secrets() == ["hunter2-hunter2"]
