"""What the server is told by its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from casetrail.environment import DEFAULT_ADDRESS

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the server listens and what it works on.

    Attributes:
        address: CASETRAIL_ADDRESS, host:port. Loopback unless told otherwise: the server itself speaks no TLS.
        log: CASETRAIL_LOG, the audit log's file; `casetrail.db` in the folder CASETRAIL_DATA when left out.
        policy: CASETRAIL_POLICY, the policy file that new cases open under; the shipped one when left out.
        principals: CASETRAIL_PRINCIPALS, who may call; `principals.yaml` in CASETRAIL_DATA when left out.
        drain_seconds: CASETRAIL_DRAIN_SECONDS, how long calls that are under way may take to end at a stop.
    """

    address: str
    log: Path
    policy: Path
    principals: Path
    drain_seconds: float

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings.

        Raises:
            ValueError: One of them cannot be used; the message names it.
        """
        data = Path(environment.get("CASETRAIL_DATA") or "data")
        drain = environment.get("CASETRAIL_DRAIN_SECONDS") or "10"
        try:
            drain_seconds = float(drain)
        except ValueError:
            raise ValueError(f"CASETRAIL_DRAIN_SECONDS is no number of seconds: {drain!r}") from None
        return cls(
            address=environment.get("CASETRAIL_ADDRESS") or DEFAULT_ADDRESS,
            log=Path(environment.get("CASETRAIL_LOG") or data / "casetrail.db"),
            policy=Path(environment.get("CASETRAIL_POLICY") or _ROOT / "policies" / "default.yaml"),
            principals=Path(environment.get("CASETRAIL_PRINCIPALS") or data / "principals.yaml"),
            drain_seconds=drain_seconds,
        )
