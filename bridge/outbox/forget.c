/*
 * The operation that forgets states, in steps of one bounded transaction each. It only removes rows,
 * so it may go on when the disk is full. What can fail is as in operation.c: without room to write
 * it ends early, any other failure is final.
 */
#include "bridge/outbox/internal.h"

#include <stdio.h>

#include "common/log.h"

enum { STEP_TOPICS = 256 };

struct step {
    const struct slice *topics;
    size_t count, done_count;
    bool found[STEP_TOPICS];
};

static enum status forget(struct outbox *ob, struct step *step, struct err *err)
{
    enum status st = store_begin(ob->writer, true, err);

    for (size_t i = 0; i < step->count && st == ST_OK; i++) {
        st = store_forget_state(ob->writer, step->topics[i], &step->found[i], err);
    }
    if (st == ST_OK) {
        st = store_commit(ob->writer, err);
    }
    if (st != ST_OK) {
        store_rollback(ob->writer);
    }
    return st;
}

static void count(struct outbox_operation_result *result, const struct step *step)
{
    for (size_t i = 0; i < step->count; i++) {
        if (step->found[i]) {
            result->done_count++;
            log_info("state forgotten", L_SLICE("topic", step->topics[i]));
        } else {
            result->skipped_count++;
            (void)snprintf(result->why, sizeof(result->why), "no state is known at this topic");
        }
    }
}

enum status outbox_forget_step(struct outbox *ob, struct operation *operation,
                               bool *out_finished, struct err *err)
{
    const struct store_selection *selection = &operation->selection;
    size_t left = selection->topic_count - (size_t)operation->cursor;
    struct step step = {.topics = selection->topics + operation->cursor,
                        .count = left < STEP_TOPICS ? left : STEP_TOPICS};
    enum status st = forget(ob, &step, err);

    if (st == ST_OK) {
        count(&operation->result, &step);
        operation->cursor += step.count;
    } else {
        operation->result.status = st;
        (void)snprintf(operation->result.why, sizeof(operation->result.why), "%.*s",
                       (int)sizeof(operation->result.why) - 1, err->text);
    }
    *out_finished = st != ST_OK || operation->cursor == selection->topic_count;
    return outbox_can_retry(st) && !store_sync_failed(ob->writer) ? ST_OK : st;
}
