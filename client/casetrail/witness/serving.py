"""The witness on HTTP. Put a proxy with TLS before it where others than this machine ask."""

import re
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from casetrail.witness.memory import MemoryLostError
from casetrail.witness.witness import Answer, Witness

_LONGEST: Final = 64 * 1024
_LENGTH: Final = re.compile(r"[0-9]{1,9}")
_IDLE_SECONDS: Final = 60


class WitnessServer(ThreadingHTTPServer):
    """Serves one witness."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        """Listen at an address.

        Raises:
            OSError: It is taken, or not of this machine.
        """
        self.witness = witness
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: WitnessServer
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def do_POST(self) -> None:
        if self.path != "/add-checkpoint":
            self._answer(Answer(HTTPStatus.NOT_FOUND, "there is only /add-checkpoint\n"), last=True)
            return
        length = self.headers.get("Content-Length") or ""
        if not _LENGTH.fullmatch(length) or int(length) > _LONGEST:
            self._answer(
                Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {_LONGEST} bytes, and say how many\n"), last=True
            )
            return
        self._answer(self._judged(self.rfile.read(int(length))))

    def _judged(self, body: bytes) -> Answer:
        try:
            return self.server.witness.add_checkpoint(body.decode())
        except UnicodeDecodeError:
            return Answer(HTTPStatus.BAD_REQUEST, "this is no UTF-8\n")
        except (MemoryLostError, OSError) as error:
            self.log_error("nothing is signed: %s", error)
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, "the witness cannot sign now; its own log says why\n")

    def _answer(self, answer: Answer, *, last: bool = False) -> None:
        data = answer.text.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(data)))
        if last:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        sys.stderr.write(f"{self.address_string()} {format % args}\n")
