"""
Requests as bytes, right and wrong ones, by category: what the bridge must answer, and what becomes of a request behind them.

A case is (what, bytes, statuses, behind). Statuses: of all answers to these bytes, in order. Behind: SERVED, a request that
follows on the connection gets its own answer; CLOSED, it gets none; END, nothing follows, and the client shuts its side.
The bytes are for a source at /hook that verifies nothing, and whose events are named by {"e": …}. HIDDEN is a whole request
that nobody may ever take for one, unless a test says so.
"""

import collections

SERVED, CLOSED, END = "served", "closed", "end"
Case = collections.namedtuple("Case", "category what data statuses behind")

OWN = '{"e":"own"}'
HIDDEN = 'POST /hook HTTP/1.1\r\nHost: x\r\nX-Id: hidden\r\nContent-Length: 14\r\n\r\n{"e":"hidden"}'
MAX_BODY = 64 * 1024
LENGTH, CHUNKED, LAST = f"Content-Length: {len(OWN)}", "Transfer-Encoding: chunked", "0\r\n\r\n"
CHUNKS = f"{len(OWN):x}\r\n{OWN}\r\n{LAST}"


def head(line, *fields, host="Host: x"):
    return "".join(f"{each}\r\n" for each in (line, host, *fields) if each is not None) + "\r\n"


def post(*fields, body=OWN, target="/hook", version="HTTP/1.1", host="Host: x"):
    return head(f"POST {target} {version}", *fields, host=host) + body


def get(target="/healthz", *fields, method="GET", version="HTTP/1.1", host="Host: x"):
    return head(f"{method} {target} {version}", *fields, host=host)


def chunked(body, *fields):
    return post(CHUNKED, *fields, body=body)


def all_of(data, statuses, behind, *rows):
    """rows: (what, value) or the value alone, for data(value)."""
    for row in rows:
        what, value = row if isinstance(row, tuple) else (repr(row)[1:-1][:60], row)
        yield what, data(value), statuses, behind


def framing():
    yield from all_of(lambda v: post(v), 200, SERVED, LENGTH, "content-length:11", "CONTENT-LENGTH: \t11\t ", "Content-Length: 0011")
    yield "a length of 20 digits", post(f"Content-Length: {11:020}"), 200, SERVED
    yield "a body of no bytes", post("Content-Length: 0", body=""), 202, SERVED
    yield from all_of(lambda v: post(f"Content-Length: {v}"), 400, CLOSED, ("a length of nothing", ""), "+11", "-11", "-0", "0x0b", "11.0", "1e1", "11;", "11,11",
                      "11, 11", "11 11", "1 1", '"11"', "11a", "a11", "11\x0b", "11\x0011", "NaN", "11_0", "\xb9\xb9", "(11)", "11=")
    yield from all_of(lambda v: post(*v), 400, CLOSED, ("two lengths, the same", [LENGTH, LENGTH]),
                      ("two lengths", [LENGTH, "Content-Length: 5"]), ("two lengths, in another case", [LENGTH, "content-length: 0"]),
                      ("two lengths, one empty", [LENGTH, "Content-Length:"]), ("a length and chunks", [LENGTH, CHUNKED]),
                      ("chunks and a length", [CHUNKED, LENGTH]), ("chunks and no bytes", [CHUNKED, "Content-Length: 0"]),
                      ("chunks twice", [CHUNKED, CHUNKED]), ("a coding and chunks", ["Transfer-Encoding: gzip", CHUNKED]),
                      ("chunks and none", [CHUNKED, "Transfer-Encoding:"]))
    yield from all_of(lambda v: post(f"Content-Length: {v}", body=""), 413, CLOSED, "99999999999", "18446744073709551615",
                      "18446744073709551616", ("a length of 400 digits", "9" * 400))
    yield "no length", post(body=""), 411, CLOSED
    yield "no length, HTTP/1.0", post(body="", version="HTTP/1.0"), 411, CLOSED
    yield "no length, behind it what could be a body", post(body=HIDDEN), 411, CLOSED
    yield "no length, no POST", get("/hook", method="PUT"), 405, SERVED
    yield "a GET with a length of 0", get("/healthz", "Content-Length: 0"), 200, SERVED
    yield "a GET with a body", get("/healthz", LENGTH) + OWN, 200, CLOSED
    yield "a GET with chunks", get("/healthz", CHUNKED) + CHUNKS, 200, CLOSED
    yield "a HEAD with a body", get("/healthz", LENGTH, method="HEAD") + OWN, 200, CLOSED
    yield "a DELETE with chunks", get("/hook", CHUNKED, method="DELETE") + CHUNKS, 405, CLOSED
    yield from all_of(lambda v: post(v, body=CHUNKS), 200, SERVED, CHUNKED, "transfer-encoding:CHUNKED", "Transfer-Encoding: \tChunked\t ")
    yield from all_of(lambda v: post(f"Transfer-Encoding: {v}", body=CHUNKS), 501, CLOSED, ("a coding of nothing", ""), "identity", "gzip", "xchunked", "chunkedx",
                      "chunked, gzip", "gzip, chunked", "chunked,chunked", "chunked,", ",chunked", "chunked;q=1", '"chunked"',
                      "chunked\xa0", "chun ked", "cow", "'chunked'")
    yield from all_of(lambda v: post(f"Transfer-Encoding: {v}", body=CHUNKS), 400, CLOSED, "\x0bchunked", "chun\0ked", "chunked\x0c")
    yield "chunks in HTTP/1.0", post(CHUNKED, body=CHUNKS, version="HTTP/1.0"), 400, CLOSED
    yield "chunks in HTTP/1.0 that is kept", post(CHUNKED, "Connection: keep-alive", body=CHUNKS, version="HTTP/1.0"), 400, CLOSED
    yield "HTTP/1.0 with a length", post(LENGTH, version="HTTP/1.0"), 200, CLOSED
    yield "HTTP/1.0 that is kept", post(LENGTH, "Connection: keep-alive", version="HTTP/1.0"), 200, SERVED
    yield from all_of(lambda v: post(LENGTH, v), 200, SERVED, "Transfer_Encoding: chunked", "Content_Length: 5", "X-Content-Length: 5",
                      "Connection: Content-Length", "Connection: Transfer-Encoding", "Transfer-Encodin: chunked", "TE: chunked",
                      "Keep-Alive: timeout=0", "Upgrade: h2c", "Connection: keep-alive", "Trailer: Content-Length")
    yield from all_of(lambda v: post(LENGTH, v), 200, CLOSED, "Connection: close", "Connection: a, CLOSE ,b", "connection:close",
                      "Connection: keep-alive, close", "Connection: close, keep-alive")


def smuggling():
    hidden_chunks = f"{LAST}{HIDDEN}"
    lengths = [f"Content-Length: {len(hidden_chunks)}", "Content-Length: 0", "Content-Length: 3"]
    for what, length in zip(("whole", "0", "3"), lengths):
        for field in ("Transfer-Encoding: chunked", "Transfer-Encoding: xchunked", "Transfer-Encoding : chunked",
                      "Transfer-Encoding\t: chunked", " Transfer-Encoding: chunked", "X: y\n\nTransfer-Encoding: chunked",
                      "X: y\nTransfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked", "Transfer-Encoding\r\n : chunked",
                      "Transfer-Encoding:\r\n chunked", "Transfer-Encoding: \x0bchunked", "Transfer-Encoding: chunked\0",
                      "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow", "Transfer-\r\n Encoding: chunked",
                      "\0Transfer-Encoding: chunked", "Transfer-Encoding\xa0: chunked", "Foo\r\nTransfer-Encoding: chunked"):
            yield f"length {what}, {field!r}", post(length, field, body=hidden_chunks), 400, CLOSED
    yield "behind the last chunk", chunked(CHUNKS + HIDDEN), (200, 200), SERVED  # a request like any other
    yield "in a body", post(f"Content-Length: {len(HIDDEN)}", body=HIDDEN), 202, SERVED
    yield "in a chunk", chunked(f"{len(HIDDEN):x}\r\n{HIDDEN}\r\n{LAST}"), 202, SERVED
    yield "in the body of a GET", get("/healthz", f"Content-Length: {len(HIDDEN)}") + HIDDEN, 200, CLOSED
    yield "in the body of a wrong path", post(f"Content-Length: {len(HIDDEN)}", body=HIDDEN, target="/nobody"), 404, CLOSED
    yield "in a body too large", post("Content-Length: 9999999", body=HIDDEN), 413, CLOSED
    yield "in the trailers", chunked(f"0\r\nX: y\r\n{HIDDEN}"), 400, CLOSED
    yield "in an extension", chunked(f"0;a=\r\n\r\n{HIDDEN}"), (202, 200), SERVED
    yield "in an extension, by a bare LF", chunked(f"0;\n\n{HIDDEN}"), 400, CLOSED
    yield "in an extension's quotes", chunked(f'0;a="\r\n\r\n{HIDDEN}"\r\n\r\n'), 400, CLOSED
    yield "behind a chunk that is too long", chunked(f"2\r\nabc\r\n{LAST}{HIDDEN}"), 400, CLOSED
    yield "behind a chunk size of 2^64", chunked(f"10000000000000000\r\n\r\n{LAST}{HIDDEN}"), 400, CLOSED
    yield "behind a negative size", chunked(f"-1\r\n{HIDDEN}"), 400, CLOSED
    yield "in a value, by a bare LF", get("/healthz", f"X: \n\n{HIDDEN}"), 400, CLOSED
    yield "in a value, by a bare CR", get("/healthz", f"X: \r\r{HIDDEN}"), 400, CLOSED
    yield "in a value, by NUL", get("/healthz", f"X: \0\r\n\r\n{HIDDEN}"), 400, CLOSED
    yield "in the target", get(f"/\r\n\r\n{HIDDEN}"), 400, CLOSED
    yield "behind a field without a name", get("/healthz", ":", "", HIDDEN), 400, CLOSED
    yield "behind Connection: close", post(LENGTH, "Connection: close") + HIDDEN, 200, CLOSED
    yield "behind HTTP/1.0", get(version="HTTP/1.0") + HIDDEN, 200, CLOSED
    yield "behind an expectation", post(LENGTH, "Expect: x") + HIDDEN, 417, CLOSED
    yield "behind HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN, 505, CLOSED
    yield "behind TLS", "\x16\x03\x01\x02\0\x01" + HIDDEN, 400, CLOSED


def line_ends():
    ends = {"LF": "\n", "CR": "\r", "CR CR LF": "\r\r\n", "LF CR": "\n\r", "NUL CR LF": "\0\r\n", "VT": "\x0b", "LF LF": "\n\n",
            "NEL": "\x85"}
    places = {
        "the request line": "GET /healthz HTTP/1.1{}Host: x\r\n\r\n",
        "Host": "GET /healthz HTTP/1.1\r\nHost: x{}A: b\r\n\r\n",
        "another field": "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b{}C: d\r\n\r\n",
        "the last field": "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b{}\r\n\r\n",
        "the head": "GET /healthz HTTP/1.1\r\nHost: x\r\n{}GET / HTTP/1.1\r\n\r\n",
        "a chunk's size": post(CHUNKED, body="b{}" + OWN + "\r\n" + LAST).replace('{"e"', '{{"e"').replace('"own"}', '"own"}}'),
        "a chunk": post(CHUNKED, body="b\r\n" + OWN.replace("{", "{{").replace("}", "}}") + "{}" + LAST),
        "the last chunk": post(CHUNKED, body="0{}\r\n"),
        "a trailer": post(CHUNKED, body="0\r\nA: b{}\r\n"),
        "the body": post(CHUNKED, body="0\r\n{}x"),
    }
    for place, text in places.items():
        for what, end in ends.items():
            # A byte over 127 is text, so a value goes on; and then its line ends as it should, or with the next CR LF.
            value = what == "NEL" and place in ("another field", "the last field", "a trailer")
            if not value:
                yield f"{what} behind {place}", text.format(end), 400, CLOSED


def folding():
    for blank, what in ((" ", "space"), ("\t", "tab")):
        yield f"{what}: of the first field", get("/healthz", host=None)[:-2] + f"{blank}Host: x\r\n\r\n", 400, CLOSED
        yield f"{what}: a value", get("/healthz", f"A: b\r\n{blank}c"), 400, CLOSED
        yield f"{what}: an empty line", get("/healthz", f"A: b\r\n{blank}"), 400, CLOSED
        yield f"{what}: a host", get(host=f"Host:\r\n{blank}x"), 400, CLOSED
        yield f"{what}: a length", post(f"Content-Length:\r\n{blank}11"), 400, CLOSED
        yield f"{what}: a longer length", post(f"Content-Length: 1\r\n{blank}1"), 400, CLOSED
        yield f"{what}: a coding", post(f"Transfer-Encoding:\r\n{blank}chunked", body=CHUNKS), 400, CLOSED
        yield f"{what}: a name", post(f"Content-:\r\n{blank}Length: 11"), 400, CLOSED
        yield f"{what}: a trailer", chunked(f"0\r\nA: b\r\n{blank}c\r\n\r\n"), 400, CLOSED
        yield f"{what}: behind the request line", f"GET /healthz HTTP/1.1\r\n{blank}\r\nHost: x\r\n\r\n", 400, CLOSED


def names():
    for c in '"(),/;<=>?@[\\]{} \t\0\x01\x0b\x1f\x7f\x80\xff':
        yield f"{c!r} in a name", get("/healthz", f"A{c}B: c"), 400, CLOSED
    yield "all signs in a name", get("/healthz", "!#$%&'*+-.^_`|~09azAZ: c"), 200, SERVED
    yield from all_of(lambda v: get("/healthz", v), 400, CLOSED, ":", ": b", ":b", " : b", "A", "A b", "\x00", "A: b\r\n:", "A : b", "A\t:")
    yield from all_of(lambda v: get("/healthz", v), 200, SERVED, "A:", "A::", "A::b", "A:b:c", "A: \t ", "A: \x80\xff", 'A: "b', "A:\tb\tc")
    for c in [*range(0, 9), 11, 12, *range(14, 32), 127]:
        yield f"{chr(c)!r} in a value", get("/healthz", f"A: b{chr(c)}c"), 400, CLOSED


def hosts():
    yield "none", get(host=None), 400, CLOSED
    yield "none, HTTP/1.0", get(host=None, version="HTTP/1.0"), 200, CLOSED
    yield "two", get("/healthz", "Host: x"), 400, CLOSED
    yield "two, HTTP/1.0", get("/healthz", "Host: y", version="HTTP/1.0"), 400, CLOSED
    yield "two, one empty", get("/healthz", "host:"), 400, CLOSED
    yield from all_of(lambda v: get(host=f"Host: {v}"), 400, CLOSED, "a b", "a, b", "a,b", "a/b", "a@b", "a:b", "a:80:80", "[::1", "[::1]x",
                      "[]", "[g]", "::1", "a%", "a%zz", "a%00", "a\\b", 'a"b', "<a>", "{a}", "a?b", "a#b", "a\x80", "http://a")
    yield from all_of(lambda v: get(host=f"Host: {v}"), 200, SERVED, "", "a", "a:80", "a:", "[::1]", "[::1]:80", "a_b", "a%20b", "1.2.3.4", "x.")


def versions():
    yield from all_of(lambda v: get(version=v), 400, CLOSED, "HTTP/1.2", "HTTP/1.9", "HTTP/1", "HTTP/2", "HTTP/11", "HTTP/1.", "HTTP/.1",
                      "http/1.1", "Http/1.1", "HTTP /1.1", "HTTPS/1.1", "HTTP/1.1 ", "", "HTTP/01.1", "HTTP/1.01", "HTTP/1.10", "HTTP/1,1",
                      "HTTP/-1.1", "HTTP/+1.1", "JTTP/1.1", "HTTP/1.1x", "HTTP/1.1\t", "HTTP/\xb9.1", "HTTP\\1.1", "1.1", "HTTP/1 .1")
    yield from all_of(lambda v: get(version=v), 505, CLOSED, "HTTP/2.0", "HTTP/0.9", "HTTP/3.0", "HTTP/9.9", "HTTP/0.0")
    yield "HTTP/0.9 without a version", "GET /healthz\r\n\r\n", 400, CLOSED
    yield "HTTP/1.0", get(version="HTTP/1.0"), 200, CLOSED
    yield "HTTP/1.0, kept", get("/healthz", "Connection: Keep-Alive", version="HTTP/1.0"), 200, SERVED


def targets():
    yield from all_of(get, 200, SERVED, "/healthz", "/healthz?", "/healthz?a=b&c", "/healthz?/?", "http://x/healthz", "https://x/healthz",
                      "HTTP://X/healthz", "http://[::1]:80/healthz", "http://x:80/healthz", "http://x:/healthz", "/healthz?http://x")
    yield from all_of(get, 404, SERVED, "//healthz", "/./healthz", "/a/../healthz", "/healthz;a", "http://x", "http://x?/healthz", "/a:b",
                      "/healthz\\", "/healthz|", "/*", "/http://x/healthz", "http://x//healthz", "/HEALTHZ", "/@")
    yield from all_of(get, 400, CLOSED, "*", "x:80", "healthz", "/healthz#", "/healthz#/x", "/healthz\x80", "/heal thz", "/healthz\t",
                      "\\healthz", "http:/healthz", "http:healthz", "http//x/healthz", "ftp://x/healthz", "http://", "http:///healthz",
                      "http://:80/healthz", "http://u:p@x/healthz", "http://x y/healthz", "http://x,y/healthz", "http://[::1/healthz",
                      "http://x:8a/healthz", "http://x\\healthz", "?x", "", " /healthz", "/healthz ", "/\x00", "/\x7f", "/\x1f", "./healthz")
    yield from all_of(lambda v: get(method=v), 405, SERVED, "get", "Get", "OPTIONS", "PATCH", "A", ("32 letters", "A" * 32), "M-SEARCH", "!")
    yield from all_of(lambda v: get(method=v), 400, CLOSED, ("no method", ""), "GE T", "GE(T", "GET:", "G\0T", "GET\t", " GET", "\x80", '"GET"', "GET,", "{")
    yield "33 letters", get(method="A" * 33), 501, CLOSED
    yield "CONNECT", get("x:80", method="CONNECT"), 400, CLOSED
    yield "OPTIONS *", get("*", method="OPTIONS"), 400, CLOSED
    yield "HEAD", get(method="HEAD"), 200, SERVED
    yield "HEAD of a source", get("/hook", method="HEAD"), 405, SERVED
    yield "HEAD that is wrong", get("*", method="HEAD"), 400, CLOSED


def escapes():
    yield from all_of(lambda v: post(LENGTH, target=v), 200, SERVED, "/hoo%6b", "/%68%6f%6F%6b", "/hook?%41", "/hook?a=%2F", "http://x/hoo%6b",
                      "/hook?%0d%0a")
    yield from all_of(lambda v: post(LENGTH, target=v), 404, CLOSED, "%2fhook".join(("/x", "")), "/%2fhook", "/hook%3F", "/hook%20", "/hook%0d%0a",
                      "/hook%23", "/hoo%256b", "/%ff", "/hook%c0%af", "/%2e%2e/hook")
    yield from all_of(lambda v: post(LENGTH, target=v), 400, CLOSED, "/hook%", "/hook%2", "/hook%zz", "/hook%%", "/hook%u0041", "/hook%00",
                      "/%00hook", "/hook?%00", "/hook?%", "/hook?a=%g0", "%2fhook", "/hook% 41", "http%3A//x/hook", "http%3a%2f%2fx/hook",
                      "http:%2f%2fx/hook", "http://x%zz/hook", "http://x%00/hook", "http://x%2fhook#")


def pipelining():
    own, wrong_path = post(LENGTH), get("/nobody")
    yield "two", own * 2, (200, 200), SERVED
    yield "twenty", own * 20, (200,) * 20, SERVED
    yield "chunks, three times", chunked(CHUNKS) * 3, (200,) * 3, SERVED
    yield "chunks and a length", (chunked(CHUNKS) + own) * 2, (200,) * 4, SERVED
    yield "an empty line before", "\r\n" + own, 200, SERVED
    yield "an empty line between", own + "\r\n" + own, (200, 200), SERVED
    yield "an empty line behind", own + "\r\n", 200, SERVED
    yield "two empty lines before", "\r\n\r\n" + own, 400, CLOSED
    yield "two empty lines between", own + "\r\n\r\n" + own, (200, 400), CLOSED
    yield "LF before", "\n" + own, 400, CLOSED
    yield "CR before", "\r" + own, 400, CLOSED
    yield "LF behind", own + "\n" + own, (200, 400), CLOSED
    yield "a space before", " " + own, 400, CLOSED
    yield "one byte too many", post("Content-Length: 10") + own, (202, 400), CLOSED
    yield "a wrong path without a body", wrong_path + own, (404, 200), SERVED
    yield "a wrong path with a body", post(LENGTH, target="/nobody") + own, 404, CLOSED
    yield "a wrong method", get("/hook") + own, (405, 200), SERVED
    yield "a quarantined body", post("Content-Length: 1", body="x") + own, (202, 200), SERVED
    yield "a bad one behind", own + get("*") + own, (200, 400), CLOSED
    yield "a bad one before", get("*") + own, 400, CLOSED
    yield "a bad chunk behind", own + chunked("x") + own, (200, 400), CLOSED
    yield "a bad chunk of a wrong path", head("POST /nobody HTTP/1.1", CHUNKED) + "x" + own, 404, CLOSED
    yield "too large", post("Content-Length: 9999999") + own, 413, CLOSED
    yield "Connection: close", post(LENGTH, "Connection: close") + own, 200, CLOSED
    yield "HTTP/1.0", post(LENGTH, version="HTTP/1.0") + own, 200, CLOSED
    yield "HTTP/1.0, kept", post(LENGTH, "Connection: keep-alive", version="HTTP/1.0") + own, (200, 200), SERVED


def expectations():
    yield from all_of(lambda v: post(LENGTH, f"Expect: {v}"), 200, SERVED, "100-continue", "100-CONTINUE", "\t100-Continue ")
    yield from all_of(lambda v: post(LENGTH, f"Expect: {v}"), 417, CLOSED, "", "100", "200-ok", "100-continue, x", "100-continue,100-continue",
                      "100-continue;a", "x=y", '"100-continue"', "100 -continue")
    yield "twice", post(LENGTH, *["Expect: 100-continue"] * 2), 417, CLOSED
    yield "chunks", chunked(CHUNKS, "Expect: 100-continue"), 200, SERVED
    yield "chunks that are wrong", chunked("x", "Expect: 100-continue"), 400, CLOSED
    yield "HTTP/1.0", post(LENGTH, "Expect: 100-continue", version="HTTP/1.0"), 200, CLOSED
    yield "HTTP/1.0, unknown", post(LENGTH, "Expect: x", version="HTTP/1.0"), 200, CLOSED
    yield "no body", get("/healthz", "Expect: 100-continue"), 200, SERVED
    yield "a body of no bytes", post("Content-Length: 0", "Expect: 100-continue", body=""), 202, SERVED
    yield "too large", post("Content-Length: 9999999", "Expect: 100-continue", body=""), 413, CLOSED
    yield "a wrong path", post(LENGTH, "Expect: 100-continue", target="/nobody"), 404, CLOSED


def chunks():
    data = f"{OWN}\r\n"
    yield from all_of(lambda v: chunked(v), 200, SERVED, ("one", CHUNKS), ("upper case", f"B\r\n{data}{LAST}"), ("zeros", f"00B\r\n{data}000\r\n\r\n"),
                      ("16 digits", f"{11:016x}\r\n{data}{LAST}"), ("two", f"1\r\n{{\r\na\r\n{OWN[1:]}\r\n{LAST}"),
                      ("bytes", "".join(f"1\r\n{c}\r\n" for c in OWN) + LAST), ("an extension", f"b;a\r\n{data}{LAST}"),
                      ("a value", f"b;a=b\r\n{data}0;c\r\n\r\n"), ("quotes", f'b;a="b;\\" \t"\r\n{data}{LAST}'), ("blanks", f"b; a = b\r\n{data}{LAST}"),
                      ("many", f"b{';a' * 4000}\r\n{data}{LAST}"))
    yield "none", chunked(LAST), 202, SERVED
    bad = ["\r\n", "g", " b\r\n", "\tb\r\n", "b \r\n", "b\t\r\n", "-b\r\n", "+b\r\n", "0xb\r\n", "b.0\r\n", "b,\r\n", "b\0\r\n", "\0b\r\n", "b\xa0\r\n",
           "b:\r\n", "b\r", "b\rx\n", '"b"\r\n', ";a\r\n", "b;\0\r\n", "b;a(\r\n", "b;a\n", "b;a\rb\r\n", 'b;a="\r\n', 'b;a="\\\r\n', 'b;a="\x01"\r\n', "b;\x80\r\n",
           "0000000000000000b\r\n", "fffffffffffffffff\r\n", "b b\r\n"]
    yield from all_of(lambda v: chunked(v + data + LAST), 400, CLOSED, *bad)
    yield "too short", chunked(f"a\r\n{data}{LAST}"), 400, CLOSED
    yield "too long", chunked(f"d\r\n{data}{LAST}"), 400, CLOSED
    yield "without an end", chunked(f"b\r\n{OWN}{LAST}"), 400, CLOSED
    yield "an extension of 9 KiB", chunked(f"b;{'a' * 9 * 1024}\r\n{data}{LAST}"), 400, CLOSED
    yield "extensions of 9 KiB", chunked("".join(f"1;{'a' * 900}\r\n{c}\r\n" for c in OWN) + LAST), 400, CLOSED


def trailers():
    yield from all_of(lambda v: chunked(CHUNKS[:-2] + v + "\r\n"), 200, SERVED, "A: b\r\n", "A:\r\nB: \x80\r\n", "Content-Length: 5\r\n",
                      "Transfer-Encoding: chunked\r\n", "Host: a b\r\n", "Connection: close\r\n", "X-Id: x\r\n", ("8,000 bytes", "A: bcd\r\n" * 1000))
    yield from all_of(lambda v: chunked(CHUNKS[:-2] + v + "\r\n"), 400, CLOSED, "A\r\n", "A : b\r\n", " A: b\r\n", ": b\r\n", "A: b\r\n c\r\n", "A: b\n",
                      "A: b\rC: d\r\n", "A: \0\r\n", "A(: b\r\n", "A: b\x7f\r\n", "\n", "A: b\r\n\n", "A\0: b\r\n", ("9,600 bytes", "A: bcd\r\n" * 1200))


def limits():
    room = 16 * 1024 - len(get("/healthz", "A: "))
    yield "a target of 8 KiB", get("/healthz?" + "a" * (8192 - 9)), 200, SERVED
    yield "a target of 8 KiB and a byte", get("/healthz?" + "a" * (8192 - 8)), 414, CLOSED
    yield "a target without end", "GET /" + "a" * 20000, 414, CLOSED
    yield "a method without end", "G" * 20000, 414, CLOSED
    yield "256 parameters", get("/healthz?" + "&" * 255), 200, SERVED
    yield "257 parameters", get("/healthz?" + "&" * 256), 414, CLOSED
    yield "1,001 parameters", get("/x?" + "&" * 1000), 414, CLOSED
    yield "ampersands in a path", get("/" + "&" * 1000), 404, SERVED
    yield "a head of 16 KiB", get("/healthz", "A: " + "b" * room), 200, SERVED
    yield "a head of 16 KiB and a byte", get("/healthz", "A: " + "b" * (room + 1)), 431, CLOSED
    yield "a field without end", get("/healthz", "A: " + "b" * 40000), 431, CLOSED
    yield "a name without end", get("/healthz", "A" * 40000), 431, CLOSED
    yield "500 fields of 10 bytes", get("/healthz", *["A: 67890"] * 500), 200, SERVED
    yield "1,600 fields of 10 bytes", get("/healthz", *["A: 67890"] * 1600), 200, SERVED
    yield "1,700 fields of 10 bytes", get("/healthz", *["A: 67890"] * 1700), 431, CLOSED
    yield "fields without end", get("/healthz", *["A:"] * 20000), 431, CLOSED
    yield "zeros", "\0" * 20000, 400, CLOSED
    yield "line feeds", "\n" * 20000, 400, CLOSED
    yield "the largest body", post(f"Content-Length: {MAX_BODY}", body=" " * MAX_BODY), 202, SERVED
    yield "a byte more", post(f"Content-Length: {MAX_BODY + 1}", body=" " * (MAX_BODY + 1)), 413, CLOSED
    yield "a chunk of 2^64-1 bytes", chunked("ffffffffffffffff\r\n"), 413, CLOSED
    yield "a chunk of too many bytes", chunked(f"1\r\n \r\n{4 * MAX_BODY:x}\r\n"), 413, CLOSED
    yield "the largest body in chunks", chunked(f"{MAX_BODY:x}\r\n{' ' * MAX_BODY}\r\n{LAST}"), 202, SERVED
    yield "a byte more in chunks", chunked(f"{MAX_BODY + 1:x}\r\n{' ' * (MAX_BODY + 1)}\r\n{LAST}"), 413, CLOSED


def ends():
    for what, text in {"nothing": "", "a letter": "G", "a CR": "\r", "an empty line": "\r\n", "a request line": "GET /healthz HTTP/1.1\r\n",
                       "half a head": get()[:-2], "a head and a CR": get()[:-1], "no body": post(LENGTH, body=""), "half a body": post(LENGTH)[:-3],
                       "no chunk": chunked(""), "half a size": chunked("1"), "half a chunk": chunked("b\r\n{"), "no last chunk": chunked(CHUNKS[:-5]),
                       "no end of trailers": chunked(CHUNKS[:-2] + "A: b\r\n")}.items():
        yield what, text, (), END
    yield "a request", post(LENGTH), 200, END
    yield "a request and a half", post(LENGTH) + post(LENGTH)[:-3], 200, END
    yield "two requests", post(LENGTH) * 2, (200, 200), END
    yield "a wrong one", get("*"), 400, END


def cases():
    for category in (framing, smuggling, line_ends, folding, names, hosts, versions, targets, escapes, pipelining, expectations, chunks,
                     trailers, limits, ends):
        for what, text, statuses, behind in category():
            statuses = (statuses,) if isinstance(statuses, int) else statuses
            yield Case(category.__name__, what, text.encode("latin-1"), statuses, behind)


CASES = list(cases())
IDS = [f"{case.category}: {case.what}" for case in CASES]


def marker(number, *fields):
    """A request to send behind a case: an event of its own."""
    body = '{"e":"m%d"}' % number
    return post(f"Content-Length: {len(body)}", *fields, body=body).encode()


def source(**settings):
    """Takes all of them; the id of a delivery is what a proxy says."""
    fields = {"event": "{body.e}", "resource_type": "raw", "gid": "{body.e}", "delivery_id": "{header.X-Id}"}
    return {"name": "raw", "provider": "custom", "path": "/hook", "verify": "none", "dedupe": "none", "topic": "raw/{event}",
            "fields": fields, **settings}
