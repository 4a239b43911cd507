from pathlib import Path

import pytest

from gateway.adapters.engines import load_analyser, load_engines
from gateway.domain.options import Category, Part, Patience
from gateway.errors import Misconfigured
from tests.gateway.running import CONFIGURATION

GOOD = """
minWorkers: 1
tryon:
  engine: geometric
  categories: [upper_body, dresses]
  options: [seed]
  licence: Apache-2.0
  commercial_use: true
"""


def test_the_shipped_configuration_is_read() -> None:
    engines = load_engines(Path(__file__).parents[3] / "config")
    assert engines["geometric"].model == "geometric"
    assert set(engines["geometric"].categories) == set(Category)


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    for name, text in CONFIGURATION.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_an_engine_tells_its_ranges_defaults_and_patience(configured: Path) -> None:
    engines = load_engines(configured)
    assert engines["diffusion"].ranges["steps"] == (20.0, 50.0)
    assert engines["diffusion"].defaults == {"steps": 30, "auto_crop": True}
    assert engines["diffusion"].patience == Patience(900, 600, 120)
    assert engines["geometric"].patience is None


def test_the_analyser_is_no_engine_and_tells_the_terms_of_its_parts(configured: Path) -> None:
    analyser = load_analyser(configured)
    assert analyser
    assert (analyser.name, analyser.model) == ("person", "person")
    assert analyser.parts == (
        Part("parser", "segformer", "LicenseRef-SegFormer", commercial_use=False),
        Part("landmarks", "mediapipe", "Apache-2.0", commercial_use=True),
    )
    assert "person" not in load_engines(configured)


def test_without_an_analyser_there_is_none(tmp_path: Path) -> None:
    assert load_analyser(tmp_path) is None


def test_two_analysers_are_one_too_many(configured: Path) -> None:
    (configured / "another.yaml").write_text(CONFIGURATION["person.yaml"])
    with pytest.raises(Misconfigured, match=r"more than one model .*: another, person"):
        load_analyser(configured)


def test_a_file_without_the_section_is_no_engine(tmp_path: Path) -> None:
    (tmp_path / "geometric.yaml").write_text(GOOD)
    (tmp_path / "metrics.yaml").write_text("mode: prometheus\n")
    (tmp_path / "empty.yaml").write_text("")
    assert list(load_engines(tmp_path)) == ["geometric"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GOOD.replace("[upper_body, dresses]", "[hats]"), "broken.yaml: tryon.categories.0"),
        (GOOD.replace("  licence: Apache-2.0\n", ""), "broken.yaml: tryon.licence"),
        ("tryon: [", "broken.yaml"),
        (GOOD + "  ranges: {seed: [0]}\n", "broken.yaml: tryon.ranges.seed"),
        (GOOD + "patience: {deadline_s: 0}\n", "broken.yaml: patience.deadline_s"),
        (
            GOOD + "handler: {understanding: {pose: {weights: {path: x}}}}\n",
            "broken.yaml: handler.understanding.pose.weights.licence",
        ),
        ("other: 1", "no engine is configured"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(Misconfigured, match=named):
        load_engines(tmp_path)
