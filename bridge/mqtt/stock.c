/* In the place of seam.c with PAHO=stock: the shared library cannot be given a socket, so Paho dials
 * and checks certificates by itself. It uses only the first address of a name, and says less about
 * failures. */
#include "bridge/mqtt/internal.h"

const bool mqtt_seam_is_there = false;

void mqtt_seam_enter(struct attempt *attempt)
{
    (void)attempt;
}

void mqtt_seam_leave(void)
{
}

void mqtt_seam_moved(int64_t mono_ms, int keep_alive_s)
{
    (void)mono_ms;
    (void)keep_alive_s;
}
