import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from casetrail import CasetrailError, Client, NotAllowed, Patience, Tls, Unavailable, Untrusted
from embedded import ports
from server.transport import Certificates, TlsFiles, TransportRefusedError, TransportSettings
from tests.certificates import Authority, Pair, files
from tests.collector import collecting
from tests.programs import CASETRAIL
from tests.server.running import PRINCIPALS, serving

ROOT = Path(__file__).parents[2]
HASTY = Patience(overall=5, attempt=2, first_pause=0.05, longest_pause=0.2)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path)


@pytest.fixture
def own(tmp_path: Path, authority: Authority) -> Pair:
    return authority.issue(files(tmp_path, "server"), "localhost", "127.0.0.1")


@asynccontextmanager
async def secured(folder: Path, own: Pair, client_ca: Path | None = None) -> AsyncIterator[str]:
    """The address of a server with TLS."""
    certificates = Certificates(TlsFiles(*own, client_ca))
    async with serving(folder, credentials=certificates.credentials()) as running:
        yield running.address


def client(address: str, tls: Tls | None) -> Client:
    return Client(address, "shop-secret", tls=tls, patience=HASTY)


async def whole_call(address: str, tls: Tls) -> None:
    async with client(address, tls) as connected:
        await connected.connect()
        opened = await connected.open(kind="inquiry", customer="C-1", channel="email", subject="Where is it?")
        async for seen in connected.watch(opened.case.case_id):
            assert seen.event.HasField("case_opened")
            break


async def fault(address: str, tls: Tls | None) -> tuple[str, str]:
    """Reason and message of a call, of a watch, and of a connection that is tried beforehand."""
    found = []
    async with client(address, tls) as connected:
        for attempt in (connected.get("INQ-X"), anext(connected.watch("INQ-X")), connected.connect()):
            with pytest.raises(Untrusted) as refused:
                await attempt
            found.append((refused.value.reason, refused.value.message))
    assert len(set(found)) == 1, found
    return found[0]


# Calls


async def test_a_case_is_opened_and_watched_over_tls(tmp_path: Path, own: Pair, authority: Authority) -> None:
    async with secured(tmp_path, own) as address:
        await whole_call(address, Tls(ca=authority.file))


async def test_a_case_is_opened_and_watched_over_mutual_tls(tmp_path: Path, own: Pair, authority: Authority) -> None:
    customers = Authority.make(tmp_path, "clients")
    shop = customers.issue(files(tmp_path, "shop"))
    async with secured(tmp_path, own, customers.file) as address:
        await whole_call(address, Tls(authority.file, *shop))


async def test_a_client_certificate_is_no_token(tmp_path: Path, own: Pair, authority: Authority) -> None:
    shop = authority.issue(files(tmp_path, "shop"))
    async with (
        secured(tmp_path, own, authority.file) as address,
        Client(address, "nobody's", tls=Tls(authority.file, *shop)) as connected,
    ):
        with pytest.raises(NotAllowed) as refused:
            await connected.get("INQ-X")
    assert refused.value.reason == "UNKNOWN_PRINCIPAL"


async def test_the_expected_name_can_be_said(tmp_path: Path, authority: Authority) -> None:
    elsewhere = authority.issue(files(tmp_path, "server"), "casetrail.example")
    async with secured(tmp_path, elsewhere) as address:
        await whole_call(address, Tls(authority.file, name="casetrail.example"))


async def test_the_authorities_of_the_system_are_trusted_when_asked_for(
    tmp_path: Path, own: Pair, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))  # an authority that somebody added to this machine
    async with secured(tmp_path, own) as address:
        await whole_call(address, Tls())


# Two sides that do not agree: told at once, with a reason, whichever call finds out


async def test_a_plaintext_client_is_told_that_the_service_speaks_tls(tmp_path: Path, own: Pair) -> None:
    async with secured(tmp_path, own) as address:
        assert (await fault(address, None))[0] == "TLS_WANTED"


async def test_a_tls_client_is_told_that_the_service_speaks_none(tmp_path: Path, authority: Authority) -> None:
    async with serving(tmp_path) as running:
        assert (await fault(running.address, Tls(authority.file)))[0] == "NO_TLS"


async def test_an_unknown_authority_is_told(tmp_path: Path, own: Pair) -> None:
    other = Authority.make(tmp_path, "other")
    async with secured(tmp_path, own) as address:
        assert (await fault(address, Tls(other.file)))[0] == "UNKNOWN_AUTHORITY"


async def test_another_host_name_is_told(tmp_path: Path, own: Pair, authority: Authority) -> None:
    async with secured(tmp_path, own) as address:
        reason, message = await fault(address, Tls(authority.file, name="casetrail.example"))
    assert (reason, message.endswith("is not for casetrail.example")) == ("OTHER_HOST_NAME", True)


async def test_a_missing_client_certificate_is_told(tmp_path: Path, own: Pair, authority: Authority) -> None:
    async with secured(tmp_path, own, authority.file) as address:
        reason, message = await fault(address, Tls(authority.file))
    assert (reason, message.endswith("it asks for a client certificate")) == ("CLIENT_CERTIFICATE", True)


async def test_a_client_certificate_of_another_authority_is_told(
    tmp_path: Path, own: Pair, authority: Authority
) -> None:
    stranger = Authority.make(tmp_path, "other").issue(files(tmp_path, "stranger"))
    async with secured(tmp_path, own, authority.file) as address:
        reason, message = await fault(address, Tls(authority.file, *stranger))
    assert (reason, "does not accept" in message) == ("CLIENT_CERTIFICATE", True)


async def test_where_nobody_is_tls_is_not_blamed(authority: Authority) -> None:
    for tls in (None, Tls(authority.file)):
        async with client("127.0.0.1:1", tls) as connected:
            with pytest.raises(Unavailable) as failed:
                await connected.connect()
        assert failed.value.reason == "UNREACHABLE"


async def test_a_client_sends_nothing_in_clear_beyond_this_machine() -> None:
    with pytest.raises(Untrusted) as refused:
        await client("casetrail.example:7460", None).__aenter__()
    assert refused.value.reason == "IN_CLEAR"
    async with Client("casetrail.example:7460", insecure=True):
        pass


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"NAME": "casetrail.example"}, "CASETRAIL_TLS_CA is missing"),
        ({"CA": "authority.pem", "CLIENT_CERT": "shop.crt"}, "go together"),
        ({"CA": "nowhere.pem"}, "nowhere.pem cannot be read: No such file"),
        ({"CA": "shop.key"}, "shop.key holds no certificate"),
        ({"CA": "authority.pem", "CLIENT_CERT": "nowhere.crt", "CLIENT_KEY": "shop.key"}, "nowhere.crt cannot be read"),
        ({"CA": "authority.pem", "CLIENT_CERT": "shop.crt", "CLIENT_KEY": "server.key"}, "are no certificate and its"),
        ({"CA": "authority.pem", "CLIENT_CERT": "shop.crt", "CLIENT_KEY": "locked.key"}, "unencrypted private key"),
    ],
)
async def test_a_client_names_the_file_that_it_cannot_use(
    tmp_path: Path,
    own: Pair,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    authority.issue(files(tmp_path, "locked"), password=b"secret")
    authority.issue(files(tmp_path, "shop"))
    with pytest.raises(Untrusted, match=complaint) as refused:
        async with Client(
            tls=Tls.from_environment({f"CASETRAIL_TLS_{name}": value for name, value in variables.items()})
        ):
            pass
    assert refused.value.reason == "TLS_SETTINGS"


# Renewal


async def test_a_renewed_certificate_is_taken_without_a_restart(
    tmp_path: Path, own: Pair, authority: Authority
) -> None:
    new = Authority.make(tmp_path, "new")
    async with secured(tmp_path, own) as address:
        await whole_call(address, Tls(authority.file))
        async with client(address, Tls(authority.file)) as from_before:
            await from_before.connect()
            new.issue(own, "127.0.0.1")
            await whole_call(address, Tls(new.file))
            assert (await fault(address, Tls(authority.file)))[0] == "UNKNOWN_AUTHORITY"
            with pytest.raises(CasetrailError) as answered:  # over the connection that it has
                await from_before.get("INQ-X")
            assert answered.value.reason == "UNKNOWN_CASE"


async def test_half_of_a_renewal_is_not_taken_and_the_whole_is(tmp_path: Path, own: Pair, authority: Authority) -> None:
    new = Authority.make(tmp_path, "new").issue(files(tmp_path, "new"), "127.0.0.1")
    async with secured(tmp_path, own) as address:
        own.certificate.write_bytes(new.certificate.read_bytes())
        await whole_call(address, Tls(authority.file))
        own.key.unlink()
        await whole_call(address, Tls(authority.file))
        own.key.write_bytes(new.key.read_bytes())
        await whole_call(address, Tls(tmp_path / "new.pem"))


async def test_another_authority_of_clients_is_taken_without_a_restart(
    tmp_path: Path, own: Pair, authority: Authority
) -> None:
    old, new = (Authority.make(tmp_path, name) for name in ("old", "new"))
    shop = new.issue(files(tmp_path, "shop"))
    async with secured(tmp_path, own, old.file) as address:
        assert (await fault(address, Tls(authority.file, *shop)))[0] == "CLIENT_CERTIFICATE"
        old.file.write_bytes(new.certificate.public_bytes(Encoding.PEM))
        await whole_call(address, Tls(authority.file, *shop))


# Settings of the server


def of(own: Pair, **more: str) -> TransportSettings:
    return TransportSettings.read(
        {"CASETRAIL_TLS_CERT": str(own.certificate), "CASETRAIL_TLS_KEY": str(own.key), **more}
    )


@pytest.mark.parametrize(
    "variables",
    [{"CASETRAIL_TLS_CERT": "a"}, {"CASETRAIL_TLS_KEY": "a"}, {"CASETRAIL_TLS_CLIENT_CA": "a"}],
)
def test_what_belongs_together_must_be_given_together(variables: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="CASETRAIL_TLS_CERT and CASETRAIL_TLS_KEY"):
        TransportSettings.read(variables)


def test_files_that_cannot_be_used_are_named(tmp_path: Path, own: Pair, authority: Authority) -> None:
    def refusal(pair: Pair, **more: str) -> str:
        with pytest.raises(TransportRefusedError) as refused:
            of(pair, **more).certificates("127.0.0.1:0")
        return str(refused.value)

    nowhere, other = tmp_path / "nowhere.pem", authority.issue(files(tmp_path, "other"))
    expired = authority.issue(files(tmp_path, "expired"), days=-1)
    early = authority.issue(files(tmp_path, "early"), days=100)
    locked = authority.issue(files(tmp_path, "locked"), password=b"secret")
    edwards = authority.issue(files(tmp_path, "edwards"), key=ed25519.Ed25519PrivateKey.generate())
    large = authority.issue(files(tmp_path, "large"), key=ec.generate_private_key(ec.SECP521R1()))
    assert f"CASETRAIL_TLS_CERT: {nowhere} cannot be read: No such file" in refusal(Pair(nowhere, own.key))
    assert f"CASETRAIL_TLS_KEY: {nowhere} cannot be read: No such file" in refusal(Pair(own.certificate, nowhere))
    assert "holds no certificate" in refusal(Pair(own.key, own.key))
    assert "holds no unencrypted private key" in refusal(Pair(own.certificate, own.certificate))
    assert "holds no unencrypted private key" in refusal(locked)
    assert "is not the key of the first certificate" in refusal(Pair(own.certificate, other.key))
    assert "and not now" in refusal(expired)
    assert "and not now" in refusal(early)
    assert "RSA, P-256 and P-384 only" in refusal(edwards)
    assert "RSA, P-256 and P-384 only" in refusal(large)
    assert "CASETRAIL_TLS_CLIENT_CA" in refusal(own, CASETRAIL_TLS_CLIENT_CA=str(nowhere))
    assert "and not now" in refusal(own, CASETRAIL_TLS_CLIENT_CA=str(expired.certificate))


@pytest.mark.parametrize("address", ["127.0.0.1:7460", "localhost:7460", "[::1]:7460", "127.9.9.9:7460"])
def test_on_loopback_nothing_has_to_be_said(address: str) -> None:
    assert TransportSettings.read({}).certificates(address) is None


@pytest.mark.parametrize("address", ["0.0.0.0:7460", "[::]:7460", "192.0.2.1:7460", "casetrail.example:7460", ":7460"])
def test_beyond_loopback_it_takes_tls_or_somebody_who_says_so(
    address: str, own: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in ("", "0", "yes"):
        with pytest.raises(
            TransportRefusedError, match="CASETRAIL_TLS_CERT and CASETRAIL_TLS_KEY, or CASETRAIL_INSECURE=1"
        ):
            TransportSettings.read({"CASETRAIL_INSECURE": value}).certificates(address)
    assert TransportSettings.read({"CASETRAIL_INSECURE": "1"}).certificates(address) is None
    assert "NO TLS" in capsys.readouterr().out
    assert of(own).certificates(address) is not None


# The processes


@asynccontextmanager
async def process(folder: Path, **variables: str) -> AsyncIterator[tuple[Process, str]]:
    """A server as it is started, and what it says first that tells how it went."""
    (folder / "principals.yaml").write_text(PRINCIPALS)
    environment = {"PATH": os.environ["PATH"], "CASETRAIL_DATA": str(folder), "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    started = await create_subprocess_exec(
        *(sys.executable, "-m", "server"), cwd=ROOT, env={**environment, **variables}, stdout=PIPE, stderr=STDOUT
    )
    try:
        lines = ""
        assert started.stdout is not None
        async for line in started.stdout:
            lines += line.decode()
            if "serving" in lines:
                break
        yield started, lines
    finally:
        if started.returncode is None:
            started.send_signal(signal.SIGTERM)
            await started.communicate()


async def test_a_server_that_would_speak_in_clear_beyond_this_machine_does_not_start(tmp_path: Path) -> None:
    async with process(tmp_path, CASETRAIL_ADDRESS="0.0.0.0:0") as (server, said):
        assert await server.wait() == 1
        assert "tokens would pass in clear" in said
    assert "Traceback" not in said


async def test_settings_of_temporal_that_cannot_be_used_are_no_outage(tmp_path: Path) -> None:
    async with process(tmp_path, TEMPORAL_TLS_SERVER_CA_CERT_PATH=str(tmp_path / "none.pem")) as (server, said):
        assert await server.wait() == 1
    assert "the settings of Temporal" in said
    assert "none.pem" in said
    assert "Traceback" not in said


async def test_the_command_line_and_the_health_check_speak_mutual_tls_with_a_server_as_it_is_started(
    tmp_path: Path, authority: Authority
) -> None:
    own = authority.issue(files(tmp_path, "server"), "*.casetrail.example", "localhost")
    customers = Authority.make(tmp_path, "clients")
    shop = customers.issue(files(tmp_path, "shop"))
    (port,) = ports.choose(["server"], tmp_path / "ports.json").values()
    environment = {
        "CASETRAIL_ADDRESS": f"localhost:{port}",
        "CASETRAIL_TLS_CERT": str(own.certificate),
        "CASETRAIL_TLS_KEY": str(own.key),
        "CASETRAIL_TLS_CLIENT_CA": str(customers.file),
    }
    ours = {"CASETRAIL_TLS_CLIENT_CERT": str(shop.certificate), "CASETRAIL_TLS_CLIENT_KEY": str(shop.key)}
    trust = {"CASETRAIL_TLS_CA": str(authority.file)}
    casetrail = (str(CASETRAIL.installed), "list", "--address", f"localhost:{port}")
    healthy = (sys.executable, "deploy/healthy.py", "server")
    async with (
        collecting() as (collector, endpoint),
        process(tmp_path, **environment, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_METRIC_EXPORT_INTERVAL="200") as (
            _,
            said,
        ),
    ):
        assert "serving" in said
        assert "tls=True" in said or '"tls": true' in said
        for words, variables, status, complaint in (
            (casetrail, {**trust, **ours}, 0, ""),
            (casetrail, trust, 1, "Failed (CLIENT_CERTIFICATE)"),
            (casetrail, {}, 1, "Failed (TLS_WANTED)"),
            (healthy, {**environment, **ours}, 0, ""),
            (healthy, environment, 1, "it asks for a certificate"),
        ):
            ended = await create_subprocess_exec(
                *words,
                cwd=ROOT,
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(ROOT),
                    "CASETRAIL_TOKEN": "shop-secret",
                    **variables,
                },
                stdout=PIPE,
                stderr=PIPE,
            )
            _, errors = await ended.communicate()
            told = errors.decode()
            assert (ended.returncode, complaint in told) == (status, True), told
            assert "Traceback" not in told
            assert "ssl_transport_security" not in told
        async with asyncio.timeout(20):
            await collector.until(lambda seen: seen.figures("casetrail.certificate.left") != [])
        assert 29 < collector.figures("casetrail.certificate.left")[-1] / 86_400 < 30
