"""Compiles the load generator and the subscriber of this folder when needed, runs them, and reads their results."""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

from lib.bridge import ROOT, SECRET
from lib.wait import DEADLINE_S

HERE = pathlib.Path(__file__).resolve().parent
BUILD = ROOT / "build" / "bench"
SOURCES = {"load": ("load.c", "client.c", "webhook.c"), "drain": ("drain.c", "packet.c")}
FLAGS = ("-std=gnu17", "-O2", "-g", "-Wall", "-Wextra", "-D_GNU_SOURCE", f"-I{ROOT}")


def tool(name):
    """Returns the path of a program, and compiles it if its sources are newer."""
    program, sources = BUILD / name, [HERE / source for source in SOURCES[name]]
    newest = max(path.stat().st_mtime for path in [*sources, *HERE.glob("*.h")])
    if not program.exists() or program.stat().st_mtime < newest:
        BUILD.mkdir(parents=True, exist_ok=True)
        compiler = shlex.split(os.environ.get("CC", "cc"))
        fresh = program.with_suffix(f".{os.getpid()}")
        subprocess.run([*compiler, *FLAGS, "-o", fresh, *sources, "-lcrypto"], check=True)
        fresh.replace(program)  # at once: another test may compile or run it just now
    return program


@contextlib.contextmanager
def scratch(kind):
    """
    A folder on the same disk as the build (not in memory); kept if the block fails. An interrupt ends the program
    without a traceback.
    """
    (ROOT / "build").mkdir(exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=ROOT / "build"))
    try:
        yield folder
    except KeyboardInterrupt:
        shutil.rmtree(folder)
        sys.exit("interrupted")
    except BaseException:
        print(f"kept for inspection: {folder}", flush=True)
        raise
    shutil.rmtree(folder)


def end_on_sigterm():
    """Makes SIGTERM act like Ctrl-C, so that the programs that we started are stopped."""

    def stop(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)


class Tool:
    """One run of a program that prints one line of JSON at its end."""

    def __init__(self, name, **options):
        command = [tool(name)]
        for option, value in options.items():
            if value is True:
                command.append("--" + option.replace("_", "-"))
            elif value is not None and value is not False:
                command += ["--" + option.replace("_", "-"), str(value)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """Asks the program to end. Returns its result."""
        self.process.send_signal(signal.SIGTERM)
        return self.result(DEADLINE_S)

    def result(self, deadline_s=None):
        """Waits for the program to end. Returns its result."""
        try:
            text, _ = self.process.communicate(timeout=deadline_s)
        except BaseException:
            self.kill()
            raise
        assert self.process.returncode == 0, f"ended with {self.process.returncode}"
        return json.loads(text.splitlines()[-1])


class Load(Tool):
    """Running when the constructor returns. options: those of load, with _ for -."""

    def __init__(self, port, **options):
        super().__init__("load", secret=SECRET, port=port, **options)


class Drain(Tool):
    """Subscribed when the constructor returns."""

    def __init__(self, port, **options):
        super().__init__("drain", port=port, **options)
        line = self.process.stdout.readline()
        assert line == "subscribed\n", line
