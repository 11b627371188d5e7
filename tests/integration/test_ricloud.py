"""Reincubate ricloud from registration to the broker, played by a stand-in: `provider ricloud …` and its deliveries."""

import json
import stat
import threading
import time

import pytest
from lib.certs import Authority
from lib.wait import DEADLINE_S, free_port, wait_until
from providers import ricloud, standin

TOKEN = "key-token-5f0f9c1e"
PATH = "/webhooks/ricloud"
# The waits between a provider's five attempts are hours.
TIME_SCALE = 1e-5


@pytest.fixture
def make_provider(start):
    def make(**options):
        provider = ricloud.Ricloud(token=TOKEN, **{"time_scale": TIME_SCALE, **options})
        start.stack.callback(provider.close)
        return provider

    return make


@pytest.fixture
def provider(make_provider):
    return make_provider()


class Registered:
    """A bridge with a source for the provider, at an address that is known before it runs."""

    def __init__(self, start, provider, broker=None, *, run=True, port=None, **settings):
        self.provider = provider
        self.url = f"http://127.0.0.1:{port or free_port()}{PATH}"
        listen = self.url.removeprefix("http://").removesuffix(PATH)
        self.bridge = start.bridge(broker, {"ingress": {"listen": [listen]}}, start=False, env={"RICLOUD_TOKEN": TOKEN})
        self.bridge.secrets.add(TOKEN)
        # The second one is for the next webhook config, whose secret is another one.
        self.secret_file, next_file = (self.bridge.folder / f"ricloud-{i}.secret" for i in (1, 2))
        self.bridge.config["sources"].append({
            "name": "ricloud", "provider": "ricloud", "path": PATH,
            "secrets": [{"file": str(self.secret_file)}, {"file": str(next_file)}], "public_url": self.url,
            "api": {"url": provider.url, "token": {"env": "RICLOUD_TOKEN"}},
            **settings,
        })
        self.bridge.write_config()
        if run:
            self.bridge.start()

    def cli(self, *args, expect=0):
        """Runs `provider ricloud …`; returns all it printed."""
        done = self.bridge.cli("provider", "ricloud", *args, expect=expect)
        text = (done.stdout + done.stderr).decode()
        assert TOKEN not in text
        return text

    def create(self):
        """Creates a webhook config that becomes valid; returns the provider's own record of it."""
        self.cli("create")
        config = self.provider.configs[-1]
        assert config["state"] == "valid"
        return config


@pytest.fixture
def registered(start, broker, provider):
    return Registered(start, provider, broker)


def wait_over(*deliveries):
    for one in deliveries:
        assert one.over.wait(DEADLINE_S), one.report()
    return deliveries


def statuses(delivery):
    return [attempt.status for attempt in delivery.attempts]


def test_the_standin_signs_as_the_provider_does():
    body = (
        b'{"id":"0b2f4d6e-8a1c-4e3f-9b7d-5c6a7e8f9012","resource":"event","type":"webhook_config","action":"test"}'
    )
    signature = ricloud.sign("nonce", 1580774400, body)
    assert signature == "t=1580774400,s=ZqO/VTLaI84YafPrMzJO1bc3WRoK3aUMp2d3CcgylwU="


def test_the_standin_filters_and_pages_its_lists(provider):
    for n in range(12):
        provider.new_event("poll.completed" if n % 2 else "poll.created", {"id": n, "resource": "poll"})

    def listed(**query):
        page = provider.answer(request("GET", "/events", **query)).body
        return [one["data"]["id"] for one in page["data"]], page["has_more"], page["total_count"]

    assert listed() == ([11, 10, 9, 8, 7, 6, 5, 4, 3, 2], True, 12)
    assert listed(limit="12", action="created") == ([10, 8, 6, 4, 2, 0], False, 6)
    ids = [one["id"] for one in provider.events]
    assert listed(after_id=ids[2]) == ([1, 0], False, 12)
    assert listed(before_id=ids[9]) == ([11, 10], False, 12)
    assert listed(date_created=provider.events[10]["date_created"]) == ([11, 10], False, 2)
    assert listed(state="delivered") == ([], False, 0)
    assert provider.answer(request("GET", "/events", limit="0")).status == 400


def request(method, path, **query):
    return standin.Request(method, path, query, {"Authorization": f"Token {TOKEN}"}, b"")


# Registration


def test_create_stores_the_secret_and_ends_in_valid(subscriber, registered):
    text = registered.cli("create")
    (config,) = registered.provider.configs
    assert config["state"] == "valid" and "valid" in text and "invalid" not in text
    assert config["url"] == registered.url
    assert registered.secret_file.read_text().strip() == config["secret"]
    assert stat.S_IMODE(registered.secret_file.stat().st_mode) == 0o600
    assert config["secret"] not in text
    (message, *_) = subscriber.wait_for(f"ricloud/webhook_config/test/{config['id']}")
    assert json.loads(message.payload)["type"] == "webhook_config"


def test_create_ends_in_valid_although_the_first_test_comes_before_the_secret_is_there(start, broker, make_provider):
    registered = Registered(start, make_provider(test_first=True), broker)
    config = registered.create()
    first, *others = registered.provider.deliveries
    assert statuses(first) == [401], "that test cannot have been authentic"
    assert [statuses(one) for one in others] == [[200]], "and one more was enough"
    assert registered.secret_file.read_text().strip() == config["secret"]


def test_create_waits_for_a_test_that_comes_late(start, broker, make_provider):
    registered = Registered(start, make_provider(test_delay_s=1.5), broker)
    registered.create()
    assert [statuses(one) for one in registered.provider.deliveries] == [[200]]


def test_create_says_why_a_config_is_invalid_when_the_bridge_is_not_there(start, make_provider):
    registered = Registered(start, make_provider(), run=False)
    text = registered.cli("create", expect=1)
    (config,) = registered.provider.configs
    assert config["state"] == "invalid" and "invalid" in text
    assert "receiver_not_reached" in text, "what the provider says about it"
    # What was stored is not lost: once the bridge is there, the same config is tested again.
    registered.bridge.start()
    registered.cli("test", config["id"], "--wait")
    assert config["state"] == "valid"


def test_a_wrong_secret_ends_in_invalid_and_the_command_says_why(registered):
    config = registered.create()
    registered.secret_file.write_text("not the secret of this config\n")
    registered.bridge.restart()  # else it may take a second until the old one does not count any more
    text = registered.cli("test", config["id"], "--wait", expect=1)
    assert config["state"] == "invalid" and "invalid" in text
    assert "receiver_answered_401" in text, "what the provider says about it"


def test_create_says_why_when_the_provider_signs_with_another_secret(registered):
    registered.provider.wrong_secret = "of somebody else"
    text = registered.cli("create", expect=1)
    assert registered.provider.configs[0]["state"] == "invalid" and "invalid" in text
    assert "receiver_answered_401" in text


def test_update_to_a_new_url_tests_it_again(registered):
    config = registered.create()
    tested = len(registered.provider.deliveries)
    registered.cli("update", config["id"], "--url", f"{registered.url}/")
    assert config["state"] == "valid" and len(registered.provider.deliveries) == tested + 1
    assert config["url"].rstrip("/") == registered.url
    nobody = f"http://127.0.0.1:{free_port()}{PATH}"
    text = registered.cli("update", config["id"], "--url", nobody, expect=1)
    assert config["state"] == "invalid" and "invalid" in text and nobody in text


def test_a_deactivated_config_is_listed_only_when_asked_for(registered):
    config, other = registered.create(), registered.create()
    registered.cli("update", config["id"], "--state", "deactivated")
    assert config["state"] == "deactivated"
    assert ids(registered.cli("list", "--json")) == {other["id"]}
    assert ids(registered.cli("list", "--json", "--state", "deactivated")) == {config["id"]}
    registered.cli("update", config["id"], "--state", "new")
    assert ids(registered.cli("list", "--json")) == {config["id"], other["id"]}


def ids(text):
    """The ids of the configs in what `list --json` prints."""
    return {json.loads(line)["id"] for line in text.splitlines()}


def test_list_shows_more_than_one_page(registered):
    for n in range(25):
        registered.provider.configs.append(
            {"id": 100 + n, "resource": "webhook_config", "organisation": 1, "url": "https://x.example/", "secret": "s",
             "state": "invalid", "date_created": ricloud.now()}
        )
    assert ids(registered.cli("list", "--json")) == set(range(100, 125))


def test_get_shows_a_config_without_its_secret(registered):
    config = registered.create()
    text = registered.cli("get", config["id"])
    assert "valid" in text and registered.url in text
    assert config["secret"] not in text


def test_use_makes_the_key_use_a_config_and_delete_ends_it(subscriber, registered):
    first, second = registered.create(), registered.create()
    assert registered.provider.default_config == first["id"]
    registered.cli("use", second["id"])
    assert registered.provider.key["webhook_config"] == second["id"]
    wait_over(*registered.provider.fire("poll.completed", gid="p1"))
    subscriber.wait_for("ricloud/poll/completed/p1")
    registered.cli("delete", second["id"])
    assert registered.provider.configs == [first]
    text = registered.cli("get", second["id"], expect=1)
    assert f"There is no webhook config {second['id']}" in text


def test_a_token_that_is_not_known_is_an_error_in_the_providers_words(registered):
    registered.provider.token = "another"
    text = registered.cli("create", expect=1)
    assert "This key token is not known" in text
    assert not registered.provider.configs and not registered.secret_file.exists()


def test_what_was_bad_luck_is_tried_again(registered):
    registered.provider.fail(503)
    registered.provider.fail(429, retry_after=1)
    begin = time.monotonic()
    registered.cli("list")
    assert time.monotonic() - begin >= 1, "Retry-After counts"
    assert [status for *_, status in registered.provider.calls] == [503, 429, 200]


def test_an_api_whose_certificate_is_not_trusted_gets_no_token(start, make_provider, tmp_path):
    authority = Authority(tmp_path)
    provider = make_provider(tls=authority.issue("api"))
    Registered(start, provider, run=False).cli("list", "--timeout", "1s", expect=1)
    assert not provider.calls
    api = {"url": provider.url, "token": {"env": "RICLOUD_TOKEN"}, "ca_file": str(authority.cert)}
    Registered(start, provider, run=False, api=api).cli("list")
    assert [status for *_, status in provider.calls] == [200]


def test_dry_run_asks_nobody(registered):
    text = registered.cli("create", "--dry-run")
    assert "/configs/webhook" in text and registered.url in text
    assert not registered.provider.calls and not registered.secret_file.exists()


# Deliveries


@pytest.mark.parametrize("append_id", [True, False], ids=["at a path with the event's id", "at the path itself"])
def test_all_seven_event_types_arrive_byte_for_byte_but_for_a_secret(start, broker, subscriber, make_provider, append_id):
    registered = Registered(start, make_provider(append_id=append_id), broker)
    provider = registered.provider
    registered.create()
    sent = wait_over(*[one for event in ricloud.EVENTS for one in provider.fire(event)])
    sent = [one for one in provider.deliveries if one.state == "delivered"]
    assert {one.name for one in sent} == {*ricloud.EVENTS, ricloud.TEST_EVENT}
    for delivery in sent:
        event = delivery.event
        topic = f"ricloud/{event['type']}/{event['action']}/{event['data']['id']}"
        message = next(m for m in subscriber.wait_for(topic) if m.payload == delivery.shown())
        assert (message.payload != delivery.attempts[-1].body) == (delivery.name == ricloud.TEST_EVENT)
        assert message.property("delivery_id") == event["id"]
        assert message.property("event") == delivery.name
        assert event["state"] == "delivered" and event["date_delivered"]


def test_an_event_that_no_list_names_passes(subscriber, registered):
    registered.create()
    (sent,) = wait_over(*registered.provider.fire("backup.started", gid="b1"))
    assert subscriber.wait_for("ricloud/backup/started/b1")[0].payload == sent.attempts[0].body


def test_a_retry_with_the_same_id_is_a_duplicate_though_it_counts_retries(subscriber, registered):
    provider = registered.provider
    config = registered.create()
    (first,) = wait_over(*provider.fire("poll.completed", gid="p1"))
    retried = {**json.loads(first.attempts[0].body), "retries": 1}
    again = provider.send(ricloud.EventDelivery(provider, retried, config, ()))
    (last,) = provider.fire("poll.created", gid="p1")
    wait_over(again, last)
    assert again.attempts[0].body != first.attempts[0].body
    assert json.loads(again.attempts[0].text)["status"] == "duplicate"
    subscriber.wait_for("ricloud/poll/created/p1")
    registered.bridge.wait_settled()
    assert len(subscriber.on("ricloud/poll/completed/p1")) == 1


def test_five_attempts_at_a_bridge_that_is_down_and_then_the_event_has_failed(registered):
    provider = registered.provider
    registered.create()
    registered.bridge.stop()
    (delivery,) = wait_over(*provider.fire("poll.completed"))
    assert statuses(delivery) == [0] * 5
    assert delivery.event["state"] == "failed" and delivery.event["retries"] == 4
    assert provider.answer(request("GET", "/events", state="failed", type="poll")).body["data"] == [delivery.event]


def test_an_event_is_delivered_if_the_bridge_is_back_within_the_attempts(subscriber, registered):
    provider = registered.provider
    registered.create()
    registered.bridge.stop()
    provider.time_scale = 1 / 60  # the second attempt one second after the first, the third ten seconds later
    (delivery,) = provider.fire("poll.completed", gid="p1")
    wait_until(lambda: delivery.attempts, "the first attempt")
    registered.bridge.start()
    wait_over(delivery)
    *failed, last = statuses(delivery)
    assert failed and set(failed) == {0} and last == 200
    assert delivery.event["state"] == "delivered" and delivery.event["retries"] == len(failed)
    assert subscriber.wait_for("ricloud/poll/completed/p1")[0].payload == delivery.attempts[-1].body


def test_a_broker_that_is_away_costs_no_attempt(start, broker, registered):
    provider = registered.provider
    registered.create()
    broker.stop()
    sent = wait_over(*[one for _ in range(20) for one in provider.fire("task.succeeded", gid="t1")])
    assert [statuses(one) for one in sent] == [[200]] * 20
    broker.start()
    subscriber = start.subscriber(broker)
    messages = subscriber.wait_for("ricloud/task/succeeded/t1", 20)
    assert [m.payload for m in messages] == [one.attempts[0].body for one in sent]


def test_create_refuses_none_of_the_events_that_flow_meanwhile(subscriber, registered):
    """The second config has a secret of its own, and the first one's must still be good."""
    provider = registered.provider
    registered.cli("use", registered.create()["id"])
    sent, enough = [], threading.Event()

    def flow():
        while not enough.is_set():
            (delivery,) = provider.fire("poll.completed", gid="flow")
            sent.append(delivery)
            delivery.over.wait(DEADLINE_S)

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        wait_until(lambda: len(sent) > 20, "events flow")
        registered.create()
        before = len(sent)
        wait_until(lambda: len(sent) > before + 20, "events flow on")
    finally:
        enough.set()
        thread.join(DEADLINE_S)
    assert {tuple(statuses(one)) for one in sent} == {(200,)}
    messages = subscriber.wait_for("ricloud/poll/completed/flow", len(sent))
    assert [m.payload for m in messages] == [one.attempts[0].body for one in sent]
