"""Whether the processes of the stack really answer: asked, not guessed from time."""

import asyncio
from contextlib import suppress
from typing import Any, Final

import aiohttp
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

_BETWEEN_QUESTIONS: Final = 0.1


async def grpc_serving(address: str, service: str = "") -> None:
    """Wait until a gRPC server says, by the health service, that it serves."""
    async with grpc.aio.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its type stub forgets the methods
        while True:
            with suppress(grpc.aio.AioRpcError):
                answer = await stub.Check(
                    health_pb2.HealthCheckRequest(service=service), wait_for_ready=True, timeout=2
                )
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            await asyncio.sleep(_BETWEEN_QUESTIONS)


async def http_answers(*urls: str) -> None:
    """Wait until web servers answer, whatever they say."""
    async with aiohttp.ClientSession() as session:
        for url in urls:
            while True:
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(url, timeout=aiohttp.ClientTimeout(total=2)):
                        break
                await asyncio.sleep(_BETWEEN_QUESTIONS)


async def worker_polls(address: str, task_queue: str, pid: int) -> None:
    """Wait until the worker with this process id asks Temporal for work."""
    client = await _client(address)
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    while True:
        with suppress(RPCError):
            answer = await client.workflow_service.describe_task_queue(request)
            if any(poller.identity.startswith(f"{pid}@") for poller in answer.pollers):
                return
        await asyncio.sleep(_BETWEEN_QUESTIONS)


async def _client(address: str) -> Client:
    while True:
        with suppress(RuntimeError):  # what connecting raises while nobody listens
            return await Client.connect(address)
        await asyncio.sleep(_BETWEEN_QUESTIONS)
