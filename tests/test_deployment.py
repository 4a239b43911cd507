"""The containers as they are written down: nobody is root, everything has limits and a check."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from handlers.archive import pack

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile.gpu").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def stages() -> dict[str, str]:
    """The text of each named build stage."""
    parts = re.split(r"^FROM \S+ AS (\S+)$", DOCKERFILE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", ["torchserve", "gateway"])
def test_an_image_runs_as_nobody_special_and_checks_itself(name: str) -> None:
    stage = stages()[name]
    assert re.search(r"^USER 10001$", stage, re.MULTILINE)
    assert "HEALTHCHECK" in stage
    assert "pip install" not in stage, "compilers and caches stay in the packages stage"


@pytest.mark.parametrize(("change", "status"), [(b"", 127), (b"x", 1)])
def test_the_model_server_starts_with_genuine_archives_alone(
    tmp_path: Path, change: bytes, status: int
) -> None:
    """There is no Java where the image has it, so a start that is let in ends with 127."""
    archive = pack("geometric", ROOT / "config" / "geometric.yaml", tmp_path)
    archive.write_bytes(archive.read_bytes() + change)
    (told,) = re.findall(r"^CMD (\[.*?\])$", stages()["torchserve"], re.MULTILINE | re.DOTALL)
    ended = subprocess.run(
        json.loads(told.replace("\\\n", "")),
        cwd=ROOT,
        env={
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "TS_MODEL_STORE": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == status, ended.stderr
    assert (f"{archive}: not the bytes" in ended.stderr) is bool(change)


def test_what_an_image_copies_exists_and_is_sent_to_the_builder() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    sent = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert sources == sent
    assert [source for source in sources if not (ROOT / source).exists()] == []


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_is_locked_down_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
    assert service["build"]["target"] in stages()


def test_only_the_gateway_is_reached_from_outside() -> None:
    published = {name for name, service in SERVICES.items() if "ports" in service}
    assert published == {"gateway"}
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name in ("torchserve-cpu", "torchserve-gpu"):
        assert list(SERVICES[name]["networks"]) == ["inside"]


def test_what_the_gateway_keeps_lies_on_its_volume() -> None:
    """Everything else of its file system can only be read."""
    assert SERVICES["gateway"]["volumes"] == ["objects:/data"]
    kept = re.findall(r"VTON_(STORAGE|DATABASE)__URL=\w+://(/+\w+)/", stages()["gateway"])
    assert kept == [("STORAGE", "/data"), ("DATABASE", "//data")]


def test_each_profile_brings_one_model_server() -> None:
    profiles = {name: service.get("profiles") for name, service in SERVICES.items()}
    assert profiles == {"gateway": None, "torchserve-cpu": ["cpu"], "torchserve-gpu": ["gpu"]}


def test_only_settings_that_exist_are_set() -> None:
    documented = (ROOT / "config" / "gateway.example.env").read_text()
    read_by_workers = (ROOT / "handlers" / "places.py").read_text()
    written = [*SERVICES["gateway"]["environment"], *re.findall(r"(VTON_\w+)=", DOCKERFILE)]
    unknown = [name for name in written if f"\n{name}=" not in documented]
    assert [name for name in unknown if f'"{name}"' not in read_by_workers] == []


def test_what_is_served_is_what_the_gateway_asks_for() -> None:
    asked = SERVICES["gateway"]["environment"]["VTON_TRYON__DEFAULT_ENGINE"]
    for name in ("torchserve-cpu", "torchserve-gpu"):
        service = SERVICES[name]
        assert service["environment"]["TS_LOAD_MODELS"].startswith(f"{asked}.mar")
        assert service["volumes"] == ["${VTON_MODELS:-./models}:/srv/models:ro"]
    packed = re.search(r"handlers\.archive ([a-z_ ]+) --config", DOCKERFILE)
    assert packed
    for model in packed[1].split():
        assert (ROOT / "handlers" / f"{model}.py").is_file()
