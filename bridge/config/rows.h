/*
 * rows - what the rows of the settings table are written with; for rows_*.c and settings.c
 * only.
 */
#ifndef BRIDGE_CONFIG_ROWS_H
#define BRIDGE_CONFIG_ROWS_H

#include "bridge/config/config.h"
#include "bridge/config/settings.h"

#define KIB(n)   ((int64_t)(n) << 10)
#define MIB(n)   ((int64_t)(n) << 20)
#define GIB(n)   ((int64_t)(n) << 30)
#define SEC(n)   ((int64_t)(n)*1000)
#define HOURS(n) SEC((n)*3600)
#define DAYS(n)  HOURS((int64_t)(n)*24)

/* Where a setting is stored. */
#define STORED(in, type, member)                                                               \
    .home = (in), .offset = offsetof(type, member),                                            \
    .size = sizeof(__typeof__(((type *)NULL)->member))
#define CONFIG(member)   STORED(HOME_CONFIG, struct config, member)
#define SOURCE(member)   STORED(HOME_SOURCE, struct config_source, member)
#define PROVIDER(member) STORED(HOME_PROVIDER, struct provider, member)
#define SAMPLE(member)   STORED(HOME_SAMPLE, struct provider_sample, member)
/* A preset may set it, but it goes into the samples. */
#define NOWHERE .home = HOME_PROVIDER

/* Path, type, place, default (JSON, or NULL), least and most, help; then what else the row
 * says. */
#define ROW(row_path, row_type, place, row_default, low, high, row_help, ...)                  \
    {                                                                                          \
        .path = (row_path), .type = SETTING_##row_type, place, .default_json = (row_default),  \
        .min = (low), .max = (high), .help = row_help, __VA_ARGS__                             \
    }
/* An object; a preset may hold those of a source. */
#define OBJECT(row_home, row_path, row_help)                                                   \
    {                                                                                          \
        .path = (row_path), .type = SETTING_OBJECT, .home = (row_home), .help = row_help,      \
    }
/* One of a few words. */
#define WORD(row_path, place, words, row_help, ...)                                            \
    {                                                                                          \
        .path = (row_path), .type = SETTING_CHOICE, place, .choices = (words),                 \
        .help = row_help, __VA_ARGS__                                                          \
    }

/* The table is these two, one behind the other. */
extern const struct setting settings_of_bridge[], settings_of_source[];
extern const size_t settings_of_bridge_count, settings_of_source_count;

#endif
