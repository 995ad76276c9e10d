"""What server and worker are told alike by their environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, nan
from pathlib import Path
from typing import Final, Self

from audit import stores
from audit.remains import Remains
from casetrail import payload_keys

DEFAULT_POLICY: Final = Path(__file__).resolve().parent.parent / "policies" / "default.yaml"


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine works on.

    Attributes:
        data: CASETRAIL_DATA, the folder of whatever is not told elsewhere; ./data when left out.
        log: CASETRAIL_LOG, the URL of the audit log: sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE;
            the file `casetrail.db` in CASETRAIL_DATA when left out.
        remains: What shows that there was a log where its database is empty.
        subject_keys: What personal fields are encrypted with.
        payload_keys: CASETRAIL_PAYLOAD_KEYS, the file with the keys that personal data at Temporal is encrypted with;
            `payload-keys` in CASETRAIL_DATA when left out.
        policy: CASETRAIL_POLICY, the policy file that new cases open under; the shipped one when left out.
        drain_seconds: CASETRAIL_DRAIN_SECONDS, how long what is under way may take to end at a stop.
    """

    data: Path
    log: str = field(repr=False)
    remains: Remains
    subject_keys: stores.KeySettings
    payload_keys: Path
    policy: Path
    drain_seconds: float

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            ValueError: One of them cannot be used; the message names it.
        """
        data = Path(environment.get("CASETRAIL_DATA") or "data")
        log = stores.from_settings(environment, data)
        return cls(
            data=data,
            log=log,
            remains=Remains.read(environment, data),
            subject_keys=stores.KeySettings.read(environment, data, log),
            payload_keys=payload_keys.path_from(environment, data),
            policy=Path(environment.get("CASETRAIL_POLICY") or DEFAULT_POLICY),
            drain_seconds=_drain_seconds(environment),
        )


def _drain_seconds(environment: Mapping[str, str]) -> float:
    value = environment.get("CASETRAIL_DRAIN_SECONDS") or "10"
    try:
        seconds = float(value)
    except ValueError:
        seconds = nan
    if not 0 <= seconds < inf:
        raise ValueError(f"CASETRAIL_DRAIN_SECONDS is no number of seconds: {value!r}")
    return seconds
