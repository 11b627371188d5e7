/*
 * nearest - "did you mean": of the words that would be right, the one closest to what was
 * written. Pure; any thread.
 *
 *   struct nearest near = {.text = key};
 *   for (...)
 *       nearest_offer(&near, name);
 *   printf("no such key%s\n", nearest_question(&near, "", text));
 */
#ifndef COMMON_NEAREST_H
#define COMMON_NEAREST_H

#include "common/buf.h"

struct nearest {
    struct slice text; /* borrowed: what was written */
    const char *word;  /* borrowed: the closest so far; NULL while none is close enough */
    unsigned distance;
};

/* Close enough: at most one edit (a letter more, less, other, or two swapped) for each three
 * letters of the word, but always one. ASCII case does not count. */
void nearest_offer(struct nearest *near, const char *word);

enum { NEAREST_TEXT_SIZE = 96 };
/* `, did you mean WORD?`, with quote on either side of the word; "" if none was close enough.
 * Returns out_text. */
const char *nearest_question(const struct nearest *near, const char *quote,
                             char out_text[NEAREST_TEXT_SIZE]);

#endif
