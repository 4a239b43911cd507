from dataclasses import replace

import pytest

from gateway.domain.licensing import Licensing
from gateway.domain.options import Engine
from gateway.domain.terms import Part
from gateway.errors.kinds import NotLicensed

OWN = Part("engine", "one", "MIT", commercial_use=True)
LICENCE = "LicenseRef-NVIDIA-SegFormer"
PARSER = Part("parser", "parser", LICENCE, commercial_use=False)
FREE = Engine("one", "one", frozenset(), (OWN,))
MIXED = replace(FREE, terms=(OWN, PARSER))
CLOSED = replace(FREE, terms=(replace(OWN, licence="CC-BY-NC-4.0", commercial_use=False), PARSER))


@pytest.mark.parametrize("engine", [FREE, MIXED, CLOSED])
def test_a_deployment_that_said_nothing_may_use_every_engine(engine: Engine) -> None:
    Licensing(commercial_only=False).admit(engine)
    assert Licensing(commercial_only=False).reason(engine) is None


@pytest.mark.parametrize(
    ("engine", "told"),
    [
        (CLOSED, "the engine 'one' is under CC-BY-NC-4.0: not for commercial use"),
        (
            MIXED,
            f"the parser 'parser' of the engine 'one' is under {LICENCE}: not for commercial use",
        ),
    ],
)
def test_what_keeps_an_engine_from_commercial_use_is_named(engine: Engine, told: str) -> None:
    licensing = Licensing(commercial_only=True)
    assert licensing.reason(engine) == told
    with pytest.raises(NotLicensed) as caught:
        licensing.admit(engine)
    assert told in caught.value.message
    assert caught.value.details["licence"] in told  # type: ignore[operator]


def test_an_engine_is_for_commercial_use_when_every_part_of_it_is() -> None:
    assert [one.commercial_use for one in (FREE, MIXED, CLOSED)] == [True, False, False]
    Licensing(commercial_only=True).admit(FREE)
