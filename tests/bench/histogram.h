/*
 * histogram - counts durations to within 3 %: 32 steps for each doubling.
 */
#ifndef TESTS_BENCH_HISTOGRAM_H
#define TESTS_BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 5,
    HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS,
    HISTOGRAM_DOUBLINGS = 40
};

/* Zero-initialised is empty. */
struct histogram {
    uint64_t total;
    int64_t max;
    uint64_t counts[HISTOGRAM_DOUBLINGS * HISTOGRAM_STEPS];
};

/* Each value below HISTOGRAM_STEPS has a step of its own; above, the top bits of the value
 * choose the step. */
static inline size_t histogram_step(uint64_t value)
{
    int shift = 0;

    while (value >> shift >= 2 * HISTOGRAM_STEPS) {
        shift++;
    }
    return (size_t)shift * HISTOGRAM_STEPS + (size_t)(value >> shift);
}

static inline void histogram_add(struct histogram *h, int64_t value)
{
    size_t step = histogram_step(value > 0 ? (uint64_t)value : 0);

    if (step >= HISTOGRAM_DOUBLINGS * HISTOGRAM_STEPS) {
        step = HISTOGRAM_DOUBLINGS * HISTOGRAM_STEPS - 1;
    }
    h->counts[step]++;
    h->total++;
    if (value > h->max) {
        h->max = value;
    }
}

/* The value that this part (0 to 1) of all values does not exceed; 0 if it is empty. */
static inline int64_t histogram_at(const struct histogram *h, double part)
{
    double wanted = part * (double)h->total;
    uint64_t seen = 0;

    for (size_t step = 0; step < HISTOGRAM_DOUBLINGS * HISTOGRAM_STEPS; step++) {
        seen += h->counts[step];
        if (h->counts[step] > 0 && (double)seen >= wanted) {
            size_t shift = step < 2 * HISTOGRAM_STEPS ? 0 : step / HISTOGRAM_STEPS - 1;

            return (int64_t)((step - shift * HISTOGRAM_STEPS) << shift);
        }
    }
    return 0;
}

#endif
