"""`trigger`, run through a recording proxy: what it printed, and the requests that it sent."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Sent:
    method: str
    path: str
    headers: tuple  # pairs, in order
    body: bytes

    def header(self, name):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) == 1, f"{name} comes {len(values)} times in {self.headers}"
        return values[0]


def requests_in(recorded):
    """The requests in a recorded stream."""
    found, rest = [], bytes(recorded)
    while rest:
        head, rest = rest.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _version = first.split(" ")
        headers = tuple(tuple(part.strip() for part in line.split(":", 1)) for line in lines)
        one = Sent(method, path, headers, b"")
        length = int(one.header("Content-Length"))
        found.append(dataclasses.replace(one, body=rest[:length]))
        rest = rest[length:]
    return found


def trigger(start, bridge, source, *args, expect=0):
    """source: an entry of `sources`. Returns (the lines it printed, what it sent)."""
    proxy = start.proxy(bridge.ingress, record=True)
    url = f"http://{proxy.host}:{proxy.port}{source['path']}"
    done = bridge.cli("trigger", source["name"], "--url", url, *args, expect=expect)
    return done.stdout.decode().splitlines(), [one for link in proxy.links for one in requests_in(link.to_server)]


def listed(bridge, source):
    """The names that `trigger --list` prints."""
    return bridge.cli("trigger", source["name"], "--list").stdout.decode().splitlines()


def accepted_ids(lines):
    """The ids in `200 accepted <id> …`; fails if one was not accepted."""
    assert all(line.startswith("200 accepted ") for line in lines), lines
    return [line.split()[2] for line in lines]
