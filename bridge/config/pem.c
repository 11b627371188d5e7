/*
 * Files of certificates and keys that the configuration names must exist, be readable, and be PEM
 * with the right kind of block, not encrypted; else a fault is added. Whether they fit together turns
 * out when they are used.
 */
#include "bridge/config/internal.h"

#include <string.h>

#include "common/file.h"

enum { MAX_PEM_BYTES = 4 << 20 };

static bool holds(const struct buf *file, const char *text)
{
    return file->len > 0 && memmem(file->data, file->len, text, strlen(text));
}

/* With a pass phrase, in either of the forms that openssl writes. */
static bool is_encrypted(const struct buf *file)
{
    return holds(file, "-----BEGIN ENCRYPTED PRIVATE KEY-----") ||
           holds(file, "Proc-Type: 4,ENCRYPTED");
}

void config_check_pem(struct reader *reader, const char *key, const char *file,
                      const char *block)
{
    struct buf text = {0};
    struct err err = {0};
    size_t offset = reader_enter_key(reader, slice_of(key));

    if (file && file_read_regular(file, MAX_PEM_BYTES, &text, &err) != ST_OK) {
        reader_miss(reader, "cannot be read: %s", err.text);
    } else if (file && !(holds(&text, "-----BEGIN ") && holds(&text, block))) {
        reader_miss(reader, "%s is not a PEM file with a %s", file, block);
    } else if (file && strcmp(block, "PRIVATE KEY") == 0 && is_encrypted(&text)) {
        reader_miss(reader,
                    "%s is encrypted, and nobody is there to be asked for its pass phrase; "
                    "`openssl pkey` decrypts it",
                    file);
    }
    reader_leave(reader, offset);
    buf_wipe(&text);
}
