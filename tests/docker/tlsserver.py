"""A web server that speaks TLS, and the CA that vouches for it, which nobody else knows."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.docker.packing import build

_CURVE = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
_RECIPE = (
    f"openssl req -x509 {_CURVE} -keyout {{name}}.key -out {{name}}.pem -days 30 "
    "-subj '/O=Some Company/CN={name}' -addext basicConstraints=critical,CA:TRUE "
    "-addext keyUsage=critical,keyCertSign,cRLSign",
)
_SERVER = (
    f"openssl req {_CURVE} -keyout server.key -out server.csr -subj /CN=localhost",
    "openssl x509 -req -in server.csr -CA {name}.pem -CAkey {name}.key -CAcreateserial "
    "-days 30 -extfile server.ext -out server.pem",
)


def make_ca(name: str, directory: Path) -> Path:
    """A CA: ``NAME.pem``, and its key ``NAME.key``."""
    build([line.replace("{name}", name) for line in _RECIPE], directory)
    return directory / f"{name}.pem"


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust the server goes away, which is what some tests want."""


@contextmanager
def serving(files: Path, ca: Path) -> Iterator[str]:
    """The address of a server of a directory's files, on this machine, as long as it runs."""
    home = ca.parent
    (home / "server.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    build([line.replace("{name}", ca.stem) for line in _SERVER], home)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "server.pem", home / "server.key")
    handler = partial(_Silent, directory=str(files))
    with _Server(("127.0.0.1", 0), handler) as server:
        # Not on accept(), which would let one slow client stop the others.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
