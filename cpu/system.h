/*
 * What the system half of the CPU shares among its own files: accesses at a chosen privilege,
 * descriptors, prepared segment loads, stack frames, and the tests that privileged instructions
 * begin with.
 *
 * Source: Intel SDM vol. 3 chapters 3, 5, 6, 7.  Everything here follows one pattern (R5): "fetch"
 * and "prepare" functions may fail and change nothing but accessed bits and c->exc; "set"
 * functions commit.
 */
#ifndef OXBOW_CPU_SYSTEM_H
#define OXBOW_CPU_SYSTEM_H

#include "cpu/exec.h"

/* --- accesses at a privilege that is not the current one (access.c) ------------------------- */

bool priv_read(struct cpu *c, uint64_t la, unsigned size, bool user, uint64_t *v);
bool priv_write(struct cpu *c, uint64_t la, unsigned size, bool user, uint64_t v);
bool priv_probe(struct cpu *c, uint64_t la, unsigned n, bool write, bool user);
/*
 * Where [la, la + n) of a page that holds decoded code can be stored to as into any other memory,
 * because none of its marked lines is touched: stacks beside code.  NULL: look closer.
 */
uint8_t *priv_beside_code(const struct tlb *t, uint32_t la, unsigned n);
/* The TLB that holds translations for a privilege. */
ALWAYS_INLINE struct tlb *tlb_for(struct cpu *c, bool user)
{
    return user == (c->cpl == 3) ? c->tlb : user ? &c->tlb_user : &c->tlb_kernel;
}

/* System management mode has all address lines. */
ALWAYS_INLINE uint64_t cpu_a20_mask(const struct cpu *c)
{
    return c->a20_off && !c->smm ? ~((uint64_t)1 << 20) : ~(uint64_t)0;
}

/* What an access inside one page needs. */
struct tlb_ref {
    uint8_t *host;  /* of the first byte; NULL: through the bus */
    uint32_t *code; /* with host, for stores: line mask to look at, or NULL */
    uint64_t pa;    /* unless host without code */
    const struct bus_window *window; /* without host */
};
/*
 * Finds it for a page that has no direct entry for the access, filling the TLB; false with #PF set.
 */
bool mmu_ref(struct cpu *c, uint64_t la, bool write, bool user, struct tlb_ref *r);

ALWAYS_INLINE void tlb_use(struct cpu *c, struct tlb *t)
{
    c->tlb = t;
    c->rd = t->rd;
    c->wr = t->wr;
    trace_set_gen(c);
}

/* CPL changes go through here. */
ALWAYS_INLINE void cpu_set_cpl(struct cpu *c, unsigned cpl)
{
    c->cpl = (uint8_t)cpl;
    if (UNLIKELY((c->dr[7] & 0xff) || ((c->eflags & FLAG_AC) && (c->cr0 & CR0_AM)))) {
        tlb_select(c);
    } else {
        tlb_use(c, cpl == 3 ? &c->tlb_user : &c->tlb_kernel);
    }
}

/* sys_read() where the page mostly is a direct one; size is a constant. */
ALWAYS_INLINE bool sys_load(struct cpu *c, uint64_t la, unsigned size, uint64_t *v)
{
    const uint8_t *host = tlb_read_hit(tlb_for(c, false), (uint32_t)la, size);

    if (LIKELY(host != NULL)) {
        *v = get_n(host, size);
        return true;
    }
    return sys_read(c, la, size, v);
}

/* Where [la, la + n) can be stored to directly, NULL: look closer. */
ALWAYS_INLINE uint8_t *store_room(const struct tlb *t, uint32_t la, unsigned n)
{
    uint8_t *host = tlb_write_hit(t, la, n);

    return LIKELY(host != NULL) ? host : priv_beside_code(t, la, n);
}

/* Where the n bytes on top of the stack are, NULL: look closer. */
ALWAYS_INLINE const uint8_t *stack_top(const struct cpu *c, unsigned at, unsigned n)
{
    const struct segment *ss = &c->seg[SEG_SS];
    uint32_t sp = (reg32(c, REG_ESP) + at) & c->sp_mask;

    return LIKELY((uint64_t)(uint32_t)(sp - ss->lo) + n <= ss->rlen &&
                  (uint64_t)sp + n <= (uint64_t)c->sp_mask + 1)
               ? tlb_read_hit(c->tlb, (uint32_t)ss->base + sp, n)
               : NULL;
}

/* Where n bytes of pushes would go, NULL: look closer. */
ALWAYS_INLINE uint8_t *stack_room(const struct cpu *c, unsigned n)
{
    const struct segment *ss = &c->seg[SEG_SS];
    uint32_t sp = (reg32(c, REG_ESP) - n) & c->sp_mask;

    return LIKELY((uint64_t)(uint32_t)(sp - ss->lo) + n <= ss->wlen &&
                  (uint64_t)sp + n <= (uint64_t)c->sp_mask + 1)
               ? store_room(c->tlb, (uint32_t)ss->base + sp, n)
               : NULL;
}

/* --- paging control (mmu.c) ----------------------------------------------------------------- */

/*
 * Reads and checks the four PAE pointers at cr3; false (nothing changed) when reserved bits are
 * set.
 */
bool mmu_load_pdptes(struct cpu *c, uint64_t cr3);
ALWAYS_INLINE bool mmu_is_pae(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

/* --- descriptors (seg.c) -------------------------------------------------------------------- */

enum {
    DESC_TSS16 = 1, DESC_LDT = 2, DESC_TSS16_BUSY = 3, DESC_CALL16 = 4, DESC_TASK_GATE = 5,
    DESC_INT16 = 6, DESC_TRAP16 = 7, DESC_TSS32 = 9, DESC_TSS32_BUSY = 11, DESC_CALL32 = 12,
    DESC_INT32 = 14, DESC_TRAP32 = 15,
    TYPE_ACCESSED = 1, TYPE_WRITE = 2, TYPE_DOWN = 4, TYPE_CODE = 8, /* data */
    TYPE_READ = 2, TYPE_CONFORMING = 4,                              /* code */
};

struct desc {
    uint64_t la; /* where it is */
    uint32_t lo, hi;
};

ALWAYS_INLINE unsigned desc_type(const struct desc *d)
{
    return (d->hi >> 8) & 15;
}

ALWAYS_INLINE unsigned desc_dpl(const struct desc *d)
{
    return (d->hi >> 13) & 3;
}

ALWAYS_INLINE bool desc_present(const struct desc *d)
{
    return (d->hi >> 15) & 1;
}

/* S bit: code or data. */
ALWAYS_INLINE bool desc_is_segment(const struct desc *d)
{
    return (d->hi >> 12) & 1;
}

ALWAYS_INLINE bool desc_is_code(const struct desc *d)
{
    return (d->hi & 0x1800) == 0x1800;
}

ALWAYS_INLINE bool desc_is_conforming(const struct desc *d)
{
    return desc_is_code(d) && (desc_type(d) & TYPE_CONFORMING);
}

ALWAYS_INLINE bool sel_null(uint16_t sel)
{
    return (sel & 0xfffc) == 0;
}

/* Gates: selector and offset of 16- and 32-bit ones. */
ALWAYS_INLINE uint16_t gate_selector(const struct desc *d)
{
    return (uint16_t)(d->lo >> 16);
}

ALWAYS_INLINE uint32_t gate_offset(const struct desc *d)
{
    return (desc_type(d) & 8 ? d->hi & 0xffff0000u : 0) | (d->lo & 0xffff);
}

uint32_t desc_limit(const struct desc *d); /* in bytes */
/*
 * Fetches the descriptor of a non-null selector; outside of the table: `vector` with the selector.
 */
bool desc_fetch_any(struct cpu *c, uint16_t sel, unsigned vector, struct desc *d);
ALWAYS_INLINE bool desc_fetch(struct cpu *c, uint16_t sel, unsigned vector, struct desc *d)
{
    bool local = sel & 4;

    if (LIKELY((sel | 7u) <= (local ? c->ldtr.limit : c->gdtr.limit) &&
               (!local || (c->ldtr.attr & ATTR_P)))) {
        const uint8_t *host;

        d->la = (uint32_t)((local ? c->ldtr.base : c->gdtr.base) + (sel & 0xfff8u));
        host = tlb_read_hit(tlb_for(c, false), d->la, 8);
        if (LIKELY(host != NULL)) {
            d->lo = get32(host);
            d->hi = get32(host + 4);
            return true;
        }
    }
    return desc_fetch_any(c, sel, vector, d);
}
/*
 * The same for instructions that answer in ZF: false with *fault clear means "no such descriptor".
 */
bool desc_look(struct cpu *c, uint16_t sel, struct desc *d, bool *fault);
bool desc_mark_accessed(struct cpu *c, struct desc *d);
ALWAYS_INLINE bool desc_set_accessed(struct cpu *c, struct desc *d)
{
    return LIKELY(d->hi & TYPE_ACCESSED << 8) || desc_mark_accessed(c, d);
}
/* Rewrites the type of a system descriptor (busy bit of a TSS). */
bool desc_set_busy(struct cpu *c, struct desc *d, bool busy);
/* The cache contents for a descriptor. */
struct segment desc_to_segment(uint16_t sel, const struct desc *d);

/*
 * What a segment register is about to get.  s is shared and has no selector of its own; it is
 * valid until the next descriptor of the same use (code, stack, data) is looked at.
 */
struct seg_value {
    const struct segment *s;
    uint16_t sel;
    struct segment own; /* what s points at when it came from no descriptor */
};
/* The value for the descriptor of a code or data segment. */
void seg_memo_renew(struct seg_memo *m, const struct desc *d);
ALWAYS_INLINE void desc_segment(struct cpu *c, unsigned seg, uint16_t sel, const struct desc *d,
                                struct seg_value *out)
{
    unsigned use = seg == SEG_CS ? MEMO_CODE : seg == SEG_SS ? MEMO_STACK : MEMO_DATA;
    /* by index, table and RPL */
    struct seg_memo *m = &c->seg_memo[use][(sel >> 3 ^ sel << 2) & (SEG_MEMOS - 1)];

    if (UNLIKELY(m->lo != d->lo || m->hi != d->hi)) {
        seg_memo_renew(m, d);
    }
    out->s = &m->s;
    out->sel = sel;
}

/* #vector with a selector error code. */
ALWAYS_INLINE bool exc_sel(struct cpu *c, unsigned vector, uint16_t sel)
{
    return exc_set_err(c, vector, sel & 0xfffcu);
}

/*
 * Checks what loading a data segment or SS at privilege `cpl` demands and builds the cache
 * contents. vector is EXC_GP, or EXC_TS in task switches and for stacks out of a TSS.
 */
bool seg_prepare(struct cpu *c, unsigned seg, uint16_t sel, unsigned cpl, unsigned vector,
                 struct seg_value *out);
/* The same for SS with the privilege that the new code segment will have. */
ALWAYS_INLINE bool seg_prepare_stack(struct cpu *c, uint16_t sel, unsigned cpl, unsigned vector,
                                     struct seg_value *out)
{
    return seg_prepare(c, SEG_SS, sel, cpl, vector, out);
}
/* Commits a segment with its window.  A changed CS makes cross-page links stale. */
void seg_set_other(struct cpu *c, unsigned seg, const struct segment *s, uint16_t sel);
ALWAYS_INLINE void seg_set(struct cpu *c, unsigned seg, const struct segment *s, uint16_t sel)
{
    struct segment *to = &c->seg[seg];

    /* From flat to flat of the same kind nothing changes that anything else is derived from. */
    if (LIKELY(s->flat != 0 && to->flat == s->flat && !((to->attr ^ s->attr) & ATTR_DB))) {
        to->attr = s->attr;
        to->sel = sel;
    } else {
        seg_set_other(c, seg, s, sel);
    }
}
ALWAYS_INLINE void seg_set_value(struct cpu *c, unsigned seg, const struct seg_value *v)
{
    seg_set(c, seg, v->s, v->sel);
}
/* The mode word and what hangs on it, from segments whose windows are right. */
void seg_update_mode(struct cpu *c);
/* Only what follows base and limit of CS. */
void seg_update_context(struct cpu *c);
/* The cache contents real mode (or V86) gives for a selector. */
struct segment seg_real(const struct cpu *c, unsigned seg, uint16_t sel);
/* The same where the register is `real`, at once. */
ALWAYS_INLINE void seg_move_real(struct cpu *c, unsigned seg, uint16_t sel)
{
    struct segment *s = &c->seg[seg];
    uint32_t base = (uint32_t)sel << 4;
    bool moved = s->base != base;

    s->sel = sel;
    s->base = base;
    if (seg == SEG_CS && moved) {
        seg_update_context(c);
    }
}
/* All segment registers and EFLAGS of an IRET to V86 mode; sel in the order of enum. */
void seg_enter_v86(struct cpu *c, uint32_t image, const uint16_t sel[SEG_COUNT]);
/* Flat segments of SYSENTER, SYSEXIT and the flat entry state, without selector: [code][user]. */
extern const struct segment seg_flat[2][2];
/* Clears ES, DS, FS, GS that privilege `cpl` may not keep (returns to an outer level). */
void seg_drop_inner(struct cpu *c, unsigned cpl);

/* --- stack frames (intr.c) ------------------------------------------------------------------ */

/* Values to be pushed as one: all are checked before the first is written. */
enum { FRAME_MAX = 48 };
struct frame {
    const struct segment *ss; /* with its window */
    uint32_t esp, mask;       /* before the pushes; 0xffff or 0xffffffff */
    unsigned size;            /* 2 or 4 */
    bool user;                /* privilege of the stores */
    uint16_t error;           /* error code of #SS */
    uint8_t *host;            /* where a checked frame goes in one piece, or NULL */
    unsigned n;
    uint32_t val[FRAME_MAX];
};

void frame_start(struct frame *f, const struct segment *ss, uint32_t esp, unsigned size, bool user,
                 uint16_t error);
ALWAYS_INLINE void frame_push(struct frame *f, uint32_t v)
{
    f->val[f->n++] = v;
}
bool frame_check(struct cpu *c, struct frame *f);
/* Stores after a successful check; f->esp is the new stack pointer. */
void frame_store(struct cpu *c, struct frame *f);
/* The stack for privilege `cpl` out of the current TSS. */
bool tss_stack(struct cpu *c, unsigned cpl, uint16_t *ss, uint32_t *esp);

/* --- tasks (task.c) ------------------------------------------------------------------------- */

enum transfer {
    TRANSFER_DONE,      /* CS, SS, flags and c->eip are the target's */
    TRANSFER_FAULT,     /* c->exc, nothing changed */
    TRANSFER_FAULT_NEW, /* c->exc, to be raised in the new task at c->eip */
};
enum transfer task_enter(struct cpu *c, uint16_t sel, enum task_reason why, uint64_t next_eip,
                         bool has_error, uint32_t error);
/* Ends a handler after a transfer: at the target, or with the fault. */
struct insn *transfer_end(struct cpu *c, struct insn *i, enum transfer t);
/* intr_deliver with the full answer. */
enum transfer intr_transfer(struct cpu *c, uint8_t vector, enum intr_source src, bool has_error,
                            uint32_t error, uint64_t eip);

/* INT n in V86 mode: IOPL, or VME redirection. */
enum transfer intr_v86_int(struct cpu *c, uint8_t vector, uint64_t eip);

/*
 * cpu_leave_at() for a transfer that changed nothing the run loop waits for: flags and privilege.
 * What was pending before has made the end of the slice its own.
 */
struct insn *cpu_jump_far(struct cpu *c, struct insn *i, uint32_t eip);

/* --- instruction prologues ------------------------------------------------------------------ */

ALWAYS_INLINE unsigned cpu_iopl(const struct cpu *c)
{
    return (c->eflags & FLAG_IOPL) >> 12;
}

/* Number of the 16- or 32-bit register whose lane offset a record holds. */
ALWAYS_INLINE unsigned lane_reg(unsigned off)
{
    return off >> 3;
}

/* False with #GP(0) unless CPL is 0 (V86 mode is CPL 3). */
ALWAYS_INLINE bool need_cpl0(struct cpu *c)
{
    return c->cpl == 0 || exc_set_err(c, EXC_GP, 0);
}

/* False with #UD in real and V86 mode. */
ALWAYS_INLINE bool need_descriptors(struct cpu *c)
{
    return descriptor_mode(c) || exc_set(c, EXC_UD);
}

/* Hits of data and I/O breakpoints go to c->debug_trap (access.c). */
void debug_watch(struct cpu *c, uint64_t addr, unsigned size, unsigned kind);
enum { WATCH_WRITE = 1, WATCH_IO = 2, WATCH_READ = 3 }; /* R/W field of DR7 that must match */

#endif
