"""
The gid of bodies in the shapes that real ones have: of each kind of event, the member that names what it is about. The
bodies are our own, cut to what matters. Rows of GUESSED are not from a provider's documents or source.
"""

import json
import pathlib

import pytest

from lib import sign
from lib.bridge import ROOT
from lib.deliveries import PRESETS, Request, message_of
from lib.posting import accept, send, start_bridge

REPOSITORY = {"repository": {"id": 1, "full_name": "acme/widget"}, "organization": {"login": "acme"}}
SENDER = {"sender": {"login": "robin"}}
SHOP = "gid://shopify/"

SHOPIFY = {
    "orders/create": ({"id": 820982911946154508, "admin_graphql_api_id": SHOP + "Order/820982911946154508"}, "820982911946154508"),
    "products/delete": ({"id": 788032119674292922}, "788032119674292922"),
    "carts/create": ({"id": "eeafa272cebfd4b22385bc4b645e762c", "token": "t"}, "eeafa272cebfd4b22385bc4b645e762c"),
    "inventory_levels/update": (
        {"inventory_item_id": 271878346596884015, "location_id": 24826418, "available": 7,
         "admin_graphql_api_id": SHOP + "InventoryLevel/24826418?inventory_item_id=271878346596884015"},
        "271878346596884015-24826418",
    ),
    "inventory_levels/disconnect": ({"inventory_item_id": 2, "location_id": 3}, "2-3"),
    "product_listings/add": ({"product_listing": {"product_id": 788032119674292922, "title": "T"}}, "788032119674292922"),
    "product_listings/remove": ({"product_listing": {"product_id": 788032119674292922}}, "788032119674292922"),
    "collection_listings/update": ({"collection_listing": {"collection_id": 408372092144951419}}, "408372092144951419"),
    "orders/edited": ({"order_edit": {"id": 78912328793, "order_id": 820982911946154508}}, "820982911946154508"),
    "fulfillment_orders/placed_on_hold":
        ({"fulfillment_order": {"id": SHOP + "FulfillmentOrder/1", "status": "on_hold"}}, SHOP + "FulfillmentOrder/1"),
    "fulfillment_orders/moved": (
        {"original_fulfillment_order": {"id": SHOP + "FulfillmentOrder/1"},
         "moved_fulfillment_order": {"id": SHOP + "FulfillmentOrder/2"}},
        SHOP + "FulfillmentOrder/1",
    ),
    "returns/approve": ({"id": 123, "admin_graphql_api_id": SHOP + "Return/123"}, "123"),
    "returns/update": ({"admin_graphql_api_id": SHOP + "Return/123", "return_line_items": {}}, SHOP + "Return/123"),
    "discounts/create": (
        {"admin_graphql_api_id": SHOP + "DiscountAutomaticNode/1", "title": "T", "status": "ACTIVE"},
        SHOP + "DiscountAutomaticNode/1",
    ),
    "app_subscriptions/update": (
        {"app_subscription": {"admin_graphql_api_id": SHOP + "AppSubscription/1", "name": "N"}},
        SHOP + "AppSubscription/1",
    ),
    "app_purchases_one_time/update": (
        {"app_purchase_one_time": {"admin_graphql_api_id": SHOP + "AppPurchaseOneTime/1"}},
        SHOP + "AppPurchaseOneTime/1",
    ),
    "bulk_operations/finish": (
        {"admin_graphql_api_id": SHOP + "BulkOperation/147595010", "status": "completed"}, SHOP + "BulkOperation/147595010",
    ),
    "customers_marketing_consent/update": ({"phone": None, "customer_id": 706405506930370000}, "706405506930370000"),
    "customer.tags_added": ({"customerId": SHOP + "Customer/1", "tags": ["a"]}, SHOP + "Customer/1"),
    "locales/create": ({"locale": "fr", "published": True}, "fr"),
    "customers/redact": ({"shop_id": 954889, "customer": {"id": 191167}, "orders_to_redact": [1]}, "954889"),
    # It names the orders in a list only, which cannot be looked into.
    "fulfillment_orders/merged": ({"fulfillment_order_merges": [{"id": 1}]}, "_"),
}


def stripe(kind, obj, **more):
    return {"id": "evt_1", "object": "event", "type": kind, "created": 1770107400, "data": {"object": obj}, **more}


STRIPE = {
    "payment_intent.succeeded": (stripe("payment_intent.succeeded", {"id": "pi_1", "object": "payment_intent"}), "pi_1"),
    "invoice.upcoming, older API": (
        stripe("invoice.upcoming", {"object": "invoice", "customer": "cus_1", "subscription": "sub_1"}), "sub_1",
    ),
    "invoice.upcoming, newer API": (
        stripe("invoice.upcoming", {"object": "invoice", "customer": "cus_1",
                                    "parent": {"subscription_details": {"subscription": "sub_2"}}}), "sub_2",
    ),
    "invoice.upcoming, no subscription": (
        stripe("invoice.upcoming", {"object": "invoice", "customer": "cus_1", "subscription": None}), "cus_1",
    ),
    "cash_balance.funds_available": (
        stripe("cash_balance.funds_available", {"object": "cash_balance", "customer": "cus_3", "available": {}}), "cus_3",
    ),
    "balance.available of one account": (stripe("balance.available", {"object": "balance"}, account="acct_1"), "acct_1"),
    "balance.available of another": (stripe("balance.available", {"object": "balance"}, account="acct_2"), "acct_2"),
    "balance.available of the platform": (stripe("balance.available", {"object": "balance"}), "_"),
    "entitlements.active_entitlement_summary.updated": (
        stripe("entitlements.active_entitlement_summary.updated", {"object": "x", "customer": "cus_4"}), "cus_4",
    ),
    "a thin event": (
        {"id": "evt_2", "object": "v2.core.event", "type": "v1.billing.meter.error_report_triggered",
         "related_object": {"id": "mtr_1", "type": "billing.meter"}, "created": "2026-02-03T08:30:00Z"}, "mtr_1",
    ),
}

GITLAB = {
    "Push Hook": ({"object_kind": "push", "user_id": 4, "project": {"path_with_namespace": "mike/diaspora"}}, "mike/diaspora"),
    "Job Hook": ({"object_kind": "build", "project_id": 380, "project_name": "gitlab-org/test", "user": {"id": 3}}, "gitlab-org/test"),
    "user_create": ({"event_name": "user_create", "name": "J", "username": "js", "user_id": 41, "email": "a@b.example"}, "41"),
    "user_rename": ({"event_name": "user_rename", "username": "new", "old_username": "old", "user_id": 58}, "58"),
    "user_failed_login": ({"event_name": "user_failed_login", "username": "u4", "user_id": 26, "state": "blocked"}, "26"),
    "key_create": ({"event_name": "key_create", "username": "root", "key": "ssh-rsa AAAA", "id": 4}, "4"),
    "group_create": ({"event_name": "group_create", "name": "G", "path": "cloud", "full_path": "acme/cloud", "group_id": 78}, "acme/cloud"),
    "group_rename": ({"event_name": "group_rename", "full_path": "better", "old_full_path": "old", "group_id": 64}, "better"),
    "user_add_to_group": ({"event_name": "user_add_to_group", "group_id": 78, "group_path": "cloud", "user_id": 41}, "cloud"),
    "user_add_to_team": (
        {"event_name": "user_add_to_team", "project_name": "S", "project_path_with_namespace": "j/s", "user_id": 41}, "j/s",
    ),
    "project_create": ({"event_name": "project_create", "name": "S", "path_with_namespace": "j/s", "project_id": 74}, "j/s"),
    "subgroup_create": ({"event_name": "subgroup_create", "full_path": "g/sub", "parent_full_path": "g"}, "g/sub"),
    "Resource Access Token Hook": (
        {"object_kind": "access_token", "group": {"group_name": "T", "group_path": "twitter", "full_path": "twitter"}}, "twitter",
    ),
    "Vulnerability Hook": ({"object_kind": "vulnerability", "object_attributes": {"project_id": 50, "title": "T"}}, "50"),
}

GITHUB = {
    "push": ({**REPOSITORY, **SENDER}, "acme/widget"),
    "discussion": ({"action": "created", "discussion": {"id": 5}, **REPOSITORY, **SENDER}, "acme/widget"),
    "package": ({"action": "published", "package": {"id": 5}, **REPOSITORY, **SENDER}, "acme/widget"),
    "organization": ({"action": "member_added", "organization": {"login": "acme"}, **SENDER}, "acme"),
    "team": ({"action": "created", "team": {"id": 5, "slug": "t"}, "organization": {"login": "acme"}, **SENDER}, "acme"),
    "membership": ({"action": "added", "member": {"login": "x"}, "organization": {"login": "acme"}, **SENDER}, "acme"),
    "member": ({"action": "added", "member": {"login": "x"}, **REPOSITORY, **SENDER}, "acme/widget"),
    "projects_v2": ({"action": "edited", "projects_v2": {"id": 5}, "organization": {"login": "acme"}, **SENDER}, "acme"),
    "installation": ({"action": "created", "installation": {"id": 5, "account": {"login": "acme"}}, **SENDER}, "acme"),
    "marketplace_purchase":
        ({"action": "purchased", "marketplace_purchase": {"account": {"login": "acme"}}, **SENDER}, "acme"),
    "sponsorship": ({"action": "created", "sponsorship": {"sponsorable": {"login": "acme"}}, **SENDER}, "acme"),
    "installation_target": ({"action": "renamed", "account": {"login": "acme"}, "target_type": "User", **SENDER}, "acme"),
    "security_advisory": ({"action": "published", "security_advisory": {"ghsa_id": "GHSA-rf4j-j272-fj86"}}, "GHSA-rf4j-j272-fj86"),
    "github_app_authorization": ({"action": "revoked", **SENDER}, "robin"),
    "ping": ({"zen": "Z", "hook_id": 109948940, "hook": {"type": "App"}}, "109948940"),
}

GITEA = {
    "push": ({"repository": {"full_name": "acme/widget"}, "sender": {"login": "robin"}}, "acme/widget"),
    "package": (
        {"action": "created", "repository": None, "package": {"id": 1, "owner": {"username": "acme", "login": "acme"}}, **SENDER},
        "acme",
    ),
}


def slack(kind, **event):
    return {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event_time": 1770107400,
            "event": {"type": kind, "event_ts": "1.1", **event}}


SLACK = {
    "message": (slack("message", channel="C1", user="U1"), "C1"),
    "reaction_added": (slack("reaction_added", user="U1", item={"type": "message", "channel": "C2"}), "C2"),
    "channel_created": (slack("channel_created", channel={"id": "C3", "name": "n"}), "C3"),
    "file_shared": (slack("file_shared", channel_id="C4", file_id="F1", user_id="U1"), "C4"),
    "file_deleted": (slack("file_deleted", file_id="F2"), "F2"),
    "user_change": (slack("user_change", user={"id": "U2"}), "U2"),
    "subteam_updated": (slack("subteam_updated", subteam={"id": "S1"}), "S1"),
    "subteam_members_changed": (slack("subteam_members_changed", subteam_id="S2", added_users=["U1"]), "S2"),
    "assistant_thread_started": (slack("assistant_thread_started", assistant_thread={"channel_id": "D1", "user_id": "U1"}), "D1"),
    "team_rename": (slack("team_rename", name="n"), "T1"),
    "app_rate_limited": ({"type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1}, "T1"),
}

# Shapes that we have not seen documented, or only in part.
GUESSED = {"customer.tags_added", "locales/create", "entitlements.active_entitlement_summary.updated", "package",
           "subteam_members_changed", "assistant_thread_started", "installation_target", "Vulnerability Hook"}

EVENT_HEADERS = {"shopify": "X-Shopify-Topic", "gitlab": "X-Gitlab-Event", "github": "X-GitHub-Event", "gitea": "X-Gitea-Event"}
CORPUS = {"shopify": SHOPIFY, "stripe": STRIPE, "gitlab": GITLAB, "github": GITHUB, "gitea": GITEA, "slack": SLACK}
ROWS = [(name, what, *row) for name, rows in CORPUS.items() for what, row in rows.items()]


@pytest.fixture(scope="module")
def bridge(start_for_module, module_broker):
    sources = [PRESETS[name].source(topic="corpus/{source}/{gid}") for name in CORPUS]
    return start_bridge(start_for_module, module_broker, sources)


@pytest.fixture(scope="module")
def subscriber(start_for_module, module_broker):
    return start_for_module.subscriber(module_broker)


def headers_of(name, what, number):
    made = {EVENT_HEADERS[name]: "System Hook" if "_" in what and name == "gitlab" else what} if name in EVENT_HEADERS else {}
    ids = {"shopify": "X-Shopify-Webhook-Id", "github": "X-GitHub-Delivery", "gitea": "X-Gitea-Delivery", "gitlab": "Idempotency-Key"}
    return list({**made, **({ids[name]: f"corpus-{number}"} if name in ids else {})}.items())


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[f"{name}: {what}" for name, what, *_ in ROWS])
def test_the_gid_is_the_id_that_the_body_has(bridge, subscriber, number):
    name, what, body, gid = ROWS[number]
    body = {**body, "id": f"evt_corpus_{number}"} if name == "stripe" else body
    body = {**body, "event_id": f"Ev{number}"} if name == "slack" else body
    request = Request(json.dumps(body).encode(), headers_of(name, what, number))
    message = message_of(subscriber, accept(bridge, PRESETS[name], request))
    assert message.topic == f"corpus/{name}/" + gid.replace("/", "%2F")


# GitLab with a signing token, as in the configuration beside its page

TOKEN = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@pytest.mark.parametrize("what", GITLAB)
def test_every_hook_of_gitlab_with_a_signing_token_makes_an_event(start, module_broker, what):
    text = (pathlib.Path(ROOT) / "config/providers/custom-gitlab-signing-token.json").read_text()
    own = json.loads("\n".join(line.partition(" //")[0] for line in text.splitlines() if not line.strip().startswith("//")))
    bridge = start_bridge(start, module_broker, own["sources"], {"GITLAB_SIGNING_TOKEN": TOKEN})
    subscriber = start.subscriber(module_broker)
    body, gid = GITLAB[what]
    request = Request(json.dumps(body).encode(), [])
    headers = sign.HEADERS["standard-webhooks"](TOKEN, request.body)
    answer = send(bridge, PRESETS["gitlab"], request, headers, path="/webhooks/gitlab")
    assert answer.status == 200, answer
    event = body.get("object_kind") or body["event_name"]
    assert message_of(subscriber, answer.json()["id"]).topic == f"gitlab/{event}/" + gid.replace("/", "%2F")
