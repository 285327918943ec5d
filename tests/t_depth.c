/*
 * The host stack does not grow with what the guest executes: a billion instructions of loops,
 * calls, indirect jumps, misses of the fast layer and changing code, and a port that looks where
 * the stack is.
 */
#include "tests/cpu_fixture.h"

struct watch {
    uintptr_t low, high;
    unsigned calls;
};

static void look(void *dev, uint64_t off UNUSED, unsigned size UNUSED, uint64_t val UNUSED)
{
    struct watch *w = dev;
    volatile char here = 0;
    uintptr_t at = (uintptr_t)&here;

    w->low = w->calls ? MIN(w->low, at) : at;
    w->high = w->calls ? MAX(w->high, at) : at;
    w->calls++;
}

static const struct io_ops ops = {NULL, look, 1, 4, "stack watch"};

START_TEST(a_billion_instructions)
{
    static const uint8_t code[] = {
        0xbf, 0xfe, 0x5f, 0, 0,                   /*  0 mov edi, 5ffe: a dword across pages */
        0xb9, 0, 0, 1, 0,                         /*  5 L: mov ecx, 10000 */
        0xe8, 0x1e, 0, 0, 0,                      /* 10 M: call F */
        0x89, 0x0d, 0x17, 0x10, 0, 0,             /* 15 mov [1017], ecx: the next immediate */
        0x81, 0xc2, 0, 0, 0, 0,                   /* 21 add edx, imm */
        0xff, 0x07,                               /* 27 inc dword [edi] */
        0xbe, 0x28, 0x10, 0, 0,                   /* 29 mov esi, 1028 */
        0xff, 0xe6,                               /* 34 jmp esi */
        0x90, 0x90, 0x90, 0x90,                   /* 36 */
        0x49,                                     /* 40 dec ecx */
        0x75, 0xdf,                               /* 41 jnz M */
        0xeb, 0x0a,                               /* 43 jmp O */
        0x90, 0x90, 0x90,                         /* 45 */
        0x51,                                     /* 48 F: push ecx */
        0xd9, 0xe8,                               /* 49 fld1 */
        0xdd, 0xd8,                               /* 51 fstp st0 */
        0x59,                                     /* 53 pop ecx */
        0xc3,                                     /* 54 ret */
        0xe6, 0x10,                               /* 55 O: out 10, al */
        0xeb, 0xca,                               /* 57 jmp L */
    };
    struct fixture f = fix_new(false);
    struct watch w = {0, 0, 0};
    enum cpu_stop s;

    bus_map(f.io, 0x10, 1, &ops, &w, PRIO_DEVICE);
    fix_flat(&f, FIX_CODE, code, sizeof code);
    s = cpu_run(f.c, 1000000000u);
    ck_assert_int_eq(s, CPU_STOP_DEADLINE);
    ck_assert_uint_ge(cpu_icount(f.c), 1000000000u);
    ck_assert_uint_gt(w.calls, 900);
    ck_assert_uint_eq(w.low, w.high);
    fix_free(&f);
}
END_TEST

FIX_SUITE("depth", a_billion_instructions)
