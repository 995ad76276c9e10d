"""The `casetrail-witness` command line."""

import fcntl
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from casetrail.proof.note import WITNESS_KEY, NoteError, SigningKey, VerifierKey, keys_of
from casetrail.witness.memory import Memory, MemoryLostError
from casetrail.witness.serving import WitnessServer
from casetrail.witness.witness import Witness

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

Data = Annotated[Path, typer.Option(metavar="FOLDER", help="The witness's own folder.")]
_DATA = Path("witness")


class _RefusedError(Exception):
    """Why the witness cannot begin."""


@app.callback()
def _witness() -> None:
    """Co-sign the checkpoints of logs, so that none of them can show two histories."""


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="Of the witness, for example witness.example.com.")], *, data: Data = _DATA
) -> None:
    """Make the witness's folder and key, and print the key that others know it by."""
    try:
        key = SigningKey.generate(name, WITNESS_KEY)
        (data / "seen").mkdir(mode=0o700, parents=True)
        with os.fdopen(os.open(data / "witness.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{key.secret}\n")
        (data / "witness.vkey").write_text(f"{key.verifier}\n", encoding="utf-8")
        (data / "logs.vkey").write_text("# Keys of the logs that this witness serves, one a line.\n", encoding="utf-8")
    except FileExistsError:
        raise _RefusedError(f"{data} holds a witness already") from None
    typer.echo(str(key.verifier))


@app.command()
def trust(vkey: Annotated[str, typer.Argument(help="Verifier key of a log.")], *, data: Data = _DATA) -> None:
    """Serve a log, or another key of it, from now on. A witness that runs need not be started again."""
    key = VerifierKey.parse(vkey)
    path = data / "logs.vkey"
    if key.kind == WITNESS_KEY:
        raise _RefusedError("this is the key of a witness, not of a log")
    if not path.exists():
        raise _no_witness(data)
    if key not in keys_of(path.read_text(encoding="utf-8")):
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{key}\n")


@app.command()
def serve(
    *,
    data: Data = _DATA,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where to answer.")] = "127.0.0.1:7470",
) -> None:
    """Answer logs until it is stopped."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise _RefusedError(f"--listen is HOST:PORT, not {listen!r}")
    key = _key(data)
    lock = _lock(data)
    witness = Witness(key, Memory(data / "seen"), logs=data / "logs.vkey", evidence=data / "evidence.jsonl")
    try:
        server = WitnessServer((host, int(port)), witness)
    except (OSError, OverflowError) as error:
        raise _RefusedError(f"cannot listen on {listen}: {error}") from error
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    typer.echo(f"{key.verifier.name} listens on http://{host}:{server.server_address[1]}")
    sys.stdout.flush()
    try:
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    finally:
        server.server_close()
        os.close(lock)


def _key(data: Path) -> SigningKey:
    path = data / "witness.key"
    if not path.exists():
        raise _no_witness(data)
    if path.stat().st_mode & 0o077:
        raise _RefusedError(f"{path} can be read by others: `chmod 600 {path}`")
    return SigningKey.parse(path.read_text(encoding="utf-8"))


def _no_witness(data: Path) -> _RefusedError:
    return _RefusedError(f"{data} holds no witness: `casetrail-witness init NAME --data {data}` makes one")


def _lock(data: Path) -> int:
    """Keep a second process from signing with the same memory."""
    lock = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise _RefusedError(f"another process runs the witness in {data}") from None
    return lock


def main() -> None:
    """Run the command line; what goes wrong is said in words."""
    try:
        app(prog_name="casetrail-witness")
    except (_RefusedError, MemoryLostError, NoteError, OSError) as error:
        typer.echo(f"casetrail-witness: {error}", err=True)
        sys.exit(1)
