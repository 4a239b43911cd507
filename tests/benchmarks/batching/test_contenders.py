import pytest
import yaml

from benchmarks.batching.contenders import ALL, CLASSIC, IN_ORDER, JOINED, OURS
from handlers.models import read_offer, read_settings
from tests.handlers.torchserve_rows import ROOT

SHIPPED = yaml.safe_load((ROOT / "config" / "idm_vton.yaml").read_text())


@pytest.mark.parametrize("contender", ALL, ids=lambda one: one.name)
def test_a_worker_reads_every_contender(contender: object) -> None:
    assert isinstance(contender, type(OURS))
    sections = contender.config("h200")
    assert read_settings(sections).name == contender.name
    assert read_offer(sections).engine == "emulated"


def test_ours_is_what_is_shipped() -> None:
    mine = OURS.config("h200")
    assert mine["handler"]["stepping"] == SHIPPED["handler"]["stepping"]
    for key in ("continuousBatching", "batchSize", "maxBatchDelay", "minWorkers"):
        assert mine[key] == SHIPPED[key]


def test_the_others_differ_in_how_they_batch_alone() -> None:
    assert CLASSIC.config("h200")["maxBatchDelay"] == 2000
    assert IN_ORDER.config("h200")["batchSize"] == 1
    assert JOINED.config("h200")["handler"]["told_curve"] == "free"
    assert OURS.config("h200")["handler"]["told_curve"] == "h200"
