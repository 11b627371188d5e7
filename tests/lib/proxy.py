"""A TCP proxy that misbehaves on demand (cut, stall, delay, refuse) and records the traffic."""

import contextlib
import socket
import threading
import time

from lib.wait import DEADLINE_S, wait_until


class Proxy:
    """
    Listens on a free port of 127.0.0.1 and connects each client to target, a (host, port).
    edit: given the first bytes from the server, a function gives a list of pieces to send in their place.
    bytes_per_s: how fast it reads from clients.
    """

    def __init__(self, target, *, record=False, edit=None, bytes_per_s=None):
        self.target = target
        self.record = record
        self.edit, self.bytes_per_s = edit, bytes_per_s
        self.links = []  # of all time
        self.delay_s = 0.0
        self.flowing = threading.Event()
        self.flowing.set()
        self.host, self.port = "127.0.0.1", 0
        self.listener = None
        self.resume()

    @property
    def url(self):
        return f"mqtt://{self.host}:{self.port}"

    def cut(self):
        """Ends all connections, with a reset."""
        for link in list(self.links):
            link.cut()

    def stall(self):
        """Keeps connections open, but reads and forwards nothing more, either way, until resume()."""
        self.flowing.clear()

    def refuse(self):
        """Ends all connections and refuses new ones, until resume()."""
        if self.listener:
            # shutdown wakes the thread that sits in accept(); close alone does not.
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.accepting.join(DEADLINE_S)
            self.listener = None
        self.cut()

    def resume(self):
        """Undoes stall() and refuse()."""
        self.flowing.set()
        if not self.listener:
            self.listener = socket.create_server((self.host, self.port))
            if self.bytes_per_s:
                self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.port = self.listener.getsockname()[1]
            self.accepting = threading.Thread(
                target=self._accept, args=(self.listener,), daemon=True
            )
            self.accepting.start()

    def close(self):
        self.refuse()
        self.flowing.set()
        for link in self.links:
            link.join()

    def open_links(self):
        return [link for link in self.links if link.open]

    def wait_for_link(self):
        return wait_until(self.open_links, "a connection through the proxy")[0]

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target, timeout=DEADLINE_S)
            except OSError:
                reset(client)
                continue
            link = Link(self, client, server)
            self.links.append(link)  # before anything passes: what has passed is looked for here
            link.start()


class Link:
    """One client's connection, forwarded both ways."""

    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.sockets = (client, server)
        self.open = True
        self.to_server, self.to_client = bytearray(), bytearray()  # if recorded
        self.threads = [
            threading.Thread(target=self._pump, args=(client, server, self.to_server), daemon=True),
            threading.Thread(target=self._pump, args=(server, client, self.to_client), daemon=True),
        ]
        for sock in self.sockets:
            sock.settimeout(None)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self):
        for thread in self.threads:
            thread.start()

    def cut(self):
        self.open = False
        for sock in self.sockets:
            reset(sock)

    def join(self):
        for thread in self.threads:
            thread.join(DEADLINE_S)

    def _pump(self, source, sink, recorded):
        edit = self.proxy.edit if source is self.sockets[1] else None
        rate = self.proxy.bytes_per_s if source is self.sockets[0] else None
        with contextlib.suppress(OSError):
            while True:
                self.proxy.flowing.wait()
                data = source.recv(rate // 10 if rate else 65536)
                # A stall that began while we waited in recv holds these bytes back as well.
                self.proxy.flowing.wait()
                if not data:
                    break
                if self.proxy.delay_s:
                    time.sleep(self.proxy.delay_s)
                if rate:
                    time.sleep(len(data) / rate)
                if self.proxy.record:
                    recorded.extend(data)
                for piece in edit(data) if edit else [data]:
                    sink.sendall(piece)
                edit = None
        # Also after a reset, which is how a killed peer with unread bytes ends.
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        self.open = False


def reset(sock):
    """Closes with RST; first a shutdown, so that a thread that sits in recv() on it wakes up."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
