/*
 * A listener's certificate while it runs.
 *
 * One thread looks at the files, once a second. A change is taken when the files have stood still
 * from one look to the next: whoever renews a certificate writes several files, one after the
 * other, and between them the key does not belong to the certificate. What cannot be used is tried
 * again when a file changes again, or after RETRY_MS; what lacked may have been a descriptor.
 *
 * The mutex guards everything but the listener's name; connections take it for a moment to get their
 * reference.
 */
#include "bridge/tls/internal.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <pthread.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/stamp.h"

enum {
    LOOK_EVERY_MS = 1000,
    RETRY_MS = 60 * 1000,
};

/* When each of the files was last changed. */
struct stamps {
    struct stamp file[3];
};

/* Files, and what was made of them. */
struct tls_next {
    struct tls_files files; /* borrows from names */
    char *names[3];
    struct stamps stamps; /* taken before the files were read */
    struct tls_context context;
};

struct tls {
    enum metric_listener listener;
    _Atomic int64_t next_look_ms;
    pthread_mutex_t mu;
    /* under mu */
    struct tls_next *used;
    struct stamps seen;   /* in the last look */
    struct stamps failed; /* could not be used */
    int64_t retry_ms;     /* when these are tried again */
};

static struct stamps take_stamps(const struct tls_files *files)
{
    const char *names[] = {files->cert_file, files->key_file, files->client_ca_file};
    struct stamps stamps = {0};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (names[i] != NULL) {
            stamps.file[i] = stamp_of(names[i]);
        }
    }
    return stamps;
}

static bool same_stamps(const struct stamps *a, const struct stamps *b)
{
    return stamp_equal(&a->file[0], &b->file[0]) && stamp_equal(&a->file[1], &b->file[1]) &&
           stamp_equal(&a->file[2], &b->file[2]);
}

/* --- what is made of files --- */

static char *copy_text(const char *text)
{
    return text != NULL ? xstrdup(text) : NULL;
}

void tls_drop(struct tls_next *next)
{
    if (next != NULL) {
        tls_context_fini(&next->context);
        for (size_t i = 0; i < COUNT_OF(next->names); i++) {
            free(next->names[i]);
        }
        free(next);
    }
}

static enum status load(const struct tls_files *files, struct tls_next **out_next,
                        struct err *err)
{
    struct tls_next *next = xalloc(sizeof(*next));
    struct tls_fault fault = {0};
    enum status st;

    next->stamps = take_stamps(files);
    st = tls_context_create(files, &next->context, &fault);
    if (st != ST_OK) {
        *err = fault.err;
        (void)err_wrap(err, "%s", fault.key);
        tls_drop(next);
        return st;
    }
    next->names[0] = copy_text(files->cert_file);
    next->names[1] = copy_text(files->key_file);
    next->names[2] = copy_text(files->client_ca_file);
    next->files = (struct tls_files){.cert_file = next->names[0],
                                     .key_file = next->names[1],
                                     .client_ca_file = next->names[2]};
    *out_next = next;
    return ST_OK;
}

/* What clients refuse must not replace what they accept. */
static enum status load_next(const struct tls_next *used, const struct tls_files *files,
                             struct tls_next **out_next, struct err *err)
{
    int64_t now_ms = clock_unix_ms();
    struct tls_next *next;
    enum status st = load(files, &next, err);

    if (st != ST_OK) {
        return st;
    }
    if (tls_is_outdated(&next->context, now_ms, err) &&
        !tls_is_outdated(&used->context, now_ms, NULL)) {
        tls_drop(next);
        (void)err_wrap(err, "cert_file: %s", files->cert_file);
        return ST_INVALID;
    }
    *out_next = next;
    return ST_OK;
}

/* --- in force --- */

static void log_use(const struct tls *tls, const char *msg)
{
    char when[CLOCK_TEXT_SIZE];
    struct err why;

    clock_format(tls->used->context.expires_ms, when);
    log_info(msg, L_STR("listener", metrics_listener_name(tls->listener)),
             L_STR("file", tls->used->files.cert_file), L_STR("expires", when));
    if (tls_is_outdated(&tls->used->context, clock_unix_ms(), &why)) {
        log_error("clients will refuse the certificate",
                  L_STR("listener", metrics_listener_name(tls->listener)),
                  L_STR("file", tls->used->files.cert_file), L_STR("why", why.text));
    }
    metrics_set_certificate(tls->listener, tls->used->context.expires_ms / 1000);
}

static void use(struct tls *tls, struct tls_next *next)
{
    tls_drop(tls->used);
    tls->used = next;
    tls->seen = next->stamps;
}

enum status tls_prepare(struct tls *tls, const struct tls_files *files,
                        struct tls_next **out_next, struct err *err)
{
    enum status st;

    CHECK(pthread_mutex_lock(&tls->mu) == 0);
    st = load_next(tls->used, files, out_next, err);
    CHECK(pthread_mutex_unlock(&tls->mu) == 0);
    return st;
}

void tls_put(struct tls *tls, struct tls_next *next)
{
    CHECK(pthread_mutex_lock(&tls->mu) == 0);
    use(tls, next);
    log_use(tls, "certificate read again");
    CHECK(pthread_mutex_unlock(&tls->mu) == 0);
}

static void take_change(struct tls *tls, const struct stamps *stamps, int64_t now_ms)
{
    bool again = same_stamps(stamps, &tls->failed);
    struct tls_next *next;
    struct err err;

    if (again && now_ms < tls->retry_ms) {
        return;
    }
    if (load_next(tls->used, &tls->used->files, &next, &err) == ST_OK) {
        use(tls, next);
        log_use(tls, "certificate read again");
        return;
    }
    tls->failed = *stamps;
    tls->retry_ms = now_ms + RETRY_MS;
    if (!again) {
        log_error("a certificate has changed but cannot be used; the old one stays",
                  L_STR("listener", metrics_listener_name(tls->listener)),
                  L_STR("error", err.text));
    }
}

static void look(struct tls *tls, int64_t now_ms)
{
    struct stamps stamps = take_stamps(&tls->used->files);
    bool stands_still = same_stamps(&stamps, &tls->seen);

    tls->seen = stamps;
    if (stands_still && !same_stamps(&stamps, &tls->used->stamps)) {
        take_change(tls, &stamps, now_ms);
    }
}

void tls_look(struct tls *tls, int64_t now_mono_ms)
{
    int64_t due_ms = atomic_load(&tls->next_look_ms);

    if (now_mono_ms >= due_ms && atomic_compare_exchange_strong(&tls->next_look_ms, &due_ms,
                                                                now_mono_ms + LOOK_EVERY_MS)) {
        CHECK(pthread_mutex_lock(&tls->mu) == 0);
        look(tls, now_mono_ms);
        CHECK(pthread_mutex_unlock(&tls->mu) == 0);
    }
}

struct ssl_ctx_st *tls_context(struct tls *tls)
{
    SSL_CTX *ctx;

    CHECK(pthread_mutex_lock(&tls->mu) == 0);
    ctx = tls->used->context.ctx;
    CHECK(SSL_CTX_up_ref(ctx) == 1);
    CHECK(pthread_mutex_unlock(&tls->mu) == 0);
    return ctx;
}

/* --- life --- */

enum status tls_open(enum metric_listener listener, const struct tls_files *files,
                     struct tls **out_tls, struct err *err)
{
    struct tls_next *next;
    struct tls *tls;
    enum status st = load(files, &next, err);

    if (st != ST_OK) {
        return err_wrap(err, "%s.tls", metrics_listener_name(listener));
    }
    tls = xalloc(sizeof(*tls));
    tls->listener = listener;
    CHECK(pthread_mutex_init(&tls->mu, NULL) == 0);
    use(tls, next);
    log_use(tls, "certificate read");
    *out_tls = tls;
    return ST_OK;
}

void tls_close(struct tls *tls)
{
    if (tls != NULL) {
        tls_drop(tls->used);
        CHECK(pthread_mutex_destroy(&tls->mu) == 0);
        free(tls);
    }
}
