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
    int64_t received_ms;   /* CLOCK_NONE: given up, none is a repeat of it */
    uint32_t newer, older; /* indexes, NOBODY at the ends */
};

/* Entries are linked by age; slots find them by key (open addressing, linear probing). */
struct recent {
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

/* The slot that holds the key, or the free one where it would go. */
static size_t find_slot(const struct recent *recent, const struct event_identity *identity)
{
    size_t at = hash_key(identity->key) & recent->slot_mask;

    while (recent->slots[at] != 0 &&
           !same_key(&recent->entries[recent->slots[at] - 1].identity, identity)) {
        at = (at + 1) & recent->slot_mask;
    }
    return at;
}

static void grow(struct recent *recent)
{
    size_t room = recent->room == 0 ? FIRST_ROOM : recent->room * 2;
    size_t slot_count = (size_t)2 * FIRST_ROOM;

    room = room < recent->capacity ? room : recent->capacity;
    while (slot_count < 2 * room) {
        slot_count *= 2;
    }
    recent->entries = xrealloc(recent->entries, room * sizeof(*recent->entries));
    recent->room = room;
    free(recent->slots);
    recent->slots = xalloc(slot_count * sizeof(*recent->slots));
    recent->slot_mask = slot_count - 1;
    for (size_t i = 0; i < recent->count; i++) {
        recent->slots[find_slot(recent, &recent->entries[i].identity)] = (uint32_t)i + 1;
    }
}

struct recent *recent_create(size_t capacity)
{
    struct recent *recent = xalloc(sizeof(*recent));

    CHECK(capacity > 0 && capacity <= (size_t)1 << 30);
    recent->capacity = capacity;
    recent->newest = recent->oldest = NOBODY;
    grow(recent);
    return recent;
}

void recent_destroy(struct recent *recent)
{
    if (recent == NULL) {
        return;
    }
    free(recent->entries);
    free(recent->slots);
    free(recent);
}

static void unlink_entry(struct recent *recent, uint32_t index)
{
    const struct entry *entry = &recent->entries[index];

    if (entry->newer == NOBODY) {
        recent->newest = entry->older;
    } else {
        recent->entries[entry->newer].older = entry->older;
    }
    if (entry->older == NOBODY) {
        recent->oldest = entry->newer;
    } else {
        recent->entries[entry->older].newer = entry->newer;
    }
}

static void link_newest(struct recent *recent, uint32_t index)
{
    struct entry *entry = &recent->entries[index];

    entry->newer = NOBODY;
    entry->older = recent->newest;
    if (recent->newest == NOBODY) {
        recent->oldest = index;
    } else {
        recent->entries[recent->newest].newer = index;
    }
    recent->newest = index;
}

static void link_oldest(struct recent *recent, uint32_t index)
{
    struct entry *entry = &recent->entries[index];

    entry->older = NOBODY;
    entry->newer = recent->oldest;
    if (recent->oldest == NOBODY) {
        recent->newest = index;
    } else {
        recent->entries[recent->oldest].older = index;
    }
    recent->oldest = index;
}

/* Moves later entries of the same run up, so that no search ends at the hole. */
static void free_slot(struct recent *recent, size_t hole)
{
    size_t at = hole;

    recent->slots[hole] = 0;
    while (recent->slots[at = (at + 1) & recent->slot_mask] != 0) {
        const struct entry *entry = &recent->entries[recent->slots[at] - 1];
        size_t home = hash_key(entry->identity.key) & recent->slot_mask;

        /* It may move if its home is not between the hole and where it is. */
        if (((at - home) & recent->slot_mask) >= ((at - hole) & recent->slot_mask)) {
            recent->slots[hole] = recent->slots[at];
            recent->slots[at] = 0;
            hole = at;
        }
    }
}

/* An index for a new entry: a fresh one, or the one that has gone longest without news. */
static uint32_t take_index(struct recent *recent)
{
    uint32_t index = recent->oldest;

    if (recent->count < recent->capacity) {
        if (recent->count == recent->room) {
            grow(recent);
        }
        return (uint32_t)recent->count++;
    }
    free_slot(recent, find_slot(recent, &recent->entries[index].identity));
    unlink_entry(recent, index);
    return index;
}

bool recent_find(const struct recent *recent, const struct event_identity *identity,
                 int64_t from_ms, int64_t upto_ms, struct uuid *out_id)
{
    uint32_t slot = recent->slots[find_slot(recent, identity)];
    const struct entry *entry;

    if (slot == 0) {
        return false;
    }
    entry = &recent->entries[slot - 1];
    if (entry->received_ms == CLOCK_NONE || entry->received_ms < from_ms ||
        entry->received_ms > upto_ms ||
        memcmp(entry->identity.digest, identity->digest, EVENT_KEY_SIZE) != 0) {
        return false;
    }
    *out_id = entry->id;
    return true;
}

void recent_put(struct recent *recent, const struct event_identity *identity, struct uuid id,
                int64_t received_ms)
{
    uint32_t slot = recent->slots[find_slot(recent, identity)];
    uint32_t index;

    if (slot != 0) {
        index = slot - 1;
        unlink_entry(recent, index);
    } else {
        index = take_index(recent);
        recent->slots[find_slot(recent, identity)] = index + 1;
    }
    recent->entries[index] =
        (struct entry){.identity = *identity, .id = id, .received_ms = received_ms};
    link_newest(recent, index);
}

void recent_give_up(struct recent *recent, const struct event_identity *identity,
                    struct uuid id)
{
    uint32_t slot = recent->slots[find_slot(recent, identity)];

    if (slot != 0 && uuid_equal(recent->entries[slot - 1].id, id)) {
        recent->entries[slot - 1].received_ms = CLOCK_NONE;
    }
}

bool recent_put_older(struct recent *recent, const struct event_identity *identity,
                      struct uuid id, int64_t received_ms)
{
    uint32_t index;

    if (recent->slots[find_slot(recent, identity)] != 0) {
        return true;
    }
    if (recent->count == recent->capacity) {
        return false;
    }
    index = take_index(recent);
    recent->slots[find_slot(recent, identity)] = index + 1;
    recent->entries[index] =
        (struct entry){.identity = *identity, .id = id, .received_ms = received_ms};
    link_oldest(recent, index);
    return true;
}
