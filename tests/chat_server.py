"""A real local HTTP server that speaks POST /v1/chat/completions, well or badly."""

import http.server
import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Reply:
    """What the server sends back; drop by drop with a pause, in seconds, after each byte."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    pause: float = 0.0


def completion(text: str | None, finish: str = "stop") -> Reply:
    """A chat completion that took 100 tokens in and 5 out."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant"}}
    choice["message"]["content"] = text
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    body["usage"] = {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105}
    return Reply(json.dumps(body).encode())


def failure(status: int, message: str = "no", **headers: str) -> Reply:
    """An error in the API's form; `retry_after` becomes Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(json.dumps({"error": {"message": message}}).encode(), status, named)


def items_of(body: dict) -> list[dict]:
    """The items that a request shows."""
    return json.loads(body["messages"][1]["content"])["items"]


def named_after_first_title(number: int, body: dict) -> Reply:
    """What the server answers unless told otherwise: "Like" and the first title."""
    return completion(f"Like {items_of(body)[0]['title']}")


class ChatServer(http.server.ThreadingHTTPServer):
    """`answer(number, body)` gives the reply to the number-th request, from 0.

    `bodies` and `heads` are what was asked. A handler may wait for `released`.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Callable[[int, dict], Reply] = named_after_first_title
        self.bodies: list[dict] = []
        self.heads: list[dict[str, str]] = []
        self.lock = threading.Lock()
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request, client_address):
        """A client that has gone away is no news."""


class _Drops(io.BufferedIOBase):
    """A file that gets a byte at a time, with a pause after each until `released`."""

    def __init__(self, file, pause: float, released: threading.Event):
        self._file, self._pause, self._released = file, pause, released

    def write(self, content: bytes) -> int:
        for byte in content:
            self._file.write(bytes([byte]))
            self._released.wait(self._pause)
        return len(content)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            number = len(self.server.bodies)
            self.server.bodies.append(body)
            heads = {name.lower(): value for name, value in self.headers.items()}
            self.server.heads.append(heads)
        right = self.path == "/v1/chat/completions"
        reply = self.server.answer(number, body) if right else failure(404)
        if reply.pause:
            self.wfile = _Drops(self.wfile, reply.pause, self.server.released)
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *args):
        """Keep the test output quiet."""
