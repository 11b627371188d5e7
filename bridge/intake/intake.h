/*
 * intake - the steps for one webhook, in order: verify, parse, route, submit. Uses no HTTP
 * library.
 *
 * Each HTTP loop thread has an intake of its own, because its keyed contexts cannot be shared;
 * the sources' settings are shared and immutable. A new configuration is a new intake. A
 * request keeps a reference to the intake that judged its head until it is submitted.
 *
 * A file with a secret is checked for changes (by its identity and time of change) when a
 * delivery does not verify, and once a second while deliveries arrive. So a new secret is valid
 * at once, and the one that it replaced becomes invalid within a second; a delivery whose head
 * had arrived before that may still use it for a minute. If the file is gone or cannot be used,
 * its last secret stays valid; that is logged.
 */
#ifndef BRIDGE_INTAKE_INTAKE_H
#define BRIDGE_INTAKE_INTAKE_H

#include "common/err.h"
#include "common/nearest.h"

#include "bridge/config/config.h"
#include "bridge/delivery.h"
#include "bridge/outbox/outbox.h"

struct intake;
struct intake_source; /* one source, as this intake sees it */

/* Main thread. Keeps a reference to config (config_hold) and borrows outbox until the intake is
 * freed. outbox may be NULL for an intake that only reparses; it needs no secrets. Gives one
 * reference. */
enum status intake_create(struct config *config, struct outbox *outbox,
                          struct intake **out_intake, struct err *err) MUST_USE;
/* One thread at a time: all references to an intake belong to its loop thread (or to the main
 * thread, while there is no loop thread). intake_drop frees the intake with the last one; NULL is
 * allowed. */
struct intake *intake_hold(struct intake *intake);
void intake_drop(struct intake *intake);

/* The source for this path, or NULL. The source with exactly this path (slashes behind it do not
 * matter) comes first; then, of the
 * sources that take suffixes and whose path this one continues, the one with the longest path.
 * *out_suffix is the part behind it and its slashes (absent if nothing follows). */
const struct intake_source *intake_find(const struct intake *intake, struct slice path,
                                        struct slice *out_suffix);
/* `, did you mean PATH?` of the source whose path is most like this one, or "". */
void intake_suggest_path(const struct intake *intake, struct slice path,
                         char out_text[NEAREST_TEXT_SIZE]);
/* Before the body has arrived. ST_UNAUTHENTIC: a header that proves the origin is missing, or
 * appears more than once; why: as in intake_submit. ST_OK: *out_secrets is the generation of the
 * secrets in force. Put it into the delivery, so that it may still be verified with these secrets
 * if they are replaced while its body arrives. */
enum status intake_check_head(const struct intake_source *source, const struct delivery *head,
                              unsigned *out_secrets, struct err *why) MUST_USE;
/* How large a body may be. */
size_t intake_max_body(const struct intake_source *source);
/* The source's index for metrics (metrics_source). */
unsigned intake_source_index(const struct intake_source *source);

/* The outcome of a delivery, for the answer. */
struct intake_result {
    /* ST_OK: on disk, a duplicate, or a challenge; ST_FULL, ST_BUSY, ST_CLOSED, ST_IO: not
     * stored. */
    enum status status;
    bool duplicate;
    bool quarantined;
    struct uuid id;
    struct slice reason; /* why quarantined */
    /* Present: this was a challenge; nothing was stored, and the sender wants this text back. */
    struct slice challenge;
};

/* Called once per submit, on the committer thread or before intake_submit returns; must not
 * block. Borrows result. */
typedef void intake_done_fn(void *ctx, const struct intake_result *result);

/* The intake's thread. Borrows the delivery; once this has returned, neither the delivery nor the
 * intake is needed. ST_UNAUTHENTIC: not authentic, nothing has happened; why is for the operator,
 * not for the sender. ST_OK: done is called once; before this returns if the delivery is a
 * challenge or the outbox does not take it.
 *
 * An authentic body from which no event can be made is quarantined: it becomes a dead letter, and
 * is answered once that is on disk. The same bytes sent again are a duplicate of the first. Types
 * and events that are not in the provider's catalogue pass; they are counted, and each is logged
 * once, unless there are too many different ones. */
enum status intake_submit(struct intake *intake, const struct intake_source *source,
                          const struct delivery *delivery, intake_done_fn *done, void *ctx,
                          struct err *why) MUST_USE;

/* For outbox_options.reparse; ctx is an intake of its own. Makes an event of a dead letter with
 * today's configuration. The event keeps its id and its time of receipt; values from a header
 * or from the URL stay as they were read then. Gives an event, or NULL and why: the source is
 * gone, or still no event can be made. */
struct event *intake_reparse(void *ctx, const struct event *dead, struct err *why);

#endif
