/*
 * Gitea, and Forgejo, which sends Gitea's headers beside its own.
 *
 * The event's name and the delivery's id are in headers that the signature does not cover. The
 * resource is the repository, or what stands above it; see github.c.
 */
#include "bridge/provider/provider.h"

// clang-format off
static const char whole_body[] = PROVIDER_JSON({
    @RESOURCE@,
    "repository":{"id":140,"owner":{"id":17,"login":"acme-tools","full_name":"",
            "email":"","username":"acme-tools"},
        "name":"widget","full_name":"@GID@","description":"Firmware of the widget",
        "empty":false,"private":false,"fork":false,"size":412,
        "html_url":"https://git.example/@GID@",
        "clone_url":"https://git.example/@GID@.git","stars_count":3,"forks_count":1,
        "watchers_count":2,"open_issues_count":4,"default_branch":"main","archived":false,
        "created_at":"2025-01-09T11:02:45Z","updated_at":"@NOW@"},
    "sender":{"id":6,"login":"robin-dev","full_name":"Robin Example",
        "email":"robin@acme-tools.example","username":"robin-dev"}});

static const char push[] = PROVIDER_JSON(
    "ref":"refs/heads/main","before":"51de2b835bd35a67eb32dbcd3d77d4b96e5aa39d",
    "after":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
    "compare_url":"https://git.example/@GID@/compare/51de2b835bd3...405906c9d5be",
    "commits":[{"id":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
        "message":"Debounce the reset button (@N@)\n",
        "url":"https://git.example/@GID@/commit/405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
        "author":{"name":"Robin Example","email":"robin@acme-tools.example",
            "username":"robin-dev"},
        "committer":{"name":"Robin Example","email":"robin@acme-tools.example",
            "username":"robin-dev"},
        "verification":null,"timestamp":"@NOW@","added":["src/debounce.c"],"removed":[],
        "modified":["src/button.c"]}],
    "total_commits":1,
    "pusher":{"id":6,"login":"robin-dev","email":"robin@acme-tools.example",
        "username":"robin-dev"});

static const char create[] = PROVIDER_JSON(
    "sha":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb","ref":"release-@N@",
    "ref_type":"branch");

static const char delete[] = PROVIDER_JSON(
    "ref":"release-@N@","ref_type":"branch","pusher_type":"user");

static const char issues[] = PROVIDER_JSON(
    "action":"opened","number":42,
    "issue":{"id":1192,"url":"https://git.example/api/v1/repos/@GID@/issues/42",
        "html_url":"https://git.example/@GID@/issues/42","number":42,
        "user":{"id":6,"login":"robin-dev","username":"robin-dev"},
        "title":"Reset takes two presses (@N@)",
        "body":"Press it once: nothing.\nPress it again: \"reset\".",
        "labels":[{"id":8,"name":"bug","color":"ee0701"}],"milestone":null,
        "assignees":null,"state":"open","is_locked":false,"comments":0,
        "created_at":"2026-02-03T08:30:00Z","updated_at":"@NOW@","closed_at":null,
        "due_date":null,"pull_request":null});

static const char issue_comment[] = PROVIDER_JSON(
    "action":"created",
    "issue":{"id":1192,"number":42,"title":"Reset takes two presses","state":"open",
        "comments":1,"created_at":"2026-02-03T08:30:00Z","updated_at":"@NOW@"},
    "comment":{"id":@N@,"html_url":"https://git.example/@GID@/issues/42#issuecomment-@N@",
        "user":{"id":9,"login":"sam-ops","username":"sam-ops"},
        "body":"Seen here too, with hardware revision C.","created_at":"@NOW@",
        "updated_at":"@NOW@"},
    "is_pull":false);

static const char pull_request[] = PROVIDER_JSON(
    "action":"opened","number":43,
    "pull_request":{"id":388,"url":"https://git.example/@GID@/pulls/43","number":43,
        "user":{"id":6,"login":"robin-dev","username":"robin-dev"},
        "title":"Debounce the reset button (@N@)","body":"Closes #42.","labels":[],
        "state":"open","draft":false,"is_locked":false,"comments":0,"additions":48,
        "deletions":7,"changed_files":3,"mergeable":true,"merged":false,"merged_at":null,
        "merge_base":"51de2b835bd35a67eb32dbcd3d77d4b96e5aa39d",
        "head":{"label":"debounce","ref":"debounce",
            "sha":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb"},
        "base":{"label":"main","ref":"main",
            "sha":"51de2b835bd35a67eb32dbcd3d77d4b96e5aa39d"},
        "created_at":"2026-02-04T09:12:30Z","updated_at":"@NOW@","closed_at":null},
    "review":null);

static const char release[] = PROVIDER_JSON(
    "action":"published",
    "release":{"id":31,"tag_name":"v1.4.@N@","target_commitish":"main","name":"1.4.@N@",
        "body":"- Debounces the reset button\n- Starts twice as fast",
        "html_url":"https://git.example/@GID@/releases/tag/v1.4.@N@","draft":false,
        "prerelease":false,"created_at":"@NOW@","published_at":"@NOW@",
        "author":{"id":9,"login":"sam-ops","username":"sam-ops"},"assets":[]});

static const char repository[] = PROVIDER_JSON(
    "action":"created","organization":{"id":17,"login":"acme-tools","full_name":"",
        "description":"number @N@","username":"acme-tools"});

// clang-format on

static const struct provider_sample samples[] = {
    {"push", PROVIDER_EVENTS("push"), .resource = push},
    {"create", PROVIDER_EVENTS("create"), .resource = create},
    {"delete", PROVIDER_EVENTS("delete"), .resource = delete},
    {"issues", PROVIDER_EVENTS("issues"), .resource = issues},
    {"issue_comment", PROVIDER_EVENTS("issue_comment"), .resource = issue_comment},
    {"pull_request", PROVIDER_EVENTS("pull_request"), .resource = pull_request},
    {"release", PROVIDER_EVENTS("release"), .resource = release},
    {"repository", PROVIDER_EVENTS("repository"), .resource = repository},
    {0},
};

const struct provider provider_gitea = {
    .name = "gitea",
    .title = "Gitea and Forgejo",
    .signature = {.scheme = SCHEME_HMAC,
                  .algorithm = ALGORITHM_SHA256,
                  .form = FORM_PLAIN,
                  .encoding = ENCODING_HEX,
                  .key = KEY_TEXT,
                  .header = "X-Gitea-Signature",
                  .message = "{body}"},
    .fields = {.event = "{header.X-Gitea-Event}",
               .gid = "{body.repository.full_name}|{body.organization.username}|"
                      "{body.sender.login}|",
               .delivery_id = "{header.X-Gitea-Delivery}"},
    .default_topic = "gitea/{gid}",
    .sample_body = whole_body,
    .sample_headers = "X-Gitea-Event: @EVENT@\nX-Gitea-Delivery: @UUID@",
    .time_zone = "Z",
    .gid_form = "acme-tools/widget-####",
    .samples = samples,
    .open_catalogue = true,
};
