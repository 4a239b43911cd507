from pathlib import Path

import pytest

from gateway.adapters.engines import load_registry
from gateway.domain.options import Category, Patience, Registration
from gateway.domain.terms import Part
from gateway.errors.kinds import Misconfigured
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
    engines = load_registry(Path(__file__).parents[3] / "config").engines
    assert engines["geometric"].model == "geometric"
    assert set(engines["geometric"].choices["category"]) == set(Category)


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    for name, text in CONFIGURATION.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_an_engine_tells_its_ranges_defaults_and_patience(configured: Path) -> None:
    engines = load_registry(configured).engines
    assert engines["diffusion"].ranges["steps"] == (20.0, 50.0)
    assert engines["diffusion"].defaults == {"steps": 30, "auto_crop": True}
    assert engines["diffusion"].patience == Patience(900, 600, 120)
    assert engines["geometric"].patience is None


def test_the_analyser_is_no_engine_and_tells_the_terms_of_its_parts(configured: Path) -> None:
    analyser = load_registry(configured).analyser
    assert analyser
    assert (analyser.name, analyser.model) == ("person", "person")
    assert analyser.terms == (
        Part("engine", "person", "Apache-2.0", commercial_use=True),
        Part("parser", "segformer", "LicenseRef-SegFormer", commercial_use=False, path="models/p"),
        Part("landmarks", "mediapipe", "Apache-2.0", commercial_use=True),
    )
    assert "person" not in load_registry(configured).engines


def test_without_an_analyser_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "geometric.yaml").write_text(GOOD)
    assert load_registry(tmp_path).analyser is None
    assert load_registry(tmp_path).drawer is None


def test_two_analysers_are_one_too_many(configured: Path) -> None:
    (configured / "another.yaml").write_text(CONFIGURATION["person.yaml"])
    with pytest.raises(Misconfigured, match=r"more than one model .*: another, person"):
        load_registry(configured)


def test_a_file_without_the_section_is_no_engine(tmp_path: Path) -> None:
    (tmp_path / "geometric.yaml").write_text(GOOD)
    (tmp_path / "metrics.yaml").write_text("mode: prometheus\n")
    (tmp_path / "empty.yaml").write_text("")
    assert list(load_registry(tmp_path).engines) == ["geometric"]


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
        (GOOD + "registry: {memory_bytes: {worker: 0}}\n", "broken.yaml: registry.memory_bytes"),
        (GOOD + "registry: {resolution_px: []}\n", "broken.yaml: registry.resolution_px"),
        (GOOD.replace("Apache-2.0", "<b>free</b>"), "broken.yaml: tryon.licence"),
        ("other: 1", "no engine is configured"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(Misconfigured, match=named):
        load_registry(tmp_path)


def test_an_engine_is_registered_with_what_it_needs(configured: Path) -> None:
    assert load_registry(configured).engines["diffusion"].registration == Registration(
        version="2.1.0",
        path="models/diffusion",
        inputs=("user_image", "garment_image", "mask", "densepose"),
        resolutions_px=((768, 1024),),
        memory_bytes={"weights": 14_000_000_000},
    )


def test_who_draws_tells_the_names_that_may_be_chosen(configured: Path) -> None:
    drawer = load_registry(configured).drawer
    assert drawer
    assert drawer.choices["skin_tone"] == ("light", "dark")
    assert drawer.terms[1:] == ()


@pytest.mark.parametrize("path", ["/srv/models/one", "../elsewhere", "models/../../etc"])
def test_where_the_machine_keeps_its_weights_is_not_told(configured: Path, path: str) -> None:
    for name, text in CONFIGURATION.items():
        (configured / name).write_text(text.replace("models/p", path).replace("models/d", path))
    assert load_registry(configured).engines["diffusion"].registration.path is None
    analyser = load_registry(configured).analyser
    assert analyser
    assert [one.path for one in analyser.terms] == [None] * 3
