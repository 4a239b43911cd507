"""What is seen of a garment is seen once: counted in passes and in torch's own operations."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from handlers.diffusion import features, garment_pass, mixing
from handlers.diffusion.attention import GarmentFeatures
from handlers.diffusion.denoising import Plan, prepare
from handlers.diffusion.features import Look
from handlers.diffusion.features_disk import Disk
from handlers.diffusion.features_store import Budgets, FeatureStore
from handlers.diffusion.features_tier import Address
from handlers.diffusion.mixing import Walk
from handlers.diffusion.noise import SeededNoise
from tests.handlers.diffusion import tiny
from tests.handlers.diffusion.counting import counted
from tests.patience import PATIENCE_S

ROOM = 10**8
PLAN = Plan(1, 96, 64, steps=3, guidance_scale=2.0, strength=1.0)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def store(near: int = 0, host: int = ROOM, disk: Disk | None = None) -> FeatureStore:
    return FeatureStore(Budgets(near, host, ROOM), disk=disk)


def looks(record: str | None = "shirt", steps: int = 3) -> list[Look]:
    nets, case = tiny.networks(), tiny.case("app_b1_nocfg")
    garment = case.garment(nets)
    plan = Plan(1, 96, 64, steps=steps, guidance_scale=2.0, strength=1.0)
    found = garment_pass.looks(nets, garment, plan)
    return [Look(one.latents, one.text, one.timestep, one.number, record) for one in found]


def walk(seed: int, record: str | None = "shirt", plan: Plan = PLAN) -> Walk:
    nets, case = tiny.networks(), tiny.case("app_b1_nocfg")
    garment, noise = case.garment(nets), SeededNoise(range(seed, seed + plan.rows))
    object.__setattr__(garment, "record", record)
    return Walk.begin(prepare(nets, case.person(nets), garment, plan, noise), noise)


def equal(ours: GarmentFeatures, theirs: GarmentFeatures) -> bool:
    return all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    """Counts every operation that reaches torch's kernels."""

    count = 0

    def __torch_dispatch__(  # torch's own signature, which has no types
        self,
        func: Any,  # noqa: ANN401
        types: Any,  # noqa: ANN401
        args: Any = (),  # noqa: ANN401
        kwargs: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        del types
        self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.prop(17)
@pytest.mark.parametrize("near", [0, ROOM], ids=["host", "device"])
def test_what_is_at_hand_costs_no_pass_and_no_operation(near: int) -> None:
    nets, kept, asked = tiny.networks(), store(near), looks()
    cold = features.see(nets, asked, kept)
    kept.finish()
    with counted(nets.garment.conv_in) as calls, Operations() as operations:  # type: ignore[no-untyped-call]
        warm = features.see(nets, asked, kept)
    assert (calls, operations.count) == ([0], 0)
    assert [one.is_new for one in (*cold, *warm)] == [True] * 3 + [False] * 3
    assert all(equal(one.features, other.features) for one, other in zip(cold, warm, strict=True))
    told = kept.gauges()
    assert (told["vton_garment_network_passes"], told["vton_garment_network_rows"]) == (1, 3)
    assert told["vton_feature_misses"] == 3
    assert told["vton_feature_device_hits" if near else "vton_feature_host_hits"] == 3


@pytest.mark.prop(17)
@pytest.mark.prop(23)
def test_two_of_one_garment_step_together_and_it_is_seen_once() -> None:
    nets, kept = tiny.networks(), store()
    together, late = [walk(1), walk(2)], walk(3)
    with counted(nets.garment.conv_in) as calls:
        mixing.advance(nets, together, kept)
        mixing.advance(nets, [*together, late], kept)
        mixing.advance(nets, [*together, late], kept)
        mixing.advance(nets, [late], kept)
    assert calls == [3]
    assert kept.gauges()["vton_garment_network_rows"] == 3
    assert late.looks == 0


@pytest.mark.prop(17)
@pytest.mark.prop(16)
def test_only_rows_that_are_not_at_hand_go_through_the_network_and_all_are_as_alone() -> None:
    nets, kept = tiny.networks(), store()
    alone = {seed: walk(seed, record) for seed, record in ((1, "shirt"), (2, None), (3, "coat"))}
    for one in alone.values():
        mixing.advance(nets, [one])
    mixing.advance(nets, [walk(9)], kept)
    mixed = [walk(1), walk(2, None), walk(3, "coat")]
    mixing.advance(nets, mixed, kept)
    assert kept.gauges()["vton_garment_network_rows"] == 1 + 2
    for one, expected in zip(mixed, alone.values(), strict=True):
        assert tiny.relative(one.now, expected.now) < 1e-5


def test_several_pictures_of_a_garment_are_one_row_of_the_garment_network() -> None:
    nets, kept = tiny.networks(), store()
    one = walk(1, plan=Plan(3, 96, 64, steps=2, guidance_scale=2.0, strength=1.0))
    mixing.advance(nets, [one], kept)
    assert kept.gauges()["vton_garment_network_rows"] == 1


def test_what_failed_is_free_for_the_next_and_what_was_seen_stays() -> None:
    nets, kept, mine = tiny.networks(), store(), walk(1)

    def fail(*_arguments: object) -> None:
        raise torch.OutOfMemoryError("planted")

    for broken, rows in ((nets.garment.mid_block, 1), (nets.tryon.conv_out, 2)):
        hook = broken.register_forward_hook(fail)
        try:
            with pytest.raises(torch.OutOfMemoryError):
                mixing.advance(nets, [mine], kept)
        finally:
            hook.remove()
        assert kept.gauges()["vton_garment_network_rows"] == rows
        assert mine.index == 0
    with counted(nets.garment.conv_in) as calls:
        mixing.advance(nets, [mine], kept)
    assert calls == [0]


def test_who_comes_while_another_works_it_out_waits_for_it() -> None:
    nets, kept, asked = tiny.networks(), store(), looks()[:1]
    started, may_end, found = threading.Event(), threading.Event(), list[bool]()

    def wait(*_arguments: object) -> None:
        started.set()
        may_end.wait(PATIENCE_S)

    def ask() -> None:
        with torch.inference_mode():
            found.append(features.see(nets, asked, kept)[0].is_new)

    hook = nets.garment.mid_block.register_forward_hook(wait)
    try:
        with counted(nets.garment.conv_in) as calls:
            first, second = threading.Thread(target=ask), threading.Thread(target=ask)
            first.start()
            started.wait(PATIENCE_S)
            second.start()
            while not kept.gauges()["vton_feature_joins"]:
                threading.Event().wait(0.001)
            may_end.set()
            first.join()
            second.join()
    finally:
        hook.remove()
    assert calls == [1]
    assert sorted(found) == [False, True]


@pytest.mark.prop(17)
def test_a_restart_finds_on_the_disk_what_was_seen(tmp_path: Path) -> None:
    nets, asked = tiny.networks(), looks()
    kept = store(disk=Disk(tmp_path, ROOM))
    cold = features.see(nets, asked, kept)
    kept.finish()
    again = store(disk=Disk(tmp_path, ROOM))
    with counted(nets.garment.conv_in) as calls:
        warm = features.see(nets, asked, again)
    assert calls == [0]
    assert all(equal(one.features, other.features) for one, other in zip(cold, warm, strict=True))
    assert again.gauges()["vton_feature_disk_hits"] == 3
    features.see(nets, asked, again)
    assert again.gauges()["vton_feature_host_hits"] == 3


def test_what_lies_on_the_disk_comes_up_before_it_is_asked_for(tmp_path: Path) -> None:
    nets, asked = tiny.networks(), looks()
    kept = store(disk=Disk(tmp_path, ROOM))
    features.see(nets, asked, kept)
    kept.finish()
    again = store(disk=Disk(tmp_path, ROOM))
    again.expect([Address("shirt", look.number) for look in asked])
    again.finish()
    features.see(nets, asked, again)
    assert again.gauges()["vton_feature_host_hits"] == 3


@pytest.mark.prop(24)
@pytest.mark.parametrize("near", [0, ROOM], ids=["host", "device"])
def test_memory_is_bounded_and_free_when_it_is_forgotten(near: int) -> None:
    nets, asked = tiny.networks(), looks(steps=4)
    entry = sum(layer.nbytes for layer in features.see(nets, asked[:1], store())[0].features)
    kept = store(min(near, 2 * entry), 3 * entry)
    for garment in range(6):
        named = [Look(o.latents, o.text, o.timestep, o.number, str(garment)) for o in asked]
        features.see(nets, named, kept)
        kept.finish()
        told = kept.gauges()
        assert told["vton_feature_device_bytes"] <= 2 * entry
        assert 0 < told["vton_feature_host_bytes"] <= 3 * entry
    kept.clear()
    told = kept.gauges()
    assert (told["vton_feature_device_bytes"], told["vton_feature_host_bytes"]) == (0, 0)


def test_what_is_no_number_is_not_kept() -> None:
    kept, address = store(near=ROOM), Address("shirt", 1.0)
    with kept.claimed([address]) as claims:
        claims.settle(address, (torch.full((1, 2, 3), torch.nan),))
    kept.finish()
    with kept.claimed([address]) as claims:
        assert not claims.found
