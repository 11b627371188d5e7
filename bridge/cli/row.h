/*
 * row - one row of the outbox as text: a line of columns, all that is known, or JSON. Pure.
 */
#ifndef BRIDGE_CLI_ROW_H
#define BRIDGE_CLI_ROW_H

#include "bridge/event.h"

enum row_state { ROW_UNDELIVERED, ROW_DELIVERED, ROW_DEAD };

enum row_state row_state(bool dead, bool delivered);

/* Lines of aligned columns, line end included. What a peer sent is made safe for a terminal. */
void row_add_heading(struct buf *out, bool dead);
void row_add_columns(struct buf *out, const struct event *event, enum row_state state);
/* Lines of `name: value`, then the body. Safe for a terminal. */
void row_add_details(struct buf *out, const struct event *event, enum row_state state);
/* One object, no line end. */
void row_add_json(struct buf *out, const struct event *event, enum row_state state,
                  bool with_body);

#endif
