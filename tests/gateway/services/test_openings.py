"""Which items a runner may claim: where there is room, and where nobody is awaited any more."""

from collections.abc import Mapping, Sequence

from gateway.domain.jobs import ModelState, Prediction, Readiness
from gateway.domain.sessions import Ask, Claim, Kind
from gateway.services.openings import OpeningRules, Openings
from tests.gateway.running import ManualClock
from tests.gateway.sessions.workshop import engines

ORDER = ("one", "two", "three")


class Known:
    """Models whose readiness is told."""

    def __init__(self) -> None:
        self.readiness = dict.fromkeys(ORDER, Readiness.READY)

    async def predict(self, *_: object) -> Prediction:
        raise NotImplementedError

    def state(self, model: str) -> ModelState:
        return ModelState(self.readiness[model], ready_workers=2)

    def version_for(self, _: str, __: str) -> str | None:
        return None

    async def refresh(self) -> None:
        return


def behind(name: str) -> Sequence[str]:
    return ORDER[ORDER.index(name) + 1 :]


def opened() -> tuple[Known, ManualClock, Openings]:
    models, clock = Known(), ManualClock()
    rules = OpeningRules(0, patience_s=60)
    return models, clock, Openings(models, engines(ORDER), behind, clock, rules)


def claim(engine: str, *alternatives: str) -> Claim:
    asked = Ask({}, {}, alternatives=alternatives)
    return Claim("s", 0, "ann", Kind.STANDARD, engine, asked, 1, 1, "r", 0.0, 1.0)


def looked(openings: Openings, **running: int) -> tuple[list[str], Mapping[str, Sequence[str]]]:
    wanted = openings.look(running)
    return list(wanted.engines), wanted.instead


def test_each_engine_takes_what_its_workers_take() -> None:
    _, _, openings = opened()
    assert looked(openings, one=1, two=2) == (["one", "three"], {})


def test_who_comes_back_in_time_keeps_its_items() -> None:
    models, clock, openings = opened()
    models.readiness["one"] = Readiness.LOADING
    assert looked(openings) == (["two", "three"], {})
    clock.time_s += 59
    assert looked(openings) == (["two", "three"], {})
    models.readiness["one"] = Readiness.READY
    openings.look({})
    models.readiness["one"] = Readiness.LOADING
    openings.look({})
    clock.time_s += 59
    assert looked(openings) == (["two", "three"], {})


def test_who_stays_away_is_replaced_by_who_has_room() -> None:
    models, clock, openings = opened()
    models.readiness["one"] = Readiness.MISSING
    openings.look({})
    clock.time_s += 60
    assert looked(openings) == (["two", "three"], {"one": ["two", "three"]})
    assert looked(openings, two=2) == (["three"], {"one": ["three"]})
    wanted = openings.look({})
    assert wanted.server_of(claim("one", "three")) == "three"
    assert wanted.server_of(claim("two", "three")) == "two"
    assert not openings.look({"two": 2, "three": 2})


def test_nobody_is_behind_the_last() -> None:
    models, clock, openings = opened()
    models.readiness["three"] = Readiness.UNREACHABLE
    openings.look({})
    clock.time_s += 600
    assert looked(openings) == (["one", "two"], {})
