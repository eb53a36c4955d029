"""What a connect failed of before the server said anything itself, in words, and what to do.

Told apart by the numbers of OpenSSL, never by its words. Refuses: anything that has a SQLSTATE of the server's.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

import asyncpg

_SERVER_WITHOUT: Final = "Has the server ssl = on? sslmode=prefer and sslmode=disable go without."
_OTHER_CA: Final = "Give the certificate of the CA that signed it as sslrootcert."
_OTHER_NAME: Final = "Connect by a name that the certificate has, or have one issued for this name."
_HANDSHAKE: Final = (
    "Do both sides have a TLS version in common, and does the server ask for another certificate (sslcert, sslkey)?"
)
_HUNG_UP: Final = "the server closed the connection before it let anybody in"
# X509_V_ERR_*, from openssl/x509_vfy.h.
_BY_CODE: Final[Mapping[int, str]] = {
    2: _OTHER_CA,  # unable to get issuer certificate
    3: "Give the list of that CA's revoked certificates as sslcrl.",  # unable to get certificate CRL
    9: "Are the clocks right?",  # not yet valid
    10: "Renew the server's certificate.",  # expired
    12: "Fetch the CA's present list of revoked certificates.",  # CRL has expired
    18: _OTHER_CA,  # self-signed
    19: _OTHER_CA,  # self-signed in chain
    20: _OTHER_CA,  # unable to get local issuer certificate
    21: _OTHER_CA,  # unable to verify the first certificate
    23: "Do not send anything there: its key may be in other hands.",  # revoked
    62: _OTHER_NAME,  # host name
    64: _OTHER_NAME,  # IP address
}


def tls_failure(error: BaseException) -> tuple[str, str] | None:
    """Say what TLS failed of, and what to do; None of what is not about TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        what = error.verify_message.rstrip(".")
        return f"the server's certificate is refused: {what}", _BY_CODE.get(error.verify_code, "Look at it.")
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or type(error).__name__).lower().replace("_", " ")
        return f"TLS failed: {reason}", _HANDSHAKE
    if type(error) is ConnectionError and error.errno is None:
        # asyncpg's own, in front of the handshake: the server's answer to the question for TLS.
        return str(error), _SERVER_WITHOUT
    # By TLS 1.3 a server refuses a client's certificate after the handshake: the driver hears of the end only.
    if isinstance(error, asyncpg.ConnectionDoesNotExistError) or _is_unexplained(error):
        return _HUNG_UP, f"Look at its log. With TLS: {_HANDSHAKE[0].lower()}{_HANDSHAKE[1:]}"
    return None


def _is_unexplained(error: BaseException) -> bool:
    return isinstance(error, ConnectionResetError) and error.errno is None  # the loop's own, not the kernel's
