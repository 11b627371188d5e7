/*
 * The certificates of the listeners: whether they can be used, and what clients will say to them.
 *
 * An outdated certificate does not keep the bridge from starting, which still has a backlog to
 * deliver, and the right time may still have to come from the network; `check` calls it a fault.
 */
#include <stdio.h>

#include <sys/stat.h>

#include "common/clock.h"

#include "bridge/config/internal.h"
#include "bridge/tls/tls.h"

void config_warn_if_world_readable(const char *setting, const char *file,
                                   struct config_faults *faults)
{
    struct stat info;

    if (file && stat(file, &info) == 0 && (info.st_mode & S_IROTH)) {
        config_warn(faults, setting, "every user of this machine can read %s; chmod o-r helps",
                    file);
    }
}

static bool inspect(const struct config_tls *tls, struct tls_report *report)
{
    struct tls_files files = {.cert_file = tls->cert_file,
                              .key_file = tls->key_file,
                              .client_ca_file = tls->client_ca_file};

    if (tls->cert_file) {
        tls_inspect(&files, clock_unix_ms(), report);
    }
    return tls->cert_file != NULL;
}

static void report_finding(const char *path, const struct tls_finding *finding,
                           struct config_faults *faults)
{
    struct reader reader = {.faults = faults};

    buf_addf(&reader.path, "%s.%s", path, finding->key);
    if (finding->severity == TLS_WARNING) {
        config_warn(faults, reader_path(&reader), "%s", finding->why.text);
    } else {
        reader_miss(&reader, "%s", finding->why.text);
    }
    buf_free(&reader.path);
}

/* Those findings that are outdated, or all others. */
static void check_files(const struct config_tls *tls, const char *path, bool outdated,
                        struct config_faults *faults)
{
    struct tls_report report;

    if (inspect(tls, &report)) {
        for (size_t i = 0; i < report.count; i++) {
            if ((report.findings[i].severity == TLS_OUTDATED) == outdated) {
                report_finding(path, &report.findings[i], faults);
            }
        }
    }
}

static void check_listener(const struct config_tls *tls, const char *path,
                           struct config_faults *faults)
{
    char setting[64];

    if (config_is_faulty(faults, path)) {
        return;
    }
    check_files(tls, path, false, faults);
    (void)snprintf(setting, sizeof(setting), "%s.%s", path,
                   tls->key_file ? "key_file" : "cert_file");
    config_warn_if_world_readable(setting, tls->key_file ? tls->key_file : tls->cert_file,
                                  faults);
}

void config_check_tls(const struct config *config, struct config_faults *faults)
{
    check_listener(&config->ingress.tls, "ingress.tls", faults);
    check_listener(&config->admin.tls, "admin.tls", faults);
}

void config_check_tls_dates(const struct config *config, struct config_faults *faults)
{
    check_files(&config->ingress.tls, "ingress.tls", true, faults);
    check_files(&config->admin.tls, "admin.tls", true, faults);
}
