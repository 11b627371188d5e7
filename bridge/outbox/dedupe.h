/*
 * dedupe - the newest event of each key (struct event_identity): a bounded table in memory, owned
 * by the committer. It knows nothing of the dedupe window: callers of dedupe_find name the times.
 *
 * At the start it is told again what it had learned, in the same order. When it is full, the entry
 * that was updated longest ago is replaced: then a duplicate may pass as new (at least once), never
 * the other way round. Memory grows with use, to about 72 bytes per entry. Pure: no clock, no I/O.
 */
#ifndef BRIDGE_OUTBOX_DEDUPE_H
#define BRIDGE_OUTBOX_DEDUPE_H

#include "common/uuid.h"

#include "bridge/event.h"

struct dedupe;

/* capacity: from 1 to 2^30 entries. Gives a table for dedupe_destroy. */
struct dedupe *dedupe_create(size_t capacity);
void dedupe_destroy(struct dedupe *dedupe); /* NULL is allowed */

/* Is the newest event of identity->key the same one (equal digest), received from from_ms to
 * upto_ms? Then gives its id. */
bool dedupe_find(const struct dedupe *dedupe, const struct event_identity *identity,
                 int64_t from_ms, int64_t upto_ms, struct uuid *out_id);

/* This event is now the newest of its key. */
void dedupe_put(struct dedupe *dedupe, const struct event_identity *identity, struct uuid id,
                int64_t received_ms);

/* This event was dropped and will not be published. If it is the newest of its key it stays so,
 * but no event is a duplicate of it any more. */
void dedupe_drop(struct dedupe *dedupe, const struct event_identity *identity, struct uuid id);

#endif
