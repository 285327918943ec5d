/*
 * Trace cache: straight runs of decoded records, keyed by physical address and mode word.
 *
 * A trace is a pure function of (code bytes, entry, mode): up to TRACE_MAX instructions, through
 * not-taken conditional branches, within one page.  An instruction that crosses a page, or code
 * that is not in plain memory, runs from a scratch trace that is decoded every time.  Links: a
 * branch's `link` is its own stub record until first use; within a page it then is the target's
 * first record, across pages the stub becomes an xlink with a generation check, so nothing is ever
 * searched for and unlinked.
 */
#ifndef OXBOW_CPU_TRACE_H
#define OXBOW_CPU_TRACE_H

#include "cpu/exec.h"
#include "cpu/handlers.h"

/* With cpu_config.counting: what a record does when it has been counted. */
struct insn_count {
    op_fn exec;
    uint8_t operands; /* in memory */
    uint8_t event;    /* enum cpu_event plus 1, 0: none */
};

/* As many 128-byte lines a trace can touch. */
#define LINE_SHIFT 7
#define TRACE_LINES (((TRACE_MAX * DECODE_MAX_LEN + (1 << LINE_SHIFT) - 2) >> LINE_SHIFT) + 1)

struct trace {
    uint64_t pa;      /* of the first byte */
    struct trace *hash_next;
    struct trace *line_next[TRACE_LINES]; /* of the lines that the bytes touch, from the first on */
    uint16_t end;     /* offset in the page behind the last byte */
    const uint8_t *page; /* host address of the page */
    uint32_t *code;   /* line mask of the page, NULL when the memory never changes (ROM) */
    uint32_t lines;   /* 128-byte lines of the page that the bytes touch */
    uint32_t mode;
    uint32_t branches; /* bit k: instruction k is a direct branch */
    uint32_t imm32;    /* bit k: imm of record k is what the last four bytes of instruction k say */
    struct insn_count *count; /* one per instruction, behind the records; NULL unless counting */
    uint8_t last_kind; /* enum translate_kind of the last instruction */
    uint8_t n;        /* instructions */
    uint8_t nrec;     /* records: instructions, fall, stubs */
    bool cached;      /* false: scratch trace, never linked to */
    bool dead;
    uint16_t pgoff[TRACE_MAX + 1]; /* offset in the page of each instruction, and of the end */
    struct insn rec[];
};

#define TRACE_RECORDS_MAX (2 * TRACE_MAX + 2)

ALWAYS_INLINE struct trace *insn_trace(const struct insn *i)
{
    return CONTAINER_OF(i - i->idx, struct trace, rec);
}

/* The page_eip an xlink is valid for; it sits in the register bytes of the record. */
ALWAYS_INLINE uint32_t xlink_source(const struct insn *i)
{
    uint32_t v;
    memcpy(&v, &i->dst, sizeof v);
    return v;
}

/*
 * Branch target relative to the page that executes, truncated to the operand size (a16 = 16-bit).
 */
ALWAYS_INLINE uint64_t branch_eip(const struct cpu *c, const struct insn *i)
{
    uint32_t t = (uint32_t)c->page_eip + i->imm;
    return i->a16 ? t & 0xffff : t;
}

/* A near transfer whose target is c->eip; the instruction has been charged. */
struct insn *exec_indirect(struct cpu *c, struct insn *i);
/* The same at a boundary that the run loop has no use for (exec.c). */
struct insn *exec_resume(struct cpu *c);
/* Time is up (or something is pending) at a taken direct branch: leave at its target. */
struct insn *exec_event(struct cpu *c, struct insn *i);

bool trace_cache_new(struct cpu *c);
void trace_cache_free(struct cpu *c);
/* Flush asked for while traces may be running; done by the run loop. */
bool trace_flush_pending(const struct cpu *c);
void trace_flush_now(struct cpu *c);

/*
 * First record of the trace at c->eip in c->mode (plus `extra` mode bits); sets c->page_eip.  When
 * the bytes cannot be fetched the fault has been delivered and c->leave is returned.
 */
struct insn *trace_lookup(struct cpu *c, uint32_t extra);

/*
 * The record at which c->part goes on, NULL: there is none (a damaged state, another address).  Any
 * number of traces up to TRACE_MAX may then be built before a trace is freed.
 */
struct insn *trace_inside(struct cpu *c);
/* Makes sure of that. */
void trace_reserve(struct cpu *c);

struct insn *x_stub(struct cpu *c, struct insn *i);
struct insn *x_stale(struct cpu *c, struct insn *i);
struct insn *x_xlink_miss(struct cpu *c, struct insn *i);

/*
 * Decoded instruction to record (translate.c).  Fills everything but idx, link, pgoff.  Branch
 * targets are left as page offsets in imm.  pgoff: offset of the instruction (bytes) in its page.
 */
enum translate_kind {
    TR_PLAIN,  /* goes on with the next instruction */
    TR_BRANCH, /* needs a stub; goes on when not taken */
    TR_JUMP,   /* needs a stub; nothing follows */
    TR_END,    /* ends the trace; a fall record follows (AT_END instructions) */
    TR_STOP,   /* ends the trace; nothing follows (indirect transfers) */
    TR_ALONE,  /* REP: a trace of its own; a fall record follows */
};
enum translate_kind translate(const struct cpu *c, const struct decoded *d, uint32_t mode,
                              unsigned pgoff, const uint8_t *bytes, struct insn *i);
/* Record that raises #UD (or #GP for over-long instructions). */
enum translate_kind translate_fault(unsigned vector, struct insn *i);

op_fn generic_handler(unsigned id);

/* --- counting (count.c) --- */

void count_insn(struct insn_count *n, const struct decoded *d);
/* All records of a finished trace are counted from now on. */
void count_trace(struct trace *t);
/* Counts an execution of i and says how to go on with it. */
ALWAYS_INLINE op_fn insn_counted(struct cpu *c, const struct insn *i)
{
    const struct insn_count *n = &insn_trace(i)->count[i->idx];

    c->st.trace_entries += i->idx == 0;
    c->st.memory_operands += n->operands;
    if (n->event) {
        c->st.events[n->event - 1][c->cpl]++;
    }
    return n->exec;
}
/* The handler that does so (fast.c). */
op_fn counting_handler(void);

#endif
