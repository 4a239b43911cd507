"""The benchmark itself, for a moment, on a real TorchServe."""

import json
from pathlib import Path

import pytest

from benchmarks.batching import __main__ as batching
from benchmarks.batching.contenders import ALL


def test_it_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        batching.main(["--help"])
    assert "--curve" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.system
def test_everybody_is_compared_on_a_real_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, drawn = tmp_path / "run.json", tmp_path / "run.svg"
    options = ["--loads", "0.5", "--seconds", "4", "--rounds", "1"]
    batching.main([*options, "--json", str(told), "--chart", str(drawn)])
    stored = json.loads(told.read_text())
    figures = stored["columns"][0]["figures"]
    assert list(figures) == [one.name for one in ALL]
    assert all(one["failed"] == 0 for one in figures.values())
    assert sum(figures["ours"]["answered"].values()) > 0
    assert drawn.read_text().startswith("<svg")
    assert "verdict" in capsys.readouterr().out
