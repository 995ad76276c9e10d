"""Where Temporal is and how it is spoken to: TEMPORAL_*, and Temporal's configuration file, as its SDKs read them."""

from temporalio.client import Client
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import Runtime
from temporalio.service import GrpcCompression


async def connect(payloads: DataConverter, *, tracing: bool, runtime: Runtime | None = None) -> Client:
    """Connect to Temporal.

    Args:
        payloads: Encrypts what goes there.
        tracing: Whether what is done there is part of the trace that it was asked for in.
        runtime: What Temporal's core runs in; the one that all share when left out.

    Raises:
        RuntimeError: It does not answer.
        ValueError: The settings cannot be used.
    """
    return await Client.connect(
        **temporal_settings(),
        data_converter=payloads,
        grpc_compression=GrpcCompression.NONE,
        interceptors=[TracingInterceptor()] if tracing else [],
        runtime=runtime,
    )


def temporal_settings() -> ClientConnectConfig:
    """What to connect with: address, namespace, TLS, key of the API; the files of certificates are read anew.

    Raises:
        ValueError: They cannot be used; the message says why.
    """
    try:
        settings = ClientConfig.load_client_connect_config()
    except (RuntimeError, OSError) as error:  # RuntimeError: what the SDK's own error is
        raise ValueError(f"the settings of Temporal (TEMPORAL_*) cannot be used: {error}") from error
    settings.setdefault("target_host", "localhost:7233")
    return settings
