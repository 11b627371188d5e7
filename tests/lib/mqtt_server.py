"""
A tiny MQTT 5 and 3.1.1 server, for what a real broker cannot be made to do on demand.

It keeps whatever clients publish and lets the test decide about each message: on_publish(session, publish) is called
for every event and answers by calling session.ack, session.close and so on, at once or later. What the bridge
publishes about itself (topics under own_prefix) is acknowledged without asking. It forwards nothing to anybody.
"""

import contextlib
import dataclasses
import socket
import threading
import time

from lib.wait import wait_until

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14

# Properties (MQTT 5.0 section 2.2.2.2): identifier to name and type.
PROPERTIES = {
    0x01: ("payload_format", "byte"), 0x02: ("expiry_s", "u32"), 0x03: ("content_type", "text"),
    0x08: ("response_topic", "text"), 0x09: ("correlation_data", "binary"),
    0x11: ("session_expiry_s", "u32"), 0x13: ("server_keep_alive_s", "u16"),
    0x15: ("authentication_method", "text"), 0x16: ("authentication_data", "binary"),
    0x17: ("request_problem_information", "byte"), 0x18: ("will_delay_s", "u32"),
    0x19: ("request_response_information", "byte"), 0x1F: ("reason_string", "text"),
    0x21: ("receive_maximum", "u16"), 0x22: ("topic_alias_maximum", "u16"),
    0x23: ("topic_alias", "u16"), 0x24: ("maximum_qos", "byte"), 0x25: ("retain_available", "byte"),
    0x26: ("user", "pair"), 0x27: ("maximum_packet_bytes", "u32"),
}
IDENTIFIERS = {name: (identifier, kind) for identifier, (name, kind) in PROPERTIES.items()}


@dataclasses.dataclass
class Connect:
    version: int
    clean_start: bool
    keep_alive_s: int
    client_id: str
    will_topic: str = None
    will_payload: bytes = None
    will_qos: int = 0
    will_retain: bool = False
    username: str = None
    password: bytes = None


@dataclasses.dataclass
class Publish:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    packet_id: int
    properties: dict
    packet_bytes: int
    at: float

    def property(self, name):
        values = [value for key, value in self.properties.get("user", []) if key == name]
        assert len(values) <= 1, f"{name} comes {len(values)} times"
        return values[0] if values else None


def never(_session, _publish):
    """on_publish: no answer."""


def refuse(word, reason):
    """on_publish: events with this word in their topic get the reason code, others are taken."""

    def on_publish(session, publish):
        session.ack(publish, reason if word in publish.topic else 0)

    return on_publish


class MqttServer:
    """
    connack: properties of every CONNACK, by the names above; reason: its reason code, or a function of the session
    that gives one (None: hangs up instead). tls: an ssl.SSLContext.
    """

    def __init__(self, on_publish=None, *, own_prefix="hook2mqtt/", reason=0, host="127.0.0.1", port=0, tls=None,
                 **connack):
        self.on_publish = on_publish or Session.ack
        self.own_prefix = own_prefix
        self.reason, self.connack = reason, connack
        self.sessions = []
        self.violations = []  # of the protocol, by the client
        self.tls = tls
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, port), family=family)
        self.host, self.port = self.listener.getsockname()[:2]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"mqtt://{self.host}:{self.port}"

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for session in list(self.sessions):
            session.close()
        self.thread.join()
        assert not self.violations, self.violations

    @property
    def events(self):
        """All published events, without the status topics, over all sessions in order."""
        return [publish for session in list(self.sessions) for publish in session.events]

    @property
    def payloads(self):
        return [publish.payload for publish in self.events]

    def wait_events(self, count):
        return wait_until(
            lambda: len(found := self.events) >= count and found,
            lambda: f"{count} events; {[publish.topic for publish in self.events]}",
        )

    def wait_session(self, count=1):
        """The count-th session, once its CONNECT has come."""
        wait_until(
            lambda: len([s for s in list(self.sessions) if s.connect]) >= count,
            lambda: f"{count} connections; {len(self.sessions)} so far",
        )
        return self.sessions[count - 1]

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.tls:
                try:
                    client = self.tls.wrap_socket(client, server_side=True)
                except OSError:
                    continue
            self.sessions.append(Session(self, client))


class Session:
    """One network connection. Everything may be called from any thread."""

    def __init__(self, server, sock):
        self.server, self.socket = server, sock
        self.connect = None
        self.publishes, self.events = [], []
        self.pings = 0
        self.disconnect_reason = None  # of the client's DISCONNECT
        self.most_unacked = 0
        self.unacked = {}  # packet id: Publish, QoS 1 and 2
        self.open = True
        self.last_packet_at = time.monotonic()
        self.write_lock = threading.Lock()
        self.thread = threading.Thread(target=self._run, daemon=True)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.thread.start()

    def ack(self, publish, reason=0):
        """PUBACK or PUBREC; nothing for QoS 0."""
        if publish.qos == 0:
            return
        if publish.qos == 1 or reason >= 0x80:
            self.unacked.pop(publish.packet_id, None)
        self._send(PUBACK if publish.qos == 1 else PUBREC, self._ack_body(publish, reason))

    def send_disconnect(self, reason):
        """
        MQTT 5: the server ends the session and says why. What the client still sends is read until it
        hangs up: a closed socket would answer with a reset, which may overtake the reason.
        """
        self._send(DISCONNECT, bytes([reason, 0]))
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.open = False
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _run(self):
        with contextlib.suppress(OSError, EOFError):
            try:
                while self.open:
                    self._handle(*read_packet(self.socket))
            except (AssertionError, KeyError, UnicodeDecodeError) as error:
                self.server.violations.append(repr(error))
        self.close()

    def _handle(self, kind, flags, body):
        self.last_packet_at = time.monotonic()
        if kind == CONNECT:
            self._accept_connect(Reader(body))
        elif kind == PUBLISH:
            self._take_publish(flags, body)
        elif kind == PUBREL:
            self.unacked.pop(int.from_bytes(body[:2], "big"), None)
            self._send(PUBCOMP, body[:2])
        elif kind == PINGREQ:
            self.pings += 1
            self._send(PINGRESP, b"")
        elif kind == DISCONNECT:
            self.disconnect_reason = body[0] if body else 0
            self.close()

    def _accept_connect(self, read):
        assert read.text() in ("MQTT", "MQIsdp")
        version, flags, keep_alive_s = read.u8(), read.u8(), read.u16()
        if version == 5:
            read.properties()
        connect = Connect(version, bool(flags & 2), keep_alive_s, read.text())
        if flags & 4:
            if version == 5:
                read.properties()
            connect.will_topic, connect.will_payload = read.text(), read.binary()
            connect.will_qos, connect.will_retain = (flags >> 3) & 3, bool(flags & 0x20)
        if flags & 0x80:
            connect.username = read.text()
        if flags & 0x40:
            connect.password = read.binary()
        self.connect = connect
        reason = self.server.reason(self) if callable(self.server.reason) else self.server.reason
        if reason is None:
            self.close()
            return
        answer = bytes([0, reason])
        if version == 5:
            answer += encode_properties(self.server.connack)
        self._send(CONNACK, answer)

    def _take_publish(self, flags, body):
        read = Reader(body)
        topic, qos = read.text(), (flags >> 1) & 3
        packet_id = read.u16() if qos else 0
        properties = read.properties() if self.connect.version == 5 else {}
        publish = Publish(topic, read.rest(), qos, bool(flags & 1), bool(flags & 8), packet_id,
                          properties, len(body) + 1 + len(variable(len(body))), time.monotonic())
        self.publishes.append(publish)
        if qos:
            assert packet_id not in self.unacked, f"packet id {packet_id} is in use"
            self.unacked[packet_id] = publish
            self.most_unacked = max(self.most_unacked, len(self.unacked))
        if topic.startswith(self.server.own_prefix):
            self.ack(publish)
        else:
            self.events.append(publish)
            self.server.on_publish(self, publish)

    def _ack_body(self, publish, reason):
        body = publish.packet_id.to_bytes(2, "big")
        return body + bytes([reason]) if reason and self.connect.version == 5 else body

    def _send(self, kind, body):
        flags = 2 if kind == PUBREL else 0
        packet = bytes([kind << 4 | flags]) + variable(len(body)) + body
        with self.write_lock, contextlib.suppress(OSError):
            self.socket.sendall(packet)


class Reader:
    """Takes one field after the other from the body of a packet."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise EOFError("packet too short")
        self.at += count
        return self.data[self.at - count : self.at]

    def u8(self):
        return self.take(1)[0]

    def u16(self):
        return int.from_bytes(self.take(2), "big")

    def u32(self):
        return int.from_bytes(self.take(4), "big")

    def byte(self):
        return self.u8()

    def binary(self):
        return self.take(self.u16())

    def text(self):
        return self.binary().decode("utf-8")

    def pair(self):
        return self.text(), self.text()

    def rest(self):
        return self.take(len(self.data) - self.at)

    def variable(self):
        value = shift = 0
        while True:
            digit = self.u8()
            value |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                return value

    def properties(self):
        size = self.variable()
        end, found = self.at + size, {}
        while self.at < end:
            name, kind = PROPERTIES[self.variable()]
            value = getattr(self, kind)()
            if name == "user":
                found.setdefault(name, []).append(value)
            else:
                assert name not in found, f"{name} comes twice"
                found[name] = value
        return found


def read_packet(sock):
    kind = read_exactly(sock, 1)[0]
    size = shift = 0
    while True:
        digit = read_exactly(sock, 1)[0]
        size |= (digit & 0x7F) << shift
        shift += 7
        if not digit & 0x80:
            return kind >> 4, kind & 15, read_exactly(sock, size)


def read_exactly(sock, count):
    data = bytearray()
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part:
            raise EOFError("closed")
        data += part
    return bytes(data)


def variable(value):
    out = bytearray()
    while True:
        value, digit = value >> 7, value & 0x7F
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)


def encode_properties(properties):
    out = b""
    for name, value in properties.items():
        identifier, kind = IDENTIFIERS[name]
        size = {"byte": 1, "u16": 2, "u32": 4}[kind]
        out += bytes([identifier]) + value.to_bytes(size, "big")
    return variable(len(out)) + out
