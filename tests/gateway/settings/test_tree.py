import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import BaseModel

from gateway.domain.redaction import MASK
from gateway.errors.kinds import Misconfigured
from gateway.settings import listing
from gateway.settings.tree import PREFIX, Environment, Settings, load_settings

CONFIG = Path(__file__).parents[3] / "config"
EXAMPLE = (CONFIG / "gateway.example.env").read_text("utf-8")
LINE = re.compile(r"^(VTON_[A-Z0-9_]+)=(.*)$", re.MULTILINE)
UNITS = {"S": "seconds", "BYTES": "bytes", "PX": "pixels"}


def names(tree: BaseModel, prefix: str = PREFIX) -> Iterator[str]:
    """Every setting of the code, walked by its own means."""
    for name, value in tree:
        if isinstance(value, BaseModel):
            yield from names(value, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}"


NAMES = sorted(names(Settings.model_construct()))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_the_example_lists_every_setting_once_and_no_other() -> None:
    listed = [name for name, _ in LINE.findall(EXAMPLE)]
    assert sorted(listed) == NAMES


def test_the_example_says_the_units_and_defaults_of_the_code() -> None:
    assert EXAMPLE.endswith(f"\n\n{listing.defaults()}"), "run: python -m tests.documentation"


def test_read_back_the_example_changes_nothing(tmp_path: Path) -> None:
    told = LINE.sub(lambda line: line[0] if line[2] else "", EXAMPLE)
    (tmp_path / "development.env").write_text(told)
    assert load_settings(tmp_path) == Settings()


def test_every_setting_is_described_with_its_unit_in_the_line_above_it() -> None:
    for above, line in pairwise(EXAMPLE.splitlines()):
        if line.startswith(PREFIX):
            unit = UNITS.get(line.partition("=")[0].rpartition("_")[2], "")
            assert above.startswith("# "), line
            assert above.endswith(unit), line


@pytest.mark.prop(38)
@pytest.mark.parametrize("environment", Environment)
def test_what_is_in_force_is_listed_without_a_secret(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VTON_ENVIRONMENT", environment)
    secret = {one for one in NAMES if is_secret(one)}
    for name in secret:
        monkeypatch.setenv(name, f"{name}-hunter2-{'x' * 32}")
    for name, scheme in URLS.items():
        monkeypatch.setenv(name, f"{scheme}://somebody:hunter2@db.internal/x")
    told = listing.in_force(load_settings(CONFIG))
    shown = dict(LINE.findall(told))
    assert "hunter2" not in told
    assert shown["VTON_ENVIRONMENT"] == environment
    assert {name for name, value in shown.items() if value == MASK} == secret
    assert sorted(shown) == NAMES


# Of the secrets these are addresses; they may hold a password.
URLS = {
    "VTON_DATABASE__URL": "postgresql",
    "VTON_NOTICES__URL": "redis",
    "VTON_LIMITS__URL": "redis",
}


def is_secret(name: str) -> bool:
    return re.search(rf"\(secret\)\n{name}=", EXAMPLE) is not None


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
