/*
 * packet - the few MQTT 5 packets that a subscriber needs, to and from bytes. Pure.
 */
#ifndef TESTS_BENCH_PACKET_H
#define TESTS_BENCH_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enough for any packet written here: topics, filters and client ids are our own, and short. */
enum { PACKET_SMALL = 256 };

enum packet_type { PACKET_CONNACK = 2, PACKET_PUBLISH = 3, PACKET_SUBACK = 9 };

/* Each writes a packet and returns its length. */
size_t packet_connect(char out[PACKET_SMALL],
                      const char *client_id); /* clean start, no keep-alive */
size_t packet_subscribe(char out[PACKET_SMALL], const char *filter_a,
                        const char *filter_b); /* QoS 0 */
size_t packet_publish(char out[PACKET_SMALL], const char *topic,
                      const char *payload); /* QoS 0 */

struct bytes {
    const char *data;
    size_t len;
};

struct packet {
    int type;
    unsigned reason; /* CONNACK, SUBACK: the (first) reason code */
    struct bytes topic, payload,
        id; /* PUBLISH: borrowed; id is the user property of that name */
};

/* The length of the packet at the start of the data; 0 if it is not complete yet, -1 if it is
 * malformed. */
long packet_read(const char *data, size_t len, struct packet *out);

#endif
