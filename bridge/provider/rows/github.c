/*
 * GitHub, webhooks of repositories, organisations and apps.
 *
 * The event's name and the delivery's id are in headers that the signature does not cover. The
 * resource is the repository, or what stands above it: so everything of one repository is in order
 * per kind of event, and no event has a time of its own (what is in the bodies are the times of
 * different things, and of other people's clocks). Nothing counts as a deletion: the issue that was
 * deleted is not what the state is of.
 */
#include "bridge/provider/provider.h"

// clang-format off
/* What all events have in common. */
static const char whole_body[] = PROVIDER_JSON({
    @RESOURCE@,
    "repository":{"id":701442087,"node_id":"R_kgDOKc9jpw","name":"widget",
        "full_name":"@GID@","private":false,
        "owner":{"login":"acme-tools","id":9918247,"type":"Organization"},
        "html_url":"https://github.example/@GID@","description":"Firmware of the widget",
        "fork":false,"url":"https://api.github.example/repos/@GID@",
        "created_at":"2025-01-09T11:02:45Z","updated_at":"@NOW@","pushed_at":"@NOW@",
        "size":1843,"stargazers_count":27,"language":"C","open_issues_count":4,
        "topics":["mqtt","firmware"],"visibility":"public","default_branch":"main"},
    "organization":{"login":"acme-tools","id":9918247,
        "url":"https://api.github.example/orgs/acme-tools"},
    "sender":{"login":"robin-dev","id":2218471,"type":"User","site_admin":false}});

/* Each of these is a part of it. */
static const char ping[] = PROVIDER_JSON(
    "zen":"Measure twice, merge once.","hook_id":@N@,
    "hook":{"type":"Repository","id":@N@,"name":"web","active":true,
        "events":["issues","pull_request","push"],
        "config":{"content_type":"json","insecure_ssl":"0",
            "url":"https://bridge.example/webhooks/github"},
        "created_at":"@NOW@","updated_at":"@NOW@"});

static const char push[] = PROVIDER_JSON(
    "ref":"refs/heads/main","before":"51de2b835bd35a67eb32dbcd3d77d4b96e5aa39d",
    "after":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb","created":false,"deleted":false,
    "forced":false,"base_ref":null,
    "compare":"https://github.example/@GID@/compare/51de2b835bd3...405906c9d5be",
    "commits":[{"id":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
        "tree_id":"80655da8d80aaaf92ce5357e7828dc09adb00993","distinct":true,
        "message":"Debounce the reset button (#@N@)","timestamp":"@NOW@",
        "url":"https://github.example/@GID@/commit/405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
        "author":{"name":"Robin Example","email":"robin@acme-tools.example",
            "username":"robin-dev"},
        "committer":{"name":"Robin Example","email":"robin@acme-tools.example",
            "username":"robin-dev"},
        "added":["src/debounce.c"],"removed":[],"modified":["src/button.c"]}],
    "head_commit":{"id":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
        "message":"Debounce the reset button (#@N@)","timestamp":"@NOW@"},
    "pusher":{"name":"robin-dev","email":"robin@acme-tools.example"});

static const char create[] = PROVIDER_JSON(
    "ref":"release-@N@","ref_type":"branch","master_branch":"main",
    "description":"Firmware of the widget","pusher_type":"user");

static const char delete[] = PROVIDER_JSON(
    "ref":"release-@N@","ref_type":"branch","pusher_type":"user");

static const char issues[] = PROVIDER_JSON(
    "action":"@ACTION@",
    "issue":{"id":2046120417,"number":42,"title":"Reset takes two presses (@N@)",
        "user":{"login":"robin-dev","id":2218471,"type":"User"},
        "url":"https://api.github.example/repos/@GID@/issues/42",
        "html_url":"https://github.example/@GID@/issues/42",
        "labels":[{"id":5120448371,"name":"bug","color":"d73a4a","default":true}],
        "state":"open","locked":false,"assignees":[],"milestone":null,"comments":1,
        "created_at":"2026-02-03T08:30:00Z","updated_at":"@NOW@","closed_at":null,
        "author_association":"MEMBER",
        "body":"Press it once: nothing.\r\nPress it again: \"reset\"."});

static const char issues_closed[] = PROVIDER_JSON(
    "action":"@ACTION@",
    "issue":{"id":2046120417,"number":42,"title":"Reset takes two presses (@N@)",
        "user":{"login":"robin-dev","id":2218471,"type":"User"},
        "url":"https://api.github.example/repos/@GID@/issues/42",
        "html_url":"https://github.example/@GID@/issues/42","labels":[],
        "state":"closed","state_reason":"completed","locked":false,"assignees":[],
        "milestone":null,"comments":3,"created_at":"2026-02-03T08:30:00Z",
        "updated_at":"@NOW@","closed_at":"@NOW@","author_association":"MEMBER",
        "body":null});

static const char issue_comment[] = PROVIDER_JSON(
    "action":"@ACTION@",
    "issue":{"id":2046120417,"number":42,"title":"Reset takes two presses",
        "state":"open","comments":2,"created_at":"2026-02-03T08:30:00Z",
        "updated_at":"@NOW@"},
    "comment":{"id":@N@,"user":{"login":"sam-ops","id":3304981,"type":"User"},
        "html_url":"https://github.example/@GID@/issues/42#issuecomment-@N@",
        "created_at":"@NOW@","updated_at":"@NOW@","author_association":"MEMBER",
        "body":"Seen here too, with hardware revision C."});

static const char pull_request[] = PROVIDER_JSON(
    "action":"@ACTION@","number":43,
    "pull_request":{"id":1648872019,"number":43,"state":"open","locked":false,
        "title":"Debounce the reset button (@N@)",
        "user":{"login":"robin-dev","id":2218471,"type":"User"},
        "html_url":"https://github.example/@GID@/pull/43","body":"Closes #42.",
        "created_at":"2026-02-04T09:12:30Z","updated_at":"@NOW@","closed_at":null,
        "merged_at":null,"merge_commit_sha":null,"draft":false,
        "requested_reviewers":[{"login":"sam-ops","id":3304981,"type":"User"}],
        "head":{"label":"acme-tools:debounce","ref":"debounce",
            "sha":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb"},
        "base":{"label":"acme-tools:main","ref":"main",
            "sha":"51de2b835bd35a67eb32dbcd3d77d4b96e5aa39d"},
        "merged":false,"mergeable":null,"comments":0,"commits":2,"additions":48,
        "deletions":7,"changed_files":3});

static const char pull_request_closed[] = PROVIDER_JSON(
    "action":"@ACTION@","number":43,
    "pull_request":{"id":1648872019,"number":43,"state":"closed","locked":false,
        "title":"Debounce the reset button (@N@)",
        "user":{"login":"robin-dev","id":2218471,"type":"User"},
        "html_url":"https://github.example/@GID@/pull/43","body":"Closes #42.",
        "created_at":"2026-02-04T09:12:30Z","updated_at":"@NOW@","closed_at":"@NOW@",
        "merged_at":"@NOW@","merge_commit_sha":"14091a9f2461267ee7e02525b4f1f2923f1c9849",
        "draft":false,"head":{"ref":"debounce"},"base":{"ref":"main"},"merged":true,
        "merged_by":{"login":"sam-ops","id":3304981,"type":"User"},"comments":2,
        "commits":2,"additions":48,"deletions":7,"changed_files":3});

static const char pull_request_review[] = PROVIDER_JSON(
    "action":"@ACTION@",
    "review":{"id":@N@,"user":{"login":"sam-ops","id":3304981,"type":"User"},
        "body":"One question, else fine.","state":"commented","submitted_at":"@NOW@",
        "commit_id":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
        "html_url":"https://github.example/@GID@/pull/43#pullrequestreview-@N@"},
    "pull_request":{"id":1648872019,"number":43,"state":"open",
        "title":"Debounce the reset button","head":{"ref":"debounce"},
        "base":{"ref":"main"}});

static const char release[] = PROVIDER_JSON(
    "action":"@ACTION@",
    "release":{"id":131842207,"tag_name":"v1.4.@N@","target_commitish":"main",
        "name":"1.4.@N@","draft":false,"prerelease":false,"created_at":"@NOW@",
        "published_at":"@NOW@","author":{"login":"sam-ops","id":3304981,"type":"User"},
        "html_url":"https://github.example/@GID@/releases/tag/v1.4.@N@",
        "assets":[{"id":140557113,"name":"widget.bin","size":262144,
            "content_type":"application/octet-stream","state":"uploaded",
            "download_count":0}],
        "body":"- Debounces the reset button\n- Starts twice as fast"});

static const char star_created[] = PROVIDER_JSON(
    "action":"@ACTION@","starred_at":"@NOW@","stars":@N@);

static const char star_deleted[] = PROVIDER_JSON(
    "action":"@ACTION@","starred_at":null,"stars":@N@);

static const char workflow_run[] = PROVIDER_JSON(
    "action":"@ACTION@",
    "workflow_run":{"id":@N@,"name":"Build","head_branch":"main",
        "head_sha":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
        "path":".github/workflows/build.yml","run_number":318,"run_attempt":1,
        "event":"push","status":"completed","conclusion":"success",
        "html_url":"https://github.example/@GID@/actions/runs/@N@",
        "created_at":"2026-02-04T09:13:00Z","updated_at":"@NOW@",
        "actor":{"login":"robin-dev","id":2218471,"type":"User"}},
    "workflow":{"id":58241,"name":"Build","state":"active",
        "path":".github/workflows/build.yml"});

static const char deployment_status[] = PROVIDER_JSON(
    "action":"@ACTION@",
    "deployment_status":{"id":@N@,"state":"success","environment":"production",
        "description":"Rolled out to all lines","created_at":"@NOW@","updated_at":"@NOW@"},
    "deployment":{"id":1187403321,"sha":"405906c9d5be6ae5393ca65fb0e7c38e0d585ecb",
        "ref":"v1.4.0","task":"deploy","environment":"production",
        "created_at":"2026-02-04T09:20:00Z"});

static const char repository[] = PROVIDER_JSON(
    "action":"@ACTION@","changes":{"repository":{"number":@N@}});

// clang-format on

static const struct provider_sample samples[] = {
    {"ping", PROVIDER_EVENTS("ping"), .resource = ping},
    {"push", PROVIDER_EVENTS("push"), .resource = push},
    {"create", PROVIDER_EVENTS("create"), .resource = create},
    {"delete", PROVIDER_EVENTS("delete"), .resource = delete},
    {"issues",
     PROVIDER_EVENTS("issues.opened", "issues.edited", "issues.reopened", "issues.deleted"),
     .resource = issues},
    {"issues", PROVIDER_EVENTS("issues.closed"), .resource = issues_closed},
    {"issue_comment",
     PROVIDER_EVENTS("issue_comment.created", "issue_comment.edited", "issue_comment.deleted"),
     .resource = issue_comment},
    {"pull_request",
     PROVIDER_EVENTS("pull_request.opened", "pull_request.synchronize",
                     "pull_request.reopened"),
     .resource = pull_request},
    {"pull_request", PROVIDER_EVENTS("pull_request.closed"), .resource = pull_request_closed},
    {"pull_request_review", PROVIDER_EVENTS("pull_request_review.submitted"),
     .resource = pull_request_review},
    {"release", PROVIDER_EVENTS("release.published"), .resource = release},
    {"star", PROVIDER_EVENTS("star.created"), .resource = star_created},
    {"star", PROVIDER_EVENTS("star.deleted"), .resource = star_deleted},
    {"workflow_run", PROVIDER_EVENTS("workflow_run.completed"), .resource = workflow_run},
    {"deployment_status", PROVIDER_EVENTS("deployment_status.created"),
     .resource = deployment_status},
    {"repository", PROVIDER_EVENTS("repository.archived", "repository.deleted"),
     .resource = repository},
    {0},
};

const struct provider provider_github = {
    .name = "github",
    .title = "GitHub",
    .signature = {.scheme = SCHEME_HMAC,
                  .algorithm = ALGORITHM_SHA256,
                  .form = FORM_PREFIX,
                  .encoding = ENCODING_HEX,
                  .key = KEY_TEXT,
                  .header = "X-Hub-Signature-256",
                  .mark = "sha256=",
                  .message = "{body}"},
    .fields = {.event = "{header.X-GitHub-Event}.{body.action}|{header.X-GitHub-Event}",
               .gid = "{body.repository.full_name}|{body.organization.login}|"
                      "{body.enterprise.slug}|{body.installation.account.login}|"
                      "{body.sender.login}|",
               .delivery_id = "{header.X-GitHub-Delivery}"},
    .default_topic = "github/{gid}",
    .sample_body = whole_body,
    .sample_headers = "X-GitHub-Event: @TYPE@\nX-GitHub-Delivery: @UUID@",
    .time_zone = "Z",
    .gid_form = "acme-tools/widget-####",
    .samples = samples,
    .open_catalogue = true,
};
