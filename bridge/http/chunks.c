/*
 * Judges a chunked body as it passes (RFC 9112 section 7.1), and takes out what the library need
 * not see: chunk extensions and trailers. Pure: works on the caller's bytes, in place.
 *
 * Nothing that a peer sends here is without end: a size has at most MAX_DIGITS, and what is taken
 * out of one body at most MAX_EXTRA_BYTES. The first fault ends the body.
 */
#include "bridge/http/internal.h"

#include <ctype.h>
#include <string.h>

#include "bridge/delivery.h"

enum {
    MAX_DIGITS = 16, /* what 64 bits hold */
    MAX_EXTRA_BYTES = 8 * 1024,
};

/* What comes next. */
enum {
    SIZE, /* at least one digit */
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER, /* where a line of them begins, or the last line */
    LAST_LF,
    END,
    /* What a byte in one of these is part of is taken out. */
    EXTENSION,
    QUOTED,  /* a string in an extension */
    ESCAPED, /* behind a backslash in it */
    NAME,
    VALUE,
    VALUE_LF,
};

enum { WRONG = -1 };

static bool is_token(char c)
{
    return delivery_is_token((struct slice){&c, 1});
}

static int in_size(const struct http_chunks *chunks, char c)
{
    if (isxdigit((unsigned char)c)) {
        return chunks->digits < MAX_DIGITS ? SIZE : WRONG;
    }
    return chunks->digits == 0 ? WRONG : c == '\r' ? SIZE_LF : c == ';' ? EXTENSION : WRONG;
}

static int in_extension(char c)
{
    if (c == '\r') {
        return SIZE_LF;
    }
    if (c == '"') {
        return QUOTED;
    }
    return is_token(c) || (c != '\0' && strchr(";= \t", c) != NULL) ? EXTENSION : WRONG;
}

static int in_quotes(char c)
{
    return !http_is_text(c) ? WRONG : c == '"' ? EXTENSION : c == '\\' ? ESCAPED : QUOTED;
}

/* The state behind a byte that is not data. */
static int next_state(const struct http_chunks *chunks, char c)
{
    switch (chunks->state) {
    case SIZE:
        return in_size(chunks, c);
    case SIZE_LF:
        return c != '\n' ? WRONG : chunks->left > 0 ? DATA : TRAILER;
    case DATA_CR:
        return c == '\r' ? DATA_LF : WRONG;
    case DATA_LF:
        return c == '\n' ? SIZE : WRONG;
    case TRAILER:
        return c == '\r' ? LAST_LF : is_token(c) ? NAME : WRONG;
    case LAST_LF:
        return c == '\n' ? END : WRONG;
    case EXTENSION:
        return in_extension(c);
    case QUOTED:
        return in_quotes(c);
    case ESCAPED:
        return http_is_text(c) ? QUOTED : WRONG;
    case NAME:
        return c == ':' ? VALUE : is_token(c) ? NAME : WRONG;
    case VALUE:
        return c == '\r' ? VALUE_LF : http_is_text(c) ? VALUE : WRONG;
    default:
        return chunks->state == VALUE_LF && c == '\n' ? TRAILER : WRONG;
    }
}

static void add_digit(struct http_chunks *chunks, char c)
{
    unsigned digit = (unsigned)tolower((unsigned char)c);

    chunks->left = chunks->left * 16 + (digit <= '9' ? digit - '0' : digit - 'a' + 10);
    chunks->digits++;
}

/* Takes a byte that is not data, and keeps it in the body or not. */
static bool take(struct http_chunks *chunks, char c, char *data, size_t *kept)
{
    int state = next_state(chunks, c);

    if (state == WRONG) {
        return false;
    }
    if (state == SIZE && chunks->state == SIZE) {
        add_digit(chunks, c);
    } else if (state == SIZE) {
        chunks->digits = 0;
    }
    if (state >= EXTENSION || chunks->state == VALUE_LF) {
        chunks->extra++;
    } else {
        data[(*kept)++] = c;
    }
    chunks->state = state;
    return chunks->extra <= MAX_EXTRA_BYTES;
}

/* Takes as much data as there is of the chunk. */
static size_t take_data(struct http_chunks *chunks, const char *from, size_t len, char *to)
{
    size_t taken = len < chunks->left ? len : (size_t)chunks->left;

    memmove(to, from, taken);
    chunks->left -= taken;
    chunks->state = chunks->left > 0 ? DATA : DATA_CR;
    return taken;
}

bool http_chunks_pass(struct http_chunks *chunks, char *data, size_t len, size_t *out_kept,
                      size_t *out_taken)
{
    size_t at = 0, kept = 0, taken;

    while (at < len && chunks->state != END) {
        if (chunks->state == DATA) {
            taken = take_data(chunks, data + at, len - at, data + kept);
            at += taken;
            kept += taken;
        } else if (take(chunks, data[at], data, &kept)) {
            at++;
        } else {
            return false;
        }
    }
    chunks->complete = chunks->state == END;
    *out_kept = kept;
    *out_taken = at;
    return true;
}
