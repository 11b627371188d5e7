/*
 * Most text that commands print comes from peers, and a terminal obeys some of it. So everything
 * that is not plain text is spelled out, byte by byte.
 */
#include "bridge/cli/cli.h"

#include "common/utf8.h"

size_t cli_add_safe(struct buf *out, struct slice text)
{
    size_t columns = 0;

    while (text.len > 0) {
        uint32_t code = 0;
        size_t len = utf8_decode(text.data, text.len, &code);
        bool escape = len == 0 || utf8_is_unsafe(code);

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
