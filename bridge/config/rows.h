/*
 * config_settings_rows - what the rows of the settings table are written with; for
 * config_settings*.c only.
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
#define IN_CONFIG(member) .offset = offsetof(struct config, member)
#define IN_SOURCE(member) .offset = offsetof(struct config_source, member)
#define IN_DESCRIPTION(member)                                                                 \
    .in_description = true, .offset = offsetof(struct config_description, member)
#define IN_SAMPLE(member) .offset = offsetof(struct config_sample, member)

#define RANGE(low, high) .min = (low), .max = (high)

/* The table is these two, one behind the other. */
extern const struct setting settings_of_bridge[], settings_of_source[];
extern const size_t settings_of_bridge_count, settings_of_source_count;

#endif
