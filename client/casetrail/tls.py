"""TLS as the client speaks it: by what it knows the service, and who it is itself."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Self

import grpc

from casetrail.errors import Untrusted

SYSTEM = "system"
"""In the place of a file: the authorities that this machine trusts anyway."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How the two sides know each other.

    Attributes:
        ca: PEM file of the authorities whose certificates are trusted; None for those of the system.
        certificate: PEM file with the client's own certificate, where the service asks for one.
        key: PEM file with its private key, which is not encrypted.
        name: The host name that the service's certificate is for, where it is not that of the address.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    name: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self | None:
        """What CASETRAIL_TLS_CA, _CLIENT_CERT, _CLIENT_KEY and _NAME say; None when they say nothing.

        Raises:
            Untrusted: `TLS_SETTINGS`: one says something that another has to complete.
        """
        ca, certificate, key, name = (
            environment.get(f"CASETRAIL_TLS_{each}") or "" for each in ("CA", "CLIENT_CERT", "CLIENT_KEY", "NAME")
        )
        if not ca:
            if certificate or key or name:
                raise _settings(f"CASETRAIL_TLS_CA is missing: a PEM file, or `{SYSTEM}` for what this machine trusts")
            return None
        if bool(certificate) != bool(key):
            raise _settings("CASETRAIL_TLS_CLIENT_CERT and CASETRAIL_TLS_CLIENT_KEY go together")
        return cls(
            ca=None if ca == SYSTEM else Path(ca),
            certificate=Path(certificate) if certificate else None,
            key=Path(key) if key else None,
            name=name,
        )

    def context(self) -> ssl.SSLContext:
        """The same for the standard library.

        Raises:
            Untrusted: `TLS_SETTINGS`: a file cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["h2"])
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as gRPC: what is trusted need not be a root
        if self.ca is None:
            context.load_verify_locations(cadata=_system_authorities())
        else:
            try:
                context.load_verify_locations(cafile=self.ca)
            except ssl.SSLError as error:
                raise _settings(f"{self.ca} holds no certificate that can be read") from error
            except OSError as error:
                raise _settings(f"{self.ca} cannot be read: {error.strerror}") from error
        if self.certificate is not None:
            self._load_own(context, self.certificate)
        return context

    def credentials(self) -> grpc.ChannelCredentials:
        """The same for gRPC.

        Raises:
            Untrusted: `TLS_SETTINGS`: a file cannot be used.
        """
        self.context()
        return grpc.ssl_channel_credentials(
            _system_authorities().encode() if self.ca is None else self.ca.read_bytes(),
            self.key.read_bytes() if self.key is not None else None,
            self.certificate.read_bytes() if self.certificate is not None else None,
        )

    def options(self) -> tuple[tuple[str, str], ...]:
        """What gRPC has to know besides."""
        return (("grpc.ssl_target_name_override", self.name),) if self.name else ()

    def _load_own(self, context: ssl.SSLContext, certificate: Path) -> None:
        for path in (certificate, self.key or certificate):
            try:
                path.read_bytes()
            except OSError as error:
                raise _settings(f"{path} cannot be read: {error.strerror}") from error
        try:
            context.load_cert_chain(certificate, self.key, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            raise _settings(
                f"{certificate} and {self.key} are no certificate and its unencrypted private key"
            ) from error


def is_loopback(address: str) -> bool:
    """Whether HOST:PORT can be reached from this machine alone. A name other than `localhost` may be anywhere."""
    host = address.rpartition(":")[0].removeprefix("[").removesuffix("]")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _system_authorities() -> str:
    """What this machine trusts. gRPC's wheel has a list of its own, which knows no authority that was added here."""
    context = ssl.create_default_context()
    folder = ssl.get_default_verify_paths().capath
    for path in Path(folder).glob("*.0") if folder else ():  # OpenSSL looks there only when it meets a name
        try:
            context.load_verify_locations(cafile=path)
        except OSError:
            continue  # a link that leads nowhere
    found = "".join(map(ssl.DER_cert_to_PEM_cert, context.get_ca_certs(binary_form=True)))
    if not found:
        raise _settings("this machine trusts no authority: name a PEM file in CASETRAIL_TLS_CA")
    return found


def _no_password() -> str:
    """Instead of OpenSSL's question on the terminal."""
    return ""


def _settings(message: str) -> Untrusted:
    return Untrusted(message, reason="TLS_SETTINGS")
