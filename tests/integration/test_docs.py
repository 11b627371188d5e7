"""Every command in the documents runs, every configuration in them passes `check`, every link leads somewhere."""

import ast
import concurrent.futures
import json
import os
import queue
import re
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

import paho.mqtt.client as mqtt
import pytest
from lib import certs, events, nginx
from lib.bridge import PATH, PROGRAM, ROOT, signed
from lib.check_schema import without_comments
from lib.documents import anchors_of, blocks_of, links_of, pages, without_blocks
from lib.wait import free_port, port_answers, wait_until

PAGES = pages()
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
COMMANDS = [block for block in BLOCKS if block.language in ("sh", "console")]
CONFIGURATIONS = [block for block in BLOCKS if block.language in ("json", "jsonc") and "by" not in block.marks]
# Not run, but their tests are named; a picture has no language of its own and is `text`.
BY_NAME = {"nginx", "haproxy", "caddy", "html", "yaml", "ini"}
SECRET = "whsec_ZXhhbXBsZS1zZWNyZXQtb2YtMzItYnl0ZXMtISEhISE="
DEADLINE_S = 120


def in_own_network(command):
    """Ports of its own, and nothing that it started is left when it ends."""
    rights = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    return ["unshare", "--net", "--pid", "--fork", "--kill-child", *rights, "--", *map(str, command)]


def play(page, folder):
    if subprocess.run(in_own_network(["ip", "link", "set", "lo", "up"]), capture_output=True, check=False).returncode != 0:
        pytest.skip("namespaces are not allowed here, as in a container without CAP_SYS_ADMIN")
    world = ROOT / "tests/lib/document_world.py"
    return subprocess.run(
        in_own_network([sys.executable, world, PROGRAM, folder, page]), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE_S, check=False,
    )


@pytest.fixture(scope="module")
def played(request, tmp_path_factory):
    """All selected documents at once, as most of their time is waiting: {page: future}."""
    selected = {
        item.callspec.params["command_page"] for item in request.session.items
        if hasattr(item, "callspec") and "command_page" in item.callspec.params
    }
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        yield {page: pool.submit(play, page, tmp_path_factory.mktemp("page")) for page in sorted(selected)}


@pytest.mark.parametrize("command_page", sorted({block.page for block in COMMANDS}))
def test_the_commands_of_a_page_do_what_it_says(played, command_page):
    done = played[command_page].result()
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_no_block_is_left_out(block):
    known = {"sh", "console", "json", "jsonc", "text"} | BY_NAME
    assert block.language in known, "a block has a language"
    if block.language in BY_NAME:
        assert "by" in block.marks, "who runs it?"
    if "by" in block.marks:
        file, _, name = block.marks["by"].partition("::")
        functions = {node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)}
        assert name in functions and name.startswith("test_")


@pytest.mark.parametrize("page", PAGES)
def test_every_block_has_a_fence(page):
    """Else it would not be seen here."""
    text = without_blocks(page)
    assert not re.search(r"^ *~~~", text, re.MULTILINE)
    assert not re.search(r"(\A|\n\n) {4,}(?![-*\d])", text)


# Configurations


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What configurations name: a folder with the files, and a certificate of each kind."""
    folder = tmp_path_factory.mktemp("files")
    authority = certs.Authority(folder)
    cert, key = authority.issue("client")
    return {"folder": folder, "ca_file": authority.cert, "cert_file": cert, "key_file": key, "client_ca_file": authority.cert}


def merged(base, patch):
    """RFC 7396."""
    out = dict(base)
    for key, value in patch.items():
        if isinstance(value, dict):
            out[key] = merged(out.get(key, {}), value)
        else:
            out[key] = value
    return out


def as_configuration(block):
    """A whole one, of a piece: a source, members of a source, or members of the configuration."""
    text = without_comments(block.text).strip()
    found = json.loads(text if text.startswith("{") else "{" + text + "}")
    base = block.marks.get("base", "stripe")
    source = {"name": "x", "provider": base, "path": "/x"}
    source |= {"verify": "none"} if base == "weavy" else {"secrets": [{"env": "X"}]}
    if "sources" in found:
        return found
    if set(found) & {"ingress", "admin", "mqtt", "outbox"}:
        return {**found, "sources": [source]}
    return {"sources": [merged(source, found)]}


def names_of(value):
    """Environment variables in it."""
    text = json.dumps(value)
    return set(re.findall(r"(?<!\$)\$\{(\w+)\}", text)) | set(re.findall(r'\{"env": "(\w+)"\}', text))


def with_files(value, files):
    """Paths led into the folder, and what is expected there made."""
    if isinstance(value, list):
        return [with_files(one, files) for one in value]
    if not isinstance(value, dict):
        return value
    out = {key: with_files(one, files) for key, one in value.items()}
    for key, path in out.items():
        if key in ("ca_file", "cert_file", "key_file", "client_ca_file"):
            out[key] = str(files[key])
        elif key in ("file", "path", "state_file") and isinstance(path, str) and re.match(r"/(etc|var|run)/", path):
            moved = files["folder"] / path[1:]
            moved.parent.mkdir(parents=True, exist_ok=True)
            out[key] = str(moved)
            if key == "file":
                moved.write_text(SECRET + "\n")
    return out


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_a_configuration_passes_check(block, files, tmp_path):
    config = with_files(as_configuration(block), files)
    config.setdefault("outbox", {}).setdefault("path", str(tmp_path / "outbox.db"))
    file = tmp_path / "bridge.json"
    file.write_text(json.dumps(config))
    env = {**os.environ, **dict.fromkeys(names_of(config), SECRET)}
    (tmp_path / "build/run").mkdir(parents=True)
    done = subprocess.run(
        [PROGRAM, "check", "-c", file], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# Links, and what has to be complete


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for file, anchor in links_of(page):
        assert file.exists(), file
        if anchor:
            assert anchor in anchors_of(file.relative_to(ROOT)), f"{file}#{anchor}"


def block_of(page, language, word=""):
    found = [block for block in blocks_of(page) if block.language == language and word in block.text]
    assert len(found) == 1, found
    return found[0].text


def test_the_readme_is_for_reading():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 250
    assert max(map(len, (line for line in lines if not line.startswith(("|", "<!--"))))) <= 140


def provider_names():
    table = subprocess.run([PROGRAM, "help", "config"], capture_output=True, text=True, check=True).stdout
    row = re.search(r"^\| `sources\[\]\.provider` \|([^|]*)\|", table, re.MULTILINE)[1]
    return re.findall(r'"([a-z-]+)"', row)


def test_each_preset_has_a_page_and_a_row_in_both_tables():
    names = provider_names()
    for page, target in ("README.md", "config/providers/{}.md"), ("config/providers/README.md", "{}.md"):
        rows = re.findall(r"^\|.*`([a-z-]+)` \|.*\]\((\S+\.md)\)", (ROOT / page).read_text(), re.MULTILINE)
        assert sorted(rows) == sorted((name, target.format(name)) for name in names)


def test_each_command_is_in_the_readme():
    usage = subprocess.run([PROGRAM, "help"], capture_output=True, text=True, check=True).stdout
    operate = (ROOT / "README.md").read_text().split("## Operate")[1].split("## ")[0]
    for name in re.findall(r"^  ([a-z]+) ", usage, re.MULTILINE):
        assert f"`{name}" in operate, name


def test_the_commands_that_run_tests_find_tests():
    """To run them all is what a user of these commands does; here it is enough that the narrowest finds some."""
    lines = block_of("tests/README.md", "sh", "pytest").splitlines()
    assert len({line[line.index("/usr/bin/python3") :].removesuffix(" -k 'drips'") for line in lines}) == 1
    done = subprocess.run(["bash", "-c", f"{lines[-1]} --collect-only"], cwd=ROOT, capture_output=True, text=True, check=False,
                          env={**os.environ, "HOOK2MQTT": str(PROGRAM)})
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_mutex_is_in_the_table_of_the_bridges_page():
    text = (ROOT / "bridge/README.md").read_text().split("## Every mutex")[1]
    told = re.findall(r"^\| `(?:\w+\.)?(\w+)`", text, re.MULTILINE)
    code = "".join(
        file.read_text() for folder in ("bridge", "common") for file in sorted((ROOT / folder).rglob("*.[ch]"))
    )
    assert sorted(told) == sorted(re.findall(r"^\s*(?:static )?pthread_mutex_t (\w+)", code, re.MULTILINE))


def test_the_alerts_and_the_table_have_the_metrics_that_exist(bridge):
    page = "config/deploy/monitoring.md"
    metrics = bridge.metrics()
    exist = {name.removeprefix("hook2mqtt_"): (kind, metrics.helps[name]) for name, kind in metrics.types.items()}
    rows = re.findall(r"^\| `(\w+)(?:\{[a-z_,]+\})?` \| (\w+) \| (.*) \|$", (ROOT / page).read_text(), re.MULTILINE)
    assert {name: (kind, meaning) for name, kind, meaning in rows} == exist
    alerts = block_of(page, "yaml")
    used = re.findall(r"\bhook2mqtt_(\w+)", alerts)
    assert used and set(used) <= set(exist)
    assert alerts.count("alert:") == alerts.count("expr:") == len(used)
    readme = (ROOT / "README.md").read_text()
    assert {name for name in re.findall(r"`hook2mqtt_(\w+)", readme)} <= set(exist)


def test_a_browser_can_follow_events_as_the_readme_says(start):
    page = block_of("README.md", "html")
    url, port = re.search(r'"ws://localhost:(\d+)"', page), "9001"
    user, password = re.search(r'username: "(\w+)", password: "([\w-]+)"', page).groups()
    topic = re.search(r'subscribe\("([^"]+)"\)', page)[1]
    compose = (ROOT / "docker-compose.yml").read_text()
    assert url[1] == port and f"127.0.0.1:{port}:{port}" in compose
    assert user == "reader" and f"READER_PASSWORD:-{password}" in compose
    assert f"listener {port}\nprotocol websockets" in (ROOT / "config/docker/mosquitto/mosquitto.conf").read_text()

    # The same broker, but for its ports.
    broker = start.broker(
        users={user: password, "bridge": "b"}, acl=(ROOT / "config/docker/mosquitto/acl").read_text(), websockets=True
    )
    wait_until(lambda: port_answers(broker.host, broker.websocket_port), "Mosquitto listens for WebSockets")
    got = queue.Queue()
    client = mqtt.Client(transport="websockets", protocol=mqtt.MQTTv311)  # what MQTT.js speaks unless told otherwise
    client.username_pw_set(user, password)
    client.on_connect = lambda *_: client.subscribe(topic)
    client.on_subscribe = lambda *_: got.put(None)
    client.on_message = lambda _, __, message: got.put(message)
    client.connect(broker.host, broker.websocket_port)
    client.loop_start()
    try:
        got.get(timeout=DEADLINE_S)
        bridge = start.bridge(broker, {"mqtt": {"username": "bridge", "password": {"env": "B"}}}, env={"B": "b"})
        body = events.body()
        bridge.accept(body)
        message = got.get(timeout=DEADLINE_S)
        assert (message.topic, message.payload) == (events.topic(), body)
    finally:
        client.disconnect()
        client.loop_stop()


# Proxies: what they need not be installed for, and the whole way through those that are.


def proxy_command(name, block, folder):
    """The command that runs it on this configuration."""
    config = folder / name
    config.write_text(nginx.FRAME.format(folder=folder, block=block) if name == "nginx" else block)
    return {
        "nginx": ["nginx", "-c", config, "-p", folder],
        "haproxy": ["haproxy", "-db", "-f", config],
        "caddy": ["caddy", "run", "--adapter", "caddyfile", "--config", config],
    }[name]


@pytest.mark.parametrize("name", ["nginx", "haproxy", "caddy"])
def test_the_proxies_pass_webhooks_on(name, start, tmp_path):
    block = block_of("config/deploy/proxies.md", name)
    defaults = subprocess.run([PROGRAM, "help", "config"], capture_output=True, text=True, check=True).stdout
    assert '`["127.0.0.1:8080"]`' in defaults and "127.0.0.1:8080" in block, "the ingress, where it is by default"
    assert "/webhooks/" in block and "9180" not in block
    assert block.count("{") == block.count("}")
    if not shutil.which(name):
        return
    bridge = start.bridge()
    host, port = bridge.ingress
    authority = certs.Authority(tmp_path)
    cert, key = authority.issue("bridge.example", "DNS:bridge.example,IP:127.0.0.1")
    both = tmp_path / "both.pem"
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    public = free_port()
    block = block.replace("127.0.0.1:8080", f"{host}:{port}").replace("/etc/ssl/bridge.example.pem", str(both))
    block = block.replace("/etc/ssl/bridge.example.key", str(key)).replace("listen 443", f"listen 127.0.0.1:{public}")
    block = block.replace("bind :443", f"bind 127.0.0.1:{public}")
    block = re.sub(r"^bridge.example \{", f"https://bridge.example:{public} {{\n    tls {both} {key}", block)
    process = subprocess.Popen([*map(str, proxy_command(name, block, tmp_path))], cwd=tmp_path)
    try:
        wait_until(lambda: port_answers("127.0.0.1", public), f"{name} listens")
        context = ssl.create_default_context(cafile=authority.cert)
        context.check_hostname = False
        body = events.body()

        def post(path, headers):
            request = urllib.request.Request(f"https://127.0.0.1:{public}{path}", body, dict(headers))
            request.add_header("Host", "bridge.example")
            try:
                with urllib.request.urlopen(request, context=context) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                return error.code

        wait_until(lambda: post(PATH, signed(body)) == 200, f"{name} passes webhooks on")
        assert post(PATH, ()) == 401
        assert post("/metrics", ()) in (200, 404) and bridge.metrics().value("accepted_total") == 1
    finally:
        process.terminate()
        process.wait(DEADLINE_S)
