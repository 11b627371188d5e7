"""`hook2mqtt provider` against an API that answers as it is told: what the tests of both vendors need."""

import fcntl
import json
import os
import pathlib
import re
import stat
import subprocess

from lib.bridge import PROGRAM
from lib.wait import DEADLINE_S

# With what one or the other way to write JSON escapes.
TOKEN = 'tok-1f0c"9a\\7e4b/+=='
PASSWORD = 'pass "9d41" \\ w\u00f6rd/+'
AUTH_TOKEN = 'auth-31"c7\\bd/+08'
HOOK_SECRET = "whs-77aa01c3e9"
PUBLIC_URL = "https://hooks.example/webhooks/in"
CONFIGS = "/configs/webhook"


class Commands:
    """`provider NAME …` of one bridge that does not run; fails as soon as a secret is printed."""

    def __init__(self, start, provider, *sources, **config):
        self.provider = provider
        env = {"API_TOKEN": TOKEN, "API_PASSWORD": PASSWORD, "STORED": "an older secret"}
        self.bridge = start.bridge(None, {"sources": list(sources), **config}, start=False, env=env)
        self.folder = self.bridge.folder

    def run(self, *args, expect=0):
        done = self.bridge.cli("provider", self.provider, *args, expect=expect)
        self.out, self.err = done.stdout.decode(), done.stderr.decode()
        for secret in (TOKEN, PASSWORD, AUTH_TOKEN, HOOK_SECRET):
            for once in (secret, *spellings(secret)):
                for text in (once, *spellings(once)):
                    assert text not in self.out + self.err, "a secret is printed"
        return self.out

    def rows(self, *args, **options):
        return [json.loads(line) for line in self.run(*args, "--json", **options).splitlines()]

    def fails(self, *args, saying, status=1):
        self.run(*args, expect=status)
        assert self.err.startswith("hook2mqtt: "), self.err
        assert saying in self.err, self.err


def spellings(text):
    """What may stand between quotes in JSON for it."""
    ascii_only = json.dumps(text)[1:-1]  # Python
    dotnet = ascii_only.replace('\\"', "\\u0022").replace("+", "\\u002B")
    return json.dumps(text, ensure_ascii=False)[1:-1], ascii_only, ascii_only.replace("/", "\\/"), dotnet


def echoes(secret):
    """Answers of an API that sends a secret back. (How it may spell it: tests/unit/cli/provider/test_secrets.c.)"""
    text = json.dumps(secret)[1:-1]
    yield b'{"error": "odd", "message": "no %s here"}' % text.encode()
    yield b'{"error": "odd", "params": {"value": ["%s"]}}' % text.encode()
    yield b'{"error": "odd", "params": {"%s": "unknown"}}' % text.encode()
    yield b'{"error": {"odd": ["%s"], "message": "%s"}}' % (text.encode(), text.encode())
    yield json.dumps({"error": "odd", "message": "you sent " + json.dumps({"secret": secret})}).encode()


def config(state="new", **more):
    return {
        "id": 7, "resource": "webhook_config", "organisation": 1, "url": PUBLIC_URL, "state": state,
        "date_created": "2018-10-01T17:04:34.155917Z", **more,
    }


def task(state, error=None):
    return {"id": "task-1", "resource": "task", "type": "webhook_config.test", "state": state, "error": error}


def shown(one):
    return {name: one[name] for name in ("id", "url", "state", "organisation", "date_created")}


def ricloud_source(api, secrets, **api_settings):
    return {
        "name": "backups", "provider": "ricloud", "path": "/webhooks/in", "secrets": secrets,
        "public_url": PUBLIC_URL, "api": {"url": api.url, "token": {"env": "API_TOKEN"}, **api_settings},
    }


def header(request, name):
    values = [value for found, value in request.headers if found.lower() == name.lower()]
    assert len(values) <= 1, f"{name} comes {len(values)} times"
    return values[0] if values else None


def assert_request(request, method, path, body=None, authorization=f"Token {TOKEN}"):
    assert (request.method, request.path) == (method, path)
    assert header(request, "Authorization") == authorization
    assert header(request, "Accept") == "application/json"
    assert header(request, "User-Agent").startswith("hook2mqtt/")
    assert header(request, "Expect") is None
    assert header(request, "Content-Type") == ("application/json" if body is not None else None)
    assert request.body == (b"" if body is None else body)


def names_in(folder):
    return sorted(path.name for path in pathlib.Path(folder).iterdir())


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def lock(folder):
    """What another command holds while it stores something."""
    fd = os.open(folder, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


LOGIN = "/v1/Authenticate"
EVENTS = ["NewCustomer", "NewDeal", "NewOpportunity", "NewProspect", "NewSubcontractor", "NewSuspect"]


def entry_point(name):
    return f"/v1/EntryPoints/acme/process/?c=EPT_Webhook{name}"


def weavy_source(api, **api_settings):
    settings = {
        "url": api.url, "username": "ann", "password": {"env": "API_PASSWORD"}, "project_code": "acme", **api_settings
    }
    return {
        "name": "crm", "provider": "weavy", "path": "/webhooks/crm-5b0e7d61c2a94f38", "verify": "none",
        "public_url": "https://hooks.example/crm/", "api": {key: value for key, value in settings.items() if value},
    }


def state_file(commands):
    return commands.folder / "crm.provider.json"


def state_of(commands):
    return json.loads(state_file(commands).read_text())


def codes(commands):
    return [row["code"] for row in state_of(commands)["subscriptions"]]


def answer_codes(api):
    """Every subscription gets its code: `code-<event>`."""
    api.on("POST", LOGIN, {"authToken": AUTH_TOKEN})

    def subscribed(request):
        return {"result": {"codeWebhookSubscription": "code-" + json.loads(request.body)["event"]}}

    return api.on("POST", entry_point("Subscribe"), subscribed)


def url_of(event):
    return f"https://hooks.example/crm/{event}"


def subscribe_body(event):
    return json.dumps({"event": event, "hookUrl": url_of(event)}, separators=(",", ":")).encode()


def keys_in_help(of):
    """The keys that `provider --help` lists for such an object, those that are only there at times included."""
    text = subprocess.run([PROGRAM, "provider", "--help"], capture_output=True, check=True, timeout=DEADLINE_S).stdout
    rows = text.decode().partition("Keys of an object:\n")[2]
    listed = re.search(rf"^  {of} +(.*(?:\n {{19}}.*)*)", rows, re.M).group(1)
    listed = re.sub(r"and (with|if|what) [^:]*:|\(with --dry-run\)|, or null", "", listed.replace("\n", " "))
    return re.findall(r"[a-z_]+", listed)
