"""The program under test: started, watched and stopped as a user or a service manager would."""

import copy
import json
import os
import pathlib
import re
import signal
import subprocess

from lib import http_client, sign
from lib.wait import DEADLINE_S, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("HOOK2MQTT_BUILD", "build")
PROGRAM = pathlib.Path(os.environ.get("HOOK2MQTT", BUILD / "hook2mqtt")).resolve()

SECRET = "itest-secret-9b1dd0c5"
PATH = "/webhooks/partners"
SOURCE = {
    "name": "partners",
    "provider": "creads",
    "path": PATH,
    "secrets": [{"env": "ITEST_PARTNERS_SECRET"}],
    "topic": "partners/{resource_type}/{event}/{gid}",
}
STATE_TOPIC = "partners-state/{resource_type}/{gid}"

# What a sanitizer, or a broken invariant of the program's own, leaves on stderr.
SANITIZER_REPORT = re.compile(
    r"(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:|broken invariant"
)
LOG_FIELD = re.compile(r'([a-z0-9_]+)=("(?:[^"\\]|\\.)*"|[^ "]*)(?: |$)')


class Bridge:
    """
    A configuration and, while it runs, a process. Nothing is started by the constructor.

    config: merged into a default one that uses `broker` (anything with a url; None: nobody there), free ports and an
    outbox in folder. wrapper: a command that runs the program in its place, such as unshare; cli_wrapper: likewise for
    its other commands.
    """

    cli_wrapper = ()

    def __init__(self, folder, broker=None, config=None, *, args=(), env=None, wrapper=()):
        self.folder = folder
        self.args, self.wrapper = args, wrapper
        self.env = {**os.environ, "ITEST_PARTNERS_SECRET": SECRET, **(env or {})}
        self.process = None
        self.stderr_file = folder / "stderr.log"
        self.start_of_log = 0  # where the present process's lines begin
        self.secrets = {SECRET}  # must never be seen in a log
        folder.mkdir(parents=True, exist_ok=True)
        self.config_file = folder / "bridge.json"
        self.config = merged(self._default_config(broker), config or {})
        self.write_config()

    # Life

    def start(self, ready=True):
        self.start_of_log = len(self._stderr_bytes())
        with open(self.stderr_file, "ab") as stderr:
            self.process = subprocess.Popen(
                [*map(str, self.wrapper), PROGRAM, *self.command("run")],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                env=self.env,
                pass_fds=getattr(self, "pass_fds", ()),
            )
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self):
        wanted = len(self.config["ingress"]["listen"]) + len(self.config["admin"]["listen"])
        self.wait_log(lambda: len(self.lines("listening")) >= wanted, f"{wanted} listeners")
        wait_until(self.is_ready, lambda: f"/readyz is 200\n{self.log_text()}")

    def wait_connected(self):
        wait_until(
            lambda: self.metrics().value("broker_connected") == 1,
            lambda: f"connected to the broker\n{self.log_text()}",
        )
        return self

    def stop(self, how=signal.SIGTERM):
        """Asks it to end and returns the exit status."""
        self.process.send_signal(how)
        return self.wait_end()

    def kill(self):
        self.process.kill()
        assert self.wait_end() == -signal.SIGKILL

    def wait_end(self, deadline_s=DEADLINE_S):
        try:
            status = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {deadline_s} s\n{self.log_text()}") from None
        self.process = None
        return status

    def restart(self):
        assert self.stop() == 0
        return self.start()

    def reload(self, *, refused=False):
        """Writes self.config and has it read; returns when the log reports success, or with refused a refusal."""
        msg = "reload refused; the old configuration stays" if refused else "configuration reloaded"
        self.write_config()
        before = len(self.lines(msg))
        self.process.send_signal(signal.SIGHUP)
        self.wait_log(lambda: len(self.lines(msg)) > before, msg)
        return self

    def finish(self):
        """The end of a test: stops what runs, and looks at what it left behind."""
        try:
            if self.process:
                if self.process.poll() is not None:
                    raise AssertionError(f"ended by itself with status {self.process.returncode}")
                assert self.stop() == 0, "SIGTERM must end in status 0"
        finally:
            if self.process:
                self.process.kill()
                self.process.wait(DEADLINE_S)
                self.process = None
            self.check_stderr()

    def check_stderr(self):
        text = self._stderr_bytes().decode(errors="replace")
        report = SANITIZER_REPORT.search(text)
        assert not report, f"{report.group()} on stderr:\n{text[report.start() - 200 :][:6000]}"
        for secret in self.secrets:
            assert secret not in text, "a secret is in the log"

    # Command line

    def command(self, name, *args):
        return [name, "-c", str(self.config_file), *self.args, *map(str, args)]

    def cli(self, name, *args, input=None, config_file=None, expect=0):
        """Runs a subcommand to its end; expect: its exit status, None for any."""
        done = subprocess.run(
            [*self.cli_wrapper, PROGRAM, "-c", str(config_file or self.config_file), name, *map(str, args)],
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            timeout=DEADLINE_S,
            env=self.env,
            check=False,
        )
        text = done.stderr.decode(errors="replace")
        assert not SANITIZER_REPORT.search(text), text
        if expect is not None:
            assert done.returncode == expect, f"{name} {args}: {done.returncode}\n{done.stdout}\n{text}"
        return done

    def rows(self, what, *args):
        """`outbox` or `dead`, as a script would read them, in the order of acceptance."""
        listed = self.cli(what, "ls", "--oldest", "--json", *args).stdout
        return [json.loads(line) for line in listed.splitlines()]

    def write_config(self):
        self.config_file.write_text(json.dumps(self.config, indent=2))

    # Sockets

    def address(self, listener, index=0):
        """(host, port) or the path of the index-th socket of `ingress` or `admin`."""
        found = [
            line["address"]
            for line in self.lines("listening")
            if line.get("listener") == listener
        ]
        return parse_address(found[index])

    @property
    def ingress(self):
        return self.address("ingress")

    @property
    def admin(self):
        return self.address("admin")

    def connect(self, **options):
        """A separate connection to the ingress."""
        return http_client.Connection(self.ingress, **options)

    def post(self, body, *, path=PATH, headers=(), secret=SECRET, connection=None):
        """A signed webhook; on a new connection unless one is given."""
        request = ("POST", path, [*signed(body, secret), *headers], body)
        if connection:
            return connection.request(*request)
        return http_client.fetch(self.ingress, *request)

    def accept(self, body, **options):
        """A webhook that must be accepted; returns its id."""
        answer = self.post(body, **options)
        assert answer.status == 200 and answer.json()["status"] == "accepted", answer
        return answer.json()["id"]

    def get(self, path, listener="admin", headers=()):
        return http_client.fetch(self.address(listener), "GET", path, headers)

    def is_ready(self):
        assert self.process.poll() is None, f"ended with {self.process.returncode}\n{self.log_text()}"
        try:
            return self.get("/readyz").status == 200
        except (OSError, http_client.Closed):
            return False

    def metrics(self):
        answer = self.get("/metrics")
        assert answer.status == 200, answer
        return Metrics(answer.body.decode())

    def wait_metric(self, name, value, **labels):
        wait_until(
            lambda: self.metrics().value(name, **labels) == value,
            lambda: f"{name} {labels} is {value}, not {self.metrics().value(name, **labels)}",
        )

    def resident_kb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def wait_settled(self):
        """Until everything that was accepted is delivered or a dead letter."""
        self.wait_metric("outbox_undelivered_events", 0)
        self.wait_metric("in_flight_events", 0)

    # Log

    def log_text(self):
        return self._stderr_bytes()[self.start_of_log :].decode(errors="replace")

    def log(self):
        """The complete lines of the running process, each as a dict; without `run`'s report on the configuration."""
        text = self.log_text()
        begin = text.find("ts=")
        return [] if begin < 0 else [parse_line(x) for x in text[begin : text.rfind("\n") + 1].splitlines()]

    def lines(self, msg=None, **fields):
        """Log lines with this msg (None: any) and these values."""
        return [
            line
            for line in self.log()
            if (msg is None or line.get("msg") == msg)
            and all(line.get(name) == value for name, value in fields.items())
        ]

    def wait_log(self, condition, what):
        def look():
            found = condition()
            if not found and self.process and self.process.poll() is not None:
                status = self.process.returncode
                raise AssertionError(f"ended with {status} before {what}:\n{self.log_text()}")
            return found

        return wait_until(look, lambda: f"{what}:\n{self.log_text()}")

    def _stderr_bytes(self):
        return self.stderr_file.read_bytes() if self.stderr_file.exists() else b""

    def _default_config(self, broker):
        return {
            "ingress": {"listen": ["127.0.0.1:0"]},
            # Not port 0: the commands that ask the running bridge find it by its configuration.
            "admin": {"listen": [f"unix:{self.folder}/admin.sock"]},
            # Port 9 (discard) of the loopback: nobody there, refused at once.
            "mqtt": {"servers": [broker.url if broker else "mqtt://127.0.0.1:9"]},
            "outbox": {"path": str(self.folder / "outbox.db")},
            "sources": [dict(SOURCE)],
        }


def is_sanitized():
    """The program was built with a sanitizer, which needs memory itself."""
    data = PROGRAM.read_bytes()
    return b"__asan_init" in data or b"__tsan_init" in data


def signed(body, secret=SECRET):
    return [
        ("Content-Type", "application/json"),
        (sign.CREADS_HEADER, sign.creads(secret, body)),
    ]


def source(**settings):
    """`sources` with one entry that differs from the default one."""
    return [{**SOURCE, **settings}]


def merged(base, changes):
    """Objects are merged, everything else is replaced."""
    out = copy.deepcopy(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merged(out[key], value)
        else:
            out[key] = copy.deepcopy(value)
    return out


def parse_address(text):
    if text.startswith("unix:"):
        return text.removeprefix("unix:")
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def parse_line(line):
    """logfmt to a dict; fails on what is not logfmt."""
    fields, at = {}, 0
    while at < len(line):
        found = LOG_FIELD.match(line, at)
        assert found, f"not logfmt from column {at}: {line!r}"
        name, value = found.groups()
        assert name not in fields, f"{name} comes twice: {line!r}"
        fields[name] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        at = found.end()
    return fields


class Metrics:
    """A Prometheus text page; names without the common prefix."""

    PREFIX = "hook2mqtt_"
    SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
    LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')

    def __init__(self, text):
        self.types, self.helps, self.samples = {}, {}, {}
        assert text.endswith("\n")
        for line in text.splitlines():
            self._add(line)

    def value(self, name, **labels):
        """The sum over all samples that have these labels; 0 if there is none."""
        wanted = set(labels.items())
        return sum(
            value
            for (found, found_labels), value in self.samples.items()
            if found == self.PREFIX + name and wanted <= set(found_labels)
        )

    def _add(self, line):
        if line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            assert name not in self.types, f"TYPE of {name} comes twice"
            self.types[name] = kind
        elif line.startswith("# HELP "):
            name, text = line.split(" ", 3)[2:]
            self.helps[name] = text
        elif line and not line.startswith("#"):
            found = self.SAMPLE.match(line)
            assert found, f"not a sample: {line!r}"
            labels = tuple(sorted(self.LABEL.findall(found["labels"] or "")))
            key = (found["name"], labels)
            assert key not in self.samples, f"{line!r} comes twice"
            self.samples[key] = float(found["value"])
