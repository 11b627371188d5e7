#!/usr/bin/env python3
"""
A stand-in for Reincubate ricloud (v3): webhook configs, their tests, tasks, events, keys.

    python3 tests/providers/ricloud.py --port 9001 --token TOKEN
    curl -H 'Authorization: Token TOKEN' http://127.0.0.1:9001/configs/webhook
    curl -d '{"event": "poll.completed"}' http://127.0.0.1:9001/_standin/fire
"""

import base64
import datetime
import hashlib
import hmac
import pathlib
import secrets
import sys
import time
import urllib.parse
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from providers import standin  # noqa: E402
from providers.standin import Answer  # noqa: E402

# The published events, and the one that tests a webhook config.
EVENTS = ("session.expired", "poll.created", "poll.completed", "task.created", "task.succeeded", "task.failed")
TEST_EVENT = "webhook_config.test"

# Five attempts "over the course of a few hours". Assumed: when.
RETRY_MINUTES = (1, 10, 60, 120)
MAX_AWAIT_S = 10
CONFIG_STATES = ("new", "valid", "invalid", "deactivated")


def sign(secret, timestamp, body):
    """The value of Ricloud-Signature."""
    mac = hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256)
    return f"t={timestamp},s={base64.b64encode(mac.digest()).decode()}"


def now():
    return standin.utc("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text):
    found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)


class EventDelivery(standin.Delivery):
    """then: called after each attempt, with this delivery."""

    def __init__(self, provider, event, config, delays_s, then=None):
        super().__init__(f"{event['type']}.{event['action']}", config["url"], delays_s)
        self.provider, self.event, self.config, self.then = provider, event, config, then

    def message(self):
        body = standin.encoded(self.event)
        # Inferred: the path of the provider's own sample receiver ends in the event's id.
        url = f"{self.url.rstrip('/')}/{self.event['id']}" if self.provider.append_id else self.url
        secret = self.provider.wrong_secret or self.config["secret"]
        headers = {"Ricloud-Signature": sign(secret, int(time.time()), body)}
        return url, headers, body

    def shown(self):
        body = super().shown()
        return body and body.replace(standin.encoded(self.config["secret"]), b'"***"')

    def attempted(self, attempt):
        with self.provider.lock:
            self.event["state"] = self.state
            self.event["date_delivered"] = now() if attempt.ok else None
            if self.state == "pending":
                self.event["retries"] += 1
            if self.then and self.state != "pending":
                self.then(attempt)
            self.provider.changed.notify_all()


class Ricloud(standin.StandIn):
    """
    test_delay_s: between the start of a test and its event. test_first: a creation is answered only after the test that
    it starts is over, so that no receiver can have the secret in time. append_id: post to <url>/<event id>.
    """

    NAME = "ricloud"
    ROUTES = (
        ("POST", "/configs/webhook", "create_config"),
        ("GET", "/configs/webhook", "list_configs"),
        ("GET", "/configs/webhook/([^/]+)", "get_config"),
        ("POST", "/configs/webhook/([^/]+)", "update_config"),
        ("DELETE", "/configs/webhook/([^/]+)", "delete_config"),
        ("POST", "/configs/webhook/([^/]+)/test", "test_config"),
        ("GET", "/tasks", "list_tasks"),
        ("GET", "/tasks/([^/]+)", "get_task"),
        ("GET", "/events", "list_events"),
        ("GET", "/events/([^/]+)", "get_event"),
        ("GET", "/organisation", "get_organisation"),
        ("GET", "/key", "get_key"),
        ("GET", "/keys/([^/]+)", "get_key"),
        ("POST", "/keys/([^/]+)", "update_key"),
    )

    def __init__(self, *, token="standin-token", append_id=True, test_first=False, test_delay_s=0.0, **options):
        self.token, self.append_id = token, append_id
        self.test_first, self.test_delay_s = test_first, test_delay_s
        self.wrong_secret = None  # signs with this one instead
        self.configs, self.tasks, self.events = [], [], []  # oldest first
        self.key = {"id": 1, "resource": "key", "organisation": 1, "webhook_config": None, "date_created": now()}
        self.default_config = None  # of the organisation: an id
        self.next_config = 1  # the ids of configs are integers in all examples
        super().__init__(**options)

    # API: what holds for every call

    def authorize(self, request):
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        # Assumed: which of the two says what, and all literal error codes here.
        if kind != "Token":
            raise self.error(401, "not_authenticated", "Send the header Authorization: Token <your key_token>")
        if not hmac.compare_digest(token.strip().encode(), self.token.encode()):
            raise self.error(403, "forbidden", "This key token is not known")

    def body(self, request, known):
        """The request's object, of which all keys are among `known`."""
        try:
            value = request.json()
        except ValueError:
            raise self.error(400, "invalid_json", "The body is not a JSON object") from None
        if unknown := sorted(set(value) - set(known)):
            raise self.invalid(**{name: "unknown parameter" for name in unknown})
        return value

    def invalid(self, **params):
        return self.error(400, "validation_error", "A parameter is not valid", params=params)

    def find(self, what, items, wanted):
        for item in items:
            if str(item["id"]) == wanted:
                return item
        raise self.error(404, "not_found", f"There is no {what} {wanted}")

    def page(self, request, items, filters):
        """A list as asked for. Inferred: newest first."""
        query = request.query
        rows = [one for one in reversed(items) if all(one[name] == query.get(name, one[name]) for name in filters)]
        # Assumed: since that time. Of a datetime filter only the form of a time is documented.
        if since := query.get("date_created"):
            try:
                since = moment(since)
            except ValueError:
                raise self.invalid(date_created="not a datetime") from None
            rows = [one for one in rows if moment(one["date_created"]) >= since]
        total = len(rows)
        ids = [str(one["id"]) for one in rows]
        # Assumed: neither of the two is itself in the list.
        if query.get("before_id") in ids:
            rows = rows[: ids.index(query["before_id"])]
        if query.get("after_id") in ids:
            rows = rows[ids.index(query["after_id"]) + 1 :]
        limit = query.get("limit", "10")
        if not limit.isdecimal() or not 1 <= int(limit) <= 1000:
            raise self.invalid(limit="from 1 to 1000")
        return listed(rows[: int(limit)], request.path, more=len(rows) > int(limit), total=total)

    # Webhook configs

    def create_config(self, request):
        fields = self.body(request, ("url",))
        config = {
            "id": self.next_config, "resource": "webhook_config", "organisation": 1,
            "url": self.checked_url(fields.get("url")),
            # Assumed: length and alphabet.
            "secret": secrets.token_urlsafe(24),
            "state": "new", "date_created": now(),
        }
        created = dict(config)
        with self.lock:
            self.next_config += 1
            self.configs.append(config)
            task = self.start_test(config)
            if self.test_first:
                self.await_task(task, standin.RECEIVER_TIMEOUT_S)
        return Answer(201, created)

    def list_configs(self, request):
        state = request.query.get("state")
        if state not in (None, *CONFIG_STATES):
            raise self.invalid(state=f"one of {', '.join(CONFIG_STATES)}")
        with self.lock:
            shown = [one for one in self.configs if state or one["state"] != "deactivated"]
            return Answer(200, self.page(request, shown, ("state",)))

    def get_config(self, _request, config_id):
        with self.lock:
            return Answer(200, dict(self.find("webhook config", self.configs, config_id)))

    def update_config(self, request, config_id):
        fields = self.body(request, ("url", "state"))
        url = self.checked_url(fields["url"]) if "url" in fields else None
        if fields.get("state", "new") not in ("new", "deactivated"):
            raise self.invalid(state="only new or deactivated")
        with self.lock:
            config = self.find("webhook config", self.configs, config_id)
            config["url"] = url or config["url"]
            config["state"] = fields.get("state", "new")
            if config["state"] == "new":
                self.start_test(config)
            return Answer(200, dict(config))

    def delete_config(self, _request, config_id):
        with self.lock:
            config = self.find("webhook config", self.configs, config_id)
            self.configs.remove(config)
            self.forget(config)
        # Assumed: that the answer looks so. The call is in the provider's client only.
        return Answer(200, {"id": config["id"], "resource": "webhook_config", "deleted": True})

    def forget(self, config):
        """Assumed: a config that is gone is nobody's any more."""
        if self.default_config == config["id"]:
            self.default_config = None
        if self.key["webhook_config"] == config["id"]:
            self.key["webhook_config"] = None

    def checked_url(self, url):
        if not isinstance(url, str) or not url:
            raise self.invalid(url="required")
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise self.invalid(url="not a URL")
        return url

    # Tests of a config, and tasks

    def test_config(self, request, config_id):
        wait_s = request.headers.get("Ricloud-Await", "0")
        if not wait_s.isdecimal():
            raise self.invalid(**{"Ricloud-Await": "a number of seconds"})
        with self.lock:
            config = self.find("webhook config", self.configs, config_id)
            if config["state"] == "deactivated":
                # Assumed: it has to be made new first.
                raise self.error(400, "deactivated", f"Webhook config {config_id} is deactivated")
            task = self.start_test(config)
            self.await_task(task, min(int(wait_s), MAX_AWAIT_S))
            return Answer(200, dict(task))

    def start_test(self, config):
        """Called with the lock held; gives the task."""
        task = {
            "id": str(uuid.uuid4()), "resource": "task", "organisation": 1, "key": self.key["id"], "user": None,
            "source": None, "session": None, "poll": None, "source_type": None,
            "type": TEST_EVENT, "target": config["id"], "state": "pending",
            "results": listed([], "/results"), "error": None,
            "date_created": now(), "date_started": None, "date_completed": None,
        }
        self.tasks.append(task)
        # Inferred: that data is the config, from the event's type. Assumed: with its secret, as the API answers it.
        data = dict(config)
        tested = dict(config)
        # Assumed: a test is one attempt.
        self.send(
            EventDelivery(self, self.new_event(TEST_EVENT, data), tested, (),
                          lambda attempt: self.end_test(config, tested, task, attempt)),
            self.test_delay_s,
        )
        return task

    def end_test(self, config, tested, task, attempt):
        task.update(state="succeeded" if attempt.ok else "failed", date_started=now(), date_completed=now())
        if not attempt.ok:
            # Assumed: the codes.
            task["error"] = f"receiver_answered_{attempt.status}" if attempt.status else "receiver_not_reached"
        # What was changed meanwhile has a test of its own.
        if config["url"] == tested["url"] and config["state"] != "deactivated":
            config["state"] = "valid" if attempt.ok else "invalid"
            # Assumed: how an organisation gets its default.
            if attempt.ok and self.default_config is None and config in self.configs:
                self.default_config = config["id"]

    def await_task(self, task, seconds):
        self.changed.wait_for(lambda: task["state"] in ("succeeded", "failed"), seconds)

    def list_tasks(self, request):
        with self.lock:
            return Answer(200, self.page(request, self.tasks, ("state", "type")))

    def get_task(self, _request, task_id):
        with self.lock:
            return Answer(200, dict(self.find("task", self.tasks, task_id)))

    # Events

    def catalogue(self):
        return EVENTS

    def fire(self, event, gid=None):
        """An event of the catalogue, or one of one's own such as backup.started, to the config that the key uses."""
        kind, _, action = event.rpartition(".")
        with self.lock:
            config = self.used_config()
            made = self.new_event(event, sample(kind, action, gid))
            return [self.send(EventDelivery(self, made, config, self.delays(*RETRY_MINUTES)))]

    def used_config(self):
        wanted = self.key["webhook_config"] or self.default_config
        for config in self.configs:
            # Assumed: only a valid one gets events.
            if config["id"] == wanted and config["state"] == "valid":
                return config
        raise LookupError("neither the key nor the organisation has a valid webhook config")

    def new_event(self, slug, data):
        kind, _, action = slug.rpartition(".")
        event = {
            "id": str(uuid.uuid4()), "resource": "event", "type": kind, "action": action, "data": data,
            "state": "pending", "retries": 0, "date_created": now(), "date_delivered": None,
        }
        self.events.append(event)
        return event

    def list_events(self, request):
        with self.lock:
            return Answer(200, self.page(request, self.events, ("type", "action", "state")))

    def get_event(self, _request, event_id):
        with self.lock:
            return Answer(200, dict(self.find("event", self.events, event_id)))

    # Organisation and keys

    def get_organisation(self, request):
        with self.lock:
            configs = [one for one in self.configs if one["state"] != "deactivated"]
            valid = any(one["state"] == "valid" for one in configs)
            return Answer(200, {
                "id": 1, "resource": "organisation", "state": "active" if valid else "unconfigured",
                "webhook_configs": listed(configs, "/configs/webhook"), "webhook_config_default": self.default_config,
            })

    def get_key(self, _request, key_id=None):
        with self.lock:
            return Answer(200, dict(self.find("key", [self.key], key_id or str(self.key["id"]))))

    def update_key(self, request, key_id):
        fields = self.body(request, ("webhook_config",))
        with self.lock:
            key = self.find("key", [self.key], key_id)
            wanted = fields.get("webhook_config")
            if wanted is not None and wanted not in [one["id"] for one in self.configs]:
                raise self.invalid(webhook_config=f"There is no webhook config {wanted}")
            key["webhook_config"] = wanted
            return Answer(200, dict(key))

    def report(self):
        with self.lock:
            return {**super().report(), "configs": self.configs, "tasks": self.tasks, "events": self.events}


def listed(rows, url, *, more=False, total=None):
    total = len(rows) if total is None else total
    return {"resource": "list", "data": [dict(one) for one in rows], "has_more": more, "total_count": total, "url": url}


def sample(kind, action, gid=None):
    """The resource of an event. Assumed: all but its id, resource and, of a task, the names of its fields."""
    data = {
        "id": gid or str(uuid.uuid4()), "resource": kind, "organisation": 1, "key": 1,
        "user": str(uuid.uuid4()), "state": action, "date_created": now(),
    }
    if kind == "session":
        data.update(source=str(uuid.uuid4()), error=None)
    if kind == "poll":
        data.update(source=str(uuid.uuid4()), session=str(uuid.uuid4()), info_types=["messages", "photos"])
    if kind == "task":
        data.update(
            source=str(uuid.uuid4()), session=None, poll=str(uuid.uuid4()), source_type="icloud.backup",
            type="fetch_data", target="messages", results=listed([], "/results"),
            state={"created": "pending"}.get(action, action),
            error="source_locked" if action == "failed" else None,
            date_started=None if action == "created" else now(),
            date_completed=None if action == "created" else now(),
        )
    return data


def main():
    parser = standin.arguments(__doc__, 9001)
    parser.add_argument("--token", default="standin-token", help="the key token; default %(default)s")
    parser.add_argument("--test-delay", type=float, default=0, metavar="S", help="seconds before a test's event is sent")
    parser.add_argument("--test-first", action="store_true", help="answer a creation only after its test")
    parser.add_argument("--no-id", action="store_true", help="post to the URL as it is, without the event's id")
    options = parser.parse_args()
    standin.run(Ricloud, options, token=options.token, test_delay_s=options.test_delay,
                test_first=options.test_first, append_id=not options.no_id)


if __name__ == "__main__":
    main()
