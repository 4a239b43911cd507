from pathlib import Path

import pytest

from gateway.adapters.engines import load_engines
from gateway.domain.options import Category
from gateway.errors import Misconfigured

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
        ("other: 1", "no engine is configured"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(Misconfigured, match=named):
        load_engines(tmp_path)
