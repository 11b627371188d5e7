/*
 * Stripe. Bodies are event objects that hold the object they are about; `account`, if there,
 * names the connected account. The key is the whole secret, `whsec_` included, not decoded.
 */
#include "bridge/provider/provider.h"

// clang-format off
static const char whole_body[] = PROVIDER_JSON({
    "id":"evt_@UUID@","object":"event","api_version":"2025-03-31.basil",
    "created":@UNIX@,"data":{"object":@RESOURCE@},"livemode":false,"pending_webhooks":1,
    "request":{"id":"req_Qk3v0tPzWm@N@","idempotency_key":null},"type":"@EVENT@"});

static const char payment_intent[] = PROVIDER_JSON({
    "id":"@GID@","object":"payment_intent","amount":12900,"amount_capturable":0,
    "amount_received":12900,"automatic_payment_methods":{"enabled":true},
    "capture_method":"automatic","client_secret":null,"confirmation_method":"automatic",
    "created":1770107400,"currency":"eur","customer":"cus_Q9f2sT7kLm3xYz",
    "description":"Order @N@","last_payment_error":null,
    "latest_charge":"ch_3QpT2kLkdIwHu7ix0a1b2c3d","livemode":false,
    "metadata":{"order":"@N@"},"payment_method":"pm_1QpT2jLkdIwHu7ixW8hYtr4e",
    "payment_method_types":["card","sepa_debit"],"receipt_email":null,
    "status":"succeeded","transfer_data":null});

static const char payment_intent_failed[] = PROVIDER_JSON({
    "id":"@GID@","object":"payment_intent","amount":12900,"amount_capturable":0,
    "amount_received":0,"created":1770107400,"currency":"eur",
    "customer":"cus_Q9f2sT7kLm3xYz","description":"Order @N@",
    "last_payment_error":{"code":"card_declined","decline_code":"insufficient_funds",
        "message":"Your card has insufficient funds.","type":"card_error"},
    "latest_charge":"ch_3QpT2kLkdIwHu7ix0a1b2c3d","livemode":false,
    "metadata":{"order":"@N@"},"payment_method":null,"payment_method_types":["card"],
    "status":"requires_payment_method"});

static const char charge[] = PROVIDER_JSON({
    "id":"@GID@","object":"charge","amount":12900,"amount_captured":12900,
    "amount_refunded":0,"balance_transaction":"txn_3QpT2kLkdIwHu7ix0Zx9y8w7",
    "billing_details":{"address":{"city":"Lyon","country":"FR","line1":null,
        "postal_code":"69002"},"email":"accounts@acme-tools.example","name":"Acme Tools"},
    "captured":true,"created":1770107400,"currency":"eur","customer":"cus_Q9f2sT7kLm3xYz",
    "description":"Order @N@","disputed":false,"livemode":false,"metadata":{},
    "outcome":{"network_status":"approved_by_network","risk_level":"normal",
        "seller_message":"Payment complete.","type":"authorized"},
    "paid":true,"payment_intent":"pi_3QpT2kLkdIwHu7ix0m5n6o7p",
    "payment_method_details":{"card":{"brand":"visa","country":"FR","exp_month":4,
        "exp_year":2029,"last4":"4242"},"type":"card"},"refunded":false,
    "status":"succeeded"});

static const char charge_refunded[] = PROVIDER_JSON({
    "id":"@GID@","object":"charge","amount":12900,"amount_captured":12900,
    "amount_refunded":12900,"captured":true,"created":1770107400,"currency":"eur",
    "customer":"cus_Q9f2sT7kLm3xYz","description":"Order @N@","disputed":false,
    "livemode":false,"metadata":{},"paid":true,
    "payment_intent":"pi_3QpT2kLkdIwHu7ix0m5n6o7p","refunded":true,"status":"succeeded"});

static const char customer[] = PROVIDER_JSON({
    "id":"@GID@","object":"customer","address":null,"balance":0,"created":1770107400,
    "currency":"eur","default_source":null,"delinquent":false,"description":null,
    "email":"accounts+@N@@acme-tools.example","invoice_prefix":"8C1D24F0",
    "invoice_settings":{"default_payment_method":null,"footer":null},"livemode":false,
    "metadata":{},"name":"Acme Tools","next_invoice_sequence":4,"phone":null,
    "preferred_locales":["fr","en"],"shipping":null,"tax_exempt":"none"});

static const char subscription[] = PROVIDER_JSON({
    "id":"@GID@","object":"subscription","billing_cycle_anchor":1770107400,
    "cancel_at_period_end":false,"canceled_at":null,"collection_method":"charge_automatically",
    "created":1770107400,"currency":"eur","customer":"cus_Q9f2sT7kLm3xYz","ended_at":null,
    "items":{"object":"list","data":[{"id":"si_RkLm3xYzQ9f2sT","object":"subscription_item",
        "current_period_end":1772526600,"current_period_start":1770107400,
        "price":{"id":"price_1QpT2jLkdIwHu7ix","object":"price","currency":"eur",
            "product":"prod_RkT7team","recurring":{"interval":"month","interval_count":1},
            "unit_amount":4300},"quantity":3}],"has_more":false,"total_count":1},
    "latest_invoice":"in_1QpT2jLkdIwHu7ixAbCdEfGh","livemode":false,
    "metadata":{"number":"@N@"},"status":"active","trial_end":null});

static const char subscription_deleted[] = PROVIDER_JSON({
    "id":"@GID@","object":"subscription","cancel_at_period_end":false,
    "canceled_at":@UNIX@,"cancellation_details":{"comment":null,"feedback":"unused",
        "reason":"cancellation_requested"},"created":1770107400,"currency":"eur",
    "customer":"cus_Q9f2sT7kLm3xYz","ended_at":@UNIX@,"livemode":false,
    "metadata":{"number":"@N@"},"status":"canceled"});

static const char invoice[] = PROVIDER_JSON({
    "id":"@GID@","object":"invoice","account_name":"Tea & Co","amount_due":12900,
    "amount_paid":12900,"amount_remaining":0,"attempt_count":1,"attempted":true,
    "billing_reason":"subscription_cycle","collection_method":"charge_automatically",
    "created":1770107400,"currency":"eur","customer":"cus_Q9f2sT7kLm3xYz",
    "customer_email":"accounts@acme-tools.example","customer_name":"Acme Tools",
    "lines":{"object":"list","data":[{"id":"il_1QpT2jLkdIwHu7ix","object":"line_item",
        "amount":12900,"currency":"eur","description":"3 x Team plan (at 43.00 / month)",
        "quantity":3}],"has_more":false,"total_count":1},
    "livemode":false,"metadata":{},"number":"8C1D24F0-@N@","paid":true,
    "period_end":1772526600,"period_start":1770107400,"status":"paid","subtotal":12900,
    "total":12900});

static const char invoice_failed[] = PROVIDER_JSON({
    "id":"@GID@","object":"invoice","amount_due":12900,"amount_paid":0,
    "amount_remaining":12900,"attempt_count":2,"attempted":true,
    "billing_reason":"subscription_cycle","created":1770107400,"currency":"eur",
    "customer":"cus_Q9f2sT7kLm3xYz","customer_email":"accounts@acme-tools.example",
    "livemode":false,"metadata":{},"next_payment_attempt":1770366600,
    "number":"8C1D24F0-@N@","paid":false,"status":"open","subtotal":12900,"total":12900});

static const char checkout_session[] = PROVIDER_JSON({
    "id":"@GID@","object":"checkout.session","amount_subtotal":12900,"amount_total":12900,
    "cancel_url":"https://shop.example/cart","client_reference_id":"order-@N@",
    "created":1770107400,"currency":"eur","customer":"cus_Q9f2sT7kLm3xYz",
    "customer_details":{"address":{"city":"Lyon","country":"FR","postal_code":"69002"},
        "email":"accounts@acme-tools.example","name":"Acme Tools","phone":null},
    "expires_at":1770193800,"livemode":false,"metadata":{},"mode":"payment",
    "payment_intent":"pi_3QpT2kLkdIwHu7ix0m5n6o7p","payment_method_types":["card"],
    "payment_status":"paid","status":"complete",
    "success_url":"https://shop.example/thanks?session={CHECKOUT_SESSION_ID}"});

// clang-format on

static const struct provider_sample samples[] = {
    {"payment_intent", PROVIDER_EVENTS("payment_intent.succeeded"), .resource = payment_intent},
    {"payment_intent", PROVIDER_EVENTS("payment_intent.payment_failed"),
     .resource = payment_intent_failed},
    {"charge", PROVIDER_EVENTS("charge.succeeded"), .resource = charge,
     .gid_form = "ch_3Q################"},
    {"charge", PROVIDER_EVENTS("charge.refunded"), .resource = charge_refunded,
     .gid_form = "ch_3Q################"},
    {"customer", PROVIDER_EVENTS("customer.created", "customer.updated", "customer.deleted"),
     .resource = customer, .gid_form = "cus_Q#############"},
    {"subscription",
     PROVIDER_EVENTS("customer.subscription.created", "customer.subscription.updated"),
     .resource = subscription, .gid_form = "sub_1Q################"},
    {"subscription", PROVIDER_EVENTS("customer.subscription.deleted"),
     .resource = subscription_deleted, .gid_form = "sub_1Q################"},
    {"invoice", PROVIDER_EVENTS("invoice.paid", "invoice.payment_succeeded"),
     .resource = invoice, .gid_form = "in_1Q################"},
    {"invoice", PROVIDER_EVENTS("invoice.payment_failed"), .resource = invoice_failed,
     .gid_form = "in_1Q################"},
    {"checkout.session", PROVIDER_EVENTS("checkout.session.completed"),
     .resource = checkout_session, .gid_form = "cs_test_a1########################"},
    {0},
};

const struct provider provider_stripe = {
    .name = "stripe",
    .title = "Stripe",
    .signature = {.scheme = SCHEME_HMAC,
                  .algorithm = ALGORITHM_SHA256,
                  .form = FORM_PAIRS,
                  .encoding = ENCODING_HEX,
                  .key = KEY_TEXT,
                  .skew = SKEW_PAST,
                  .header = "Stripe-Signature",
                  .mark = "v1",
                  .message = "{timestamp}.{body}",
                  .timestamp_key = "t",
                  .tolerance_ms = 300000},
    /* Some objects have no id (a balance, an invoice that is only to come), and thin events only
     * name theirs. */
    .fields = {.event = "{body.type}",
               .resource_type =
                   "{body.data.object.object}|{body.related_object.type}|{body.type}",
               .gid = "{body.data.object.id}|{body.related_object.id}|",
               .delivery_id = "{body.id}",
               .event_time = "{body.created}",
               .deletion_event = "*.deleted"},
    .default_topic = "stripe/{event}/{gid}",
    .sample_body = whole_body,
    .time_zone = "Z",
    .gid_form = "pi_3Q################",
    .samples = samples,
    .open_catalogue = true,
};
