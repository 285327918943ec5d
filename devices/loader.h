/*
 * Direct kernel boot: Linux bzImage and multiboot ELF, started by a small option ROM of ours.
 *
 * The firmware runs as usual (so the kernel finds its tables and services) and reaches INT 19h,
 * which the ROM has hooked.  The ROM writes to LOADER_PORT; the loader then puts kernel, initial
 * RAM disk and parameters into guest memory and answers where to jump.  Protocols: Linux
 * Documentation/x86/boot.rst, Multiboot Specification 0.6.96.
 */
#ifndef OXBOW_DEVICES_LOADER_H
#define OXBOW_DEVICES_LOADER_H

#include "devices/sched.h"
#include "memory/base.h"
#include "memory/bus.h"
#include "memory/err.h"

/*
 * 32-bit port of the ROM.  Writing LOADER_ASK_KIND makes the next read give the kind (1 Linux: real
 * mode; 2 multiboot: flat 32-bit).  Any other write loads; then reads give in turn: kind, then
 * Linux: real-mode segment; multiboot: entry EIP, EBX.
 */
#define LOADER_PORT 0x5e0
#define LOADER_ASK_KIND 1

enum loader_kind { LOADER_NONE, LOADER_LINUX, LOADER_MULTIBOOT };

/* A piece of a multiboot kernel, or its module: bytes, then zeros up to memsz. */
struct loader_part {
    uint32_t to, memsz, filesz;
    const uint8_t *src;
};

enum { LOADER_PARTS = 64 };

struct loader {
    enum loader_kind kind;
    uint8_t *kernel, *initrd;
    char *cmdline;
    size_t kernel_len, initrd_len;
    uint64_t ram_size;
    struct bus *mem;
    /* Where everything goes, settled when the machine is made: */
    uint32_t initrd_at;
    uint32_t entry, block; /* multiboot; the block is stack, information structure and its data */
    struct loader_part part[LOADER_PARTS];
    unsigned parts;
    uint32_t answer[4]; /* what the ROM reads next */
    uint32_t answers, next;
    /* The last load: what it answered, and the icount from which on another one copies again. */
    uint32_t start[4];
    uint32_t starts;
    uint64_t again;
    const struct sched *sched;
};

/* Copies what it needs; checks that the kernel is one.  No kernel: kind stays LOADER_NONE. */
bool loader_init(struct loader *l, struct bus *mem, uint64_t ram_size, const void *kernel,
                 size_t kernel_len, const void *initrd, size_t initrd_len, const char *cmdline,
                 struct err *e);
void loader_free(struct loader *l);
bool loader_map(struct loader *l, struct bus *io, const struct sched *sched);
/* The processor was reset: the next write copies. */
void loader_reset(struct loader *l);
#endif
