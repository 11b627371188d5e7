"""A scripted HTTP server that remembers its requests: a provider's API with nothing behind it."""

import collections
import http.server
import json
import ssl
import threading

from lib.wait import DEADLINE_S

# Instead of an answer: the connection stays open without one, or is closed without one.
HANG, CLOSE = "hang", "close"

Request = collections.namedtuple("Request", "method path headers body")


class Answer:
    """body: bytes, or what becomes JSON."""

    def __init__(self, status=200, body=b"", headers=()):
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = list(headers)

    def __repr__(self):
        return f"{self.status} {self.body}"


class ApiServer:
    """Listens on a free port of 127.0.0.1. cert: (certificate, key) for TLS."""

    def __init__(self, cert=None):
        self.requests = []
        self.unexpected = []
        self.answers = {}
        self.closing = threading.Event()
        self.lock = threading.Lock()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = DEADLINE_S

            def handle_one_request(self):
                # A client that refuses the certificate is no failure of the server's.
                try:
                    super().handle_one_request()
                except (ssl.SSLError, ConnectionError):
                    self.close_connection = True

            def log_message(self, *_):
                pass

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                server._handle(self, Request(self.command, self.path, list(self.headers.items()), body))

            do_POST = do_PUT = do_DELETE = do_GET

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.block_on_close = False
        self.port = self.http.server_address[1]
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*cert)
            self.http.socket = context.wrap_socket(
                self.http.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{'https' if cert else 'http'}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def on(self, method, path, *answers):
        """
        Answers to requests for exactly this path (with its query), one by one; the last one stays. Each is an
        Answer, a status, what becomes JSON, HANG, CLOSE, or a function of the request that returns one of these.
        """
        with self.lock:
            self.answers[method, path] = list(answers)
        return self

    def asked(self, method=None, path=None):
        """The requests so far, those of this kind."""
        with self.lock:
            return [
                one for one in self.requests if method in (None, one.method) and path in (None, one.path)
            ]

    def close(self):
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(DEADLINE_S)
        assert not self.unexpected, f"nobody said what to answer to {self.unexpected}"

    def _next(self, request):
        with self.lock:
            self.requests.append(request)
            answers = self.answers.get((request.method, request.path))
            if not answers:
                self.unexpected.append((request.method, request.path))
                return 599
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def _handle(self, handler, request):
        answer = self._next(request)
        if callable(answer):
            answer = answer(request)
        if answer in (HANG, CLOSE):
            if answer == HANG:
                self.closing.wait(DEADLINE_S)
            handler.close_connection = True
            return
        if isinstance(answer, int):
            answer = Answer(answer)
        elif not isinstance(answer, Answer):
            answer = Answer(200, answer)
        handler.send_response(answer.status)
        for name, value in answer.headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        handler.wfile.write(answer.body)
