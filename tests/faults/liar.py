"""A fake that stands between a client and the API server, ends TLS, and answers some requests itself.

In: an API server, and a lie: what to answer to which request. Out: a port that shows the API server's own certificate.
The rule: what the lie is silent about is the real server's answer, passed on byte by byte.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import attrs

from tests.services.kubernetes import ApiServer

CHUNK = 65536
BETWEEN_HOPS = frozenset({"transfer-encoding", "connection", "keep-alive", "host", "content-length"})


@attrs.frozen
class Answer:
    """What to answer. `silent`: the body is begun and nothing follows, until the lie is over."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    silent: bool = False


Lie = Callable[[str], Answer | None]
"""From the path of a request, with its query, to what is answered; None: what the real server says."""
READS = frozenset({"GET"})
WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})


class Liar:
    """A context manager; without a lie it only passes on."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self._towards = ssl.create_default_context(cafile=server.ca_file)
        self._lie: Lie | None = None
        self._methods = READS
        self._over = threading.Event()
        self._open: set[socket.socket] = set()
        self.lies = 0
        """How many requests were answered by a lie."""
        handler = type("Handler", (_Handler,), {"liar": self})
        self._http = _Server(("127.0.0.1", 0), handler)
        here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        here.load_cert_chain(server.serving.certificate, server.serving.key)
        self._http.socket = here.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"https://127.0.0.1:{self.port}"

    def tell(self, lie: Lie, methods: frozenset[str] = READS) -> None:
        """Answer requests with these methods so from now on."""
        self._over = threading.Event()
        self._methods, self._lie = methods, lie

    def stop_lying(self) -> None:
        """Pass everything on again, and close the streams that are open."""
        self._lie = None
        self._over.set()
        for each in tuple(self._open):
            _shut(each)

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, name=f"liar {self.port}", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_lying()
        self._http.shutdown()
        self._http.server_close()

    def answer_to(self, method: str, path: str) -> Answer | None:
        """Say what to answer to a request."""
        lie = self._lie if method in self._methods else None
        found = None if lie is None else lie(path)
        self.lies += found is not None
        return found

    def wait_for_the_end(self) -> None:
        """Wait until the lie of this moment is over."""
        self._over.wait()

    def forward(self, handler: "_Handler") -> None:
        """Ask the real server, and pass its answer on as it comes."""
        upstream = http.client.HTTPSConnection("127.0.0.1", self.server.port, context=self._towards, timeout=600)
        try:
            headers = {name: value for name, value in handler.headers.items() if name.lower() not in BETWEEN_HOPS}
            upstream.request(handler.command, handler.path, handler.body() or None, headers)
            taken = upstream.sock
            self._open.add(taken)
            try:
                handler.pass_on(upstream.getresponse())
            finally:
                self._open.discard(taken)
        finally:
            upstream.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: connections end in every way here."""


class _Handler(BaseHTTPRequestHandler):
    liar: Liar
    protocol_version = "HTTP/1.1"
    timeout = 600

    def do_GET(self) -> None:
        found = self.liar.answer_to(self.command, self.path)
        if found is None:
            self.liar.forward(self)
        else:
            self.body()
            self._tell(found)

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names that the base class looks for

    def body(self) -> bytes:
        """Read the body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def pass_on(self, response: http.client.HTTPResponse) -> None:
        """Send what the real server answered."""
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in BETWEEN_HOPS:
                self.send_header(name, value)
        self._begin_chunks()
        while data := response.read1(CHUNK):
            self._chunk(data)
        self._chunk(b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Keep no log."""

    def _tell(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        self.send_header("Content-Type", answer.content_type)
        for name, value in answer.headers:
            self.send_header(name, value)
        self._begin_chunks()
        if answer.body:
            self._chunk(answer.body)
        if answer.silent:
            self.liar.wait_for_the_end()
        self._chunk(b"")

    def _begin_chunks(self) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended meanwhile
        return
