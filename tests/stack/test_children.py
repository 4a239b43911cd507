import io
import json
import os
import sys
from pathlib import Path

import psutil

from gateway.stack.children import Child
from tests.system.running import lives, until

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[1:]:
    print("up", flush=True)
else:
    subprocess.Popen([sys.executable, __file__, "grandchild"])
while True:
    time.sleep(60)
"""


def child(code: str, folder: Path, output: io.BytesIO) -> Child:
    script = folder / "script.py"
    script.write_text(code)
    return Child("script", [sys.executable, str(script)], os.environ, folder, output)


def test_stop_takes_grandchildren_that_refuse_to_go(tmp_path: Path) -> None:
    output = io.BytesIO()
    one = child(STUBBORN, tmp_path, output)
    until(lambda: b"up" in output.getvalue(), "the grandchild runs")
    family = psutil.Process(one.pid).children(recursive=True)
    assert family
    one.stop(grace_s=0.2)
    assert one.status is not None
    assert not [process for process in family if lives(process)]


def test_a_child_that_ended_leaves_its_status_and_last_words(tmp_path: Path) -> None:
    output = io.BytesIO()
    one = child("raise SystemExit('no Java here')", tmp_path, output)
    until(lambda: one.status is not None, "it ended")
    one.stop(grace_s=1.0)
    assert one.status == 1
    assert json.loads(output.getvalue())["message"] == "no Java here"
