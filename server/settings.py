"""What the server is told by its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from casetrail.environment import DEFAULT_ADDRESS
from engine.settings import EngineSettings
from server.proving import ProofSettings
from server.transport import TransportSettings

_PORTS: Final = range(65_536)  # 0: any that is free


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the server listens and what it works on.

    Attributes:
        engine: What its engine works on.
        address: CASETRAIL_ADDRESS, host:port. Loopback unless told otherwise.
        transport: How it is spoken to there.
        principals: CASETRAIL_PRINCIPALS, who may call; `principals.yaml` in CASETRAIL_DATA when left out.
        proofs: What makes the log provable.
        archives: CASETRAIL_ARCHIVES, the folder that archived cases are kept in; `archives` in CASETRAIL_DATA when left
            out.
    """

    engine: EngineSettings
    address: str
    transport: TransportSettings
    principals: Path
    proofs: ProofSettings
    archives: Path

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings.

        Raises:
            ValueError: One of them cannot be used; the message names it.
        """
        engine = EngineSettings.read(environment)
        witnesses = environment.get("CASETRAIL_WITNESSES")
        return cls(
            engine=engine,
            address=_address(environment),
            transport=TransportSettings.read(environment),
            principals=Path(environment.get("CASETRAIL_PRINCIPALS") or engine.data / "principals.yaml"),
            proofs=ProofSettings(
                keys=engine.remains.keys,
                checkpoints=engine.remains.checkpoints,
                witnesses=Path(witnesses) if witnesses else None,
            ),
            archives=Path(environment.get("CASETRAIL_ARCHIVES") or engine.data / "archives"),
        )


def _address(environment: Mapping[str, str]) -> str:
    value = environment.get("CASETRAIL_ADDRESS") or DEFAULT_ADDRESS
    host, _, port = value.rpartition(":")
    # gRPC would take a larger number for another port.
    if not host or not port.isdecimal() or int(port) not in _PORTS:
        raise ValueError(f"CASETRAIL_ADDRESS must be host:port, not {value!r}")
    return value
