/*
 * cli/provider/internal - what the files of a vendor share. The files in the order of calls:
 *
 *   provider.c         the vendors, the help, `show`
 *   ricloud.c          its verbs     ricloud_create.c  one of them    ricloud_config.c  what they share
 *   weavy.c            its verbs     weavy_sample.c    one of them    weavy_api.c       what they share
 *   verb.c             the frame of every verb
 *   state.[ch]         what is stored for a vendor
 *   api.[ch]           a call: headers, tries, the reason of a failure
 *   secrets.[ch]       hides secrets (pure)
 */
#ifndef BRIDGE_CLI_PROVIDER_INTERNAL_H
#define BRIDGE_CLI_PROVIDER_INTERNAL_H

#include "bridge/cli/cli.h"
#include "bridge/cli/provider/api.h"
#include "bridge/cli/provider/state.h"

/* ---- verb.c: a verb is a row of its vendor's table, and a job while it runs ---- */

/* A verb looks at those that its row names. */
struct verb_options {
    const char *source, *timeout;
    bool json, dry_run;
    const char *url, *state;
    int64_t created_ms; /* CLOCK_NONE: not given */
    bool replace_secret, wait, all, forget, publish;
};

/* A verb that runs. */
struct job {
    struct cli *cli; /* argv[1...] are the arguments */
    struct verb_options options;
    const struct config_source *source;
    size_t source_index;
    struct api *api;
    struct state *state; /* of a vendor that needs one, else NULL */
    bool logged_in;      /* by this job: its token is as new as can be */

    struct api_reply reply; /* the last call's */
    struct err err;         /* of the last thing that failed */
    int exit_status;        /* so far */
};

struct verb {
    const char *name;
    const char *options;  /* see struct cli_verb: those of every verb and its own */
    const char *argument; /* what each argument is, such as `an id` */
    int min_count, max_count;
    bool changes;                  /* stores something */
    int (*check)(struct job *job); /* of the usage, as cli_misuse returns it; may be NULL */
    /* If it fails, job->err is printed and the command fails. */
    enum status (*run)(struct job *job);
    const char *help; /* NULL: the usage says enough */
};

/* The names of those that every verb takes. */
#define VERB_OPTIONS "--source --timeout --dry-run --json"

struct vendor {
    const char *name;   /* of the provider, too */
    const char *scheme; /* see api_open */
    const char *summary;
    const struct verb *verbs;         /* the last row has no name */
    const struct cli_option *options; /* beside those of every verb; of a struct verb_options */
    /* Gets a token and, if need be, the state. */
    enum status (*begin)(struct job *job, bool changes);
};

extern const struct vendor ricloud, weavy;
extern const struct cli_option verb_common_options[]; /* of every verb */

/* Runs the verb that argv[1] names, from its options to its end. */
int verb_run(struct cli *cli, const struct vendor *vendor);
/* Adds the help on its verbs and their options. */
void verb_add_help(struct buf *out, const struct vendor *vendor);

/* ---- for the verbs ---- */

/* Takes the exit status of a step, as cli_fail and cli_misuse return it: the first failure becomes
 * the command's. */
void job_end(struct job *job, int exit_status);

/* The URL that the provider sends to: --url, else the source's public_url. ST_MISSING: neither is
 * set. */
enum status job_url(struct job *job, const char **out_url) MUST_USE;
/* Sets the token that the configuration gives, else this one. */
enum status job_set_token(struct job *job, const char *other) MUST_USE;
/* Calls the API: api_call into job->reply and job->err. With --dry-run the request is printed
 * instead, and the reply is empty. Takes request->json, and wipes it. */
enum status job_call(struct job *job, const struct api_request *request) MUST_USE;
/* api_reject into job->err: the answer is of no use. */
enum status job_reject(struct job *job, enum status st, const char *what);
/* Adds the line, in which {name} stands for a member of the object, safe for a terminal, or for a
 * dash. The object has no secrets. */
void job_add_line(struct buf *out, struct json_object *object, const char *line);
/* Prints a result: with --json the object, else the line. Takes the object. */
void job_print(const struct job *job, struct json_object *object, const char *line);

/* A request's body, for job_call: BODY({"name", "text"}, …). A text of NULL is left out. */
struct body_member {
    const char *name; /* NULL: the end */
    const char *text;
};
#define BODY(...) body_of((const struct body_member[]){__VA_ARGS__, {NULL, NULL}})
char *body_of(const struct body_member *members);

/* ---- ricloud_create.c ---- */

enum status ricloud_create(struct job *job) MUST_USE;

/* ---- ricloud_config.c: a webhook config, and how its test went ---- */

/* As the API described it last; shown and task are without secrets. Zero-initialised is empty. */
struct ricloud_config {
    char *id;                  /* opaque; NULL: it does not exist yet */
    struct json_object *shown; /* NULL: not read yet */
    struct json_object *task;  /* its last test; NULL: not known */
    bool is_open;              /* the time was over before the outcome of that was seen */
};
void ricloud_config_fini(struct ricloud_config *config);

/* Calls the API about the config and reads it from the answer (not with --dry-run). json: see
 * struct api_request. ST_INVALID: the answer describes no config. */
enum status ricloud_ask(struct job *job, struct ricloud_config *config, const char *method,
                        char *json) MUST_USE;

/* Has the config tested. await: the API may answer as soon as the test has ended, after at most
 * 10 s. */
enum status ricloud_start_test(struct job *job, struct ricloud_config *config,
                               bool await) MUST_USE;
/* Asks again until the config shows how the test ended, or the time is over. */
enum status ricloud_wait_test(struct job *job, struct ricloud_config *config) MUST_USE;
/* Waits for the outcome of the test that a change has begun, or until the time is over. Has it
 * tested once more if it was `invalid`, or still is `new` after some seconds: the first test may
 * have come before the bridge had the secret, and there are APIs that repeat one only after
 * minutes. */
enum status ricloud_settle(struct job *job, struct ricloud_config *config) MUST_USE;

/* Prints a config. shown: without secrets. */
void ricloud_print(const struct job *job, struct json_object *shown);
/* Prints the config, and on stderr what may be wrong if it is not known to be valid, which is a
 * failure. secret_file: where its secret was stored; NULL: not by this command. */
void ricloud_report(struct job *job, const struct ricloud_config *config,
                    const char *secret_file);

/* ---- weavy_api.c: logging in, calling, where deliveries of an event go ---- */

/* Opens the state, and sets the token that the configuration gives, else the last login's. */
enum status weavy_begin(struct job *job, bool changes) MUST_USE;
/* Logs in with user name and password, and keeps the token. */
enum status weavy_login(struct job *job) MUST_USE;
/* Calls an entry point, such as `Subscribe`, about this event, URL or code; those that are NULL
 * are left out. Logs in before if there is no token, and again if the token is no longer
 * accepted. A 2xx answer with an error in it is ST_REFUSED, too. See job_call. */
enum status weavy_call(struct job *job, const char *entry_point,
                       const struct subscription *about) MUST_USE;

/* One of the standard events, or of the source's `events`. */
bool weavy_is_event(const struct provider *provider, const char *name) MUST_USE;
/* Whether the bridge takes deliveries of the event: where the source has `events`, of those only;
 * else of every one that is a single segment of a path. weavy_check_path prints it if not, which
 * ends the command. */
bool weavy_has_path(const struct provider *provider, const char *event) MUST_USE;
bool weavy_check_path(struct job *job, const char *event) MUST_USE;
/* Adds where deliveries of an event that has a path go. base: of the source, a URL or a path;
 * slashes at its end are ignored. */
void weavy_add_url(struct buf *out, const struct provider *provider, const char *base,
                   const char *event);

/* ---- weavy_sample.c ---- */

enum status weavy_sample(struct job *job) MUST_USE;

#endif
