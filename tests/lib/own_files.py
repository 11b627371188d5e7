"""A program that sees other files than everybody else, as in a container."""

import subprocess

import pytest


def own_places(places):
    """A wrapper (see Bridge) for a program that finds the given files or folders in these places: {"/etc": folder}."""
    mounts = "".join(f'mount --bind "{path}" "{place}" && ' for place, path in places.items())
    wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", mounts + 'exec "$@"', "own-files"]
    if subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here, as in a container without CAP_SYS_ADMIN")
    return wrapper


def own_files(**places):
    """hosts=... is /etc/hosts, and so on for everything in /etc."""
    return own_places({f"/etc/{name.replace('_', '.')}": path for name, path in places.items()})


def own_names(folder, names):
    """names: {address: name}, and nothing else resolves."""
    hosts, switch = folder / "hosts", folder / "nsswitch"
    hosts.write_text("".join(f"{address} {name}\n" for address, name in names))
    switch.write_text("hosts: files\n")
    return own_files(hosts=hosts, nsswitch_conf=switch)
