"""A TCP relay that keeps what passed through it, and reads the HTTP exchanges out of that afterwards.

Bytes are passed on as they come and parsed only when all is over, so the relay adds no waiting of its own.
"""

import asyncio
import dataclasses
import json
import socket
import threading


@dataclasses.dataclass
class Exchange:
    """One HTTP request with its response. A response that was cut has what came of it."""

    method: str
    path: str
    request: bytes
    status: int
    response: bytes

    def request_json(self) -> dict:
        return json.loads(self.request or b"{}")

    def events(self) -> list[dict]:
        """The JSON of every `data:` line of a stream."""
        lines = (line[5:].strip() for line in self.response.splitlines() if line.startswith(b"data:"))
        return [json.loads(line) for line in lines if line != b"[DONE]"]


class RecordingProxy:
    """Listens on a free local port and relays to `host:port`, in a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._connections: list[tuple[bytearray, bytearray]] = []
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait()

    def _run(self, ready: threading.Event) -> None:
        async def listen() -> None:
            server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            ready.set()
            await server.serve_forever()

        self._loop.run_until_complete(listen())

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent, received = bytearray(), bytearray()
        self._connections.append((sent, received))
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.close()
            return
        for end in (writer, up_writer):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(_pump(reader, up_writer, sent), _pump(up_reader, writer, received))

    def exchanges(self) -> list[Exchange]:
        """Everything so far, connection by connection."""
        return [exchange for sent, received in list(self._connections) for exchange in _parse(bytes(sent), bytes(received))]


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            kept += data
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def _parse(sent: bytes, received: bytes) -> list[Exchange]:
    exchanges = []
    while sent and received:
        head, headers, sent = _head(sent)
        length = int(headers.get("content-length", 0))
        request, sent = sent[:length], sent[length:]
        method, path, _ = head.split(" ", 2)
        status_line, headers, received = _head(received)
        if headers.get("transfer-encoding", "").lower() == "chunked":
            response, received = _dechunk(received)
        else:
            length = int(headers.get("content-length", len(received)))
            response, received = received[:length], received[length:]
        exchanges.append(Exchange(method, path, request, int(status_line.split(" ")[1]), response))
    return exchanges


def _head(data: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in lines)
    return first, {name.strip().lower(): value.strip() for name, value in pairs}, rest


def _dechunk(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while data:
        size_line, _, data = data.partition(b"\r\n")
        size = int(size_line.split(b";")[0] or b"0", 16)
        if size == 0:
            return body, data.partition(b"\r\n")[2]
        body, data = body + data[:size], data[size + 2 :]
    return body, data
