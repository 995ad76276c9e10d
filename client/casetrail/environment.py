"""Where the service is and who asks, as the environment says."""

import os
from collections.abc import Mapping
from pathlib import Path

DEFAULT_ADDRESS = "127.0.0.1:7460"


def address() -> str:
    """`CASETRAIL_ADDRESS`, or where `make up` listens."""
    return os.environ.get("CASETRAIL_ADDRESS") or DEFAULT_ADDRESS


def insecure(environment: Mapping[str, str] = os.environ) -> bool:
    """`CASETRAIL_INSECURE`: whether tokens may pass in clear beyond this machine."""
    return environment.get("CASETRAIL_INSECURE") == "1"


def receipts() -> Path | None:
    """`CASETRAIL_RECEIPTS`, the file that receipts are kept in; None when they are not."""
    given = os.environ.get("CASETRAIL_RECEIPTS")
    return Path(given) if given else None


def token() -> str:
    """`CASETRAIL_TOKEN`, or the token that the embedded stack leaves in `CASETRAIL_DATA` or ./data.

    Empty when there is none.

    Raises:
        OSError: The file is there and cannot be read.
    """
    given = os.environ.get("CASETRAIL_TOKEN")
    if given:
        return given
    file = Path(os.environ.get("CASETRAIL_DATA") or "data") / "token"
    return file.read_text(encoding="utf-8").strip() if file.is_file() else ""
