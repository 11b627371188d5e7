/*
 * What a text must be made of to be of its setting's type: names, topics, forms of gids, and
 * what has a grammar of its own: paths of URLs, brokers' URLs, addresses to listen on. Pure;
 * the reason of a refusal names what would be right.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "common/net.h"
#include "common/utf8.h"

#include "bridge/config/internal.h"
#include "bridge/delivery.h"
#include "bridge/parse/route.h"

#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
/* RFC 3986 section 3.3: what may stand in a segment as itself. */
#define SEGMENT_CHARS ALPHANUMERIC "-._~!$&'()*+,;=:@"

static const struct {
    const char *prefix;
    const char *port;
    bool has_path;
} schemes[] = {
    {"mqtt://", "1883", false},
    {"mqtts://", "8883", false},
    {"ws://", "80", true},
    {"wss://", "443", true},
};

enum status config_check_http_path(const char *path, struct err *err)
{
    const char *segment = path;

    if (path[0] != '/') {
        return err_set(err, ST_INVALID, "must begin with /");
    }
    while (*segment == '/') {
        size_t len = strspn(++segment, SEGMENT_CHARS);

        if (segment[len] == '?' || segment[len] == '#') {
            return err_set(err, ST_INVALID, "must be a path alone, without %s",
                           segment[len] == '?' ? "a query (?…)" : "a fragment (#…)");
        }
        if (segment[len] == '%') {
            return err_set(err, ST_INVALID, "must be written decoded, without %%");
        }
        if (segment[len] != '/' && segment[len] != '\0') {
            return err_set(err, ST_INVALID,
                           "must contain only letters, digits and -._~!$&'()*+,;=:@/");
        }
        if (len == 0) {
            return err_set(err, ST_INVALID,
                           segment[0] == '/' ? "must not contain //" : "must not end with /");
        }
        if ((len == 1 && segment[0] == '.') || (len == 2 && memcmp(segment, "..", 2) == 0)) {
            return err_set(err, ST_INVALID,
                           "must not contain a segment . or .., which clients resolve");
        }
        segment += len;
    }
    return ST_OK;
}

static bool is_ipv6(const char *text, size_t len)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr ignored;

    if (len >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    return inet_pton(AF_INET6, copy, &ignored) == 1;
}

enum status config_check_address(const char *address, struct err *err)
{
    struct net_address parsed;
    enum status st = net_parse_address(address, &parsed, err);

    if (st == ST_OK && parsed.family == NET_IPV6 &&
        !is_ipv6(parsed.host, strlen(parsed.host))) {
        return err_set(err, ST_INVALID, "[%s] is not an IPv6 address", parsed.host);
    }
    return st;
}

/* Length of the host at text: a name, an IPv4 address or [ipv6]; 0: none. */
static size_t host_length(const char *text)
{
    const char *end = text[0] == '[' ? strchr(text, ']') : NULL;

    if (text[0] != '[') {
        return strspn(text, ALPHANUMERIC ".-_");
    }
    return end && is_ipv6(text + 1, (size_t)(end - text) - 1) ? (size_t)(end - text) + 1 : 0;
}

static bool is_port(const char *digits, size_t len)
{
    unsigned long port = strtoul(digits, NULL, 10);

    return len >= 1 && len <= 5 && port >= 1 && port <= 65535;
}

static enum status unknown_scheme(const char *url, struct err *err)
{
    bool plain = strncmp(url, "tcp://", 6) == 0;
    bool tls = strncmp(url, "ssl://", 6) == 0 || strncmp(url, "tls://", 6) == 0;

    if (plain || tls) {
        return err_set(err, ST_INVALID, "must begin with %s instead of %.6s",
                       tls ? "mqtts://" : "mqtt://", url);
    }
    return err_set(err, ST_INVALID, "must begin with mqtt://, mqtts://, ws:// or wss://");
}

/* At the host of a URL. Returns what follows host and port, which go to *out_host and *out_port
 * (absent: none is said); NULL: *err says what is wrong. */
static const char *split_authority(const char *text, struct slice *out_host,
                                   struct slice *out_port, struct err *err)
{
    const char *end;

    *out_host = (struct slice){text, host_length(text)};
    *out_port = SLICE_NONE;
    if (out_host->len == 0) {
        (void)err_set(err, ST_INVALID, "needs a host: a name, an IPv4 address or [ipv6]");
        return NULL;
    }
    end = text + out_host->len;
    if (*end != ':') {
        return end;
    }
    *out_port = (struct slice){end + 1, strspn(end + 1, "0123456789")};
    if (!is_port(out_port->data, out_port->len)) {
        (void)err_set(err, ST_INVALID, "needs a port from 1 to 65535 behind the colon");
        return NULL;
    }
    return out_port->data + out_port->len;
}

enum status config_normalise_server(const char *url, struct buf *out, struct err *err)
{
    struct slice host, port;
    const char *path;
    size_t i = 0;

    /* First of all, so that no later message shows what may be a password. */
    if (strchr(url, '@')) {
        return err_set(
            err, ST_INVALID,
            "must not contain a user or password; use mqtt.username and mqtt.password");
    }
    while (i < COUNT_OF(schemes) &&
           strncmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) != 0) {
        i++;
    }
    if (i == COUNT_OF(schemes)) {
        return unknown_scheme(url, err);
    }
    path = split_authority(url + strlen(schemes[i].prefix), &host, &port, err);
    if (!path) {
        return ST_INVALID;
    }
    if (!port.data) {
        port = slice_of(schemes[i].port);
    }
    if (path[0] != '\0' && strcmp(path, "/") != 0 &&
        (!schemes[i].has_path || path[0] != '/' || strpbrk(path, "?# "))) {
        return err_set(err, ST_INVALID, "must end behind the %s",
                       schemes[i].has_path ? "path" : "port");
    }
    buf_addf(out, "%s%.*s:%.*s%s", schemes[i].prefix, SLICE_ARG(host), SLICE_ARG(port),
             schemes[i].has_path ? path : "");
    return ST_OK;
}

/* Behind https:// or http://; NULL: it begins with neither. */
static const char *behind_scheme(const char *url)
{
    size_t tls = slice_starts_with(slice_of(url), SLICE("https://")) ? 8 : 0;

    return tls || slice_starts_with(slice_of(url), SLICE("http://")) ? url + (tls ? tls : 7)
                                                                     : NULL;
}

enum status config_check_url(const char *url, struct err *err)
{
    const char *authority = behind_scheme(url), *path;
    struct slice host, port;

    if (!utf8_is_fit(slice_of(url))) {
        return err_set(err, ST_INVALID, "must not contain control characters");
    }
    if (strchr(url, '@')) {
        return err_set(err, ST_INVALID, "must not hold a user, a password or any other @");
    }
    if (!authority) {
        return err_set(err, ST_INVALID, "must begin with https:// or http://");
    }
    path = split_authority(authority, &host, &port, err);
    if (!path) {
        return ST_INVALID;
    }
    if ((path[0] != '\0' && path[0] != '/') || strpbrk(path, "?# ")) {
        return err_set(err, ST_INVALID, "must end behind the path, without ?, # or blanks");
    }
    return ST_OK;
}

bool config_url_in_clear(const char *url)
{
    struct net_address address = {.family = NET_IPV4};
    struct slice host, port;

    if (!slice_starts_with(slice_of(url), SLICE("http://")) ||
        !split_authority(behind_scheme(url), &host, &port, NULL)) {
        return false;
    }
    if (host.data[0] == '[') {
        address.family = NET_IPV6;
        host = (struct slice){host.data + 1, host.len - 2};
    }
    if (host.len >= sizeof(address.host)) {
        return true;
    }
    memcpy(address.host, host.data, host.len);
    return !net_is_loopback(&address);
}

static enum status check_name(const char *text, struct err *err)
{
    if (text[strspn(text, ALPHANUMERIC "._-")] != '\0' || strchr("._-", text[0])) {
        return err_set(
            err, ST_INVALID,
            "must begin with a letter or digit and contain only letters, digits and . _ -");
    }
    return ST_OK;
}

static enum status check_topic(const char *text, struct err *err)
{
    if (strpbrk(text, "+#")) {
        return err_set(err, ST_INVALID, "must not contain the wildcards + and #");
    }
    if (text[0] == '$') {
        return err_set(err, ST_INVALID, "must not begin with $: such topics are the broker's");
    }
    return ST_OK;
}

static enum status check_level(const char *text, struct err *err)
{
    if (strpbrk(text, "+#/")) {
        return err_set(
            err, ST_INVALID,
            "must not contain +, # or /: it is one level of the bridge's own topics");
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
        return err_set(
            err, ST_INVALID,
            "must contain # for a hex digit or ? for a decimal one, 1 to 32 of them");
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
        return err_set(err, ST_INVALID, "must not contain control characters");
    }
    return check_type(type, text.data, err);
}
