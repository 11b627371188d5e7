/*
 * The environment file: `NAME=value` lines in systemd's format (systemd.exec(5), EnvironmentFile=),
 * so that one file serves the bridge, its commands and others.
 *
 * - # or ; at the beginning of a line makes it a comment; `export ` before a name is ignored
 * - 'text' is taken as it is; in "text" a backslash before " \ ` $ or the end of the line is
 *   removed, and so is any in text without quotes
 * - blanks around a value and between quoted parts do not count
 *
 * It is read again with each configuration. What the process was started with wins. A line that
 * cannot be understood is a fault at FILE:LINE.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libgen.h>
#include <sys/stat.h>

#include "common/file.h"

#include "bridge/config/internal.h"

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789"

enum { MAX_FILE_BYTES = 256 << 10 }; /* far beyond what anybody writes by hand */

struct variable {
    char *name, *value;
};

struct environment {
    char *path;
    bool unreadable; /* it is there, and a variable that is not set may be in it */
    struct variable *variables;
    size_t count;
};

/* Process-wide, as the environment is, and for the main thread. */
static const char *named_file; /* by -e */
static struct buf exported; /* the names that config_export_environment has set, a line each */

void config_use_environment(const char *path)
{
    named_file = path;
}

bool config_is_variable_name(struct slice name)
{
    bool fits = name.len > 0 && !strchr("0123456789", name.data[0]);

    for (size_t i = 0; fits && i < name.len; i++) {
        fits = name.data[i] != '\0' && strchr(NAME_CHARS, name.data[i]);
    }
    return fits;
}

/* ---- the text ---- */

struct scanner {
    const char *at, *end;
    int line;
    struct environment *environment;
    struct reader *reader;
};

static bool at_end(const struct scanner *scanner)
{
    return scanner->at == scanner->end;
}

static bool at_newline(const struct scanner *scanner)
{
    return at_end(scanner) || *scanner->at == '\n' || *scanner->at == '\r';
}

static char next(struct scanner *scanner)
{
    scanner->line += *scanner->at == '\n';
    return *scanner->at++;
}

static void skip_blanks(struct scanner *scanner)
{
    while (!at_end(scanner) && (*scanner->at == ' ' || *scanner->at == '\t')) {
        scanner->at++;
    }
}

static void skip_line(struct scanner *scanner)
{
    while (!at_newline(scanner)) {
        scanner->at++;
    }
}

static void complain(const struct scanner *scanner, int line, const char *what)
{
    struct buf place = {0};

    buf_addf(&place, "%s:%d", scanner->environment->path, line);
    if (scanner->reader->partial) {
        config_warn(scanner->reader->faults, place.data, "%s", what);
    } else {
        config_fault(scanner->reader->faults, place.data, "%s", what);
    }
    buf_free(&place);
}

/* Up to the =, which is taken. False: not one, which was said. */
static bool scan_name(struct scanner *scanner, struct slice *out_name)
{
    const char *begin = scanner->at;
    struct slice name;

    while (!at_newline(scanner) && *scanner->at != '=') {
        scanner->at++;
    }
    name = slice_trim((struct slice){begin, (size_t)(scanner->at - begin)}, " \t");
    if (slice_starts_with(name, SLICE("export "))) {
        name = slice_trim(slice_from(name, strlen("export ")), " \t");
    }
    if (at_newline(scanner)) {
        complain(scanner, scanner->line, "must be NAME=value");
        return false;
    }
    scanner->at++;
    if (!config_is_variable_name(name)) {
        complain(scanner, scanner->line,
                 "the name before = must have letters, digits and _ only");
        return false;
    }
    *out_name = name;
    return true;
}

/* Behind the opening quote, up to behind the closing one. */
static bool scan_quoted(struct scanner *scanner, char quote, struct buf *out)
{
    int begin = scanner->line;

    while (!at_end(scanner)) {
        char c = next(scanner);

        if (c == quote) {
            return true;
        }
        if (c == '\\' && quote == '"' && !at_end(scanner)) {
            c = next(scanner);
            if (!strchr("\"\\`$\n", c)) {
                buf_add_char(out, '\\');
            }
            if (c == '\n') {
                continue;
            }
        }
        buf_add_char(out, c);
    }
    complain(scanner, begin, "a quote is opened here and not closed");
    return false;
}

/* Without quotes a value goes on to the end of the line. */
static void scan_plain(struct scanner *scanner, struct buf *out)
{
    size_t significant = out->len;

    while (!at_newline(scanner)) {
        char c = next(scanner);

        if (c == '\\' && !at_end(scanner)) {
            c = next(scanner);
            if (c == '\r' && !at_end(scanner) && *scanner->at == '\n') {
                c = next(scanner);
            }
            if (c != '\n') {
                buf_add_char(out, c);
            }
            significant = out->len;
            continue;
        }
        buf_add_char(out, c);
        significant = c == ' ' || c == '\t' ? significant : out->len;
    }
    out->len = significant;
}

static bool scan_value(struct scanner *scanner, struct buf *out)
{
    skip_blanks(scanner);
    while (!at_newline(scanner)) {
        char c = *scanner->at;

        if (c != '\'' && c != '"') {
            scan_plain(scanner, out);
        } else if (next(scanner), !scan_quoted(scanner, c, out)) {
            return false;
        }
        skip_blanks(scanner);
    }
    return true;
}

static struct variable *find(const struct environment *environment, struct slice name)
{
    for (size_t i = 0; i < environment->count; i++) {
        if (slice_equal(slice_of(environment->variables[i].name), name)) {
            return &environment->variables[i];
        }
    }
    return NULL;
}

/* Takes value. The last of several counts. */
static void put(struct environment *environment, struct slice name, char *value)
{
    struct variable *found = find(environment, name);

    if (found) {
        free(found->value);
    } else {
        environment->variables =
            xrealloc(environment->variables,
                     (environment->count + 1) * sizeof(environment->variables[0]));
        found = &environment->variables[environment->count++];
        found->name = strndup(name.data, name.len);
        CHECK(found->name);
    }
    found->value = value;
}

static void scan_assignment(struct scanner *scanner)
{
    struct slice name = SLICE_NONE;
    struct buf value = {0};
    int line = scanner->line;

    if (!scan_name(scanner, &name) || !scan_value(scanner, &value)) {
        buf_wipe(&value);
        return;
    }
    buf_add_str(&value, ""); /* terminated, also where it has been cut */
    value.data[value.len] = '\0';
    if (memchr(value.data, '\0', value.len)) {
        complain(scanner, line, "the value must not contain a NUL byte");
        buf_wipe(&value);
        return;
    }
    put(scanner->environment, name, buf_take(&value));
}

static void scan(struct scanner *scanner)
{
    while (!at_end(scanner)) {
        skip_blanks(scanner);
        if (!at_newline(scanner) && *scanner->at != '#' && *scanner->at != ';') {
            scan_assignment(scanner);
        }
        skip_line(scanner);
        if (!at_end(scanner)) {
            next(scanner);
        }
    }
}

/* ---- the file ---- */

/* The one named, or `environment` beside the configuration. Gives memory for free. */
static char *file_beside(const char *config_path)
{
    struct buf path = {0};
    char *copy;

    if (named_file) {
        return xstrdup(named_file);
    }
    copy = xstrdup(config_path);
    buf_addf(&path, "%s/environment", dirname(copy));
    free(copy);
    return buf_take(&path);
}

/* Only a file that was named has to be there. One that only others may read may still have been
 * given to the bridge, by systemd. */
static void say_unread(struct environment *environment, struct reader *reader, enum status st,
                       const struct err *err)
{
    environment->unreadable = st != ST_NOT_FOUND;
    if (named_file) {
        config_fault(reader->faults, environment->path, "cannot be read: %s",
                     config_without_name(err->text, environment->path));
        reader->faults->items[reader->faults->count - 1].outside = true;
    } else if (st != ST_NOT_FOUND) {
        config_warn(reader->faults, environment->path, "cannot be read: %s",
                    config_without_name(err->text, environment->path));
    }
}

static void warn_of_mode(const char *path, struct config_faults *faults)
{
    struct stat info;

    if (stat(path, &info) == 0 && (info.st_mode & S_IROTH)) {
        config_warn(faults, path, "every user of this machine can read it; chmod o-r helps");
    }
}

struct environment *config_read_environment(const char *config_path, struct reader *reader)
{
    struct environment *environment = xalloc(sizeof(*environment));
    struct scanner scanner = {.line = 1, .environment = environment, .reader = reader};
    struct buf text = {0};
    struct err err = {0};
    enum status st;

    environment->path = file_beside(config_path);
    buf_reserve(&text, MAX_FILE_BYTES); /* so that no copies stay behind when it grows */
    st = file_read_regular(environment->path, MAX_FILE_BYTES, &text, &err);
    if (st == ST_OK) {
        scanner.at = text.data;
        scanner.end = text.data + text.len;
        scan(&scanner);
        warn_of_mode(environment->path, reader->faults);
    } else {
        say_unread(environment, reader, st, &err);
    }
    buf_wipe(&text);
    return environment;
}

void config_environment_free(struct environment *environment)
{
    for (size_t i = 0; environment && i < environment->count; i++) {
        struct variable *variable = &environment->variables[i];

        explicit_bzero(variable->value, strlen(variable->value));
        free(variable->value);
        free(variable->name);
    }
    if (environment) {
        free(environment->variables);
        free(environment->path);
        free(environment);
    }
}

/* ---- the variables ---- */

static bool was_exported(const char *name)
{
    const char *at = exported.data;
    size_t len = strlen(name);

    while (at && *at) {
        if (strncmp(at, name, len) == 0 && at[len] == '\n') {
            return true;
        }
        at = strchr(at, '\n') + 1;
    }
    return false;
}

const char *config_environment_get(const struct environment *environment, const char *name)
{
    const char *own = was_exported(name) ? NULL : getenv(name);
    const struct variable *found =
        environment && !own ? find(environment, slice_of(name)) : NULL;

    return found ? found->value : own;
}

const char *config_environment_hint(const struct environment *environment)
{
    return environment && environment->unreadable ? environment->path : NULL;
}

void config_export_environment(const char *config_path)
{
    struct config_faults faults = {0};
    struct reader reader = {.faults = &faults, .partial = true};
    struct environment *environment = config_read_environment(config_path, &reader);

    for (size_t i = 0; i < environment->count; i++) {
        const struct variable *variable = &environment->variables[i];

        if (!getenv(variable->name)) {
            CHECK(setenv(variable->name, variable->value, 0) == 0);
            buf_addf(&exported, "%s\n", variable->name);
        }
    }
    config_environment_free(environment);
    config_faults_free(&faults);
}
