from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors.kinds import Misconfigured
from gateway.stack import torchserve
from gateway.stack.plan import plan_for
from gateway.stack.ports import Ports
from tests.handlers.torchserve_rows import ROOT

TEMPLATE = (ROOT / "config.properties").read_text()
KEYS = [line.partition("=")[0] for line in TEMPLATE.splitlines() if "=" in line and line[0] != "#"]
value = st.from_regex(r"\A[a-z0-9:/._-]{1,30}\Z")


def parsed(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


@given(st.dictionaries(st.sampled_from([*KEYS, "new_key"]), value))
def test_only_what_is_substituted_changes(values: dict[str, str]) -> None:
    after = parsed(torchserve.substitute(TEMPLATE, values))
    assert after == parsed(TEMPLATE) | values


def test_the_shipped_file_is_closed_to_the_outside() -> None:
    shipped = parsed(TEMPLATE)
    for name in ("inference", "management", "metrics"):
        assert shipped[f"{name}_address"].startswith("http://127.0.0.1:")
    assert shipped["allowed_urls"].startswith("file://")
    assert shipped["load_models"] != "all"
    assert int(shipped["max_request_size"]) >= 32 << 20  # three pictures and a mask
    assert int(shipped["max_response_size"]) == 64 << 20


def test_a_workers_environment_is_not_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("TS_INFERENCE_ADDRESS", "http://0.0.0.0:1")
    environment = torchserve.environment(plan_for(ROOT, ["geometric"]), tmp_path)
    assert "PYTHONPATH" not in environment
    assert "TS_INFERENCE_ADDRESS" not in environment
    assert environment["TMPDIR"] == str(tmp_path)


def test_workers_learn_where_their_models_lie(tmp_path: Path) -> None:
    plan = replace(plan_for(ROOT, ["geometric"]), workers={"VTON_IDM_VTON_MODEL": "/models/one"})
    environment = torchserve.environment(plan, tmp_path)
    assert environment["VTON_HOME"] == str(ROOT)
    assert environment["VTON_IDM_VTON_MODEL"] == "/models/one"


def test_the_caller_may_tune_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_for(ROOT, ["geometric"])
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert torchserve.environment(plan, tmp_path)["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert torchserve.environment(plan, tmp_path)["OMP_WAIT_POLICY"] == "ACTIVE"


def test_a_changed_archive_stops_the_start_by_name_with_what_to_do(tmp_path: Path) -> None:
    store = tmp_path / "store"
    plan = replace(plan_for(ROOT, ["geometric"]), store=store)
    torchserve.prepare(plan, tmp_path, Ports())
    torchserve.prepare(plan, tmp_path, Ports())
    with (store / "geometric.mar").open("ab") as archive:
        archive.write(b"and more")
    with pytest.raises(Misconfigured, match=r"geometric\.mar: not the bytes.*\n.*make archive"):
        torchserve.prepare(plan, tmp_path, Ports())
