from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.system.running import GARMENT, PERSON, Running, unlike

pytestmark = pytest.mark.system


@pytest.mark.prop(16)
@pytest.mark.prop(23)
def test_bad_rows_of_a_batch_leave_the_good_ones_alone(running: Running) -> None:
    good_person, good_garment = unlike(PERSON), unlike(GARMENT)
    asked = [
        (good_person, good_garment, {}),
        (b"no picture", good_garment, {}),
        (good_person, good_garment, {"category": "hat"}),
        (good_person, good_garment, {"unheard_of": 1}),
    ] * 4
    before = len(running.inferences(0))
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = list(pool.map(lambda row: running.infer(row[0], row[1], **row[2]), asked))
    for (person, _, params), frames in zip(asked, answers, strict=True):
        kind, told = frames[-1]
        if person == good_person and not params:
            assert kind == "D"
            assert frames[-2][0] == "I"
        else:
            assert kind == "E"
            assert told["error_code"] == ("VAL_2001" if params else "VAL_2004")
    sizes = [line["batch_size"] for line in running.inferences(len(asked), after=before)]
    assert len(sizes) == len(asked)
    assert max(sizes) > 1


def test_a_result_does_not_depend_on_its_batch_mates(running: Running) -> None:
    pairs = [(unlike(PERSON), unlike(GARMENT)) for _ in range(3)]
    alone = [dict(running.infer(*pair, output_format="png"))["I"] for pair in pairs]
    with ThreadPoolExecutor(len(pairs)) as pool:
        together = list(
            pool.map(lambda pair: dict(running.infer(*pair, output_format="png"))["I"], pairs)
        )
    assert alone == together
