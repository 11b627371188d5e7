"""
Starts a program as systemd does with socket activation: activate.py NAME=HOST:PORT … -- PROGRAM ARGS…

Run as a program, not imported: LISTEN_PID has to be the process that becomes the program.
"""

import os
import socket
import sys

FIRST = 3  # SD_LISTEN_FDS_START


def main():
    split = sys.argv.index("--")
    names = []
    sockets = []
    for item in sys.argv[1:split]:
        name, address = item.split("=", 1)
        host, port = address.rsplit(":", 1)
        names.append(name)
        sockets.append(socket.create_server((host, int(port))))
    # First out of the way of the numbers that they are to have.
    high = [os.dup2(one.fileno(), 100 + i) for i, one in enumerate(sockets)]
    for i, fd in enumerate(high):
        os.dup2(fd, FIRST + i, inheritable=True)
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = str(len(sockets))
    os.environ["LISTEN_FDNAMES"] = ":".join(names)
    os.closerange(FIRST + len(sockets), 200)
    os.execv(sys.argv[split + 1], sys.argv[split + 1 :])


main()
