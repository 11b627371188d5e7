"""A real Mosquitto with its own configuration on free ports of 127.0.0.1."""

import subprocess

from lib.wait import DEADLINE_S, free_port, port_answers, wait_until


class Broker:
    """
    users: {name: password}; without it anybody may connect. acl: text of an acl_file.
    tls: (ca, cert, key) paths; client_certificates: clients must show one of that authority.
    websockets: a second listener for them. lines: more lines for mosquitto.conf, listener_lines: for its listener. host: "::1" for IPv6.
    """

    def __init__(self, folder, *, users=None, acl=None, tls=None, client_certificates=False,
                 websockets=False, max_packet_size=None, max_inflight_messages=256, lines=(), listener_lines=(), host="127.0.0.1"):
        self.folder = folder
        self.host, self.port = host, free_port()
        self.websocket_port = free_port() if websockets else None
        self.users, self.acl, self.tls = users, acl, tls
        self.client_certificates = client_certificates
        self.lines, self.listener_lines = list(lines), list(listener_lines)
        self.lines.append(f"max_inflight_messages {max_inflight_messages}")
        if max_packet_size:
            self.lines.append(f"max_packet_size {max_packet_size}")
        self.process = None
        self.log_file = folder / "mosquitto.log"
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    @property
    def websocket_url(self):
        return f"{'wss' if self.tls else 'ws'}://{self.host}:{self.websocket_port}"

    def start(self):
        self.process = self._spawn()
        wait_until(self._is_up, lambda: f"Mosquitto listens:\n{self.log_text()}")
        return self

    def stop(self):
        """As an operator would, with SIGTERM; nothing if it is not running."""
        self._end(subprocess.Popen.terminate)

    def kill(self):
        self._end(subprocess.Popen.kill)

    def restart(self):
        self.stop()
        return self.start()

    def log_text(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def _spawn(self):
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(self._config()) + "\n")
        with open(self.log_file, "ab") as log:
            return subprocess.Popen(
                ["mosquitto", "-c", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _is_up(self):
        assert self.process.poll() is None, self.log_text()
        return port_answers(self.host, self.port)

    def _end(self, how):
        if self.process:
            how(self.process)
            self.process.wait(DEADLINE_S)
            self.process = None

    def _config(self):
        yield "user root"
        yield "persistence false"
        yield "set_tcp_nodelay true"
        yield "max_queued_messages 0"
        yield "log_dest stderr"
        yield "log_type all"
        yield "connection_messages true"
        if self.users is None:
            yield "allow_anonymous true"
        else:
            yield "allow_anonymous false"
            yield f"password_file {self._password_file()}"
        if self.acl is not None:
            acl_file = self.folder / "acl"
            acl_file.write_text(self.acl)
            yield f"acl_file {acl_file}"
        yield from self.lines
        yield f"listener {self.port} {self.host}"
        yield from self.listener_lines
        yield from self._tls_lines()
        if self.websocket_port:
            yield f"listener {self.websocket_port} {self.host}"
            yield "protocol websockets"
            yield from self._tls_lines()

    def _tls_lines(self):
        if self.tls:
            ca, cert, key = self.tls
            yield f"cafile {ca}"
            yield f"certfile {cert}"
            yield f"keyfile {key}"
            yield f"require_certificate {'true' if self.client_certificates else 'false'}"

    def _password_file(self):
        path = self.folder / "passwords"
        path.write_text("")
        for name, password in self.users.items():
            subprocess.run(
                ["mosquitto_passwd", "-b", path, name, password], check=True, capture_output=True
            )
        return path
