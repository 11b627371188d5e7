"""Whether this machine has IPv6: a container has none by default."""

import contextlib
import socket

import pytest


def has_ipv6():
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here, as in a container by default")
