"""What the server is told by its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from audit import stores
from casetrail import payload_keys
from casetrail.environment import DEFAULT_ADDRESS
from server.proving import ProofSettings
from server.transport import TransportSettings

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the server listens and what it works on.

    Attributes:
        address: CASETRAIL_ADDRESS, host:port. Loopback unless told otherwise.
        transport: How it is spoken to there.
        log: CASETRAIL_LOG, the URL of the audit log: sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE;
            the file `casetrail.db` in the folder CASETRAIL_DATA when left out.
        subject_keys: What personal fields are encrypted with.
        payload_keys: CASETRAIL_PAYLOAD_KEYS, the file with the keys that personal data at Temporal is encrypted with;
            `payload-keys` in CASETRAIL_DATA when left out.
        policy: CASETRAIL_POLICY, the policy file that new cases open under; the shipped one when left out.
        principals: CASETRAIL_PRINCIPALS, who may call; `principals.yaml` in CASETRAIL_DATA when left out.
        proofs: What makes the log provable.
        archives: CASETRAIL_ARCHIVES, the folder that archived cases are kept in; `archives` in CASETRAIL_DATA when left
            out.
        drain_seconds: CASETRAIL_DRAIN_SECONDS, how long calls that are under way may take to end at a stop.
    """

    address: str
    transport: TransportSettings
    log: str = field(repr=False)
    subject_keys: stores.KeySettings
    payload_keys: Path
    policy: Path
    principals: Path
    proofs: ProofSettings
    archives: Path
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
        log = stores.from_settings(environment, data)
        return cls(
            address=environment.get("CASETRAIL_ADDRESS") or DEFAULT_ADDRESS,
            transport=TransportSettings.read(environment),
            log=log,
            subject_keys=stores.KeySettings.read(environment, data, log),
            payload_keys=payload_keys.path_from(environment, data),
            policy=Path(environment.get("CASETRAIL_POLICY") or _ROOT / "policies" / "default.yaml"),
            principals=Path(environment.get("CASETRAIL_PRINCIPALS") or data / "principals.yaml"),
            proofs=ProofSettings(
                keys=Path(environment.get("CASETRAIL_KEYS") or data / "keys"),
                checkpoints=_path(environment, "CASETRAIL_CHECKPOINTS"),
                witnesses=_path(environment, "CASETRAIL_WITNESSES"),
            ),
            archives=Path(environment.get("CASETRAIL_ARCHIVES") or data / "archives"),
            drain_seconds=drain_seconds,
        )


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(name)
    return Path(value) if value else None
