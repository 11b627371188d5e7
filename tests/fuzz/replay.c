/*
 * Runs a fuzz target on the files that are named: `make test` replays the corpora with it, built by
 * the usual compiler.
 */
#include <stdint.h>
#include <stdio.h>

#include "common/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 1024 * 1024 };

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        static char data[MAX_BYTES];
        FILE *file = fopen(argv[i], "rb");
        size_t size;

        CHECK(file != NULL);
        size = fread(data, 1, sizeof(data), file);
        CHECK(ferror(file) == 0 && fclose(file) == 0);
        (void)LLVMFuzzerTestOneInput((const uint8_t *)data, size);
    }
    (void)printf("%d\n", argc - 1);
    return 0;
}
