from pathlib import Path

import pytest

from gateway.cli.main import main


@pytest.mark.prop(37)
def test_a_wrong_setting_is_named_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VTON_HTTP__PORT", "eighty")
    assert main(["serve"]) == 1
    assert "VTON_HTTP__PORT" in capsys.readouterr().err


@pytest.mark.prop(38)
def test_the_settings_are_printed_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "a-secret-of-more-than-32-characters"  # noqa: S105  the test's own
    monkeypatch.setenv("VTON_STORAGE__SIGNING_SECRET", secret)
    assert main(["config"]) == 0
    assert secret not in capsys.readouterr().out


def test_a_server_that_is_away_is_said_plainly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(b"\xff\xd8")
    arguments = ["tryon", str(picture), str(picture), "-o", str(tmp_path / "out.jpg")]
    assert main([*arguments, "--server", "http://127.0.0.1:9"]) == 1
    error = capsys.readouterr().err
    assert "http://127.0.0.1:9 does not answer" in error
    assert "Traceback" not in error


def test_a_photo_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "nobody.jpg")
    assert main(["tryon", missing, missing, "-o", str(tmp_path / "out.jpg")]) == 1
    assert "nobody.jpg" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_what_is_not_for_commercial_use_is_not_started(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--engine", "idm_vton", "--commercial-only"]) == 1
    assert "'idm_vton' is under CC-BY-NC-SA-4.0" in capsys.readouterr().err
    monkeypatch.setenv("VTON_COMMERCIAL_ONLY", "true")
    assert main([command, "--engine", "idm_vton"]) == 1
    assert "'idm_vton' is under CC-BY-NC-SA-4.0" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_commands_complete_in_a_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    told = capsys.readouterr().out
    for word in ("serve", "demo", "tryon", "rollout", "--share", "--engine", "--commercial-only"):
        assert word in told


def test_an_option_without_its_value_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["tryon", "a.jpg", "b.jpg", "-o", "c.jpg", "--set", "steps"])
    assert "expected OPTION=VALUE, found 'steps'" in capsys.readouterr().err


def test_a_rollout_needs_the_administrators_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("VTON_ADMIN__TOKEN", raising=False)
    assert main(["rollout", "geometric", "1.1.0"]) == 1
    assert "VTON_ADMIN__TOKEN is not set" in capsys.readouterr().err


def test_a_rollout_without_a_version_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["rollout", "geometric"])
    assert "one of the arguments version --cancel is required" in capsys.readouterr().err


def test_a_gateway_that_is_away_is_said_plainly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VTON_ADMIN__TOKEN", "any")
    assert main(["rollout", "geometric", "1.1.0", "--url", "http://127.0.0.1:9"]) == 1
    assert "http://127.0.0.1:9 does not answer" in capsys.readouterr().err
