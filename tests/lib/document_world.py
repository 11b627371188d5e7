#!/usr/bin/python3
"""
Runs the commands of one document as they are written: document_world.py PROGRAM FOLDER PAGE

FOLDER becomes a checkout with a built program. Ports are the real ones, so this has to run in a network namespace of
its own (`unshare` starts it). Below FOLDER is also what /etc/hook2mqtt, /var/lib/hook2mqtt, /run/hook2mqtt and
/var/backups stand for, and tools that would change the machine are replaced by document_tools.py.

Each block goes on where the one before ended, in the same directory and with the same variables; a block that stays
running has a terminal of its own. Prints what went wrong, and exits 1.
"""

import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib.documents import ROOT, blocks_of  # noqa: E402

DEADLINE_S = float(os.environ.get("TEST_DEADLINE", 30))
TOOLS = [
    "apt-get", "docker-compose", "hook2mqtt", "install", "journalctl", "make", "mosquitto_sub", "sqlite3", "sudo", "systemctl",
]
MOVED = ("/etc/hook2mqtt", "/etc/mosquitto/conf.d", "/etc/mosquitto", "/var/lib/hook2mqtt", "/run/hook2mqtt", "/var/backups")
DEBUG = re.compile(r"^(Client \S+ (sending|received|sent) |Subscribed \(mid)")


class Failed(Exception):
    pass


class World:
    def __init__(self, program, folder):
        self.folder, self.checkout = folder, folder / "checkout"
        self.terminals = {}
        self._make_checkout(pathlib.Path(program))
        self._make_tools(program)
        for path in MOVED:
            (folder / path[1:]).mkdir(parents=True, exist_ok=True)
        self.env = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}:/usr/sbin:/sbin", "HOME": str(folder / "home"), "LANG": "C.UTF-8",
            "DOCUMENT_FOLDER": str(folder), "DOCUMENT_PROGRAM": program, "PYTHONDONTWRITEBYTECODE": "1",
            # The leak sanitizer of a SAN build finds no threads in another PID namespace.
            "ASAN_OPTIONS": "detect_leaks=0",
        }
        (folder / "home").mkdir()
        (folder / "state").write_text(f"cd {self.checkout}\n")

    def _make_checkout(self, program):
        """All that `make` looks at, in an order that makes it find the program up to date."""
        shutil.copytree(ROOT / "config", self.checkout / "config")
        for name in ("Makefile", "docker-compose.yml"):
            shutil.copy(ROOT / name, self.checkout / name)
        (self.checkout / "tests").symlink_to(ROOT / "tests")
        for name in ("bridge/main.c", *(f"bridge/mqtt/{part}.c" for part in ("lean", "seam", "writes"))):
            self._touch(name, 1)
            self._touch(f"build/obj/{name[:-2]}.o", 2)
        shutil.copytree(ROOT / "bridge/provider", self.checkout / "bridge/provider")
        for path in (self.checkout / "bridge/provider").rglob("*"):
            os.utime(path, (1, 1))
        # make writes it anew, and keeps this one if nothing has changed.
        shutil.copy(program.parent / "presets.c", self.checkout / "build/presets.c")
        self._touch("build/presets.c", 1)
        for name in (self.checkout / "bridge/provider").glob("*.c"):
            self._touch(f"build/obj/bridge/provider/{name.stem}.o", 2)
        self._touch("build/presets.o", 2)
        os.utime(self.checkout / "Makefile", (1, 1))
        (self.checkout / "common").mkdir()
        (self.checkout / "build/run").mkdir(parents=True)
        self._touch("build/libmicrohttpd.a", 2)
        self._touch("build/libhook2mqtt.a", 3)
        shutil.copy(program, self.checkout / "build/hook2mqtt")

    def _touch(self, name, time_s):
        path = self.checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (time_s, time_s))

    def _make_tools(self, program):
        (self.folder / "bin").mkdir()
        for tool in TOOLS:
            (self.folder / "bin" / tool).symlink_to(ROOT / "tests/lib/document_tools.py")

    def _moved(self, text):
        return re.sub("|".join(map(re.escape, MOVED)), lambda found: f"{self.folder}{found[0]}", text)

    def script(self, text):
        return f". {self.folder}/state\nset -e\n{self._moved(text)}\n"

    # Blocks

    def run(self, block):
        name = block.marks.get("in")
        if name:
            self._open(name, block)
        elif block.language == "console":
            self._converse(block)
        else:
            output = self._call(block.text)
            self._expect(block.marks.get("shows"), lambda: output)
        if "then" in block.marks:
            terminal, wanted = block.marks["then"].split(": ", 1)
            self._expect(wanted, lambda: self._output(terminal))

    def _call(self, text):
        save = f"{{ export -p; echo cd \"$PWD\"; }} > {self.folder}/state"
        done = subprocess.run(
            ["bash", "-c", f"{self.script(text)}{save}"], env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE_S, errors="replace",
        )
        if done.returncode:
            raise Failed(f"exit status {done.returncode}:\n{done.stdout}{self._all_output()}")
        return done.stdout

    def _converse(self, block):
        """`$ command` lines, each followed by what it prints; … stands for anything."""
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            command = lines.pop(0)
            while command.endswith("\\"):
                command += "\n" + lines.pop(0)
            output = self._call(command)
            printed = [line.rstrip() for line in output.splitlines() if not DEBUG.match(line)]
            pattern = r"\n".join(re.escape(line).replace("…", ".*") for line in lines if line)
            if not re.fullmatch(pattern, "\n".join(line for line in printed if line), re.DOTALL):
                raise Failed(f"`{command}` printed:\n{output}")

    def _open(self, name, block):
        self._close(name)
        log = self.folder / f"terminal-{name}"
        with open(log, "wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", self.script(block.text)], env=self.env, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )
        self.terminals[name] = process, log
        if "mosquitto_sub" in block.text:
            self._expect(r"^Subscribed \(mid", lambda: self._output(name))
        self._expect(block.marks.get("until"), lambda: self._output(name))

    def _close(self, name):
        if name in self.terminals:
            process = self.terminals.pop(name)[0]
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(DEADLINE_S)

    def _output(self, name):
        return self.terminals[name][1].read_text(errors="replace")

    def _all_output(self):
        return "".join(f"--- {name}:\n{self._output(name)}" for name in self.terminals)

    def _expect(self, wanted, output):
        give_up = time.monotonic() + DEADLINE_S
        while wanted and not re.search(wanted, output(), re.MULTILINE):
            if time.monotonic() > give_up:
                raise Failed(f"`{wanted}` did not appear in:\n{output()}{self._all_output()}")
            time.sleep(0.02)

    def close(self):
        for name in list(self.terminals):
            self._close(name)
        subprocess.run([self.folder / "bin/systemctl", "cleanup"], env=self.env, check=False)


def commands_of(page, section=None):
    for block in blocks_of(page):
        if "after" in block.marks:
            yield from commands_of(*block.marks["after"].split("#"))
        if section not in (None, block.section):
            continue
        if block.language in ("sh", "console") and "by" not in block.marks:
            yield block


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        request = struct.pack("16sh14x", b"lo", 0x1)  # IFF_UP
        fcntl.ioctl(one, 0x8914, request)  # SIOCSIFFLAGS


def main():
    program, folder, page = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    raise_loopback()
    world = World(program, folder)
    try:
        for block in commands_of(page):
            try:
                world.run(block)
            except (Failed, subprocess.TimeoutExpired) as error:
                sys.exit(f"{block}: {error}\n--- block:\n{block.text}")
    finally:
        world.close()


main()
