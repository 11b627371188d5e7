/*
 * intake - the order of the steps for one webhook: verify, parse, route, submit. Knows no HTTP
 * library.
 *
 * One intake per HTTP loop thread (it holds keyed contexts); the sources' settings are shared
 * and immutable. A new configuration is a new intake: whoever is in the middle of a delivery
 * holds the old one until it is submitted.
 *
 * Secrets that come from files are looked at again (by the file's identity and time of change)
 * when a delivery does not verify, and once a second while deliveries come: so a secret that was
 * just written counts at once, and the one that it replaced stops counting within a second; for
 * deliveries whose head had come before that, after a minute. A file that is gone,
 * or cannot be used, keeps the secret that it held; that is logged.
 */
#ifndef BRIDGE_INTAKE_INTAKE_H
#define BRIDGE_INTAKE_INTAKE_H

#include "common/err.h"

#include "bridge/config/config.h"
#include "bridge/delivery.h"
#include "bridge/outbox/outbox.h"

struct intake;
struct intake_source; /* one source, as this intake sees it */

/* Main thread. Holds config (config_hold) until the last reference is gone; borrows outbox
 * until then. outbox may be NULL for an intake that only reparses, for which no secret is
 * needed. Gives one reference. */
enum status intake_create(struct config *config, struct outbox *outbox,
                          struct intake **out_intake, struct err *err) MUST_USE;
/* References. One thread at a time: all of an intake's references are its loop thread's (or
 * main's, while there is no such thread). intake_drop frees with the last one; NULL is allowed.
 */
struct intake *intake_hold(struct intake *intake);
void intake_drop(struct intake *intake);

/* The source that answers at this path: at exactly its path, else below it (the longest one
 * that takes suffixes), where *out_suffix is what follows the slashes (absent if nothing does).
 * NULL: none. */
const struct intake_source *intake_find(const struct intake *intake, struct slice path,
                                        struct slice *out_suffix);
/* Before the body is there. ST_UNAUTHENTIC: one of the headers that prove where it comes from is
 * not there, or more than once; why: as in intake_submit. ST_OK: *out_secrets says which secrets
 * count now; the delivery takes it along, so that it may also have the ones that are replaced
 * while its body comes. */
enum status intake_check_head(const struct intake_source *source, const struct delivery *head,
                              unsigned *out_secrets, struct err *why) MUST_USE;
/* For metrics: metrics_source()'s index. */
unsigned intake_source_index(const struct intake_source *source);

/* What became of a delivery, for the answer. */
struct intake_result {
    /* ST_OK: on disk, or a duplicate, or a challenge; ST_FULL, ST_CLOSED, ST_IO: not stored. */
    enum status status;
    bool duplicate;
    bool quarantined;
    struct uuid id;
    struct slice reason; /* why quarantined */
    /* Not absent: nothing was stored; the sender wants this text back. */
    struct slice challenge;
};

/* Runs once per submit, on the committer thread or before intake_submit returns; must not
 * block. Borrows result. */
typedef void intake_done_fn(void *ctx, const struct intake_result *result);

/* The intake's thread. Borrows the delivery; needs nothing of it or of the intake once it has
 * returned. ST_UNAUTHENTIC: it is not authentic, nothing has happened; why is for the operator, not
 * for the sender. ST_OK: done runs, once; at once if the delivery is a challenge, or the outbox
 * does not take it.
 *
 * An authentic body of which no event can be made is quarantined: a dead letter, answered like
 * any other once it is on disk. Sent again, the same bytes are a duplicate of the first. Types
 * and events that the provider's catalogue does not know pass; they are counted, and logged
 * once each as long as there are not too many different ones. */
enum status intake_submit(struct intake *intake, const struct intake_source *source,
                          const struct delivery *delivery, intake_done_fn *done, void *ctx,
                          struct err *why) MUST_USE;

/* For outbox_options.reparse, with an intake of its own (ctx): a quarantined body, read again
 * with today's configuration. Keeps its id and when it was received; what came in a header or
 * in the URL is as it was read then. Gives an event, or NULL and why: its source is gone, or it
 * still makes none. */
struct event *intake_reparse(void *ctx, const struct event *dead, struct err *why);

#endif
