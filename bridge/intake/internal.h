/*
 * intake/internal - what the files of intake share. Calls go down this list only:
 *
 *   ingress.c   webhooks over HTTP: the steps of a request
 *   answer.c    what a webhook is answered, counted and logged as
 *   intake.c    one delivery: verify, parse, route, submit; dead letters parsed again
 *   identity.c  which deliveries are the same: the rule of dedupe
 *   source.c    a source as it is set up, and which one answers at a path
 *   keys.c      the secrets of a source, and the files that they come from
 */
#ifndef BRIDGE_INTAKE_INTERNAL_H
#define BRIDGE_INTAKE_INTERNAL_H

#include "bridge/http/http.h"
#include "bridge/intake/intake.h"
#include "bridge/parse/parse.h"
#include "bridge/parse/route.h"
#include "bridge/verify/verify.h"

struct intake_keys;

/* What has been logged, and is not again. Unknown events are known by their hash; a peer decides
 * how many there are. */
enum { INTAKE_LOGGED_MAX = 64 };

struct intake_logged {
    uint64_t hashes[INTAKE_LOGGED_MAX];
    size_t count;
    bool unreadable_time;
};

struct intake_source {
    const struct config_source *config;
    struct slice name;
    struct slice path; /* does not end with a slash */
    unsigned metrics_index;
    /* Which fields may decide what is a repeat, and what becomes of a retained state. */
    bool trusted[PARSE_FIELDS];
    struct parser *parser;
    struct route *topic;
    struct route *state_topic; /* NULL: none */

    /* What changes while the intake is used. */
    struct intake_keys *keys; /* NULL in an intake that only reparses */
    struct intake_logged *logged;
};

struct intake {
    struct config *config;
    struct outbox *outbox;
    size_t refs;
    struct digester *digester;
    struct intake_source *sources;
    size_t source_count;
    struct buf topic, state_topic; /* of the delivery at hand */
};

/* --- answer.c; any thread, but for what says otherwise. Each answers the request, which is gone
 * after it. --- */

/* What a request takes with it. After the submit only source_index is looked at: the answer may
 * come after the intake and the ingress are gone. */
struct request_state {
    struct intake *intake; /* held from the head to the submit, or until the request is gone */
    const struct intake_source *source;
    struct slice suffix; /* in the request's path */
    unsigned source_index;
    unsigned secrets; /* of intake_check_head */
};
_Static_assert(sizeof(struct request_state) <= HTTP_STATE_SIZE,
               "the state is kept in the request");

/* Loop thread. allow: for a 405; NULL: none. */
void ingress_refuse(struct http_request *request, enum reject reason, const char *message,
                    const char *allow);
/* Loop thread. The same words whatever is wrong with the signature: which part of it is for the
 * operator to know (why), not for the sender. */
void ingress_refuse_unauthentic(struct http_request *request, const struct err *why);
void ingress_refuse_unavailable(struct http_request *request, enum status why);
void ingress_answer_stored(struct http_request *request, const struct intake_result *result);
void ingress_answer_quarantined(struct http_request *request,
                                const struct intake_result *result);
/* Whoever registers this path at the provider sees in the log that the provider has asked. */
void ingress_answer_challenge(struct http_request *request, struct slice challenge);

/* --- identity.c --- */

struct event_identity intake_identify(const struct intake *intake,
                                      const struct intake_source *source,
                                      const struct event *event);

/* All that follows: one thread at a time. */

/* --- source.c --- */

/* Borrows config until intake_source_fini, which is to be called in every case. verifies: for
 * deliveries, which takes secrets. */
enum status intake_source_init(struct intake_source *source, const struct config_source *config,
                               bool verifies, struct err *err) MUST_USE;
void intake_source_fini(struct intake_source *source);

/* --- keys.c --- */

/* Borrows config until intake_keys_destroy. ST_INVALID: there is no secret, and none can come. */
enum status intake_keys_create(const struct config_source *config,
                               struct intake_keys **out_keys, struct err *err) MUST_USE;
void intake_keys_destroy(struct intake_keys *keys); /* wipes; NULL is allowed */
/* As verifier_check, with the secrets of this moment; and if others counted at its head
 * (delivery->secrets) and were replaced since, with those, too. */
enum status intake_keys_check(struct intake_keys *keys, const struct delivery *delivery,
                              struct err *why) MUST_USE;

#endif
