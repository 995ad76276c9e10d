"""What containers are made of, held against the code: no engine is needed to see that nothing in it is wrong.

The image is the files that the Dockerfile copies, in a folder of their own: its programs run there without anything
else of the repository. What other images want and hold is taken from their sources, of the versions that are named.
"""

import ast
import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256
from importlib.metadata import distributions
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import psycopg
import pytest
from ruamel.yaml import YAML
from temporalio.envconfig import ClientConfig

import worker_settings
from activities.mail import Encryption
from audit import db
from casetrail.tls import Tls
from casetrail.v1.case_service_pb2 import WatchCaseRequest
from casetrail.v1.case_service_pb2_grpc import CaseServiceStub
from deploy import healthy
from embedded import ports
from engine.naming import CRITICAL_QUEUE, TASK_QUEUE
from server import settings as server_settings
from server.transport import TransportRefusedError
from telemetry import export
from tests.postgres_server import PostgresServer
from tests.temporal_server import in_memory
from tests.test_stack import PATIENCE, ROOT, an_open_case

OURS = ("migrate", "server", "worker", "worker-critical")
THEIRS = ("postgres", "temporal", "temporal-ui", "collector")

GIVEN = {
    "POSTGRES_PASSWORD": "superuser1",
    "CASETRAIL_DB_PASSWORD": "log1",
    "TEMPORAL_DB_PASSWORD": "temporal1",
    "CASETRAIL_CONFIG": "/etc/casetrail",
    "CASETRAIL_SHOP_URL": "https://shop.example",
    "CASETRAIL_SMTP_ADDRESS": "mail.example:587",
    "CASETRAIL_MAIL_SENDER": "service@shop.example",
}

# Both: where the customers' keys are, of a log in PostgreSQL, and the time to end that stop_grace_period allows.
_AS_IT_IS = frozenset({"CASETRAIL_SUBJECT_KEYS", "CASETRAIL_DRAIN_SECONDS"})
# What each service might be told besides, and is not.
NOT_GIVEN = {
    "server": _AS_IT_IS | {"CASETRAIL_TLS_CA", "CASETRAIL_TLS_NAME"},  # the health check knows its own server
    "worker": _AS_IT_IS | {"CASETRAIL_QUEUE", "CASETRAIL_KEYS", "CASETRAIL_CHECKPOINTS"},  # the server proves, not they
    "worker-critical": _AS_IT_IS | {"CASETRAIL_KEYS", "CASETRAIL_CHECKPOINTS"},
}


# What the sources of the other images say.


class Image(NamedTuple):
    """What an image of somebody else reads and does."""

    environment: frozenset[str]
    rootless: bool  # without being told so
    programs: frozenset[str]  # that a health check may call


IMAGES = {
    # docker-library/postgres, 18/trixie; TEMPORAL_DB_PASSWORD is read by our own script
    "postgres:18.3-trixie": Image(
        frozenset({"POSTGRES_PASSWORD", "TEMPORAL_DB_PASSWORD"}), rootless=False, programs=frozenset({"psql"})
    ),
    # temporalio/docker-builds, branch release/v1.29.x: server.Dockerfile, docker/auto-setup.sh, docker/entrypoint.sh
    "temporalio/auto-setup:1.29.1": Image(
        frozenset(
            {
                *("DB", "DB_PORT", "DBNAME", "VISIBILITY_DBNAME", "SKIP_DB_CREATE"),
                *("POSTGRES_SEEDS", "POSTGRES_USER", "POSTGRES_PWD"),
                *("DEFAULT_NAMESPACE", "SKIP_ADD_CUSTOM_SEARCH_ATTRIBUTES", "TEMPORAL_ADDRESS"),
            }
        ),
        rootless=True,
        programs=frozenset({"temporal"}),
    ),
    # temporalio/ui, v2.34.0: server/Dockerfile, server/docker/config-template.yaml
    "temporalio/ui:2.34.0": Image(
        frozenset({"TEMPORAL_ADDRESS", "TEMPORAL_DISABLE_WRITE_ACTIONS"}), rootless=False, programs=frozenset({"curl"})
    ),
    # open-telemetry/opentelemetry-collector-releases, v0.150.0: distributions/otelcol
    "otel/opentelemetry-collector:0.150.0": Image(frozenset(), rootless=True, programs=frozenset()),
}
COLLECTOR_HAS = {"receivers": {"otlp"}, "processors": {"memory_limiter", "batch"}, "exporters": {"debug"}}
LISTENING = {"postgres": 5432, "temporal": 7233, "temporal-ui": 8080, "collector": 4317, "server": 7460}


# How the files are read.


def yaml(path: str) -> Any:  # noqa: ANN401 - whatever it holds
    return YAML(typ="safe").load(ROOT / path)


COMPOSE: dict[str, Any] = yaml("docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
_VARIABLE = re.compile(r"\$\{(?P<name>\w+):(?P<kind>[?-])(?P<rest>[^}]*)\}")


def interpolated(value: object, given: Mapping[str, str]) -> str:
    """What the engine makes of a value: `${NAME:?why}` must be given, `${NAME:-default}` may be."""

    def put(found: re.Match[str]) -> str:
        name = found["name"]
        return given[name] if found["kind"] == "?" else given.get(name) or found["rest"]

    text = _VARIABLE.sub(put, str(value))
    assert "$" not in text, f"neither required nor optional: {text}"
    return text


def environment(service: str, given: Mapping[str, str] = GIVEN) -> dict[str, str]:
    """Of a container."""
    stated = SERVICES[service].get("environment", {})
    values = {name: interpolated(value, given) for name, value in stated.items()}
    return {**image_environment(), **values} if service in OURS else values


def instructions() -> Iterator[tuple[str, str]]:
    """The Dockerfile's instructions, each in a line."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            yield name, " ".join(rest.split())


def image_environment() -> dict[str, str]:
    return dict(word.split("=", 1) for name, rest in instructions() if name == "ENV" for word in shlex.split(rest))


def copied() -> dict[str, str]:
    """What the image gets of the repository: from where to where in /app."""
    found = {}
    for name, rest in instructions():
        *sources, target = rest.split()
        if name == "COPY" and not rest.startswith("--from=") and not target.startswith("/tmp/"):  # noqa: S108 - theirs
            for source in sources:
                found[source] = f"{target}{Path(source).name}" if target.endswith("/") else target
    return found


def manual() -> str:
    """What it says of containers."""
    return (ROOT / "docs" / "operations.md").read_text().partition("## In containers")[2].partition("\n## ")[0]


def required() -> set[str]:
    """What has no default."""
    text = (ROOT / "docker-compose.yml").read_text()
    return {found["name"] for found in _VARIABLE.finditer(text) if found["kind"] == "?"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/app of the image; its packages are beside it."""
    app = tmp_path_factory.mktemp("image") / "app"
    for source, target in copied().items():
        (app / target).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, app / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, app / target)
    _link_packages(app.parent / "packages")
    return app


def _link_packages(folder: Path) -> None:
    """Give a folder the packages that the image installs, and none that only developers have."""
    folder.mkdir()
    pinned = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements" / "runtime.txt").read_text(), re.MULTILINE))
    removed = {
        word
        for _, rest in instructions()
        for words in re.findall("pip uninstall --yes ([^&]*)", rest)
        for word in words.split()
    }
    assert removed < pinned
    for installed in distributions():
        if re.sub("[-_.]+", "-", installed.name).lower() not in pinned - removed:
            continue
        for name in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
            link = folder / name
            if not link.exists():
                link.symlink_to(Path(str(installed.locate_file(name))))


def python(app: Path, *words: str) -> tuple[list[str], dict[str, str]]:
    """A Python that finds the image's files and packages, but, without `site`, no others."""
    path = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{app}:{app.parent / 'packages'}"}
    return [sys.executable, "-S", *words], path


def run(app: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command, path = python(app, *words)
    return subprocess.run(
        command, cwd=app, env={**variables, **path}, capture_output=True, text=True, check=False, timeout=PATIENCE
    )


# The image


def test_the_image_holds_every_module_that_anything_in_it_imports(image: Path) -> None:
    ours = {path.stem for folder in (ROOT, ROOT / "client") for path in folder.iterdir() if path.suffix in ("", ".py")}
    wanted = set()
    for file in image.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                wanted |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                wanted.add(node.module.partition(".")[0])
    assert {"casetrail", "engine", "worker_settings"} <= wanted & ours
    assert wanted & ours <= {path.stem for path in image.iterdir()}


_IMPORT_ALL = """
import importlib, sys
from pathlib import Path

for file in sorted({*Path().rglob("*.py")} - {Path("migrations/env.py")}):  # which only Alembic can run
    importlib.import_module(".".join(file.with_suffix("").parts).removesuffix(".__init__"))
print(*(getattr(module, "__file__", None) for module in sys.modules.values()), sep="\\n")
"""


def test_every_module_of_it_loads_with_the_packages_that_are_pinned_by_hash(image: Path) -> None:
    # Those too that are loaded only when they are needed, which may be long after a start.
    loaded = run(image, "-c", _IMPORT_ALL)
    assert loaded.returncode == 0, loaded.stderr
    files = loaded.stdout.splitlines()
    assert str(image / "server" / "__main__.py") in files
    elsewhere = [Path(file) for file in files if Path(file).is_relative_to(ROOT)]
    assert elsewhere == []


def test_what_the_manual_has_an_operator_run_in_a_container_is_there(image: Path) -> None:
    told = re.findall(r"^docker compose .* exec (\S+) python (.*?)(?:  +#.*)?$", manual(), re.MULTILINE)
    assert told
    for service, words in told:
        assert service in OURS
        assert run(image, *words.split(), "--help").returncode == 0, words


def test_nothing_is_installed_without_its_hash() -> None:
    installs = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    assert len(installs) == 1
    assert "--require-hashes -r /tmp/runtime.txt" in installs[0]
    assert ("COPY", "requirements/runtime.txt /tmp/runtime.txt") in instructions()


def test_the_context_is_what_is_copied_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == {*copied(), "requirements/runtime.txt"}
    assert all((ROOT / source).exists() for source in copied())


def test_no_process_compiles_what_it_imports_at_every_start() -> None:
    # Where the root is read-only nobody could keep it, and the base image brings the library without compiled files.
    (base,) = {rest.partition(" ")[0] for name, rest in instructions() if name == "FROM"}
    version = re.match(r"python:(\d+\.\d+)", base)
    assert version is not None
    (compiled,) = [rest.split() for name, rest in instructions() if name == "RUN" and "compileall" in rest]
    assert {image_environment()["PYTHONPATH"], f"/usr/local/lib/python{version[1]}"} <= set(compiled)


def test_a_checkout_that_only_its_owner_may_read_makes_an_image_all_the_same() -> None:
    # COPY keeps the modes of files, and those that the container runs as are not their owner.
    after_the_last_copy = list(instructions())[::-1]
    made = [rest for name, rest in takewhile(lambda said: said[0] != "COPY", after_the_last_copy) if name == "RUN"]
    assert [rest for rest in made if rest.endswith("&& chmod -R a+rX /app")]


def test_the_image_runs_as_somebody_who_owns_only_the_data() -> None:
    stages = [rest for name, rest in instructions() if name in ("FROM", "USER")]
    assert stages[-1] == "10001:10001"
    (make,) = [rest for name, rest in instructions() if name == "RUN" and "useradd" in rest]
    assert "--gid 10001" in make
    assert "--uid 10001" in make
    folders = re.search(r"--mode=0700 (.*)$", make)
    assert folders is not None
    made = folders[1].split()
    assert image_environment()["CASETRAIL_DATA"] in made
    written = [volume.split(":") for volume in SERVICES["server"]["volumes"] if isinstance(volume, str)]
    assert {target for _, target in written} < set(made)
    assert {name for name, _ in written} <= set(COMPOSE["volumes"])


def test_the_image_alone_is_a_server_that_is_asked_how_it_is() -> None:
    said = dict(instructions())
    assert json.loads(said["CMD"]) == SERVICES["server"]["command"]
    _, _, probe = said["HEALTHCHECK"].partition("CMD ")
    assert json.loads(probe) == ["python", "deploy/healthy.py", "server"]
    assert "healthcheck" not in SERVICES["server"]
    assert said["WORKDIR"] == image_environment()["PYTHONPATH"]
    assert said["EXPOSE"] == image_environment()["CASETRAIL_ADDRESS"].rpartition(":")[2]


def test_the_image_alone_speaks_with_others_by_tls_only() -> None:
    said = image_environment()
    with pytest.raises(TransportRefusedError, match="tokens would pass in clear"):
        server_settings.Settings.read(said).transport.certificates(said["CASETRAIL_ADDRESS"])


# The services


def test_all_versions_are_named() -> None:
    bases = [rest.partition(" ")[0] for name, rest in instructions() if name == "FROM"]
    for name in (*bases, *(service["image"] for service in SERVICES.values())):
        assert re.search(r":\d+\.\d+(\.\d+)?(-[a-z-]+)?$", name), name
    assert len(set(bases)) == 1
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {SERVICES[name]["image"] for name in OURS} == {f"casetrail:{version}"}
    assert {SERVICES[name]["image"] for name in THEIRS} == set(IMAGES)
    assert {*OURS, *THEIRS} == set(SERVICES)


class _Asked(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - as a dict's
        self.names.add(key)
        return super().get(key, default)


def test_our_processes_read_every_variable_that_they_are_given() -> None:
    works = worker_settings.Settings.read
    for name, read in (("server", server_settings.Settings.read), ("worker", works), ("worker-critical", works)):
        asked = _Asked(
            environment(name, {**GIVEN, "CASETRAIL_SMTP_USER": "engine", "CASETRAIL_SMTP_PASSWORD": "mail1"})
        )
        read(asked)
        if name == "server":
            Tls.from_environment(asked)  # as its health check
        assert ClientConfig.load_client_connect_config(disable_file=True, override_env_vars=asked) == {
            "target_host": asked["TEMPORAL_ADDRESS"],
            "namespace": asked["TEMPORAL_NAMESPACE"],
        }
        for kind in ("TRACES", "METRICS"):
            assert export._wanted(kind, asked)
        known = asked.names | {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"}
        stated = set(SERVICES[name]["environment"])
        assert stated <= known, f"{name} does not read {stated - known}"
        left_out = {word for word in asked.names - set(asked) if word.startswith("CASETRAIL_")}
        assert left_out <= NOT_GIVEN[name], f"an operator cannot give {name} {left_out - NOT_GIVEN[name]}"
    assert set(SERVICES["migrate"]["environment"]) == {"CASETRAIL_LOG", "CASETRAIL_CHECKPOINTS", db._ADMIN}


def test_the_settings_are_those_of_the_files_and_addresses_beside_them() -> None:
    server = server_settings.Settings.read(environment("server"))
    worker = worker_settings.Settings.read(environment("worker"))
    assert server.engine.log == worker.engine.log == environment("migrate")["CASETRAIL_LOG"]
    assert server.engine.log == "postgresql://casetrail:log1@postgres:5432/casetrail"
    assert server.engine.policy == worker.engine.policy == ROOT / "policies" / "default.yaml"
    (config,) = [volume for volume in SERVICES["worker"]["volumes"] if not isinstance(volume, str)]
    assert config in SERVICES["server"]["volumes"]
    assert {server.principals.parent, worker.staff.parent} == {Path(config["target"])}
    assert config["read_only"]
    targets = {volume.split(":")[1] for volume in SERVICES["server"]["volumes"] if isinstance(volume, str)}
    kept = (server.proofs.keys, server.proofs.checkpoints, server.archives, server.engine.subject_keys.kek.parent)
    assert {str(folder) for folder in kept} == targets
    assert Path(environment("migrate")["CASETRAIL_CHECKPOINTS"]) == server.proofs.checkpoints
    assert SERVICES["migrate"]["volumes"] == [f"checkpoints:{server.proofs.checkpoints}:ro"]
    assert worker.engine.subject_keys == server.engine.subject_keys
    assert server.transport.certificates(server.address) is None, "published on loopback, and said to be so"
    assert (
        worker.engine.payload_keys
        == server.engine.payload_keys
        == server.engine.subject_keys.kek.with_name("payload-keys")
    )
    assert worker.smtp_encryption == Encryption.STARTTLS
    critical = worker_settings.Settings.read(environment("worker-critical"))
    assert (worker.queue, critical.queue) == (TASK_QUEUE, CRITICAL_QUEUE)


@pytest.mark.parametrize("name", THEIRS)
def test_other_images_are_told_what_they_know(name: str) -> None:
    service = SERVICES[name]
    known = IMAGES[service["image"]]
    assert set(service.get("environment", {})) <= known.environment
    assert service.get("user", "").split(":")[0] not in ("root", "0")
    assert known.rootless or service["user"]
    probe = service.get("healthcheck", {}).get("test")
    assert (probe[1] in known.programs) if probe else not known.programs


def test_nobody_has_more_rights_than_it_needs() -> None:
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "network_mode", "pid", "cap_add"} & set(service), name
    assert all(SERVICES[name]["read_only"] for name in (*OURS, "collector"))


def test_every_address_leads_to_a_service_that_listens_there() -> None:
    addresses = set()
    for name in SERVICES:
        for value in environment(name).values():
            addresses |= {(host, int(port)) for host, port in re.findall(r"(?:^|[@/])([a-z-]+):(\d+)", value)}
    assert {("postgres", 5432), ("temporal", 7233), ("collector", 4317)} == addresses
    temporal = environment("temporal")
    assert (temporal["POSTGRES_SEEDS"], int(temporal["DB_PORT"])) == ("postgres", LISTENING["postgres"])
    for name, service in SERVICES.items():
        for published in service.get("ports", []):
            host, _, inside = published.rsplit(":", 2)
            assert host == "127.0.0.1", f"{name} may speak in clear"
            assert int(inside) == LISTENING[name]
    assert image_environment()["CASETRAIL_ADDRESS"] == f"0.0.0.0:{LISTENING['server']}"


def test_whoever_is_waited_for_can_say_that_it_is_ready() -> None:
    for name, service in SERVICES.items():
        for other, wanted in service.get("depends_on", {}).items():
            match wanted["condition"]:
                case "service_healthy":
                    assert "test" in SERVICES[other]["healthcheck"], other
                case "service_completed_successfully":
                    assert SERVICES[other]["restart"] == "no", other
                case "service_started":
                    assert other == "collector", "nothing of ours asks whether it answers"
                case condition:
                    pytest.fail(f"{name} waits for {other} in an unknown way: {condition}")
    assert set(SERVICES["server"]["depends_on"]) == {"migrate", "collector"}, "commands are taken without Temporal"


def test_whoever_sends_spans_and_metrics_is_ended_before_the_collector() -> None:
    for name, service in SERVICES.items():
        if "OTEL_EXPORTER_OTLP_ENDPOINT" in service.get("environment", {}):
            assert "collector" in service["depends_on"], f"the last ones of {name} are lost"


def seconds(duration: str) -> float:
    assert duration.endswith("s")
    return float(duration.removesuffix("s"))


def test_a_health_check_has_the_time_to_start_and_to_say_why_on_a_machine_that_is_busy() -> None:
    _, _, rest = dict(instructions())["HEALTHCHECK"].partition("--timeout=")
    for timeout in (rest.partition(" ")[0], SERVICES["worker"]["healthcheck"]["timeout"]):
        assert seconds(timeout) >= healthy.PATIENCE + 5


def test_files_and_volumes_are_there() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            if isinstance(volume, str):
                source = volume.split(":")[0]
                found = (ROOT / source).is_file() if source.startswith("./") else source in COMPOSE["volumes"]
                assert found, f"{name}: {source}"


def test_what_has_no_safe_default_must_be_given_and_is_documented() -> None:
    assert required() == set(GIVEN)
    text = (ROOT / "docker-compose.yml").read_text()
    variables = {found["name"]: found for found in _VARIABLE.finditer(text)}
    for name, found in variables.items():
        if re.search("PASSWORD|TOKEN|KEY", name):
            assert found["kind"] == "?" or not found["rest"], f"{name} has a default"
    assert {name for name in variables if f"`{name}`" not in manual()} == set()


def test_the_collector_takes_what_is_sent_and_has_all_parts_that_its_pipelines_name() -> None:
    config = yaml("deploy/collector.yaml")
    endpoint = config["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"]
    assert endpoint == f"0.0.0.0:{LISTENING['collector']}"
    assert set(config["service"]["pipelines"]) == {"traces", "metrics"}
    for pipeline in config["service"]["pipelines"].values():
        for kind, names in pipeline.items():
            assert set(names) <= set(config[kind]) <= COLLECTOR_HAS[kind]
    (volume,) = SERVICES["collector"]["volumes"]
    assert SERVICES["collector"]["command"] == ["--config", volume.split(":")[1]]


# What can run, run


def test_temporals_databases_are_its_own_and_the_logs_is_closed_to_it(
    postgres: PostgresServer, new_database: Callable[[], str]
) -> None:
    (script,) = [volume.split(":")[0] for volume in SERVICES["postgres"]["volumes"] if "initdb.d" in volume]
    password = 'it\'s a "password"'
    words = SERVICES["postgres"]["healthcheck"]["test"]
    probe = [postgres._programs / words[1], f"--port={postgres.port}", *words[2:]]
    healthy = partial(subprocess.call, probe, env={"PGPASSWORD": password})  # the image trusts its own loopback
    assert healthy() != 0
    # As the image's entrypoint runs it.
    done = subprocess.run(
        [
            *(postgres._programs / "psql", "-v", "ON_ERROR_STOP=1", "--no-password", "--no-psqlrc"),
            *("-f", ROOT / script, postgres.url()),
        ],
        env={"TEMPORAL_DB_PASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    temporal = environment("temporal")
    try:
        assert healthy() == 0
        for database in (temporal["DBNAME"], temporal["VISIBILITY_DBNAME"]):
            url = postgres.url(database, user=temporal["POSTGRES_USER"], password=password)
            with psycopg.connect(url) as connection:
                connection.execute("CREATE EXTENSION btree_gin")  # of Temporal's own schema
                connection.execute("CREATE TABLE public.executions (id int)")
        log = new_database().rpartition("/")[2]
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(postgres.url(log, user=temporal["POSTGRES_USER"], password=password))
    finally:
        postgres.execute("DROP DATABASE IF EXISTS temporal")
        postgres.execute("DROP DATABASE IF EXISTS temporal_visibility")
        postgres.execute("DROP ROLE IF EXISTS temporal")


@asynccontextmanager
async def container(app: Path, service: str, variables: Mapping[str, str], log: Path) -> AsyncIterator[Process]:
    """A process as a service has it; at the end it is told to stop, and does."""
    program, *words = SERVICES[service]["command"]
    assert program == "python"
    command, path = python(app, *words)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=app, env={**variables, **path}, stdout=output, stderr=output
        )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0, f"it did not end well: {log}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def probed(app: Path, probe: list[str], variables: Mapping[str, str]) -> tuple[int | None, str]:
    """Run a health check once."""
    command, path = python(app, *probe[probe.index("python") + 1 :])
    process = await asyncio.create_subprocess_exec(
        *command, cwd=app, env={**variables, **path}, stdout=PIPE, stderr=PIPE
    )
    _, errors = await process.communicate()
    return process.returncode, errors.decode()


async def until_healthy(app: Path, probe: list[str], variables: Mapping[str, str], process: Process) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await probed(app, probe, variables))[0] != 0:
            assert process.returncode is None, "it ended"


async def test_the_image_prepares_postgresql_serves_and_works_and_its_health_checks_tell(
    tmp_path: Path, image: Path, postgres: PostgresServer
) -> None:
    token = "t0ken"
    config, keys, checkpoints = (tmp_path / name for name in ("config", "keys", "checkpoints"))
    for folder in (config, keys, checkpoints):
        folder.mkdir(mode=0o700)
    digest = sha256(token.encode()).hexdigest()
    (config / "principals.yaml").write_text(
        f"principals: [{{name: shop, roles: [service, admin], may_act_as: [customer], token_sha256: {digest}}}]\n"
    )
    (config / "staff.yaml").write_text("people: [{name: amy, role: agent, email: amy@staff.example}]\n")
    (tmp_path / "token").write_text(token)
    (port,) = ports.free(1)
    address = f"127.0.0.1:{port}"
    probes = {
        "server": ["python", "deploy/healthy.py", "server"],
        "worker": SERVICES["worker"]["healthcheck"]["test"],
    }

    async with await in_memory() as temporal:
        here = {
            "CASETRAIL_LOG": postgres.url("compose_log", user="compose_app", password="log1"),
            "CASETRAIL_ADDRESS": address,
            "CASETRAIL_KEYS": str(keys),
            "CASETRAIL_KEK": str(keys / "kek"),
            "CASETRAIL_PAYLOAD_KEYS": str(keys / "payload-keys"),
            "CASETRAIL_CHECKPOINTS": str(checkpoints),
            "CASETRAIL_ARCHIVES": str(tmp_path / "archives"),
            "CASETRAIL_PRINCIPALS": str(config / "principals.yaml"),
            "CASETRAIL_STAFF": str(config / "staff.yaml"),
            "TEMPORAL_ADDRESS": temporal.client.service_client.config.target_host,
            "OTEL_SDK_DISABLED": "true",
        }
        server, worker, critical = ({**environment(name), **here} for name in ("server", "worker", "worker-critical"))
        try:
            command = SERVICES["migrate"]["command"][1:]
            migrated = await asyncio.to_thread(run, image, *command, **here, CASETRAIL_DB_ADMIN=postgres.url())
            assert migrated.returncode == 0, migrated.stderr
            assert "made the tables" in migrated.stdout

            assert "does not answer" in (await probed(image, probes["server"], server))[1]
            assert "no worker of this host" in (await probed(image, probes["worker"], worker))[1]
            async with (
                container(image, "server", server, tmp_path / "server.log") as serving,
                container(image, "worker", worker, tmp_path / "worker.log") as working,
            ):
                await until_healthy(image, probes["server"], server, serving)
                await until_healthy(image, probes["worker"], worker, working)
                assert "on casetrail-critical" in (await probed(image, probes["worker"], critical))[1], (
                    "it is another's"
                )
                async with container(image, "worker-critical", critical, tmp_path / "critical.log") as waiting:
                    await until_healthy(image, probes["worker"], critical, waiting)
                namespace = await asyncio.create_subprocess_exec(
                    str(Path(sys.executable).with_name("temporal")),
                    *SERVICES["temporal"]["healthcheck"]["test"][2:],
                    env={**os.environ, "TEMPORAL_ADDRESS": here["TEMPORAL_ADDRESS"]},
                    stdout=PIPE,
                )
                assert b"default" in (await namespace.communicate())[0]
                assert namespace.returncode == 0

                # 10 minutes to the first response are a sixth of a second here: only the worker lets that time pass.
                case_id = await an_open_case(address, tmp_path, "--scale", "3600")
                async with asyncio.timeout(PATIENCE), grpc.aio.insecure_channel(address) as channel:
                    async for seen in CaseServiceStub(channel).WatchCase(
                        WatchCaseRequest(case_id=case_id), metadata=(("authorization", f"Bearer {token}"),)
                    ):
                        if seen.event.HasField("clock_breached"):
                            break
            assert list(checkpoints.glob("*.jsonl"))
            assert (keys / "log.key").exists()
        finally:
            postgres.execute("DROP DATABASE IF EXISTS compose_log WITH (FORCE)")
            postgres.execute("DROP ROLE IF EXISTS compose_app")
