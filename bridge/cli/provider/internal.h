/*
 * cli/provider/internal - a verb that runs is a job, which all files here share. In the order of
 * calls:
 *
 *   provider.c         the vendors, the help, `show`
 *   ricloud.c          its verbs    ricloud_config.c  a config and its test
 *   weavy.c            its verbs    weavy_sample.c   one of them    weavy_account.c  what they share
 *   verb.c             the frame of every verb, and what it prints
 *   api.c              calls of the API: tries, the reason of a failure
 *   secrets.c          hides secrets (pure)
 */
#ifndef BRIDGE_CLI_PROVIDER_INTERNAL_H
#define BRIDGE_CLI_PROVIDER_INTERNAL_H

#include "bridge/cli/cli.h"
#include "bridge/cli/http.h"
#include "bridge/cli/tree.h"

struct file_draft;
struct job;

/* ---- secrets.c ---- */

struct secrets {
    struct buf *items;
    size_t count;
};

/* Keeps a copy; hides none that is shorter than three characters. */
void secrets_add(struct secrets *secrets, struct slice secret);
void secrets_wipe(struct secrets *secrets);
/* Adds text with *** for each secret. Returns whether there was one. */
bool secrets_add_hidden(const struct secrets *secrets, struct buf *out, struct slice text);
/* The same for a tree's strings, numbers and names, and each member that is named like a secret
 * (authToken). Gives a tree for json_object_put, which may share values with the other one. */
struct json_object *secrets_hide(const struct secrets *secrets, struct json_object *tree);

/* ---- a verb, and a job ---- */

/* A verb looks at those that its row names. */
struct verb_options {
    const char *source;
    int64_t timeout_ms;
    bool json, dry_run;
    const char *url, *state;
    int64_t created_ms; /* CLOCK_NONE: not given */
    bool replace_secret, wait, all, forget, publish;
};
extern const struct cli_option verb_options[];

/* The data of a vendor's cli_verb. */
struct verb {
    enum status (*run)(struct job *job); /* if it fails, job->err is printed */
    int min_count, max_count;            /* of arguments */
    bool changes;                        /* what is stored for weavy */
    int (*check)(struct job *job);       /* of the usage, as cli_misuse returns it; or NULL */
};
/* A row; more: options that not every verb takes; then a struct verb. */
#define VERB(name, more, ...)                                                                  \
    name, NULL, "--source --timeout --dry-run --json" more, &(const struct verb)               \
    {                                                                                          \
        __VA_ARGS__                                                                            \
    }

/* The data of the cli_verb that verb_run runs. */
struct vendor {
    const char *name;             /* of the provider, too */
    const char *scheme;           /* of the header Authorization, such as `Token` */
    const char *argument;         /* what each argument is, such as `an id` */
    const struct cli_verb *verbs; /* without a run; the last row has no name */
    /* Sets the token; NULL: the configured one is needed. */
    enum status (*begin)(struct job *job, bool changes);
};
extern const struct vendor ricloud, weavy;

struct request {
    const char *method;
    const char *path;         /* behind the API's URL */
    const char *id;           /* any text, as a segment behind that; NULL: none */
    const char *more;         /* behind that, such as a query; NULL: nothing */
    const char *await;        /* the header Ricloud-Await; NULL: none */
    bool anonymous;           /* without the token */
    struct json_object *json; /* the body, to which nobody else refers; NULL: none */
};

struct reply {
    struct cli_http_reply http; /* borrowed until the next call */
    struct json_object *json;   /* for tree_wipe; NULL: nothing, `null`, or not JSON */
    bool is_json;               /* or empty */
    /* A change was asked for and its outcome is not known: it may have been made, also beside the
     * one that was answered. */
    bool uncertain;
};

struct job {
    struct cli *cli; /* argv[1...] are the arguments */
    struct verb_options options;
    const struct config_source *source;
    size_t source_index;
    struct err err;  /* of the last thing that failed */
    int exit_status; /* so far */
    int stop_fd;     /* can be read once the user wants to stop */
    /* The file for what a provider hands out only once: locked, and with its room on the disk, before
     * it is asked for. Neither a full disk nor another command can lose it then. NULL: none. */
    struct file_draft *draft;

    struct api {
        const char *scheme;
        struct buf base;        /* the URL, without a slash at its end */
        struct buf token;       /* see api_set_token */
        struct secrets secrets; /* the API may send them back */
        const char *ca_file;    /* still to be read; NULL: none */
        int64_t deadline_ms;    /* of the monotonic clock; for everything together */
        struct cli_http *http;
    } api;
    struct json_object *sent; /* the last request: method, url, headers, body */
    struct reply reply;

    /* ricloud's */
    struct json_object *config; /* as the API described it last; NULL: not yet, or a dry run */
    struct json_object *test;   /* of the config, the last one; NULL: not known */
    bool is_open;               /* the time was over before the outcome of that was seen */

    /* weavy's */
    struct json_object *account; /* the members that all entries of the account have */
    struct json_object *state;   /* of the account; the tree of its file */
    bool logged_in;              /* by this job, and the token has not been accepted yet */
    bool login_failed;           /* the last one: nothing else can be asked for */
};

/* ---- api.c ---- */

/* The API of the job's source has a URL: https, or http to this machine, as the configuration has
 * made sure. Hides the source's secrets. */
void api_open(struct job *job, const char *scheme);
void api_close(struct job *job);
/* Keeps a copy, and hides it. ST_INVALID: it cannot stand in a header. */
enum status api_set_token(struct job *job, struct slice token) MUST_USE;

/* Makes a request, and fills in job->sent and job->reply. Takes request->json. ST_OK: answered 2xx.
 * Else job->err has the reason, in the API's own words if it gave one: ST_UNAUTHENTIC: 401;
 * ST_NOT_FOUND: 404 or 410; ST_REFUSED: anything else that asking again would not change;
 * ST_UNREACHABLE: no usable answer after all tries; ST_IO, ST_MISSING, ST_CLOSED: nobody was asked,
 * without ca_file, without a token, or after a signal. In a dry run the request is printed instead. */
enum status job_call(struct job *job, const struct request *request) MUST_USE;
/* The reply was 2xx but is of no use: job->err says `the API's answer <what>: GET …`. Gives st; ST_OK
 * in a dry run. */
enum status job_reject(struct job *job, enum status st, const char *what);
/* Takes the JSON out of the reply; replaces the one before, for tree_wipe. */
void job_keep(struct job *job, struct json_object **kept);
/* The user wants to stop: a call under way gets some seconds for its answer, and is the last one. */
bool job_is_stopped(const struct job *job);
/* False if the time is over, or the user wants to stop; else waits (less, if less is left). */
bool job_wait(const struct job *job, int64_t ms);

/* For api.c itself, and its tests. All are pure. */

/* Makes job->sent. Takes request->json. */
void api_make(struct job *job, const struct request *request);
/* Adds it, with *** for secrets: as lines, or with --json as an object. */
void api_add_request(struct buf *out, const struct job *job);
/* Adds `GET https://…: answered 400: <code>: <message>, <parameters>`, under the names that APIs give
 * them. Nothing else is quoted: it may contain a secret that nobody knows to be one. */
void api_add_answer(struct buf *out, const struct job *job);
/* False if text, even escaped, would not be a segment of its own: empty, . or .. , not UTF-8, or with
 * control characters. */
bool api_is_segment(const char *text) MUST_USE;
/* How long to wait after the n-th try, from 1: as long as the API asked for (0: it did not), else
 * twice as long each time, of which random takes off up to a half: many callers spread out. */
int64_t api_retry_delay_ms(unsigned n, unsigned retry_after_s, uint32_t random);

/* ---- verb.c ---- */

/* Runs the verb that argv[1] names, from its options to its end. */
int verb_run(struct cli *cli);

/* The URL that the provider sends to: --url, else the source's public_url. ST_MISSING. */
enum status job_url(struct job *job, const char **out_url) MUST_USE;
/* Sets the token that the configuration gives, else this one. */
enum status job_set_token(struct job *job, const char *other) MUST_USE;
/* Writes job->draft. If a power cut may undo that, prints a warning. */
enum status job_store(struct job *job, struct slice data) MUST_USE;
/* tree_add_line, with *** for secrets; line of NULL: the object as JSON. */
void job_add_line(const struct job *job, struct buf *out, struct json_object *object,
                  const char *line);
/* Prints a result: with --json the object, with *** for secrets, else the line. Takes the object.
 * In a dry run there are no results. */
void job_print(const struct job *job, struct json_object *object, const char *line);

/* ---- ricloud_config.c: a webhook config, and how its test went ---- */

#define RICLOUD_CONFIGS "/configs/webhook"

/* Calls the API about the config (job->config; else the one that argv[1] names; else a new one), and
 * keeps what it answers as job->config: in the state `unknown` if it may have done what it was asked
 * for without saying so. Takes json, the request's body. */
enum status ricloud_ask(struct job *job, const char *method, struct json_object *json) MUST_USE;
/* Has it tested, and keeps job->test. await: the API may answer when the test has ended. */
enum status ricloud_start_test(struct job *job, bool await) MUST_USE;
/* Asks again until the config shows how that ended, or the time is over. */
enum status ricloud_wait_test(struct job *job) MUST_USE;
/* The same for the test that a change has begun. If the config becomes `invalid`, or is still `new`
 * after some seconds, has it tested once more: that test may have come before the secret. */
enum status ricloud_settle(struct job *job) MUST_USE;
/* Prints a config; nothing if it is NULL. */
void ricloud_print(const struct job *job, struct json_object *config);
/* Prints job->config, and on stderr what may be wrong if it is not known to be valid, which is a
 * failure. Gives st, of the last step: a failed one says what was wrong itself. secret_file: where
 * its secret was stored; NULL: not by this command. */
enum status ricloud_report(struct job *job, enum status st, const char *secret_file);

/* ---- weavy_sample.c, weavy_account.c ---- */

enum status weavy_sample(struct job *job) MUST_USE;

/* Reads what is stored for the account (ST_INVALID: damaged, or of a newer version; ST_BUSY: for a
 * change, and another command has it), and sets the configured token, else the last login's. */
enum status weavy_begin(struct job *job, bool changes) MUST_USE;
/* Logs in with user name and password, and keeps the token. */
enum status weavy_login(struct job *job) MUST_USE;
/* Calls an entry point, behind the project's URL. Takes json, the request's body. Logs in before if
 * there is no token, and again if it is no longer accepted. See job_call; ST_UNAUTHENTIC: the login
 * failed, too; ST_REFUSED: a 2xx answer with an error in it, too. */
#define WEAVY_SUBSCRIBE   "/process/?c=EPT_WebhookSubscribe"
#define WEAVY_UNSUBSCRIBE "/process/?c=EPT_WebhookUnsubscribe"
#define WEAVY_SAMPLE      "/process/?c=EPT_WebhookPerformList"
enum status weavy_call(struct job *job, const char *entry_point,
                       struct json_object *json) MUST_USE;
/* The account's i-th login or subscription, oldest first; NULL behind the last. Borrowed until it is
 * removed. */
#define WEAVY_LOGINS        "/logins"
#define WEAVY_SUBSCRIPTIONS "/subscriptions"
struct json_object *weavy_entry(const struct job *job, const char *list_name, size_t i);
/* Removes and adds one, each may be NULL; stores what is left. Takes the new one, which gets the time
 * and the account. */
enum status weavy_replace(struct job *job, const char *list_name, struct json_object *old,
                          struct json_object *new) MUST_USE;
/* Adds where deliveries of an event go. base: of the source, a URL or a path. ST_NOT_FOUND: nowhere.
 * Where the source has `events`, the bridge takes those only; else each that is one segment. */
enum status weavy_add_url(struct buf *out, struct job *job, const char *base,
                          const char *event) MUST_USE;

#endif
