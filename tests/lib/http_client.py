"""An HTTP/1.1 client on a bare socket: sends exactly the bytes it is given, so also what no library would send."""

import contextlib
import json
import socket

from lib.wait import DEADLINE_S


class Answer:
    """One response; headers as a list of pairs, in order."""

    def __init__(self, version, status, headers, body):
        self.version, self.status, self.headers, self.body = version, status, headers, body

    def header(self, name):
        """The only value of a header, or None."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} comes {len(values)} times"
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<Answer {self.status} {self.headers} {self.body[:300]!r}>"


class Closed(Exception):
    """The peer ended the connection before a whole answer had come."""


class Connection:
    """address: (host, port) or the path of a unix socket."""

    def __init__(self, address, timeout_s=DEADLINE_S):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout_s)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout=timeout_s)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def request(self, method, path, headers=(), body=b"", host="localhost"):
        """Sends a well-formed request and returns its answer."""
        self.send(request_bytes(method, path, headers, body, host))
        return self.answer(head_only=method == "HEAD")

    def answer(self, head_only=False, interim=False):
        """The next answer. 1xx ones are skipped, unless interim is set."""
        while True:
            answer = self._read_answer(head_only)
            if interim or answer.status >= 200:
                return answer

    def is_closed_by_peer(self):
        """True if nothing more comes and the connection ends, within the time-out."""
        if self.received:
            return False
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def drain(self):
        """Drops what still comes until the peer closes; fails if it does not within the time-out."""
        self.received = b""
        with contextlib.suppress(Closed):
            while True:
                self._fill()
                self.received = b""

    def _read_answer(self, head_only):
        head = self._read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, *_ = head[0].split(" ", 2)
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in head[1:] if line]
        answer = Answer(version, int(status), headers, b"")
        if head_only or answer.status < 200 or answer.status in (204, 304):
            return answer
        if (answer.header("Transfer-Encoding") or "").lower() == "chunked":
            answer.body = self._read_chunks()
        elif answer.header("Content-Length") is not None:
            answer.body = self._read_exactly(int(answer.header("Content-Length")))
        else:
            answer.body = self._read_to_end()
        return answer

    def _read_chunks(self):
        body = b""
        while True:
            size = int(self._read_until(b"\r\n").split(b";")[0], 16)
            body += self._read_exactly(size)
            self._read_until(b"\r\n")
            if size == 0:
                return body

    def _fill(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionError as error:
            raise Closed(f"{error}; received so far: {self.received[:300]!r}") from error
        if not data:
            raise Closed(f"closed by the peer; received so far: {self.received[:300]!r}")
        self.received += data

    def _read_until(self, end):
        while end not in self.received:
            self._fill()
        found, self.received = self.received.split(end, 1)
        return found + end

    def _read_exactly(self, count):
        while len(self.received) < count:
            self._fill()
        found, self.received = self.received[:count], self.received[count:]
        return found

    def _read_to_end(self):
        with contextlib.suppress(Closed):
            while True:
                self._fill()
        found, self.received = self.received, b""
        return found


def request_bytes(method, path, headers=(), body=b"", host="localhost", version="HTTP/1.1"):
    """headers: pairs or a mapping. Content-Length and Host are added unless they are given."""
    pairs = list(headers.items() if hasattr(headers, "items") else headers)
    names = {name.lower() for name, _ in pairs}
    if "host" not in names and host is not None:
        pairs.insert(0, ("Host", host))
    if "content-length" not in names and "transfer-encoding" not in names and (
        body or method in ("POST", "PUT")
    ):
        pairs.append(("Content-Length", str(len(body))))
    head = f"{method} {path} {version}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in pairs)
    return head.encode("latin-1") + b"\r\n" + body


def chunked(body, sizes):
    """The body in chunks of the given sizes (the rest in one), with the last, empty chunk."""
    out, at = b"", 0
    for size in [*sizes, len(body)]:
        part = body[at : at + size]
        at += len(part)
        if part:
            out += b"%x\r\n%s\r\n" % (len(part), part)
    return out + b"0\r\n\r\n"


def fetch(address, method, path, headers=(), body=b""):
    """One request on a new connection."""
    with Connection(address) as connection:
        return connection.request(method, path, headers, body)
