"""A garment made ready before anybody tries it on: by the worker, in turns, and past a restart."""

import json
from pathlib import Path
from typing import Any

import pytest

from handlers.errors import BadParameters
from handlers.idm_vton import IdmVtonHandler
from handlers.models import read_offer
from handlers.request import Dressing, GarmentRequest
from tests.handlers.diffusion import deployment
from tests.handlers.diffusion.counting import counted
from tests.handlers.test_idm_vton import golden
from tests.handlers.torchserve_rows import context
from tests.handlers.turns import FrontEnd, ended, row

STEPS = 4
Sections = dict[str, Any]


def sections(folder: Path | None = None, **cache: object) -> Sections:
    made = deployment.sections()
    made["tryon"]["defaults"]["steps"] = STEPS
    if folder is not None:
        made["handler"]["cache"] |= {"disk_bytes": 10**8, "disk_path": str(folder)}
    made["handler"]["cache"] |= cache
    return made


def started(made: Sections) -> tuple[IdmVtonHandler, FrontEnd]:
    handler = IdmVtonHandler()
    handler.initialize(context(1, model_yaml=made)[0])
    return handler, FrontEnd(handler, made)


def garment(**changes: object) -> dict[str, Any]:
    """The golden's garment, to be made ready."""
    request, _ = golden()
    told = {
        "task": "garment",
        "category": "upper_body",
        "garment_description": request.params.garment_description,
        **changes,
    }
    return {"params": json.dumps(told).encode(), "garment_image": request.garment_image}


def told(front: FrontEnd, name: str) -> dict[str, Any]:
    kind, payload = front.frames(name)[-1]
    assert kind == "D", payload
    found: dict[str, Any] = payload
    return found


@pytest.mark.prop(17)
def test_the_first_try_on_of_a_garment_that_was_made_ready_runs_no_garment_network() -> None:
    handler, front = started(sections())
    front.rows["ahead"] = garment()
    front.until_all_have_ended()
    ready = told(front, "ahead")
    assert (ready["pinned"], ready["timesteps"], ready["computed"]) == (True, STEPS, STEPS)
    assert ready["bytes"] > 0
    with handler._wardrobe.studio("upper_body") as studio:
        network = studio._nets.garment.conv_in
    with counted(network) as calls:
        front.rows |= {"one": row(steps=STEPS), "other": row(steps=STEPS, seed=5)}
        front.until_all_have_ended()
    assert calls == [0]
    assert told(front, "one")["cache"]["features"] == "hit"
    gauges = handler.gauges()
    assert gauges["vton_pinned_garments"] == 1
    assert gauges["vton_pinned_bytes"] == ready["bytes"] == gauges["vton_feature_host_bytes"]


@pytest.mark.prop(17)
def test_a_catalogue_outlives_its_worker(tmp_path: Path) -> None:
    handler, front = started(sections(tmp_path))
    front.rows["ahead"] = garment()
    front.until_all_have_ended()
    handler._wardrobe.features.finish()
    handler, front = started(sections(tmp_path))
    assert handler.gauges()["vton_pinned_garments"] == 1
    with handler._wardrobe.studio("upper_body") as studio:
        network = studio._nets.garment.conv_in
    with counted(network) as calls:
        front.rows["one"] = row(steps=STEPS)
        front.until_all_have_ended()
    assert calls == [0]
    front.rows["gone"] = garment(pinned=False)
    front.until_all_have_ended()
    assert told(front, "gone")["bytes"] > 0
    handler, _ = started(sections(tmp_path))
    assert handler.gauges()["vton_pinned_garments"] == 0
    assert not list(tmp_path.glob("*/*.safetensors"))


def test_people_overtake_a_garment() -> None:
    _, front = started(sections())
    front.rows["ahead"] = garment(presets=["quality"])
    with front.priced(10.0), front.recorded() as taken:
        with front.held("ahead"):
            front.rows["person"] = row(steps=2)
            with front.held("person"):
                pass
        front.until_all_have_ended()
    assert ended(taken, "person") < ended(taken, "ahead")


def test_a_garment_that_cannot_stay_is_refused_and_nothing_else_is() -> None:
    _, front = started(sections(pinned_share=0.0))
    front.rows |= {"ahead": garment(), "person": row(steps=2)}
    front.until_all_have_ended()
    kind, payload = front.frames("ahead")[-1]
    assert (kind, payload["error_code"], payload["retryable"]) == ("E", "ML_4008", False)
    assert payload["details"]["needed_bytes"] > payload["details"]["free_bytes"] == 0
    assert front.frames("person")[-1][0] == "D"


@pytest.mark.prop(17)
@pytest.mark.parametrize("memory", ["full", "12gb"])
def test_a_second_try_on_is_the_first_one_s_picture_and_nothing_runs_again(memory: str) -> None:
    made = sections()
    made["handler"]["memory"] = memory
    handler, front = started(made)
    with handler._wardrobe.studio("upper_body") as studio:
        seeing = (studio._nets.garment.conv_in, studio._nets.vae.encoder)
        encoders = (studio._nets.image_encoder, *studio._nets.text_encoders)
    front.rows["cold"] = row(steps=STEPS)
    front.until_all_have_ended()
    with counted(*seeing, *encoders) as calls:
        front.rows["warm"] = row(steps=STEPS)
        front.until_all_have_ended()
    assert calls == [0, 0, 0, 0, 0]
    cold, warm = (dict(front.frames(name)) for name in ("cold", "warm"))
    assert cold["I"] == warm["I"]
    assert {"person": "hit", "garment": "hit"}.items() <= warm["D"]["cache"].items()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"presets": ["no such"]}, "presets"),
        ({"presets": "fast"}, "presets"),
        ({"pinned": "yes"}, "pinned"),
        ({"category": "hats"}, "category"),
        ({"steps": 4}, "steps"),
        ({"garment_description": 5}, "garment_description"),
    ],
)
def test_a_garment_is_asked_for_strictly(changes: dict[str, object], field: str) -> None:
    raw = {"task": "garment", "category": "upper_body", **changes}
    with pytest.raises(BadParameters) as refused:
        GarmentRequest.read(raw, {"garment_image": b""}, read_offer(sections()))
    assert list(refused.value.details["fields"]) == [field]


def test_an_engine_that_draws_its_garments_makes_none_ready() -> None:
    made = sections()
    made["handler"]["garment_latents"] = "sample"
    _, front = started(made)
    front.rows["ahead"] = garment()
    front.until_all_have_ended()
    kind, payload = front.frames("ahead")[-1]
    assert (kind, list(payload["details"]["fields"])) == ("E", ["task"])


def test_a_garment_is_a_task_of_dressing_alone() -> None:
    assert Dressing.tasks["garment"] is GarmentRequest
