"""A worker forgets a photo: asked, told by another worker, or when it is too old."""

import gc
import json
import threading
import time
import weakref
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.base import ImageHandler
from handlers.errors import BadParameters
from handlers.forgetting import Board, ForgetRequest, look, part_digest, watch
from handlers.geometric import GeometricHandler
from handlers.idm_vton import IdmVtonHandler
from tests.handlers.diffusion import deployment
from tests.handlers.test_geometric import GARMENT, OTHER_GARMENT, PERSON
from tests.handlers.test_idm_vton import golden
from tests.handlers.torchserve_rows import config, context
from tests.handlers.turns import FrontEnd, row
from tests.patience import PATIENCE_S

OF_PERSON = part_digest(PERSON)


class Idle:
    """A worker that remembers nothing."""

    def forget_pictures(self, pictures: Collection[str]) -> int:
        return len(pictures)

    def sweep(self) -> None:
        return


def forget(*pictures: str) -> dict[str, Any]:
    return {"params": json.dumps({"task": "forget", "pictures": list(pictures)}).encode()}


def tryon(**pictures: bytes) -> dict[str, Any]:
    params = {"category": "upper_body", "output_format": "png"}
    shown = {"person_image": PERSON, "garment_image": GARMENT, **pictures}
    return {"params": json.dumps(params).encode(), **shown}


def asked(worker: ImageHandler[Any], sections: dict[str, Any], sent: dict[str, Any]) -> Any:  # noqa: ANN401
    made, front = context(1, model_yaml=sections)
    worker.handle([sent], made)
    kind, told = front.frames(0)[-1]
    assert kind == "D", told
    return told


def entries(worker: ImageHandler[Any]) -> dict[str, float]:
    return {name: value for name, value in worker.gauges().items() if name.endswith("_entries")}


@pytest.fixture(scope="module")
def geometric() -> Iterator[GeometricHandler]:
    made, _ = context(1)
    worker = GeometricHandler()
    worker.initialize(made)
    yield worker
    worker._landmarks.get().close()


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path / "board")


def test_a_worker_drops_what_it_saw_of_a_photo_and_keeps_the_others(
    geometric: GeometricHandler,
) -> None:
    geometric._empty_caches()
    asked(geometric, config(), tryon())
    asked(geometric, config(), tryon(garment_image=OTHER_GARMENT))
    assert entries(geometric) == {
        "vton_person_cache_entries": 1,
        "vton_garment_cache_entries": 2,
    }
    told = asked(geometric, config(), forget(OF_PERSON, part_digest(GARMENT)))
    assert told["forgotten"] == 2
    assert entries(geometric) == {
        "vton_person_cache_entries": 0,
        "vton_garment_cache_entries": 1,
    }
    assert asked(geometric, config(), forget(OF_PERSON))["forgotten"] == 0


def test_another_worker_of_the_host_hears_of_it(geometric: GeometricHandler, board: Board) -> None:
    geometric._empty_caches()
    asked(geometric, config(), tryon(person_image=PERSON + b"\0"))
    other = Board(board._folder)
    other.post([part_digest(PERSON + b"\0")])
    look(board, geometric)
    assert entries(geometric)["vton_person_cache_entries"] == 0
    assert other.news() == set()
    assert board.news() == set()


def test_notes_are_taken_down_after_a_minute(tmp_path: Path) -> None:
    ahead_s = [0.0]

    def later() -> float:
        return time.time() + ahead_s[0]

    board = Board(tmp_path / "board", later)
    board.post([OF_PERSON])
    ahead_s[0] = 61.0
    assert Board(tmp_path / "board", later).news() == set()
    assert list((tmp_path / "board").iterdir()) == []


def test_a_note_left_while_notes_are_read_is_no_news_to_who_left_it(tmp_path: Path) -> None:
    mine, theirs = part_digest(b"mine"), part_digest(b"theirs")

    def looked_at() -> float:  # asked of every note that is found, too
        if leaving.ident is None:
            leaving.start()
            leaving.join(0.2)
        return time.time()

    board = Board(tmp_path / "board", looked_at)
    leaving = threading.Thread(target=board.post, args=([mine],))
    Board(tmp_path / "board").post([theirs])
    assert board.news() == {theirs}
    leaving.join()
    assert Board(tmp_path / "board").news() == {mine, theirs}
    assert board.news() == set()


def test_a_worker_that_is_gone_is_watched_no_more(board: Board) -> None:
    worker = Idle()
    watching, seen = watch(board, worker), weakref.ref(worker)
    del worker
    gc.collect()
    watching.join(PATIENCE_S)
    assert seen() is None
    assert not watching.is_alive()


@pytest.mark.parametrize("pictures", [None, "a" * 64, ["a"], ["A" * 64], [1], ["0" * 64] * 1025])
def test_only_digests_are_taken(pictures: object) -> None:
    with pytest.raises(BadParameters):
        ForgetRequest.read({"task": "forget", "pictures": pictures})
    assert ForgetRequest.read({"task": "garment", "pictures": pictures}) is None


@pytest.fixture(scope="module")
def diffusion() -> IdmVtonHandler:
    made, _ = context(1, model_yaml=deployment.sections())
    worker = IdmVtonHandler()
    worker.initialize(made)
    return worker


def feature_bytes(worker: IdmVtonHandler) -> float:
    worker._wardrobe.features.finish()
    told = worker.gauges()
    return sum(told.get(f"vton_feature_{tier}_bytes", 0) for tier in ("device", "host"))


def test_a_stepping_worker_drops_views_latents_and_garment_features(
    diffusion: IdmVtonHandler,
) -> None:
    front = FrontEnd(diffusion, deployment.sections())
    front.rows["tried on"] = row(steps=2)
    front.until_all_have_ended()
    assert entries(diffusion) == {"vton_person_cache_entries": 1, "vton_garment_cache_entries": 1}
    assert feature_bytes(diffusion) > 0
    request, _ = golden()
    front.rows["forgotten"] = forget(*request.person_parts, *request.garment_parts)
    front.until_all_have_ended()
    told = dict(front.frames("forgotten"))["D"]
    assert told["forgotten"] == 3
    assert entries(diffusion) == {"vton_person_cache_entries": 0, "vton_garment_cache_entries": 0}
    assert diffusion._analyst.counters().entries == 0
    assert feature_bytes(diffusion) == 0
    front.rows["still on its way"] = row(steps=2)
    front.until_all_have_ended()
    assert feature_bytes(diffusion) == 0
    assert entries(diffusion) == {"vton_person_cache_entries": 0, "vton_garment_cache_entries": 0}


def test_a_pinned_garment_stays(diffusion: IdmVtonHandler) -> None:
    garment = b"\x00".join([golden()[0].garment_image, b""])
    front = FrontEnd(diffusion, deployment.sections())
    params = {"task": "garment", "category": "upper_body", "pinned": True}
    ahead = {"params": json.dumps(params).encode(), "garment_image": garment}
    front.rows["pinned"] = ahead
    front.until_all_have_ended()
    held = feature_bytes(diffusion)
    assert held > 0
    front.rows["forgotten"] = forget(part_digest(garment))
    front.until_all_have_ended()
    assert feature_bytes(diffusion) == held
    diffusion._wardrobe.features.forget(dict(front.frames("pinned"))["D"]["garment"])
