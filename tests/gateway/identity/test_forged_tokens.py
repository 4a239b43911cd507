"""Every token that is not ours is refused, whatever it says of itself, and written down."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.gateway.logs import lines_of
from tests.gateway.signing_in import ADA, SESSION, Place, signing_in

pytestmark = pytest.mark.anyio

PATH = "/api/v1/auth/me"


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class Forger:
    """Knows the public half of the real key, and what a good token looks like."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.good = place.supabase.access_token(ADA["email"], SESSION)
        self.claims: dict[str, Any] = jwt.decode(self.good, options={"verify_signature": False})
        self.key: ec.EllipticCurvePrivateKey = place.supabase._keys[place.supabase.kid]
        self.now = int(place.gateway.clock.now())

    def claiming(self, **changes: object) -> str:
        """A token that the real service would have signed, with other claims."""
        return self.place.supabase.access_token(ADA["email"], SESSION, **changes)

    def headed(self, **header: object) -> str:
        """A token signed with the real key, under another header."""
        told = {"kid": self.place.supabase.kid, **header}
        told = {name: value for name, value in told.items() if value is not None}
        return jwt.encode(self.claims, self.key, "ES256", headers=told)

    def written(self, **header: object) -> str:
        """The same for a header that PyJWT itself would not write."""
        told = {"alg": "ES256", "typ": "JWT", "kid": self.place.supabase.kid, **header}
        signed = f"{part(told)}.{part(self.claims)}"
        algorithm = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
        mac = algorithm.sign(signed.encode(), self.key)
        return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    def confused(self) -> str:
        """HS256 with the public key as the secret: the classic."""
        public = self.key.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        head = part({"alg": "HS256", "typ": "JWT", "kid": self.place.supabase.kid})
        signed = f"{head}.{part(self.claims)}"
        algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
        mac = base64.urlsafe_b64encode(algorithm.sign(signed.encode(), pem)).rstrip(b"=").decode()
        return f"{signed}.{mac}"

    def unsigned(self, algorithm: str) -> str:
        """No signature at all."""
        return f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(self.claims)}."

    def by_other_key(self, **header: object) -> str:
        """The right id, the wrong key."""
        told = {"kid": self.place.supabase.kid, **header}
        return jwt.encode(self.claims, ec.generate_private_key(ec.SECP256R1()), "ES256", told)

    def by_rsa(self) -> str:
        """An algorithm that is accepted, with a key that is not of it."""
        key = rsa.generate_private_key(65537, 2048)
        return jwt.encode(self.claims, key, "RS256", {"kid": self.place.supabase.kid})

    def altered(self) -> str:
        """Other claims under a good signature."""
        head, _, mac = self.good.split(".")
        return f"{head}.{part(self.claims | {'sub': 'somebody-else-entirely'})}.{mac}"


FORGED: dict[str, Callable[[Forger], str]] = {
    "algorithm confusion": Forger.confused,
    "none": lambda f: f.unsigned("none"),
    "None": lambda f: f.unsigned("None"),
    "no algorithm": lambda f: f"{part({'typ': 'JWT'})}.{part(f.claims)}.",
    "ES256 without a signature": lambda f: f.unsigned("ES256"),
    "expired": lambda f: f.claiming(exp=f.now - 6),
    "no exp": lambda f: f.claiming(exp=None),
    "exp as text": lambda f: f.claiming(exp=str(f.now + 60)),
    "exp true": lambda f: f.claiming(exp=True),
    "exp beyond all time": lambda f: f.claiming(exp=10**18),
    "no iat": lambda f: f.claiming(iat=None),
    "issued in the future": lambda f: f.claiming(iat=f.now + 60),
    "not before": lambda f: f.claiming(nbf=f.now + 60),
    "wrong audience": lambda f: f.claiming(aud="somebody"),
    "no audience": lambda f: f.claiming(aud=None),
    "wrong issuer": lambda f: f.claiming(iss="https://evil.example/auth/v1"),
    "issuer with a slash more": lambda f: f.claiming(iss=f"{f.claims['iss']}/"),
    "no issuer": lambda f: f.claiming(iss=None),
    "role of the service": lambda f: f.claiming(role="service_role"),
    "no subject": lambda f: f.claiming(sub=None),
    "subject that is a path": lambda f: f.claiming(sub="../../admin"),
    "no session": lambda f: f.claiming(session_id=None),
    "wrong key": Forger.by_other_key,
    "key of another algorithm": Forger.by_rsa,
    "altered": Forger.altered,
    "unknown kid": lambda f: f.by_other_key(kid="11111111-2222-3333-4444-555555555555"),
    "no kid": lambda f: f.headed(kid=None),
    "kid that is a path": lambda f: f.by_other_key(kid="../../../../dev/null"),
    "kid that is a URL": lambda f: f.by_other_key(kid="https://evil.example/key"),
    "kid that is SQL": lambda f: f.by_other_key(kid="x' UNION SELECT 'k"),
    "jku": lambda f: f.headed(jku="https://evil.example/jwks.json"),
    "x5u": lambda f: f.headed(x5u="https://evil.example/cert.pem"),
    "x5c": lambda f: f.headed(x5c=["MIIB"]),
    "jwk": lambda f: f.headed(jwk={"kty": "oct", "k": "AAAA"}),
    "crit": lambda f: f.headed(crit=["exp"], exp=1),
    "b64": lambda f: f.written(b64=True),
    "b64 and crit": lambda f: f.written(b64=True, crit=["b64"]),
    "another type": lambda f: f.headed(typ="JWE"),
    "100 KB": lambda f: f.claiming(user_metadata={"x": "y" * 100_000}),
    "truncated": lambda f: f.good[:-20],
    "two parts": lambda f: ".".join(f.good.split(".")[:2]),
    "four parts": lambda f: f"{f.good}.{f.good}",
    "only dots": lambda _: "..",
    "empty": lambda _: "",
    "not ASCII": lambda f: f.good[:-1] + "é",
    "not base64": lambda f: f"!{f.good}",
    "header that is a list": lambda f: f"{part([])}.{part(f.claims)}.AA",
    "header nested deeply": lambda f: f"{_deep()}.{part(f.claims)}.AA",
    "claims that are a list": lambda f: jwt.PyJWS().encode(
        b"[1]", f.key, "ES256", {"kid": f.place.supabase.kid}
    ),
    "a key twice": lambda f: jwt.PyJWS().encode(
        b'{"sub":"a","sub":"b"}', f.key, "ES256", {"kid": f.place.supabase.kid}
    ),
    "an API key that is none": lambda _: f"vton_{'0' * 12}_{'A' * 43}",
    "an API key of another form": lambda _: "vton_",
}


def _deep() -> str:
    return base64.urlsafe_b64encode(b"[" * 5000).decode()


@pytest.mark.prop(1)
@pytest.mark.prop(3)
async def test_every_forged_token_is_refused_and_written_down(
    tmp_path: Path, log: io.StringIO
) -> None:
    async with signing_in(tmp_path) as place:
        forger, answers = Forger(place), {}
        good = await place.gateway.client.get(
            PATH, headers={"Authorization": f"Bearer {forger.good}"}
        )
        assert (good.status_code, good.json()["kind"]) == (200, "user")
        for name, forge in FORGED.items():
            header = b"Bearer " + forge(forger).encode()
            headers = {b"authorization": header, b"user-agent": name.encode()}
            answer = await place.gateway.client.get(PATH, headers=headers)
            answers[name] = answer.status_code, answer.json().get("error_code")
        expired = {"expired": (401, "AUTH_1002")}
        assert answers == dict.fromkeys(FORGED, (401, "AUTH_1001")) | expired
        lines = lines_of(log)
        noted = [line for line in lines if line.get("audit") == "authentication.refused"]
        assert [line["user_agent"] for line in noted] == list(FORGED)
        for line in noted:
            assert line["address"] == "127.0.0.1"
            assert line["timestamp"]
            assert line["reason"]
        rows = place.audit()
        assert {row[:3] for row in rows} == {
            (line["audit"], line["reason"], line["address"]) for line in noted
        }
        assert len(rows) == len({row[1] for row in rows})
        assert forger.good not in str(rows) + log.getvalue()


@pytest.mark.prop(1)
async def test_a_wrong_token_in_the_cookie_is_no_way_in_either(tmp_path: Path) -> None:
    async with signing_in(tmp_path) as place:
        forger = Forger(place)
        for forge in FORGED.values():
            token = forge(forger)
            if not token.isascii() or not token or "vton_" in token or len(token) > 8000:
                continue
            cookie = {"Cookie": f"__Host-vton_access={token}"}
            answer = await place.gateway.client.get(PATH, headers=cookie)
            assert answer.status_code == 401


@pytest.mark.prop(1)
async def test_hs256_is_accepted_where_it_is_set_and_nothing_else_is(tmp_path: Path) -> None:
    secret = "the-project's-legacy-secret-of-some-length"  # noqa: S105 - made up
    told = {"algorithms": ["HS256"], "jwt_secret": secret}
    async with signing_in(tmp_path, supabase=told) as place:
        forger = Forger(place)
        legacy = jwt.encode(forger.claims, secret, "HS256")
        for token, status in ((legacy, 200), (forger.good, 401), (forger.unsigned("none"), 401)):
            headers = {"Authorization": f"Bearer {token}"}
            answer = await place.gateway.client.get(PATH, headers=headers)
            assert answer.status_code == status
        assert "jwks" not in place.supabase.calls
