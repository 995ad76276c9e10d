"""TLS of the server: its certificate, taken anew when it is renewed, and nothing in clear beyond this machine.

Callers send bearer tokens and customers' words, so whoever listens where others can come near needs TLS, or must say
that the way is safe by other means.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import grpc
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from casetrail.environment import insecure
from casetrail.tls import is_loopback
from engine.file_mark import Mark, mark

_CERT: Final = "CASETRAIL_TLS_CERT"
_KEY: Final = "CASETRAIL_TLS_KEY"
_CLIENT_CA: Final = "CASETRAIL_TLS_CLIENT_CA"

# With other keys it starts, and then every handshake fails.
_CURVES: Final = frozenset({"secp256r1", "secp384r1"})

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class TransportRefusedError(Exception):
    """Certificate, key or address cannot be served with; the message names the setting."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files.

    Attributes:
        certificate: CASETRAIL_TLS_CERT, the server's certificate, and after it those that lead to its authority.
        key: CASETRAIL_TLS_KEY, its private key, which is not encrypted.
        client_ca: CASETRAIL_TLS_CLIENT_CA, the authorities of which every caller must show a certificate; None asks
            for none.
    """

    certificate: Path
    key: Path
    client_ca: Path | None

    def marks(self) -> tuple[Mark | None, ...]:
        """What changes when one of them does."""
        return tuple(mark(path) for path in (self.certificate, self.key, self.client_ca) if path is not None)


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """How the server is spoken to.

    Attributes:
        tls: Its files; None when it speaks in clear.
        insecure: CASETRAIL_INSECURE=1, in clear beyond this machine all the same.
    """

    tls: TlsFiles | None
    insecure: bool

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings.

        Raises:
            ValueError: One of them is missing; the message names it.
        """
        certificate, key, client_ca = (environment.get(name) for name in (_CERT, _KEY, _CLIENT_CA))
        if bool(certificate) != bool(key):
            raise ValueError(f"{_CERT} and {_KEY} go together")
        if client_ca and not certificate:
            raise ValueError(f"{_CLIENT_CA} wants {_CERT} and {_KEY}")
        tls = (
            TlsFiles(Path(certificate), Path(key), Path(client_ca) if client_ca else None)
            if certificate and key
            else None
        )
        return cls(tls, insecure(environment))

    def certificates(self, address: str) -> "Certificates | None":
        """What to listen with at an address; None in clear.

        Raises:
            TransportRefusedError: The files cannot be used, or it would be in clear where others come near.
        """
        if self.tls is not None:
            return Certificates(self.tls)
        if is_loopback(address):
            return None
        if not self.insecure:
            raise TransportRefusedError(
                f"CASETRAIL_ADDRESS {address} is not for this machine alone, and tokens would pass in clear: set "
                f"{_CERT} and {_KEY}, or CASETRAIL_INSECURE=1 where the way is safe by other means"
            )
        _log.warning("NO TLS: tokens and customers' words pass in clear", address=address)
        return None


class Certificates:
    """What stands in the files. When that changes, new connections get the new; what cannot be used is not taken.

    Attributes:
        until: When the certificate that is served expires.
    """

    def __init__(self, files: TlsFiles) -> None:
        """Read them.

        Raises:
            TransportRefusedError: They cannot be used; the message says which and why.
        """
        self._files = files
        self._seen = files.marks()
        self._served, self.until = load(files)

    def credentials(self) -> grpc.ServerCredentials:
        """For a port of gRPC's."""
        return grpc.dynamic_ssl_server_credentials(
            self._served,
            self._renewed,  # type: ignore[arg-type] # its stub forgets that None is for no change
            require_client_authentication=self._files.client_ca is not None,
        )

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """What is new; None for nothing. gRPC asks before every handshake, on a thread of its own."""
        marks = self._files.marks()
        if marks == self._seen:
            return None
        self._seen = marks
        try:
            self._served, self.until = load(self._files)
        except TransportRefusedError as error:  # half of a renewal, perhaps: the other half changes a file again
            _log.error("certificate not taken, the last good one stays", why=str(error))
            return None
        return self._served


def load(files: TlsFiles) -> tuple[grpc.ServerCertificateConfiguration, datetime]:
    """Read and check the files: what to serve with, and until when.

    Raises:
        TransportRefusedError: They cannot be used.
    """
    chain, key = _read(_CERT, files.certificate), _read(_KEY, files.key)
    own = _certificates(_CERT, files.certificate, chain)[0]
    _require_valid_now(_CERT, files.certificate, own)
    _require_key_of(own, files, key)
    authorities = None
    if files.client_ca is not None:
        authorities = _read(_CLIENT_CA, files.client_ca)
        for authority in _certificates(_CLIENT_CA, files.client_ca, authorities):
            _require_valid_now(_CLIENT_CA, files.client_ca, authority)
    until = own.not_valid_after_utc
    _log.info("certificate", subject=own.subject.rfc4514_string(), until=until.isoformat())
    return grpc.ssl_server_certificate_configuration([(key, chain)], authorities), until


def own_name(files: TlsFiles) -> str:
    """A name that the certificate is for, for a caller on this machine that means this very server.

    Raises:
        TransportRefusedError: It cannot be read.
    """
    own = _certificates(_CERT, files.certificate, _read(_CERT, files.certificate))[0]
    try:
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    for name in names:
        if isinstance(name, x509.DNSName | x509.IPAddress):
            return str(name.value).replace("*", "any", 1)
    return ""


def _read(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TransportRefusedError(f"{setting}: {path} cannot be read: {error.strerror}") from error


def _certificates(setting: str, path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise TransportRefusedError(f"{setting}: {path} holds no certificate that can be read") from error


def _require_valid_now(setting: str, path: Path, certificate: x509.Certificate) -> None:
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not since <= datetime.now(UTC) <= until:
        subject = certificate.subject.rfc4514_string()
        raise TransportRefusedError(
            f"{setting}: {path}: the certificate of {subject} is valid from {since:%Y-%m-%d %H:%M} to "
            f"{until:%Y-%m-%d %H:%M} UTC, and not now"
        )


def _require_key_of(certificate: x509.Certificate, files: TlsFiles, pem: bytes) -> None:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise TransportRefusedError(f"{_KEY}: {files.key} holds no unencrypted private key") from error
    if not (
        isinstance(key, rsa.RSAPrivateKey) or (isinstance(key, EllipticCurvePrivateKey) and key.curve.name in _CURVES)
    ):
        raise TransportRefusedError(f"{_KEY}: {files.key}: gRPC serves with keys of RSA, P-256 and P-384 only")
    if key.public_key() != certificate.public_key():
        raise TransportRefusedError(
            f"{_KEY}: {files.key} is not the key of the first certificate in {files.certificate}"
        )
