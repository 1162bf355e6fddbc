"""A client of HTTP whose every answer ends: after a time, or after so many bytes."""

import re
import socket
from contextlib import suppress
from importlib import import_module
from threading import Timer

ANSWER_BYTES = 2**20  # that are read of an answer: a name takes a thousand


def bounded_client(kind: type, timeout: float):
    """A client of `kind`, a class of httpx: an answer has come whole within `timeout` seconds from
    the request on, head and body, or is given up; so is one longer than ANSWER_BYTES.

    httpx's own timeout begins again with each byte. A Retry-After beyond `timeout` is not heeded,
    and nothing is unpacked: a thousand bytes could become a million. Raises ValueError for
    HTTP_PROXY and its like that are no addresses.
    """

    class Client(kind):
        def send(self, request, **how):
            """See httpx; the whole answer is read in here."""
            line = request.extensions["trace"] = _Line(timeout)  # that of redirections too
            try:
                answer = super().send(request, **how)
            except Exception:
                if not line.is_cut:
                    raise
            else:
                if not line.is_cut:  # a cut may look like the end of an answer
                    return answer
            finally:
                line.end()
            raise _library_of(request).ReadTimeout("it was too slow", request=request)

    # A connection of its own for each request is one that can be cut.
    headers = {"Accept-Encoding": "identity", "Connection": "close"}
    return Client(event_hooks={"response": [_bound(timeout)]}, headers=headers)


class _Line:
    """The connection of one request, cut when its `seconds` are over. httpx tells of events."""

    def __init__(self, seconds: float):
        self.is_cut, self._stream = False, None
        self._timer = Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def __call__(self, event: str, info: dict) -> None:
        made = info.get("return_value")
        if hasattr(made, "get_extra_info"):  # connected, or encrypted since
            self._stream = made
            if self.is_cut:
                self._cut()

    def _cut(self) -> None:
        self.is_cut = True
        if self._stream is not None:
            with suppress(OSError):  # it has ended by itself
                # Of the plain socket: that of TLS is not made to be shut by another thread.
                socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)

    def end(self) -> None:
        self._timer.cancel()


def _library_of(message):
    """The httpx that a request or response comes from: openai decides which one it uses."""
    return import_module(type(message).__module__.partition(".")[0])


def _bound(timeout: float):
    """What makes of each response one of ANSWER_BYTES at most, with a Retry-After to heed."""

    def bound(response) -> None:
        class Stream(_library_of(response).SyncByteStream):
            def __init__(self, stream):
                self.stream = stream

            def __iter__(self):
                left = ANSWER_BYTES
                for chunk in self.stream:
                    left -= len(chunk)
                    if left < 0:
                        raise ValueError("an answer of more than a megabyte")
                    yield chunk

            def close(self):
                self.stream.close()

        response.headers.pop("content-encoding", None)
        after = response.headers.get("retry-after", "")
        if not re.fullmatch("[0-9]{1,9}", after) or int(after) > timeout:
            response.headers.pop("retry-after", None)
            response.headers.pop("retry-after-ms", None)
        response.stream = Stream(response.stream)

    return bound
