"""The model store: a folder of archives, and SHA256SUMS beside them that says which are genuine."""

import asyncio
import hashlib
import json
import re
import zipfile
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.domain.versions import Archive, is_version
from gateway.errors.kinds import InvalidInput, Misconfigured

_NAME: Final = re.compile(r"[a-z0-9][A-Za-z0-9._-]{0,127}\.mar", re.ASCII)
_SUMS: Final = "SHA256SUMS"
_MANIFEST: Final = "MAR-INF/MANIFEST.json"
_MAX_TEXT_BYTES: Final = 1 << 20
# TorchServe's names: in a YAML, and in a registration.
_SERVING: Final = {
    "batchSize": "batch_size",
    "maxBatchDelay": "max_batch_delay",
    "responseTimeout": "response_timeout",
    "startupTimeout": "startup_timeout",
}

_Count = Annotated[int, Field(strict=True, ge=0)]


class _Serving(BaseModel):
    """What TorchServe reads of a model's YAML."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    minWorkers: _Count = 1  # noqa: N815 - TorchServe's own names, as in the file
    batchSize: _Count = 1  # noqa: N815
    maxBatchDelay: _Count = 100  # noqa: N815
    responseTimeout: _Count = 120  # noqa: N815
    startupTimeout: _Count = 120  # noqa: N815


class FolderModelStore:
    """Implements the ModelStore port; `folder` is the one that TorchServe loads from."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    async def by_version(self, model: str, version: str) -> Archive:
        """The archive `<model>-<version>.mar`, or `<model>.mar` where it holds that version.

        Raises InvalidInput for one that is not there, or is not what it says.
        """
        if not is_version(version):
            raise InvalidInput.of("version", "must be MAJOR.MINOR.PATCH")
        folder = self._there()
        names = (f"{model}-{version}.mar", f"{model}.mar")
        for name in names:
            if (folder / name).is_file():
                archive = await self._checked("version", name, model)
                if archive.version == version:
                    return archive
        raise InvalidInput.of("version", f"the model store has no {names[0]}")

    async def by_name(self, model: str, name: str) -> Archive:
        """The archive of this file name; raises InvalidInput as `by_version` does."""
        if not _NAME.fullmatch(name):
            raise InvalidInput.of("archive", "must be the name of a .mar file in the model store")
        return await self._checked("archive", name, model)

    def _there(self) -> Path:
        if self._folder is None:
            raise Misconfigured(
                "setting VTON_ROLLOUT__MODEL_STORE: not set, so nothing can be rolled"
            )
        return self._folder

    async def _checked(self, field: str, name: str, model: str) -> Archive:
        try:
            archive = await asyncio.to_thread(_read, self._there(), name)
        except _Unusable as fault:
            raise InvalidInput.of(field, f"{name} {fault}") from fault
        if archive.model != model:
            raise InvalidInput.of(field, f"{name} holds another model: {archive.model}")
        return archive


class _Unusable(Exception):
    """What is wrong with an archive, to be read after its name."""


def _read(folder: Path, name: str) -> Archive:
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise _Unusable("is not in the model store")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != _recorded(folder).get(name):
        raise _Unusable(f"is not the file that {_SUMS} of the model store names")
    try:
        with zipfile.ZipFile(path) as archive:
            told = json.loads(_text(archive, _MANIFEST))["model"]
            serving = yaml.safe_load(_text(archive, told["configFile"]))
            archive.getinfo(told["handler"])
        return _described(name, told, _Serving.model_validate(serving))
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise _Unusable(f"is not a model archive: {_reason(error)}") from error


def _recorded(folder: Path) -> dict[str, str]:
    """The digests by file name; none where there is no list."""
    try:
        lines = (folder / _SUMS).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _text(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _MAX_TEXT_BYTES:
        raise ValueError(f"{name} is too large")
    return archive.read(name)


def _described(file: str, told: dict[str, Any], serving: _Serving) -> Archive:
    version = str(told["modelVersion"])
    if not is_version(version):
        raise ValueError("its version is not MAJOR.MINOR.PATCH")
    values = serving.model_dump()
    return Archive(
        file=file,
        model=str(told["modelName"]),
        version=version,
        workers=max(1, serving.minWorkers),
        startup_s=serving.startupTimeout,
        serving={query: values[name] for name, query in _SERVING.items()},
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, fault['loc'])) or 'its YAML'}: {fault['msg']}"
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    if isinstance(error, yaml.YAMLError):
        return "its YAML cannot be read"
    return str(error)
