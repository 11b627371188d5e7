/* MQTT's reason codes in words, for logs and dead letters. What the bridge does about each is in
 * publisher/backoff.c. */
#include "bridge/mqtt/mqtt.h"

static const struct {
    int code;
    const char *text;
} reasons[] = {
    {MQTT_CUT, "the broker stopped reading"},
    {MQTT_HUNG_UP, "it closes the connection"},
    {0x00, "ok"},
    {0x10, "no matching subscribers"},
    {0x80, "unspecified error"},
    {0x81, "malformed packet"},
    {0x82, "protocol error"},
    {0x83, "implementation specific error"},
    {0x84, "unsupported protocol version"},
    {0x85, "client identifier not valid"},
    {0x86, "bad user name or password"},
    {0x87, "not authorized"},
    {0x88, "server unavailable"},
    {0x89, "server busy"},
    {0x8A, "banned"},
    {0x8B, "server shutting down"},
    {0x8C, "bad authentication method"},
    {0x8D, "keep alive timeout"},
    {0x8E, "session taken over by another client with the same client_id"},
    {0x90, "topic name invalid"},
    {0x91, "packet identifier in use"},
    {0x93, "receive maximum exceeded"},
    {0x94, "topic alias invalid"},
    {0x95, "packet too large"},
    {0x96, "message rate too high"},
    {0x97, "quota exceeded"},
    {0x98, "administrative action"},
    {0x99, "payload format invalid"},
    {0x9A, "retain not supported"},
    {0x9B, "QoS not supported"},
    {0x9C, "use another server"},
    {0x9D, "server moved"},
    {0x9F, "connection rate exceeded"},
    {0xA0, "maximum connect time"},
};

const char *mqtt_reason_text(int reason)
{
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (reasons[i].code == reason) {
            return reasons[i].text;
        }
    }
    return "unknown reason";
}
