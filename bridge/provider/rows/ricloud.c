/*
 * Reincubate ricloud, v3. The body is an event resource that holds the resource it is about, and
 * the event's id, which is a UUID, is appended to the URL as well.
 *
 * Its header looks like Stripe's and is not: a timestamp, then one signature in base64, in this
 * order and nothing else. Only age counts against a timestamp, not a clock that is ahead.
 */
#include "bridge/provider/provider.h"

// clang-format off
static const char whole_body[] = PROVIDER_JSON({
    "id":"@UUID@","resource":"event","type":"@TYPE@","action":"@ACTION@",
    "data":@RESOURCE@,"state":"pending","retries":0,"date_created":"@NOW@",
    "date_delivered":null});

/* The events are as published, and so are the members of a task and of a webhook_config. Those of a
 * session and a poll beyond id, resource and state are guesses, as is what the data of the test is:
 * its type is the name of that resource. All values are invented; the error codes are guesses. */
static const char webhook_config_test[] = PROVIDER_JSON({
    "id":@GID_VALUE@,"resource":"webhook_config","organisation":1,
    "url":"https://bridge.example/webhooks/ricloud?n=@N@","state":"new",
    "date_created":"2026-02-03T08:30:00.155917Z"});

static const char session_expired[] = PROVIDER_JSON({
    "id":"@GID@","resource":"session","organisation":1,"key":7,
    "user":"5d2c7f0e-41b8-4c63-9d0a-2f6b8c1e7a94",
    "source":"f3a1c0d2-6b5e-4d7f-8a9b-0c1d2e3f4a5b","state":"expired","error":null,
    "date_created":"2026-02-03T08:30:00.168354Z","date_expired":"@NOW@",
    "name":"Backup of device @N@"});

static const char poll_created[] = PROVIDER_JSON({
    "id":"@GID@","resource":"poll","organisation":1,"key":7,
    "session":"8b7a6c5d-4e3f-4a2b-9c1d-0e9f8a7b6c5d",
    "source":"f3a1c0d2-6b5e-4d7f-8a9b-0c1d2e3f4a5b","state":"pending","number":@N@,
    "date_created":"@NOW@","date_completed":null});

static const char poll_completed[] = PROVIDER_JSON({
    "id":"@GID@","resource":"poll","organisation":1,"key":7,
    "session":"8b7a6c5d-4e3f-4a2b-9c1d-0e9f8a7b6c5d",
    "source":"f3a1c0d2-6b5e-4d7f-8a9b-0c1d2e3f4a5b","state":"completed","number":@N@,
    "date_created":"2026-02-03T08:30:00.168354Z","date_completed":"@NOW@"});

static const char task_created[] = PROVIDER_JSON({
    "id":"@GID@","resource":"task","organisation":1,"key":7,
    "user":"5d2c7f0e-41b8-4c63-9d0a-2f6b8c1e7a94",
    "source":"f3a1c0d2-6b5e-4d7f-8a9b-0c1d2e3f4a5b",
    "session":"8b7a6c5d-4e3f-4a2b-9c1d-0e9f8a7b6c5d",
    "poll":"1c2d3e4f-5a6b-4c7d-8e9f-0a1b2c3d4e5f","source_type":"icloud.backup",
    "type":"fetch_data","target":"photos-@N@","state":"pending",
    "results":{"resource":"list","data":[],"has_more":false,"total_count":0,
        "url":"/results"},
    "error":null,"date_created":"@NOW@","date_started":null,"date_completed":null});

static const char task_succeeded[] = PROVIDER_JSON({
    "id":"@GID@","resource":"task","organisation":1,"key":7,
    "user":"5d2c7f0e-41b8-4c63-9d0a-2f6b8c1e7a94",
    "source":"f3a1c0d2-6b5e-4d7f-8a9b-0c1d2e3f4a5b",
    "session":"8b7a6c5d-4e3f-4a2b-9c1d-0e9f8a7b6c5d",
    "poll":"1c2d3e4f-5a6b-4c7d-8e9f-0a1b2c3d4e5f","source_type":"icloud.backup",
    "type":"fetch_data","target":"photos-@N@","state":"succeeded",
    "results":{"resource":"list","data":[{"id":"9e8d7c6b-5a4f-4e3d-8c2b-1a0f9e8d7c6b",
        "resource":"result","url":"https://storage.example/results/@GID@.json"}],
        "has_more":false,"total_count":1,"url":"/results"},
    "error":null,"date_created":"2026-02-03T08:30:00.168354Z",
    "date_started":"2026-02-03T08:30:02.401276Z","date_completed":"@NOW@"});

static const char task_failed[] = PROVIDER_JSON({
    "id":"@GID@","resource":"task","organisation":1,"key":7,
    "user":"5d2c7f0e-41b8-4c63-9d0a-2f6b8c1e7a94",
    "source":"f3a1c0d2-6b5e-4d7f-8a9b-0c1d2e3f4a5b",
    "session":"8b7a6c5d-4e3f-4a2b-9c1d-0e9f8a7b6c5d",
    "poll":"1c2d3e4f-5a6b-4c7d-8e9f-0a1b2c3d4e5f","source_type":"icloud.backup",
    "type":"fetch_data","target":"photos-@N@","state":"failed",
    "results":{"resource":"list","data":[],"has_more":false,"total_count":0,
        "url":"/results"},
    "error":"data_not_available","date_created":"2026-02-03T08:30:00.168354Z",
    "date_started":"2026-02-03T08:30:02.401276Z","date_completed":"@NOW@"});

// clang-format on

static const struct provider_sample samples[] = {
    {"webhook_config", PROVIDER_EVENTS("webhook_config.test"), .resource = webhook_config_test,
     .gid_form = "1????"},
    {"session", PROVIDER_EVENTS("session.expired"), .resource = session_expired},
    {"poll", PROVIDER_EVENTS("poll.created"), .resource = poll_created},
    {"poll", PROVIDER_EVENTS("poll.completed"), .resource = poll_completed},
    {"task", PROVIDER_EVENTS("task.created"), .resource = task_created},
    {"task", PROVIDER_EVENTS("task.succeeded"), .resource = task_succeeded},
    {"task", PROVIDER_EVENTS("task.failed"), .resource = task_failed},
    {0},
};

const struct provider provider_ricloud = {
    .name = "ricloud",
    .title = "Reincubate ricloud",
    .signature = {.scheme = SCHEME_HMAC,
                  .algorithm = ALGORITHM_SHA256,
                  .form = FORM_PAIRS,
                  .encoding = ENCODING_BASE64,
                  .key = KEY_TEXT,
                  .skew = SKEW_PAST,
                  .header = "Ricloud-Signature",
                  .mark = "s",
                  .ordered = true,
                  .message = "{timestamp}.{body}",
                  .timestamp_key = "t",
                  .tolerance_ms = 600000},
    .fields = {.event = "{body.type}.{body.action}",
               .resource_type = "{body.type}",
               .gid = "{body.data.id}|", /* a test may come without data */
               .delivery_id = "{body.id}",
               .event_time = "{body.date_created}"},
    .default_topic = "ricloud/{type}/{action}/{gid}",
    .takes_suffix = true,
    .api_url = "https://ricloud-api.reincubate.com",
    .issues_secret = true,
    .sample_body = whole_body,
    .sample_suffix = "@UUID@",
    .time_zone = ".168354Z",
    .gid_form = "########-####-4###-a###-############",
    .samples = samples,
};
