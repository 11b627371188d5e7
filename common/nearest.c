/*
 * Damerau-Levenshtein distance, ASCII case ignored. Words longer than MAX_WORD are never close to
 * anything. Nothing can fail.
 */
#include "common/nearest.h"

#include <stdio.h>
#include <string.h>

enum {
    MAX_WORD = 64,
    MIN_BEGINNING = 3, /* letters that say which word was meant, though the rest is missing */
};

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Optimal string alignment, with only the last three rows of the matrix. */
static unsigned edit_distance(struct slice a, struct slice b)
{
    unsigned rows[3][MAX_WORD + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    for (unsigned j = 0; j <= b.len; j++) {
        before[j] = above[j] = j;
    }
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned *spare = before;
        char c = lower(a.data[i - 1]);

        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            char d = lower(b.data[j - 1]);

            row[j] = smaller(smaller(above[j], row[j - 1]) + 1, above[j - 1] + (c != d));
            if (i > 1 && j > 1 && c == lower(b.data[j - 2]) && d == lower(a.data[i - 2])) {
                row[j] = smaller(row[j], before[j - 2] + 1);
            }
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[b.len];
}

static bool is_beginning(struct slice text, struct slice word)
{
    return text.len >= MIN_BEGINNING && text.len < word.len &&
           slice_equal_nocase(text, (struct slice){word.data, text.len});
}

void nearest_offer(struct nearest *near, const char *word)
{
    struct slice known = slice_of(word);
    unsigned distance;

    if (near->text.len == 0 || near->text.len > MAX_WORD || known.len > MAX_WORD) {
        return;
    }
    distance = is_beginning(near->text, known) ? 1 : edit_distance(near->text, known);
    if (distance > 1 && distance > known.len / 3) {
        return;
    }
    if (!near->word || distance < near->distance) {
        near->word = word;
        near->distance = distance;
    }
}

const char *nearest_question(const struct nearest *near, const char *quote,
                             char out_text[NEAREST_TEXT_SIZE])
{
    out_text[0] = '\0';
    if (near->word) {
        /* It fits: words are no longer than MAX_WORD. */
        (void)snprintf(out_text, NEAREST_TEXT_SIZE, ", did you mean %s%s%s?", quote, near->word,
                       quote);
    }
    return out_text;
}
