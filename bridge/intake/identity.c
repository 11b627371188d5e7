/*
 * Which deliveries are the same: the rule of dedupe. The outbox compares identities; what they are
 * made of is decided here. Nothing can fail.
 *
 *   key and digest   made of
 *   a delivery id    source and id, both: the body may count how often it was sent
 *   a resource       key: source, type, gid; digest: body and event name. The outbox compares with
 *                    the newest event of the key, so A, B, A is a real change back to A
 *   quarantined      source, body and all that could be parsed, both
 *
 * A field that the signature does not cover (not trusted) is left out. Otherwise whoever has seen a
 * delivery could send it again as another event.
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
    /* Lists of different lengths, or a sender could give one kind the key of another. */
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
