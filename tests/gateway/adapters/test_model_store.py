import hashlib
from pathlib import Path

import pytest

from gateway.adapters.model_store import FolderModelStore
from gateway.errors.kinds import GatewayError, InvalidInput, Misconfigured
from handlers.archive import pack
from tests.handlers.torchserve_rows import ROOT

pytestmark = pytest.mark.anyio

CONFIG = ROOT / "config" / "geometric.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pack("geometric", CONFIG, tmp_path)
    pack("geometric", CONFIG, tmp_path, "1.1.0", is_versioned=True)
    return tmp_path


def reason(error: pytest.ExceptionInfo[GatewayError]) -> str:
    return str(error.value.details)


async def test_a_version_is_found_with_the_settings_of_its_yaml(folder: Path) -> None:
    found = await FolderModelStore(folder).by_version("geometric", "1.1.0")
    assert (found.file, found.model, found.version) == (
        "geometric-1.1.0.mar", "geometric", "1.1.0",
    )  # fmt: skip
    assert (found.workers, found.startup_s) == (1, 120)
    assert found.serving == {
        "batch_size": 4, "max_batch_delay": 1, "response_timeout": 30, "startup_timeout": 120,
    }  # fmt: skip


async def test_the_version_that_was_there_first_is_found_in_its_plain_archive(folder: Path) -> None:
    found = await FolderModelStore(folder).by_version("geometric", "1.0.0")
    assert found.file == "geometric.mar"


async def test_an_archive_is_found_by_its_name(folder: Path) -> None:
    assert (await FolderModelStore(folder).by_name("geometric", "geometric.mar")).version == "1.0.0"


@pytest.mark.parametrize("name", ["../geometric.mar", "/etc/x.mar", "a/b.mar", "geometric.zip", ""])
async def test_a_path_is_no_name(folder: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="parameters"):
        await FolderModelStore(folder).by_name("geometric", name)


async def test_what_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        await FolderModelStore(folder).by_version("geometric", "9.9.9")
    assert "the model store has no geometric-9.9.9.mar" in reason(caught)
    with pytest.raises(InvalidInput):
        await FolderModelStore(folder).by_version("geometric", "latest")


async def test_an_archive_that_was_changed_is_refused(folder: Path) -> None:
    with (folder / "geometric-1.1.0.mar").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InvalidInput) as caught:
        await FolderModelStore(folder).by_version("geometric", "1.1.0")
    assert "is not the file that SHA256SUMS" in reason(caught)


async def test_without_its_sums_a_store_has_nothing_genuine(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(InvalidInput):
        await FolderModelStore(folder).by_name("geometric", "geometric.mar")


async def test_a_link_out_of_the_store_is_refused(folder: Path) -> None:
    (folder / "other.mar").symlink_to(folder / "geometric.mar")
    with pytest.raises(InvalidInput) as caught:
        await FolderModelStore(folder).by_name("geometric", "other.mar")
    assert "is not in the model store" in reason(caught)


async def test_another_models_archive_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        await FolderModelStore(folder).by_name("person", "geometric.mar")
    assert "holds another model: geometric" in reason(caught)


async def test_what_is_no_archive_is_refused_with_the_reason(folder: Path) -> None:
    (folder / "broken.mar").write_bytes(b"not a zip")
    digest = hashlib.sha256(b"not a zip").hexdigest()
    with (folder / "SHA256SUMS").open("a") as sums:
        sums.write(f"{digest}  broken.mar\n")
    with pytest.raises(InvalidInput) as caught:
        await FolderModelStore(folder).by_name("geometric", "broken.mar")
    assert "is not a model archive" in reason(caught)


async def test_without_a_store_the_setting_is_named() -> None:
    with pytest.raises(Misconfigured, match="VTON_ROLLOUT__MODEL_STORE"):
        await FolderModelStore(None).by_version("geometric", "1.0.0")
