"""`provider …` where things go awkwardly: signals during a call, answers that nobody asked for in this form, odd secrets."""

import gzip
import json
import re
import signal
import subprocess
import threading

import pytest

from lib.api_server import HANG, Answer
from lib.bridge import PROGRAM
from lib.provider_commands import (
    CONFIGS, HOOK_SECRET, LOGIN, PUBLIC_URL, TOKEN, answer_codes, codes, config, entry_point, header, names_in,
    shown, state_of, task, url_of,
)
from lib.wait import DEADLINE_S, wait_until

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


# Signals


class Interrupted:
    """A verb that gets a signal while the API has its request; how: then answers after that, or never."""

    def __init__(self, commands, *args):
        command = [PROGRAM, "-c", commands.bridge.config_file, "provider", commands.provider, *args]
        self.running = subprocess.Popen(
            command, env=commands.bridge.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )

    def send(self, number):
        self.running.send_signal(number)

    def end(self):
        out, err = self.running.communicate(timeout=DEADLINE_S)
        return self.running.returncode, out.decode(), err.decode()


def slow(answer):
    """An answer that comes once the client has been told to stop."""
    asked, told = threading.Event(), threading.Event()

    def wait(_):
        asked.set()
        assert told.wait(DEADLINE_S)
        return answer

    return asked, told, wait


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_code_that_is_on_its_way_when_a_signal_comes_is_stored(api, weavy, number):
    answer_codes(api)
    weavy.run("login")
    asked, told, wait = slow({"result": {"codeWebhookSubscription": "the-code"}})
    api.on("POST", entry_point("Subscribe"), wait)
    verb = Interrupted(weavy, "subscribe", "NewDeal", "NewCustomer")
    assert asked.wait(DEADLINE_S)
    verb.send(number)
    assert "waiting for the answer" in verb.running.stderr.readline().decode()
    told.set()
    status, out, err = verb.end()
    assert status == -number and "the-code  subscribed" in out and "interrupted before NewCustomer" in err
    assert codes(weavy) == ["the-code"] and names_in(weavy.folder) == ["bridge.json", "crm.provider.json"]
    assert len(api.asked("POST", entry_point("Subscribe"))) == 1


def test_a_code_that_does_not_come_after_a_signal_is_told_to_be_lost(api, weavy):
    answer_codes(api)
    weavy.run("login")
    api.on("POST", entry_point("Subscribe"), HANG)
    verb = Interrupted(weavy, "subscribe", "--all", "--json")
    wait_until(lambda: api.asked("POST", entry_point("Subscribe")), "asked")
    verb.send(signal.SIGINT)
    status, out, err = verb.end()
    assert status == -signal.SIGINT
    (row,) = map(json.loads, out.splitlines())
    assert row["status"] == "unknown" and row["code"] is None and row["url"] == url_of(row["event"])
    assert "interrupted before there was an answer" in err and "may be subscribed all the same" in err
    assert "trying again" not in err and codes(weavy) == []
    assert names_in(weavy.folder) == ["bridge.json", "crm.provider.json"]
    assert len(api.asked("POST", entry_point("Subscribe"))) == 1


def test_a_secret_that_is_on_its_way_when_a_signal_comes_is_stored(api, ricloud, secret_file):
    asked, told, wait = slow(Answer(201, config(secret=HOOK_SECRET)))
    api.on("POST", CONFIGS, wait)
    verb = Interrupted(ricloud, "create", "--json")
    assert asked.wait(DEADLINE_S)
    verb.send(signal.SIGTERM)
    assert "waiting for the answer" in verb.running.stderr.readline().decode()
    told.set()
    status, out, err = verb.end()
    assert status == -signal.SIGTERM
    assert json.loads(out) == {**shown(config()), "test_error": None, "secret_file": str(secret_file)}
    assert "is new: interrupted before its test was finished" in err and "test 7 --wait" in err
    assert secret_file.read_text() == HOOK_SECRET and names_in(secret_file.parent) == ["one"]
    assert len(api.asked()) == 1


@pytest.mark.parametrize("answer", [HANG, Answer(503)], ids=["no answer", "tried again"])
def test_a_create_that_a_signal_ends_leaves_nothing_and_says_what_may_be_there(api, ricloud, secret_file, answer):
    api.on("POST", CONFIGS, answer)
    verb = Interrupted(ricloud, "create")
    wait_until(lambda: len(api.asked()) >= 1, "asked")
    verb.send(signal.SIGINT)
    status, out, err = verb.end()
    assert status == -signal.SIGINT and out == f"-  unknown  -  {PUBLIC_URL}\n"
    assert "a config may have been made" in err and names_in(secret_file.parent) == []


def test_a_signal_ends_the_wait_for_a_test(api, ricloud, secret_file):
    api.on("POST", CONFIGS, Answer(201, config(secret=HOOK_SECRET)))
    api.on("GET", f"{CONFIGS}/7", config())
    verb = Interrupted(ricloud, "create")
    wait_until(lambda: api.asked("GET"), "asked for the state")
    verb.send(signal.SIGINT)
    status, out, err = verb.end()
    assert status == -signal.SIGINT and out.startswith("7  new  ") and "interrupted" in err
    assert secret_file.read_text() == HOOK_SECRET


def test_a_signal_that_was_ignored_stays_so(api, weavy):
    answer_codes(api)
    asked, told, wait = slow({"result": {"codeWebhookSubscription": "the-code"}})
    api.on("POST", entry_point("Subscribe"), wait)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        verb = Interrupted(weavy, "subscribe", "NewDeal")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert asked.wait(DEADLINE_S)
    verb.send(signal.SIGHUP)
    told.set()
    status, _, err = verb.end()
    assert (status, err) == (0, "") and codes(weavy) == ["the-code"]


def test_unsubscribe_forgets_what_has_ended_even_if_nobody_reads_what_it_prints(api, weavy):
    answer_codes(api)
    weavy.run("subscribe", "--all")
    asked, told, wait = slow({"result": {}})
    api.on("POST", entry_point("Unsubscribe"), wait, {"result": {}})
    verb = Interrupted(weavy, "unsubscribe", "--all")
    assert asked.wait(DEADLINE_S)
    verb.running.stdout.close()
    told.set()
    verb.running.wait(DEADLINE_S)
    verb.running.stderr.close()
    assert codes(weavy) == []


# Outcomes that are not known


def test_with_json_a_create_whose_outcome_is_not_known_is_an_object(api, ricloud, secret_file):
    unknown = {"id": None, "url": PUBLIC_URL, "state": "unknown", "organisation": None, "date_created": None,
               "test_error": None, "secret_file": None}
    for answer in (HANG, Answer(201, b""), Answer(503)):
        api.on("POST", CONFIGS, answer)
        assert ricloud.rows("create", "--timeout", "1s", expect=1) == [unknown]
    api.on("POST", CONFIGS, Answer(400))
    assert ricloud.rows("create", expect=1) == [], "nothing was made"
    # It is there, but how its test went is not known.
    api.on("POST", CONFIGS, Answer(201, config(secret=HOOK_SECRET)))
    api.on("GET", f"{CONFIGS}/7", config(), Answer(400))
    (row,) = ricloud.rows("create", expect=1)
    assert row == {**shown(config()), "test_error": None, "secret_file": str(secret_file)}
    assert "how its test went is not known" in ricloud.err


def test_with_json_an_update_or_a_test_whose_outcome_is_not_known_is_an_object(api, ricloud):
    api.on("POST", f"{CONFIGS}/7", HANG)
    (row,) = ricloud.rows("update", "7", "--url", PUBLIC_URL, "--timeout", "1s", expect=1)
    assert (row["id"], row["url"], row["state"]) == ("7", PUBLIC_URL, "unknown")
    api.on("GET", f"{CONFIGS}/7", config("valid"), 400)
    api.on("POST", f"{CONFIGS}/7/test", task("pending"))
    (row,) = ricloud.rows("test", "7", "--wait", expect=1)
    assert row["id"] == 7 and row["test_error"] is None


def test_with_json_every_other_change_whose_outcome_is_not_known_is_an_object(api, ricloud):
    """delete, test and use; each as far as it is known."""
    api.on("GET", f"{CONFIGS}/7", config("valid"))
    api.on("GET", "/key", {"id": 5})
    for answer in (HANG, Answer(503)):
        api.on("DELETE", f"{CONFIGS}/7", answer)
        api.on("POST", f"{CONFIGS}/7/test", answer)
        api.on("POST", "/keys/5", answer)
        for args, wanted in (
            (["delete", "7"], {"id": 7, "deleted": None, "state": "unknown"}),
            (["test", "7"], {"task": None, "state": "unknown", "test_error": None}),
            (["use", "7"], {"key": 5, "webhook_config": 7, "state": "unknown"}),
        ):
            assert ricloud.rows(*args, "--timeout", "1s", expect=1) == [wanted]
    assert ricloud.run("delete", "7", "--timeout", "1s", expect=1) == "7  unknown\n"
    # Nothing was done, as nothing was asked for, or it was refused.
    api.on("DELETE", f"{CONFIGS}/7", 404)
    api.on("POST", f"{CONFIGS}/7/test", 409)
    api.on("GET", "/key", 503)
    api.on("GET", f"{CONFIGS}/8", HANG)
    for args in (["delete", "7"], ["test", "7"], ["use", "7"], ["get", "8"]):
        assert ricloud.rows(*args, "--timeout", "1s", expect=1) == []


def test_with_json_a_subscription_whose_outcome_is_not_known_is_an_object(api, weavy):
    answer_codes(api)
    weavy.run("subscribe", "NewDeal")
    for name, args, code in (("Subscribe", ["subscribe", "NewCustomer"], None),
                             ("Unsubscribe", ["unsubscribe", "NewDeal"], "code-NewDeal")):
        api.on("POST", entry_point(name), HANG)
        (row,) = weavy.rows(*args, "--timeout", "1s", expect=1)
        assert (row["event"], row["code"], row["status"]) == (args[1], code, "unknown")
    assert codes(weavy) == ["code-NewDeal"]
    (row,) = weavy.rows("unsubscribe", "a-code", "--timeout", "1s", expect=1)
    assert (row["event"], row["code"], row["status"]) == (None, "a-code", "unknown"), "also of one that is not stored"


# What an API may answer


def test_an_answer_that_is_compressed_unasked_is_read(api, ricloud):
    body = gzip.compress(json.dumps(config("valid")).encode())
    api.on("GET", f"{CONFIGS}/7", Answer(200, body, [("Content-Encoding", "gzip")]))
    assert ricloud.rows("get", "7") == [shown(config("valid"))]
    endless = gzip.compress(b" " * (5 << 20))
    api.on("GET", f"{CONFIGS}/7", Answer(200, endless, [("Content-Encoding", "gzip")]))
    ricloud.fails("get", "7", saying="larger than 4 MiB")


def test_a_list_that_says_that_there_is_more_but_has_nothing_is_no_success(api, ricloud):
    """As with an API that begins a page at after_id, and has one row a page."""
    one = {"data": [config("valid", id=1)], "has_more": True}
    api.on("GET", f"{CONFIGS}?limit=100", one)
    api.on("GET", f"{CONFIGS}?limit=100&after_id=1", one)
    assert [row["id"] for row in ricloud.rows("list", expect=1)] == [1]
    assert "says that there are more, but has none of them" in ricloud.err


@pytest.mark.parametrize("number", [1, "1"], ids=["number", "text"])
def test_use_spells_the_id_as_the_api_does(api, ricloud, number):
    api.on("GET", f"{CONFIGS}/1", config("valid", id=number))
    api.on("GET", "/key", {"id": "k"})
    api.on("POST", "/keys/k", {"id": "k"})
    assert ricloud.rows("use", "1") == [{"key": "k", "webhook_config": number}]
    assert json.loads(api.requests[-1].body) == {"webhook_config": number}


def test_use_of_a_config_that_is_not_there_changes_nothing(api, ricloud):
    api.on("GET", f"{CONFIGS}/1", Answer(404, {"message": "no such config"}))
    ricloud.fails("use", "1", saying="no such config")
    assert len(api.requests) == 1


def test_tokens_that_are_accepted_once_each_are_renewed_for_every_event(api, weavy):
    unused, count = set(), 0

    def login(_):
        nonlocal count
        count += 1
        unused.add(f"Bearer token-{count}")
        return {"authToken": f"token-{count}"}

    def subscribe(request):
        token = header(request, "Authorization")
        if token not in unused:
            return 401
        unused.remove(token)
        return {"result": {"codeWebhookSubscription": "code-" + json.loads(request.body)["event"]}}

    api.on("POST", LOGIN, login)
    api.on("POST", entry_point("Subscribe"), subscribe)
    weavy.run("subscribe", "--all")
    assert len(codes(weavy)) == 6 and count == 6
    weavy.run("subscribe", *(f"Own{number}" for number in range(20)))
    assert len(codes(weavy)) == 26 and state_of(weavy)["logins"][0]["token"] == f"token-{count}"
    assert not re.search("token-[0-9]", weavy.out + weavy.err)


@pytest.mark.parametrize(
    "secret", ["a\nb", "a\r", "a\0b", "x" * 4097, "x" * 70000, ""], ids=["LF", "CR", "NUL", "longer", "long", "empty"]
)
def test_a_secret_that_could_not_be_used_is_not_stored_and_said_to_be_odd(api, ricloud, secret_file, secret):
    api.on("POST", CONFIGS, Answer(201, config(secret=secret)))
    saying = "the API's answer contains no secret of one line and at most 4096 bytes"
    ricloud.fails("create", saying=f"WAS CREATED, BUT ITS SECRET IS NOT STORED: {saying}")
    assert "provider ricloud delete 7" in ricloud.err and names_in(secret_file.parent) == []


def test_the_longest_secret_can_be_used(api, ricloud, secret_file):
    api.on("POST", CONFIGS, Answer(201, config("valid", secret="x" * 4096)))
    ricloud.run("create")
    assert b"at most" not in ricloud.bridge.cli("check", expect=None).stdout
    assert secret_file.read_text() == "x" * 4096


def test_a_config_that_is_deactivated_is_not_tested_and_said_to_be(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", config("deactivated"))
    ricloud.fails("test", "7", "--wait", saying="webhook config 7 is deactivated\n")
    assert "update 7 --state new` activates it" in ricloud.err and len(api.requests) == 1
    api.on("GET", f"{CONFIGS}/7", config("valid"), config("deactivated"))
    api.on("POST", f"{CONFIGS}/7/test", task("pending"))
    ricloud.fails("test", "7", "--wait", saying="webhook config 7 is deactivated\n")


def test_what_may_be_wrong_with_an_invalid_config_names_the_clock(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", config("invalid"))
    api.on("POST", f"{CONFIGS}/7/test", task("failed"))
    ricloud.fails("test", "7", "--wait", saying="is the clock right? Here it is 20")


def test_wrong_usage_shows_the_usage_of_the_vendor_that_was_meant(ricloud):
    for vendor, other in (("weavy", "ricloud"), ("ricloud", "weavy")):
        for args in ([], ["nosuch"], ["list", "x"], ["list", "--nosuch"]):
            text = ricloud.bridge.cli("provider", vendor, *args, expect=2).stderr.decode()
            usage = text[text.index("usage: "):]
            assert f"hook2mqtt provider {vendor} list" in usage and other not in usage and "provider show" not in usage


def test_a_token_is_not_printed_however_the_verb_ends(api, ricloud):
    api.on("GET", f"{CONFIGS}/7", HANG)
    verb = Interrupted(ricloud, "get", "7")
    wait_until(lambda: api.asked(), "asked")
    verb.send(signal.SIGINT)
    _, out, err = verb.end()
    assert TOKEN not in out + err
