"""A way to a server that a test can cut or stop at a chosen moment."""

import asyncio
from typing import Self


class CuttingProxy:
    """Passes bytes on between clients and a server on this machine.

    Attributes:
        cut_at_request: When a client sends these bytes, they are not passed on and the way is cut.
        cut_at_answer: When the server sends these bytes, likewise.
        open: Whether new ways are opened.
        flowing: While it is not set nothing is passed on, and nobody is told.
    """

    def __init__(self, port: int) -> None:
        self.cut_at_request = b""
        self.cut_at_answer = b""
        self.open = True
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.cuts = 0
        self._to = port
        self._server: asyncio.Server | None = None
        self._ways: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for way in self._ways:
            way.cancel()
        await asyncio.gather(*self._ways, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = asyncio.current_task()
        assert way is not None
        self._ways.add(way)
        way.add_done_callback(self._ways.discard)
        if not self.open:
            writer.close()
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(reader, to_server, "cut_at_request"))
                both.create_task(self._pass_on(from_server, writer, "cut_at_answer"))
        except* ConnectionError:
            pass  # cut, or ended by one side
        finally:
            writer.close()
            to_server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut_at: str) -> None:
        while data := await reader.read(1 << 16):
            if (mark := getattr(self, cut_at)) and mark in data:
                setattr(self, cut_at, b"")
                self.cuts += 1
                break
            await self.flowing.wait()
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError
