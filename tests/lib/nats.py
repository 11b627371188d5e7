"""A real NATS server, with its MQTT listener, on a free port of 127.0.0.1. It speaks MQTT 3.1.1."""

import os
import shutil
import subprocess

from lib.wait import DEADLINE_S, free_port, port_answers, wait_until

PROGRAM = shutil.which("nats-server", path=f"{os.environ['PATH']}:/usr/sbin")


class Nats:
    """config: the text of a configuration, in which 127.0.0.1:1883 stands for our port, store for our folder."""

    host = "127.0.0.1"

    def __init__(self, folder, config):
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log_file = folder / "nats.log"
        self.config = folder / "nats.conf"
        text = config.replace("127.0.0.1:1883", f"127.0.0.1:{self.port}")
        text = text.replace("127.0.0.1:4222", f"127.0.0.1:{free_port()}").replace("/var/lib/nats", str(folder))
        self.config.write_text(text)
        self.process = None

    @property
    def url(self):
        return f"mqtt://{self.host}:{self.port}"

    def start(self):
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "-c", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(self._is_up, lambda: f"NATS listens:\n{self.log_text()}")
        return self

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait(DEADLINE_S)
            self.process = None

    def log_text(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def _is_up(self):
        assert self.process.poll() is None, self.log_text()
        return port_answers(self.host, self.port)
