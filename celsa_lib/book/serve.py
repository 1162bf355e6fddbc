"""The built book over HTTP, for this machine alone.

Browsers allow a page opened as a file less than one that came by HTTP: no workers, no WebAssembly.
"""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "127.0.0.1"
PORT = 8000  # if it is free


class _Quiet(SimpleHTTPRequestHandler):
    """Nothing is printed of what is asked."""

    def log_message(self, *_):
        pass


def book_server(folder: Path, port: int = PORT) -> ThreadingHTTPServer:
    """A server of the files in `folder`, not yet running, at `port` or else at any free one.

    Its address is that of `served_at`.
    """
    handler = partial(_Quiet, directory=str(folder))
    try:
        return ThreadingHTTPServer((HOST, port), handler)
    except OSError:  # somebody else is there
        return ThreadingHTTPServer((HOST, 0), handler)


def served_at(server: ThreadingHTTPServer) -> str:
    """The address of a `book_server`, with a slash at its end."""
    return f"http://{HOST}:{server.server_port}/"
