/*
 * intake - the order of the steps for one webhook: verify, parse, route, submit. Knows no HTTP.
 *
 * One intake per HTTP loop thread (it holds keyed contexts); the sources are shared and
 * immutable.
 */
#ifndef BRIDGE_INTAKE_H
#define BRIDGE_INTAKE_H

#include "common/err.h"

#include "bridge/config.h"
#include "bridge/outbox.h"

struct intake;
struct intake_source; /* one source, as this intake sees it */

/* Main thread. Borrows config and outbox until intake_destroy. outbox may be NULL for an intake
 * that only revives. */
enum status intake_create(const struct config *config, struct outbox *outbox,
                          struct intake **out_intake, struct err *err) MUST_USE;
void intake_destroy(struct intake *intake);

/* The source that answers at exactly this path; NULL: none. */
const struct intake_source *intake_find(const struct intake *intake, struct slice path);
/* The header that must be there once; NULL: none is needed. */
const char *intake_signature_header(const struct intake_source *source);
/* For metrics: metrics_source()'s index. */
unsigned intake_source_index(const struct intake_source *source);

/* One delivery, complete. */
struct intake_delivery {
    struct slice signature; /* the header's value, or absent */
    struct slice body;
    int64_t received_ms;
};

/* What became of it, for the answer. */
struct intake_result {
    /* ST_OK: on disk, or a duplicate; ST_UNAUTHENTIC; ST_FULL, ST_CLOSED, ST_IO: not stored. */
    enum status status;
    bool duplicate;
    bool quarantined;
    struct uuid id;
    struct slice reason; /* why quarantined */
};

/* Runs once per submit, on the committer thread or before intake_submit returns; must not
 * block. Borrows result. */
typedef void intake_done_fn(void *ctx, const struct intake_result *result);

/* The intake's thread. Borrows the delivery. done always runs, once: at once if the delivery is
 * not authentic or the outbox does not take it.
 *
 * An authentic body of which no event can be made is quarantined: a dead letter, answered like
 * any other once it is on disk. Sent again, the same bytes are a duplicate of the first. Types
 * and events that the provider's catalogue does not know pass; they are counted, and logged
 * once each as long as there are not too many different ones. */
void intake_submit(struct intake *intake, const struct intake_source *source,
                   const struct intake_delivery *delivery, intake_done_fn *done, void *ctx);

/* For outbox_options.revive, with an intake of its own (ctx): a quarantined body, read again
 * with today's configuration. Keeps its id and when it was received. Gives an event, or NULL
 * and why: its source is gone, or it still makes none. */
struct event *intake_revive(void *ctx, const struct event *dead, struct err *why);

#endif
