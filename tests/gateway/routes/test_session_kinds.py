"""Who asks for little work is served before others who asked for much a little earlier."""

from pathlib import Path

import pytest

from tests.gateway.routes.test_sessions import create, get
from tests.gateway.steps_stand_in import stepping_gateway

pytestmark = pytest.mark.anyio


async def test_a_preview_goes_before_what_came_up_to_a_minute_earlier(tmp_path: Path) -> None:
    idle = {"is_running": False}
    async with stepping_gateway(tmp_path, sessions=idle) as (gateway, _):
        asked, made = [(0, "quality"), (2, "quality"), (59, "fast")], []
        began_s = gateway.clock.time_s
        for after_s, preset in asked:
            gateway.clock.time_s = began_s + after_s
            made.append((await create(gateway, preset=preset)).json())
        assert [one["kind"] for one in made] == ["standard", "standard", "preview"]
        places = [(await get(gateway, one["session_id"]))["queue_position"] for one in made]
        assert places == [1, 2, 0]
