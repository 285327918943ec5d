/*
 * Pieces of the vector runner: one reader per file format, a common tally.
 *
 * A reader counts every case of its file in exactly one of passed, failed and skipped; skipped
 * cases carry a reason and are listed with it.
 */
#ifndef OXBOW_TESTS_VECTORS_H
#define OXBOW_TESTS_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpu;

#define VEC_SHOWN 5
#define VEC_REASONS 16

struct tally {
    const char *file;
    long passed, total; /* of the cases that were run */
    long skipped;
    long seen;     /* cases of the file so far */
    struct {
        const char *why;
        long count;
    } reason[VEC_REASONS];
};

/* What the command line chose. */
struct vec_options {
    const char *model; /* -cpu */
    bool generic_only;
    long shown;        /* differing cases printed per file */
    long every;        /* of n cases the first is run: a fixed sample for slow hosts; 1: all */
    bool list_skipped; /* print the number of each skipped case */
};

/* A whole file, unpacked. */
struct vec_data {
    uint8_t *bytes;
    size_t size;
};
bool vec_read_file(const char *path, struct vec_data *d);

/* Whether the next case of the file is in the sample; call once per case. */
bool vec_wanted(struct tally *t, const struct vec_options *o);
/* Counts the present case as skipped. */
void vec_skip(struct tally *t, const char *why, const struct vec_options *o);
/* Counts a case; true when its differences are to be printed. */
bool vec_count(struct tally *t, bool passed, const struct vec_options *o);

/* A CPU over `ram` bytes of memory at physical 0 and a port bus without devices. */
struct vec_machine {
    struct cpu *cpu;
    struct bus *mem, *io;
    uint8_t *ram;
    size_t size;
};
bool vec_machine_new(struct vec_machine *m, size_t ram, const struct vec_options *o);
void vec_machine_free(struct vec_machine *m);
/* Executes one instruction (of a REP string one iteration, or more) at c->eip. */
void vec_step(struct cpu *c);

/* Readers: false when the file is damaged. */
bool vec_native(const struct vec_data *d, struct tally *t, const struct vec_options *o);
bool vec_moo(const struct vec_data *d, struct tally *t, const struct vec_options *o);
/* 0 all passed, 1 some did not, 2 unreadable (testfloat_run.c). */
int testfloat_file(const char *dir, const char *file, long every);

#endif
