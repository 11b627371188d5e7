"""The load generator and the subscriber of this folder: compiled when needed, started, and read out at their end."""

import contextlib
import json
import os
import pathlib
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
    """Path of a program, newer than its sources."""
    program, sources = BUILD / name, [HERE / source for source in SOURCES[name]]
    newest = max(path.stat().st_mtime for path in [*sources, *HERE.glob("*.h")])
    if not program.exists() or program.stat().st_mtime < newest:
        BUILD.mkdir(parents=True, exist_ok=True)
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, *FLAGS, "-o", program, *sources, "-lcrypto"], check=True)
    return program


@contextlib.contextmanager
def scratch(kind):
    """
    A folder on the disk that holds the build (not a memory file system); kept if the block fails. Ends the program
    without more words when it is interrupted.
    """
    (ROOT / "build").mkdir(exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=ROOT / "build"))
    try:
        yield folder
    except KeyboardInterrupt:
        shutil.rmtree(folder)
        sys.exit("interrupted")
    except BaseException:
        print(f"left for a look: {folder}", flush=True)
        raise
    shutil.rmtree(folder)


def end_on_sigterm():
    """SIGTERM ends us as Ctrl-C does, so that what we started is stopped."""

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
        """Asks it to end."""
        self.process.send_signal(signal.SIGTERM)
        return self.result(DEADLINE_S)

    def result(self, deadline_s=None):
        """What it says at its end."""
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
