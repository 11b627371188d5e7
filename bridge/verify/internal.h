/*
 * internal - what the files of verify share. In the order of calls:
 *
 *   check.c      keyed contexts; checking and signing
 *   describe.c   is a description of a signature sound
 *   header.c     the signature's header, taken apart and written
 *   message.c    the template of what is signed, and the values that go into it
 *   timestamp.c  timestamps, read and written
 *   secret.c     from a secret's text to a key
 *   digest.c     digests, and comparing texts
 */
#ifndef BRIDGE_VERIFY_INTERNAL_H
#define BRIDGE_VERIFY_INTERNAL_H

#include "common/clock.h"

#include "bridge/verify/verify.h"

enum { VERIFY_MAX_MAC = 64 }; /* SHA-512 */

/* A member of a description is set, and not empty. */
static inline bool is_set(const char *text)
{
    return text && *text != '\0';
}

/* ---- message.c ---- */

enum message_kind { MESSAGE_TEXT, MESSAGE_BODY, MESSAGE_TIMESTAMP, MESSAGE_ID, MESSAGE_KINDS };

/* A compiled template. Each variable is in it at most once, with text between any two but for
 * {timestamp}. */
struct message {
    struct message_piece {
        enum message_kind kind;
        struct slice text; /* of MESSAGE_TEXT; borrowed from the template */
    } pieces[2 * MESSAGE_KINDS - 1];
    size_t count;
    bool holds[MESSAGE_KINDS];
    bool tight;     /* {timestamp} has a variable directly beside it */
    char id_border; /* what {id} must not contain; see message_accepts_id */
};

/* What goes in, by kind; that of MESSAGE_TEXT is not used. */
struct message_values {
    struct slice of[MESSAGE_KINDS];
};

/* ST_INVALID with the reason. Borrows the template as long as the message is used. */
enum status message_compile(const char *template, struct message *out_message,
                            struct err *err) MUST_USE;
/* The bytes that the i-th piece stands for. */
struct slice message_part(const struct message *message, size_t i,
                          const struct message_values *values);
/* 1 to VERIFY_MAX_ID visible ASCII characters. None is the one that ends it in the message, on
 * the body's side: else two deliveries could share one message, and one signature. */
bool message_accepts_id(const struct message *message, struct slice id);

/* ---- timestamp.c ---- */

/* Unix seconds, a fraction cut off. Each form has one spelling, so nobody reads a number that
 * the provider did not mean: decimal digits as a number is printed; RFC 3339 with T and Z in
 * capitals, and at most nine digits behind the point. tight: a number has the digits that it
 * has in our days, 10 for seconds and 13 for milliseconds. */
bool timestamp_read(enum provider_timestamp format, bool tight, struct slice text,
                    int64_t *out_s);
/* What timestamp_read does not take, if there is no such time. */
void timestamp_write(enum provider_timestamp format, int64_t unix_s,
                     char out_text[CLOCK_TEXT_SIZE]);

/* ---- header.c ---- */

/* What a signature's header contains, in all its lines. Signatures that are not of the right length
 * and alphabet are left out: they cannot match. */
struct signature_given {
    uint8_t macs[VERIFY_MAX_SIGNATURES][VERIFY_MAX_MAC];
    size_t count;
    struct slice timestamp; /* of timestamp_key; absent: it has none */
};

/* lines: the header's values. False: it has no signature, too many, or two different timestamps. */
bool signature_read(const struct provider_signature *signature, const struct slice *lines,
                    size_t count, size_t mac_len, struct signature_given *out_given);
/* Adds the header's value. timestamp: for timestamp_key. */
void signature_write(const struct provider_signature *signature, const uint8_t *mac,
                     size_t mac_len, struct slice timestamp, struct buf *out);

/* ---- secret.c ---- */

/* As verify_check_secret; the key's bytes are then the caller's to wipe. */
enum status secret_decode(const struct provider_signature *signature, struct slice secret,
                          uint8_t out_key[VERIFY_MAX_SECRET], size_t *out_len,
                          struct err *err) MUST_USE;

#endif
