/*
 * cli_ricloud - webhook configs at Reincubate ricloud. Only for cli_ricloud*.c.
 */
#ifndef BRIDGE_CLI_PROVIDER_RICLOUD_H
#define BRIDGE_CLI_PROVIDER_RICLOUD_H

#include "bridge/cli/provider/registration.h"

/* A webhook config, as the API described it last. Zero-initialised is none. */
struct ricloud_config {
    char *id;         /* opaque */
    char *shown_id;   /* safe for a terminal */
    char *state;      /* new, valid, invalid or deactivated */
    struct buf shown; /* all of it but its secret and ours: see struct cli_api_reply */
};
void ricloud_config_fini(struct ricloud_config *config);

/* How a test of a config went. Zero-initialised: nothing is known of it. */
struct ricloud_test {
    char *id, *state, *error; /* of the task, without secrets; NULL: not said */
    const char *expected;     /* what the config's state becomes; NULL: it had not ended */
    bool is_open;             /* the time was over before the outcome was seen */
};
void ricloud_test_fini(struct ricloud_test *test);

/* registration_begin, and the token is there. */
int ricloud_begin(struct registration *reg, struct cli *cli) MUST_USE;

/* A call, below /configs/webhook. With --dry-run it is printed instead, and nothing is
 * answered. */
struct ricloud_request {
    const char *method;
    const char *id;   /* NULL: of no config in particular */
    const char *tail; /* behind the id; NULL: nothing */
    const char *header;
    struct slice json;
};
enum status ricloud_call(struct registration *reg, const struct ricloud_request *request,
                         struct cli_api_reply *out_reply, struct err *err) MUST_USE;
/* Reads a config from an answer into *config; what was there before is freed. ST_INVALID: the
 * answer holds none, and *config is as it was. */
enum status ricloud_read_config(const struct registration *reg,
                                const struct cli_api_reply *reply,
                                struct ricloud_config *config, struct err *err) MUST_USE;

/* Waits for the outcome of the test that a change has begun, or until the time is over. Has it
 * tested once more if it was `invalid`, or still is `new` after some seconds: the first test may
 * have come before the bridge had the secret, and there are APIs that repeat one only after
 * minutes. */
enum status ricloud_settle(struct registration *reg, struct ricloud_config *config,
                           struct ricloud_test *out_test, struct err *err) MUST_USE;
/* Has the config tested. await: lets the API answer as soon as the test has ended, for at most
 * 10 s. */
enum status ricloud_start_test(struct registration *reg, const char *id, bool await,
                               struct ricloud_test *out_test, struct err *err) MUST_USE;
/* Asks again until the config shows how the test ended, or the time is over (test->is_open). */
enum status ricloud_wait_test(struct registration *reg, struct ricloud_test *test,
                              struct ricloud_config *config, struct err *err) MUST_USE;

/* Gets config->id anew. */
enum status ricloud_fetch(struct registration *reg, struct ricloud_config *config,
                          struct err *err) MUST_USE;

/* Prints the config, and on stderr what may be wrong if it is not valid. secret_file: where
 * its secret was stored; NULL: it was not this command's business. Returns EXIT_DONE if it
 * is known to be valid. */
int ricloud_report(const struct registration *reg, const struct ricloud_config *config,
                   const struct ricloud_test *test, const char *secret_file);

/* Prints a config: a line, or with --json an object. shown: see struct cli_api_reply. */
void ricloud_print(const struct registration *reg, struct slice shown);
/* Adds `"name":<id>`: as the API's answer spells it at path, if it is there; else a number if it
 * is spelled like one, as the API's own are. */
void ricloud_add_id(struct buf *out, const char *name, const char *id,
                    const struct cli_api_reply *reply, const char *path);

int ricloud_create(struct cli *cli);
int ricloud_get(struct cli *cli);
int ricloud_list(struct cli *cli);
int ricloud_update(struct cli *cli);
int ricloud_test(struct cli *cli);
int ricloud_delete(struct cli *cli);
int ricloud_use(struct cli *cli);
int ricloud_use_config(struct registration *reg, const char *id);

#endif
