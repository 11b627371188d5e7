/*
 * A hash table whose entries are also linked by age, so that the oldest can be replaced when it is
 * full. Every operation is a search for the key and a change of links; none can fail. A put of a
 * known key moves its entry to the newest end.
 */
#include "bridge/outbox/dedupe.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

enum { FIRST_ROOM = 256 };
#define NOBODY UINT32_MAX

/* One cache line. */
struct entry {
    struct event_identity identity;
    struct uuid id;
    int64_t received_ms;   /* CLOCK_NONE: dropped, no event is a duplicate of it */
    uint32_t newer, older; /* indexes, NOBODY at the ends */
};

/* Entries are linked by age; slots find them by key (open addressing, linear probing). */
struct dedupe {
    struct entry *entries;
    size_t count, room, capacity;
    uint32_t newest, oldest;
    uint32_t *slots; /* index + 1; 0: free. Twice as many as there is room for, or more */
    size_t slot_mask;
};

/* Keys are digests already, but a table must not depend on that. */
static size_t hash_key(const uint8_t key[EVENT_KEY_SIZE])
{
    uint64_t a, b;

    memcpy(&a, key, sizeof(a));
    memcpy(&b, key + sizeof(a), sizeof(b));
    a = (a ^ (b * 0x9E3779B97F4A7C15u)) * 0xD6E8FEB86659FD93u;
    return (size_t)(a ^ (a >> 32));
}

static bool same_key(const struct event_identity *a, const struct event_identity *b)
{
    return memcmp(a->key, b->key, EVENT_KEY_SIZE) == 0;
}

/* The slot of the key, or the free one where it would go. */
static size_t find_slot(const struct dedupe *dedupe, const struct event_identity *identity)
{
    size_t at = hash_key(identity->key) & dedupe->slot_mask;

    while (dedupe->slots[at] != 0 &&
           !same_key(&dedupe->entries[dedupe->slots[at] - 1].identity, identity)) {
        at = (at + 1) & dedupe->slot_mask;
    }
    return at;
}

static void grow(struct dedupe *dedupe)
{
    size_t room = dedupe->room == 0 ? FIRST_ROOM : dedupe->room * 2;
    size_t slot_count = (size_t)2 * FIRST_ROOM;

    room = room < dedupe->capacity ? room : dedupe->capacity;
    while (slot_count < 2 * room) {
        slot_count *= 2;
    }
    dedupe->entries = xrealloc(dedupe->entries, room * sizeof(*dedupe->entries));
    dedupe->room = room;
    free(dedupe->slots);
    dedupe->slots = xalloc(slot_count * sizeof(*dedupe->slots));
    dedupe->slot_mask = slot_count - 1;
    for (size_t i = 0; i < dedupe->count; i++) {
        dedupe->slots[find_slot(dedupe, &dedupe->entries[i].identity)] = (uint32_t)i + 1;
    }
}

struct dedupe *dedupe_create(size_t capacity)
{
    struct dedupe *dedupe = xalloc(sizeof(*dedupe));

    CHECK(capacity > 0 && capacity <= (size_t)1 << 30);
    dedupe->capacity = capacity;
    dedupe->newest = dedupe->oldest = NOBODY;
    grow(dedupe);
    return dedupe;
}

void dedupe_destroy(struct dedupe *dedupe)
{
    if (dedupe == NULL) {
        return;
    }
    free(dedupe->entries);
    free(dedupe->slots);
    free(dedupe);
}

static void unlink_entry(struct dedupe *dedupe, uint32_t index)
{
    const struct entry *entry = &dedupe->entries[index];

    if (entry->newer == NOBODY) {
        dedupe->newest = entry->older;
    } else {
        dedupe->entries[entry->newer].older = entry->older;
    }
    if (entry->older == NOBODY) {
        dedupe->oldest = entry->newer;
    } else {
        dedupe->entries[entry->older].newer = entry->newer;
    }
}

static void link_newest(struct dedupe *dedupe, uint32_t index)
{
    struct entry *entry = &dedupe->entries[index];

    entry->newer = NOBODY;
    entry->older = dedupe->newest;
    if (dedupe->newest == NOBODY) {
        dedupe->oldest = index;
    } else {
        dedupe->entries[dedupe->newest].newer = index;
    }
    dedupe->newest = index;
}

/* Moves later entries of the same run up, so that no search ends at the hole. */
static void free_slot(struct dedupe *dedupe, size_t hole)
{
    size_t at = hole;

    dedupe->slots[hole] = 0;
    while (dedupe->slots[at = (at + 1) & dedupe->slot_mask] != 0) {
        const struct entry *entry = &dedupe->entries[dedupe->slots[at] - 1];
        size_t home = hash_key(entry->identity.key) & dedupe->slot_mask;

        /* It may move if its home is not between the hole and where it is. */
        if (((at - home) & dedupe->slot_mask) >= ((at - hole) & dedupe->slot_mask)) {
            dedupe->slots[hole] = dedupe->slots[at];
            dedupe->slots[at] = 0;
            hole = at;
        }
    }
}

/* An index for a new entry: an unused one, or that of the oldest entry. */
static uint32_t take_index(struct dedupe *dedupe)
{
    uint32_t index = dedupe->oldest;

    if (dedupe->count < dedupe->capacity) {
        if (dedupe->count == dedupe->room) {
            grow(dedupe);
        }
        return (uint32_t)dedupe->count++;
    }
    free_slot(dedupe, find_slot(dedupe, &dedupe->entries[index].identity));
    unlink_entry(dedupe, index);
    return index;
}

bool dedupe_find(const struct dedupe *dedupe, const struct event_identity *identity,
                 int64_t from_ms, int64_t upto_ms, struct uuid *out_id)
{
    uint32_t slot = dedupe->slots[find_slot(dedupe, identity)];
    const struct entry *entry;

    if (slot == 0) {
        return false;
    }
    entry = &dedupe->entries[slot - 1];
    if (entry->received_ms == CLOCK_NONE || entry->received_ms < from_ms ||
        entry->received_ms > upto_ms ||
        memcmp(entry->identity.digest, identity->digest, EVENT_KEY_SIZE) != 0) {
        return false;
    }
    *out_id = entry->id;
    return true;
}

void dedupe_put(struct dedupe *dedupe, const struct event_identity *identity, struct uuid id,
                int64_t received_ms)
{
    uint32_t slot = dedupe->slots[find_slot(dedupe, identity)];
    uint32_t index;

    if (slot != 0) {
        index = slot - 1;
        unlink_entry(dedupe, index);
    } else {
        index = take_index(dedupe);
        dedupe->slots[find_slot(dedupe, identity)] = index + 1;
    }
    dedupe->entries[index] =
        (struct entry){.identity = *identity, .id = id, .received_ms = received_ms};
    link_newest(dedupe, index);
}

void dedupe_drop(struct dedupe *dedupe, const struct event_identity *identity, struct uuid id)
{
    uint32_t slot = dedupe->slots[find_slot(dedupe, identity)];

    if (slot != 0 && uuid_equal(dedupe->entries[slot - 1].id, id)) {
        dedupe->entries[slot - 1].received_ms = CLOCK_NONE;
    }
}
