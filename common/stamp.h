/*
 * stamp - has a file changed? Its identity, size and times tell, without reading it.
 *
 * Take it before you read the file, so that a write in between is found the next time.
 */
#ifndef COMMON_STAMP_H
#define COMMON_STAMP_H

#include <stdbool.h>
#include <time.h>

#include <sys/types.h>

/* Zeroed: never taken; it differs from every stamp that was. */
struct stamp {
    bool taken;
    dev_t device; /* this and all that follows is 0 if there is no such file */
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

/* Any thread. Follows symbolic links. */
struct stamp stamp_of(const char *file);
bool stamp_equal(const struct stamp *a, const struct stamp *b);

#endif
