#!/usr/bin/env python3
"""
A stand-in for Divalto weavy: login, and the entry points that subscribe to webhooks.

    python3 tests/providers/weavy.py --port 9002 --username demo --password demo --project demo
    curl -d '{"event": "NewCustomer"}' http://127.0.0.1:9002/_standin/fire
    curl -X POST http://127.0.0.1:9002/_standin/expire     # ends all logins
"""

import hmac
import pathlib
import secrets
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from providers import standin  # noqa: E402
from providers.standin import Answer  # noqa: E402

EVENTS = ("NewCustomer", "NewProspect", "NewSuspect", "NewSubcontractor", "NewDeal", "NewOpportunity")


class HookDelivery(standin.Delivery):
    """Unsigned. Assumed: one attempt; nothing is said about retries."""

    def __init__(self, subscription, body):
        super().__init__(subscription["event"], subscription["hookUrl"])
        self.subscription, self.body = subscription, body

    def message(self):
        return self.url, {}, self.body


class Weavy(standin.StandIn):
    """token_life_s: after it a login has expired. samples_as_list: PerformList answers an array of samples."""

    NAME = "weavy"
    # Inferred: letters in either case.
    ROUTES = (
        ("POST", "(?i)/v1/authenticate/?", "authenticate"),
        ("POST", "(?i)/v1/entrypoints/([^/]+)/process/?", "process"),
    )
    CONTROLS = (*standin.StandIn.CONTROLS, ("POST", "/_standin/expire", "control_expire"))
    ENTRY_POINTS = {
        "EPT_WebhookSubscribe": "subscribe",
        "EPT_WebhookUnsubscribe": "unsubscribe",
        "EPT_WebhookPerformList": "perform_list",
    }

    def __init__(self, *, username="demo", password="demo", project="demo", token_life_s=3600.0,
                 samples_as_list=False, **options):
        self.username, self.password, self.project = username, password, project
        self.token_life_s, self.samples_as_list = token_life_s, samples_as_list
        self.tokens = {}  # token: when it expires (monotonic)
        self.subscriptions = {}  # code: {"event", "hookUrl"}
        super().__init__(**options)

    # API. Assumed: the form of errors, all their texts, and which status is used for what.

    def error(self, status, code, message, **more):
        return standin.Refused(Answer(status, {"error": {"code": code, "message": message, **more}}))

    def body(self, request, *names):
        """The texts of these names in the request's object."""
        try:
            value = request.json()
        except ValueError:
            raise self.error(400, "invalid_body", "The body is not a JSON object") from None
        for name in names:
            if not isinstance(value.get(name), str) or not value[name]:
                raise self.error(400, "missing_parameter", f"Parameter {name} is missing")
        return [value[name] for name in names]

    def authenticate(self, request):
        given = self.body(request, "username", "password", "projectCode")
        wanted = (self.username, self.password, self.project)
        if not all(hmac.compare_digest(a.encode(), b.encode()) for a, b in zip(given, wanted, strict=True)):
            raise self.error(401, "invalid_credentials", "Unknown user, password or project")
        token = secrets.token_urlsafe(32)
        with self.lock:
            self.tokens[token] = time.monotonic() + self.token_life_s
        return Answer(200, {"authToken": token})

    def process(self, request, project):
        self.check_login(request)
        if project != self.project:
            raise self.error(404, "unknown_project", f"Unknown project {project}")
        entry_point = request.query.get("c", "")
        if entry_point not in self.ENTRY_POINTS:
            raise self.error(404, "unknown_entry_point", f"Unknown entry point {entry_point}")
        with self.lock:
            return getattr(self, self.ENTRY_POINTS[entry_point])(request)

    def check_login(self, request):
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        with self.lock:
            if kind != "Bearer" or self.tokens.get(token.strip(), 0) < time.monotonic():
                raise self.error(401, "unauthorized", "The token is missing, unknown or expired")

    def subscribe(self, request):
        event, url = self.body(request, "event", "hookUrl")
        self.check_event(event)
        if not url.startswith(("http://", "https://")):
            raise self.error(400, "invalid_parameter", "Parameter hookUrl is not a URL")
        code = secrets.token_hex(8)
        self.subscriptions[code] = {"event": event, "hookUrl": url}
        return Answer(200, {"result": {"codeWebhookSubscription": code}})

    def unsubscribe(self, request):
        (code,) = self.body(request, "codeWebhookSubscription")
        if code not in self.subscriptions:
            raise self.error(404, "unknown_subscription", f"Unknown subscription {code}")
        del self.subscriptions[code]
        return Answer(200, {"result": {"codeWebhookSubscription": code}})

    def perform_list(self, request):
        (event,) = self.body(request, "event")
        self.check_event(event)
        return Answer(200, [sample(event), sample(event)] if self.samples_as_list else sample(event))

    def check_event(self, event):
        # Events of one's own can be added to a project; this one has only the standard ones.
        if event not in EVENTS:
            raise self.error(400, "unknown_event", f"Unknown event {event}")

    # Events

    def catalogue(self):
        return EVENTS

    def fire(self, event, gid=None):
        """To everybody who has subscribed; all get the same bytes."""
        if event not in EVENTS:
            raise LookupError(f"no event {event}")
        body = standin.encoded(sample(event, gid))
        with self.lock:
            subscribed = [one for one in self.subscriptions.values() if one["event"] == event]
            return [self.send(HookDelivery(one, body)) for one in subscribed]

    def expire(self):
        """Ends all logins."""
        with self.lock:
            self.tokens.clear()

    def control_expire(self, _request):
        self.expire()
        return Answer(200, {})

    def report(self):
        with self.lock:
            return {**super().report(), "subscriptions": dict(self.subscriptions)}


def sample(event, gid=None):
    """
    What a hook gets. The fields of NewOpportunity are published, and those of NewCustomer up to faxNumber. Inferred: the
    other third parties look like a customer, and a deal like an opportunity.
    """
    n = next(standin.numbers)
    if event in ("NewDeal", "NewOpportunity"):
        code = gid or f"20{time.time_ns() // 1000 % 10**11:011d}"
        page = "project" if event == "NewOpportunity" else "deal"
        fields = {
            "codedeal": code, "customerName": "A L'ATELIER DE DIJON", "label": f"Ma nouvelle opportunité n°{n}",
            "type": "Appel d'offres", "dealNumber": "", "status": "Active",
            "creationDate": standin.utc("%Y-%m-%d %H:%M:%S"), "url": f"https://weavy.divalto.com/page/{page}/{code}",
        }
    else:
        code = gid or f"{event.removeprefix('New')[:6].upper()}{n:04d}"
        fields = {
            "codecustomer": code, "name": f"{event.removeprefix('New')} Diamants n°{n}",
            "address1": "Rue Maurice Barrès ", "address2": "", "address3": "", "postalCode": "78000",
            "city": "VERSAILLES", "phoneNumber": "0139500000", "faxNumber": "0139500001",
        }
    return {"result": fields}


def main():
    parser = standin.arguments(__doc__, 9002)
    for name in ("username", "password", "project"):
        parser.add_argument(f"--{name}", default="demo", help="default %(default)s")
    parser.add_argument("--token-life", type=float, default=3600, metavar="S", help="seconds; default %(default)s")
    parser.add_argument("--samples-as-list", action="store_true", help="PerformList answers an array")
    options = parser.parse_args()
    standin.run(Weavy, options, username=options.username, password=options.password, project=options.project,
                token_life_s=options.token_life, samples_as_list=options.samples_as_list)


if __name__ == "__main__":
    main()
