/*
 * One stat(2); a file that cannot be looked at counts as none: reading it will tell why.
 */
#include "common/stamp.h"

#include <sys/stat.h>

struct stamp stamp_of(const char *file)
{
    struct stat info;

    if (stat(file, &info) != 0) {
        return (struct stamp){.taken = true};
    }
    return (struct stamp){.taken = true,
                          .device = info.st_dev,
                          .inode = info.st_ino,
                          .size = info.st_size,
                          .modified = info.st_mtim,
                          .changed = info.st_ctim};
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->taken == b->taken && a->device == b->device && a->inode == b->inode &&
           a->size == b->size && same_time(a->modified, b->modified) &&
           same_time(a->changed, b->changed);
}
