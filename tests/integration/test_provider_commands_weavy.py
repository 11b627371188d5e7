"""`provider weavy …` against an API that answers as it is told: what it asks, stores and says."""

import json
import os
import pathlib

import pytest

from lib.api_server import CLOSE, HANG, Answer
from lib.provider_commands import (
    AUTH_TOKEN, EVENTS, LOGIN, PASSWORD, TOKEN, Commands, answer_codes, assert_request, codes, echoes,
    entry_point, header, keys_in_help, lock, mode_of, names_in, state_file, state_of, subscribe_body, url_of,
    weavy_source,
)


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
    for verb in ("subscribe", "sample"):
        before = len(api.asked())
        weavy.fails(verb, "NewDeal", saying=f"NewDeal: POST {api.url}{LOGIN}: answered 401: *** is wrong")
        assert len(api.asked()) == before + 1, "a password that is wrong is tried once"
    api.on("POST", LOGIN, {"something": "else"})
    weavy.fails("login", saying=f'contains no authToken: POST {api.url}{LOGIN}: answered 200\n')
    api.on("POST", LOGIN, {"error": "locked", "message": f"{PASSWORD} is known"})
    weavy.fails("login", saying="answered 200: locked: *** is known")
    api.on("POST", LOGIN, {"accessToken": AUTH_TOKEN})
    weavy.fails("login", saying="answered 200\n")
    assert not state_file(weavy).exists()


@pytest.mark.parametrize("answer", [Answer(401), Answer(403), Answer(200, {"something": "else"})], ids=str)
def test_a_login_that_fails_ends_the_verb(api, weavy, answer):
    """As a password that is wrong is so for every event; each further try may lock the account."""
    answer_codes(api)
    weavy.run("subscribe", "NewDeal", "NewCustomer", "NewSuspect")
    api.on("POST", LOGIN, answer)
    for name in ("Subscribe", "Unsubscribe"):
        api.on("POST", entry_point(name), 401)
    for args in (["subscribe", "Own1", "Own2"], ["unsubscribe", "NewDeal", "NewCustomer"], ["unsubscribe", "--all"],
                 ["unsubscribe", "code-1", "code-2"]):
        before = len(api.asked("POST", LOGIN))
        weavy.run(*args, expect=1)
        assert len(api.asked("POST", LOGIN)) == before + 1 and weavy.err.count("Authenticate") == 1, weavy.err
    assert len(codes(weavy)) == 3


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
    assert set(commands.err.splitlines()) == {
        f"hook2mqtt: sources[0].events names no path for {event}; the bridge would not take it: left out"
        for event in EVENTS if event not in urls}
    commands.run("subscribe", "OwnEvent")
    assert subscribed_urls(api)["OwnEvent"] == "https://hooks.example/crm/own"


def test_where_no_standard_event_has_a_path_all_is_an_error(start, api):
    commands = weavy_with(start, api, {"own": "OwnEvent"})
    commands.fails("subscribe", "--all", saying="sources[0].events names no path for any standard event")
    assert api.asked() == []


def test_an_event_without_a_path_is_refused_before_anything_is_sent(start, api):
    commands = weavy_with(start, api, {"new-customer": "NewCustomer"})
    saying = "sources[0].events names no path for NewProspect; the bridge would not take it"
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
        weavy.fails(*args, saying="New/Customer; the bridge would not take it, as it has a slash in its name")
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
    assert api.asked()[1].body == api.asked()[3].body == subscribe_body("NewDeal")
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


def test_a_sample_arrives_however_often_it_is_published(subscriber, api, sampled):
    """weavy makes the same sample each time, which the bridge would take for a repeat."""
    bridge = sampled({"new-deal": "NewDeal"})
    body = b'{"result":{"codedeal":"25"}}'
    api.on("POST", entry_point("PerformList"), body)
    for _ in range(4):
        out = bridge.cli("provider", "weavy", "sample", "NewDeal", "--publish").stdout.decode()
        assert out.startswith("200 accepted ")
    payloads = [one.payload for one in subscriber.wait_for("weavy/NewDeal/25", 4)]
    assert payloads[0] == body and all(json.loads(one) == json.loads(body) for one in payloads)


def test_a_sample_of_an_event_at_the_path_of_the_source_is_published_there(subscriber, api, sampled):
    bridge = sampled({weavy_source(api)["path"]: "NewDeal", "new-customer": "NewCustomer"})
    api.on("POST", entry_point("PerformList"), {"result": {"codedeal": "22"}})
    bridge.cli("provider", "weavy", "sample", "NewDeal", "--publish")
    subscriber.wait_for("weavy/NewDeal/22", 1)


def test_with_json_every_answer_of_the_bridge_to_a_sample_is_an_object(subscriber, api, sampled):
    bridge = sampled({"new-deal": "NewDeal"})
    api.on("POST", entry_point("PerformList"), [{"codedeal": "23"}, {"codedeal": "23"}, {"code": {}}])
    out = bridge.cli("provider", "weavy", "sample", "NewDeal", "--publish", "--json", expect=1).stdout
    taken, again, quarantined = map(json.loads, out.splitlines())
    messages = subscriber.wait_for("weavy/NewDeal/23", 2)
    nothing = {"reason": None, "error": None, "message": None}
    for row, message in zip((taken, again), messages, strict=True):
        assert row == {
            "event": "NewDeal", "http_status": 200, "status": "accepted", "id": message.property("id"), **nothing
        }
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


def test_the_help_lists_the_keys_that_are_printed(api, weavy, sampled):
    answer_codes(api)
    assert list(weavy.rows("login")[0]) == keys_in_help("login")
    assert list(weavy.rows("subscribe", "NewDeal")[0]) == keys_in_help("subscription")
    assert list(weavy.rows("list")[0]) == keys_in_help("subscription")[:-1]
    bridge = sampled({"new-deal": "NewDeal"})
    api.on("POST", entry_point("PerformList"), {"result": {"codedeal": "24"}})
    out = bridge.cli("provider", "weavy", "sample", "NewDeal", "--publish", "--json").stdout
    assert list(json.loads(out)) == keys_in_help("sample --publish")
