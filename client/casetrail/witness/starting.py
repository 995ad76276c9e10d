"""Starts `casetrail-witness`: the client is installed without what a witness needs."""

import sys

from casetrail.starting import loading


def main() -> None:
    """Run the command line, or say what is missing."""
    try:
        with loading():
            from casetrail.witness import command  # noqa: PLC0415 - it may not be possible
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "cryptography":
            raise
        sys.exit("casetrail-witness: this needs `cryptography`: pip install 'casetrail[witness]'.")
    command.main()
