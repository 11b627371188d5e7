/*
 * GitLab, webhooks of projects and groups, and system hooks, with a secret token: the header holds
 * the secret itself, so what else is in the request is worth as much as the body.
 *
 * The resource is the project, or what stands above it; see github.c.
 */
#include "bridge/provider/provider.h"

// clang-format off
static const char whole_body[] = PROVIDER_JSON({
    "object_kind":"@TYPE@",@RESOURCE@,
    "project":{"id":315,"name":"Widget","description":"Firmware of the widget",
        "web_url":"https://gitlab.example/@GID@","avatar_url":null,
        "git_ssh_url":"git@gitlab.example:@GID@.git",
        "git_http_url":"https://gitlab.example/@GID@.git","namespace":"Acme Tools",
        "visibility_level":20,"path_with_namespace":"@GID@","default_branch":"main"}});

static const char push[] = PROVIDER_JSON(
    "event_name":"push","before":"51de2b835bd35a67eb32dbcd3d77d4b96e5aa39d",
    "after":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb","ref":"refs/heads/main",
    "ref_protected":true,"checkout_sha":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
    "message":null,"user_id":4,"user_name":"Robin Example","user_username":"robin-dev",
    "user_email":null,"user_avatar":null,"project_id":315,
    "commits":[{"id":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
        "message":"Debounce the reset button (@N@)\n","title":"Debounce the reset button",
        "timestamp":"@NOW@",
        "url":"https://gitlab.example/@GID@/-/commit/405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
        "author":{"name":"Robin Example","email":"robin@acme-tools.example"},
        "added":["src/debounce.c"],"modified":["src/button.c"],"removed":[]}],
    "total_commits_count":1);

static const char tag_push[] = PROVIDER_JSON(
    "event_name":"tag_push","before":"0000000000000000000000000000000000000000",
    "after":"5e9b60f69165f32f8930843ca718e10fdee30c52","ref":"refs/tags/v1.4.@N@",
    "checkout_sha":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb","message":"Release 1.4.@N@",
    "user_id":9,"user_name":"Sam Example","user_username":"sam-ops","project_id":315,
    "commits":[],"total_commits_count":0);

static const char issue[] = PROVIDER_JSON(
    "event_type":"issue",
    "user":{"id":4,"name":"Robin Example","username":"robin-dev","avatar_url":null,
        "email":"[REDACTED]"},
    "object_attributes":{"id":3017,"iid":42,"title":"Reset takes two presses (@N@)",
        "description":"Press it once: nothing.","state":"opened","action":"open",
        "author_id":4,"assignee_ids":[],"project_id":315,"milestone_id":null,
        "confidential":false,"created_at":"2026-02-03T08:30:00Z","updated_at":"@NOW@",
        "url":"https://gitlab.example/@GID@/-/issues/42"},
    "labels":[{"id":206,"title":"bug","color":"#d73a4a","project_id":315}],
    "changes":{"updated_at":{"previous":null,"current":"@NOW@"}});

static const char note[] = PROVIDER_JSON(
    "event_type":"note",
    "user":{"id":9,"name":"Sam Example","username":"sam-ops","avatar_url":null},
    "project_id":315,
    "object_attributes":{"id":@N@,"note":"Seen here too, with hardware revision C.",
        "noteable_type":"Issue","noteable_id":3017,"author_id":9,"system":false,
        "action":"create","created_at":"@NOW@","updated_at":"@NOW@",
        "url":"https://gitlab.example/@GID@/-/issues/42#note_@N@"},
    "issue":{"id":3017,"iid":42,"title":"Reset takes two presses","state":"opened"});

static const char merge_request[] = PROVIDER_JSON(
    "event_type":"merge_request",
    "user":{"id":4,"name":"Robin Example","username":"robin-dev","avatar_url":null},
    "object_attributes":{"id":9914,"iid":43,"title":"Debounce the reset button (@N@)",
        "description":"Closes #42.","state":"opened","action":"open",
        "source_branch":"debounce","target_branch":"main","source_project_id":315,
        "target_project_id":315,"author_id":4,"merge_status":"can_be_merged",
        "draft":false,"blocking_discussions_resolved":true,
        "last_commit":{"id":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
            "message":"Debounce the reset button","timestamp":"@NOW@"},
        "created_at":"2026-02-04T09:12:30Z","updated_at":"@NOW@",
        "url":"https://gitlab.example/@GID@/-/merge_requests/43"},
    "labels":[],"changes":{},
    "reviewers":[{"id":9,"name":"Sam Example","username":"sam-ops"}]);

static const char pipeline[] = PROVIDER_JSON(
    "object_attributes":{"id":@N@,"iid":318,"ref":"main","tag":false,
        "sha":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb","source":"push",
        "status":"success","detailed_status":"passed","stages":["build","test"],
        "created_at":"2026-02-04T09:13:00Z","finished_at":"@NOW@","duration":63,
        "queued_duration":2,"url":"https://gitlab.example/@GID@/-/pipelines/@N@"},
    "user":{"id":4,"name":"Robin Example","username":"robin-dev"},
    "builds":[{"id":88120,"stage":"build","name":"compile","status":"success",
            "duration":41.2,"allow_failure":false},
        {"id":88121,"stage":"test","name":"unit","status":"success","duration":17.9,
            "allow_failure":false}]);

static const char job[] = PROVIDER_JSON(
    "ref":"main","tag":false,"sha":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
    "build_id":@N@,"build_name":"unit","build_stage":"test","build_status":"success",
    "build_created_at":"2026-02-04T09:13:00Z","build_started_at":"2026-02-04T09:13:44Z",
    "build_finished_at":"@NOW@","build_duration":17.9,"build_queued_duration":0.4,
    "build_allow_failure":false,"build_failure_reason":"unknown_failure",
    "pipeline_id":20517,"project_id":315,"project_name":"Acme Tools / Widget",
    "user":{"id":4,"name":"Robin Example","username":"robin-dev"},
    "commit":{"id":20517,"sha":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
        "message":"Debounce the reset button","status":"success"});

static const char release[] = PROVIDER_JSON(
    "id":31,"created_at":"@NOW@","description":"Debounces the reset button",
    "name":"1.4.@N@","released_at":"@NOW@","tag":"v1.4.@N@","action":"create",
    "url":"https://gitlab.example/@GID@/-/releases/v1.4.@N@",
    "assets":{"count":1,"links":[{"id":7,"name":"widget.bin","link_type":"package",
        "url":"https://downloads.example/widget-1.4.@N@.bin"}],"sources":[]},
    "commit":{"id":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
        "title":"Debounce the reset button","timestamp":"@NOW@"});

static const char deployment[] = PROVIDER_JSON(
    "status":"success","status_changed_at":"@NOW@","deployment_id":@N@,
    "deployable_id":88123,"environment":"production","environment_tier":"production",
    "short_sha":"405906c9","ref":"v1.4.0","commit_title":"Debounce the reset button",
    "user":{"id":9,"name":"Sam Example","username":"sam-ops"});

// clang-format on

static const struct provider_sample samples[] = {
    {"push", PROVIDER_EVENTS("Push Hook"), .resource = push},
    {"tag_push", PROVIDER_EVENTS("Tag Push Hook"), .resource = tag_push},
    {"issue", PROVIDER_EVENTS("Issue Hook"), .resource = issue},
    {"note", PROVIDER_EVENTS("Note Hook"), .resource = note},
    {"merge_request", PROVIDER_EVENTS("Merge Request Hook"), .resource = merge_request},
    {"pipeline", PROVIDER_EVENTS("Pipeline Hook"), .resource = pipeline},
    {"build", PROVIDER_EVENTS("Job Hook"), .resource = job},
    {"release", PROVIDER_EVENTS("Release Hook"), .resource = release},
    {"deployment", PROVIDER_EVENTS("Deployment Hook"), .resource = deployment},
    {0},
};

const struct provider provider_gitlab = {
    .name = "gitlab",
    .title = "GitLab",
    .signature = {.scheme = SCHEME_TOKEN, .key = KEY_TEXT, .header = "X-Gitlab-Token"},
    .fields = {.event = "{header.X-Gitlab-Event}",
               .resource_type = "{body.object_kind}|{body.event_name}|{header.X-Gitlab-Event}",
               .gid = "{body.project.path_with_namespace}|{body.path_with_namespace}|"
                      "{body.project_name}|{body.group.full_path}|{body.group_path}|"
                      "{body.full_path}|",
               .delivery_id = "{header.Idempotency-Key}"},
    .default_topic = "gitlab/{type}/{gid}",
    .sample_body = whole_body,
    .sample_headers = "X-Gitlab-Event: @EVENT@\nIdempotency-Key: @UUID@",
    .time_zone = "Z",
    .gid_form = "acme-tools/widget-####",
    .samples = samples,
    .open_catalogue = true,
};
