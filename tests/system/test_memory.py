import pytest

from tests.system.running import GARMENT, PERSON, Running, unlike

pytestmark = pytest.mark.system

SETTLED_AFTER = 12
INFERENCES = 25
SLACK_BYTES = 60_000_000  # the allocator's own, far below one leaked try-on per inference


@pytest.mark.prop(24)
def test_memory_is_back_at_its_level_after_many_inferences(running: Running) -> None:
    def held_bytes() -> float:
        """What the worker holds beside what its caches hold on purpose."""
        cached = sum(running.gauge(f"vton_{name}_cache_bytes") for name in ("person", "garment"))
        return float(running.worker().memory_info().rss) - cached

    for _ in range(SETTLED_AFTER):
        running.infer(unlike(PERSON), unlike(GARMENT))
    level = held_bytes()
    for _ in range(INFERENCES):
        running.infer(unlike(PERSON), unlike(GARMENT))
    assert held_bytes() < level + SLACK_BYTES
    assert running.gauge("vton_worker_gpu_bytes") == 0
