"""How much room features have, and whose they are."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from handlers.diffusion import features_room, identity
from handlers.diffusion.assembly import Assembled, Machine, assemble
from handlers.diffusion.repository import Repository
from handlers.diffusion.settings import Caches, IdmVtonSettings
from handlers.quantize import Verdict
from handlers.settings import BadSetting, read
from tests.handlers.diffusion import deployment, published, tiny

SETTINGS = read(IdmVtonSettings, deployment.sections()["handler"], "handler")


def caches(**changes: Any) -> Caches:  # noqa: ANN401  any setting
    return replace(SETTINGS.cache, host_bytes=1000, disk_bytes=5000, **changes)


@pytest.fixture(scope="module")
def made() -> Assembled:
    return assemble(Repository(tiny.REPOSITORY), Machine.of(SETTINGS), SETTINGS)


def test_without_a_card_features_wait_on_the_host() -> None:
    room = features_room.budgets(caches(device_bytes=700), Machine.of(SETTINGS))
    assert (room.device_bytes, room.host_bytes, room.pinned_bytes) == (0, 1000, 4000)


def test_a_card_has_the_room_it_is_told() -> None:
    machine = replace(Machine.of(SETTINGS), device=torch.device("cuda"))
    assert features_room.budgets(caches(device_bytes=700), machine).device_bytes == 700


def test_where_the_networks_visit_nothing_of_it_stays_on_the_card() -> None:
    machine = Machine.of(replace(SETTINGS, memory="12gb"))
    machine = replace(machine, device=torch.device("cuda"))
    assert features_room.budgets(caches(device_bytes=700), machine).device_bytes == 0


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("device_share", 1.5), ("host_share", -0.1), ("pinned_share", 2.0), ("disk_keeps", "some")],
)
def test_a_setting_that_is_wrong_is_named(name: str, wrong: Any) -> None:  # noqa: ANN401
    with pytest.raises(BadSetting, match=rf"handler\.cache\.{name}"):
        features_room.budgets(caches(**{name: wrong}), Machine.of(SETTINGS))


def test_whoever_sees_otherwise_is_another(made: Assembled, tmp_path: Path) -> None:
    machine, repository = made.machine, Repository(tiny.REPOSITORY)
    others = [
        replace(made, machine=replace(machine, dtype=torch.bfloat16)),
        replace(made, machine=replace(machine, device=torch.device("cuda"))),
        replace(made, machine=replace(machine, backend=replace(machine.backend, name="other"))),
        replace(made, machine=replace(machine, profile=replace(machine.profile, tiled=True))),
        replace(made, verdict=Verdict(int8=True)),
    ]
    found = {identity.digest(repository, one) for one in (made, *others)}
    other = published.write(tmp_path / "repository", published.Shape())
    found.add(identity.digest(Repository(other), made))
    assert len(found) == 7
    assert identity.digest(repository, made) in found
