/*
 * verb - what all verbs of all vendors have in common: a verb is a row of its vendor's table, and
 * a job while it runs.
 */
#ifndef BRIDGE_CLI_PROVIDER_VERB_H
#define BRIDGE_CLI_PROVIDER_VERB_H

#include "bridge/cli/cli.h"
#include "bridge/cli/provider/api.h"

struct json_object;
struct state;

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

#endif
