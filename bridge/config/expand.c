/*
 * ${NAME} in a text: the environment variable's value. An unset one is a finding, never an
 * empty text; $${ stands for ${ itself.
 */
#include "bridge/config/internal.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/utf8.h"

/* The value of an environment variable; NULL: a fault was added. */
const char *config_variable(struct reader *reader, struct slice name)
{
    const char *value;
    char *copy;

    if (!config_is_variable_name(name)) {
        config_fault(reader->faults, reader_path(reader),
                     "an environment variable's name has letters, digits and _ only");
        return NULL;
    }
    copy = strndup(name.data, name.len);
    CHECK(copy);
    value = config_environment_get(reader->environment, copy);
    if (!value) {
        const char *unread = config_environment_hint(reader->environment);

        reader_miss(reader, "the environment variable %s is not set%s%s%s", copy,
                    unread ? ", and " : "", unread ? unread : "",
                    unread ? " cannot be read" : "");
    }
    free(copy);
    return value;
}

/* At the "${" that rest begins with. Moves rest behind the closing brace. */
static bool expand_variable(struct reader *reader, struct slice *rest, struct buf *out)
{
    const char *close = memchr(rest->data, '}', rest->len);
    const char *value;
    size_t used;

    if (!close) {
        config_fault(reader->faults, reader_path(reader),
                     "${ without a closing }; write $${ for a literal ${");
        return false;
    }
    used = (size_t)(close - rest->data) + 1;
    value = config_variable(reader, (struct slice){rest->data + 2, used - 3});
    if (!value) {
        return false;
    }
    if (!*value) {
        config_warn(reader->faults, reader_path(reader),
                    "the environment variable %.*s is empty", (int)(used - 3), rest->data + 2);
    }
    buf_add_str(out, value);
    *rest = (struct slice){rest->data + used, rest->len - used};
    return true;
}

bool config_expand(struct reader *reader, struct json_object *value, struct buf *out,
                   bool *out_varied)
{
    struct slice rest = {json_object_get_string(value),
                         (size_t)json_object_get_string_len(value)};

    *out_varied = false;
    buf_reserve(out, rest.len);
    buf_add_str(out, ""); /* terminated, also when nothing follows */
    while (rest.len > 0) {
        size_t used = 1;

        if (slice_starts_with(rest, SLICE("${"))) {
            if (!expand_variable(reader, &rest, out)) {
                return false;
            }
            *out_varied = true;
            continue;
        }
        if (slice_starts_with(rest, SLICE("$${"))) {
            buf_add_slice(out, SLICE("${"));
            used = 3;
        } else {
            buf_add_char(out, rest.data[0]);
        }
        rest = (struct slice){rest.data + used, rest.len - used};
    }
    return true;
}

bool config_expand_text(struct reader *reader, struct json_object *value, struct buf *out)
{
    bool varied;

    if (!config_expand(reader, value, out, &varied)) {
        return false;
    }
    if (memchr(out->data, '\0', out->len)) {
        config_fault(reader->faults, reader_path(reader), "must not contain \\u0000");
        return false;
    }
    if (!utf8_valid(buf_slice(out))) {
        config_fault(reader->faults, reader_path(reader), "must be UTF-8");
        return false;
    }
    return true;
}
