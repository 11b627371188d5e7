/*
 * The events lie in a ring, oldest first:
 *
 *     first            settled              next
 *       | settled, but  | sent; some of them  |
 *       | not on disk   | settled out of order|
 *
 * The three numbers only grow, except that window_restart moves `next` back to `settled`. An
 * event's place is its number modulo the size of the ring. Nothing here can fail: a call that
 * breaks the rules of window.h is our own mistake and stops the process.
 */
#include "bridge/publisher/window.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

enum { MAX_TOKEN = 65535 };
enum { OWNER_NONE, OWNER_NOBODY, OWNER_STATUS, OWNER_EVENTS };

struct place {
    struct window_event event;
    uint16_t tokens[WINDOW_MAX_MESSAGES]; /* in flight; 0: not */
    uint8_t messages;                     /* sent so far */
    uint8_t waiting;                      /* not delivered yet */
    bool buried;
};

/* A new member is set in window_create, reset in window_restart, and freed in window_destroy. */
struct window {
    size_t capacity;
    size_t max_messages;
    size_t messages; /* in flight */
    size_t unsettled;
    size_t bytes; /* of the unsettled ones */
    uint64_t first, settled, next;
    uint64_t settled_seq;
    struct place *places; /* capacity of them */

    /* Buried, but beyond the watermark at the last restart: skipped when they are read again. */
    uint64_t *buried;
    size_t buried_count;

    /* The owner of each token: OWNER_NONE, OWNER_NOBODY, OWNER_STATUS, or OWNER_EVENTS + the
     * event's index in places. */
    uint16_t owners[MAX_TOKEN + 1];
};

static struct place *place_at(const struct window *window, uint64_t number)
{
    return &window->places[number % window->capacity];
}

struct window *window_create(size_t capacity, uint64_t settled_seq)
{
    struct window *window = xalloc(sizeof(*window));

    CHECK(capacity >= 1 && capacity <= WINDOW_MAX_CAPACITY);
    window->capacity = capacity;
    window->settled_seq = settled_seq;
    window->places = xalloc(capacity * sizeof(*window->places));
    window->buried = xalloc(capacity * sizeof(*window->buried));
    return window;
}

void window_destroy(struct window *window)
{
    if (window != NULL) {
        free(window->places);
        free(window->buried);
        free(window);
    }
}

static void forget_settled_burials(struct window *window)
{
    size_t kept = 0;

    for (size_t i = 0; i < window->buried_count; i++) {
        if (window->buried[i] > window->settled_seq) {
            window->buried[kept++] = window->buried[i];
        }
    }
    window->buried_count = kept;
}

bool window_is_buried(const struct window *window, uint64_t seq)
{
    for (size_t i = 0; i < window->buried_count; i++) {
        if (window->buried[i] == seq) {
            return true;
        }
    }
    return false;
}

void window_restart(struct window *window, size_t max_messages)
{
    CHECK(max_messages >= 1);
    forget_settled_burials(window);
    for (uint64_t n = window->settled; n < window->next; n++) {
        const struct place *place = place_at(window, n);

        /* Without room (earlier events were dropped by hand meanwhile) it is sent once more. */
        if (place->buried && window->buried_count < window->capacity &&
            !window_is_buried(window, place->event.seq)) {
            window->buried[window->buried_count++] = place->event.seq;
        }
    }
    window->next = window->settled;
    window->unsettled = 0;
    window->bytes = 0;
    window->messages = 0;
    window->max_messages = max_messages;
    memset(window->owners, 0, sizeof(window->owners));
}

bool window_has_room(const struct window *window)
{
    return window->next - window->first < window->capacity;
}

bool window_may_send(const struct window *window)
{
    return window->messages < window->max_messages;
}

/* Moves `settled` over the events that are. */
static void advance(struct window *window)
{
    while (window->settled < window->next && place_at(window, window->settled)->waiting == 0) {
        window->settled_seq = place_at(window, window->settled)->event.seq;
        window->settled++;
    }
}

void window_put(struct window *window, const struct window_event *event, unsigned messages)
{
    struct place *place = place_at(window, window->next);

    CHECK(window_has_room(window));
    CHECK(messages <= WINDOW_MAX_MESSAGES);
    CHECK(event->seq > window->settled_seq);
    *place = (struct place){.event = *event, .waiting = (uint8_t)messages};
    window->next++;
    window->unsettled += messages > 0;
    window->bytes += messages > 0 ? event->bytes : 0;
    advance(window);
}

static void settle_place(struct window *window, struct place *place)
{
    place->waiting = 0;
    window->unsettled--;
    window->bytes -= place->event.bytes;
    advance(window);
}

static void set_owner(struct window *window, int token, size_t owner)
{
    CHECK(token >= 1 && token <= MAX_TOKEN);
    CHECK(window->owners[token] == OWNER_NONE);
    window->owners[token] = (uint16_t)owner;
    window->messages++;
}

void window_sent(struct window *window, int token)
{
    struct place *place = place_at(window, window->next - 1);

    CHECK(window->next > window->settled);
    CHECK(place->messages < WINDOW_MAX_MESSAGES && place->waiting > 0);
    if (token == 0) {
        place->messages++;
        /* Whether that settled the event is no news: the watermark is read each turn. */
        (void)window_deliver(window, place->event.seq);
        return;
    }
    place->tokens[place->messages++] = (uint16_t)token;
    set_owner(window, token, OWNER_EVENTS + (size_t)(place - window->places));
}

void window_sent_status(struct window *window, int token)
{
    if (token != 0) {
        set_owner(window, token, OWNER_STATUS);
    }
}

enum window_found window_answered(struct window *window, int token, uint64_t *out_seq,
                                  unsigned *out_part)
{
    struct place *place;
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
    place = &window->places[owner - OWNER_EVENTS];
    *out_part = place->tokens[0] == token ? 0 : 1;
    *out_seq = place->event.seq;
    place->tokens[*out_part] = 0;
    return WINDOW_EVENT;
}

/* The events in the ring rise in seq, but not without holes. */
static struct place *find_place(const struct window *window, uint64_t seq)
{
    uint64_t low = window->first;
    uint64_t high = window->next;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (place_at(window, middle)->event.seq < seq) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < window->next && place_at(window, low)->event.seq == seq) {
        return place_at(window, low);
    }
    return NULL;
}

bool window_deliver(struct window *window, uint64_t seq)
{
    struct place *place = find_place(window, seq);

    CHECK(place != NULL);
    if (place->waiting > 1) {
        place->waiting--;
        return false;
    }
    CHECK(place->waiting == 1); /* the rest was answered, or the event is buried and has none */
    settle_place(window, place);
    return true;
}

void window_bury(struct window *window, uint64_t seq)
{
    struct place *place = find_place(window, seq);

    CHECK(place != NULL && place->waiting > 0);
    for (size_t i = 0; i < WINDOW_MAX_MESSAGES; i++) {
        if (place->tokens[i] != 0) { /* still in flight, but its answer no longer matters */
            window->owners[place->tokens[i]] = OWNER_NOBODY;
            place->tokens[i] = 0;
        }
    }
    place->buried = true;
    settle_place(window, place);
}

bool window_is_open(const struct window *window, uint64_t seq)
{
    const struct place *place = find_place(window, seq);

    return place != NULL && place->waiting > 0;
}

const struct window_event *window_find(const struct window *window, uint64_t seq)
{
    const struct place *place = find_place(window, seq);

    return place == NULL ? NULL : &place->event;
}

const struct window_event *window_oldest(const struct window *window)
{
    /* advance() has left `settled` at the first that is not, if there is one. */
    return window->settled < window->next ? &place_at(window, window->settled)->event : NULL;
}

uint64_t window_settled(const struct window *window)
{
    return window->settled_seq;
}

void window_set_watermark(struct window *window, uint64_t watermark_seq)
{
    while (window->first < window->settled &&
           place_at(window, window->first)->event.seq <= watermark_seq) {
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
