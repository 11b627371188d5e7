/*
 * intake/internal - shared by the files of intake. Calls go down this list only:
 *
 *   ingress.c   webhooks over HTTP: the steps of a request
 *   answer.c    answers, counts and logs the outcome of a webhook
 *   intake.c    one delivery: verify, parse, route, submit; reparses dead letters
 *   identity.c  the dedupe rule: which deliveries are the same
 *   source.c    sets up a source; finds the source for a path
 *   keys.c      the secrets of a source, and the files that they come from
 */
#ifndef BRIDGE_INTAKE_INTERNAL_H
#define BRIDGE_INTAKE_INTERNAL_H

#include "common/json.h"
#include "common/log.h"

#include "bridge/http/http.h"
#include "bridge/intake/intake.h"
#include "bridge/parse/parse.h"
#include "bridge/parse/route.h"
#include "bridge/verify/verify.h"

struct intake_keys;

/* Things that were logged and are not logged again, or not so soon. Unknown events are remembered by their hash,
 * up to a maximum, because a peer decides how many there are. */
enum { INTAKE_LOGGED_MAX = 64 };

struct intake_logged {
    uint64_t hashes[INTAKE_LOGGED_MAX];
    size_t count;
    struct log_limit unreadable_time, future_time;
};

/* A new member that owns memory is freed in intake_source_fini (source.c). */
struct intake_source {
    const struct config_source *config;
    struct slice name;
    struct slice path; /* does not end with a slash */
    unsigned metrics_index;
    /* The signature covers these fields, so they may decide about duplicates and retained
     * states. */
    bool trusted[PARSE_FIELDS];
    struct parser *parser;
    struct route *topic;
    struct route *state_topic; /* NULL: none */
    struct buf
        mask[JSON_MAX_PATHS]; /* compiled paths of what is neither stored nor published */
    size_t mask_count;

    /* These two change while the intake is used. */
    struct intake_keys *keys; /* NULL in an intake that only reparses */
    struct intake_logged *logged;
};

/* A new member is set in intake_create and freed in intake_destroy (intake.c). */
struct intake {
    struct config *config;
    struct outbox *outbox;
    size_t refs;
    struct digester *digester;
    struct intake_source *sources;
    size_t source_count;
    struct buf topic, state_topic; /* of the current delivery */
};

/* --- answer.c; any thread, except where noted. Each answers the request: do not use it
 * afterwards. --- */

/* Kept in the request. After the submit only source_index may be read: the answer may come after
 * the intake and the ingress are freed. */
struct request_state {
    struct intake *intake; /* a reference, from the head to the submit or until it is gone */
    const struct intake_source *source;
    struct slice suffix; /* borrowed from the request's path */
    unsigned source_index;
    unsigned secrets; /* of intake_check_head */
};
_Static_assert(sizeof(struct request_state) <= HTTP_STATE_SIZE,
               "the state is kept in the request");

/* Counts and logs a refusal; does not answer. */
void ingress_note_refusal(struct http_request *request, enum reject reason, const char *why);
/* Loop thread. allow: for a 405; NULL: none. */
void ingress_refuse(struct http_request *request, enum reject reason, const char *message,
                    const char *allow);
/* Loop thread. */
void ingress_refuse_encoding(struct http_request *request);
/* Loop thread. The log says which path may have been meant. */
void ingress_refuse_not_found(struct http_request *request, const struct intake *intake);
/* Loop thread. The message is the same for every fault of a signature: the reason (why) is for the
 * operator, not for the sender. */
void ingress_refuse_unauthentic(struct http_request *request, const struct err *why);
void ingress_refuse_unavailable(struct http_request *request, enum status why);
void ingress_answer_stored(struct http_request *request, const struct intake_result *result);
void ingress_answer_quarantined(struct http_request *request,
                                const struct intake_result *result);
/* Logged, so that an operator who registers this path sees that the provider has asked. */
void ingress_answer_challenge(struct http_request *request, struct slice challenge);

/* --- identity.c --- */

struct event_identity intake_identify(const struct intake *intake,
                                      const struct intake_source *source,
                                      const struct event *event);

/* From here on: one thread at a time. */

/* --- source.c --- */

/* Borrows config until intake_source_fini, which must be called even if this fails. verifies: the
 * source is for deliveries, and needs its secrets. */
enum status intake_source_init(struct intake_source *source, const struct config_source *config,
                               bool verifies, struct err *err) MUST_USE;
void intake_source_fini(struct intake_source *source);

/* --- keys.c --- */

/* Borrows config until intake_keys_destroy. ST_INVALID: there is no secret, and no file that could
 * bring one. */
enum status intake_keys_create(const struct config_source *config,
                               struct intake_keys **out_keys, struct err *err) MUST_USE;
void intake_keys_destroy(struct intake_keys *keys); /* wipes; NULL is allowed */
/* As verifier_check, with the current secrets; and also with the secrets that were in force at its
 * head (delivery->secrets), if they were replaced since. */
enum status intake_keys_check(struct intake_keys *keys, const struct delivery *delivery,
                              struct err *why) MUST_USE;

#endif
