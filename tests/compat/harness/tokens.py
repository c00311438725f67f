"""An issuer of JSON Web Tokens, good and bad ones."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER = "https://issuer.example.com/"
AUDIENCE = "flexconnect"


class Issuer:
    """One key on the curve P-256, under a name."""

    def __init__(self, key_id: str) -> None:
        self._id = key_id
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public(self) -> dict[str, str]:
        """The key as it is published in a key set."""
        point = self._key.public_key().public_numbers()
        x, y = (_encode(number.to_bytes(32)) for number in (point.x, point.y))
        return {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self._id, "x": x, "y": y}

    def token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A good token, but for what is said here; a claim that is None is left out."""
        now = int(time.time())
        standard = {"iss": ISSUER, "aud": AUDIENCE, "sub": "gooddata", "iat": now, "exp": now + 600}
        signed = self._signed(header or {}, standard | claims)
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_encode(r.to_bytes(32) + s.to_bytes(32))}"

    def unsigned(self) -> str:
        """A token that says that it needs no signature."""
        return self._signed({"alg": "none"}, json.loads(_claims(self.token()))) + "."

    def signed_with_the_public_key(self) -> str:
        """A token whose signature takes the public key for a secret."""
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        signed = self._signed({"alg": "HS256"}, json.loads(_claims(self.token())))
        return f"{signed}.{_encode(hmac.new(public, signed.encode(), hashlib.sha256).digest())}"

    def _signed(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        header = {"alg": "ES256", "typ": "JWT", "kid": self._id} | header
        parts = ({name: value for name, value in part.items() if value is not None} for part in (header, claims))
        return ".".join(_encode(json.dumps(part).encode()) for part in parts)


def key_set(*issuers: Issuer) -> str:
    """The keys of these issuers, as a JWKS document."""
    return json.dumps({"keys": [issuer.public for issuer in issuers]})


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _claims(token: str) -> bytes:
    claims = token.split(".")[1]
    return base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
