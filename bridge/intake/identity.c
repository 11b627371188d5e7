/*
 * The dedupe rule: two deliveries are the same if their identities, a key and a digest, are
 * equal. The identity is made here; the outbox compares (outbox/dedupe.c). Nothing can fail.
 *
 *   dedupe                        key                           digest
 *   id, covered by the signature  source, id                    the key again (1)
 *   id, any other                 source, id, and all proven    the key again (2)
 *   body                          source, type, gid             body, event name (3)
 *   id, but it has none; none     no identity: never a repeat
 *
 * (1) The body is left out, because it may contain a count of attempts.
 * (2) Whoever has seen one delivery can send it again under another id. It must not hide the event
 *     that will come under that id: so the id counts only together with what it came with.
 * (3) The outbox compares with the newest event of the key, so A, B, A is a change back to A.
 *
 * Proven are the body, and those of event name, type and gid that are trusted. A quarantined
 * delivery is never the same as one that makes an event: else it could not come again once the
 * configuration is mended. By id, it is the same only as one with the same bytes and fields: what
 * could not be read decides nothing.
 */
#include "bridge/intake/internal.h"

#include <string.h>

static struct slice if_trusted(const struct intake_source *source, enum parse_field field,
                               struct slice value)
{
    return source->trusted[field] ? value : SLICE_NONE;
}

/* The lists of all keys have different lengths, so that no sender can give one kind the key of
 * another. */

static void digest_id(struct digester *digester, const struct intake_source *source,
                      const struct event *event, uint8_t key[DIGEST_SIZE])
{
    const struct slice covered[] = {event->source, event->delivery_id};
    const struct slice other[] = {
        event->source,
        event->delivery_id,
        event->body,
        if_trusted(source, PARSE_EVENT, event->event),
        if_trusted(source, PARSE_TYPE, event->resource_type),
        if_trusted(source, PARSE_GID, event->gid),
    };
    const struct slice quarantined[] = {
        event->source,        SLICE("quarantined"), event->body,        event->event,
        event->resource_type, event->gid,           event->delivery_id,
    };

    if (event->reason.data) {
        digester_run(digester, quarantined, COUNT_OF(quarantined), key);
    } else if (source->trusted[PARSE_DELIVERY_ID]) {
        digester_run(digester, covered, COUNT_OF(covered), key);
    } else {
        digester_run(digester, other, COUNT_OF(other), key);
    }
}

static void digest_resource(struct digester *digester, const struct intake_source *source,
                            const struct event *event, uint8_t key[DIGEST_SIZE],
                            uint8_t digest[DIGEST_SIZE])
{
    const struct slice resource[] = {
        event->source,
        if_trusted(source, PARSE_TYPE, event->resource_type),
        if_trusted(source, PARSE_GID, event->gid),
        SLICE("quarantined"),
    };
    size_t count = COUNT_OF(resource) - (event->reason.data == NULL);
    const struct slice content[] = {
        event->body,
        if_trusted(source, PARSE_EVENT, event->event), /* not every body names its event */
    };

    digester_run(digester, resource, count, key);
    digester_run(digester, content, COUNT_OF(content), digest);
}

struct event_identity intake_identify(const struct intake *intake,
                                      const struct intake_source *source,
                                      const struct event *event)
{
    enum provider_dedupe mode = source->config->dedupe;
    uint8_t key[DIGEST_SIZE], digest[DIGEST_SIZE];
    struct event_identity identity = EVENT_NO_IDENTITY;

    if (mode == DEDUPE_BODY) {
        digest_resource(intake->digester, source, event, key, digest);
    } else if (mode == DEDUPE_ID && (event->delivery_id.len > 0 || event->reason.data)) {
        digest_id(intake->digester, source, event, key);
        memcpy(digest, key, sizeof(digest));
    } else {
        return identity;
    }
    memcpy(identity.key, key, sizeof(identity.key));
    memcpy(identity.digest, digest, sizeof(identity.digest));
    return identity;
}
