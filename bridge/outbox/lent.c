/*
 * The held events that are on their way to the broker: a short list under read_mu. Nothing here can
 * fail.
 */
#include "bridge/outbox/internal.h"

bool outbox_is_lent(const struct outbox *ob, uint64_t seq)
{
    for (size_t i = 0; i < ob->lent_count; i++) {
        if (ob->lent[i] == seq) {
            return true;
        }
    }
    return false;
}

void outbox_unlend(struct outbox *ob, uint64_t seq)
{
    for (size_t i = 0; i < ob->lent_count; i++) {
        if (ob->lent[i] == seq) {
            ob->lent[i] = ob->lent[--ob->lent_count];
            return;
        }
    }
}

void outbox_lend(struct outbox *ob, uint64_t seq)
{
    if (ob->lent_count == ob->lent_room) {
        ob->lent_room = ob->lent_room == 0 ? 64 : 2 * ob->lent_room;
        ob->lent = xrealloc(ob->lent, ob->lent_room * sizeof(*ob->lent));
    }
    ob->lent[ob->lent_count++] = seq;
}
