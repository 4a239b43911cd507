from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.handlers.torchserve_rows import config
from tests.system.running import GARMENT, PERSON, Running, unlike

pytestmark = pytest.mark.system

BATCH = config()["batchSize"]


@pytest.mark.prop(16)
@pytest.mark.prop(23)
def test_bad_rows_of_a_batch_leave_the_good_ones_alone(running: Running) -> None:
    good_person, good_garment = unlike(PERSON), unlike(GARMENT)
    asked: list[tuple[bytes, bytes, dict[str, Any]]] = [
        (good_person, good_garment, {}),
        (b"no picture", good_garment, {}),
        (good_person, good_garment, {"category": "hat"}),
        (good_person, good_garment, {"unheard_of": 1}),
    ] * 4
    ids = [f"row-{number}-of-a-batch" for number in range(len(asked))]
    with ThreadPoolExecutor(len(asked)) as pool:
        with running.standing_still(until_wait=len(asked) - BATCH):
            rows = zip(asked, ids, strict=True)
            asking = [pool.submit(running.infer, *row[:2], one, **row[2]) for row, one in rows]
        answers = [one.result() for one in asking]
    for (person, _, params), frames in zip(asked, answers, strict=True):
        kind, told = frames[-1]
        if person == good_person and not params:
            assert kind == "D"
            assert frames[-2][0] == "I"
        else:
            assert kind == "E"
            assert told["error_code"] == ("VAL_2001" if params else "VAL_2004")
    sizes = [running.inference(one)["batch_size"] for one in ids]
    assert max(sizes) > 1


def test_a_result_does_not_depend_on_its_batch_mates(running: Running) -> None:
    pairs = [(unlike(PERSON), unlike(GARMENT)) for _ in range(3)]
    alone = [dict(running.infer(*pair, output_format="png"))["I"] for pair in pairs]
    with ThreadPoolExecutor(len(pairs)) as pool:
        together = list(
            pool.map(lambda pair: dict(running.infer(*pair, output_format="png"))["I"], pairs)
        )
    assert alone == together
