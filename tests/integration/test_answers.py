"""Every row of the answer table, on a running bridge, over real sockets."""

import concurrent.futures
import contextlib
import re

import pytest

from lib import events, http_client, sign
from lib.bridge import PATH, SECRET, signed, source
from lib.wait import wait_until

MAX_BODY = 64 * 1024
UUID_V7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
OTHER_SECRET = "itest-second-secret-77"
VECTORS = [
    ("my_secret", b"{}", "3c980c81acef21e0356767cca9ab9d6a62a4e09677bb07107e4524c381b17309"),
    (
        "your_secret_key",
        b'{"event":"resource.created","resource_type":"project","resource_gid":"559befeeab59f",'
        b'"resource":{"gid":"559befeeab59f"}}',
        "1c87db2bffdc66eeb4357067fff2404e3c36c5071a76fd7c428608e69e01a827",
    ),
]


@pytest.fixture(scope="module")
def bridge(start_for_module):
    config = {"ingress": {"max_body": f"{MAX_BODY}B", "request_timeout": "3s"}}
    return start_for_module.bridge(start_for_module.broker(), config).wait_connected()


@pytest.fixture
def nothing_stored(bridge):
    """Fails if the test made the bridge keep anything."""

    def kept():
        metrics = bridge.metrics()
        names = ("accepted_total", "duplicates_total", "quarantined_total", "dead_letters")
        return [metrics.value(name) for name in names]

    before = kept()
    yield
    assert kept() == before


def assert_refused(answer, status, code):
    assert answer.status == status, answer
    assert answer.header("Content-Type").startswith("application/json"), answer
    found = answer.json()
    assert set(found) == {"error", "message"} and found["error"] == code, answer
    assert isinstance(found["message"], str) and found["message"], answer


def test_a_signed_webhook_is_answered_200_accepted_with_its_id(bridge):
    answer = bridge.post(events.body())
    assert answer.status == 200
    assert answer.header("Content-Type").startswith("application/json")
    assert set(answer.json()) == {"status", "id"}
    assert answer.json()["status"] == "accepted"
    assert UUID_V7.fullmatch(answer.json()["id"])


def test_the_same_delivery_again_is_answered_200_duplicate_with_the_first_id(bridge):
    body = events.body(gid="again")
    first = bridge.accept(body)
    answer = bridge.post(body)
    assert (answer.status, answer.json()) == (200, {"status": "duplicate", "id": first})


@pytest.mark.parametrize("secret, body, signature", VECTORS)
def test_the_published_signature_vectors_verify(start, secret, body, signature):
    bridge = start.bridge(None, {"sources": source(secrets=[{"env": "VECTOR"}])}, env={"VECTOR": secret})
    headers = {sign.CREADS_HEADER: signature}
    assert http_client.fetch(bridge.ingress, "POST", PATH, headers, body).status in (200, 202)


def test_an_upper_case_signature_is_accepted(bridge):
    body = events.body()
    headers = {sign.CREADS_HEADER: sign.creads(SECRET, body).upper()}
    assert http_client.fetch(bridge.ingress, "POST", PATH, headers, body).status == 200


def test_header_names_are_accepted_in_any_case(bridge):
    body = events.body()
    headers = {sign.CREADS_HEADER.upper(): sign.creads(SECRET, body)}
    assert http_client.fetch(bridge.ingress, "POST", PATH, headers, body).status == 200


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_the_content_type_does_not_matter(bridge, content_type):
    body = events.body()
    headers = [(sign.CREADS_HEADER, sign.creads(SECRET, body))]
    if content_type:
        headers.append(("Content-Type", content_type))
    assert http_client.fetch(bridge.ingress, "POST", PATH, headers, body).status == 200


def test_any_of_several_secrets_verifies_and_no_other(start):
    secrets = [{"env": "ITEST_PARTNERS_SECRET"}, {"env": "SECOND"}]
    bridge = start.bridge(None, {"sources": source(secrets=secrets)}, env={"SECOND": OTHER_SECRET})
    bridge.secrets.add(OTHER_SECRET)
    bridge.accept(events.body(), secret=SECRET)
    bridge.accept(events.body(), secret=OTHER_SECRET)
    assert_refused(bridge.post(events.body(), secret="third"), 401, "unauthorized")


def test_the_log_says_why_a_webhook_is_refused_and_the_answer_does_not(start):
    bridge = start.bridge(None)
    wrong = bridge.post(events.body(), secret="wrong")
    bridge.wait_log(
        lambda: bridge.lines("webhook refused", why="it is signed with another key, or has been changed"), "why"
    )

    def unsigned():
        """Until it is logged: there is at most one line a second."""
        answer = http_client.fetch(bridge.ingress, "POST", PATH, [], events.body())
        assert (answer.status, answer.body) == (wrong.status, wrong.body)
        return bridge.lines("webhook refused", why="header X-Partners-Signature is missing")

    wait_until(unsigned, "why the other one")


def test_a_source_that_verifies_nothing_takes_unsigned_webhooks(start):
    settings = source(verify="none")
    del settings[0]["secrets"]
    bridge = start.bridge(None, {"sources": settings})
    assert http_client.fetch(bridge.ingress, "POST", PATH, (), events.body()).status == 200


QUARANTINED = {
    "empty": b"",
    "no JSON": b"hello",
    "cut JSON": b'{"event":"resource.updated"',
    "two JSON texts": events.body() + events.body(),
    "single quotes": b"{'event':'resource.updated','resource_type':'project','resource_gid':'a'}",
    "NaN": b'{"event":"resource.updated","resource_type":"project","resource_gid":"a","n":NaN}',
    "a raw control character":
        b'{"event":"resource.updated","resource_type":"project","resource_gid":"a","n":"\x01"}',
    "overlong UTF-8":
        b'{"event":"resource.updated","resource_type":"project","resource_gid":"a","n":"\xc0\x80"}',
    "no UTF-8":
        b'{"event":"resource.updated","resource_type":"project","resource_gid":"a","n":"\xe9"}',
    "an array": b"[1,2]",
    "a string": b'"resource.updated"',
    "null": b"null",
    "no event": b'{"resource_type":"project","resource_gid":"a"}',
    "no resource_type": b'{"event":"resource.updated","resource_gid":"a"}',
    "no resource_gid": b'{"event":"resource.updated","resource_type":"project"}',
    "an event that is a list": b'{"event":[7],"resource_type":"project","resource_gid":"a"}',
    "a byte order mark and nothing else": b"\xef\xbb\xbf",
    "two byte order marks": b"\xef\xbb\xbf" * 2 + events.body(),
    "UTF-16": events.body().decode().encode("utf-16"),
    "a gid that is an object":
        b'{"event":"resource.updated","resource_type":"project","resource_gid":{"a":1}}',
    "a null resource_type": b'{"event":"resource.updated","resource_type":null,"resource_gid":"a"}',
    "endless nesting": b'{"event":' + b"[" * 20000 + b"]" * 20000 + b"}",
    "a gid beyond all measure":
        b'{"event":"resource.updated","resource_type":"project","resource_gid":"' + b"/" * 25000 + b'"}',
}


@pytest.mark.parametrize("body", QUARANTINED.values(), ids=QUARANTINED)
def test_an_authentic_body_that_makes_no_event_is_answered_202_and_kept(bridge, body):
    before = bridge.metrics()
    answer = bridge.post(body)
    assert answer.status == 202, answer
    found = answer.json()
    assert set(found) == {"status", "id", "reason"}
    assert found["status"] == "quarantined" and UUID_V7.fullmatch(found["id"]) and found["reason"]
    after = bridge.metrics()
    for name in ("quarantined_total", "dead_letters"):
        assert after.value(name) == before.value(name) + 1, name


def test_a_body_that_is_nested_too_deep_is_called_that(bridge):
    answer = bridge.post(b'{"a":' * 65 + b"1" + b"}" * 65)
    assert (answer.status, answer.json()["reason"]) == (202, "nested deeper than 64 levels at byte 320")


def test_a_forged_body_that_makes_no_event_is_refused_and_not_kept(bridge, nothing_stored):
    assert_refused(bridge.post(b"hello", secret="wrong"), 401, "unauthorized")


GOOD = sign.creads(SECRET, b"{}")
BAD_SIGNATURES = {
    "none": [],
    "an empty one": [""],
    "one digit short": [GOOD[:-1]],
    "one digit long": [GOOD + "0"],
    "no hex": ["g" + GOOD[1:]],
    "a prefix": ["sha256=" + GOOD],
    "of another body": [sign.creads(SECRET, b"{ }")],
    "by another secret": [sign.creads("wrong", b"{}")],
    "of an empty key": [sign.creads("", b"{}")],
    "two wrong ones": ["0" * 64, "1" * 64],
    "two wrong ones in one header": [f"{'0' * 64}, {'1' * 64}"],
    "the right one behind too many": [", ".join(["0" * 64] * 16 + [GOOD])],
    "the right one in too many lines": ["0" * 64] * 16 + [GOOD],
    "inner blanks": [f"{GOOD[:32]} {GOOD[32:]}"],
    "very long": ["a" * 4000],
    "bytes beyond ASCII": ["\xe9" * 64],
}


@pytest.mark.parametrize("values", BAD_SIGNATURES.values(), ids=BAD_SIGNATURES)
def test_a_missing_or_wrong_or_repeated_signature_is_refused(bridge, nothing_stored, values):
    headers = [(sign.CREADS_HEADER, value) for value in values]
    answer = http_client.fetch(bridge.ingress, "POST", PATH, headers, b"{}")
    assert answer.status in (400, 401), answer
    assert_refused(answer, answer.status, "unauthorized" if answer.status == 401 else "bad_request")


GOOD_SIGNATURES = {
    "twice the right one": [GOOD, GOOD],
    "a wrong one first": ["0" * 64, GOOD],
    "a wrong one second": [GOOD, "0" * 64],
    "two in one header": [f"{GOOD}, {GOOD}"],
    "a wrong one first in one header": [f"{'0' * 64},{GOOD}"],
    "a wrong one second in one header": [f"{GOOD}; {'0' * 64}"],
    "something else beside it": ["v9 new", f"{GOOD}"],
}


@pytest.mark.parametrize("values", GOOD_SIGNATURES.values(), ids=GOOD_SIGNATURES)
def test_any_value_of_the_signature_s_header_counts(bridge, values):
    body = b"{}"
    headers = [(sign.CREADS_HEADER, value) for value in values]
    assert http_client.fetch(bridge.ingress, "POST", PATH, headers, body).status == 202


def test_each_flipped_byte_of_the_signature_is_refused(bridge, nothing_stored):
    body = events.body()
    mac = bytes.fromhex(sign.creads(SECRET, body))
    with bridge.connect() as connection:
        for i in range(len(mac)):
            wrong = mac[:i] + bytes([mac[i] ^ 0x01]) + mac[i + 1 :]
            headers = {sign.CREADS_HEADER: wrong.hex()}
            assert connection.request("POST", PATH, headers, body).status == 401, i


def test_a_refusal_says_the_same_whatever_was_wrong_with_the_signature(bridge):
    answers = {
        http_client.fetch(
            bridge.ingress, "POST", PATH, {sign.CREADS_HEADER: value}, b"{}"
        ).body
        for value in ("", "0" * 64, GOOD[:-1], "zz")
    }
    assert len(answers) == 1, answers


UNKNOWN_PATHS = ["/", "/webhooks", "/webhooks/partner", "/webhooks/partners2", "/webhooks/",
                 PATH + "/extra", "/WEBHOOKS/PARTNERS", "//webhooks/partners", "/metrics", "/api/dead/drop",
                 "/webhooks/../webhooks/partners"]


@pytest.mark.parametrize("path", UNKNOWN_PATHS)
def test_an_unknown_path_is_answered_404(bridge, nothing_stored, path):
    assert_refused(bridge.post(events.body(), path=path), 404, "not_found")


@pytest.mark.parametrize("behind", ["/", "//", "/?from=test"])
def test_a_slash_behind_the_path_does_not_matter(bridge, behind):
    bridge.accept(events.body(), path=PATH + behind)


def test_a_query_does_not_change_the_path(bridge):
    bridge.accept(events.body(), path=PATH + "?from=test")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_is_answered_405_with_allow(bridge, nothing_stored, method):
    body = b"" if method in ("GET", "DELETE", "OPTIONS") else events.body()
    answer = http_client.fetch(bridge.ingress, method, PATH, signed(body), body)
    assert_refused(answer, 405, "method_not_allowed")
    assert answer.header("Allow") == "POST"


def test_a_head_request_is_answered_405_without_a_body(bridge):
    with bridge.connect() as connection:
        answer = connection.request("HEAD", PATH)
        assert answer.status == 405 and answer.header("Allow") == "POST"


def test_an_unknown_method_is_refused(bridge, nothing_stored):
    answer = http_client.fetch(bridge.ingress, "BREW", PATH, signed(b""))
    assert answer.status in (405, 501), answer
    assert answer.json()["error"] in ("method_not_allowed", "not_implemented")


ENCODINGS = {
    "gzip": ["gzip"], "its old name": ["x-gzip"], "deflate": ["deflate"], "Brotli": ["br"], "none that is known": ["rot13"],
    "behind identity": ["identity, gzip"], "before identity": ["gzip,identity"], "two": ["gzip, br"],
    "in a line of its own": ["identity", "gzip"], "with a parameter": ["identity;q=1"],
    "more lines than anybody sends": ["identity"] * 9,
}


@pytest.mark.parametrize("values", ENCODINGS.values(), ids=ENCODINGS)
def test_an_encoded_body_is_answered_415_with_what_would_be_right(bridge, nothing_stored, values):
    answer = bridge.post(events.body(), headers=[("Content-Encoding", value) for value in values])
    assert_refused(answer, 415, "unsupported_media_type")
    assert answer.header("Accept-Encoding") == "identity"


def test_an_encoded_body_is_visible(bridge):
    def rejected():
        return bridge.metrics().value("rejected_total", source="partners", reason="unsupported_media_type")

    before = rejected()
    bridge.post(events.body(), headers=[("Content-Encoding", "gzip")])
    assert rejected() == before + 1
    assert bridge.lines("webhook refused", reason="unsupported_media_type", source="partners", path=PATH)


@pytest.mark.parametrize("values", [["identity"], ["IDENTITY"], [""], [","], [" identity , identity"], ["identity"] * 2])
def test_a_body_that_is_said_not_to_be_encoded_is_accepted(bridge, values):
    bridge.accept(events.body(), headers=[("Content-Encoding", value) for value in values])


def test_a_post_without_a_length_is_answered_411(bridge, nothing_stored):
    with bridge.connect() as connection:
        connection.send(
            f"POST {PATH} HTTP/1.1\r\nHost: a\r\n{sign.CREADS_HEADER}: {GOOD}\r\n\r\n".encode()
        )
        assert_refused(connection.answer(), 411, "length_required")


def sized_body(size):
    head = events.body()[:-2] + b',"pad":"'
    return head + b"x" * (size - len(head) - 3) + b'"}}'


def test_a_body_of_exactly_the_limit_is_accepted(bridge):
    body = sized_body(MAX_BODY)
    assert len(body) == MAX_BODY
    bridge.accept(body)


def test_a_body_one_byte_over_the_limit_is_answered_413(bridge, nothing_stored):
    assert_refused(bridge.post(sized_body(MAX_BODY + 1)), 413, "too_large")


def test_a_length_over_the_limit_is_answered_413_before_the_body_comes(bridge, nothing_stored):
    with bridge.connect() as connection:
        head = http_client.request_bytes("POST", PATH, [*signed(b""), ("Content-Length", "99999999")])
        connection.send(head)
        assert_refused(connection.answer(), 413, "too_large")
        assert connection.is_closed_by_peer()


@pytest.mark.parametrize("length", ["18446744073709551616", "9" * 40])
def test_a_length_beyond_any_number_is_refused(bridge, nothing_stored, length):
    with bridge.connect() as connection:
        connection.send(
            http_client.request_bytes("POST", PATH, [*signed(b""), ("Content-Length", length)])
        )
        assert connection.answer().status in (400, 413)
        connection.drain()


def test_a_chunked_body_over_the_limit_is_answered_413(bridge, nothing_stored):
    body = sized_body(MAX_BODY + 1)
    with bridge.connect() as connection:
        headers = [*signed(body), ("Transfer-Encoding", "chunked")]
        connection.send(http_client.request_bytes("POST", PATH, headers))
        connection.send(http_client.chunked(body, [1000] * 60))
        assert_refused(connection.answer(), 413, "too_large")


def test_an_endless_chunked_body_is_cut_off(bridge, nothing_stored):
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    before = bridge.resident_kb()
    with bridge.connect() as connection:
        headers = [*signed(b""), ("Transfer-Encoding", "chunked")]
        connection.send(http_client.request_bytes("POST", PATH, headers))

        def cut_off():
            try:
                connection.send(piece)
            except ConnectionError:
                return True
            return False

        wait_until(cut_off, "the end of its patience")
    assert bridge.resident_kb() - before < 4000


def test_a_uri_that_is_too_long_is_answered_414(bridge, nothing_stored):
    assert_refused(bridge.post(events.body(), path=PATH + "?" + "x" * 10000), 414, "uri_too_long")


LARGE_HEADERS = {
    "one long header": [("X-Long", "x" * 20000)],
    "many headers": [(f"X-Many-{i}", "x" * 170) for i in range(100)],
}


@pytest.mark.parametrize("headers", LARGE_HEADERS.values(), ids=LARGE_HEADERS)
def test_headers_that_are_too_large_are_answered_431(bridge, nothing_stored, headers):
    answer = http_client.fetch(bridge.ingress, "POST", PATH, headers, b"{}")
    assert_refused(answer, 431, "headers_too_large")


HUGE_HEADS = {
    "a target": (414, PATH + "?" + "x" * 100000, []),
    "a header": (431, PATH, [("X-Long", "x" * 100000)]),
    "headers": (431, PATH, [(f"X-Many-{i}", "x" * 50) for i in range(5000)]),
}


@pytest.mark.parametrize("status, path, headers", HUGE_HEADS.values(), ids=HUGE_HEADS)
def test_a_head_beyond_all_measure_is_refused_without_being_read(bridge, nothing_stored, status, path, headers):
    """The library answers these by itself, not in JSON."""
    with bridge.connect() as connection:
        with contextlib.suppress(ConnectionError):  # it may answer before it has read everything
            connection.send(http_client.request_bytes("POST", path, headers, b"{}"))
        assert connection.answer().status == status
        connection.drain()


def test_an_expectation_other_than_100_continue_is_answered_417(bridge, nothing_stored):
    body = events.body()
    answer = http_client.fetch(bridge.ingress, "POST", PATH, [*signed(body), ("Expect", "a-cookie")], body)
    assert_refused(answer, 417, "expectation_failed")


def test_expect_100_continue_is_answered_100_and_then_200(bridge):
    body = events.body()
    headers = [*signed(body), ("Expect", "100-continue"), ("Content-Length", str(len(body)))]
    with bridge.connect() as connection:
        connection.send(http_client.request_bytes("POST", PATH, headers))
        assert connection.answer(interim=True).status == 100
        connection.send(body)
        assert connection.answer().status == 200


def test_expect_100_continue_with_a_body_over_the_limit_is_answered_413_at_once(bridge, nothing_stored):
    headers = [*signed(b""), ("Expect", "100-continue"), ("Content-Length", "99999999")]
    with bridge.connect() as connection:
        connection.send(http_client.request_bytes("POST", PATH, headers))
        assert_refused(connection.answer(interim=True), 413, "too_large")


@pytest.mark.parametrize("coding", ["gzip", "identity", "xchunked", "chunked, gzip", "gzip, chunked"])
def test_a_transfer_coding_other_than_chunked_is_answered_501(bridge, nothing_stored, coding):
    with bridge.connect() as connection:
        headers = [*signed(b"{}"), ("Transfer-Encoding", coding)]
        connection.send(http_client.request_bytes("POST", PATH, headers) + b"2\r\n{}\r\n0\r\n\r\n")
        answer = connection.answer()
        assert answer.status in (400, 501), answer
        assert_refused(answer, answer.status, {400: "bad_request", 501: "not_implemented"}[answer.status])
        assert connection.is_closed_by_peer()


def request_with(*lines, path=PATH, version="HTTP/1.1", host=("Host: a",), body=b"{}"):
    lines = [*host, f"{sign.CREADS_HEADER}: {sign.creads(SECRET, body)}", *lines]
    return f"POST {path} {version}\r\n".encode() + "".join(f"{x}\r\n" for x in lines).encode() + b"\r\n" + body


FORBIDDEN = {
    "two equal lengths": request_with("Content-Length: 2", "Content-Length: 2"),
    "two different lengths": request_with("Content-Length: 2", "Content-Length: 0"),
    "a length and chunks":
        request_with("Content-Length: 2", "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"),
    "chunks and a length":
        request_with("Transfer-Encoding: chunked", "Content-Length: 2", body=b"2\r\n{}\r\n0\r\n\r\n"),
    "chunked twice":
        request_with("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "a blank before the colon": request_with("Content-Length : 2"),
    "two hosts": request_with("Content-Length: 2", host=("Host: a", "Host: b")),
    "twice the same host": request_with("Content-Length: 2", host=("Host: a", "Host: a")),
    "no host": request_with("Content-Length: 2", host=()),
    "a NUL in the path": request_with("Content-Length: 2", path=PATH + "%00"),
    "a NUL at the path's end and more": request_with("Content-Length: 2", path=PATH + "%00/x"),
    "HTTP/1.2": request_with("Content-Length: 2", version="HTTP/1.2"),
}


@pytest.mark.parametrize("request_", FORBIDDEN.values(), ids=FORBIDDEN)
def test_what_rfc_9112_forbids_is_answered_400_and_the_connection_closed(bridge, nothing_stored, request_):
    with bridge.connect() as connection:
        connection.send(request_)
        assert_refused(connection.answer(), 400, "bad_request")
        assert connection.is_closed_by_peer()


NO_REQUEST = {
    "a list of lengths": request_with("Content-Length: 2, 2"),
    "a signed length": request_with("Content-Length: +2"),
    "a negative length": request_with("Content-Length: -2"),
    "a hexadecimal length": request_with("Content-Length: 0x2"),
    "an empty length": request_with("Content-Length:"),
    "a length with letters": request_with("Content-Length: 2b"),
    "a field without a colon": request_with("Content-Length: 2", "nonsense"),
    "HTTP/2.0": request_with("Content-Length: 2", version="HTTP/2.0"),
    "HTTP/0.9": request_with("Content-Length: 2", version="HTTP/0.9"),
    "no version": request_with("Content-Length: 2", version=""),
    "another protocol": request_with("Content-Length: 2", version="ICAP/1.0"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200 + b"\r\n\r\n",
}


@pytest.mark.parametrize("request_", NO_REQUEST.values(), ids=NO_REQUEST)
def test_what_is_no_request_at_all_is_refused_and_the_connection_closed(bridge, nothing_stored, request_):
    """The library answers these by itself, not in JSON, or only closes."""
    with bridge.connect() as connection:
        connection.send(request_)
        with contextlib.suppress(http_client.Closed):
            assert connection.answer().status in (400, 505)
        connection.drain()


BROKEN_CHUNKS = {
    "negative": b"-1",
    "with a prefix": b"0x2",
    "no number": b"g",
    "empty": b"",
    "beyond any number": b"f" * 17,
    "a long extension": b"2;" + b"x" * 50000,
}


@pytest.mark.parametrize("size_line", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS)
def test_a_broken_chunk_size_is_refused_and_the_connection_closed(bridge, nothing_stored, size_line):
    with bridge.connect() as connection:
        headers = [*signed(b"{}"), ("Transfer-Encoding", "chunked")]
        with contextlib.suppress(ConnectionError):
            connection.send(http_client.request_bytes("POST", PATH, headers))
            connection.send(size_line + b"\r\n{}\r\n0\r\n\r\n")
        with contextlib.suppress(http_client.Closed):
            assert connection.answer().status in (400, 413), size_line
        connection.drain()


@pytest.mark.parametrize("listener", ["ingress", "admin"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_answered_200_on_both_listeners(bridge, listener, path):
    assert bridge.get(path, listener).status == 200


def test_ready_stays_200_while_the_broker_is_away(start):
    bridge = start.bridge(None)
    bridge.accept(events.body())
    assert bridge.get("/readyz").status == 200
    assert bridge.metrics().value("broker_connected") == 0


@pytest.mark.parametrize("path", ["/metrics", "/api/outbox/drop"])
def test_the_operators_paths_are_not_on_the_ingress(bridge, path):
    assert bridge.get(path, "ingress").status == 404


def test_a_full_outbox_is_answered_503_with_retry_after(start):
    bridge = start.bridge(None, {"outbox": {"max_size": "64KiB"}})
    with bridge.connect() as connection:
        for _ in range(1000):
            answer = bridge.post(events.body(pad="x" * 1000), connection=connection)
            if answer.status != 200:
                break
    assert_refused(answer, 503, "unavailable")
    assert int(answer.header("Retry-After")) >= 1
    assert bridge.get("/readyz").status == 503
    assert bridge.get("/healthz").status == 200


def test_many_clients_at_once_are_all_answered(bridge):
    def client(number):
        with bridge.connect() as connection:
            return [
                bridge.accept(events.body(gid=f"client{number}"), connection=connection)
                for _ in range(20)
            ]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        ids = [one for some in pool.map(client, range(16)) for one in some]
    assert len(set(ids)) == 320
