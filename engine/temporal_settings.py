"""Where Temporal is and how it is spoken to: TEMPORAL_*, and Temporal's configuration file, as its SDKs read them."""

from temporalio.envconfig import ClientConfig, ClientConnectConfig


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
