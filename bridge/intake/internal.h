/*
 * intake_internal - what the files of the intake module share; nobody else includes it.
 *
 * intake.c         one delivery: verify, read, submit; dead letters read again
 * source.c  a source as it is set up, and which one answers at a path
 * keys.c    the secrets of a source, and the files that they come from
 */
#ifndef BRIDGE_INTAKE_INTERNAL_H
#define BRIDGE_INTAKE_INTERNAL_H

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

/* All of them: one thread at a time. */

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
/* As intake_check_head. */
enum status intake_keys_check_head(struct intake_keys *keys, const struct delivery *head,
                                   unsigned *out_secrets, struct err *why) MUST_USE;
/* As verifier_check, with the secrets of this moment; and if others counted at its head
 * (delivery->secrets) and were replaced since, with those, too. */
enum status intake_keys_check(struct intake_keys *keys, const struct delivery *delivery,
                              struct err *why) MUST_USE;

#endif
