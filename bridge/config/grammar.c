/*
 * What a text must be made of to be of its setting's type. Pure.
 */
#include <inttypes.h>
#include <string.h>

#include "bridge/config/internal.h"
#include "bridge/delivery.h"
#include "bridge/parse/route.h"

static enum status check_name(const char *text, struct err *err)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    if (text[strspn(text, allowed)] != '\0' || strchr("._-", text[0])) {
        return err_set(
            err, ST_INVALID,
            "must begin with a letter or digit and hold only letters, digits and . _ -");
    }
    return ST_OK;
}

static enum status check_topic(const char *text, struct err *err)
{
    if (strpbrk(text, "+#")) {
        return err_set(err, ST_INVALID, "must not hold the wildcards + and #");
    }
    if (text[0] == '$') {
        return err_set(err, ST_INVALID, "must not begin with $: such topics are the broker's");
    }
    return ST_OK;
}

static enum status check_level(const char *text, struct err *err)
{
    if (strpbrk(text, "+#/")) {
        return err_set(err, ST_INVALID,
                       "must not hold +, # or /: it is one level of the bridge's own topics");
    }
    return ST_OK;
}

static bool has_control_character(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F) {
            return true;
        }
    }
    return false;
}

static enum status check_template(const char *text, struct err *err)
{
    struct route *route = NULL;
    enum status st = route_create(text, &route, err);

    if (st == ST_OK) {
        route_destroy(route);
    }
    return st;
}

static enum status check_header(const char *text, struct err *err)
{
    if (*text != '\0' && !delivery_is_token(slice_of(text))) {
        return err_set(err, ST_INVALID, "must be " DELIVERY_HEADER_NAME);
    }
    return ST_OK;
}

/* See provider.h: what stands for a digit is made of 16 random bytes. */
static enum status check_gid_form(const char *text, struct err *err)
{
    size_t digits = 0;

    for (const char *c = text; *c != '\0'; c++) {
        digits += *c == '#' || *c == '?';
    }
    if (digits == 0 || digits > 32) {
        return err_set(err, ST_INVALID,
                       "must hold # for a hex digit or ? for a decimal one, 1 to 32 of them");
    }
    return ST_OK;
}

static enum status check_type(enum setting_type type, const char *text, struct err *err)
{
    switch (type) {
    case SETTING_NAME:
        return check_name(text, err);
    case SETTING_LEVEL:
        return check_level(text, err);
    case SETTING_TOPIC:
        return check_topic(text, err);
    case SETTING_TEMPLATE:
        return check_template(text, err);
    case SETTING_HTTP_PATH:
        return config_check_http_path(text, err);
    case SETTING_URL:
        return config_check_url(text, err);
    case SETTING_HEADER:
        return check_header(text, err);
    case SETTING_GID_FORM:
        return check_gid_form(text, err);
    default: /* any text will do */
        return ST_OK;
    }
}

enum status config_check_text(enum setting_type type, struct slice text, int64_t max_bytes,
                              struct err *err)
{
    if (text.len == 0) {
        return err_set(err, ST_INVALID, "must not be empty");
    }
    if (text.len > (size_t)max_bytes) {
        return err_set(err, ST_INVALID, "must have at most %" PRId64 " bytes", max_bytes);
    }
    if (has_control_character(text)) {
        return err_set(err, ST_INVALID, "must not hold control characters");
    }
    return check_type(type, text.data, err);
}
