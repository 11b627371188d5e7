/*
 * Slack, Events API. Before the first event, and whenever its URL changes, Slack wants a challenge
 * back. What comes from buttons and slash commands is no JSON, and ends as a dead letter.
 *
 * The resource is the channel, or the user or file if there is none.
 */
#include "bridge/provider/provider.h"

// clang-format off
static const char whole_body[] = PROVIDER_JSON({
    "token":"deprecated-and-not-checked","team_id":"T0ACMETOOL","api_app_id":"A0BRIDGE01",
    "event":@RESOURCE@,"type":"event_callback","event_id":"Ev@UUID@","event_time":@UNIX@,
    "authorizations":[{"enterprise_id":null,"team_id":"T0ACMETOOL","user_id":"U0BRIDGEBT",
        "is_bot":true,"is_enterprise_install":false}],
    "is_ext_shared_channel":false,"event_context":"4-eyJldCI6Im1lc3NhZ2UifQ@N@"});

static const char message[] = PROVIDER_JSON({
    "type":"message","user":"U0ROBIN001","text":"Line 3 is running again (@N@)",
    "ts":"@UNIX@.000200","client_msg_id":"6f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b",
    "team":"T0ACMETOOL","channel":"@GID@","event_ts":"@UNIX@.000200",
    "channel_type":"channel",
    "blocks":[{"type":"rich_text","block_id":"k8Xp","elements":[
        {"type":"rich_text_section","elements":[
            {"type":"text","text":"Line 3 is running again (@N@)"}]}]}]});

static const char app_mention[] = PROVIDER_JSON({
    "type":"app_mention","user":"U0ROBIN001","text":"<@U0BRIDGEBT> status of line @N@?",
    "ts":"@UNIX@.000300","team":"T0ACMETOOL","channel":"@GID@",
    "event_ts":"@UNIX@.000300"});

static const char reaction[] = PROVIDER_JSON({
    "type":"@EVENT@","user":"U0SAM00001","reaction":"white_check_mark",
    "item_user":"U0ROBIN001",
    "item":{"type":"message","channel":"@GID@","ts":"1770107400.000200"},
    "event_ts":"@UNIX@.000400"});

static const char channel[] = PROVIDER_JSON({
    "type":"@EVENT@","channel":{"id":"@GID@","name":"line-@N@","created":@UNIX@,
        "creator":"U0ROBIN001","is_channel":true,"context_team_id":"T0ACMETOOL"},
    "event_ts":"@UNIX@.000500"});

static const char member_joined[] = PROVIDER_JSON({
    "type":"member_joined_channel","user":"U0SAM00001","channel":"@GID@",
    "channel_type":"C","team":"T0ACMETOOL","inviter":"U0ROBIN001",
    "event_ts":"@UNIX@.000600"});

static const char team_join[] = PROVIDER_JSON({
    "type":"team_join","user":{"id":"@GID@","team_id":"T0ACMETOOL","name":"sam@N@",
        "deleted":false,"real_name":"Sam Example","tz":"Europe/Paris","tz_offset":3600,
        "profile":{"email":"sam@acme-tools.example","display_name":"sam","status_text":""},
        "is_admin":false,"is_bot":false,"updated":@UNIX@},
    "event_ts":"@UNIX@.000700"});

static const char file_shared[] = PROVIDER_JSON({
    "type":"file_shared","channel_id":"@GID@","file_id":"F0PHOTO@N@",
    "user_id":"U0ROBIN001","file":{"id":"F0PHOTO@N@"},"event_ts":"@UNIX@.000800"});

// clang-format on

static const struct provider_sample samples[] = {
    {"message", PROVIDER_EVENTS("message"), .resource = message},
    {"app_mention", PROVIDER_EVENTS("app_mention"), .resource = app_mention},
    {"reaction_added", PROVIDER_EVENTS("reaction_added"), .resource = reaction},
    {"reaction_removed", PROVIDER_EVENTS("reaction_removed"), .resource = reaction},
    {"channel_created", PROVIDER_EVENTS("channel_created"), .resource = channel},
    {"channel_rename", PROVIDER_EVENTS("channel_rename"), .resource = channel},
    {"member_joined_channel", PROVIDER_EVENTS("member_joined_channel"),
     .resource = member_joined},
    {"team_join", PROVIDER_EVENTS("team_join"), .resource = team_join,
     .gid_form = "U0########"},
    {"file_shared", PROVIDER_EVENTS("file_shared"), .resource = file_shared},
    {0},
};

const struct provider provider_slack = {
    .name = "slack",
    .title = "Slack",
    .signature = {.scheme = SCHEME_HMAC,
                  .algorithm = ALGORITHM_SHA256,
                  .form = FORM_PREFIX,
                  .encoding = ENCODING_HEX,
                  .key = KEY_TEXT,
                  .skew = SKEW_BOTH,
                  .header = "X-Slack-Signature",
                  .mark = "v0=",
                  .message = "v0:{timestamp}:{body}",
                  .timestamp_header = "X-Slack-Request-Timestamp",
                  .tolerance_ms = 300000},
    .fields = {.event = "{body.event.type}|{body.type}",
               .gid = "{body.event.channel}|{body.event.channel.id}|{body.event.item.channel}|"
                      "{body.event.channel_id}|{body.event.user}|{body.event.user.id}|"
                      "{body.event.file_id}|{body.team_id}|",
               .delivery_id = "{body.event_id}",
               .event_time = "{body.event_time}"},
    .challenge = {.field = "type", .value = "url_verification", .echo = "challenge"},
    .default_topic = "slack/{event}/{gid}",
    .sample_body = whole_body,
    .time_zone = "Z",
    .gid_form = "C0########",
    .samples = samples,
    .open_catalogue = true,
};
