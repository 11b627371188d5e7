"""
The requests of lib/raw_requests.py through real proxies: bridge and proxy agree about where each one ends. A proxy gives every
request that it passes on an id of its own, so an event without one, or with one that came before, is a request that the proxy
did not mean to send; and an answer that a client gets is to its own request.
"""

import concurrent.futures
import contextlib
import re
import shutil
import subprocess

import pytest

from lib import http_client, nginx
from lib.raw_requests import CASES, MAX_BODY, marker, source
from lib.wait import free_port, port_answers, wait_until

NGINX = nginx.FRAME.replace("{block}", """
    upstream bridge {{ server {bridge}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        client_header_timeout 2s; client_body_timeout 2s; lingering_timeout 1s; client_max_body_size 1m;
        {lenient}
        location / {{
            proxy_pass http://bridge;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Id proxy-$request_id;
            proxy_next_upstream off;
        }}
    }}
""")
NGINX_LENIENT = """
    ignore_invalid_headers off; underscores_in_headers on; merge_slashes off; proxy_request_buffering off;
    large_client_header_buffers 8 32k;
"""

HAPROXY = """
global
    tune.bufsize 65536
defaults
    mode http
    timeout connect 5s
    timeout client 2s
    timeout server 5s
    timeout http-request 2s
    http-reuse always
    retries 0
    {lenient}
frontend public
    bind 127.0.0.1:{port}
    http-request set-header X-Id proxy-%[uuid()]
    default_backend bridge
backend bridge
    server bridge {bridge}
    {lenient_back}
"""

PROXIES = {
    "nginx": (["nginx", "-p", "{folder}", "-c"], NGINX, "", ""),
    "nginx, lenient": (["nginx", "-p", "{folder}", "-c"], NGINX, NGINX_LENIENT, ""),
    "haproxy": (["haproxy", "-db", "-f"], HAPROXY, "", ""),
    "haproxy, lenient":
        (["haproxy", "-db", "-f"], HAPROXY, "option accept-invalid-http-request", "option accept-invalid-http-response"),
}


@contextlib.contextmanager
def running(name, bridge, folder):
    """A proxy in front of the bridge; gives its address."""
    command, text, lenient, lenient_back = PROXIES[name]
    port, (host, bridge_port) = free_port(), bridge.ingress
    config = folder / "config"
    config.write_text(text.format(folder=folder, bridge=f"{host}:{bridge_port}", port=port, lenient=lenient, lenient_back=lenient_back))
    process = subprocess.Popen([*(part.format(folder=folder) for part in command), config], cwd=folder)
    try:
        wait_until(lambda: process.poll() is not None or port_answers("127.0.0.1", port), f"{name} listens")
        yield "127.0.0.1", port
        assert process.poll() is None, f"{name} has ended"
    finally:
        process.terminate()
        process.wait(10)


def all_that_comes(address, data):
    """Until the peer closes, or says nothing for a while."""
    got = b""
    with http_client.Connection(address, timeout_s=1) as connection, contextlib.suppress(OSError):
        connection.send(data)
        while piece := connection.socket.recv(65536):
            got += piece
    return got


def ask(address, number):
    """A case and its marker, on one connection."""
    got = all_that_comes(address, CASES[number].data + marker(number, "Connection: close"))
    return set(re.findall(rb'"status":"accepted","id":"([^"]*)"', got))


def check(messages, ids_by_case):
    """Returns how many markers came."""
    by_id = {message.property("id"): message for message in messages}
    given = [message.property("delivery_id") for message in messages]
    assert all(one and one.startswith("proxy-") for one in given), "a request that no proxy has sent"
    assert len(set(given)) == len(given) == len(by_id), "one request became two"
    for number, ids in ids_by_case.items():
        for one in ids:
            topic = by_id[one.decode()].topic
            assert topic in ("raw/own", "raw/hidden", f"raw/m{number}"), f"{CASES[number]} got the answer to {topic}"
            assert topic != "raw/hidden" or b"hidden" in CASES[number].data
    markers = [message.topic for message in messages if message.topic.startswith("raw/m")]
    assert len(markers) == len(set(markers)), "a marker came twice"
    return len(markers)


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_and_the_bridge_agree_where_requests_end(start, tmp_path, name):
    program = PROXIES[name][0][0]
    if not shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"):
        pytest.skip(f"{program} is not installed")
    broker = start.broker()
    subscriber = start.subscriber(broker, "raw/#")
    config = {"ingress": {"max_body": f"{MAX_BODY}B"}, "sources": [source()]}
    bridge = start.bridge(broker, config).wait_connected()
    with running(name, bridge, tmp_path) as address, concurrent.futures.ThreadPoolExecutor(16) as pool:
        ids_by_case = dict(enumerate(pool.map(lambda number: ask(address, number), range(len(CASES)))))
    bridge.wait_settled()
    accepted = int(bridge.metrics().value("accepted_total"))
    markers = check(subscriber.wait_under("raw/", accepted), ids_by_case)
    assert markers > len(CASES) / 5 and accepted > markers, f"{name} let {markers} markers through"
    print(f"{name}: {len(CASES)} cases, {accepted} events, {markers} of them markers")
