"""The files of TLS: renewed, spoilt, checked; and the commands that use them."""

import datetime
import os
import re
import ssl
import subprocess
import tempfile

import pytest

from lib import documents, http_client
from lib.certs import openssl
from lib.tls_client import TlsConnection, accept, connect, files_of, serial
from lib.wait import free_port

READ_AGAIN = "certificate read again"
UNUSABLE = "a certificate has changed but cannot be used; the old one stays"


@pytest.fixture
def bridge(start, server_pair):
    return start.bridge(None, {"ingress": {"tls": files_of(server_pair)}})


# Renewal


@pytest.fixture
def renewable(start, authority, tmp_path):
    """A bridge whose certificate is at fixed paths, as certbot has it: symbolic links."""
    live = tmp_path / "live"
    live.mkdir()
    put(live, authority.issue("first"))
    bridge = start.bridge(None, {"ingress": {"tls": files_of((live / "fullchain.pem", live / "privkey.pem"))}})
    bridge.live = live
    return bridge


def put(live, pair, names=("fullchain.pem", "privkey.pem")):
    for name, file in zip(names, pair):
        new = live / f"{name}.new"
        new.symlink_to(file)
        new.rename(live / name)


def shown(bridge, authority):
    with connect(bridge, authority) as connection:
        accept(bridge, connection)
        return serial(connection)


def test_a_renewed_certificate_is_found_without_being_told(renewable, authority):
    with connect(renewable, authority) as kept:
        before = serial(kept)
        accept(renewable, kept)
        put(renewable.live, authority.issue("second"))
        renewable.wait_log(lambda: renewable.lines(READ_AGAIN), READ_AGAIN)
        assert shown(renewable, authority) != before
        accept(renewable, kept)
    assert not renewable.lines(UNUSABLE)


def test_a_reload_reads_it_again(renewable, authority):
    before = shown(renewable, authority)
    with connect(renewable, authority) as kept:
        put(renewable.live, authority.issue("second"))
        renewable.reload()
        assert shown(renewable, authority) != before
        accept(renewable, kept)
    renewable.config["ingress"]["tls"] = files_of(authority.issue("third"))  # at other paths
    renewable.reload()
    assert not [x for x in renewable.lines() if "restart" in x["msg"]]
    assert shown(renewable, authority) != before


def test_every_thread_takes_a_renewed_certificate_while_clients_come(start, authority, tmp_path):
    put(tmp_path, authority.issue("first"))
    files = files_of((tmp_path / "fullchain.pem", tmp_path / "privkey.pem"))
    bridge = start.bridge(None, {"ingress": {"tls": files, "threads": 3}})
    for name in ("second", "third"):
        before, found = shown(bridge, authority), len(bridge.lines(READ_AGAIN))
        put(tmp_path, authority.issue(name))
        while len(bridge.lines(READ_AGAIN)) == found:
            shown(bridge, authority)
        assert before not in [shown(bridge, authority) for _ in range(30)]
        bridge.reload()
    assert len(bridge.lines(READ_AGAIN)) == 4  # by itself and by the reload, each once


@pytest.mark.parametrize("fault", ["mismatch", "nonsense", "missing", "expired"])
def test_a_bad_new_certificate_leaves_the_old_one_in_force(renewable, authority, fault):
    before = shown(renewable, authority)
    if fault == "mismatch":
        put(renewable.live, (authority.issue("other")[0],))
    elif fault == "expired":
        put(renewable.live, authority.issue("other", days=-1))
    elif fault == "nonsense":
        (renewable.live / "nonsense").write_text("no certificate")
        put(renewable.live, (renewable.live / "nonsense",))
    else:
        (renewable.live / "fullchain.pem").unlink()
    renewable.wait_log(lambda: renewable.lines(UNUSABLE), UNUSABLE)
    renewable.reload(refused=True)
    assert shown(renewable, authority) == before
    assert len(renewable.lines(UNUSABLE)) == 1
    put(renewable.live, authority.issue("good"))
    renewable.wait_log(lambda: renewable.lines(READ_AGAIN), READ_AGAIN)
    assert shown(renewable, authority) != before


def test_tls_itself_needs_a_restart(start, bridge, authority):
    del bridge.config["ingress"]["tls"]
    bridge.reload()
    assert "ingress.tls.cert_file" in bridge.lines("these settings have changed and take effect after a restart")[0]["settings"]
    with connect(bridge, authority) as connection:
        accept(bridge, connection)


def test_the_expiry_is_a_metric(renewable, authority):
    def expiry(cert):
        text = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-in", cert], capture_output=True, text=True, check=True).stdout
        return datetime.datetime.strptime(text.strip(), "notAfter=%b %d %H:%M:%S %Y GMT").replace(tzinfo=datetime.timezone.utc).timestamp()

    name = "certificate_expiry_timestamp_seconds"
    assert renewable.metrics().value(name, listener="ingress") == expiry(renewable.live / "fullchain.pem")
    assert renewable.metrics().value(name, listener="admin") == 0
    put(renewable.live, authority.issue("later", days=30))
    renewable.wait_metric(name, expiry(authority.folder / "later.crt"), listener="ingress")


# check, and the other commands


def check(start, files, listener="ingress"):
    bridge = start.bridge(None, {listener: {"tls": files}}, start=False)
    done = bridge.cli("check", expect=None)
    return done.returncode, (done.stdout + done.stderr).decode()


def test_check_finds_what_is_wrong(start, authority, stranger, server_pair, tmp_path):
    fine, key = authority.issue("fine", days=60)
    other = authority.issue("other", days=60)
    os.chmod(key, 0o600)
    pem = tmp_path / "x.pem"
    assert check(start, files_of((fine, key)))[0] == 0

    for files, where, what in [
        (files_of((tmp_path / "none", key)), "cert_file", "No such file"),
        (files_of((fine, tmp_path / "none")), "key_file", "No such file"),
        (files_of((fine, key), tmp_path / "none"), "client_ca_file", "No such file"),
        (files_of((key, key)), "cert_file", "is not a PEM file with a CERTIFICATE"),
        (files_of((fine, fine)), "key_file", "is not a PEM file with a PRIVATE KEY"),
        (files_of((fine, other[1])), "key_file", "does not belong to the certificate"),
        ({"cert_file": str(fine)}, "cert_file", "is not a PEM file with a PRIVATE KEY"),
        (files_of(authority.issue("late", days=-1)), "cert_file", "expired on"),
    ]:
        for listener in ("ingress", "admin"):
            status, said = check(start, files, listener)
            assert status == 1 and re.search(rf"{listener}\.tls\.{where}: .*{what}", said), said
    status, said = check(start, {"key_file": str(key)})
    assert status == 1 and "ingress.tls.cert_file: is missing" in said

    status, said = check(start, files_of(server_pair))
    assert status == 0 and re.search(r"ingress\.tls\.cert_file: warning: expires on .*, in 1 days", said), said
    pem.write_bytes(authority.cert.read_bytes() + fine.read_bytes())
    status, said = check(start, files_of((pem, key)))
    assert status == 1 and "number 2" in said, said
    pem.write_bytes(fine.read_bytes() + other[0].read_bytes())
    status, said = check(start, files_of((pem, key)))
    assert status == 0 and "certificate 2 in it did not issue certificate 1" in said, said
    encrypted = tmp_path / "encrypted.key"
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", encrypted)
    assert "is encrypted" in check(start, files_of((fine, encrypted)))[1]
    os.mkfifo(tmp_path / "pipe")
    assert check(start, files_of((tmp_path / "pipe", key)))[0] == 1


def test_it_does_not_start_without_its_certificate(start, server_pair, tmp_path):
    bridge = start.bridge(None, {"ingress": {"tls": files_of((tmp_path / "none", server_pair[1]))}}, start=False)
    bridge.start(ready=False)
    assert bridge.wait_end() not in (0, 78)  # it may still come


def test_it_starts_with_an_outdated_one_and_says_so(start, authority):
    bridge = start.bridge(None, {"ingress": {"tls": files_of(authority.issue("late", days=-1))}})
    assert "expired on" in bridge.lines("clients will refuse the certificate")[0]["why"]
    with connect(bridge, None) as connection:
        accept(bridge, connection)


def commands(start, tls_files, *, unix=False):
    ports = free_port(), free_port()
    listen = [[f"127.0.0.1:{port}"] for port in ports]
    bridge = start.bridge(None, {"ingress": {"tls": tls_files, "listen": listen[0]}, "admin": {"tls": tls_files, "listen": listen[1]}}, start=False)
    if unix:
        for key in ("ingress", "admin"):
            bridge.config[key]["listen"].append(f"unix:{bridge.folder}/{key}.sock")
        bridge.write_config()
    bridge.is_ready = lambda: bridge.cli("health", "--ready", expect=None).returncode == 0
    return bridge.start()


@pytest.mark.parametrize("unix", [False, True])
def test_the_commands_reach_the_bridge_through_its_tls(start, authority, server_pair, unix):
    bridge = commands(start, files_of(server_pair, authority.cert if unix else None), unix=unix)
    assert bridge.cli("health").stdout == b"ok\n"
    assert bridge.cli("trigger", "partners", "project:resource.updated").stdout.startswith(b"200 accepted ")
    assert bridge.cli("outbox", "drop", "--all").stdout == b"dropped 1\n"


def test_commands_that_send_something_want_the_bridges_own_key(start, authority, server_pair):
    bridge = commands(start, files_of(server_pair))
    bridge.config["admin"]["tls"] = bridge.config["ingress"]["tls"] = files_of(authority.issue("other"))
    bridge.write_config()
    assert b"pinned" in bridge.cli("trigger", "partners", "project:resource.updated", expect=1).stderr
    assert b"pinned" in bridge.cli("outbox", "drop", "--all", expect=None).stderr or not bridge.rows("outbox")
    assert bridge.cli("health").stdout == b"ok\n"


def test_operators_are_served_and_refused_alike(start, authority, server_pair):
    bridge = commands(start, files_of(server_pair, authority.cert), unix=True)
    address = bridge.address("admin")
    with TlsConnection(address, authority, client=authority.issue("operator")) as connection:
        assert b"hook2mqtt_" in connection.request("GET", "/metrics").body
    with pytest.raises((ssl.SSLError, http_client.Closed, ConnectionError)):
        with TlsConnection(address, authority) as connection:
            connection.request("GET", "/metrics")
    bridge.wait_log(lambda: bridge.lines("operator's request refused", reason="tls"), "a line")


def test_the_service_may_read_what_certbot_has_made(server_pair):
    """The commands of the page, on folders and links as certbot makes them, for a user of that group."""
    commands = next(block.text for block in documents.blocks_of("config/deploy/tls.md") if "chgrp" in block.text)
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)
        for name in ("archive", "live"):
            os.makedirs(f"{root}/{name}/bridge.example", 0o755)
            os.chmod(f"{root}/{name}", 0o700)
        for name, file, mode in ("fullchain", server_pair[0], 0o644), ("privkey", server_pair[1], 0o600):
            new = f"{root}/archive/bridge.example/{name}1.pem"
            with open(new, "wb") as out:
                out.write(file.read_bytes())
            os.chmod(new, mode)
            os.symlink(f"../../archive/bridge.example/{name}1.pem", f"{root}/live/bridge.example/{name}.pem")
        as_service = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat"]
        files = [f"{root}/live/bridge.example/{name}.pem" for name in ("fullchain", "privkey")]
        assert subprocess.run([*as_service, *files], capture_output=True, check=False).returncode != 0
        commands = commands.replace("/etc/letsencrypt", root).replace("sudo ", "").replace("hook2mqtt", "65534")
        subprocess.run(["sh", "-ec", commands], check=True)
        assert subprocess.run([*as_service, *files], capture_output=True, check=True).stdout
