"""
What the stand-in providers share: a server, a postman that delivers and retries, and a way to tell them what to do.

Paths below /_standin/ are no part of any provider. Every stand-in has

    GET  /_standin/report   what it sent, how that was answered, and what it made of it
    POST /_standin/fire     {"event": "…"} or {"all": true}: sends events of its catalogue
    POST /_standin/fail     {"status": 429, "times": 2, "retry_after": 1, "match": "POST /configs"}: answers the next
                            calls of its API so, those that the text matches; status 0 hangs up instead

Only the standard library is used. Where a stand-in does something that its provider does not document, the source says
"Assumed".
"""

import argparse
import contextlib
import dataclasses
import datetime
import heapq
import http.client
import http.server
import itertools
import json
import re
import secrets
import signal
import ssl
import sys
import threading
import time
import urllib.parse

RECEIVER_TIMEOUT_S = 10  # Assumed: no provider says how long it waits for an answer.
ANSWER_SHOWN = 300  # bytes of a receiver's answer that are kept


@dataclasses.dataclass
class Request:
    method: str
    path: str
    query: dict  # the last value of each
    headers: object  # case-insensitive
    body: bytes

    def json(self):
        """The body as an object; ValueError if it is none."""
        value = json.loads(self.body)
        if not isinstance(value, dict):
            raise ValueError("not an object")
        return value


@dataclasses.dataclass
class Answer:
    status: int  # 0: none, the connection is closed
    body: object = None
    headers: dict = dataclasses.field(default_factory=dict)


class Refused(Exception):
    """Raised anywhere in the handling of a request: this is the answer."""

    def __init__(self, answer):
        super().__init__(answer.body)
        self.answer = answer


@dataclasses.dataclass
class Attempt:
    at: float  # Unix time
    status: int = 0  # 0: no answer
    text: str = ""  # of the answer, or why there is none
    body: bytes = b""  # what was sent

    @property
    def ok(self):
        # Assumed: that any 2xx is good, and that a redirection is not followed, is documented nowhere.
        return 200 <= self.status < 300


class Delivery:
    """
    One event on its way to one receiver. A provider's own kind says what is sent and what follows from the answers.

    delays_s: how long to wait before the second attempt, the third, …; after that many it has failed.
    """

    def __init__(self, name, url, delays_s=()):
        self.name, self.url, self.delays_s = name, url, tuple(delays_s)
        self.attempts = []
        self.state = "pending"  # then delivered or failed
        self.over = threading.Event()

    def message(self):
        """(url, headers, body) of the next attempt."""
        raise NotImplementedError

    def shown(self):
        """The body as a receiver that masks secrets shows it; None: never sent."""
        return self.attempts[-1].body if self.attempts else None

    def attempted(self, attempt):
        """Called after each attempt, on the postman's thread; the state is already the new one."""

    def give_up(self):
        """No further attempt is made."""
        self.state = "failed"
        self.over.set()

    def report(self):
        return {
            "name": self.name,
            "url": self.url,
            "state": self.state,
            "attempts": [{"at": one.at, "status": one.status, "text": one.text} for one in self.attempts],
        }


class Postman(threading.Thread):
    """Makes the attempts when they are due, one at a time, those due at once in the order in which they were put."""

    def __init__(self, say):
        super().__init__(name="postman", daemon=True)
        self.say = say
        self.changed = threading.Condition()
        self.due, self.order = [], itertools.count()
        self.stopping = False
        self.start()

    def put(self, delivery, delay_s=0.0):
        with self.changed:
            heapq.heappush(self.due, (time.monotonic() + delay_s, next(self.order), delivery))
            self.changed.notify()

    def stop(self):
        with self.changed:
            self.stopping = True
            self.changed.notify()
        self.join(2 * RECEIVER_TIMEOUT_S)

    def run(self):
        while delivery := self._next():
            if delivery.state == "pending":
                self._attempt(delivery)

    def _next(self):
        with self.changed:
            while not self.stopping:
                wait_s = self.due[0][0] - time.monotonic() if self.due else None
                if self.due and wait_s <= 0:
                    return heapq.heappop(self.due)[2]
                self.changed.wait(wait_s)
        return None

    def _attempt(self, delivery):
        attempt = post(*delivery.message())
        delivery.attempts.append(attempt)
        tried = len(delivery.attempts)
        self.say(f"{delivery.name} -> {delivery.url}: {attempt.status or attempt.text} (attempt {tried})")
        if attempt.ok:
            delivery.state = "delivered"
        elif tried > len(delivery.delays_s):
            delivery.state = "failed"
        else:
            self.put(delivery, delivery.delays_s[tried - 1])
        delivery.attempted(attempt)
        if delivery.state != "pending":
            delivery.over.set()


def post(url, headers, body):
    """One attempt, whatever becomes of it."""
    attempt = Attempt(at=time.time(), body=body)
    try:
        parts = urllib.parse.urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        with contextlib.closing(kind(parts.hostname, parts.port, timeout=RECEIVER_TIMEOUT_S)) as connection:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            attempt.text = response.read(ANSWER_SHOWN).decode(errors="replace")
            attempt.status = response.status
    except (OSError, ValueError, http.client.HTTPException) as error:
        attempt.text = str(error) or type(error).__name__
    return attempt


class StandIn:
    """
    A provider on a port of its own from the constructor to close(). Subclasses list their calls in ROUTES: method, a
    pattern of the path, the name of a function that takes the request and the pattern's groups.

    time_scale: all waiting between attempts is multiplied by it. tls: (certificate, key) files.
    """

    NAME = "stand-in"
    ROUTES = ()

    def __init__(self, *, host="127.0.0.1", port=0, tls=None, time_scale=1.0, say=None):
        self.lock = threading.RLock()  # guards all lists here and in the subclasses
        self.changed = threading.Condition(self.lock)  # a delivery was attempted
        self.time_scale = time_scale
        self.deliveries = []
        self.calls = []  # of the API: (method, path, status)
        self.failures = []  # what /_standin/fail asked for
        self.say = say or (lambda text: None)
        self.postman = Postman(self.say)
        self.server = Server((host, port), self, tls)
        self.host, self.port = self.server.server_address[:2]
        self.url = f"http{'s' if tls else ''}://{self.host}:{self.port}"
        self.serving = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.serving.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.serving.join()
        self.postman.stop()

    # What subclasses bring

    def authorize(self, request):
        """Raises Refused if the request may not use the API."""

    def error(self, status, code, message, **more):
        """A Refused in the provider's own form."""
        return Refused(Answer(status, {"error": code, "message": message, **more}))

    def catalogue(self):
        """The names of the events that fire() knows."""
        raise NotImplementedError

    def fire(self, event, **options):
        """Sends one event of the catalogue; returns its deliveries. LookupError: nobody is there for it."""
        raise NotImplementedError

    # Deliveries

    def send(self, delivery, delay_s=0.0):
        with self.lock:
            self.deliveries.append(delivery)
        self.postman.put(delivery, delay_s)
        return delivery

    def delays(self, *minutes):
        return [60 * one * self.time_scale for one in minutes]

    def report(self):
        with self.lock:
            return {
                "deliveries": [one.report() for one in self.deliveries],
                "calls": [list(one) for one in self.calls],
            }

    # Requests

    def answer(self, request):
        control = request.path.startswith("/_standin/")
        try:
            answer = self._control(request) if control else self._call(request)
        except Refused as refused:
            answer = refused.answer
        if not control:
            with self.lock:
                self.calls.append((request.method, request.path, answer.status))
            self.say(f"{request.method} {request.path}: {answer.status or 'hung up'}")
        return answer

    def fail(self, status, *, times=1, retry_after=None, match=""):
        """The next calls of the API that match are answered so."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        with self.lock:
            self.failures += [(match, status, headers)] * times

    def _call(self, request):
        self._fail_if_told(request)
        self.authorize(request)
        return self._route(request, self.ROUTES)

    def _fail_if_told(self, request):
        line = f"{request.method} {request.path}"
        with self.lock:
            failure = next((one for one in self.failures if one[0] in line), None)
            if failure:
                self.failures.remove(failure)
        if failure:
            _, status, headers = failure
            reason = http.client.responses.get(status, "hung up")
            refused = self.error(status, reason.lower().replace(" ", "_"), reason)
            refused.answer.headers.update(headers)
            raise refused

    def _route(self, request, routes):
        allowed = []
        for method, pattern, function in routes:
            found = re.fullmatch(pattern, request.path)
            if found and method == request.method:
                return getattr(self, function)(request, *found.groups())
            allowed += [method] if found else []
        if allowed:
            raise self.error(405, "method_not_allowed", f"{request.method} is not allowed here")
        raise self.error(404, "not_found", "There is nothing here")

    CONTROLS = (
        ("GET", "/_standin/report", "control_report"),
        ("POST", "/_standin/fire", "control_fire"),
        ("POST", "/_standin/fail", "control_fail"),
    )

    def _control(self, request):
        try:
            return self._route(request, self.CONTROLS)
        except (LookupError, TypeError, ValueError) as error:
            return Answer(400, {"error": "standin", "message": str(error)})

    def control_report(self, _request):
        return Answer(200, self.report())

    def control_fire(self, request):
        wanted = request.json()
        events = self.catalogue() if wanted.pop("all", False) else [wanted.pop("event")]
        sent = [one for event in events for one in self.fire(event, **wanted)]
        return Answer(200, {"sent": [one.name for one in sent]})

    def control_fail(self, request):
        self.fail(**request.json())
        return Answer(200, {})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, standin, tls):
        self.standin = standin
        super().__init__(address, Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            # Not in accept(), where one client could keep all others waiting.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a client that went away, or does not trust us
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment an answer
    disable_nagle_algorithm = True
    timeout = 60

    def handle_request(self):
        parts = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(urllib.parse.parse_qsl(parts.query))
        answer = self.server.standin.answer(Request(self.command, parts.path, query, self.headers, body))
        if not answer.status:
            self.close_connection = True
            return
        data = b"" if answer.body is None else json.dumps(answer.body, ensure_ascii=False).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = handle_request

    def log_message(self, *_):
        pass


# Values as the providers' examples show them

numbers = itertools.count(1)  # makes each body its own


def hex_id(digits):
    return secrets.token_hex(digits)[:digits]


def utc(form, at=None):
    """The time in a form for strftime."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return (at or now).strftime(form)


def encoded(value):
    """The bytes of a body."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


# As programs


def arguments(description, port):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=__doc__
    )
    parser.add_argument("--host", default="127.0.0.1", help="default %(default)s")
    parser.add_argument("--port", type=int, default=port, help="default %(default)s; 0 for any that is free")
    parser.add_argument("--cert", help="serve https with this certificate (PEM)")
    parser.add_argument("--key", help="and this key")
    parser.add_argument("--time-scale", type=float, default=0.01, metavar="F",
                        help="waits between attempts are multiplied by it; default %(default)s")
    return parser


def run(kind, options, **more):
    """Runs a stand-in until SIGINT or SIGTERM."""
    tls = (options.cert, options.key) if options.cert else None
    try:
        standin = kind(host=options.host, port=options.port, tls=tls, time_scale=options.time_scale,
                       say=lambda text: print(f"  {text}", flush=True), **more)
    except OSError as error:
        sys.exit(f"{options.host}:{options.port}: {error}")
    end = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: end.set())
    print(f"{standin.NAME} stand-in at {standin.url}; Ctrl-C ends it", flush=True)
    end.wait()
    standin.close()
