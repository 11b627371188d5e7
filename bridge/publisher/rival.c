/* link.c reports and says it. A message that takes the connection with it, a broker that restarts and
 * a line that fails do not look so: something is unanswered, or the next connect fails. */
#include "bridge/publisher/rival.h"

enum {
    LOSSES_TO_SAY = 3,
    SHORT_MS = 60000, /* a connection that lasted longer is none of these */
    SAY_AGAIN_MS = 600000,
};

void rival_connected(struct rival *rival, unsigned tries, int64_t now_ms)
{
    rival->connected_ms = now_ms;
    rival->first_try = tries <= 1;
}

bool rival_lost(struct rival *rival, int reason, bool served, int64_t now_ms)
{
    if (reason != 0 || now_ms - rival->connected_ms >= SHORT_MS || !rival->first_try) {
        rival->losses = 0;
        return false;
    }
    if (!served) {
        return false; /* says nothing either way */
    }
    rival->losses++;
    if (rival->losses < LOSSES_TO_SAY ||
        (rival->told && now_ms - rival->told_ms < SAY_AGAIN_MS)) {
        return false;
    }
    rival->told = true;
    rival->told_ms = now_ms;
    return true;
}
