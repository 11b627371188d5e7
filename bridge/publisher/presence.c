/* Decides; link.c acts on it for the will, status.c for the topics. */
#include "bridge/publisher/presence.h"

#include "common/check.h"

enum {
    WHOLE_AGAIN_MS = 600000,
    /* A server that refuses everybody is asked in several ways only so often. */
    SEARCH_AGAIN_MS = 60000,
    LOSSES_TO_BLAME = 3,
    OFF_FIRST_MS = 60000, /* then twice as long each time */
    OFF_LONGEST_MS = 3600000,
};

/* --- the will --- */

static void ask_for_all(struct presence *presence)
{
    presence->unretained = presence->qos_0 = presence->no_will = presence->told = false;
    presence->reason = 0;
}

void presence_begin(struct presence *presence, int64_t now_ms)
{
    if (presence->reason != 0 && now_ms >= presence->whole_again_ms) {
        ask_for_all(presence);
    }
}

bool presence_will(const struct presence *presence, const struct mqtt_will *whole,
                   struct mqtt_will *out_will)
{
    *out_will = *whole;
    out_will->retain = whole->retain && !presence->unretained;
    out_will->qos = presence->qos_0 ? 0 : whole->qos;
    return !presence->no_will;
}

/* Could the will have been the cause? Codes that speak of the client, its log-in or the server could
 * not. */
static bool may_be_the_will(int reason)
{
    switch (reason) {
    case MQTT_HUNG_UP:
    case 0x80: /* unspecified error */
    case 0x81: /* malformed packet */
    case 0x82: /* protocol error */
    case 0x83: /* implementation specific error */
    case 0x87: /* not authorized */
    case 0x90: /* topic name invalid */
    case 0x95: /* packet too large */
    case 0x97: /* quota exceeded */
    case 0x99: /* payload format invalid */
    case 0x9A: /* retain not supported */
    case 0x9B: /* QoS not supported */
        return true;
    default:
        return false;
    }
}

/* The next step down; false: there is none. */
static bool ask_for_less(struct presence *presence, int reason, int version)
{
    /* Mosquitto with retain_available false hangs up on 3.1.1. */
    bool retain = reason == 0x9A || (reason == MQTT_HUNG_UP && version == 4);

    if (presence->no_will) {
        return false;
    }
    if (retain && !presence->unretained) {
        presence->unretained = true;
    } else if (reason == 0x9B && !presence->qos_0) {
        presence->qos_0 = true;
    } else {
        presence->no_will = true;
    }
    return true;
}

bool presence_refused(struct presence *presence, int reason, int version, int64_t now_ms)
{
    if (!may_be_the_will(reason) ||
        (presence->reason == 0 && now_ms < presence->search_again_ms)) {
        return false;
    }
    if (ask_for_less(presence, reason, version)) {
        presence->reason = reason;
        return true;
    }
    ask_for_all(presence); /* it was not the will */
    presence->search_again_ms = now_ms + SEARCH_AGAIN_MS;
    return false;
}

bool presence_accepted(struct presence *presence, int64_t now_ms)
{
    bool news = presence->reason != 0 && !presence->told;

    presence->search_again_ms = 0;
    if (news) {
        presence->told = true;
        presence->whole_again_ms = now_ms + WHOLE_AGAIN_MS;
    }
    return news;
}

/* --- the topics --- */

bool presence_is_on(const struct presence *presence, enum presence_topic topic)
{
    return !presence->topics[topic].off;
}

bool presence_is_careful(const struct presence *presence)
{
    for (size_t i = 0; i < PRESENCE_TOPICS; i++) {
        if (presence->topics[i].losses > 0) {
            return true;
        }
    }
    return false;
}

bool presence_try_again(struct presence *presence, int64_t now_ms)
{
    bool any = false;

    if (now_ms < presence->off_until_ms) {
        return false;
    }
    for (size_t i = 0; i < PRESENCE_TOPICS; i++) {
        any = any || presence->topics[i].off;
        presence->topics[i].off = false; /* losses stays: the next one counts at once */
    }
    return any;
}

/* With it goes what the same trouble has turned off before. */
static bool turn_off(struct presence *presence, enum presence_topic topic, int64_t now_ms)
{
    int64_t off_ms = OFF_FIRST_MS << (presence->offs < 6 ? presence->offs : 6);
    bool news = !presence->topics[topic].told;

    if (now_ms >= presence->off_until_ms) {
        presence->off_until_ms = now_ms + (off_ms < OFF_LONGEST_MS ? off_ms : OFF_LONGEST_MS);
        presence->offs++;
    }
    presence->topics[topic].losses = LOSSES_TO_BLAME;
    presence->topics[topic].told = true;
    for (size_t i = 0; i < PRESENCE_TOPICS; i++) {
        presence->topics[i].off =
            presence->topics[i].off || presence->topics[i].losses >= LOSSES_TO_BLAME;
    }
    return news;
}

bool presence_topic_refused(struct presence *presence, enum presence_topic topic, int reason,
                            int64_t now_ms)
{
    /* A matter of rights, or of the topic's name: then it is the same for all three. */
    if (reason == 0x87 || reason == 0x90) {
        for (size_t i = 0; i < PRESENCE_TOPICS; i++) {
            presence->topics[i].losses = LOSSES_TO_BLAME;
        }
    }
    return turn_off(presence, topic, now_ms);
}

bool presence_topic_lost(struct presence *presence, enum presence_topic topic, int64_t now_ms)
{
    bool others = false;

    for (size_t i = 0; i < PRESENCE_TOPICS; i++) {
        others = others || presence->topics[i].off;
    }
    presence->topics[topic].losses++;
    return (others || presence->topics[topic].losses >= LOSSES_TO_BLAME) &&
           turn_off(presence, topic, now_ms);
}

void presence_topic_taken(struct presence *presence, enum presence_topic topic)
{
    presence->topics[topic].losses = 0;
    presence->topics[topic].told = false;
    if (!presence_is_careful(presence)) {
        presence->offs = 0;
    }
}
