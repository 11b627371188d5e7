/*
 * A lane is a list of entries in order of seq; a hash table finds it by its key, and it is freed
 * with its last entry. An entry is linked into each of its lanes. The ready ones, and the resting
 * ones, form a list each, so that finding the next one never searches.
 *
 * Nothing here can fail: a call that breaks the rules of lanes.h is our own mistake.
 */
#include "bridge/publisher/lanes.h"

#include <stdlib.h>

#include "common/check.h"

enum { FIRST_BUCKETS = 256 };

struct lane {
    uint64_t key;
    struct lane *next; /* in its bucket */
    struct lane_entry *first, *last;
};

struct entry_list {
    struct lane_entry *first, *last;
    size_t count;
};

struct lanes {
    bool pipelined;
    struct lane **buckets;
    size_t bucket_mask, lane_count;
    size_t count, held, waiting, sent;
    struct entry_list ready, resting;
};

/* --- lists --- */

static void list_add(struct entry_list *list, struct lane_entry *entry)
{
    entry->list_before = list->last;
    entry->list_after = NULL;
    if (list->last != NULL) {
        list->last->list_after = entry;
    } else {
        list->first = entry;
    }
    list->last = entry;
    list->count++;
}

static void list_remove(struct entry_list *list, struct lane_entry *entry)
{
    if (entry->list_before != NULL) {
        entry->list_before->list_after = entry->list_after;
    } else {
        list->first = entry->list_after;
    }
    if (entry->list_after != NULL) {
        entry->list_after->list_before = entry->list_before;
    } else {
        list->last = entry->list_before;
    }
    entry->list_before = entry->list_after = NULL;
    list->count--;
}

static bool counts_as_waiting(const struct lane_entry *entry)
{
    return entry->state == LANE_WAITING && !entry->held;
}

static void set_state(struct lanes *lanes, struct lane_entry *entry, enum lane_state state)
{
    lanes->waiting -= counts_as_waiting(entry);
    lanes->sent -= entry->state == LANE_SENT;
    if (entry->state == LANE_READY) {
        list_remove(&lanes->ready, entry);
    } else if (entry->state == LANE_RESTING) {
        list_remove(&lanes->resting, entry);
    }
    entry->state = state;
    lanes->waiting += counts_as_waiting(entry);
    lanes->sent += state == LANE_SENT;
    if (state == LANE_READY) {
        list_add(&lanes->ready, entry);
    } else if (state == LANE_RESTING) {
        list_add(&lanes->resting, entry);
    }
}

/* --- lanes --- */

struct lanes *lanes_create(bool pipelined)
{
    struct lanes *lanes = xalloc(sizeof(*lanes));

    lanes->pipelined = pipelined;
    lanes->buckets = xalloc(FIRST_BUCKETS * sizeof(struct lane *));
    lanes->bucket_mask = FIRST_BUCKETS - 1;
    return lanes;
}

void lanes_destroy(struct lanes *lanes)
{
    if (lanes != NULL) {
        CHECK(lanes->count == 0);
        free(lanes->buckets);
        free(lanes);
    }
}

static struct lane **find_lane(const struct lanes *lanes, uint64_t key)
{
    struct lane **at = &lanes->buckets[(key ^ key >> 32) & lanes->bucket_mask];

    while (*at != NULL && (*at)->key != key) {
        at = &(*at)->next;
    }
    return at;
}

static void grow(struct lanes *lanes)
{
    size_t old_count = lanes->bucket_mask + 1;
    struct lane **old = lanes->buckets;

    lanes->buckets = xalloc(2 * old_count * sizeof(struct lane *));
    lanes->bucket_mask = 2 * old_count - 1;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct lane *lane = old[i];
            struct lane **at = find_lane(lanes, lane->key);

            old[i] = lane->next;
            lane->next = NULL;
            *at = lane;
        }
    }
    free(old);
}

static struct lane *take_lane(struct lanes *lanes, uint64_t key)
{
    struct lane **at = find_lane(lanes, key);

    if (*at != NULL) {
        return *at;
    }
    if (lanes->lane_count > lanes->bucket_mask) {
        grow(lanes);
        at = find_lane(lanes, key);
    }
    *at = xalloc(sizeof(**at));
    (*at)->key = key;
    lanes->lane_count++;
    return *at;
}

static void drop_lane(struct lanes *lanes, const struct lane *lane)
{
    struct lane **at = find_lane(lanes, lane->key);
    struct lane *gone = *at;

    CHECK(gone == lane);
    *at = gone->next;
    free(gone);
    lanes->lane_count--;
}

static struct lane_link *link_in(struct lane_entry *entry, const struct lane *lane)
{
    for (size_t i = 0; i < entry->key_count; i++) {
        if (entry->links[i].lane == lane) {
            return &entry->links[i];
        }
    }
    CHECK(false);
    return NULL;
}

static void enter(struct lane_link *link, struct lane_entry *entry, struct lane *lane)
{
    *link = (struct lane_link){.lane = lane, .before = lane->last};
    if (lane->last != NULL) {
        CHECK(lane->last->seq < entry->seq);
        link_in(lane->last, lane)->after = entry;
    } else {
        lane->first = entry;
    }
    lane->last = entry;
}

static void leave(struct lanes *lanes, struct lane_link *link)
{
    struct lane *lane = link->lane;

    if (link->before != NULL) {
        link_in(link->before, lane)->after = link->after;
    } else {
        lane->first = link->after;
    }
    if (link->after != NULL) {
        link_in(link->after, lane)->before = link->before;
    } else {
        lane->last = link->before;
    }
    if (lane->first == NULL) {
        drop_lane(lanes, lane);
    }
}

/* --- entries --- */

static bool may_go(const struct lanes *lanes, const struct lane_entry *entry)
{
    for (size_t i = 0; i < entry->key_count; i++) {
        const struct lane_entry *before = entry->links[i].before;

        if (before != NULL && (!lanes->pipelined || entry->held || before->held)) {
            return false;
        }
    }
    return true;
}

/* Its turn may have come. */
static void look_at(struct lanes *lanes, struct lane_entry *entry)
{
    if (entry != NULL && entry->state == LANE_WAITING && may_go(lanes, entry)) {
        set_state(lanes, entry, LANE_READY);
    }
}

static bool has_key(const struct lane_entry *entry, uint64_t key)
{
    for (size_t i = 0; i < entry->key_count; i++) {
        if (entry->links[i].lane->key == key) {
            return true;
        }
    }
    return false;
}

void lanes_add(struct lanes *lanes, struct lane_entry *entry, const uint64_t *keys,
               size_t key_count)
{
    CHECK(key_count >= 1 && key_count <= LANES_MAX_KEYS);
    entry->state = LANE_WAITING;
    entry->held = false;
    entry->key_count = 0;
    for (size_t i = 0; i < key_count; i++) {
        if (!has_key(entry, keys[i])) {
            struct lane *lane = take_lane(lanes, keys[i]);

            enter(&entry->links[entry->key_count], entry, lane);
            entry->key_count++;
        }
    }
    lanes->count++;
    lanes->waiting++;
    look_at(lanes, entry);
}

void lanes_remove(struct lanes *lanes, struct lane_entry *entry)
{
    struct lane_entry *after[LANES_MAX_KEYS];

    set_state(lanes, entry, LANE_WAITING);
    for (size_t i = 0; i < entry->key_count; i++) {
        after[i] = entry->links[i].after;
        leave(lanes, &entry->links[i]);
    }
    lanes->count--;
    lanes->waiting -= counts_as_waiting(entry);
    lanes->held -= entry->held;
    for (size_t i = 0; i < entry->key_count; i++) {
        look_at(lanes, after[i]);
    }
}

bool lanes_is_taken(const struct lanes *lanes, const uint64_t *keys, size_t key_count)
{
    for (size_t i = 0; i < key_count; i++) {
        if (*find_lane(lanes, keys[i]) != NULL) {
            return true;
        }
    }
    return false;
}

bool lanes_is_behind_held(const struct lane_entry *entry)
{
    for (size_t i = 0; i < entry->key_count; i++) {
        if (entry->links[i].before != NULL && entry->links[i].before->held) {
            return true;
        }
    }
    return false;
}

static void mark_held(struct lanes *lanes, struct lane_entry *entry, struct lane_entry **todo)
{
    if (!entry->held) {
        lanes->waiting -= counts_as_waiting(entry);
        entry->held = true;
        lanes->held++;
        entry->todo = *todo;
        *todo = entry;
    }
}

void lanes_hold(struct lanes *lanes, struct lane_entry *entry, lanes_fn *newly, void *ctx)
{
    struct lane_entry *todo = NULL;

    mark_held(lanes, entry, &todo);
    while (todo != NULL) {
        struct lane_entry *next = todo;

        todo = next->todo;
        if (next->state == LANE_READY && !may_go(lanes, next)) {
            set_state(lanes, next, LANE_WAITING); /* it was pipelined */
        }
        for (size_t i = 0; i < next->key_count; i++) {
            if (next->links[i].after != NULL) {
                mark_held(lanes, next->links[i].after, &todo);
            }
        }
        newly(ctx, next);
    }
}

struct lane_entry *lanes_first_ready(const struct lanes *lanes)
{
    return lanes->ready.first;
}

void lanes_sent(struct lanes *lanes, struct lane_entry *entry)
{
    CHECK(entry->state == LANE_READY);
    set_state(lanes, entry, LANE_SENT);
}

void lanes_rest(struct lanes *lanes, struct lane_entry *entry)
{
    CHECK(entry->held && entry->state != LANE_WAITING);
    set_state(lanes, entry, LANE_RESTING);
}

void lanes_wake(struct lanes *lanes, struct lane_entry *entry)
{
    CHECK(entry->state == LANE_RESTING);
    set_state(lanes, entry, LANE_WAITING);
    look_at(lanes, entry);
}

struct lane_entry *lanes_first_resting(const struct lanes *lanes)
{
    return lanes->resting.first;
}

/* --- all of them --- */

void lanes_each(struct lanes *lanes, lanes_fn *fn, void *ctx)
{
    for (size_t i = 0; i <= lanes->bucket_mask; i++) {
        struct lane *next;

        for (struct lane *lane = lanes->buckets[i]; lane != NULL; lane = next) {
            struct lane_entry *after;

            next = lane->next;
            for (struct lane_entry *entry = lane->first; entry != NULL; entry = after) {
                const struct lane_link *link = link_in(entry, lane);

                after = link->after;
                if (link == &entry->links[0]) { /* once, though it may be in several */
                    fn(ctx, entry);
                }
            }
        }
    }
}

struct collection {
    struct lane_entry **entries;
    size_t count;
};

static void collect(void *ctx, struct lane_entry *entry)
{
    struct collection *all = ctx;

    if (entry->state != LANE_RESTING) {
        all->entries[all->count++] = entry;
    }
}

static int compare_seqs(const void *a, const void *b)
{
    const struct lane_entry *const *left = a;
    const struct lane_entry *const *right = b;

    return ((*left)->seq > (*right)->seq) - ((*left)->seq < (*right)->seq);
}

void lanes_start_over(struct lanes *lanes)
{
    struct collection all = {.count = 0};

    if (lanes->count == 0) {
        return;
    }
    all.entries = xalloc(lanes->count * sizeof(struct lane_entry *));
    lanes_each(lanes, collect, &all);
    qsort(all.entries, all.count, sizeof(struct lane_entry *), compare_seqs);
    for (size_t i = 0; i < all.count; i++) {
        CHECK(all.entries[i]->held);
        set_state(lanes, all.entries[i], LANE_WAITING);
    }
    for (size_t i = 0; i < all.count; i++) {
        look_at(lanes, all.entries[i]);
    }
    free(all.entries);
}

size_t lanes_count(const struct lanes *lanes)
{
    return lanes->count;
}

size_t lanes_held(const struct lanes *lanes)
{
    return lanes->held;
}

size_t lanes_waiting(const struct lanes *lanes)
{
    return lanes->waiting;
}

size_t lanes_sent_count(const struct lanes *lanes)
{
    return lanes->sent;
}

size_t lanes_resting(const struct lanes *lanes)
{
    return lanes->resting.count;
}
