/*
 * Whoever asks for a reload wants to know what became of it, and a signal brings no answer back.
 * So the bridge leaves the verdict of each reload, with the time when it began, in the folder that
 * the service manager made for it; who asked waits for one that began later than the question. No
 * setting is involved on the way, because a reload may be about any of them.
 *
 * If the verdict cannot be written, who asked hears nothing and says so.
 */
#include "bridge/daemon/internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"

enum {
    MAX_VERDICT_BYTES = 64,
    LOOK_MS = 20,
    WAIT_MS = 60000, /* below systemd's own 90 s */
};

#define ACCEPTED "accepted"
#define REFUSED  "refused"

/* systemd.exec(5): RUNTIME_DIRECTORY; the first, if there are several. False: there is none. */
static bool verdict_path(struct buf *out)
{
    const char *folder = getenv("RUNTIME_DIRECTORY");

    if (!folder || folder[0] != '/') {
        return false;
    }
    buf_add(out, folder, strcspn(folder, ":"));
    buf_add_str(out, "/reload");
    return true;
}

static enum status write_verdict(const char *path, const char *text, struct err *err)
{
    struct file_draft *draft = NULL;
    bool synced;
    enum status st = file_draft_open(path, &draft, err);

    if (st == ST_OK) {
        st = file_draft_put(draft, slice_of(text), &synced, err);
    }
    file_draft_close(draft);
    return st;
}

void daemon_verdict_put(int64_t begun_us, bool accepted)
{
    char text[MAX_VERDICT_BYTES];
    struct buf path = {0};
    struct err err = {0};

    (void)snprintf(text, sizeof(text), "%lld %s\n", (long long)begun_us,
                   accepted ? ACCEPTED : REFUSED);
    if (verdict_path(&path) && write_verdict(path.data, text, &err) != ST_OK) {
        log_warn("the verdict of the reload could not be written", L_STR("error", err.text));
    }
    buf_free(&path);
}

/* True: a reload that began at asked_us or later is over. */
static bool read_verdict(const char *path, int64_t asked_us, bool *out_accepted)
{
    struct buf text = {0};
    struct err err;
    char *word = NULL;
    bool found = false;

    if (file_read_regular(path, MAX_VERDICT_BYTES, &text, &err) == ST_OK && text.len > 0) {
        found = strtoll(text.data, &word, 10) >= asked_us;
    }
    if (found) {
        *out_accepted = strcmp(word, " " ACCEPTED "\n") == 0;
    }
    buf_free(&text);
    return found;
}

static enum status wait_for_verdict(const char *path, pid_t pid, int64_t asked_us,
                                    struct err *err)
{
    const struct timespec turn = {.tv_nsec = LOOK_MS * 1000000L};
    bool accepted = false;

    while (!read_verdict(path, asked_us, &accepted)) {
        if (kill(pid, 0) != 0) {
            return err_set(err, ST_CLOSED, "the bridge has ended");
        }
        if (clock_mono_us() - asked_us > WAIT_MS * INT64_C(1000)) {
            return err_set(err, ST_UNREACHABLE, "no verdict in %s within %d s", path,
                           WAIT_MS / 1000);
        }
        (void)nanosleep(&turn, NULL);
    }
    return accepted
               ? ST_OK
               : err_set(err, ST_INVALID,
                         "the bridge has refused the configuration, and keeps the old one; "
                         "its log says why");
}

enum status daemon_ask_reload(pid_t pid, struct err *err)
{
    struct buf path = {0};
    int64_t asked_us = clock_mono_us();
    enum status st;

    if (!verdict_path(&path)) {
        st = err_set(err, ST_INVALID,
                     "RUNTIME_DIRECTORY is not set: this is for ExecReload= of a service");
    } else if (kill(pid, SIGHUP) != 0) {
        st = err_set_errno(err, ST_IO, errno, "signal process %d", (int)pid);
    } else {
        st = wait_for_verdict(path.data, pid, asked_us, err);
    }
    buf_free(&path);
    return st;
}
