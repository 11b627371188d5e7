/* Why a connection could not be set up, in words: the one cause, not a list of what it could be. The
 * parts were noted where they showed: dial.c (TCP), tls.c, upgrade.c, and seam.c (the answer to
 * CONNECT). */
#include "bridge/mqtt/internal.h"

#include <errno.h>
#include <string.h>

/* The reason code of MQTT 5 for a CONNACK of either version. */
static int connack_reason(int version, int code)
{
    static const int of_3_1_1[] = {0x00, 0x84, 0x85, 0x88, 0x86, 0x87};

    if (version == MQTTVERSION_5 && code >= 0x80) {
        return code;
    }
    return code < (int)COUNT_OF(of_3_1_1) ? of_3_1_1[code] : 0x80;
}

static enum status refused(const struct mqtt *mq, int code, int *out_reason, struct err *err)
{
    *out_reason = connack_reason(mq->options.version, code);
    if (*out_reason == 0x84) {
        return err_set(err, ST_REFUSED, "%s (mqtt.version)",
                       mq->options.version == MQTTVERSION_5 ? "it speaks MQTT 3.1.1 only"
                                                            : "it does not speak MQTT 3.1.1");
    }
    return err_set(err, ST_REFUSED, "%s", mqtt_reason_text(*out_reason));
}

static const char *waiting_for(enum stage stage)
{
    switch (stage) {
    case STAGE_TLS:
        return "the TLS handshake";
    case STAGE_UPGRADE:
        return "the WebSocket upgrade";
    case STAGE_CONNACK:
        break;
    }
    return "CONNECT";
}

enum status mqtt_cause(const struct mqtt *mq, const struct attempt *attempt, int rc,
                       int64_t took_ms, int *out_reason, struct err *err)
{
    const char *what = waiting_for(attempt->stage);
    int limit_s = mq->options.connect_timeout_s;

    if (rc > 0) {
        return refused(mq, rc, out_reason, err);
    }
    *out_reason = 0;
    if (attempt->why[0] != '\0') {
        return err_set(err, ST_UNREACHABLE, "%s", attempt->why);
    }
    if (atomic_load(&mq->stopping)) {
        return err_set(err, ST_UNREACHABLE, "given up: stopping");
    }
    if (attempt->closed) {
        *out_reason = attempt->stage == STAGE_CONNACK && !attempt->answered ? MQTT_HUNG_UP : 0;
        return err_set(err, ST_UNREACHABLE, "it closed the connection without an answer to %s",
                       what);
    }
    if (took_ms >= (int64_t)limit_s * 900) {
        return err_set(err, ST_UNREACHABLE, "no answer to %s within %d s", what, limit_s);
    }
    if (!mqtt_seam_is_there) {
        return err_set(
            err, ST_UNREACHABLE,
            "connection refused, name unknown, not MQTT, or its certificate does not hold");
    }
    return err_set(err, ST_UNREACHABLE, "no connection (Paho error %d)", rc);
}

static void add_cause(struct buf *out, const struct dial *dial, const struct dial_address *one)
{
    if (one->why[0] != '\0') {
        buf_addf(out, "%s: %s", one->text, one->why);
    } else if (one->sys_errno == ECONNREFUSED) {
        buf_addf(out, "connection refused by %s", one->text);
    } else if (one->sys_errno == ETIMEDOUT) {
        buf_addf(out, "no answer from %s within %d s", one->text,
                 (int)(dial->timeout_ms / 1000));
    } else {
        buf_addf(out, "%s: %s", one->text, strerror(one->sys_errno));
    }
}

enum status mqtt_cause_of_dial(const struct dial *dial, struct err *err)
{
    struct buf text = {0};
    enum status st;

    for (size_t i = 0; i < dial->count; i++) {
        const struct dial_address *one = &dial->addresses[i];

        if (one->sys_errno != 0 || one->why[0] != '\0') {
            buf_add_str(&text, text.len > 0 ? "; " : "");
            add_cause(&text, dial, one);
        }
    }
    st = err_set(err, ST_UNREACHABLE, "%s", text.len > 0 ? text.data : "no address");
    buf_free(&text);
    return st;
}
