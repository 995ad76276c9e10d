"""Why the two sides do not come together: found by a handshake of our own.

gRPC says only that there is no connection, in words that differ from version to version, and nothing at all where
the service hung up. So when a call had no connection, we knock once more, with the standard library's TLS.
"""

import asyncio
import ssl

from casetrail.errors import Untrusted
from casetrail.tls import Tls

_PATIENCE = 2.0
_BETWEEN_KNOCKS = 0.2

# Of OpenSSL's x509_vfy.h.
_NOT_NOW = frozenset({9, 10})
_OTHER_NAME = frozenset({62, 64})

# What another party's TLS says of the certificate that it asked us for.
_ALERTS = ("CERTIFICATE_REQUIRED", "UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_EXPIRED", "CERTIFICATE_UNKNOWN")


async def fault(address: str, tls: Tls | None) -> Untrusted | None:
    """What keeps a connection from being made, where that is TLS; None where it is something else.

    Args:
        address: HOST:PORT.
        tls: As the client speaks it; None when it speaks none.
    """
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal():
        return None
    try:
        async with asyncio.timeout(_PATIENCE):
            if tls is None:
                return await _plain(host, int(port))
            context = tls.context()
            found = await _encrypted(host, int(port), context, tls)
            if found is not None and found.reason == "CLIENT_CERTIFICATE":
                # It hung up on us: that is also what one does that is just stopping.
                await asyncio.sleep(_BETWEEN_KNOCKS)
                found = await _encrypted(host, int(port), context, tls)
            return found
    except (OSError, TimeoutError):  # nobody is there, or nobody that answers
        return None


async def _plain(host: str, port: int) -> Untrusted | None:
    """Whether one that we speak to in clear wants TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent: only whether it speaks TLS
    context.set_alpn_protocols(["h2"])
    try:
        await _hello(host, port, context, "")
    except ssl.SSLError:
        return None
    return Untrusted(f"the service at {host}:{port} speaks TLS, and this client does not", reason="TLS_WANTED")


async def _encrypted(host: str, port: int, context: ssl.SSLContext, tls: Tls) -> Untrusted | None:
    name, place = tls.name or host, f"{host}:{port}"
    try:
        heard = await _hello(host, port, context, name)
    except ssl.SSLCertVerificationError as error:
        return _theirs_refused(error, place, name)
    except ssl.SSLEOFError:
        return None  # it hung up before it said anything
    except ssl.SSLError as error:
        if str(error.reason).endswith(_ALERTS):
            return _ours_refused(place, tls)
        return Untrusted(f"what answers at {place} speaks no TLS that we know: {error.reason}", reason="NO_TLS")
    return None if heard else _ours_refused(place, tls)


async def _hello(host: str, port: int, context: ssl.SSLContext, name: str) -> bytes:
    """Shake hands, and return what the other side says first; nothing when it hangs up.

    A client's certificate is looked at only after the client's part of the handshake is over.
    """
    reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
    try:
        return await reader.read(1)
    except ConnectionResetError:
        return b""
    finally:
        writer.transport.abort()  # gRPC answers no farewell


def _theirs_refused(error: ssl.SSLCertVerificationError, place: str, name: str) -> Untrusted:
    if error.verify_code in _OTHER_NAME:
        return Untrusted(f"the certificate of {place} is not for {name}", reason="OTHER_HOST_NAME")
    if error.verify_code in _NOT_NOW:
        return Untrusted(f"the certificate of {place} is not valid: {error.verify_message}", reason="NOT_VALID_NOW")
    return Untrusted(
        f"the certificate of {place} is of no authority that is trusted here: {error.verify_message}",
        reason="UNKNOWN_AUTHORITY",
    )


def _ours_refused(place: str, tls: Tls) -> Untrusted:
    what = "asks for a client certificate" if tls.certificate is None else f"does not accept {tls.certificate}"
    return Untrusted(f"the service at {place} hangs up after the handshake: it {what}", reason="CLIENT_CERTIFICATE")
