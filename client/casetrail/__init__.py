"""Client of Casetrail, the event-sourced workflow engine for customer-service cases.

    async with casetrail.Client("127.0.0.1:7460", token) as client:
        opened = await client.open(
            kind="inquiry", customer="C-1001", channel="email", subject="Where is my parcel?"
        )
        await client.reply(opened.case.case_id, "We are asking the carrier.")

The messages are those of the contract, `casetrail.v1`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from casetrail.client import Client
    from casetrail.commands import Action, How, command
    from casetrail.errors import (
        CasetrailError,
        FieldViolation,
        InvalidRequest,
        NotAllowed,
        NotFound,
        Refused,
        Stale,
        Unavailable,
        Untrusted,
    )
    from casetrail.patience import Patience
    from casetrail.tls import Tls

__all__ = [
    "Action",
    "CasetrailError",
    "Client",
    "FieldViolation",
    "How",
    "InvalidRequest",
    "NotAllowed",
    "NotFound",
    "Patience",
    "Refused",
    "Stale",
    "Tls",
    "Unavailable",
    "Untrusted",
    "command",
]

_HOMES = {
    "Action": "commands",
    "Client": "client",
    "How": "commands",
    "Patience": "patience",
    "Tls": "tls",
    "command": "commands",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first used: whoever needs only the messages does not load gRPC."""
    if name not in __all__:
        raise AttributeError(f"module 'casetrail' has no attribute '{name}'")
    return getattr(import_module(f"casetrail.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
