import ast
from pathlib import Path

from gateway.domain import durations

GATEWAY = Path(durations.__file__).parents[1]


def test_how_long_a_day_is_is_written_once() -> None:
    written = [
        str(file.relative_to(GATEWAY))
        for file in GATEWAY.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and node.value == durations.DAY_S
    ]
    assert written == ["domain/durations.py"]
