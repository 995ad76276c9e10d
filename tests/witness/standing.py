"""Witnesses for tests: one in a thread, one in a process of its own; and logs that ask them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from audit.merkle import Frontier
from casetrail.proof.note import WITNESS_KEY, SigningKey, TreeNote, VerifierKey, signed
from casetrail.proof.submission import Submission
from casetrail.proof.tree import hash_leaf
from casetrail.witness.memory import Memory
from casetrail.witness.serving import WitnessServer
from casetrail.witness.witness import Witness
from tests.audit.test_merkle import reference_subproof
from tests.programs import CASETRAIL_WITNESS


class ALog:
    """A log that is only its leaves, and can say anything."""

    def __init__(self, origin: str = "casetrail/0a", *, name: str = "leaf") -> None:
        self.key = SigningKey.generate(origin)
        self.leaves = [hash_leaf(f"{name} {n}".encode()) for n in range(100)]

    def tree(self, size: int) -> TreeNote:
        return TreeNote(self.key.verifier.name, size, Frontier().grow(self.leaves[:size]).frontier.root)

    def note(self, size: int) -> str:
        tree = self.tree(size)
        return signed(tree, [self.key.line(tree.body)])

    def proof(self, old_size: int, size: int) -> list[bytes]:
        return reference_subproof(old_size, self.leaves[:size], complete=True) if 0 < old_size < size else []

    def submission(self, old_size: int, size: int) -> str:
        return Submission(old_size, self.proof(old_size, size), self.note(size)).text


@dataclass
class Standing:
    """A witness's folder and what it is made of."""

    folder: Path
    key: SigningKey

    @classmethod
    def begin(cls, folder: Path, *, name: str = "w1.example") -> "Standing":
        (folder / "seen").mkdir(parents=True)
        return cls(folder, SigningKey.generate(name, WITNESS_KEY))

    def trust(self, *keys: VerifierKey) -> None:
        (self.folder / "logs.vkey").write_text("".join(f"{key}\n" for key in keys))

    def witness(self, *, seconds: int = 1_800_000_000) -> Witness:
        return Witness(
            self.key,
            Memory(self.folder / "seen"),
            logs=self.folder / "logs.vkey",
            evidence=self.folder / "evidence.jsonl",
            clock=lambda: seconds,
        )


@contextmanager
def listening(witness: Witness, port: int = 0) -> Iterator[str]:
    """A witness on a real socket."""
    server = WitnessServer(("127.0.0.1", port), witness)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def run(*words: str) -> tuple[int, str]:
    """What `casetrail-witness WORDS` comes to: exit status and all that it says."""
    code, out, err = await asyncio.to_thread(CASETRAIL_WITNESS.run, *words)
    return code, (out + err).strip()


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """A witness in a process of its own, as its user starts it; its address."""
    process = await asyncio.create_subprocess_exec(
        *(CASETRAIL_WITNESS.installed, "serve", "--data", str(folder), "--listen", "127.0.0.1:0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        said = (await process.stdout.readline()).decode()
        yield said.split()[-1], process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
