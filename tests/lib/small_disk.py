"""A disk that can be filled."""

import os
import pathlib
import subprocess

import pytest


class SmallDisk:
    """A file system of few MB in a separate mount namespace, which lives as long as a process in it."""

    def __init__(self, folder, size="3m"):
        self.path = folder / "disk"
        self.path.mkdir()
        script = f'mount -t tmpfs -o size={size} none "{self.path}" && echo mounted && exec sleep infinity'
        self.keeper = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script],
            stdout=subprocess.PIPE,
        )
        if self.keeper.stdout.readline() != b"mounted\n":
            self.keeper.wait()
            pytest.skip("mounting is not allowed here, as in a container without CAP_SYS_ADMIN")
        # To run a program there, and to see its files from here.
        self.wrapper = ["nsenter", f"--mount=/proc/{self.keeper.pid}/ns/mnt", "--"]
        self.seen = pathlib.Path(f"/proc/{self.keeper.pid}/root{self.path}")

    def run(self, *command):
        """A program there, to its end; returns its output."""
        return subprocess.run([*self.wrapper, *command], check=True, capture_output=True).stdout

    def fill(self, leave=0):
        """As somebody else would, to the last byte, or until so many are left."""
        with open(self.seen / "filler", "wb", buffering=0) as filler:
            while leave and self.free_bytes() > leave:
                filler.write(bytes(4096))
            if leave:
                return
            with pytest.raises(OSError, match="No space left"):
                while True:
                    filler.write(bytes(4096))

    def free_bytes(self):
        fs = os.statvfs(self.seen)
        return fs.f_bavail * fs.f_frsize

    def make_room(self):
        (self.seen / "filler").unlink()

    def close(self):
        self.keeper.kill()
        self.keeper.wait()
        self.keeper.stdout.close()
