"""Tokens of a service account that live as short as a test needs; the server's own API gives ten minutes at least.

In: an API server of the tests, whose signing key lies in its directory. Out: a token that the server accepts until it
expires. The rule: it is signed like every other one, so nothing but the time makes it invalid.
"""

import base64
import contextlib
import json
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.services.kubernetes import ApiServer
from tests.services.process import ServiceError

ACCOUNT = "short-lived"
ISSUER = "https://kubernetes.default.svc"
LEEWAY = 60
"""Seconds for which a kube-apiserver accepts a token that has expired, since clocks differ."""
PATH = "/api/v1/namespaces/kube-system/serviceaccounts"


def short_lived_token(server: ApiServer, seconds: float) -> str:
    """Make a token, of a service account with the daemon's rights, that is accepted for so many seconds."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": [ISSUER],
        "sub": f"system:serviceaccount:kube-system:{ACCOUNT}",
        "iat": now - LEEWAY,
        "nbf": now - LEEWAY,
        "exp": now + int(seconds) - LEEWAY,
        "kubernetes.io": {"namespace": "kube-system", "serviceaccount": {"name": ACCOUNT, "uid": _account(server)}},
    }
    signed = f"{_encoded({'alg': 'ES256', 'typ': 'JWT'})}.{_encoded(claims)}"
    private, _public = server._signing
    key = load_pem_private_key(private.read_bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    numbers = decode_dss_signature(key.sign(signed.encode(), ECDSA(hashes.SHA256())))
    return f"{signed}.{_base64(b''.join(each.to_bytes(32, 'big') for each in numbers))}"


def _account(server: ApiServer) -> str:
    """Make the account, with the daemon's rights, unless it is there; return its uid."""
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": "kube-system"}
    binding = {
        "metadata": {"name": ACCOUNT},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "nqosd"},
        "subjects": [subject],
    }
    with contextlib.suppress(ServiceError):
        server.request("POST", PATH, {"metadata": {"name": ACCOUNT}})
        server.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    return str(json.loads(server.request("GET", f"{PATH}/{ACCOUNT}"))["metadata"]["uid"])


def _encoded(value: object) -> str:
    return _base64(json.dumps(value).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
