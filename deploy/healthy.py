# noqa: INP001 - a program, not a package
"""Says whether the process in this container does its work: `python deploy/healthy.py server` or `worker`.

For the container's health check: the status is 0 when it does; otherwise 1, and one line says why.
"""

import asyncio
import os
import socket
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from casetrail.environment import address
from casetrail.errors import Untrusted
from casetrail.tls import Tls
from engine.leaving import leave
from engine.naming import TASK_QUEUE
from engine.temporal_settings import temporal_settings
from server.transport import TransportRefusedError, TransportSettings, own_name

PATIENCE: Final = 4.0
"""Seconds after which what does not answer counts as not well."""

_DIRECT: Final = [("grpc.enable_http_proxy", 0)]
# A worker asks for work at least once a minute, and Temporal remembers for five who has asked.
_RECENT: Final = timedelta(minutes=2)


def main(words: list[str]) -> str | None:
    """Check the part that is named; None when it is well, otherwise why it is not."""
    match words:
        case ["server"]:
            return server()
        case ["worker"]:
            return asyncio.run(worker())
        case _:
            return "say which: python deploy/healthy.py server|worker"


def server() -> str | None:
    """Ask the server, by the standard health service, whether it can answer calls."""
    here = f"127.0.0.1:{address().rpartition(':')[2]}"
    try:
        made = _channel(here)
    except (TransportRefusedError, Untrusted, ValueError) as error:
        return f"the server at {here} cannot be asked: {error}"
    with made as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its type stub forgets the methods
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        except grpc.RpcError as error:
            return f"the server at {here} does not answer: {error}"
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        return f"the server at {here} does not serve: the log cannot be read, or it is stopping"
    return None


def _channel(here: str) -> grpc.Channel:
    """As the server listens. Whatever names its certificate is for, that very certificate is expected."""
    files = TransportSettings.read().tls
    if files is None:
        return grpc.insecure_channel(here, options=_DIRECT)
    its_own = {"CASETRAIL_TLS_CA": str(files.certificate), "CASETRAIL_TLS_NAME": own_name(files)}
    tls = Tls.from_environment({**os.environ, **its_own}) or Tls()
    if files.client_ca is not None and tls.certificate is None:
        raise ValueError("it asks for a certificate, which CASETRAIL_TLS_CLIENT_CERT and _CLIENT_KEY do not name")
    return grpc.secure_channel(here, tls.credentials(), options=[*_DIRECT, *tls.options()])


async def worker() -> str | None:
    """Ask Temporal whether the worker of this host has asked it for work lately, on the queue that it works on."""
    queue = os.environ.get("CASETRAIL_QUEUE") or TASK_QUEUE
    try:
        async with asyncio.timeout(PATIENCE):
            client = await Client.connect(**temporal_settings())
            answer = await client.workflow_service.describe_task_queue(
                DescribeTaskQueueRequest(
                    namespace=client.namespace,
                    task_queue=TaskQueue(name=queue),
                    task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
                )
            )
    except TimeoutError:
        return "Temporal does not answer in time"
    # What the client raises where it cannot connect, and when refused; and what its settings are refused with.
    except (RuntimeError, RPCError, ValueError) as error:
        return f"Temporal does not answer: {error}"
    if not any(_asked_lately(poller) for poller in answer.pollers):
        return f"no worker of this host ({socket.gethostname()}) has asked Temporal for work on {queue} lately"
    return None


def _asked_lately(poller: PollerInfo) -> bool:
    host = poller.identity.partition("@")[2]  # of PID@HOST, as the SDK calls a worker
    return host == socket.gethostname() and datetime.now(UTC) - poller.last_access_time.ToDatetime(UTC) < _RECENT


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
