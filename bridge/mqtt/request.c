/* What a connect asks Paho for: will, log-in, keep-alive, and the files of TLS, which are read each
 * time. */
#include "bridge/mqtt/internal.h"

#include <errno.h>

#include <unistd.h>

#include "common/authorities.h"

/* What OpenSSL says about our own files, which Paho loads. Paho's lock is held; the connecting thread
 * reads the text after its call. The first error is the cause. */
static int on_tls_error(const char *text, size_t len, void *context)
{
    struct attempt *attempt = context;

    if (attempt->why[0] == '\0') {
        mqtt_tls_reason(text, len, attempt->why, sizeof(attempt->why));
    }
    return 1;
}

/* The authorities, and our own certificate. One of the system's places may be missing, as a container
 * has only the bundle. */
static void choose_files(const struct mqtt_options *o, MQTTClient_SSLOptions *tls)
{
    struct authorities system = {NULL, NULL};

    if (o->ca_file == NULL) {
        (void)authorities_find(&system);
    }
    tls->trustStore = o->ca_file != NULL ? o->ca_file : system.bundle;
    tls->CApath = system.folder;
    tls->disableDefaultTrustStore = 1; /* these authorities, no others */
    tls->keyStore = o->cert_file;
    tls->privateKey = o->key_file;
    tls->privateKeyPassword = ""; /* so that OpenSSL never asks for one on a terminal */
}

enum status mqtt_request_check(const struct mqtt_options *o, struct err *err)
{
    MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;

    choose_files(o, &tls);
    if (tls.trustStore == NULL && tls.CApath == NULL) {
        return err_set(err, ST_UNREACHABLE,
                       "TLS: no authorities found on this system (mqtt.tls.ca_file)");
    }
    {
        const char *const files[] = {tls.trustStore, tls.keyStore, tls.privateKey};

        for (size_t i = 0; i < COUNT_OF(files); i++) {
            if (files[i] != NULL && access(files[i], R_OK) != 0) {
                return err_set_errno(err, ST_UNREACHABLE, errno, "TLS: read %s", files[i]);
            }
        }
    }
    return ST_OK;
}

MQTTResponse mqtt_request_connect(struct mqtt *mq, struct link *link, const struct plan *plan,
                                  struct attempt *attempt)
{
    const struct mqtt_options *o = &mq->options;
    const struct mqtt_request *request = plan->request;
    bool v5 = plan->version == MQTTVERSION_5;
    MQTTClient_connectOptions options5 = MQTTClient_connectOptions_initializer5;
    MQTTClient_connectOptions options4 = MQTTClient_connectOptions_initializer;
    MQTTClient_connectOptions options = v5 ? options5 : options4;
    MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
    MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
    MQTTResponse response = MQTTResponse_initializer;

    if (request->will != NULL) {
        will.topicName = request->will->topic;
        will.payload.data = request->will->payload.data;
        will.payload.len = (int)request->will->payload.len;
        will.retained = request->will->retain;
        will.qos = request->will->qos;
        options.will = &will;
    }
    choose_files(o, &tls);
    tls.enableServerCertAuth = 1;
    tls.verify = 1; /* the host name; off by default */
    tls.ssl_error_cb = on_tls_error;
    tls.ssl_error_context = attempt;
    options.MQTTVersion = plan->version;
    options.keepAliveInterval = plan->keep_alive_s;
    options.connectTimeout = o->connect_timeout_s;
    options.retryInterval = 0;
    /* The publisher has the window; when Paho's is full, Paho sleeps. */
    options.maxInflightMessages = MQTT_MAX_TOKEN;
    options.reliable = 0;
    options.ssl = &tls;
    options.username = plan->log_in ? o->username : NULL;
    options.binarypwd.data = plan->log_in ? request->password.data : NULL;
    options.binarypwd.len = plan->log_in ? (int)request->password.len : 0;
    if (v5) {
        return MQTTClient_connect5(link->client, &options, NULL, NULL);
    }
    response.reasonCode = MQTTClient_connect(link->client, &options);
    return response;
}
