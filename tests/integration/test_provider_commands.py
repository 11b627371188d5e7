"""`provider ricloud` and `provider weavy` against an API that answers as it is told: what they ask, store and say."""

import base64
import email.utils
import fcntl
import hmac
import json
import os
import pathlib
import stat
import subprocess
import threading
import time

import pytest

from lib import http_client
from lib.api_server import CLOSE, HANG, Answer, ApiServer
from lib.bridge import PROGRAM, SOURCE
from lib.certs import Authority
from lib.small_disk import SmallDisk
from lib.wait import DEADLINE_S, wait_until

# With what one or the other way to write JSON escapes.
TOKEN = 'tok-1f0c"9a\\7e4b/+=='
PASSWORD = 'pass "9d41" \\ w\u00f6rd/+'
AUTH_TOKEN = 'auth-31"c7\\bd/+08'
HOOK_SECRET = "whs-77aa01c3e9"
PUBLIC_URL = "https://hooks.example/webhooks/in"
CONFIGS = "/configs/webhook"


@pytest.fixture
def api():
    server = ApiServer()
    yield server
    server.close()


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
    """Answers of an API that sends a secret back."""
    for text in spellings(secret):
        yield b'{"error": "odd", "message": "no %s here"}' % text.encode()
        yield b'{"error": "odd", "params": {"value": ["%s"]}}' % text.encode()
        yield b'{"error": "odd", "params": {"%s": "unknown"}}' % text.encode()
        yield b'{"error": {"odd": ["%s"]}}' % text.encode()
    for text in spellings(json.dumps({"secret": secret})):
        yield b'{"error": "odd", "message": "you sent %s"}' % text.encode()


def config(state="new", **more):
    return {
        "id": 7, "resource": "webhook_config", "organisation": 1, "url": PUBLIC_URL, "state": state,
        "date_created": "2018-10-01T17:04:34.155917Z", **more,
    }


def task(state, error=None):
    return {"id": "task-1", "resource": "task", "type": "webhook_config.test", "state": state, "error": error}


def shown(one):
    return {name: one[name] for name in ("id", "url", "state", "organisation", "date_created")}


@pytest.fixture
def ricloud(start, api, tmp_path):
    """A source whose secret is not there yet."""
    (tmp_path / "secrets").mkdir()
    return Commands(start, "ricloud", ricloud_source(api, [{"file": str(tmp_path / "secrets/one")}]))


@pytest.fixture
def secret_file(tmp_path):
    return tmp_path / "secrets/one"


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


# ricloud: create


def test_create_posts_the_url_stores_the_secret_and_waits_until_it_is_valid(api, ricloud, secret_file):
    def created(_):
        assert not secret_file.exists()
        return Answer(201, config(secret=HOOK_SECRET))

    api.on("POST", CONFIGS, created)
    api.on("GET", f"{CONFIGS}/7", config(), config(), config("valid"))
    assert ricloud.run("create") == (
        f"7  valid  2018-10-01T17:04:34.155917Z  {PUBLIC_URL}\nits secret is in {secret_file}\n"
    )
    assert ricloud.err == ""
    posted, *asked = api.asked()
    assert_request(posted, "POST", CONFIGS, b'{"url":"%s"}' % PUBLIC_URL.encode())
    for one in asked:
        assert_request(one, "GET", f"{CONFIGS}/7")
    assert len(asked) == 3
    assert secret_file.read_text() == HOOK_SECRET
    assert mode_of(secret_file) == 0o600
    assert names_in(secret_file.parent) == ["one"]


def test_the_secret_is_stored_before_the_api_is_asked_anything_else(api, ricloud, secret_file):
    seen = []

    def asked(_):
        seen.append(secret_file.read_text())
        return config("valid")

    api.on("POST", CONFIGS, Answer(201, config(secret=HOOK_SECRET)))
    api.on("GET", f"{CONFIGS}/7", asked)
    ricloud.run("create")
    assert seen == [HOOK_SECRET]


def test_create_takes_another_url_as_it_is_given(api, ricloud):
    api.on("POST", CONFIGS, Answer(201, config("valid", secret=HOOK_SECRET)))
    ricloud.run("create", "--url", "https://other.example/in/")
    assert_request(api.requests[0], "POST", CONFIGS, b'{"url":"https://other.example/in/"}')


def test_create_without_any_url_asks_for_one(start, api, tmp_path):
    source = ricloud_source(api, [{"file": str(tmp_path / "one")}])
    del source["public_url"]
    Commands(start, "ricloud", source).fails("create", saying="--url")
    assert api.asked() == []


def test_create_has_it_tested_again_if_the_first_test_came_before_the_secret(api, ricloud):
    api.on("POST", CONFIGS, Answer(201, config(secret=HOOK_SECRET)))
    api.on("GET", f"{CONFIGS}/7", config(), config("invalid"), config("invalid"), config("valid"))
    api.on("POST", f"{CONFIGS}/7/test", task("succeeded"))
    (row,) = ricloud.rows("create")
    assert row["state"] == "valid"
    (tested,) = api.asked("POST", f"{CONFIGS}/7/test")
    assert_request(tested, "POST", f"{CONFIGS}/7/test", b"null")
    assert header(tested, "Ricloud-Await") == "10"


def test_create_says_why_it_stays_invalid_and_keeps_the_secret(api, ricloud, secret_file):
    api.on("POST", CONFIGS, Answer(201, config(secret=HOOK_SECRET)))
    api.on("GET", f"{CONFIGS}/7", config("invalid"))
    api.on("POST", f"{CONFIGS}/7/test", task("failed", "receiver_answered_401"))
    (row,) = ricloud.rows("create", expect=1)
    assert row == {
        **shown(config("invalid")), "test_error": "receiver_answered_401", "secret_file": str(secret_file)
    }
    assert "webhook config 7 is invalid: receiver_answered_401" in ricloud.err
    for hint in ("hook2mqtt health", PUBLIC_URL, str(secret_file), "test 7 --wait"):
        assert hint in ricloud.err
    assert len(api.asked("POST", f"{CONFIGS}/7/test")) == 1
    assert secret_file.read_text() == HOOK_SECRET


def test_create_does_not_wait_for_ever_for_a_test_that_does_not_end(api, ricloud):
    api.on("POST", CONFIGS, Answer(201, config(secret=HOOK_SECRET)))
    api.on("GET", f"{CONFIGS}/7", config())
    begin = time.monotonic()
    ricloud.fails("create", "--timeout", "1s", saying="is new: the API has not finished its test within --timeout")
    assert time.monotonic() - begin < 20
    assert "`hook2mqtt provider ricloud test 7 --wait` tests it again" in ricloud.err


def test_create_has_a_config_that_stays_new_tested_again(api, ricloud):
    """A provider may repeat a test that came before the secret after minutes only."""
    tested = threading.Event()

    def test(_):
        tested.set()
        return task("succeeded")

    api.on("POST", CONFIGS, Answer(201, config(secret=HOOK_SECRET)))
    api.on("GET", f"{CONFIGS}/7", lambda _: config("valid" if tested.is_set() else "new"))
    api.on("POST", f"{CONFIGS}/7/test", test)
    begin = time.monotonic()
    assert ricloud.rows("create")[0]["state"] == "valid"
    assert time.monotonic() - begin >= 4.9, "the first test had its time"
    assert len(api.asked("POST", f"{CONFIGS}/7/test")) == 1


def test_create_waits_on_if_a_config_may_not_be_tested_while_it_is(api, ricloud):
    refused = threading.Event()

    def test(_):
        refused.set()
        return Answer(409, {"message": "A test is running"})

    api.on("POST", CONFIGS, Answer(201, config(secret=HOOK_SECRET)))
    api.on("GET", f"{CONFIGS}/7", lambda _: config("valid" if refused.is_set() else "new"))
    api.on("POST", f"{CONFIGS}/7/test", test)
    assert ricloud.rows("create")[0]["state"] == "valid"
    assert "A test is running; waiting for the test that has begun" in ricloud.err


def test_the_secret_goes_to_the_first_file_that_is_missing_or_empty(start, api, tmp_path):
    for name, text in (("one", "old"), ("two", "\n"), ("three", "")):
        (tmp_path / name).write_text(text)
    secrets = [{"env": "STORED"}, *({"file": str(tmp_path / name)} for name in ("one", "two", "three"))]
    api.on("POST", CONFIGS, Answer(201, config("valid", secret=HOOK_SECRET)))
    (row,) = Commands(start, "ricloud", ricloud_source(api, secrets)).rows("create")
    assert row["secret_file"] == str(tmp_path / "two")
    assert [(tmp_path / name).read_text() for name in ("one", "two", "three")] == ["old", HOOK_SECRET, ""]


def test_a_secret_that_is_there_is_only_replaced_when_that_is_asked_for(api, ricloud, secret_file):
    secret_file.write_text("old")
    secret_file.chmod(0o640)
    ricloud.fails("create", saying="--replace-secret")
    assert api.asked() == [] and secret_file.read_text() == "old"
    api.on("POST", CONFIGS, Answer(201, config("valid", secret=HOOK_SECRET)))
    ricloud.run("create", "--replace-secret")
    assert "is replaced" in ricloud.err
    assert secret_file.read_text() == HOOK_SECRET and mode_of(secret_file) == 0o600


def test_without_a_secret_that_is_a_file_nothing_is_created(start, api):
    commands = Commands(start, "ricloud", ricloud_source(api, [{"env": "STORED"}]))
    commands.fails("create", saying='add {"file": "PATH"}')
    assert api.asked() == []


def test_nothing_is_created_if_the_secret_could_not_be_stored(start, api, tmp_path):
    commands = Commands(start, "ricloud", ricloud_source(api, [{"file": str(tmp_path / "no/one")}]))
    commands.fails("create", saying=str(tmp_path / "no/one"))
    assert api.asked() == []


def test_nothing_is_created_while_another_command_stores_something_there(api, ricloud, secret_file):
    fd = lock(secret_file.parent)
    ricloud.fails("create", saying="another hook2mqtt command")
    os.close(fd)
    assert api.asked() == []


def test_a_secret_that_cannot_be_stored_after_all_is_said_loudly(api, ricloud, secret_file):
    def created(_):
        secret_file.mkdir()  # in its place
        return Answer(201, config(secret=HOOK_SECRET))

    api.on("POST", CONFIGS, created)
    ricloud.fails("create", saying="webhook config 7 WAS CREATED, BUT ITS SECRET IS NOT STORED")
    assert "provider ricloud delete 7" in ricloud.err
    assert names_in(secret_file.parent) == ["one"] and names_in(secret_file) == []


def test_a_running_bridge_takes_the_secret_as_soon_as_it_is_stored(start, broker, subscriber, api, tmp_path):
    source = ricloud_source(api, [{"file": str(tmp_path / "one")}])
    bridge = start.bridge(broker, {"sources": [source]}, env={"API_TOKEN": TOKEN})
    body = json.dumps(
        {"id": "e1", "resource": "event", "type": "webhook_config", "action": "test", "data": config()}
    ).encode()

    def test_event(_):
        """What the API sends before it changes the state."""
        now = str(int(time.time()))
        digest = hmac.digest(HOOK_SECRET.encode(), f"{now}.".encode() + body, "sha256")
        signature = f"t={now},s={base64.b64encode(digest).decode()}"
        headers = [("Content-Type", "application/json"), ("Ricloud-Signature", signature)]
        answers.append(http_client.fetch(bridge.ingress, "POST", "/webhooks/in/e1", headers, body).status)
        return config("valid" if answers[-1] == 200 else "invalid", secret=HOOK_SECRET)

    answers = []
    api.on("POST", CONFIGS, lambda request: (test_event(request), Answer(201, config(secret=HOOK_SECRET)))[1])
    api.on("GET", f"{CONFIGS}/7", config("invalid"), test_event)
    api.on("POST", f"{CONFIGS}/7/test", task("succeeded"))
    done = bridge.cli("provider", "ricloud", "create", "--json")
    assert json.loads(done.stdout)["state"] == "valid"
    assert answers == [401, 200]
    assert subscriber.wait_for("ricloud/webhook_config/test/7", 1)[0].payload == body


@pytest.mark.parametrize("answer", [config(), config(secret=""), config(secret="a\nb"), config(secret=None)])
def test_an_answer_without_a_secret_is_no_success(api, ricloud, secret_file, answer):
    api.on("POST", CONFIGS, Answer(201, answer))
    ricloud.fails("create", saying="holds no secret")
    assert not secret_file.exists()


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"[]", {"id": 7}, {"state": "new"}, {"secret": HOOK_SECRET},
     config(id="", secret=HOOK_SECRET), config(id="..", secret=HOOK_SECRET)],
)
def test_an_answer_that_is_no_config_is_a_failure_that_names_what_may_be_left(api, ricloud, answer):
    api.on("POST", CONFIGS, Answer(201, answer))
    ricloud.fails("create", saying=f"describes no webhook config: POST {api.url}{CONFIGS}: answered 201")
    assert "a config may have been made all the same: `provider ricloud list`" in ricloud.err
    assert "did not arrive" not in ricloud.err


def test_create_tells_of_a_config_that_a_lost_answer_may_have_left(api, ricloud):
    api.on("POST", CONFIGS, CLOSE, Answer(201, config("valid", secret=HOOK_SECRET)))
    ricloud.run("create")
    assert "trying again" in ricloud.err and "provider ricloud list" in ricloud.err


def test_what_a_create_that_was_killed_left_behind_is_gone_after_the_next_one(api, ricloud, secret_file, tmp_path):
    api.on("POST", CONFIGS, Answer(201, config("valid", secret="of the killed one")))
    command = [PROGRAM, "-c", ricloud.bridge.config_file, "provider", "ricloud", "create"]
    subprocess.run(
        ["strace", "-f", "-qq", "-o", tmp_path / "trace", "-e", "trace=/^rename",
         "-e", "inject=/^rename:signal=SIGKILL", *command],
        env=ricloud.bridge.env, capture_output=True, timeout=DEADLINE_S, check=False,
    )
    (left,) = secret_file.parent.iterdir()
    assert left.name == ".one.new" and left.read_text() == "of the killed one" and mode_of(left) == 0o600
    api.on("POST", CONFIGS, Answer(201, config("valid", secret=HOOK_SECRET)))
    ricloud.run("create")
    assert names_in(secret_file.parent) == ["one"] and secret_file.read_text() == HOOK_SECRET


def test_a_dry_run_of_create_asks_and_writes_nothing(api, ricloud, secret_file):
    assert ricloud.run("create", "--dry-run") == (
        f"POST {api.url}{CONFIGS}\nAccept: application/json\nAuthorization: Token ***\n"
        f'Content-Type: application/json\n\n{{"url":"{PUBLIC_URL}"}}\n\n'
    )
    assert str(secret_file) in ricloud.err
    assert api.asked() == [] and names_in(secret_file.parent) == []


# ricloud: the other verbs


def test_get_shows_a_config_without_its_secret(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", config("valid", secret=HOOK_SECRET))
    assert ricloud.run("get", "7") == f"7  valid  2018-10-01T17:04:34.155917Z  {PUBLIC_URL}\n"
    assert ricloud.rows("get", "7") == [shown(config("valid"))]
    for one in api.asked():
        assert_request(one, "GET", f"{CONFIGS}/7")


def test_an_id_is_opaque(api, ricloud):
    api.on("GET", f"{CONFIGS}/a%2Fb%20%3F", config("valid", id="a/b ?"))
    assert ricloud.rows("get", "a/b ?")[0]["id"] == "a/b ?"


@pytest.mark.parametrize(
    "given, segment",
    [("../keys", "..%2Fkeys"), ("1?x=y", "1%3Fx%3Dy"), ("1#x", "1%23x"), ("%2e%2e", "%252e%252e"), ("...", "..."),
     ("7\u202e", "7%E2%80%AE")],
)
def test_an_id_stays_one_segment_of_the_path(api, ricloud, given, segment):
    path = f"{CONFIGS}/{segment}"
    api.on("GET", path, config("valid"))
    api.on("DELETE", path, Answer(204))
    api.on("POST", path, config("deactivated"))
    api.on("POST", f"{path}/test", task("pending"))
    for args in (["get", given], ["delete", given], ["update", given, "--state", "deactivated"], ["test", given]):
        ricloud.run(*args)
        assert "\u202e" not in ricloud.out + ricloud.err
    assert [request.path for request in api.asked()] == [path, path, path, f"{path}/test"]


@pytest.mark.parametrize("given", ["", ".", "..", "1\n2", "1\r\nHost: x", "\x1b[2J", "\x7f", "\udcff"])
def test_what_can_be_no_id_is_refused(api, ricloud, given):
    for args in (["get"], ["delete"], ["use"], ["test", "--wait"], ["update", "--state", "new"]):
        ricloud.fails(*args, given, saying="is not an id", status=2)
        assert not set(ricloud.err) & set("\x1b\x7f\r")
    assert api.asked() == []


@pytest.mark.parametrize("key", ["", ".."])
def test_a_key_that_could_not_stand_in_a_path_is_not_used(api, ricloud, key):
    api.on("GET", "/key", {"id": key})
    ricloud.fails("use", "7", saying="describes no key")
    assert len(api.requests) == 1


def test_update_to_a_new_url_waits_for_the_test(api, ricloud):
    new_url = "https://new.example/in"
    api.on("POST", f"{CONFIGS}/7", config(url=new_url))
    api.on("GET", f"{CONFIGS}/7", config(url=new_url), config("valid", url=new_url))
    (row,) = ricloud.rows("update", "7", "--url", new_url)
    assert (row["state"], row["url"]) == ("valid", new_url)
    assert_request(api.requests[0], "POST", f"{CONFIGS}/7", b'{"url":"%s"}' % new_url.encode())
    assert api.asked("POST", f"{CONFIGS}/7/test") == []


def test_update_says_why_a_config_becomes_invalid(api, ricloud):
    api.on("POST", f"{CONFIGS}/7", config())
    api.on("GET", f"{CONFIGS}/7", config("invalid"))
    api.on("POST", f"{CONFIGS}/7/test", task("failed", "receiver_answered_404"))
    (row,) = ricloud.rows("update", "7", "--url", PUBLIC_URL, expect=1)
    assert row["test_error"] == "receiver_answered_404"
    assert "webhook config 7 is invalid: receiver_answered_404" in ricloud.err
    assert len(api.asked("POST", f"{CONFIGS}/7/test")) == 1


def test_update_of_the_state(api, ricloud):
    api.on("POST", f"{CONFIGS}/7", config("deactivated"))
    assert ricloud.rows("update", "7", "--state", "deactivated") == [shown(config("deactivated"))]
    assert_request(api.requests[0], "POST", f"{CONFIGS}/7", b'{"state":"deactivated"}')
    assert len(api.requests) == 1, "there is no test to wait for"
    api.on("POST", f"{CONFIGS}/7", config())
    api.on("GET", f"{CONFIGS}/7", config("valid"))
    assert ricloud.rows("update", "7", "--state", "new")[0]["state"] == "valid"


def test_test_prints_the_task_and_with_wait_the_outcome(api, ricloud):
    api.on("POST", f"{CONFIGS}/7/test", task("pending"))
    assert ricloud.run("test", "7") == "test task-1  pending\n"
    assert ricloud.rows("test", "7") == [{"task": "task-1", "state": "pending", "test_error": None}]
    assert header(api.requests[0], "Ricloud-Await") is None
    # The state of before the test is no outcome.
    api.on("GET", f"{CONFIGS}/7", config("invalid"), config("invalid"), config("valid"))
    assert ricloud.rows("test", "7", "--wait")[0]["state"] == "valid"
    api.on("POST", f"{CONFIGS}/7/test", task("failed", "connection_refused"))
    api.on("GET", f"{CONFIGS}/7", config("valid"), config("invalid"))
    ricloud.fails("test", "7", "--wait", saying="invalid: connection_refused")


@pytest.mark.parametrize("before", ["valid", "invalid", "new"])
def test_a_test_whose_outcome_is_not_seen_in_time_is_no_success(api, ricloud, before):
    api.on("POST", f"{CONFIGS}/7/test", task("pending"))
    api.on("GET", f"{CONFIGS}/7", config(before))
    ricloud.fails("test", "7", "--wait", "--timeout", "1s", saying="the API has not finished its test within --timeout")
    assert f"webhook config 7 is {'' if before == 'new' else 'still '}{before}: " in ricloud.err
    assert "test 7 --wait" in ricloud.err


def test_delete(api, ricloud):
    api.on("DELETE", f"{CONFIGS}/7", Answer(204))
    assert ricloud.run("delete", "7") == "7  deleted\n"
    assert_request(api.requests[0], "DELETE", f"{CONFIGS}/7")
    assert ricloud.rows("delete", "7") == [{"id": 7, "deleted": True}]
    api.on("DELETE", f"{CONFIGS}/7", {"id": "7", "deleted": True}, {"id": "task-1"})
    assert ricloud.rows("delete", "7") == [{"id": "7", "deleted": True}], "as the API spells it"
    assert ricloud.rows("delete", "7") == [{"id": 7, "deleted": True}], "that was another id"
    api.on("DELETE", f"{CONFIGS}/007", Answer(204))
    assert ricloud.rows("delete", "007") == [{"id": "007", "deleted": True}]
    api.on("DELETE", f"{CONFIGS}/7", 404)
    ricloud.fails("delete", "7", saying="404")
    api.on("DELETE", f"{CONFIGS}/7", CLOSE, 404)
    assert ricloud.run("delete", "7") == "7  deleted\n"


@pytest.mark.parametrize(
    "id_text, body",
    [("12", b'{"webhook_config":12}'), ("0", b'{"webhook_config":0}'), ("007", b'{"webhook_config":"007"}'),
     ("3f-9", b'{"webhook_config":"3f-9"}'), ("123456789012345678901", b'{"webhook_config":123456789012345678901}')],
)
def test_use_asks_for_the_key_and_sets_its_config(api, ricloud, id_text, body):
    api.on("GET", "/key", {"id": "key 1", "token": TOKEN})
    api.on("POST", "/keys/key%201", {"id": "key 1", "token": TOKEN})
    assert ricloud.run("use", id_text) == f"key key 1 uses webhook config {id_text}\n"
    got, posted = api.asked()
    assert_request(got, "GET", "/key")
    assert_request(posted, "POST", "/keys/key%201", body)
    given = json.loads(body)["webhook_config"]
    assert ricloud.rows("use", id_text) == [{"key": "key 1", "webhook_config": given}]
    api.on("GET", "/key", {"id": 5})
    api.on("POST", "/keys/5", {"id": 5, "webhook_config": id_text})
    assert ricloud.rows("use", id_text) == [{"key": 5, "webhook_config": id_text}], "as the API spells it"


def page(*ids, more):
    data = [config("valid", id=number, secret=HOOK_SECRET) for number in ids]
    return {"resource": "list", "data": data, "has_more": more, "total_count": 5, "url": CONFIGS}


@pytest.mark.parametrize("second", [(3, 4), (2, 3, 4)], ids=["behind after_id", "from after_id"])
def test_list_shows_every_page_once(api, ricloud, second):
    api.on("GET", f"{CONFIGS}?limit=100", page(1, 2, more=True))
    api.on("GET", f"{CONFIGS}?limit=100&after_id=2", page(*second, more=True))
    api.on("GET", f"{CONFIGS}?limit=100&after_id=4", page(5, more=False))
    assert [row["id"] for row in ricloud.rows("list")] == [1, 2, 3, 4, 5]
    assert [line.split()[0] for line in ricloud.run("list").splitlines()] == list("12345")
    assert_request(api.requests[0], "GET", f"{CONFIGS}?limit=100")


def test_a_list_that_does_not_get_on_ends(api, ricloud):
    api.on("GET", f"{CONFIGS}?limit=100", page(1, more=True))
    api.on("GET", f"{CONFIGS}?limit=100&after_id=1", page(1, more=True))
    assert [row["id"] for row in ricloud.rows("list")] == [1]


def test_list_passes_its_filters_on(api, ricloud):
    query = "?limit=100&state=deactivated&date_created=2018-08-22T10%3A25%3A05Z"
    api.on("GET", CONFIGS + query, page(more=False))
    assert ricloud.run("list", "--state", "deactivated", "--date-created", "2018-08-22T12:25:05+02:00") == ""
    assert len(api.asked("GET", CONFIGS + query)) == 1
    api.on("GET", f"{CONFIGS}?limit=100", {"resource": "event"})
    ricloud.fails("list", saying=f"is no list: GET {api.url}{CONFIGS}?limit=100: answered 200: {{")


@pytest.mark.parametrize(
    "answer, saying", [(b"", "answered 200\n"), (b"<html>\n <p>Log in</p>", "answered 200: <html> <p>Log in</p>\n")],
    ids=["nothing", "HTML"],
)
def test_a_2xx_answer_that_is_of_no_use_is_shown(api, ricloud, answer, saying):
    api.on("GET", f"{CONFIGS}/7", Answer(200, answer))
    api.on("GET", f"{CONFIGS}?limit=100", Answer(200, answer))
    api.on("GET", "/key", Answer(200, answer))
    for args, what in ((["get", "7"], "describes no webhook config"), (["list"], "is no list"),
                       (["use", "7"], "describes no key")):
        ricloud.fails(*args, saying=what)
        assert ricloud.err.startswith(f"hook2mqtt: the API's answer {what}: GET {api.url}/")
        assert ricloud.err.endswith(saying)


@pytest.mark.parametrize(
    "args, saying",
    [
        (["create", "now"], "too many"),
        (["get"], "missing"),
        (["update", "7"], "--url or --state"),
        (["update", "7", "--state", "valid"], "new or deactivated"),
        (["list", "--date-created", "yesterday"], "not a time"),
        (["list", "--timeout", "soon"], "not a time"),
        (["creat"], "provider ricloud creat: no such command, did you mean create?"),
        (["subscribe"], "provider ricloud subscribe: no such command"),
        ([], "provider ricloud: a command is missing"),
    ],
)
def test_wrong_usage(ricloud, args, saying):
    ricloud.fails(*args, saying=saying, status=2)


@pytest.mark.parametrize(
    "args, saying",
    [
        (["provider"], "provider: a provider is missing; ricloud or weavy\n"),
        (["provider", "nosuch"], "provider nosuch: no such provider; ricloud or weavy\n"),
        (["provider", "weavy"], "provider weavy: a command is missing\n"),
        (["provider", "weavy", "create"], "provider weavy create: no such command\n"),
        (["outbox"], "outbox: a command is missing\n"),
        (["outbox", "lss"], "outbox lss: no such command, did you mean ls?\n"),
    ],
)
def test_an_unknown_verb_is_named_with_the_whole_command(ricloud, args, saying):
    done = ricloud.bridge.cli(*args, expect=2)
    assert done.stderr.decode().startswith(f"hook2mqtt: {saying}usage: ")


@pytest.mark.parametrize(
    "args", [["get", "7"], ["list"], ["update", "7", "--url", "https://x.example"], ["test", "7", "--wait"],
             ["delete", "7"], ["use", "7"]],
)
def test_a_dry_run_asks_nobody_and_needs_no_token(api, ricloud, args):
    ricloud.bridge.env.pop("API_TOKEN")
    text = ricloud.run(*args, "--dry-run")
    assert "Authorization: Token ***\n" in text
    for row in ricloud.rows(*args, "--dry-run"):
        assert sorted(row) == ["body", "headers", "method", "url"]
        assert row["headers"]["Authorization"] == "Token ***" and row["url"].startswith(api.url)
    assert api.asked() == []


# Which source


def test_a_token_that_is_not_there_is_named(api, ricloud):
    ricloud.bridge.env.pop("API_TOKEN")
    ricloud.fails("get", "7", saying="sources[0].api.token")
    assert api.asked() == []


def test_of_several_sources_one_must_be_named(start, api, tmp_path):
    one = ricloud_source(api, [{"file": str(tmp_path / "one")}])
    two = {**one, "name": "photos", "path": "/webhooks/two"}
    commands = Commands(start, "ricloud", one, SOURCE, two)
    commands.fails("get", "7", saying="Name one with --source: backups, photos")
    commands.fails("get", "7", "--source", "partners", saying="of the provider creads")
    commands.fails("get", "7", "--source", "nobody", saying="no such source")
    api.on("GET", f"{CONFIGS}/7", config())
    commands.run("get", "7", "--source", "photos")
    commands.provider = "weavy"
    commands.fails("list", saying='no source has "provider": "weavy"')


# Errors and tries


@pytest.mark.parametrize(
    "answer, saying",
    [
        (Answer(400, {"error": "validation", "message": "No good.", "params": {"url": ["not https"]}}),
         'answered 400: validation: No good., {"url":["not https"]}'),
        (Answer(403, {"error": {"code": 12, "message": "Forbidden"}}), "answered 403: 12: Forbidden"),
        (Answer(404, {"message": "gone", "params": {}}), "answered 404: gone\n"),
        (Answer(400, b"<html>\n  no\x1b[2J   way\xff</html>"), r"answered 400: <html> no\x1B[2J way\xFF</html>"),
        (Answer(400, b"x" * 5000), "answered 400: " + 200 * "x" + "\n"),
        (Answer(400, {"odd": [1]}), 'answered 400: {"odd":[1]}'),
        (Answer(401), "answered 401\n"),
        (Answer(200, b"not JSON"), "describes no webhook config"),
    ],
)
def test_what_the_api_says_of_a_failure_is_shown_safely_and_not_asked_again(api, ricloud, answer, saying):
    api.on("GET", f"{CONFIGS}/7", answer)
    ricloud.fails("get", "7", saying=saying)
    assert len(api.requests) == 1


@pytest.mark.parametrize("answer", echoes(TOKEN))
def test_a_token_that_the_api_sends_back_in_its_own_words_is_not_shown(api, ricloud, answer):
    api.on("GET", f"{CONFIGS}/7", Answer(400, answer))
    ricloud.fails("get", "7", saying="***")


def test_what_ricloud_sends_back_is_printed_without_secrets(api, ricloud):
    one = config("valid", url=f"https://x.example/{TOKEN}", organisation={TOKEN: [HOOK_SECRET], "secret": HOOK_SECRET},
                 secret=HOOK_SECRET, date_created=f"at {TOKEN}")
    safe = {**shown(one), "url": "https://x.example/***", "organisation": {"***": ["***"], "secret": "***"},
            "date_created": "at ***"}
    for text in (json.dumps(one), json.dumps(one).replace("/", "\\/").replace("+", "\\u002b")):
        api.on("GET", f"{CONFIGS}/7", text.encode())
        api.on("GET", f"{CONFIGS}?limit=100", b'{"data": [%s], "has_more": false}' % text.encode())
        api.on("POST", f"{CONFIGS}/7", text.encode())
        api.on("POST", f"{CONFIGS}/7/test", task("failed", f"{TOKEN} is odd"))
        # The secret of the webhook is known to be one where it is so called.
        unknown = {**safe, "organisation": {"***": [HOOK_SECRET], "secret": "***"}}
        for args in (["get", "7"], ["list"], ["update", "7", "--state", "deactivated"]):
            done = ricloud.bridge.cli("provider", "ricloud", *args, "--json")
            assert json.loads(done.stdout) == unknown and TOKEN.encode() not in done.stderr
            line = ricloud.run(*args)
            assert line == "7  valid  at ***  https://x.example/***\n"
        bad = text.replace('"valid"', '"invalid"')
        api.on("POST", CONFIGS, Answer(201, bad.encode()))
        api.on("GET", f"{CONFIGS}/7", bad.encode())
        (row,) = ricloud.rows("create", "--replace-secret", expect=1)
        assert row == {**safe, "state": "invalid", "test_error": "*** is odd", "secret_file": row["secret_file"]}
        ricloud.run("create", "--replace-secret", expect=1)
        assert "is invalid: *** is odd" in ricloud.err and "does https://x.example/*** lead to" in ricloud.err
        assert json.loads(ricloud.bridge.cli("provider", "ricloud", "test", "7", "--wait", "--json", expect=1).stdout)[
            "test_error"] == "*** is odd"
    api.on("POST", f"{CONFIGS}/7/test", {"id": TOKEN, "state": TOKEN, "error": TOKEN})
    assert ricloud.rows("test", "7") == [{"task": "***", "state": "***", "test_error": "***"}]
    assert ricloud.run("test", "7") == "test ***  ***\n"
    api.on("GET", "/key", {"id": "key-1", "token": TOKEN})
    api.on("POST", "/keys/key-1", {"id": "key-1", "token": TOKEN, "webhook_config": 7})
    ricloud.run("use", "7")


def test_a_secret_of_two_characters_does_not_star_everything(api, ricloud):
    ricloud.bridge.env["API_TOKEN"] = "7"
    api.on("GET", f"{CONFIGS}/7", config("valid"))
    assert ricloud.rows("get", "7") == [shown(config("valid"))]


@pytest.mark.parametrize("length", [0, 190], ids=["whole", "at the edge of what is shown"])
def test_a_token_that_the_api_sends_back_is_not_shown(api, ricloud, length):
    padding = "x" * length
    api.on("GET", f"{CONFIGS}/7", Answer(400, f"{padding}{TOKEN} is wrong".encode()))
    ricloud.fails("get", "7", saying="***" if not length else "xxx")
    assert TOKEN[:8] not in ricloud.err
    escaped = json.dumps({"message": f"no {TOKEN}"}).replace("/", "\\/").encode()
    api.on("GET", f"{CONFIGS}/7", Answer(400, escaped))
    ricloud.fails("get", "7", saying="no ***")


def http_date(seconds_from_now):
    return email.utils.formatdate(time.time() + seconds_from_now, usegmt=True)


@pytest.mark.parametrize("bad", [503, 500, 429, CLOSE], ids=str)
def test_bad_luck_is_tried_again(api, ricloud, bad):
    api.on("GET", f"{CONFIGS}/7", bad, bad, config())
    assert ricloud.rows("get", "7") == [shown(config())]
    assert len(api.requests) == 3
    lines = ricloud.err.splitlines()
    assert len(lines) == 2 and all(line.startswith("hook2mqtt: GET ") for line in lines)
    assert "(2 of 5)" in lines[0] and "(3 of 5)" in lines[1]


def test_trying_again_ends_after_five_times(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", Answer(503, {"error": "down", "message": "Later."}))
    ricloud.fails("get", "7", saying="answered 503: down: Later.")
    assert len(api.requests) == 5
    assert ricloud.err.count("trying again") == 4


@pytest.mark.parametrize("seconds, least", [(lambda: "2", 2), (lambda: http_date(3), 1)], ids=["seconds", "date"])
def test_retry_after_is_honoured(api, ricloud, seconds, least):
    api.on("GET", f"{CONFIGS}/7", lambda _: Answer(429, headers=[("Retry-After", seconds())]), config())
    begin = time.monotonic()
    ricloud.run("get", "7")
    assert time.monotonic() - begin >= least


def test_a_retry_after_beyond_the_time_that_is_left_is_not_waited_for(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", Answer(503, headers=[("Retry-After", "3600")]))
    begin = time.monotonic()
    ricloud.fails("get", "7", saying="asked again in 3600 s")
    assert len(api.requests) == 1 and time.monotonic() - begin < 20


def test_nobody_there_is_tried_again_and_named(ricloud, api):
    url = api.url.rsplit(":", 1)[0] + ":9"
    ricloud.bridge.config["sources"][0]["api"]["url"] = url
    ricloud.bridge.write_config()
    ricloud.fails("get", "7", "--timeout", "1s", saying=f"GET {url}{CONFIGS}/7: Failed to connect")


def test_an_api_that_does_not_answer_is_given_up(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", HANG)
    begin = time.monotonic()
    ricloud.fails("get", "7", "--timeout", "1s", saying="timed out")
    assert 0.9 < time.monotonic() - begin < 20


def test_a_redirect_is_not_followed(api, ricloud):
    elsewhere = ApiServer()
    api.on("GET", f"{CONFIGS}/7", Answer(302, headers=[("Location", f"{elsewhere.url}/x")]))
    ricloud.fails("get", "7", saying=f"a redirect to {elsewhere.url}/x, which is not followed")
    assert len(api.requests) == 1 and elsewhere.requests == []
    elsewhere.close()


def test_an_endless_answer_is_given_up(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", b" " * (5 << 20))
    ricloud.fails("get", "7", saying="larger than 4 MiB")
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1", "http://127.0.0.1.example", "http://127.0.0.1@192.0.2.1", "https://u:p@192.0.2.1",
            "https://192.0.2.1/?a=b", "http://[::2]"],
)
def test_a_token_is_not_sent_without_tls_to_another_machine(ricloud, url):
    ricloud.bridge.config["sources"][0]["api"]["url"] = url
    ricloud.bridge.write_config()
    ricloud.run("get", "7", "--dry-run", expect=1)


def test_the_proxy_of_the_environment_does_not_see_what_is_not_encrypted(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", config())
    ricloud.bridge.env.update({"http_proxy": "http://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9"})
    assert ricloud.rows("get", "7") == [shown(config())]


def test_the_token_is_not_among_the_arguments_of_any_process(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", HANG)
    running = subprocess.Popen(
        [PROGRAM, "-c", ricloud.bridge.config_file, "provider", "ricloud", "get", "7"],
        env=ricloud.bridge.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    try:
        wait_until(lambda: api.asked(), "asked")
        assert header(api.requests[0], "Authorization") == f"Token {TOKEN}"
        seen = 0
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes()
            except OSError:
                continue
            seen += str(PROGRAM).encode() in line
            assert TOKEN.encode() not in line
        assert seen >= 1
    finally:
        running.kill()
        out, _ = running.communicate(timeout=DEADLINE_S)
    assert TOKEN.encode() not in out


# What was typed


@pytest.mark.parametrize(
    "url, saying",
    [("", "must begin with https:// or http://"), ("nonsense", "must begin with https:// or http://"),
     ("127.0.0.1:8080", "must begin with "), ("ftp://hooks.example/in", "must begin with "),
     ("https:///in", "needs a host"), ("https://hooks.example:0/in", "needs a port"),
     ("https://hooks.example/in?a=b", "must end behind the path"),
     ("https://hooks.example/in#a", "must end behind the path"),
     ("https://hooks.example/a b", "must end behind the path"),
     ("https://hooks.example/a\nb", "must hold no control characters"),
     ("https://ann:pw-3e1@hooks.example/in", "must not hold a user, a password")],
)
def test_a_url_that_the_configuration_would_not_take_is_wrong_usage(api, ricloud, url, saying):
    for args in (["create"], ["update", "7"]):
        ricloud.fails(*args, "--url", url, saying=f"hook2mqtt: --url {saying}", status=2)
        assert "pw-3e1" not in ricloud.err
    ricloud.provider = "weavy"
    ricloud.fails("subscribe", "NewDeal", "--url", url, saying=f"hook2mqtt: --url {saying}", status=2)
    assert api.asked() == []


# Disks and files


@pytest.fixture
def disk(tmp_path):
    disk = SmallDisk(tmp_path)
    yield disk
    disk.close()


def run_on(disk, commands, *args, expect):
    command = [*disk.wrapper, PROGRAM, "-c", commands.bridge.config_file, "provider", commands.provider, *args]
    done = subprocess.run(command, env=commands.bridge.env, capture_output=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == expect, done
    return done.stderr.decode()


def test_nothing_is_created_on_a_full_disk(start, api, disk):
    commands = Commands(start, "ricloud", ricloud_source(api, [{"file": str(disk.path / "one")}]))
    api.on("POST", CONFIGS, Answer(201, config("valid", secret=HOOK_SECRET)))
    disk.fill()
    assert "No space left on device" in run_on(disk, commands, "create", expect=1)
    assert api.asked() == [] and names_in(disk.seen) == ["filler"]
    disk.make_room()
    run_on(disk, commands, "create", expect=0)
    assert (disk.seen / "one").read_text() == HOOK_SECRET and names_in(disk.seen) == ["one"]


def test_a_disk_that_fills_up_meanwhile_has_room_for_the_secret(start, api, disk):
    commands = Commands(start, "ricloud", ricloud_source(api, [{"file": str(disk.path / "one")}]))
    api.on("POST", CONFIGS, lambda _: (disk.fill(), Answer(201, config("valid", secret=HOOK_SECRET)))[1])
    run_on(disk, commands, "create", expect=0)
    assert (disk.seen / "one").read_text() == HOOK_SECRET


def test_no_event_is_subscribed_whose_code_would_find_no_room(start, api, disk):
    commands = Commands(start, "weavy", weavy_source(api, state_file=str(disk.path / "weavy.json")))
    answer_codes(api)
    run_on(disk, commands, "login", expect=0)
    disk.fill()
    err = run_on(disk, commands, "subscribe", "NewDeal", expect=1)
    assert "NewDeal: make room for" in err and "No space left on device" in err
    assert len(api.asked()) == 1 and names_in(disk.seen) == ["filler", "weavy.json"]


def test_a_disk_that_fills_up_meanwhile_has_room_for_a_code(start, api, disk):
    commands = Commands(start, "weavy", weavy_source(api, state_file=str(disk.path / "weavy.json")))
    answer_codes(api)
    run_on(disk, commands, "login", expect=0)
    api.on("POST", entry_point("Subscribe"),
           lambda _: (disk.fill(), {"result": {"codeWebhookSubscription": "the-code"}})[1])
    run_on(disk, commands, "subscribe", "NewDeal", expect=0)
    (stored,) = json.loads((disk.seen / "weavy.json").read_text())["subscriptions"]
    assert stored["code"] == "the-code" and names_in(disk.seen) == ["filler", "weavy.json"]


def run_with_a_folder_that_cannot_be_synced(commands, trace, *args):
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", trace, "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=2", PROGRAM,
         "-c", commands.bridge.config_file, "provider", commands.provider, *args],
        env={**commands.bridge.env, "ASAN_OPTIONS": "detect_leaks=0"}, capture_output=True,
        timeout=DEADLINE_S, check=False,
    )
    assert "(INJECTED)" in trace.read_text()
    return done.returncode, done.stderr.decode()


def test_a_secret_in_a_folder_that_could_not_be_synced_is_stored_and_warned_of(api, ricloud, secret_file, tmp_path):
    api.on("POST", CONFIGS, Answer(201, config("valid", secret=HOOK_SECRET)))
    status, err = run_with_a_folder_that_cannot_be_synced(ricloud, tmp_path / "trace", "create")
    assert status == 0, err
    assert "is stored, but a power cut may undo that: sync the directory" in err and "NOT STORED" not in err
    assert secret_file.read_text() == HOOK_SECRET and names_in(secret_file.parent) == ["one"]


def test_a_code_in_a_folder_that_could_not_be_synced_is_stored_and_warned_of(api, weavy, tmp_path):
    answer_codes(api)
    weavy.run("login")
    status, err = run_with_a_folder_that_cannot_be_synced(weavy, tmp_path / "trace", "subscribe", "NewDeal")
    assert status == 0, err
    assert "is written, but a power cut may undo that" in err and codes(weavy) == ["code-NewDeal"]


@pytest.mark.parametrize("setting", ["api", "mqtt"])
def test_a_pipe_in_the_place_of_a_certificate_keeps_nobody_waiting(start, api, authority, tmp_path, setting):
    file = tmp_path / "ca.pem"
    file.write_bytes(pathlib.Path(authority.cert).read_bytes())
    source = ricloud_source(api, [{"file": str(tmp_path / "one")}], **({"ca_file": str(file)} if setting == "api" else {}))
    mqtt = {"servers": ["mqtts://127.0.0.1:9"], "tls": {"ca_file": str(file)}} if setting == "mqtt" else {}
    bridge = start.bridge(None, {"sources": [source], "mqtt": mqtt}, env={"API_TOKEN": TOKEN})
    file.unlink()
    os.mkfifo(file)
    bridge.reload(refused=setting == "mqtt")  # of the API only the commands know
    assert "is not a regular file" in bridge.log_text()
    assert "is not a regular file" in bridge.cli("check", expect=None).stdout.decode()
    assert bridge.stop() == 0


def test_a_pipe_in_the_place_of_what_is_stored_keeps_nobody_waiting(api, ricloud, secret_file, weavy):
    os.mkfifo(secret_file)
    ricloud.run("create", expect=1)
    assert "is not a regular file" in ricloud.err
    os.mkfifo(state_file(weavy))
    for args in (["list"], ["login"]):
        weavy.fails(*args, saying="is not a regular file")
    assert api.asked() == []


# TLS


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def test_an_authority_that_is_not_known_is_refused_and_one_that_is_named_is_accepted(start, authority, tmp_path):
    api = ApiServer(cert=authority.issue("api"))
    api.on("GET", f"{CONFIGS}/7", config())
    secrets = [{"file": str(tmp_path / "one")}]
    unknown = Commands(start, "ricloud", ricloud_source(api, secrets))
    unknown.fails("get", "7", saying="certificate")
    assert api.requests == [] and "trying again" not in unknown.err
    known = Commands(start, "ricloud", ricloud_source(api, secrets, ca_file=str(authority.cert)))
    assert known.rows("get", "7") == [shown(config())]
    assert_request(api.requests[0], "GET", f"{CONFIGS}/7")
    api.close()


def test_an_authority_that_cannot_be_read_is_named_and_a_pipe_keeps_nobody_waiting(start, api, tmp_path):
    file = tmp_path / "ca.pem"
    commands = Commands(start, "ricloud", ricloud_source(api, [{"file": str(tmp_path / "one")}], ca_file=str(file)))
    commands.fails("get", "7", saying=f"api.ca_file: open {file}: No such file")
    os.mkfifo(file)
    commands.fails("get", "7", saying=f"api.ca_file: {file} is not a regular file")
    commands.run("get", "7", "--dry-run")
    assert api.asked() == []


def test_a_certificate_of_another_name_is_refused(start, authority, tmp_path):
    api = ApiServer(cert=authority.issue("api", "DNS:other.example"))
    source = ricloud_source(api, [{"file": str(tmp_path / "one")}], ca_file=str(authority.cert))
    Commands(start, "ricloud", source).fails("get", "7", saying="127.0.0.1")
    assert api.requests == []
    api.close()


# weavy

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


@pytest.fixture
def weavy(start, api):
    return Commands(start, "weavy", weavy_source(api))


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


def test_login_keeps_the_token_for_itself(api, weavy):
    api.on("POST", LOGIN, {"authToken": AUTH_TOKEN})
    assert weavy.run("login") == f"logged in as ann; the login is kept in {state_file(weavy)}\n"
    password = json.dumps(PASSWORD, ensure_ascii=False).encode()
    body = b'{"username":"ann","password":%s,"projectCode":"acme","scope":"API"}' % password
    assert_request(api.requests[0], "POST", LOGIN, body, authorization=None)
    state = state_of(weavy)
    assert state["version"] == 1 and state["subscriptions"] == []
    (login,) = state["logins"]
    assert login["token"] == AUTH_TOKEN and login["project_code"] == "acme" and login["source"] == "crm"
    assert mode_of(state_file(weavy)) == 0o600
    api.on("POST", LOGIN, {"authToken": "auth-2"})
    assert weavy.rows("login")[0]["username"] == "ann"
    assert [one["token"] for one in state_of(weavy)["logins"]] == ["auth-2"]
    assert AUTH_TOKEN not in weavy.out + weavy.err


def test_a_login_that_is_refused_says_so(api, weavy):
    api.on("POST", LOGIN, Answer(401, {"message": f"{PASSWORD} is wrong"}))
    weavy.fails("login", saying="answered 401: *** is wrong")
    api.on("POST", LOGIN, {"something": "else"})
    weavy.fails("login", saying=f'holds no authToken: POST {api.url}{LOGIN}: answered 200: {{"something":"else"}}')
    api.on("POST", LOGIN, {"error": "locked", "message": f"{PASSWORD} is known"})
    weavy.fails("login", saying="answered 200: locked: *** is known")
    api.on("POST", LOGIN, {"accessToken": AUTH_TOKEN})
    weavy.fails("login", saying='answered 200: {"accessToken":"***"}')
    assert not state_file(weavy).exists()


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("secret", [PASSWORD, AUTH_TOKEN], ids=["password", "token"])
def test_what_weavy_sends_back_is_printed_without_secrets(api, weavy, secret, status):
    api.on("POST", LOGIN, {"authToken": AUTH_TOKEN})
    weavy.run("login")
    for answer in echoes(secret):
        verbs = {"Subscribe": ["subscribe", "NewDeal"], "Unsubscribe": ["unsubscribe", "some-code"],
                 "PerformList": ["sample", "NewDeal"]}
        for name, args in verbs.items():
            api.on("POST", entry_point(name), Answer(status, answer))
            weavy.fails(*args, saying="***")
        if secret == PASSWORD:
            api.on("POST", LOGIN, Answer(status, answer))
            weavy.fails("login", saying="***")
    api.on("POST", entry_point("PerformList"), {"result": {"a": secret, "authToken": "other"}})
    assert weavy.rows("sample", "NewDeal") == [{"result": {"a": "***", "authToken": "***"}}]
    api.on("POST", entry_point("Subscribe"), {"result": {"codeWebhookSubscription": f"c {secret}"}})
    assert weavy.rows("subscribe", "NewDeal")[0]["code"] == "c ***"
    assert weavy.run("list").split("  ")[1] == "c ***"
    assert codes(weavy) == [f"c {secret}"]


def test_subscribe_logs_in_first_and_stores_each_code_before_the_next_call(api, weavy):
    stored = []
    api.on("POST", LOGIN, {"authToken": AUTH_TOKEN})

    def subscribed(request):
        stored.append(codes(weavy))
        return {"result": {"codeWebhookSubscription": "code-" + json.loads(request.body)["event"]}}

    api.on("POST", entry_point("Subscribe"), subscribed)
    rows = weavy.rows("subscribe", "NewDeal", "NewCustomer")
    assert [(row["event"], row["code"], row["url"], row["status"]) for row in rows] == [
        (event, f"code-{event}", url_of(event), "subscribed") for event in ("NewDeal", "NewCustomer")
    ]
    assert stored == [[], ["code-NewDeal"]]
    assert codes(weavy) == ["code-NewDeal", "code-NewCustomer"]
    login, *calls = api.asked()
    assert login.path == LOGIN
    for call, event in zip(calls, ("NewDeal", "NewCustomer"), strict=True):
        assert_request(call, "POST", entry_point("Subscribe"), subscribe_body(event), f"Bearer {AUTH_TOKEN}")
    assert mode_of(state_file(weavy)) == 0o600
    assert names_in(weavy.folder) == ["bridge.json", "crm.provider.json"]


def test_what_is_subscribed_at_the_same_url_is_not_subscribed_again(api, weavy):
    answer_codes(api)
    weavy.run("subscribe", "NewDeal")
    (line,) = weavy.run("subscribe", "NewDeal").splitlines()
    assert line.split("  ") == ["NewDeal", "code-NewDeal", "subscribed already", url_of("NewDeal")]
    assert len(api.asked("POST", entry_point("Subscribe"))) == 1
    weavy.run("subscribe", "NewDeal", "--url", "https://other.example")
    assert len(api.asked("POST", entry_point("Subscribe"))) == 2
    assert len(codes(weavy)) == 2


def subscribed_urls(api):
    sent = [json.loads(one.body) for one in api.asked("POST", entry_point("Subscribe"))]
    urls = {one["event"]: one["hookUrl"] for one in sent}
    assert len(urls) == len(sent)
    return urls


def test_all_are_the_six_standard_events_each_at_a_url_of_its_own(api, weavy):
    answer_codes(api)
    weavy.run("subscribe", "--all")
    assert weavy.err == ""
    assert subscribed_urls(api) == {event: url_of(event) for event in EVENTS}
    listed = weavy.rows("list")
    assert sorted(row["event"] for row in listed) == EVENTS
    assert [row["code"] for row in listed] == codes(weavy)
    assert len(weavy.run("list").splitlines()) == 6


def weavy_with(start, api, events):
    """events: of the source."""
    answer_codes(api)
    return Commands(start, "weavy", {**weavy_source(api), "events": events})


def test_where_the_source_chooses_the_paths_all_are_the_standard_events_that_have_one(start, api):
    commands = weavy_with(start, api, {"deals/new": "NewDeal", "new-customer": "NewCustomer", "own": "OwnEvent"})
    commands.run("subscribe", "--all")
    urls = {"NewDeal": "https://hooks.example/crm/deals/new", "NewCustomer": "https://hooks.example/crm/new-customer"}
    assert subscribed_urls(api) == urls
    (line,) = commands.err.splitlines()
    assert line.startswith("hook2mqtt: sources[0].events names no path for ")
    for event in EVENTS:
        assert (event in line) == (event not in urls)
    commands.run("subscribe", "OwnEvent")
    assert subscribed_urls(api)["OwnEvent"] == "https://hooks.example/crm/own"


def test_where_no_standard_event_has_a_path_all_is_an_error(start, api):
    commands = weavy_with(start, api, {"own": "OwnEvent"})
    commands.fails("subscribe", "--all", saying="sources[0].events names no path for any standard event")
    assert api.asked() == []


def test_an_event_without_a_path_is_refused_before_anything_is_sent(start, api):
    commands = weavy_with(start, api, {"new-customer": "NewCustomer"})
    saying = "sources[0].events names no path for NewProspect; the bridge would not take it. It has: NewCustomer"
    for args in (
        ["subscribe", "NewProspect"], ["subscribe", "NewCustomer", "NewProspect"],
        ["subscribe", "NewProspect", "--url", "https://other.example"], ["sample", "NewProspect", "--publish"],
    ):
        commands.fails(*args, saying=saying)
        commands.fails(*args, "--dry-run", saying=saying)
        assert commands.out == ""
    assert api.asked() == [] and names_in(commands.folder) == ["bridge.json"]
    api.on("POST", entry_point("PerformList"), {"result": {"codecustomer": "1"}})
    assert commands.rows("sample", "NewProspect") == [{"result": {"codecustomer": "1"}}]


@pytest.mark.parametrize("public_url", ["https://hooks.example/crm", "https://hooks.example/crm//"])
def test_an_event_at_the_path_of_the_source_has_the_url_of_the_source(start, api, public_url):
    source = weavy_source(api)
    events = {source["path"]: "NewDeal", "new-customer": "NewCustomer"}
    commands = Commands(start, "weavy", {**source, "events": events, "public_url": public_url})
    answer_codes(api)
    commands.run("subscribe", "--all")
    assert subscribed_urls(api) == {
        "NewDeal": "https://hooks.example/crm", "NewCustomer": "https://hooks.example/crm/new-customer"
    }


@pytest.mark.parametrize("given", ["", ".", "..", "New\nDeal", "\x1b[2J", "New\udcff"])
def test_what_can_be_no_event_is_refused(api, weavy, given):
    for verb in ("subscribe", "sample", "unsubscribe"):
        weavy.fails(verb, given, saying="is not an event", status=2)
        assert "\x1b" not in weavy.err
    weavy.fails("subscribe", "NewDeal", given, saying="is not an event", status=2)
    assert api.asked() == []


def test_a_code_is_opaque(api, weavy):
    answer_codes(api)
    api.on("POST", entry_point("Unsubscribe"), {"result": {}})
    for code in ('a","event":"x', "../1?x=y#z", "%2e%2e"):
        weavy.run("unsubscribe", code)
        assert json.loads(api.requests[-1].body) == {"codeWebhookSubscription": code}


@pytest.mark.parametrize("project_code", [".", "..", "a\nb"])
def test_a_project_code_that_could_not_stand_in_a_path_is_refused(start, api, project_code):
    commands = Commands(start, "weavy", weavy_source(api, project_code=project_code))
    commands.fails("subscribe", "NewDeal", saying="api.project_code")
    assert api.asked() == []


def test_an_event_of_ones_own_is_subscribed_and_an_unknown_ones_error_is_shown(api, weavy):
    answer_codes(api)
    weavy.run("subscribe", "Own Event-é")
    (posted,) = api.asked("POST", entry_point("Subscribe"))
    assert json.loads(posted.body)["hookUrl"] == "https://hooks.example/crm/Own%20Event-%C3%A9"
    for answer in (Answer(400, {"message": "unknown event"}), {"error": "unknown event"}):
        api.on("POST", entry_point("Subscribe"), answer)
        weavy.fails("subscribe", "NoSuch", saying="unknown event")
    assert codes(weavy) == ["code-Own Event-é"]


def test_an_event_with_a_slash_is_refused_unless_the_source_gives_it_a_path(start, api, weavy):
    for args in (["subscribe", "NewDeal", "New/Customer"], ["sample", "New/Customer", "--publish"]):
        weavy.fails(*args, saying="New/Customer: the bridge takes no event with a slash in its name", status=2)
    assert api.asked() == []
    commands = weavy_with(start, api, {"new-customer": "New/Customer"})
    commands.run("subscribe", "New/Customer")
    assert subscribed_urls(api) == {"New/Customer": "https://hooks.example/crm/new-customer"}


def test_one_event_that_fails_does_not_keep_the_others_from_being_subscribed(api, weavy):
    answer_codes(api)
    api.on("POST", entry_point("Subscribe"), 400, {"result": {"codeWebhookSubscription": "second"}})
    weavy.fails("subscribe", "NoSuch", "NewDeal", saying="NoSuch: POST ")
    assert codes(weavy) == ["second"]


@pytest.mark.parametrize("answer", [b"", b"ok", {"result": {}}, {"result": {"codeWebhookSubscription": ""}}])
def test_an_answer_without_a_code_is_no_subscription(api, weavy, answer):
    answer_codes(api)
    api.on("POST", entry_point("Subscribe"), Answer(200, answer))
    weavy.fails("subscribe", "NewDeal", saying="no subscription code")
    assert f"POST {api.url}{entry_point('Subscribe')}: answered 200" in weavy.err
    assert "may be subscribed all the same" in weavy.err and "did not arrive" not in weavy.err
    assert codes(weavy) == []


@pytest.mark.parametrize("error", [False, "", None, {}, [], 0])
def test_an_error_that_is_none_changes_nothing(api, weavy, error):
    answer_codes(api)
    api.on("POST", entry_point("Subscribe"), {"error": error, "result": {"codeWebhookSubscription": "good"}})
    weavy.run("subscribe", "NewDeal")
    assert codes(weavy) == ["good"] and weavy.err == ""
    api.on("POST", entry_point("Unsubscribe"), {"error": error})
    weavy.run("unsubscribe", "NewDeal")
    assert codes(weavy) == []


@pytest.mark.parametrize("error", [True, "odd", {"message": "odd"}, ["odd"], 17])
def test_a_code_is_kept_whatever_else_the_answer_says(api, weavy, error):
    answer_codes(api)
    api.on("POST", entry_point("Subscribe"), {"error": error, "result": {"codeWebhookSubscription": "good"}})
    weavy.run("subscribe", "NewDeal")
    assert codes(weavy) == ["good"] and "NewDeal: the API's answer is an error: POST " in weavy.err
    api.on("POST", entry_point("Subscribe"), {"error": error})
    weavy.fails("subscribe", "NewCustomer", saying="NewCustomer: the API's answer is an error: POST ")
    assert "may be subscribed" not in weavy.err


def test_a_lost_answer_to_a_subscription_is_told(api, weavy):
    answer_codes(api)
    api.on("POST", entry_point("Subscribe"), CLOSE, {"result": {"codeWebhookSubscription": "second"}})
    weavy.run("subscribe", "NewDeal")
    assert "may be subscribed twice" in weavy.err and codes(weavy) == ["second"]
    api.on("POST", entry_point("Subscribe"), HANG)
    weavy.fails("subscribe", "NewCustomer", "--timeout", "1s", saying="timed out")
    assert "NewCustomer may be subscribed all the same" in weavy.err


def test_a_code_that_cannot_be_stored_is_shown(api, weavy, tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    weavy.bridge.config["sources"][0]["api"]["state_file"] = str(folder / "weavy.json")
    weavy.bridge.write_config()
    answer_codes(api)
    weavy.run("login")

    stored = folder / "weavy.json"

    def subscribed(_):
        stored.rename(tmp_path / "moved")
        stored.mkdir()
        return {"result": {"codeWebhookSubscription": "lost-1"}}

    api.on("POST", entry_point("Subscribe"), subscribed)
    weavy.fails("subscribe", "NewDeal", saying="IS SUBSCRIBED, BUT ITS CODE IS NOT STORED")
    assert "lost-1" in weavy.out
    assert names_in(folder) == ["weavy.json"]
    stored.rmdir()
    (tmp_path / "moved").rename(stored)
    api.on("POST", entry_point("Unsubscribe"), {"result": {}})
    weavy.run("unsubscribe", "lost-1")
    assert api.requests[-1].body == b'{"codeWebhookSubscription":"lost-1"}'


def test_an_expired_login_is_renewed_once_and_the_call_repeated(api, weavy):
    answer_codes(api)
    weavy.run("login")
    api.on("POST", LOGIN, {"authToken": "auth-new"})
    api.on("POST", entry_point("Subscribe"), 401, {"result": {"codeWebhookSubscription": "c"}})
    weavy.run("subscribe", "NewDeal")
    tokens = [header(one, "Authorization") for one in api.asked()[1:]]
    assert tokens == [f"Bearer {AUTH_TOKEN}", None, "Bearer auth-new"]
    assert state_of(weavy)["logins"][0]["token"] == "auth-new" and codes(weavy) == ["c"]
    api.on("POST", entry_point("Subscribe"), 401)
    weavy.fails("subscribe", "NewSuspect", saying="the login of source crm is not accepted")
    assert len(api.asked("POST", LOGIN)) == 3


def test_without_a_login_and_the_means_to_get_one_it_says_what_to_do(start, api):
    commands = Commands(start, "weavy", weavy_source(api, username=None, password=None))
    commands.fails("subscribe", "NewDeal", saying="needs api.username and api.password (or api.token)")
    commands = Commands(start, "weavy", weavy_source(api))
    commands.bridge.env.pop("API_PASSWORD")
    commands.fails("login", saying="sources[0].api.password")
    assert api.asked() == []


def test_a_token_that_is_configured_is_used_as_it_is(start, api):
    commands = Commands(start, "weavy", weavy_source(api, token={"env": "API_TOKEN"}))
    api.on("POST", entry_point("Subscribe"), {"result": {"codeWebhookSubscription": "c"}}, 401)
    commands.run("subscribe", "NewDeal")
    assert_request(api.requests[0], "POST", entry_point("Subscribe"), subscribe_body("NewDeal"), f"Bearer {TOKEN}")
    commands.fails("subscribe", "NewCustomer", saying="api.token of source crm is not accepted")
    assert len(api.requests) == 2 and state_of(commands)["logins"] == []


def test_unsubscribe_by_event_by_code_and_all(api, weavy):
    answer_codes(api)
    weavy.run("subscribe", "--all")
    api.on("POST", entry_point("Unsubscribe"), {"result": {}})
    (row,) = weavy.rows("unsubscribe", "NewDeal")
    assert (row["code"], row["status"]) == ("code-NewDeal", "unsubscribed")
    (posted,) = api.asked("POST", entry_point("Unsubscribe"))
    body = b'{"codeWebhookSubscription":"code-NewDeal"}'
    assert_request(posted, "POST", entry_point("Unsubscribe"), body, f"Bearer {AUTH_TOKEN}")
    weavy.run("unsubscribe", "code-NewSuspect")
    assert len(codes(weavy)) == 4
    weavy.run("unsubscribe", "--all")
    assert codes(weavy) == [] and len(api.asked("POST", entry_point("Unsubscribe"))) == 6
    assert weavy.run("unsubscribe", "--all") == "" and weavy.run("list") == ""
    weavy.fails("unsubscribe", "NewDeal", saying="NewDeal is not subscribed")


@pytest.mark.parametrize(
    "answer", [400, 404, 410, Answer(200, b"<html>Log in</html>"), Answer(200, b"ok"), Answer(200, {"error": "odd"})],
)
def test_a_subscription_that_may_not_have_ended_is_kept(api, weavy, answer):
    answer_codes(api)
    weavy.run("subscribe", "NewDeal", "NewCustomer")
    api.on("POST", entry_point("Unsubscribe"), answer)
    weavy.fails("unsubscribe", "--all", saying="NewDeal code-NewDeal: ")
    assert "if it has ended, `unsubscribe --forget` removes it" in weavy.err and weavy.out == ""
    assert codes(weavy) == ["code-NewDeal", "code-NewCustomer"]
    weavy.fails("unsubscribe", "another-code", saying="another-code, which is not stored here: ")


@pytest.mark.parametrize("answer", [204, Answer(200, b" \n"), {}, {"result": {}}, {"error": None}], ids=str)
def test_a_subscription_that_has_ended_is_forgotten(api, weavy, answer):
    answer_codes(api)
    weavy.run("subscribe", "NewDeal")
    api.on("POST", entry_point("Unsubscribe"), answer)
    assert weavy.rows("unsubscribe", "NewDeal")[0]["status"] == "unsubscribed"
    assert codes(weavy) == []


@pytest.mark.parametrize("gone", [404, 410])
def test_what_a_try_whose_answer_was_lost_has_ended_is_forgotten(api, weavy, gone):
    answer_codes(api)
    weavy.run("subscribe", "NewDeal", "NewCustomer")
    api.on("POST", entry_point("Unsubscribe"), CLOSE, gone)
    assert weavy.rows("unsubscribe", "NewDeal")[0]["status"] == "unsubscribed"
    assert codes(weavy) == ["code-NewCustomer"]
    # Nothing has ended if it is the login that is not found.
    api.on("POST", entry_point("Unsubscribe"), CLOSE, 401)
    api.on("POST", LOGIN, gone)
    weavy.run("unsubscribe", "NewCustomer", expect=1)
    assert codes(weavy) == ["code-NewCustomer"]


def test_forget_removes_what_is_stored_and_asks_nobody(api, weavy):
    answer_codes(api)
    weavy.run("subscribe", "NewDeal", "NewCustomer", "NewSuspect")
    before = len(api.asked())
    assert weavy.rows("unsubscribe", "NewDeal", "--forget")[0]["status"] == "forgotten"
    weavy.fails("unsubscribe", "no-such-code", "--forget", saying="no-such-code is not stored here")
    weavy.fails("unsubscribe", "--forget", saying="--all", status=2)
    assert codes(weavy) == ["code-NewCustomer", "code-NewSuspect"]
    weavy.run("unsubscribe", "--all", "--forget", "--dry-run")
    assert len(codes(weavy)) == 2
    weavy.run("unsubscribe", "--all", "--forget")
    assert codes(weavy) == [] and len(api.asked()) == before


def test_what_is_stored_is_listed_safely(api, weavy):
    answer_codes(api)
    weavy.run("subscribe", "NewDeal")
    state = state_of(weavy)
    state["subscriptions"][0].update(since="\x1b[2J", event="\x1b[3J", url="\x1b[4J", code="\x1b[5J")
    state_file(weavy).write_text(json.dumps(state))
    assert weavy.run("list") == "\\x1B[3J  \\x1B[5J  \\x1B[2J  \\x1B[4J\n"


def test_sample_prints_what_would_be_sent(api, weavy):
    answer_codes(api)
    one, two = {"result": {"codedeal": "1"}}, {"result": {"codedeal": "2"}}
    for answer, samples in [
        (one, [one]), ([one, two], [one, two]), ([one["result"], two], [one, two]),
        ({"result": [one["result"], two["result"]]}, [one, two]),
    ]:
        api.on("POST", entry_point("PerformList"), answer)
        assert weavy.rows("sample", "NewDeal") == samples
    body = b'{"event":"NewDeal"}'
    assert_request(api.requests[-1], "POST", entry_point("PerformList"), body, f"Bearer {AUTH_TOKEN}")
    api.on("POST", entry_point("PerformList"), b'{"result":{"codedeal":"\xe2\x80\xae"}}')
    assert weavy.run("sample", "NewDeal") == '{"result":{"codedeal":"\\xE2\\x80\\xAE"}}\n'
    for empty in ([], {"result": []}, {"result": "x"}, b"", 7):
        api.on("POST", entry_point("PerformList"), Answer(200, empty))
        weavy.fails("sample", "NewDeal", saying="sample")


@pytest.fixture
def sampled(start, broker, api):
    """A running bridge with a source for weavy, on a socket whose address is known before it runs."""

    def run(events):
        source = {**weavy_source(api), "events": events}
        config_of_it = {"sources": [source], "ingress": {"listen": [f"unix:{start.folder}/in.sock"]}}
        answer_codes(api)
        return start.bridge(broker, config_of_it, env={"API_PASSWORD": PASSWORD})

    return run


def test_sample_is_published_by_the_running_bridge_byte_for_byte(subscriber, api, sampled):
    bridge = sampled({"new-deal": "NewDeal"})
    first, second = b'{ "result":\t{"codedeal": "20",\n"a":[1.50,"]"]} }', b'{"codedeal":"21"}'
    api.on("POST", entry_point("PerformList"), b"[ " + first + b" , " + second + b" ]")
    lines = bridge.cli("provider", "weavy", "sample", "NewDeal", "--publish").stdout.decode().splitlines()
    assert len(lines) == 2
    assert all(line.startswith("200 accepted ") and line.endswith(" NewDeal") for line in lines), lines
    assert subscriber.wait_for("weavy/NewDeal/20", 1)[0].payload == first
    assert subscriber.wait_for("weavy/NewDeal/21", 1)[0].payload == b'{"result":' + second + b"}"
    bridge.stop()
    bridge.cli("provider", "weavy", "sample", "NewDeal", "--publish", expect=1)
    bridge.start()


def test_a_sample_of_an_event_at_the_path_of_the_source_is_published_there(subscriber, api, sampled):
    bridge = sampled({weavy_source(api)["path"]: "NewDeal", "new-customer": "NewCustomer"})
    api.on("POST", entry_point("PerformList"), {"result": {"codedeal": "22"}})
    bridge.cli("provider", "weavy", "sample", "NewDeal", "--publish")
    subscriber.wait_for("weavy/NewDeal/22", 1)


def test_with_json_every_answer_of_the_bridge_to_a_sample_is_an_object(subscriber, api, sampled):
    bridge = sampled({"new-deal": "NewDeal"})
    api.on("POST", entry_point("PerformList"), [{"codedeal": "23"}, {"codedeal": "23"}, {"code": {}}])
    out = bridge.cli("provider", "weavy", "sample", "NewDeal", "--publish", "--json", expect=1).stdout
    taken, repeated, quarantined = map(json.loads, out.splitlines())
    (message,) = subscriber.wait_for("weavy/NewDeal/23", 1)
    nothing = {"reason": None, "error": None, "message": None}
    assert taken == {
        "event": "NewDeal", "http_status": 200, "status": "accepted", "id": message.property("id"), **nothing
    }
    assert repeated == {**taken, "status": "duplicate"}
    assert quarantined["http_status"] == 202 and quarantined["status"] == "quarantined" and quarantined["reason"]
    lines = bridge.cli("provider", "weavy", "sample", "NewDeal", "--publish", expect=1).stdout.decode().splitlines()
    assert lines[2].startswith("202 quarantined ") and lines[2].endswith(f" NewDeal ({quarantined['reason']})")
    # A path that the bridge does not know, as it has not read this yet.
    bridge.config["sources"][0]["events"] = {"elsewhere": "NewDeal"}
    bridge.write_config()
    out = bridge.cli("provider", "weavy", "sample", "NewDeal", "--publish", "--json", expect=1).stdout
    refused = [json.loads(line) for line in out.splitlines()]
    assert [(one["http_status"], one["error"], one["id"]) for one in refused] == [(404, "not_found", None)] * 3
    assert all(one["message"] for one in refused)


# What is stored


@pytest.mark.parametrize(
    "text, saying",
    [
        ("", "damaged"), ("{", "damaged"), ("[]", "damaged"), ('{"version": 1}', "damaged"),
        ('{"logins": [], "subscriptions": []}', "damaged"),
        ('{"version": 2, "logins": [], "subscriptions": []}', "version 2"),
        ('{"version": 1, "logins": [], "subscriptions": [{"event": "NewDeal"}]}', "damaged"),
        ('{"version": 1, "logins": [7], "subscriptions": []}', "damaged"),
    ],
)
def test_a_state_file_that_is_not_understood_is_an_error_and_stays_as_it_is(api, weavy, text, saying):
    state_file(weavy).write_text(text)
    for args in (["login"], ["subscribe", "NewDeal"], ["list"], ["unsubscribe", "--all"]):
        weavy.fails(*args, saying=saying)
        assert str(state_file(weavy)) in weavy.err
    assert state_file(weavy).read_text() == text and api.asked() == []


def test_two_commands_do_not_change_it_at_once(api, weavy):
    answer_codes(api)
    weavy.run("subscribe", "NewDeal")
    fd = lock(weavy.folder)
    weavy.fails("subscribe", "NewCustomer", saying="another hook2mqtt command")
    weavy.run("list")
    weavy.run("subscribe", "NewCustomer", "--dry-run")
    os.close(fd)
    weavy.run("subscribe", "NewCustomer")
    assert codes(weavy) == ["code-NewDeal", "code-NewCustomer"]


def test_what_is_of_another_account_is_kept_and_not_seen(start, api, tmp_path):
    shared = str(tmp_path / "shared.json")
    ours = Commands(start, "weavy", weavy_source(api, state_file=shared))
    answer_codes(api)
    ours.run("subscribe", "NewDeal")
    theirs = Commands(start, "weavy", weavy_source(api, state_file=shared, project_code="other"))
    assert theirs.run("list") == ""
    theirs.run("unsubscribe", "--all")
    theirs.run("login")
    assert [row["code"] for row in ours.rows("list")] == ["code-NewDeal"]
    assert len(json.loads(pathlib.Path(shared).read_text())["logins"]) == 2


def test_nothing_is_asked_if_the_state_could_not_be_stored(start, api, tmp_path):
    commands = Commands(start, "weavy", weavy_source(api, state_file=str(tmp_path / "no/state.json")))
    commands.fails("login", saying=str(tmp_path / "no/state.json"))
    assert api.asked() == []


def test_a_dry_run_of_weavy_shows_the_login_without_the_password_and_writes_nothing(api, weavy):
    rows = weavy.rows("subscribe", "NewDeal", "--dry-run")
    assert [(row["method"], row["url"]) for row in rows] == [
        ("POST", api.url + LOGIN), ("POST", api.url + entry_point("Subscribe"))
    ]
    assert rows[0]["body"]["password"] == "***" and "Authorization" not in rows[0]["headers"]
    assert rows[1]["headers"]["Authorization"] == "Bearer ***"
    assert rows[1]["body"] == json.loads(subscribe_body("NewDeal"))
    weavy.run("sample", "NewDeal", "--dry-run")
    weavy.run("login", "--dry-run")
    assert api.asked() == [] and names_in(weavy.folder) == ["bridge.json"]


@pytest.mark.parametrize(
    "args, saying",
    [(["subscribe"], "--all"), (["subscribe", "NewDeal", "--all"], "--all"), (["unsubscribe"], "--all"),
     (["sample"], "missing"), (["list", "x"], "too many"), (["login", "--url", "x"], "no such option")],
)
def test_wrong_usage_of_weavy(weavy, args, saying):
    weavy.fails(*args, saying=saying, status=2)
