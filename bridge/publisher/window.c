/*
 * New events lie in a ring, oldest first:
 *
 *     first            settled              next
 *       | settled, but  | some of them        |
 *       | not on disk   | settled out of order|
 *
 * The three numbers only grow; an event's place is its number modulo the size of the ring. Held
 * events that are sent again have places behind the ring, in no order.
 *
 * Nothing here can fail: a call that breaks the rules of window.h is our own mistake and stops
 * the process.
 */
#include "bridge/publisher/window.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

enum { MAX_TOKEN = 65535 };
enum { OWNER_NONE, OWNER_NOBODY, OWNER_STATUS, OWNER_EVENTS };

struct slot {
    uint64_t seq;
    void *owner; /* NULL: settled */
    size_t bytes;
    uint16_t tokens[WINDOW_MAX_MESSAGES]; /* in flight; 0: not */
    uint8_t messages;                     /* sent so far */
    uint8_t waiting;                      /* not delivered yet */
    window_place next_free;
};

/* A new member is set in window_create, and freed in window_destroy. */
struct window {
    size_t capacity;
    size_t max_messages;
    size_t messages; /* in flight */
    size_t unsettled, unsettled_in_ring;
    size_t bytes; /* of the unsettled ones */
    uint64_t first, settled, next;
    uint64_t settled_seq, newest_seq;
    struct slot *slots;      /* the ring, and as many behind it */
    window_place free_place; /* the first free one behind the ring */
    size_t held;             /* places in use behind the ring */
    uint64_t release_count, released_count;

    /* The owner of each token: OWNER_NONE, OWNER_NOBODY, OWNER_STATUS, or OWNER_EVENTS + the
     * event's place. */
    uint16_t owners[MAX_TOKEN + 1];
};

static struct slot *slot_at(const struct window *window, uint64_t number)
{
    return &window->slots[number % window->capacity];
}

struct window *window_create(size_t capacity, uint64_t settled_seq)
{
    struct window *window = xalloc(sizeof(*window));

    CHECK(capacity >= 1 && capacity <= WINDOW_MAX_CAPACITY);
    window->capacity = window->max_messages = capacity;
    window->settled_seq = window->newest_seq = settled_seq;
    window->slots = xalloc(2 * capacity * sizeof(*window->slots));
    window->free_place = (window_place)capacity;
    for (size_t i = capacity; i < 2 * capacity; i++) {
        window->slots[i].next_free = (window_place)i + 1;
    }
    return window;
}

void window_destroy(struct window *window)
{
    if (window != NULL) {
        free(window->slots);
        free(window);
    }
}

void window_connect(struct window *window, size_t max_messages)
{
    CHECK(max_messages >= 1);
    window->messages = 0;
    window->max_messages = max_messages;
    memset(window->owners, 0, sizeof(window->owners));
    for (size_t i = 0; i < 2 * window->capacity; i++) {
        memset(window->slots[i].tokens, 0, sizeof(window->slots[i].tokens));
    }
}

bool window_has_room(const struct window *window)
{
    return window->next - window->first + window->held +
               (window->release_count - window->released_count) <
           window->capacity;
}

bool window_may_send(const struct window *window)
{
    return window->messages < window->max_messages;
}

/* Moves `settled` over the events that are. */
static void advance(struct window *window)
{
    while (window->settled < window->next && slot_at(window, window->settled)->owner == NULL) {
        window->settled_seq = slot_at(window, window->settled)->seq;
        window->settled++;
    }
}

static window_place fill(struct window *window, struct slot *slot, const struct slot *content)
{
    *slot = *content;
    if (slot->owner != NULL) {
        window->unsettled++;
        window->bytes += slot->bytes;
    }
    return (window_place)(slot - window->slots);
}

static struct slot *take_free(struct window *window)
{
    struct slot *slot = &window->slots[window->free_place];

    CHECK(window->free_place < 2 * window->capacity);
    window->free_place = slot->next_free;
    window->held++;
    return slot;
}

window_place window_put(struct window *window, uint64_t seq, void *owner, unsigned messages,
                        size_t bytes)
{
    struct slot content = {
        .seq = seq, .owner = owner, .waiting = (uint8_t)messages, .bytes = bytes};
    window_place place;

    CHECK(window_has_room(window));
    CHECK(owner == NULL || (messages >= 1 && messages <= WINDOW_MAX_MESSAGES));
    CHECK(seq > window->newest_seq);
    place = fill(window, slot_at(window, window->next), &content);
    window->unsettled_in_ring += owner != NULL;
    window->newest_seq = seq;
    window->next++;
    advance(window);
    return place;
}

void window_pass(struct window *window, uint64_t seq)
{
    (void)window_put(window, seq, NULL, 0, 0);
}

window_place window_put_held(struct window *window, void *owner, unsigned messages,
                             size_t bytes)
{
    struct slot content = {.owner = owner, .waiting = (uint8_t)messages, .bytes = bytes};

    CHECK(window_has_room(window));
    CHECK(owner != NULL && messages >= 1 && messages <= WINDOW_MAX_MESSAGES);
    return fill(window, take_free(window), &content);
}

bool window_is_stuck(const struct window *window)
{
    uint64_t span = window->next - window->settled;

    return 2 * span >= window->capacity && 4 * window->unsettled_in_ring <= span;
}

static void set_owner(struct window *window, int token, size_t owner)
{
    CHECK(token >= 1 && token <= MAX_TOKEN);
    CHECK(window->owners[token] == OWNER_NONE);
    window->owners[token] = (uint16_t)owner;
    window->messages++;
}

static struct slot *open_slot(const struct window *window, window_place place)
{
    struct slot *slot = &window->slots[place];

    CHECK(place < 2 * window->capacity && slot->owner != NULL);
    return slot;
}

void window_sent(struct window *window, window_place place, int token)
{
    struct slot *slot = open_slot(window, place);

    CHECK(slot->messages < WINDOW_MAX_MESSAGES);
    if (token != 0) {
        slot->tokens[slot->messages] = (uint16_t)token;
        set_owner(window, token, OWNER_EVENTS + (size_t)place);
    }
    slot->messages++;
}

void window_sent_status(struct window *window, int token)
{
    if (token != 0) {
        set_owner(window, token, OWNER_STATUS);
    }
}

window_place window_set_aside(struct window *window, window_place place)
{
    struct slot *from = open_slot(window, place);
    struct slot *to;
    window_place aside;

    if (place >= window->capacity) {
        return place;
    }
    to = take_free(window);
    *to = *from;
    aside = (window_place)(to - window->slots);
    for (size_t i = 0; i < WINDOW_MAX_MESSAGES; i++) {
        if (to->tokens[i] != 0) {
            window->owners[to->tokens[i]] = (uint16_t)(OWNER_EVENTS + aside);
        }
    }
    from->owner = NULL;
    window->unsettled_in_ring--;
    advance(window);
    return aside;
}

enum window_found window_answered(struct window *window, int token, void **out_owner,
                                  unsigned *out_part)
{
    struct slot *slot;
    uint16_t owner;

    if (token < 1 || token > MAX_TOKEN || window->owners[token] == OWNER_NONE) {
        return WINDOW_NOTHING;
    }
    owner = window->owners[token];
    window->owners[token] = OWNER_NONE;
    window->messages--;
    if (owner < OWNER_EVENTS) {
        return owner == OWNER_STATUS ? WINDOW_STATUS : WINDOW_NOTHING;
    }
    slot = &window->slots[owner - OWNER_EVENTS];
    *out_part = slot->tokens[0] == token ? 0 : 1;
    *out_owner = slot->owner;
    slot->tokens[*out_part] = 0;
    return WINDOW_EVENT;
}

bool window_deliver(struct window *window, window_place place)
{
    struct slot *slot = open_slot(window, place);

    CHECK(slot->waiting > 0);
    slot->waiting--;
    if (slot->waiting > 0) {
        return false;
    }
    window_settle(window, place);
    return true;
}

void window_settle(struct window *window, window_place place)
{
    struct slot *slot = open_slot(window, place);

    for (size_t i = 0; i < WINDOW_MAX_MESSAGES; i++) {
        if (slot->tokens[i] != 0) { /* still in flight, but its answer no longer matters */
            window->owners[slot->tokens[i]] = OWNER_NOBODY;
            slot->tokens[i] = 0;
        }
    }
    slot->owner = NULL;
    window->unsettled--;
    window->bytes -= slot->bytes;
    if (place >= window->capacity) {
        slot->next_free = window->free_place;
        window->free_place = place;
        window->held--;
    } else {
        window->unsettled_in_ring--;
    }
    advance(window);
}

void window_release(struct window *window)
{
    window->release_count++;
}

void window_released(struct window *window, uint64_t count)
{
    CHECK(count <= window->release_count);
    window->released_count = count;
}

void *window_oldest(const struct window *window)
{
    /* advance() has left `settled` at the first that is not, if there is one. */
    return window->settled < window->next ? slot_at(window, window->settled)->owner : NULL;
}

uint64_t window_settled(const struct window *window)
{
    return window->settled_seq;
}

uint64_t window_newest(const struct window *window)
{
    return window->newest_seq;
}

void window_set_watermark(struct window *window, uint64_t watermark_seq)
{
    while (window->first < window->settled &&
           slot_at(window, window->first)->seq <= watermark_seq) {
        window->first++;
    }
}

size_t window_events(const struct window *window)
{
    return window->unsettled;
}

size_t window_bytes(const struct window *window)
{
    return window->bytes;
}

size_t window_messages(const struct window *window)
{
    return window->messages;
}
