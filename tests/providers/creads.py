#!/usr/bin/env python3
"""
A stand-in for the webhooks of Creads Partners: signs, retries, and switches off a webhook that keeps failing.

    python3 tests/providers/creads.py --port 9003 --webhook http://127.0.0.1:8080/webhooks/partners --secret my_secret
    curl -d '{"event": "project:resource.updated"}' http://127.0.0.1:9003/_standin/fire
    curl -d '{"all": true}' http://127.0.0.1:9003/_standin/fire

The Developer menu of the application, where webhooks are added and switched on again, is POST /_standin/webhook with
{"url": "…", "secret": "…"}, and POST /_standin/enable. The provider's REST API is not played: of its calls for webhooks
only the paths are published.
"""

import hashlib
import hmac
import pathlib
import secrets
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib.events import CATALOGUE, DELETED  # noqa: E402
from providers import standin  # noqa: E402
from providers.standin import Answer  # noqa: E402

# Assumed: "several times" is three times more, and when.
RETRY_MINUTES = (1, 5, 30)
# Assumed: "too many successive failures" are so many attempts, of whichever events.
TOO_MANY_FAILURES = 10


def sign(secret, body):
    """The value of X-Partners-Signature."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhook:
    """As the Developer menu shows it."""

    def __init__(self, url, secret=None):
        # Assumed: that the provider makes the secret if none is given.
        self.url, self.secret = url, secret or secrets.token_hex(20)
        self.enabled = True
        self.failures = 0  # in a row


class WebhookDelivery(standin.Delivery):
    def __init__(self, provider, webhook, name, body, delays_s):
        super().__init__(name, webhook.url, delays_s)
        self.provider, self.webhook, self.body = provider, webhook, body

    def message(self):
        return self.url, {"X-Partners-Signature": sign(self.webhook.secret, self.body)}, self.body

    def attempted(self, attempt):
        with self.provider.lock:
            self.webhook.failures = 0 if attempt.ok else self.webhook.failures + 1
            if self.webhook.failures >= TOO_MANY_FAILURES and self.webhook.enabled:
                self.provider.disable(self.webhook, attempt)


class Creads(standin.StandIn):
    NAME = "creads"
    CONTROLS = (
        *standin.StandIn.CONTROLS,
        ("POST", "/_standin/webhook", "control_webhook"),
        ("POST", "/_standin/enable", "control_enable"),
    )

    def __init__(self, *, webhook=None, secret=None, **options):
        self.webhooks, self.mails = [Webhook(webhook, secret)] if webhook else [], []
        super().__init__(**options)

    # The Developer menu

    def add_webhook(self, url, secret=None):
        with self.lock:
            self.webhooks.append(Webhook(url, secret))
            return self.webhooks[-1]

    def enable(self):
        with self.lock:
            for webhook in self.webhooks:
                webhook.enabled, webhook.failures = True, 0

    def disable(self, webhook, attempt):
        """Called with the lock held."""
        webhook.enabled = False
        self.mails.append({
            "to": "developer@agence-lumiere.example",
            "subject": f"Your webhook {webhook.url} was disabled",
            "text": f"{webhook.failures} failures in a row, the last one: {attempt.status or attempt.text}",
        })
        self.say(f"mail to the developer: {self.mails[-1]['subject']}")
        # Assumed: what still waits for another attempt is not kept.
        for delivery in self.deliveries:
            if delivery.webhook is webhook and delivery.state == "pending":
                delivery.give_up()

    def control_webhook(self, request):
        webhook = self.add_webhook(**request.json())
        return Answer(201, {"url": webhook.url, "secret": webhook.secret})

    def control_enable(self, _request):
        self.enable()
        return Answer(200, {})

    # Events

    def catalogue(self):
        return [f"{kind}:{event}" for kind, events in CATALOGUE.items() for event in sorted(events)]

    def fire(self, event, gid=None):
        """event: such as project:resource.updated, also one that is not in the catalogue."""
        kind, _, name = event.partition(":")
        body = standin.encoded(message(kind, name, gid or standin.hex_id(13)))
        with self.lock:
            # Assumed: what happens while a webhook is disabled is not sent later.
            enabled = [one for one in self.webhooks if one.enabled]
            if not enabled:
                raise LookupError("there is no webhook, or it is disabled")
            delays_s = self.delays(*RETRY_MINUTES)
            return [self.send(WebhookDelivery(self, one, event, body, delays_s)) for one in enabled]

    def report(self):
        with self.lock:
            return {
                **super().report(),
                "webhooks": [{"url": one.url, "enabled": one.enabled, "failures": one.failures} for one in self.webhooks],
                "mails": self.mails,
            }


# Bodies. Inferred: that a resource looks as in the REST API. Assumed: how resource_type is spelled (see lib/events.py), and
# the fields of a webhook.


def message(kind, event, gid):
    body = {"event": event, "resource_type": kind, "resource_gid": gid}
    if event != DELETED:
        body["resource"] = {"gid": gid, **resource(kind, gid)}
    return body


def resource(kind, gid):
    n = next(standin.numbers)
    time = standin.utc("%Y-%m-%dT%H:%M:%S+0000")
    dates = {"created_at": "2026-01-12T09:14:05+0000", "modified_at": time}
    agency = {"gid": "55f2ab761d0bd", "href": "/organizations/55f2ab761d0bd", "name": "Agence Lumière", "hostname": None}
    euros = {"amount": 100 * n, "currency": "EUR"}
    fields = {
        "invitation": {**dates, "href": f"/invitations/{gid}", "token": standin.hex_id(39), "has_user": False,
                       "email": f"invited+{n}@agence-lumiere.example"},
        "organization": {**dates, **agency, "gid": gid, "href": f"/organizations/{gid}", "vat": None,
                         "billing_address": {"division": None, "address1": f"{n} rue de la Paix", "address2": None,
                                             "zipcode": "75002", "city": "Paris", "state": None, "country": "FR",
                                             "additional": None, "country_name": "France"}},
        "product": {**dates, "href": f"/products/{gid}", "title": f"Logo {n}", "is_enabled": True, "is_cumulative": False,
                    "category": {"gid": "55a6842a6f1c2", "href": "/categories/55a6842a6f1c2", "title": "Brand identity"},
                    "available_options": {"due": {"type": "integer", "default": 5, "required": True,
                                                  "enum": [1, 2, 5, 10]}},
                    "interface": "default", "organizations": [agency]},
        "membership": {"organization": agency, "monthly_budget": {"amount": 2000, "currency": "EUR"},
                       "monthly_spent": euros, "is_manager": False},
        "project": {**dates, "href": f"/projects/{gid}", "short_code": "Zd85moz", "status": "in_progress",
                    "state": "published", "title": f"Logo de printemps n°{n}", "description": "<p>Deux couleurs</p>",
                    "options": {"due": 1, "mode": "solo", "skill": "conception"}, "quantity": 1,
                    "published_at": time, "started_at": time, "finished_at": None, "canceled_at": None,
                    "owner": {"gid": "559bee4f2a6d1", "href": "/users/559bee4f2a6d1"}, "organization": agency,
                    "product": {"gid": "55a6842ac3f6b", "href": "/products/55a6842ac3f6b"}, "price": euros,
                    "brief_files": [{"url": f"https://cdn.partners.example/briefs/{gid}.pdf"}], "winner": None},
        "project_message": {**dates, "href": f"/project-message/{gid}", "accepted_at": None, "rejected_at": None,
                            "message": f"Voici la proposition {n} : \"plus légère\".\nCordialement",
                            "project": {"gid": "55c0d927cad5c"}, "mine": False, "worker": {"gid": "559befd0b11c7"},
                            "user": None, "type": "delivery", "attached_files": []},
        "work": {"created_at": time, "won_at": None, "description": f"Proposition {n}", "content": "Vector file",
                 "image": f"https://cdn.partners.example/works/{gid}.jpg", "worker": {"gid": "559befd0b11c7"},
                 "project": {"gid": "55c0d927cad5c", "title": "Logo de printemps"}},
        "webhook": {**dates, "href": f"/webhooks/{gid}", "url": f"https://bridge.example/webhooks/partners?n={n}"},
        "comment": {**dates, "author": {"gid": "559bee4f2a6d1"}, "worker": None, "message": f"J'aime la feuille {n}",
                    "mine": True, "uri": "/works/559bef4a9b600", "nickname": "clairem"},
    }
    return fields.get(kind, {**dates, "n": n})


def main():
    parser = standin.arguments(__doc__, 9003)
    parser.add_argument("--webhook", metavar="URL", help="a webhook that is there from the start")
    parser.add_argument("--secret", default="my_secret", help="its secret; default %(default)s")
    options = parser.parse_args()
    standin.run(Creads, options, webhook=options.webhook, secret=options.secret)


if __name__ == "__main__":
    main()
