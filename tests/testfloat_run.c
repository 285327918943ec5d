/*
 * Runs Berkeley TestFloat cases ("function.rounding[.pPRECISION].txt.gz", one case per line:
 * operands, result, flags in hexadecimal) against the soft-float.
 *
 * Usage: testfloat_run DIR.  Prints "file passed/total" and the first differences of each file;
 * status 0 if all pass or DIR does not exist, 1 on a difference, 2 if a file cannot be read.
 * TestFloat knows no denormal-operand flag, so that one is not compared.
 */
#define _XOPEN_SOURCE 700
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "cpu/softfloat.h"
#include "tests/vectors.h"

#define MAX_SHOWN 3

/* One number of a case; extF80 has its sign and exponent in `high`. */
struct value {
    uint64_t low;
    uint16_t high;
};

typedef struct value operation(const struct value *in, struct sf_status *s);

static struct f80 as_f80(struct value v)
{
    return (struct f80){ v.low, v.high };
}

static struct value from_f80(struct f80 a)
{
    return (struct value){ a.sig, a.sexp };
}

static struct value from_bits(uint64_t bits)
{
    return (struct value){ bits, 0 };
}

static struct value extf80_rem(const struct value *in, struct sf_status *s)
{
    struct f80 a = as_f80(in[0]), b = as_f80(in[1]), r = a;
    unsigned quotient;
    while (!f80_fprem1(a, b, &r, &quotient, s)) {
        a = r;
    }
    return from_f80(r);
}

#define F80_2(name)                                                                              \
    static struct value extf80_##name(const struct value *in, struct sf_status *s)              \
    {                                                                                            \
        return from_f80(f80_##name(as_f80(in[0]), as_f80(in[1]), s));                            \
    }
#define F80_1(name)                                                                              \
    static struct value extf80_##name(const struct value *in, struct sf_status *s)              \
    {                                                                                            \
        return from_f80(f80_##name(as_f80(in[0]), s));                                           \
    }
#define F80_TO(name, mask)                                                                       \
    static struct value extf80_##name(const struct value *in, struct sf_status *s)              \
    {                                                                                            \
        return from_bits((uint64_t)f80_##name(as_f80(in[0]), s) & (mask));                       \
    }
#define TO_F80(name, call)                                                                       \
    static struct value name(const struct value *in, struct sf_status *s)                        \
    {                                                                                            \
        (void)s;                                                                                 \
        return from_f80(call);                                                                   \
    }
#define BITS(name, call)                                                                         \
    static struct value name(const struct value *in, struct sf_status *s)                        \
    {                                                                                            \
        return from_bits(call);                                                                  \
    }
#define ARITHMETIC(f, uint)                                                                      \
    BITS(run_##f##_add, f##_add((uint)in[0].low, (uint)in[1].low, s))                            \
    BITS(run_##f##_sub, f##_sub((uint)in[0].low, (uint)in[1].low, s))                            \
    BITS(run_##f##_mul, f##_mul((uint)in[0].low, (uint)in[1].low, s))                            \
    BITS(run_##f##_div, f##_div((uint)in[0].low, (uint)in[1].low, s))                            \
    BITS(run_##f##_sqrt, f##_sqrt((uint)in[0].low, s))                                           \
    BITS(run_##f##_eq, f##_cmp((uint)in[0].low, (uint)in[1].low, SF_CMP_EQ, s))                  \
    BITS(run_##f##_lt, f##_cmp((uint)in[0].low, (uint)in[1].low, SF_CMP_LT, s))                  \
    BITS(run_##f##_le, f##_cmp((uint)in[0].low, (uint)in[1].low, SF_CMP_LE, s))                  \
    BITS(run_##f##_to_i32, (uint32_t)f##_to_i32((uint)in[0].low, s))                             \
    BITS(run_##f##_to_i64, (uint64_t)f##_to_i64((uint)in[0].low, s))                             \
    BITS(run_##f##_round, f##_rint((uint)in[0].low, s))                                          \
    BITS(run_i32_to_##f, f##_from_i32((int32_t)(uint32_t)in[0].low, s))                          \
    BITS(run_i64_to_##f, f##_from_i64((int64_t)in[0].low, s))                                    \
    TO_F80(run_##f##_to_extf80, f80_from_##f((uint)in[0].low, s))

F80_2(add)
F80_2(sub)
F80_2(mul)
F80_2(div)
F80_1(sqrt)
F80_1(rint)
F80_TO(to_f32, UINT32_MAX)
F80_TO(to_f64, UINT64_MAX)
F80_TO(to_i32, UINT32_MAX)
F80_TO(to_i64, UINT64_MAX)
BITS(extf80_eq, f80_compare(as_f80(in[0]), as_f80(in[1]), true, s) == SF_EQUAL)
BITS(extf80_lt, f80_compare(as_f80(in[0]), as_f80(in[1]), false, s) == SF_LESS)
BITS(extf80_le, f80_compare(as_f80(in[0]), as_f80(in[1]), false, s) <= SF_EQUAL)
TO_F80(i32_to_extf80, f80_from_i64((int32_t)(uint32_t)in[0].low))
TO_F80(i64_to_extf80, f80_from_i64((int64_t)in[0].low))
ARITHMETIC(f32, uint32_t)
ARITHMETIC(f64, uint64_t)
BITS(run_f32_to_f64, f32_to_f64((uint32_t)in[0].low, s))
BITS(run_f64_to_f32, f64_to_f32(in[0].low, s))

#define ROWS(f)                                                                                  \
    { #f "_add", 2, run_##f##_add }, { #f "_sub", 2, run_##f##_sub },                            \
    { #f "_mul", 2, run_##f##_mul }, { #f "_div", 2, run_##f##_div },                            \
    { #f "_sqrt", 1, run_##f##_sqrt }, { #f "_eq", 2, run_##f##_eq },                            \
    { #f "_lt", 2, run_##f##_lt }, { #f "_le", 2, run_##f##_le },                                \
    { #f "_to_i32", 1, run_##f##_to_i32 }, { #f "_to_i64", 1, run_##f##_to_i64 },                \
    { #f "_roundToInt", 1, run_##f##_round }, { "i32_to_" #f, 1, run_i32_to_##f },               \
    { "i64_to_" #f, 1, run_i64_to_##f }, { #f "_to_extF80", 1, run_##f##_to_extf80 }

static const struct function {
    const char *name;
    int operands;
    operation *run;
} functions[] = {
    { "extF80_add", 2, extf80_add },
    { "extF80_sub", 2, extf80_sub },
    { "extF80_mul", 2, extf80_mul },
    { "extF80_div", 2, extf80_div },
    { "extF80_rem", 2, extf80_rem },
    { "extF80_sqrt", 1, extf80_sqrt },
    { "extF80_roundToInt", 1, extf80_rint },
    { "extF80_to_f32", 1, extf80_to_f32 },
    { "extF80_to_f64", 1, extf80_to_f64 },
    { "extF80_to_i32", 1, extf80_to_i32 },
    { "extF80_to_i64", 1, extf80_to_i64 },
    { "extF80_eq", 2, extf80_eq },
    { "extF80_lt", 2, extf80_lt },
    { "extF80_le", 2, extf80_le },
    { "i32_to_extF80", 1, i32_to_extf80 },
    { "i64_to_extF80", 1, i64_to_extf80 },
    { "f32_to_f64", 1, run_f32_to_f64 },
    { "f64_to_f32", 1, run_f64_to_f32 },
    ROWS(f32),
    ROWS(f64),
};

/* Finds the function and the modes in a file name; NULL if the name is none of ours. */
static const struct function *parse_name(const char *file, struct sf_status *s)
{
    static const char *const roundings[] = { "near_even", "min", "max", "minMag" };
    char name[64], rounding[64], precision[64] = "p80.";
    const struct function *found = NULL;

    memset(s, 0, sizeof *s);
    s->masks = SF_ALL;
    s->prec = SF_PREC64;
    s->round = 0xff;
    if (strstr(file, ".txt.gz") == NULL ||
        sscanf(file, "%63[^.].%63[^.].%63[^.]", name, rounding, precision) < 2) {
        return NULL;
    }
    if (strcmp(precision, "p32") == 0) {
        s->prec = SF_PREC24;
    } else if (strcmp(precision, "p64") == 0) {
        s->prec = SF_PREC53;
    }
    for (size_t i = 0; i < sizeof roundings / sizeof *roundings; i++) {
        if (strcmp(rounding, roundings[i]) == 0) {
            s->round = (uint8_t)i;
        }
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(name, functions[i].name) == 0) {
            found = &functions[i];
        }
    }
    return s->round == 0xff ? NULL : found;
}

static struct value parse_value(const char *hex)
{
    struct value v = { 0, 0 };
    for (; *hex != '\0'; hex++) {
        const char digit[2] = { *hex, '\0' };
        v.high = (uint16_t)(v.high << 4 | v.low >> 60);
        v.low = v.low << 4 | strtoul(digit, NULL, 16);
    }
    return v;
}

static unsigned testfloat_flags(unsigned flags)
{
    return ((flags & SF_INEXACT) != 0 ? 1u : 0) | ((flags & SF_UNDERFLOW) != 0 ? 2u : 0) |
           ((flags & SF_OVERFLOW) != 0 ? 4u : 0) | ((flags & SF_DIVZERO) != 0 ? 8u : 0) |
           ((flags & SF_INVALID) != 0 ? 16u : 0);
}

static bool run_case(const struct function *f, struct sf_status s, const char *line, bool show)
{
    char field[4][32] = { "", "", "", "" };
    struct value in[2] = { { 0, 0 }, { 0, 0 } };

    if (sscanf(line, "%31s %31s %31s %31s", field[0], field[1], field[2], field[3]) !=
        f->operands + 2) {
        printf("  malformed line: %s", line);
        return false;
    }
    for (int i = 0; i < f->operands; i++) {
        in[i] = parse_value(field[i]);
    }
    struct value want = parse_value(field[f->operands]), got = f->run(in, &s);
    unsigned want_flags = (unsigned)strtoul(field[f->operands + 1], NULL, 16);
    unsigned got_flags = testfloat_flags(s.flags);
    if (got.low == want.low && got.high == want.high && got_flags == want_flags) {
        return true;
    }
    if (show) {
        printf("  %s %s: want %s flags %02X, got %04X%016llX flags %02X\n", field[0],
               f->operands == 2 ? field[1] : "", field[f->operands], want_flags, got.high,
               (unsigned long long)got.low, got_flags);
    }
    return false;
}

/* 0 all passed, 1 some did not, 2 unreadable; runs the first of each `every` lines */
int testfloat_file(const char *dir, const char *file, long every)
{
    struct sf_status s;
    const struct function *f = parse_name(file, &s);
    char path[1024], line[256];
    long passed = 0, total = 0, seen = 0;

    if (f == NULL) {
        printf("%s: unknown function or rounding\n", file);
        return 2;
    }
    snprintf(path, sizeof path, "%s/%s", dir, file);
    gzFile in = gzopen(path, "rb");
    if (in == NULL) {
        printf("%s: cannot be read\n", path);
        return 2;
    }
    while (gzgets(in, line, sizeof line) != NULL) {
        if (seen++ % every == 0) {
            passed += run_case(f, s, line, total - passed < MAX_SHOWN);
            total++;
        }
    }
    bool damaged = gzclose(in) != Z_OK;
    printf("%s %ld/%ld\n", file, passed, total);
    return damaged || total == 0 ? 2 : passed != total;
}

#ifndef TESTFLOAT_NO_MAIN
static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
    char *names[1024];
    size_t count = 0;
    int status = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: testfloat_run DIR\n");
        return 2;
    }
    DIR *dir = opendir(argv[1]);
    if (dir == NULL) {
        printf("%s: no such directory, TestFloat cases skipped\n", argv[1]);
        return 0;
    }
    for (struct dirent *e; count < 1024 && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] != '.') {
            names[count++] = strdup(e->d_name);
        }
    }
    closedir(dir);
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        int result = testfloat_file(argv[1], names[i], 1);
        status = result > status ? result : status;
        free(names[i]);
    }
    return status;
}
#endif
