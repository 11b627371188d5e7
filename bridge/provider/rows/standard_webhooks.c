/*
 * Standard Webhooks, v1: what many services send, each with events of its own.
 *
 * GitLab's signing tokens are of this kind as well: a source of this provider whose `fields` say
 * where GitLab has its own.
 */
#include "bridge/provider/provider.h"

// clang-format off
static const char user_created[] = PROVIDER_JSON({
    "id":"@GID@","object":"user",
    "email":"robin+@N@@acme-tools.example","name":"Robin Example","locale":"en-GB",
    "roles":["editor","billing"],"email_verified":true,
    "created_at":"2026-02-03T08:30:00Z","updated_at":"@NOW@"});

static const char user_deleted[] = PROVIDER_JSON({
    "id":"@GID@","object":"user","deleted":true,"number":@N@});

static const char invoice_paid[] = PROVIDER_JSON({
    "id":"@GID@","object":"invoice","number":"2026-@N@",
    "currency":"EUR","amount":12900,"customer":{"id":"9c0e4d53","name":"Acme Tools"},
    "lines":[{"description":"Team plan, monthly","quantity":3,"amount":12900}],
    "paid_at":"@NOW@"});

static const char device_alarm_raised[] = PROVIDER_JSON({
    "id":"@GID@","device":"boiler-7","severity":"major",
    "measured":{"temperature":94.5,"unit":"Cel"},"limit":90,"sequence":@N@,
    "at":"@NOW@"});

// clang-format on

static const struct provider_sample samples[] = {
    {"user", PROVIDER_EVENTS("user.created", "user.updated"), .resource = user_created},
    {"user", PROVIDER_EVENTS("user.deleted"), .resource = user_deleted},
    {"invoice", PROVIDER_EVENTS("invoice.paid"), .resource = invoice_paid},
    {"device.alarm", PROVIDER_EVENTS("device.alarm.raised", "device.alarm.cleared"),
     .resource = device_alarm_raised},
    {0},
};

const struct provider provider_standard_webhooks = {
    .name = "standard-webhooks",
    .title = "Standard Webhooks",
    .signature = {.scheme = SCHEME_HMAC,
                  .algorithm = ALGORITHM_SHA256,
                  .form = FORM_VERSIONS,
                  .encoding = ENCODING_BASE64,
                  .key = KEY_WHSEC,
                  .skew = SKEW_BOTH,
                  .header = "webhook-signature",
                  .mark = "v1",
                  .message = "{id}.{timestamp}.{body}",
                  .timestamp_header = "webhook-timestamp",
                  .tolerance_ms = 300000,
                  .id_header = "webhook-id"},
    /* The specification only advises a type, a timestamp and data. */
    .fields = {.event = "{body.type}",
               .gid = "{body.data.id}|",
               .delivery_id = "{header.webhook-id}",
               .event_time = "{body.timestamp}",
               .deletion_event = "*.deleted"},
    .default_topic = "standard-webhooks/{event}/{gid}",
    .sample_body = "{\"type\":\"@EVENT@\",\"timestamp\":\"@NOW@\",\"data\":@RESOURCE@}",
    .time_zone = "Z",
    .gid_form = "########-####-4###-a###-############",
    .samples = samples,
    .open_catalogue = true,
};
