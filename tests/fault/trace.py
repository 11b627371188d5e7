"""strace as a fault injector, and what its trace says about which bytes were on disk at the end."""

import collections
import pathlib
import re
import shutil
import subprocess

from lib.wait import DEADLINE_S, wait_until

WRITES = ("pwrite64", "write")
SYNCS = ("fdatasync", "fsync")
CALL = re.compile(r"^(\d+) +(\w+)\((?:\d+<([^>]*)>)?(.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")


def options(paths, syscall, fault, nth, output):
    """
    fault: as in strace(1), such as signal=SIGKILL or error=EIO. nth counts by thread, and may be a range such as 3..9;
    only calls on these paths count.
    """
    calls = ",".join(dict.fromkeys((*WRITES, *SYNCS, "ftruncate", "unlink", syscall)))
    return [
        *("-f", "-q", "-y", "-s", "0", "-o", str(output)),
        *(part for path in paths for part in ("-P", str(path))),
        *("-e", f"trace={calls}", "-e", f"inject={syscall}:{fault}:when={nth}", "-e", "signal=kill"),
    ]


def wrapper(*args):
    """Runs a program under strace, but with the process id, signals and exit status of the program."""
    return [shutil.which("strace"), "-D", *options(*args)]


class Attached:
    """strace on all threads of a process that runs already."""

    def __init__(self, pid, *args):
        self.process = subprocess.Popen(
            ["strace", *options(*args), "-p", str(pid)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        wait_until(lambda: self._holds(pid), "strace is attached to every thread")

    def close(self):
        """After the process has ended, and strace with it."""
        self.process.communicate(timeout=DEADLINE_S)

    def _holds(self, pid):
        assert self.process.poll() is None, self.process.stderr.read()
        return all("TracerPid:\t0\n" not in path.read_text() for path in _status_files(pid))


def wait_written(trace, pid):
    """The traced process has ended; so has the writing about it, of which its first thread's end is the last line."""
    end = re.compile(rf"^{pid} +\+\+\+ ", re.MULTILINE)
    wait_until(lambda: end.search(trace.read_text()), lambda: f"the end of the trace: {trace.read_text()[-500:]}")


def was_injected(trace):
    """True for an error; an injected signal leaves no trace but its effect."""
    return "(INJECTED)" in trace.read_text()


def lose_unsynced(trace, paths, fate, renamed=()):
    """
    As after a power cut: of every write that no successful sync followed, `fate` bytes (a function of its length) are
    left, the rest is zeros. renamed: an end of a name, and what becomes of it. Returns how many writes that hit.
    """
    unsynced = _unsynced_writes(trace)
    count = 0
    for before, after in dict(renamed).items():
        for path in paths:
            name = str(path)
            if name.endswith(before) and not path.exists():
                unsynced[name.removesuffix(before) + after] += unsynced.pop(name, [])
    for path in paths:
        if path.exists():
            with open(path, "r+b") as file:
                size = path.stat().st_size
                for offset, length in unsynced[str(path)]:
                    keep = fate(length)
                    end = min(offset + length, size)
                    if offset + keep < end:
                        file.seek(offset + keep)
                        file.write(bytes(end - offset - keep))
                        count += 1
    return count


def _unsynced_writes(trace):
    unsynced = collections.defaultdict(list)
    syncing = {}  # by thread: the path, and how many writes its sync covers
    for line in trace.read_text().splitlines():
        call, resumed = CALL.match(line), RESUMED.match(line)
        if call:
            thread, name, path, rest = call.groups()
            if name == "pwrite64":
                length, offset = re.search(r", (\d+), (\d+)(?:\)| <unfinished)", rest).groups()
                unsynced[path].append((int(offset), int(length)))
            elif name in SYNCS:
                syncing[thread] = path, len(unsynced[path])
        elif resumed:
            thread, name, rest = resumed.groups()
        else:
            continue
        if name in SYNCS and thread in syncing and re.search(r"\) += 0$", rest):
            path, covered = syncing.pop(thread)
            del unsynced[path][:covered]
    return unsynced


def _status_files(pid):
    return pathlib.Path(f"/proc/{pid}/task").glob("*/status")
