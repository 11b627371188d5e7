#include "bridge/cli.h"

#include "common/utf8.h"

/* Length of the UTF-8 sequence at the start of s; 0: not one. */
static size_t sequence_len(struct slice s)
{
    uint8_t lead = (uint8_t)s.data[0];
    size_t len = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

    return len <= s.len && utf8_valid((struct slice){s.data, len}) ? len : 0;
}

static uint32_t code_point(const char *data, size_t len)
{
    static const uint8_t lead_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t code = (uint8_t)data[0] & lead_bits[len];

    for (size_t i = 1; i < len; i++) {
        code = code << 6 | ((uint8_t)data[i] & 0x3F);
    }
    return code;
}

/* Moves the cursor, changes colours, breaks the line or reorders text. */
static bool is_unsafe(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C || code == 0x200E ||
           code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

size_t cli_add_safe(struct buf *out, struct slice text)
{
    size_t columns = 0;

    while (text.len > 0) {
        size_t len = sequence_len(text);
        bool escape = len == 0 || is_unsafe(code_point(text.data, len));

        len = len ? len : 1;
        for (size_t i = 0; escape && i < len; i++) {
            buf_addf(out, "\\x%02X", (uint8_t)text.data[i]);
            columns += 4;
        }
        if (!escape) {
            buf_add(out, text.data, len);
            columns++;
        }
        text.data += len;
        text.len -= len;
    }
    return columns;
}
