"""`provider ricloud …` against an API that answers as it is told: what it asks, stores and says."""

import base64
import hmac
import json
import os
import subprocess
import threading
import time

import pytest

from lib import http_client
from lib.api_server import CLOSE, Answer
from lib.bridge import PROGRAM
from lib.provider_commands import (
    CONFIGS, HOOK_SECRET, PUBLIC_URL, TOKEN, Commands, assert_request, config, header, keys_in_help, lock,
    mode_of, names_in, ricloud_source, shown, task,
)
from lib.wait import DEADLINE_S


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
    for hint in ("hook2mqtt health", PUBLIC_URL, "source backups", "test 7 --wait"):
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


@pytest.mark.parametrize("answer", [config(), config(secret=""), config(secret=7), config(secret=None)])
def test_an_answer_without_a_secret_is_no_success(api, ricloud, secret_file, answer):
    api.on("POST", CONFIGS, Answer(201, answer))
    ricloud.fails("create", saying="contains no secret")
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
    api.on("GET", f"{CONFIGS}/7", config("valid"))
    api.on("GET", "/key", {"id": key})
    ricloud.fails("use", "7", saying="describes no key")
    assert len(api.requests) == 2


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
     ("3f-9", b'{"webhook_config":"3f-9"}'), ("1234567890123456789", b'{"webhook_config":1234567890123456789}')],
)
def test_use_asks_for_the_key_and_sets_its_config(api, ricloud, id_text, body):
    api.on("GET", f"{CONFIGS}/{id_text}", config("valid", id=json.loads(body)["webhook_config"]))
    api.on("GET", "/key", {"id": "key 1", "token": TOKEN})
    api.on("POST", "/keys/key%201", {"id": "key 1", "token": TOKEN})
    assert ricloud.run("use", id_text) == f"key key 1 uses webhook config {id_text}\n"
    _, got, posted = api.asked()
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
    assert [row["id"] for row in ricloud.rows("list", expect=1)] == [1]


def test_a_list_without_an_end_ends_with_the_time(api, ricloud):
    def next_page(request):
        last = int(request.path.partition("&after_id=")[2] or 0)
        api.on("GET", f"{CONFIGS}?limit=100&after_id={last + 1}", next_page)
        return page(last + 1, more=True)

    api.on("GET", f"{CONFIGS}?limit=100", next_page)
    ricloud.fails("list", "--timeout", "1s", saying="the list has more pages, but the time is over")
    rows = [int(line.split()[0]) for line in ricloud.out.splitlines()]
    assert rows == list(range(1, len(rows) + 1))


def test_list_passes_its_filters_on(api, ricloud):
    query = "?limit=100&state=deactivated&date_created=2018-08-22T10%3A25%3A05Z"
    api.on("GET", CONFIGS + query, page(more=False))
    assert ricloud.run("list", "--state", "deactivated", "--date-created", "2018-08-22T12:25:05+02:00") == ""
    assert len(api.asked("GET", CONFIGS + query)) == 1
    api.on("GET", f"{CONFIGS}?limit=100", {"resource": "event"})
    ricloud.fails("list", saying=f"is no list: GET {api.url}{CONFIGS}?limit=100: answered 200\n")


@pytest.mark.parametrize(
    "answer, saying", [(b"", "answered 200\n"), (b"<html>\n <p>Log in</p>", "answered 200, but not with JSON\n")],
    ids=["nothing", "HTML"],
)
def test_a_2xx_answer_that_is_of_no_use_is_a_failure(api, ricloud, answer, saying):
    api.on("GET", f"{CONFIGS}/7", Answer(200, answer))
    api.on("GET", f"{CONFIGS}?limit=100", Answer(200, answer))
    api.on("GET", "/key", Answer(200, answer))
    api.on("GET", f"{CONFIGS}/8", config("valid", id=8))
    for args, what in ((["get", "7"], "describes no webhook config"), (["list"], "is no list"),
                       (["use", "8"], "describes no key")):
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


# Secrets


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


def test_the_help_lists_the_keys_that_are_printed(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", config("valid"))
    api.on("POST", f"{CONFIGS}/7", config("valid"))
    api.on("POST", f"{CONFIGS}/7/test", task("pending"))
    api.on("DELETE", f"{CONFIGS}/7", Answer(204))
    api.on("GET", "/key", {"id": 5})
    api.on("POST", "/keys/5", {"id": 5})
    for args, of, left_out in (
        (["get", "7"], "config", 2), (["update", "7", "--url", PUBLIC_URL], "config", 0), (["test", "7"], "test", 0),
        (["delete", "7"], "deletion", 0), (["use", "7"], "use", 0), (["get", "7", "--dry-run"], "request", 0),
    ):
        keys = keys_in_help(of)
        assert list(ricloud.rows(*args)[0]) == keys[: len(keys) - left_out]
