from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.patience import PATIENCE_S
from tests.system.running import GARMENT, PERSON, Running, cpu_s, unlike, until

pytestmark = pytest.mark.system

A_BIT_OF_WORK_S = 0.05
CLEAR = {"ML_4001", "ML_4002", "EXT_5004", "RATE_3002"}


def test_a_worker_killed_during_a_try_on_is_told_or_survived(running: Running) -> None:
    worker = running.worker()
    busy_s = cpu_s(worker) + A_BIT_OF_WORK_S
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(running.try_on, unlike(PERSON), unlike(GARMENT))
        until(lambda: asked.done() or cpu_s(worker) > busy_s, "the worker is at it")
        worker.kill()
        answer = asked.result(PATIENCE_S)
    if answer.status_code != 200:
        assert answer.json()["error_code"] in CLEAR
    until(lambda: running.try_on(unlike(PERSON), unlike(GARMENT)).is_success, "it works again")
    assert running.worker().pid != worker.pid
