/*
 * The dedupe rule: two deliveries are the same if their identities, a key and a digest, are
 * equal. The identity is made here; the outbox compares (outbox/dedupe.c). Nothing can fail.
 *
 *   delivery             key                                  digest
 *   has a delivery id    source, id                           the key again (1)
 *   has none             source, type, gid                    body, event name (2)
 *   is quarantined       source, body, all parsed fields      the key again
 *
 * (1) The body is left out, because it may contain a count of attempts.
 * (2) The outbox compares with the newest event of the key, so A, B, A is a change back to A.
 *
 * A field that the signature does not cover (not trusted) is left out. Otherwise anybody who
 * has seen a delivery could send it again as another event.
 */
#include "bridge/intake/internal.h"

#include <string.h>

static struct slice if_trusted(const struct intake_source *source, enum parse_field field,
                               struct slice value)
{
    return source->trusted[field] ? value : SLICE_NONE;
}

struct event_identity intake_identify(const struct intake *intake,
                                      const struct intake_source *source,
                                      const struct event *event)
{
    struct slice id = if_trusted(source, PARSE_DELIVERY_ID, event->delivery_id);
    struct slice name = if_trusted(source, PARSE_EVENT, event->event);
    struct slice type = if_trusted(source, PARSE_TYPE, event->resource_type);
    struct slice gid = if_trusted(source, PARSE_GID, event->gid);
    /* The lists have different lengths, so that no sender can give one kind the key of another. */
    const struct slice resource[] = {event->source, type, gid};
    const struct slice delivery[] = {event->source, id};
    const struct slice quarantined[] = {
        event->source, SLICE("quarantined"), event->body, name, type, gid, id};
    const struct slice content[] = {event->body, name}; /* not every body names its event */
    uint8_t key[DIGEST_SIZE], digest[DIGEST_SIZE];
    struct event_identity identity;

    if (event->reason.data) {
        digester_run(intake->digester, quarantined, COUNT_OF(quarantined), key);
        memcpy(digest, key, sizeof(digest));
    } else if (id.len > 0) {
        digester_run(intake->digester, delivery, COUNT_OF(delivery), key);
        memcpy(digest, key, sizeof(digest));
    } else {
        digester_run(intake->digester, resource, COUNT_OF(resource), key);
        digester_run(intake->digester, content, COUNT_OF(content), digest);
    }
    memcpy(identity.key, key, sizeof(identity.key));
    memcpy(identity.digest, digest, sizeof(identity.digest));
    return identity;
}
