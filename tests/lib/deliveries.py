"""
What each preset's provider posts, and what must become of it: read from the request itself in Python, by what is
known of the providers, so that nothing here rests on the bridge's own reading.
"""

import dataclasses
import itertools
import json
import re
import uuid

from lib import events, sign

RFC_3339_MS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
counter = itertools.count(1)


@dataclasses.dataclass(frozen=True)
class Request:
    """A delivery without what proves it. suffix: what the provider appends to the URL, with its slash."""

    body: bytes
    headers: tuple = ()
    suffix: str = ""

    def header(self, name):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) == 1, f"{name} comes {len(values)} times"
        return values[0]

    def but(self, **changes):
        return dataclasses.replace(self, **changes)

    def with_header(self, name, value):
        rest = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return self.but(headers=(*rest, (name, value)))


@dataclasses.dataclass(frozen=True)
class Fields:
    event: str
    gid: str
    resource_type: str = None
    delivery_id: str = None

    def __post_init__(self):
        if self.resource_type is None:
            object.__setattr__(self, "resource_type", self.event.rpartition(".")[0] or self.event)

    @property
    def action(self):
        return self.event.rpartition(".")[2]


@dataclasses.dataclass(frozen=True)
class Preset:
    """
    make(): a delivery unlike any before. read(request): its Fields. topic: the default one.
    proof: the headers that are needed. trusted: its delivery id is proven together with the body, and so decides alone.
    """

    name: str
    secrets: tuple  # a new and an old one
    make: callable
    read: callable
    topic: str
    proof: tuple = ()
    trusted: bool = False
    settings: dict = dataclasses.field(default_factory=dict)

    @property
    def path(self):
        return f"/in/{self.name}"

    def prove(self, request, secret=None, **options):
        """The headers that prove it; options: of its function in lib/sign.py."""
        if self.name == "standard-webhooks":
            options.setdefault("message_id", request.header("webhook-id"))
        return sign.HEADERS[self.name](self.secrets[0] if secret is None else secret, request.body, **options)

    def headers(self, request, proof=None):
        """All headers, with the right proof unless another one is given."""
        ours = {name.lower() for name in self.proof}
        return [
            *(pair for pair in request.headers if pair[0].lower() not in ours),
            *(self.prove(request) if proof is None and self.proof else proof or []),
        ]

    def source(self, **settings):
        """An entry of `sources`; its secrets are in the environment that environment() gives."""
        secrets = {} if self.name == "weavy" else {"secrets": [{"env": self.variable(i)} for i in (0, 1)]}
        return {
            "name": self.name, "provider": self.name, "path": self.path,
            **secrets, **self.settings, **settings,
        }

    def variable(self, i):
        return f"ITEST_{self.name.replace('-', '_').upper()}_{i}"

    def environment(self):
        return {self.variable(i): secret for i, secret in enumerate(self.secrets)}

    def topic_of(self, fields, template=None):
        return expand(template or self.topic, self.name, fields)


def level(value):
    """A value as one level of a topic."""
    text = "".join(
        "".join(f"%{byte:02X}" for byte in char.encode())
        if char in "/+#%" or ord(char) < 0x20 or 0x7F <= ord(char) <= 0x9F else char
        for char in value
    )
    if text.startswith("$"):
        text = "%24" + text[1:]
    return text or "_"


def expand(template, source, fields):
    values = {
        "source": source, "event": fields.event, "action": fields.action, "gid": fields.gid,
        "resource_type": fields.resource_type, "type": fields.resource_type,
    }
    return re.sub(r"\{(\w+)\}", lambda found: level(values[found[1]]), template)


def check_message(message, request, fields, source, topic, accepted_id):
    """Payload byte for byte, and the MQTT 5 properties that the contract promises; no others."""
    assert message.topic == topic, f"{message.topic}, not {topic}"
    assert message.payload == request.body
    assert message.content_type == "application/json"
    assert (message.qos, message.retain, message.expiry_s) == (1, False, None)
    wanted = {"id": accepted_id, "source": source, "event": fields.event}
    if fields.delivery_id is not None:
        wanted["delivery_id"] = fields.delivery_id
    found = dict(message.user)
    assert len(found) == len(message.user), "a property comes twice"
    assert RFC_3339_MS.fullmatch(found.pop("received_at"))
    assert found == wanted, f"{found}, not {wanted}"


def message_of(subscriber, accepted_id):
    """What was published of a webhook, by the id in its answer."""

    def found():
        return next((message for message in subscriber.under("") if message.property("id") == accepted_id), None)

    return subscriber.wait(found, f"the message of {accepted_id}")


def dump(body):
    return json.dumps(body, ensure_ascii=False).encode()


# Creads Partners

def creads():
    return Request(events.body(gid=f"559bef{next(counter):07x}"))


def read_creads(request):
    body = json.loads(request.body)
    return Fields(body["event"], body["resource_gid"], body["resource_type"])


# Reincubate ricloud: the event's id is its delivery's, and is appended to the URL

def ricloud(type_="poll", action="completed", retries=0, delivery_id=None, gid=None):
    delivery_id = delivery_id or str(uuid.uuid4())
    data = {"id": gid or str(uuid.uuid4()), "resource": type_, "state": action, "n": next(counter)}
    body = {
        "id": delivery_id, "resource": "event", "type": type_, "action": action, "data": data,
        "state": "pending", "retries": retries, "date_created": "2020-02-04T00:00:00.168354Z",
        "date_delivered": None,
    }
    return Request(dump(body), suffix=f"/{delivery_id}")


def read_ricloud(request):
    body = json.loads(request.body)
    event = f"{body['type']}.{body['action']}"
    return Fields(event, scalar(body["data"]["id"]), delivery_id=body["id"])


# Divalto weavy: the URL says which event; the first member that begins with `code` names the resource

def weavy(event="NewCustomer", code="codecustomer"):
    number = next(counter)
    result = {code: f"COLOMB{number}", "name": "COLOMBE DIAMANTS", "codepostal": "78000", "city": "VERSAILLES"}
    return Request(dump({"result": result}), suffix=f"/{event}")


def read_weavy(request):
    result = json.loads(request.body)["result"]
    gid = next(value for key, value in result.items() if key.startswith("code"))
    return Fields(request.suffix.lstrip("/"), gid)


# Standard Webhooks: the id's header is signed with the body

def standard_webhooks(type_="user.created"):
    number = next(counter)
    body = {"type": type_, "timestamp": "2022-11-03T20:26:10.344522Z", "data": {"id": f"user_{number}"}}
    return Request(dump(body), headers=(("webhook-id", f"msg_{uuid.uuid4().hex}"),))


def read_standard_webhooks(request):
    body = json.loads(request.body)
    return Fields(body["type"], first_at(body, ("data", "id")), delivery_id=request.header("webhook-id"))


# GitHub, Gitea: event and delivery id are in headers that nothing signs

def github(event="issues", action="opened", repository="octo-org/hello-world"):
    body = {"number": next(counter), "repository": {"id": 1296269, "full_name": repository}}
    if action:
        body["action"] = action
    return Request(dump(body), headers=(("X-GitHub-Event", event), ("X-GitHub-Delivery", str(uuid.uuid4()))))


def read_github(request):
    body = json.loads(request.body)
    event = request.header("X-GitHub-Event")
    action = body.get("action")
    return Fields(
        f"{event}.{action}" if action else event, where_at_github(body),
        delivery_id=request.header("X-GitHub-Delivery"),
    )


def where_at_github(body):
    """The repository, or what stands above it."""
    places = [
        ("repository", "full_name"), ("organization", "login"), ("enterprise", "slug"),
        ("installation", "account", "login"), ("sender", "login"),
    ]
    return first_at(body, *places)


def first_at(body, *paths):
    """The first of these that is there, as text; else nothing."""
    for path in paths:
        found = body
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        if found is not None and not isinstance(found, (dict, list)):
            return scalar(found)
    return ""


def gitea(event="push", repository="gitea/webhooks"):
    body = {"ref": "refs/heads/develop", "n": next(counter), "repository": {"id": 140, "full_name": repository}}
    return Request(dump(body), headers=(("X-Gitea-Event", event), ("X-Gitea-Delivery", str(uuid.uuid4()))))


def read_gitea(request):
    body = json.loads(request.body)
    gid = first_at(body, ("repository", "full_name"), ("organization", "username"), ("sender", "login"))
    return Fields(request.header("X-Gitea-Event"), gid, delivery_id=request.header("X-Gitea-Delivery"))


# Stripe

def stripe(type_="invoice.paid"):
    body = {
        "id": f"evt_{uuid.uuid4().hex[:24]}", "object": "event", "created": 1614265330, "type": type_,
        "data": {"object": {"id": f"in_{next(counter)}", "object": "invoice"}},
    }
    return Request(dump(body))


def read_stripe(request):
    body = json.loads(request.body)
    kind = first_at(body, ("data", "object", "object"), ("related_object", "type"), ("type",))
    return Fields(body["type"], first_at(body, ("data", "object", "id"), ("related_object", "id")), kind, body["id"])


# Shopify: the body has neither event nor delivery id

def shopify(topic="orders/create"):
    body = {"id": 820982911946154508 + next(counter), "name": "#9999"}
    return Request(dump(body), headers=(("X-Shopify-Topic", topic), ("X-Shopify-Webhook-Id", str(uuid.uuid4()))))


def read_shopify(request):
    gid = first_at(json.loads(request.body), ("id",), ("inventory_item_id",), ("shop_id",))
    return Fields(request.header("X-Shopify-Topic"), gid, delivery_id=request.header("X-Shopify-Webhook-Id"))


# GitLab: a token proves the whole request

def gitlab(event="Push Hook", project="mike/diaspora"):
    body = {"object_kind": "push", "n": next(counter), "project": {"id": 15, "path_with_namespace": project}}
    return Request(dump(body), headers=(("X-Gitlab-Event", event), ("Idempotency-Key", str(uuid.uuid4()))))


def read_gitlab(request):
    body = json.loads(request.body)
    event = request.header("X-Gitlab-Event")
    gid = first_at(
        body, ("project", "path_with_namespace"), ("path_with_namespace",), ("project_name",), ("group", "full_path"),
        ("group_path",), ("full_path",),
    )
    kind = first_at(body, ("object_kind",), ("event_name",)) or event
    return Fields(event, gid, kind, request.header("Idempotency-Key"))


# Slack

def slack(type_="app_mention"):
    number = next(counter)
    body = {
        "token": "none", "team_id": "T061EG9R6", "api_app_id": "A0PNCHHK2", "type": "event_callback",
        "event_id": f"Ev{number:09d}", "event_time": 1234567890,
        "event": {"type": type_, "channel": "C0LAN2Q65", "user": "U061F7AUR", "ts": f"1515449522.{number:06d}"},
    }
    return Request(dump(body))


def read_slack(request):
    body = json.loads(request.body)
    gid = first_at(
        body, ("event", "channel"), ("event", "channel", "id"), ("event", "item", "channel"), ("event", "channel_id"),
        ("event", "user"), ("event", "user", "id"), ("event", "file_id"), ("team_id",),
    )
    return Fields(first_at(body, ("event", "type"), ("type",)), gid, delivery_id=body.get("event_id"))


def scalar(value):
    return value if isinstance(value, str) else json.dumps(value)


PRESETS = {
    preset.name: preset
    for preset in [
        Preset(
            "creads", ("itest-creads-new", "itest-creads-old"), creads, read_creads,
            "partners/{resource_type}/{event}/{gid}", (sign.CREADS_HEADER,),
        ),
        Preset(
            "ricloud", ("itest-ricloud-new", "itest-ricloud-old"), ricloud, read_ricloud,
            "ricloud/{type}/{action}/{gid}", ("Ricloud-Signature",), trusted=True,
        ),
        Preset("weavy", (), weavy, read_weavy, "weavy/{event}/{gid}", settings={"verify": "none"}),
        Preset(
            "standard-webhooks",
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
            standard_webhooks, read_standard_webhooks, "standard-webhooks/{event}/{gid}",
            ("webhook-id", "webhook-timestamp", "webhook-signature"), trusted=True,
        ),
        Preset(
            "github", ("itest-github-new", "itest-github-old"), github, read_github,
            "github/{gid}", ("X-Hub-Signature-256",),
        ),
        Preset(
            "stripe", ("whsec_aXRlc3Qtc3RyaXBlLW5ldw==", "whsec_aXRlc3Qtc3RyaXBlLW9sZA=="), stripe, read_stripe,
            "stripe/{event}/{gid}", ("Stripe-Signature",), trusted=True,
        ),
        Preset(
            "shopify", ("itest-shopify-new", "itest-shopify-old"), shopify, read_shopify,
            "shopify/{gid}", ("X-Shopify-Hmac-SHA256",),
        ),
        Preset(
            "gitlab", ("itest-gitlab-new", "itest-gitlab-old"), gitlab, read_gitlab,
            "gitlab/{type}/{gid}", ("X-Gitlab-Token",),
        ),
        Preset(
            "gitea", ("itest-gitea-new", "itest-gitea-old"), gitea, read_gitea,
            "gitea/{gid}", ("X-Gitea-Signature",),
        ),
        Preset(
            "slack", ("itest-slack-new", "itest-slack-old"), slack, read_slack,
            "slack/{event}/{gid}", ("X-Slack-Request-Timestamp", "X-Slack-Signature"), trusted=True,
        ),
    ]
}

# Of presets whose headers nothing signs: that of the event, and that of the delivery id.
UNSIGNED = {
    "github": ("X-GitHub-Event", "X-GitHub-Delivery"),
    "gitea": ("X-Gitea-Event", "X-Gitea-Delivery"),
    "shopify": ("X-Shopify-Topic", "X-Shopify-Webhook-Id"),
}

# Of presets whose delivery id nothing proves: the header that it is in.
ID_HEADERS = {name: both[1] for name, both in UNSIGNED.items()} | {"gitlab": "Idempotency-Key"}
