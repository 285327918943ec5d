/*
 * Random differential tester of user-mode instructions against the CPU of the host: shared pieces.
 *
 * A test is a state (registers, x87, MMX and SSE state, a piece of memory) and 1 to 8 instructions.
 * The same bytes at the same linear addresses run on the host (diff_host.c, in 32-bit compatibility
 * mode of an x86-64 Linux process) and on the core (diff_core.c), and all state is compared.
 * Test number n of a seed depends on the seed and n only, so a single test can be run again.
 */
#ifndef OXBOW_TESTS_DIFF_H
#define OXBOW_TESTS_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/decode.h"

/* Linear addresses, the same on both sides; everything else is not mapped. */
enum {
    CODE_LA = 0x10000000, CODE_SIZE = 0x2000, /* readable and executable */
    WIN_LA = 0x20000000, WIN_SIZE = 0x2000,   /* readable and writable, zero but for: */
    FILL_AT = 0xe00, FILL_SIZE = 0x400,       /* what a test puts there */
    RO_LA = WIN_LA + WIN_SIZE, RO_SIZE = 0x1000,
    EXIT_LA = 0x30000000, EXIT_SIZE = 0x2000, /* way back to the tester: no test may touch it */
    KERNEL_LA = 0x60000000, KERNEL_SIZE = 0x10000, /* tables and handlers of the core: neither */
};

/* Selectors of the host's kernel, and the local table both sides get. */
enum {
    SEL_USER32 = 0x23, SEL_USER_DS = 0x2b, SEL_USER64 = 0x33,
    LDT_DATA = 0, LDT_RO, LDT_DOWN32, LDT_DOWN16, LDT_PAGES, LDT_ABSENT, LDT_EXEC, LDT_CODE32,
    LDT_CODE16, LDT_STACK16, LDT_WRAP, LDT_COUNT,
};
#define LDT_SEL(n) ((n) << 3 | 7)

/* The order of the first 64 bytes is known to the assembly in diff_host.c. */
struct diff_state {
    uint32_t r[8]; /* in order of the register numbers */
    uint32_t eip, eflags;
    uint32_t sel[6]; /* SEG_ES .. SEG_GS */
    uint8_t fx[512]; /* FXSAVE image */
};

/* Offsets in the FXSAVE image. */
enum { FX_CW = 0, FX_SW = 2, FX_TAGS = 4, FX_MXCSR = 24, FX_ST = 32, FX_XMM = 160, FX_END = 288 };

enum { TRAP_NONE = 0xff, TRAP_HANG = 0xfe, TRAP_CRASH = 0xfd };

struct diff_result {
    struct diff_state s;
    unsigned trap; /* exception vector, or TRAP_ */
    uint32_t err, cr2;
};

enum { DIFF_MAX_INSNS = 8, DIFF_MAX_CODE = 160, EXIT_BYTES = 8 };

/* What is known about the values at one point of a test. */
struct diff_taint {
    uint16_t flags; /* EFLAGS bits that the manual leaves undefined */
    uint16_t fsw;   /* the same of the status word */
};

struct diff_hole {
    uint32_t at;
    unsigned len;
};

struct diff_test {
    struct diff_state before;
    uint8_t fill[FILL_SIZE];
    uint32_t code_la;            /* of the first instruction */
    bool code16;                 /* CS is a 16-bit segment */
    uint32_t cs_base;
    uint8_t code[DIFF_MAX_CODE]; /* instructions, NOP, far jump to EXIT_LA */
    unsigned n;                  /* instructions */
    uint8_t at[DIFF_MAX_INSNS + 2]; /* offset in code[] of each, of the NOP, of the jump */
    unsigned len;                /* of all of code[] */
    /* found while planning */
    struct diff_taint taint[DIFF_MAX_INSNS + 1]; /* before instruction k */
    struct decoded d[DIFF_MAX_INSNS];
    bool traps;                  /* ends in an exception */
    unsigned nholes;
    struct diff_hole hole[4];    /* memory that is not compared */
    struct diff_hole image;      /* big operand of the last instruction: touched in any order */
    bool approximate;            /* the last instruction rounds in its own way */
    unsigned ulp;                /* x87: units in the last place */
};

/* Memory outside of fill[] back to zero. */
void diff_clear_window(uint8_t *window);

/* --- host (diff_host.c) ---------------------------------------------------------------------- */

struct diff_host;
/* NULL, with the reason, where the host cannot run 32-bit code. */
struct diff_host *host_new(const char **why);
void host_free(struct diff_host *h);
void host_run(struct diff_host *h, const struct diff_test *t, struct diff_result *r);
/* Memory at WIN_LA, and the read-only page behind it. */
uint8_t *host_window(struct diff_host *h);
/* What LAR and LSL say of a GDT selector; false when they refuse. */
bool host_selector(unsigned sel, uint32_t *access, uint32_t *limit);
struct ldt_entry {
    uint32_t base, limit;
    bool code, big, pages, absent, read_exec_only, down;
};
const struct ldt_entry *diff_ldt(unsigned n);

/* --- core (diff_core.c) ---------------------------------------------------------------------- */

struct diff_core;
struct diff_core *core_new(bool generic_only);
void core_free(struct diff_core *c);
uint8_t *core_window(struct diff_core *c);
/* State, memory and code of the test. */
void core_load(struct diff_core *c, const struct diff_test *t);
/* The code of the test has changed, behind what has been executed. */
void core_set_code(struct diff_core *c, const struct diff_test *t);
uint32_t core_reg(const struct diff_core *c, unsigned r);
uint32_t core_segment_base(const struct diff_core *c, unsigned seg);
/* Executes one instruction, all iterations if `rep`; false when it raised an exception. */
bool core_step(struct diff_core *c, bool rep, uint32_t *eip, unsigned *cs);
/* Runs to the end of the loaded test, in traces. */
void core_run(struct diff_core *c);
void core_result(const struct diff_core *c, struct diff_result *r);
/* Where the far jump at the end of the test is. */
uint32_t diff_end(const struct diff_test *t);

/* --- generator (diff_gen.c) ------------------------------------------------------------------ */

enum diff_class {
    CLASS_INT, CLASS_STRING, CLASS_SYS, CLASS_SEG, CLASS_X87, CLASS_TRANS, CLASS_MMX, CLASS_SSE,
    CLASS_SSE2, CLASS_SSE3, CLASS_APPROX, CLASS_MIX, CLASS_UD, CLASS_COUNT
};
const char *diff_class_name(unsigned class);

struct diff_gen;
struct diff_gen *gen_new(uint64_t seed);
void gen_free(struct diff_gen *g);
/* Makes test number n of a class; leaves it loaded in the core and executed up to its end. */
void gen_test(struct diff_gen *g, struct diff_core *c, unsigned class, uint64_t number,
              struct diff_test *t);
/* Has the instruction one right result, the flags that it reads being what they are? */
bool diff_comparable(const struct diff_taint *t, const struct decoded *d, const uint8_t *code);
/* NOP and far jump behind the instructions. */
void diff_finish(struct diff_test *t);
/* Reserved bytes that a host of our day knows as an instruction. */
bool diff_extension(const uint8_t *code, unsigned nprefix);
/* Executes instruction k of the test on the core, finds what is undefined after it. */
enum plan { PLAN_NEXT, PLAN_END, PLAN_DROP };
enum plan diff_plan(struct diff_core *c, struct diff_test *t, unsigned k);

#endif
