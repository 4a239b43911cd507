import re
from typing import Any

import pytest

from handlers.models import read_offer, read_settings
from handlers.settings import BadSetting, GeometricSettings, HandlerSettings
from tests.handlers.torchserve_rows import config

SHIPPED = config()


def test_a_model_reads_its_own_settings() -> None:
    assert isinstance(read_settings(SHIPPED), GeometricSettings)
    assert "upper_body" in read_offer(SHIPPED).names()["category"]


@pytest.mark.prop(37)
@pytest.mark.parametrize("handler", [None, [], {}, {"name": 5}, {"name": "nobody"}])
def test_a_model_that_is_none_of_ours_is_refused(handler: object) -> None:
    with pytest.raises(BadSetting, match=r"handler\.name: expected one of geometric, idm_vton"):
        read_settings({"handler": handler})


def test_a_model_from_elsewhere_names_its_settings_itself() -> None:
    section = {"name": "mine", "version": "1.0.0", "settings": "handlers.settings:HandlerSettings"}
    assert read_settings({"handler": section}) == HandlerSettings("mine", "1.0.0")


@pytest.mark.parametrize("where", ["", "handlers.nowhere:Settings", "handlers.settings:Nothing"])
def test_settings_that_are_not_there_are_refused_by_name(where: str) -> None:
    section = {"name": "mine", "version": "1.0.0", "settings": where}
    with pytest.raises(BadSetting, match=r"handler\.settings: there is no"):
        read_settings({"handler": section})


@pytest.mark.prop(37)
@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({}, "tryon or analysis or bodies: expected exactly one, found 0"),
        (SHIPPED | {"analysis": {}}, "expected exactly one, found 2"),
        ({"analysis": SHIPPED["tryon"]}, "analysis.options: there is no option width_px"),
        ({"tryon": SHIPPED["tryon"] | {"ranges": {}}}, "tryon.ranges.width_px: missing"),
        ({"tryon": SHIPPED["tryon"] | {"engine": 5}}, "tryon.engine: expected a text"),
    ],
)
def test_a_wrong_offer_is_refused_by_name(sections: dict[str, Any], named: str) -> None:
    with pytest.raises(BadSetting, match=re.escape(named)):
        read_offer(sections)
