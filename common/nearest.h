/*
 * nearest - "did you mean": of the valid words, the one closest to the word that was written.
 * Pure; any thread.
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
    struct slice text; /* borrowed: the word that was written */
    const char *word;  /* borrowed: the closest so far; NULL if none is close enough */
    unsigned distance;
};

/* Offers a valid word. Close enough is one edit (a letter more, less or different, or two swapped)
 * for every three letters of the word, and one in any case; three letters or more that the word
 * begins with are, too. ASCII case is ignored. */
void nearest_offer(struct nearest *near, const char *word);

enum { NEAREST_TEXT_SIZE = 96 };
/* `, did you mean WORD?`, with quote on either side of the word; "" if none was close enough.
 * Returns out_text. */
const char *nearest_question(const struct nearest *near, const char *quote,
                             char out_text[NEAREST_TEXT_SIZE]);

#endif
