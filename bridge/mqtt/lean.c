/*
 * Paho's two diagnostic modules, replaced at link time (PAHO=lean).
 *
 * Debian builds Paho with its heap tracker and its call tracer compiled in: every allocation
 * takes a lock, a second allocation and a tree insertion, every function entry and exit a lock
 * and a table write. They are most of what a message costs. This file defines what the rest of
 * libpaho-mqtt3cs.a calls of those modules (Heap.c, StackTrace.c) as plain malloc and as
 * nothing. It is linked as an object before the archive, so that the archive's own members are
 * never pulled in: no symbol is defined twice, nothing is patched. Should another Paho version
 * call more of them, the link fails with a duplicate symbol and says which to add here.
 *
 * The prototypes are Paho's (src/Heap.h, src/StackTrace.h of 1.3.12); those headers are not
 * installed.
 */
#include <stdlib.h>

void *mymalloc(char *file, int line, size_t size);
void *myrealloc(char *file, int line, void *memory, size_t size);
void myfree(char *file, int line, void *memory);
int Heap_initialize(void);
void Heap_terminate(void);
void StackTrace_entry(const char *name, int line, int trace_level);
void StackTrace_exit(const char *name, int line, void *return_value, int trace_level);

/* Small structures start zeroed: MQTTPacket_connack leaves the properties of a two-byte CONNACK
 * unset (a broker that only knows 3.1.1 sends one to an MQTT 5 client) and then frees what they
 * happen to point to. */
enum { ZEROED_UP_TO = 512 };

void *mymalloc(char *file, int line, size_t size)
{
    (void)file;
    (void)line;
    return size <= ZEROED_UP_TO ? calloc(1, size) : malloc(size);
}

void *myrealloc(char *file, int line, void *memory, size_t size)
{
    (void)file;
    (void)line;
    return realloc(memory, size);
}

void myfree(char *file, int line, void *memory)
{
    (void)file;
    (void)line;
    free(memory);
}

int Heap_initialize(void)
{
    return 0;
}

void Heap_terminate(void)
{
}

void StackTrace_entry(const char *name, int line, int trace_level)
{
    (void)name;
    (void)line;
    (void)trace_level;
}

void StackTrace_exit(const char *name, int line, void *return_value, int trace_level)
{
    (void)name;
    (void)line;
    (void)return_value;
    (void)trace_level;
}
