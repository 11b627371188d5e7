"""Reaching a broker: its names and addresses, whom to trust, WebSockets through proxies, and what is said when it fails."""

import contextlib
import shutil
import socket
import ssl
import threading
import time

import pytest

from lib import events
from lib.certs import Authority, openssl
from lib.ipv6 import needs_ipv6
from lib.own_files import own_files, own_names
from lib.wait import free_port

BOTH = [("::1", "both.example"), ("127.0.0.1", "both.example")]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def listen():
    """listen(serve, host, port): a TCP server that calls serve(socket) for each client. Gives its port."""
    listeners = []

    def start(serve, host="127.0.0.1", port=0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
        listeners.append(listener)

        def run():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, contextlib.suppress(OSError):
                        serve(client)

        threading.Thread(target=run, daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def says(text, wait_for_request=True):
    """serve: answers the first bytes with text."""

    def serve(client):
        if wait_for_request:
            client.recv(4096)
        client.sendall(text)
        while client.recv(4096):
            pass

    return serve


def why(bridge):
    """What the first line about a failure says."""
    lines = bridge.wait_log(
        lambda: [line for line in bridge.log() if "error" in line and line.get("server")], "why it cannot connect"
    )
    return lines[0]["error"]


def assert_delivers(bridge, server):
    body = events.body()
    bridge.accept(body)
    server.wait_events(1)
    assert server.payloads == [body]


# Names and addresses


@pytest.mark.parametrize("host", [pytest.param("::1", marks=needs_ipv6), "127.0.0.1"])
def test_every_address_of_a_name_is_tried(start, tmp_path, host):
    server = start.mqtt_server(host=host)
    url = f"mqtt://both.example:{server.port}"
    bridge = start.bridge(None, {"mqtt": {"servers": [url]}}, wrapper=own_names(tmp_path, BOTH))
    bridge.wait_connected()
    assert_delivers(bridge, server)
    shown = f"[{host}]:{server.port}" if ":" in host else f"{host}:{server.port}"
    assert bridge.lines("broker connected")[0]["address"] == shown


@needs_ipv6
@pytest.mark.parametrize("other", [says(b"SSH-2.0-x\r\n", False), lambda client: None, says(b"no\r\n")],
                         ids=["ssh", "closes", "nonsense"])
def test_an_address_with_something_else_behind_it_is_passed_over(start, tmp_path, listen, other):
    server = start.mqtt_server()
    listen(other, "::1", server.port)
    url = f"mqtt://both.example:{server.port}"
    bridge = start.bridge(None, {"mqtt": {"servers": [url]}}, wrapper=own_names(tmp_path, BOTH))
    bridge.wait_connected()
    assert_delivers(bridge, server)
    assert not bridge.lines("cannot reach broker")


@needs_ipv6
def test_an_address_that_does_not_answer_costs_no_time(start, tmp_path):
    server = start.mqtt_server()
    silent = socket.create_server(("::1", server.port), family=socket.AF_INET6, backlog=0)
    fillers = [socket.socket(socket.AF_INET6) for _ in range(4)]
    for filler in fillers:  # what is beyond the backlog gets no answer
        filler.setblocking(False)
        filler.connect_ex(("::1", server.port))
    url = f"mqtt://both.example:{server.port}"
    began = time.monotonic()
    bridge = start.bridge(None, {"mqtt": {"servers": [url]}}, wrapper=own_names(tmp_path, BOTH))
    bridge.wait_connected()
    assert time.monotonic() - began < 8, "a connection's time-out is 10 s"
    for sock in (silent, *fillers):
        sock.close()


@needs_ipv6
def test_the_log_names_every_address_that_was_tried(start, tmp_path):
    port = free_port()
    config = {"mqtt": {"servers": [f"mqtt://both.example:{port}"]}}
    bridge = start.bridge(None, config, wrapper=own_names(tmp_path, BOTH))
    assert why(bridge) == f"connection refused by [::1]:{port}; connection refused by 127.0.0.1:{port}"


def test_a_resolver_that_hangs_does_not_delay_the_end(start, tmp_path):
    resolver = "127.0.0.99"
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        try:
            silent.bind((resolver, 53))
        except OSError:
            pytest.skip("port 53 cannot be had here")
        (tmp_path / "resolv").write_text(f"nameserver {resolver}\noptions timeout:30 attempts:5\n")
        (tmp_path / "switch").write_text("hosts: files dns\n")
        wrapper = own_files(resolv_conf=tmp_path / "resolv", nsswitch_conf=tmp_path / "switch")
        bridge = start.bridge(None, {"mqtt": {"servers": ["mqtt://slow.example:1883"]}}, wrapper=wrapper)
        silent.settimeout(20)
        assert b"slow" in silent.recv(512), "the bridge asks"
        began = time.monotonic()
        assert bridge.stop() == 0
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("speaks", ["nothing", "TLS"])
def test_a_server_that_does_not_answer_does_not_delay_the_end(start, listen, speaks):
    came = threading.Event()

    def hold(client):
        came.set()
        while client.recv(4096):
            pass

    scheme = "mqtts" if speaks == "TLS" else "mqtt"
    bridge = start.bridge(None, {"mqtt": {"servers": [f"{scheme}://127.0.0.1:{listen(hold)}"]}})
    assert came.wait(20)
    began = time.monotonic()
    assert bridge.stop() == 0
    assert time.monotonic() - began < 5


# Whom to trust


def tls_server(start, authority, name="reach", alt_names="DNS:both.example,DNS:localhost,IP:::1,IP:127.0.0.1",
               **options):
    cert, key = authority.issue(name, alt_names, options.pop("days", 2))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    seen = []
    context.sni_callback = lambda _socket, server_name, _context: seen.append(server_name)
    server = start.mqtt_server(tls=context, **options)
    server.names_asked_for = seen
    return server


def trusting(authority, *urls):
    return {"mqtt": {"servers": list(urls), "tls": {"ca_file": str(authority.cert)}}}


@pytest.mark.parametrize("host, literal", [
    pytest.param("[::1]", "::1", marks=needs_ipv6), ("127.0.0.1", "127.0.0.1"),
])
def test_a_certificate_can_be_for_an_ip_address(start, authority, host, literal):
    server = tls_server(start, authority, host=literal)
    bridge = start.bridge(None, trusting(authority, f"mqtts://{host}:{server.port}")).wait_connected()
    assert_delivers(bridge, server)
    assert server.names_asked_for == [None], "an address is no name (RFC 6066, section 3)"


@needs_ipv6
def test_a_name_is_asked_for_and_checked_whatever_address_it_has(start, tmp_path, authority):
    server = tls_server(start, authority, host="::1", alt_names="DNS:both.example")
    config = trusting(authority, f"mqtts://both.example:{server.port}")
    bridge = start.bridge(None, config, wrapper=own_names(tmp_path, BOTH)).wait_connected()
    assert_delivers(bridge, server)
    assert set(server.names_asked_for) == {"both.example"}


@needs_ipv6
def test_an_address_in_a_certificate_does_not_stand_for_another_one(start, authority):
    server = tls_server(start, authority, host="::1", alt_names="IP:::2,DNS:localhost")
    bridge = start.bridge(None, trusting(authority, f"mqtts://[::1]:{server.port}"))
    assert why(bridge) == f"[::1]:{server.port}: TLS: its certificate is not for ::1"


def empty_tls_folder(tmp_path):
    """What stands in the place of /etc/ssl in an image that holds nothing."""
    folder = tmp_path / "ssl"
    (folder / "certs").mkdir(parents=True)
    return folder


def test_the_systems_bundle_is_enough(start, tmp_path, authority):
    """As in an image that was built from nothing but the file of Debian's ca-certificates."""
    folder = empty_tls_folder(tmp_path)
    shutil.copy(authority.cert, folder / "certs/ca-certificates.crt")
    server = tls_server(start, authority)
    config = {"mqtt": {"servers": [f"mqtts://localhost:{server.port}"]}}
    bridge = start.bridge(None, config, wrapper=own_files(ssl=folder)).wait_connected()
    assert_delivers(bridge, server)


def test_the_systems_folder_is_enough(start, tmp_path, authority):
    folder = empty_tls_folder(tmp_path)
    shutil.copy(authority.cert, folder / "certs/ours.crt")
    openssl("rehash", folder / "certs")
    server = tls_server(start, authority)
    config = {"mqtt": {"servers": [f"mqtts://localhost:{server.port}"]}}
    start.bridge(None, config, wrapper=own_files(ssl=folder)).wait_connected()


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_openssls_variables_count(start, tmp_path, authority, variable):
    shutil.copy(authority.cert, tmp_path / "ours.crt")
    openssl("rehash", tmp_path)
    server = tls_server(start, authority)
    config = {"mqtt": {"servers": [f"mqtts://localhost:{server.port}"]}}
    value = str(tmp_path / "ours.crt" if variable == "SSL_CERT_FILE" else tmp_path)
    start.bridge(None, config, env={variable: value}).wait_connected()


def test_a_variable_that_leads_nowhere_is_said(start, authority):
    server = tls_server(start, authority)
    config = {"mqtt": {"servers": [f"mqtts://localhost:{server.port}"]}}
    bridge = start.bridge(None, config, env={"SSL_CERT_FILE": "/nowhere/ca.pem"})
    assert why(bridge) == "TLS: read /nowhere/ca.pem: No such file or directory"


def test_a_system_without_authorities_is_said(start, tmp_path, authority):
    folder = tmp_path / "ssl"
    folder.mkdir()
    server = tls_server(start, authority)
    config = {"mqtt": {"servers": [f"mqtts://localhost:{server.port}"]}}
    bridge = start.bridge(None, config, wrapper=own_files(ssl=folder))
    assert why(bridge) == "TLS: no authorities found on this system (mqtt.tls.ca_file)"


def test_nobody_is_ever_asked_for_a_pass_phrase(start, tmp_path, authority):
    """The key is in order when the bridge starts, and encrypted when it is read again, at the next connect."""
    server = tls_server(start, authority)
    cert, key = authority.issue("client")
    mine = tmp_path / "key"
    shutil.copy(key, mine)
    config = trusting(authority, f"mqtts://localhost:{server.port}")
    config["mqtt"]["tls"] |= {"cert_file": str(cert), "key_file": str(mine)}
    bridge = start.bridge(None, config).wait_connected()
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:itest-pass", "-out", mine)
    server.sessions[0].close()
    assert f"127.0.0.1:{server.port}: TLS: " in why(bridge)
    assert bridge.stop() == 0
    assert "encrypted" in bridge.cli("check", expect=1).stdout.decode()


# WebSockets through proxies


def cookie_in_pieces(cookie_bytes):
    def edit(data):
        head, rest = data.split(b"\r\n\r\n", 1)
        whole = head + b"\r\nSet-Cookie: x=" + b"c" * cookie_bytes + b"\r\n\r\n" + rest
        return [whole[at : at + 700] for at in range(0, len(whole), 700)]

    return edit


@pytest.mark.parametrize("cookie_bytes", [0, 500, 1000, 8000])
@pytest.mark.parametrize("encrypted", [False, True], ids=["ws", "wss"])
def test_a_proxy_may_add_as_much_as_it_likes_to_the_upgrade(start, tmp_path, authority, encrypted, cookie_bytes):
    broker = start.broker(websockets=True)
    subscriber = start.subscriber(broker)
    proxy = start.proxy(("127.0.0.1", broker.websocket_port), edit=cookie_in_pieces(cookie_bytes))
    port, scheme = proxy.port, "ws"
    if encrypted:
        cert, key = authority.issue("wss")
        port, scheme = free_port(), "wss"
        start.stack.enter_context(tls_in_front(port, proxy.port, cert, key))
    bridge = start.bridge(None, trusting(authority, f"{scheme}://localhost:{port}/mqtt")).wait_connected()
    body = events.body()
    bridge.accept(body)
    assert subscriber.wait_for(events.topic())[0].payload == body


@contextlib.contextmanager
def tls_in_front(port, target, cert, key):
    """A TLS port that leads to a plain one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    listener = socket.create_server(("127.0.0.1", port))

    def pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    def run():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with contextlib.suppress(OSError):
                    inner = context.wrap_socket(client, server_side=True)
                    outer = socket.create_connection(("127.0.0.1", target))
                    threading.Thread(target=pump, args=(inner, outer), daemon=True).start()
                    threading.Thread(target=pump, args=(outer, inner), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    yield
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize("answer, words", [
    (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "not a WebSocket for MQTT: it answers HTTP 404"),
    (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "its answer to the WebSocket upgrade has no key"),
    (b"HTTP/1.1 101 Switching Protocols\r\nSet-Cookie: " + b"x" * 20000,
     "its answer to the WebSocket upgrade is too long"),
    (b"220 mail.example ESMTP\r\n", "it answers the WebSocket upgrade with something else"),
])
def test_what_is_no_websocket_is_said(start, listen, answer, words):
    port = listen(says(answer))
    bridge = start.bridge(None, {"mqtt": {"servers": [f"ws://127.0.0.1:{port}"]}})
    assert why(bridge) == f"127.0.0.1:{port}: {words}"


def test_a_websocket_that_is_closed_is_said(start, listen):
    port = listen(lambda client: client.recv(4096))
    bridge = start.bridge(None, {"mqtt": {"servers": [f"ws://127.0.0.1:{port}"]}})
    assert why(bridge) == f"127.0.0.1:{port}: it closed the connection without an answer to the WebSocket upgrade"


# The one cause


def test_an_unknown_name_is_said(start, tmp_path):
    config = {"mqtt": {"servers": ["mqtt://no-such-host.example:1883"]}}
    bridge = start.bridge(None, config, wrapper=own_names(tmp_path, BOTH))
    assert why(bridge) == "name unknown: no-such-host.example"


def test_a_refused_connection_is_said(start):
    port = free_port()
    bridge = start.bridge(None, {"mqtt": {"servers": [f"mqtts://127.0.0.1:{port}"]}})
    assert why(bridge) == f"connection refused by 127.0.0.1:{port}"


@pytest.mark.parametrize("answer, words", [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it answers in HTTP, not in MQTT"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "it answers with something that is not MQTT"),
    (b"\x15\x03\x03\x00\x02\x02\x46", "it answers in TLS: use mqtts:// or wss://"),
])
def test_what_is_not_mqtt_is_said(start, listen, answer, words):
    port = listen(says(answer))
    bridge = start.bridge(None, {"mqtt": {"servers": [f"mqtt://127.0.0.1:{port}"]}})
    assert why(bridge) == f"127.0.0.1:{port}: {words}"


def failing_tls(start, authority, folder):
    """Of each kind: a server's port, and the words."""
    stranger = Authority(folder, "stranger")
    cert, key = authority.issue("asks")
    broker = start.broker(tls=(authority.cert, cert, key), client_certificates=True)
    plain = start.mqtt_server()
    expired = tls_server(start, authority, "expired", days=-1)
    yield expired.port, "TLS: its certificate does not hold: certificate has expired"
    yield tls_server(start, authority, "other", "DNS:other.example").port, "TLS: its certificate is not for localhost"
    yield (tls_server(start, stranger, "unknown").port,
           "TLS: its certificate is from an unknown authority (mqtt.tls.ca_file): unable to get local issuer certificate")
    yield broker.port, "TLS: tlsv13 alert certificate required"
    yield plain.port, "it closed the connection without an answer to the TLS handshake"


def test_the_check_of_tls_that_failed_is_said(start, authority, tmp_path):
    for port, words in failing_tls(start, authority, tmp_path):
        bridge = start.bridge(None, trusting(authority, f"mqtts://localhost:{port}"))
        # Where localhost is ::1, too, that is another reason.
        assert f"127.0.0.1:{port}: {words}" in why(bridge).split("; ")
        bridge.stop()
