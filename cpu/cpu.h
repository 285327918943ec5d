/*
 * The CPU as the board, the debugger and the tests see it.  Nothing of the execution core shows
 * here.
 *
 * The CPU owns no clock: it counts retired instructions (a REP iteration counts one), and the board
 * turns that into time.  Interrupts, deadlines and stops take effect at trace boundaries only,
 * which are a function of guest state, so a run is reproducible bit for bit.
 */
#ifndef OXBOW_CPU_CPU_H
#define OXBOW_CPU_CPU_H

#include "memory/base.h"
#include "memory/bus.h"
#include "memory/err.h"
#include "memory/log.h"
#include "memory/snap.h"

struct cpu;

/* Towards the board; every member may be NULL. */
struct cpu_wiring {
    void *ctx;
    uint8_t (*inta)(void *ctx);              /* interrupt acknowledge: the vector */
    void (*shutdown)(void *ctx);             /* triple fault; the CPU stops until reset */
    void (*ferr)(void *ctx, bool level);     /* FERR# with CR0.NE = 0 (IRQ 13) */
    /* IA32_APIC_BASE was written or, with reset, went back to its start value. */
    void (*apic_base)(void *ctx, uint64_t value, bool reset);
    void (*smiact)(void *ctx, bool level);   /* SMIACT#: system management mode */
};

struct cpu_config {
    struct bus *mem, *io; /* physical memory and ports; not owned */
    struct log *log;
    const char *model;    /* "pentium3", ...; NULL: the default.  See cpu_model_help */
    struct cpu_wiring wiring;
    bool generic_only;    /* run every instruction through the generic layer (differential tests) */
    bool counting;        /* fill the counters of cpu_stats that cost time */
};

struct cpu *cpu_new(const struct cpu_config *cfg, struct err *e);
void cpu_free(struct cpu *c);
void cpu_reset(struct cpu *c);
/*
 * INIT#: like a reset, but x87 and SSE state, MSRs, SMBASE, CR0.CD and NW stay.  Held off in system
 * management mode until RSM.  Models without the pin are reset.
 */
void cpu_init(struct cpu *c);
/* One line per model for `-cpu help`; index from 0, NULL after the last. */
const char *cpu_model_help(unsigned index);

enum cpu_stop {
    CPU_STOP_DEADLINE, /* icount reached `until` (or a kick or interrupt came first) */
    CPU_STOP_HALT,     /* HLT with nothing pending; time may be advanced to the next event */
    CPU_STOP_SHUTDOWN, /* triple fault */
};

/* Runs until icount >= until (at the first trace boundary there), HLT or shutdown. */
enum cpu_stop cpu_run(struct cpu *c, uint64_t until);
/*
 * The same, but never past `end`: there it returns in the middle of a trace, too.  That is no
 * boundary, nothing may enter the machine there; the next call goes on in the same trace.  So the
 * boundaries are where they would be if the run had not been cut.
 */
enum cpu_stop cpu_run_within(struct cpu *c, uint64_t until, uint64_t end);
/* Whether the CPU is at a boundary, with something due at `due`. */
bool cpu_at_boundary(struct cpu *c, uint64_t due);
/* Retired instructions, exact even when asked by a device in the middle of a trace. */
uint64_t cpu_icount(const struct cpu *c);
/* Moves time forward while halted. */
void cpu_skip_to(struct cpu *c, uint64_t icount);
/* Return from cpu_run no later than `until` (a nearer event was scheduled); any time. */
void cpu_limit(struct cpu *c, uint64_t until);
/* Return from cpu_run at the next trace boundary. */
void cpu_kick(struct cpu *c);
/*
 * The same from a signal handler or another thread: it stays asked for until it is taken, and
 * cpu_run returns at once as long as it is.
 */
void cpu_interrupt(struct cpu *c);
bool cpu_take_interrupt(struct cpu *c);

void cpu_set_intr(struct cpu *c, bool level); /* INTR pin */
void cpu_nmi(struct cpu *c);                  /* NMI edge */
/* SMI# edge; one is kept while in system management mode.  No effect on models without it. */
void cpu_smi(struct cpu *c);
bool cpu_has_smm(const struct cpu *c);
void cpu_set_a20(struct cpu *c, bool enabled);
bool cpu_has_apic(const struct cpu *c);       /* the model has a local APIC */

/* Bus client calls: connect them with bus_set_client(mem, ...) (the board does). */
struct bus_client cpu_bus_client(struct cpu *c);

/* Debugger and loader access.  Values are full architectural images. */
enum cpu_reg {
    CPU_EAX, CPU_ECX, CPU_EDX, CPU_EBX, CPU_ESP, CPU_EBP, CPU_ESI, CPU_EDI,
    CPU_EIP, CPU_EFLAGS,
    CPU_ES, CPU_CS, CPU_SS, CPU_DS, CPU_FS, CPU_GS, /* selectors; writes load real-mode bases */
    CPU_CR0, CPU_CR2, CPU_CR3, CPU_CR4,
    CPU_REG_COUNT
};
uint64_t cpu_get_reg(const struct cpu *c, enum cpu_reg r);
void cpu_set_reg(struct cpu *c, enum cpu_reg r, uint64_t value);
/* Flat 32-bit protected mode entry state as boot protocols want it (base 0, limit 4 GB). */
void cpu_enter_flat32(struct cpu *c, uint32_t eip);
/* Reads through the current paging; false when not mapped.  No side effects. */
bool cpu_peek(struct cpu *c, uint64_t linear, void *buf, size_t n);
/* Human-readable register dump for logs; returns the length. */
size_t cpu_dump(const struct cpu *c, char *buf, size_t len);

void cpu_save(const struct cpu *c, struct snap_writer *w);
bool cpu_load(struct cpu *c, struct snap_reader *r, struct err *e);

/* Instructions that matter to who runs a whole system, counted by privilege level. */
#define CPU_EVENTS(X)                                                                          \
    X(pushf) X(popf) X(cli) X(sti) X(hlt) X(int) X(iret) X(sysenter) X(sysexit) X(in) X(out)   \
    X(mov_cr) X(mov_dr) X(load_seg) X(tables) X(invlpg) X(msr) X(rdtsc) X(cpuid)
enum cpu_event {
#define X(name) CPU_EVENT_##name,
    CPU_EVENTS(X)
#undef X
    CPU_EVENTS_COUNT
};

struct cpu_stats {
    uint64_t icount;
    /*
     * with cpu_config.counting: traces begun, memory operands executed, instructions by kind and
     * CPL
     */
    uint64_t trace_entries, memory_operands, events[CPU_EVENTS_COUNT][4];
    uint64_t uncached;                   /* instructions decoded for one execution */
    uint64_t links, far_links;         /* branches tied to their targets, in the page and across */
    uint64_t link_misses, jump_misses; /* far links of other mappings; indirect targets looked up */
    uint64_t tlb_misses;                 /* operands without a direct page */
    uint64_t traces_built, insns_decoded, trace_lookups, trace_flushes;
    /* stores into marked lines; traces they changed, ended */
    uint64_t smc_hits, smc_patches, smc_kills;
    uint64_t tlb_fills, tlb_flushes, page_walks;
    uint64_t interrupts, exceptions, page_faults;
};
struct cpu_stats cpu_stats(const struct cpu *c);

#endif
