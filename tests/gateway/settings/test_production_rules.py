import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from gateway.errors.kinds import Misconfigured
from gateway.settings.production_rules import DEVELOPMENT_SECRET
from gateway.settings.tree import PREFIX, Settings, load_settings

CONFIG = Path(__file__).parents[3] / "config"
SECRET = "VTON_STORAGE__SIGNING_SECRET"  # noqa: S105 - the name of a setting
SAFE = {"VTON_ENVIRONMENT": "production", SECRET: "q7" * 20}
OUTSIDE = "http://models.example.com:8080"
UNSAFE: list[tuple[dict[str, str], str]] = [
    ({SECRET: ""}, "storage.signing_secret is shorter than 32 characters"),
    ({SECRET: "x" * 31}, "storage.signing_secret is shorter than 32 characters"),
    ({SECRET: DEVELOPMENT_SECRET}, "storage.signing_secret is the development default"),
    (
        {"VTON_PIXAZO__IS_STAND_IN": "true", "VTON_PIXAZO__URL": "http://127.0.0.1:9"},
        "pixazo.is_stand_in is on",
    ),
    ({"VTON_ADMIN__TOKEN": "letmein"}, "admin.token is shorter than 32 characters"),
    ({"VTON_SUPABASE__JWT_SECRET": "short"}, "supabase.jwt_secret is shorter than 32 characters"),
    ({"VTON_HTTP__CORS_ORIGINS": "https://a.example,*"}, "http.cors_origins holds a wildcard"),
    ({"VTON_HTTP__CORS_ORIGINS": "https://*.example"}, "http.cors_origins holds a wildcard"),
    (
        {"VTON_HTTP__CORS_ORIGINS": "http://shop.example"},
        "http.cors_origins holds an origin that is not https",
    ),
    ({"VTON_HTTP__HSTS": "false"}, "http.hsts is off"),
    ({"VTON_HTTP__PUBLIC_URL": "http://shop.example"}, "http.public_url is not https"),
    ({"VTON_STORAGE__URL": "memory://"}, "storage.url is memory"),
    ({"VTON_SUPABASE__SECURE_COOKIES": "false"}, "supabase.secure_cookies is off"),
    ({"VTON_SUPABASE__URL": "http://auth.example"}, "supabase.url is not https"),
    ({"VTON_WEBHOOKS__ALLOW_PRIVATE": "true"}, "webhooks.allow_private is on"),
    ({"VTON_RECOMMENDATIONS__ARE_STAND_INS": "true"}, "recommendations.are_stand_ins is on"),
    ({"VTON_LIMITS__ANONYMOUS_PER_MIN": "60000"}, "limits.anonymous_per_min is no limit"),
    ({"VTON_LIMITS__INFERENCE_PER_MIN": "60000"}, "limits.inference_per_min is no limit"),
    *(
        (
            {f"VTON_TORCHSERVE__{api.upper()}_URL": url},
            f"torchserve.{api}_url can be reached from outside, and there is no torchserve.{api}_",
        )
        for api in ("inference", "management")
        for url in (OUTSIDE, "http://93.184.216.34:8080", "http://[2001:4860::8888]:8080")
    ),
    (
        {"VTON_TORCHSERVE__MANAGEMENT_URL": OUTSIDE, "VTON_TORCHSERVE__MANAGEMENT_TOKEN": "t" * 40},
        "torchserve.management_url can be reached from outside, and is not https",
    ),
]


def names_of(tree: type[BaseModel], prefix: str = PREFIX) -> set[str]:
    found = set()
    for name, field in tree.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= names_of(inner, f"{prefix}{name.upper()}__")
        else:
            found.add(f"{prefix}{name.upper()}")
    return found


def loaded(changes: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in names_of(Settings):
        monkeypatch.delenv(name, raising=False)
    for name, value in (SAFE | changes).items():
        monkeypatch.setenv(name, value)
    return load_settings(CONFIG)


@pytest.mark.parametrize(("changes", "named"), UNSAFE, ids=[named for _, named in UNSAFE])
def test_production_refuses_what_is_unsafe_by_name(
    changes: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Misconfigured, match=re.escape(named)) as caught:
        loaded(changes, monkeypatch)
    values = [value for value in changes.values() if len(value) > len("false")]
    assert not any(value in str(caught.value) for value in values)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"VTON_TORCHSERVE__INFERENCE_URL": "http://torchserve:8080"},
        {"VTON_TORCHSERVE__INFERENCE_URL": "http://10.0.3.4:8080"},
        {"VTON_TORCHSERVE__INFERENCE_URL": "http://[fd00::7]:8080"},
        {"VTON_TORCHSERVE__MANAGEMENT_URL": "http://ts.models.svc.cluster.local:8081"},
        {
            "VTON_TORCHSERVE__INFERENCE_URL": "https://models.example.com",
            "VTON_TORCHSERVE__INFERENCE_TOKEN": "t" * 40,
        },
        {"VTON_HTTP__CORS_ORIGINS": "https://shop.example"},
        {"VTON_HTTP__PUBLIC_URL": "https://tryon.example"},
        {"VTON_ADMIN__TOKEN": "t" * 32},
        {"VTON_LIMITS__INFERENCE_PER_MIN": "60000", "VTON_IDENTITY__ANONYMOUS": "false"},
    ],
    ids=lambda changes: next(iter(changes.values()), "as shipped"),
)
def test_production_starts_with_what_is_safe(
    changes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert loaded(changes, monkeypatch).environment == "production"


def test_every_fault_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {SECRET: "", "VTON_HTTP__HSTS": "false", "VTON_STORAGE__URL": "memory://"}
    with pytest.raises(Misconfigured) as caught:
        loaded(changes, monkeypatch)
    for named in ("storage.signing_secret", "http.hsts", "storage.url"):
        assert named in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "starts"), [({"VTON_HTTP__HSTS": "false"}, True), ({SECRET: "short"}, False)]
)
def test_staging_is_as_strict_except_for_https(
    changes: dict[str, str],
    starts: bool,  # noqa: FBT001 - a case of the table
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    staging: dict[str, Any] = {"VTON_ENVIRONMENT": "staging", **changes}
    if starts:
        assert loaded(staging, monkeypatch).environment == "staging"
    else:
        with pytest.raises(Misconfigured, match="unsafe for staging"):
            loaded(staging, monkeypatch)
