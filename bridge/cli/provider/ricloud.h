/*
 * ricloud - webhook configs at Reincubate ricloud. Only for ricloud*.c.
 */
#ifndef BRIDGE_CLI_PROVIDER_RICLOUD_H
#define BRIDGE_CLI_PROVIDER_RICLOUD_H

#include "bridge/cli/provider/verb.h"

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

#endif
