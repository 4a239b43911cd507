from gateway.adapters.memory import MemoryResultMemo
from gateway.domain.results import StoredResult
from tests.gateway.running import ManualClock

RESULT = StoredResult(("name",), 1_800_000_000, {})


def test_a_result_is_remembered_for_its_time() -> None:
    clock = ManualClock(1000.0)
    memo = MemoryResultMemo(clock, ttl_s=60, max_entries=10)
    memo.put("key", RESULT)
    clock.time_s = 1059.9
    assert memo.get("key") is RESULT
    clock.time_s = 1060.0
    assert memo.get("key") is None
    assert len(memo) == 0


def test_a_result_is_not_remembered_longer_than_it_lives() -> None:
    clock = ManualClock(1000.0)
    memo = MemoryResultMemo(clock, ttl_s=60, max_entries=10)
    memo.put("key", StoredResult(("name",), 1010, {}))
    clock.time_s = 1010.0
    assert memo.get("key") is None


def test_the_least_recently_used_is_forgotten_first() -> None:
    memo = MemoryResultMemo(ManualClock(), ttl_s=60, max_entries=2)
    memo.put("a", RESULT)
    memo.put("b", RESULT)
    memo.get("a")
    memo.put("c", RESULT)
    assert [key for key in "abc" if memo.get(key)] == ["a", "c"]


def test_what_is_forgotten_is_gone() -> None:
    memo = MemoryResultMemo(ManualClock(), ttl_s=60, max_entries=2)
    memo.put("a", RESULT)
    memo.forget("a")
    memo.forget("a")
    assert memo.get("a") is None
