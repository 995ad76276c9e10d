import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from engine.temporal_settings import temporal_settings
from tests.certificates import Authority, Pair, files


@asynccontextmanager
async def before(temporal: str, own: Pair, clients: Authority) -> AsyncIterator[str]:
    """What a Temporal with mutual TLS has before it: Temporal's development server itself speaks none."""
    host, _, port = temporal.rpartition(":")

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        with closing(writer), closing(inner_writer):
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*own)
    context.load_verify_locations(clients.file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    async with await asyncio.start_server(passed_on, "127.0.0.1", 0, ssl=context) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def test_temporal_is_reached_by_mutual_tls_as_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority.make(tmp_path)
    own, ours = (
        authority.issue(files(tmp_path, "temporal"), "temporal.example"),
        authority.issue(files(tmp_path, "ours")),
    )
    path = str(Path(sys.executable).with_name("temporal"))
    async with (
        await WorkflowEnvironment.start_local(dev_server_existing_path=path) as temporal,
        before(temporal.client.service_client.config.target_host, own, authority) as address,
    ):
        monkeypatch.setenv("TEMPORAL_ADDRESS", address)
        monkeypatch.setenv("TEMPORAL_NAMESPACE", "default")
        monkeypatch.setenv("TEMPORAL_TLS_SERVER_NAME", "temporal.example")
        monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(authority.file))
        with pytest.raises(RuntimeError):  # without a certificate of ours
            await Client.connect(**temporal_settings())

        monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", str(ours.certificate))
        monkeypatch.setenv("TEMPORAL_TLS_CLIENT_KEY_PATH", str(ours.key))
        client = await Client.connect(**temporal_settings())
        assert await client.service_client.check_health()
        assert client.namespace == "default"


def test_a_key_of_temporal_cloud_is_not_sent_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", "key")
    assert temporal_settings() == {"target_host": "localhost:7233", "api_key": "key", "tls": True}


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("TEMPORAL_TLS_CLIENT_CERT_PATH", "nowhere.pem", "No such file or directory: 'nowhere.pem'"),
        ("TEMPORAL_PROFILE", "unknown", "Profile 'unknown' not found"),
    ],
)
def test_settings_that_cannot_be_used_are_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=complaint):
        temporal_settings()
