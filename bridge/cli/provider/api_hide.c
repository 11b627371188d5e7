/*
 * Puts *** for secrets in what an API sends back: as they are, percent-encoded as in a URL, or
 * escaped as in JSON, once or again and again (a request's body inside of a message inside of an
 * answer).
 */
#include "bridge/cli/provider/api_internal.h"

#include <string.h>

#include "common/encode.h"
#include "common/json.h"
#include "common/utf8.h"

#include "bridge/cli/provider/json.h"

enum {
    /* Shorter ones are in too much that is none, and what is left would give them away. */
    SHORTEST_HIDDEN = 3,
    /* One that has been doubled six times; and a megabyte of them is not counted again and
     * again. */
    MAX_BACKSLASHES = 64,
};

#define NUMBER_START "-0123456789"

/* ---- one secret at one place ---- */

static size_t count_backslashes(const char *p, const char *end)
{
    size_t n = 0;

    while (n < MAX_BACKSLASHES && p + n < end && p[n] == '\\') {
        n++;
    }
    return n;
}

/* What two or four hexadecimal digits at p spell; -1: they are none. */
static long hex_at(const char *p, const char *end, size_t digits)
{
    uint8_t bytes[2] = {0, 0};

    if ((size_t)(end - p) < digits ||
        !decode_hex((struct slice){p, digits}, bytes, digits / 2)) {
        return -1;
    }
    return digits == 2 ? bytes[0] : bytes[0] << 8 | bytes[1];
}

/* `n` for a line feed, behind a backslash. */
static bool is_short_for(char letter, char c)
{
    static const char pairs[][2] = {
        {'b', '\b'}, {'f', '\f'}, {'n', '\n'}, {'r', '\r'}, {'t', '\t'}};

    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        if (pairs[i][0] == letter && pairs[i][1] == c) {
            return true;
        }
    }
    return false;
}

/* How many bytes at p stand for the first character of the secret, which has *out_taken; 0: they
 * stand for something else. escaped: there is a backslash before p. */
static size_t match_character(const char *p, const char *end, bool escaped, struct slice secret,
                              size_t *out_taken)
{
    unsigned char byte = (unsigned char)secret.data[0];
    uint32_t code = 0;
    size_t len = utf8_decode(secret.data, secret.len, &code);

    if (p == end) {
        return 0;
    }
    if (escaped && *p == 'u' && len > 0 && hex_at(p + 1, end, 4) == (long)code) {
        *out_taken = len;
        return 5;
    }
    *out_taken = 1;
    if ((*p == '%' || (escaped && *p == 'x')) && hex_at(p + 1, end, 2) == byte) {
        return 3;
    }
    return *p == secret.data[0] || (escaped && is_short_for(*p, secret.data[0]));
}

static void drop(struct slice *slice, size_t len)
{
    *slice = (struct slice){slice->data + len, slice->len - len};
}

/* Behind the secret that stands at p; NULL: it does not. Each backslash of its own may have been
 * doubled any number of times (or be spelled \u005c), and before every other character there may
 * be some. */
static const char *match(const char *p, const char *end, struct slice secret)
{
    while (secret.len > 0) {
        size_t own = count_backslashes(secret.data, secret.data + secret.len);
        size_t found = count_backslashes(p, end);
        size_t taken = 0, len;

        p += found;
        if (own > 0 && found >= own && match_character(p, end, true, secret, &taken) == 0) {
            drop(&secret, own);
            found -= own;
        }
        if (secret.len == 0) {
            return p;
        }
        len = match_character(p, end, found > 0, secret, &taken);
        if (len == 0) {
            return NULL;
        }
        p += len;
        drop(&secret, taken);
    }
    return p;
}

/* ---- all secrets everywhere ---- */

/* Behind the longest one that stands at p; NULL: none does. */
static const char *match_any(const struct cli_api *api, const char *p, const char *end)
{
    const char *longest = NULL;

    for (size_t i = 0; i <= api->hidden_count; i++) {
        struct slice secret = buf_slice(i < api->hidden_count ? &api->hidden[i] : &api->token);
        const char *behind = secret.len < SHORTEST_HIDDEN ? NULL : match(p, end, secret);

        if (behind && (!longest || behind > longest)) {
            longest = behind;
        }
    }
    return longest;
}

bool cli_api_hide_text(const struct cli_api *api, struct buf *text)
{
    struct slice all = buf_slice(text);
    const char *p = all.data, *end = p + all.len;
    struct buf shown = {0};
    bool any = false;

    while (p < end) {
        const char *behind = match_any(api, p, end);

        if (behind) {
            buf_add_str(&shown, "***");
            p = behind;
            any = true;
        } else {
            buf_add_char(&shown, *p++);
        }
    }
    buf_wipe(text);
    *text = shown;
    return any;
}

/* ---- JSON ---- */

/* A member whose value is to be kept secret whatever it is: a new login, a webhook's secret. */
static bool is_secret_name(struct slice name)
{
    static const char *const ends[] = {"secret", "token", "password"};

    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct slice end = slice_of(ends[i]);

        if (name.len >= end.len &&
            slice_equal_nocase((struct slice){name.data + name.len - end.len, end.len}, end)) {
            return true;
        }
    }
    return false;
}

static bool is_one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

static size_t token_length(const char *p, const char *end)
{
    size_t len = 0;

    if (*p == '"') {
        return (size_t)(cli_json_skip_string(p, end) - p);
    }
    if (!is_one_of(*p, NUMBER_START)) {
        return 1;
    }
    while (p + len < end && is_one_of(p[len], NUMBER_START "+.eE")) {
        len++;
    }
    return len;
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && is_one_of(*p, " \t\r\n")) {
        p++;
    }
    return p;
}

static bool is_name(const char *behind, const char *end)
{
    behind = skip_space(behind, end);
    return behind < end && *behind == ':';
}

/* At the value of a member that is named so. */
static const char *add_secret_value(const char *p, const char *end, struct buf *out)
{
    const char *value = skip_space(skip_space(p, end) + 1, end);

    if (*value == 'n') { /* null: there is none */
        return p;
    }
    buf_add(out, p, (size_t)(value - p)); /* the colon, and the space around it */
    buf_add_str(out, "\"***\"");
    return cli_json_skip_value(value, end);
}

/* A string or number: as it is, or as a string with *** in it. */
static void add_value(const struct cli_api *api, struct slice raw, struct buf *out)
{
    struct buf text = {0};

    if (raw.data[0] == '"') {
        cli_json_add_decoded(&text, raw);
    } else {
        buf_add_slice(&text, raw);
    }
    if (cli_api_hide_text(api, &text)) {
        json_add_string(out, buf_slice(&text));
    } else {
        buf_add_slice(out, raw);
    }
    buf_wipe(&text);
}

void cli_api_hide_json(const struct cli_api *api, struct slice json, struct buf *out)
{
    const char *p = json.data, *end = p + json.len;

    while (p < end) {
        struct slice token = {p, token_length(p, end)};
        bool string = *p == '"';

        p += token.len;
        if (!string && !is_one_of(token.data[0], NUMBER_START)) {
            buf_add_slice(out, token);
            continue;
        }
        add_value(api, token, out);
        if (string && is_name(p, end) &&
            is_secret_name((struct slice){token.data + 1, token.len - 2})) {
            p = add_secret_value(p, end, out);
        }
    }
}
