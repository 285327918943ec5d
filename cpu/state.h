/*
 * Architectural and derived state of one CPU.
 *
 * Source: Intel SDM vol. 3 (system registers, descriptor caches), vol. 1 chapters 3, 8, 10.
 * Invariants:
 * - r[] is the first member: handlers address registers by byte offset from the CPU
 *   (state_reg_off).
 * - r[REG_ZERO] is always 0, so "no base" and "no index" need no branch.
 * - EIP is not maintained per instruction: inside a trace it is c->page_eip + offset in the page
 *   (exec.h).
 * - OSZAPC flags live in fres/faux (flags.h), all others in c->eflags.
 * - Everything below "derived" can be rebuilt and is never saved (R6).
 */
#ifndef OXBOW_CPU_STATE_H
#define OXBOW_CPU_STATE_H

#include <stdatomic.h>

#include "cpu/cpu.h"
#include "cpu/decode.h"
#include "cpu/softfloat.h"
#include "memory/base.h"
#include "memory/bytes.h"

enum { REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_ESP, REG_EBP, REG_ESI, REG_EDI };
#define REG_ZERO 16
#define REG_SLOTS 17

#define SEG_COUNT 6 /* SEG_ES .. SEG_GS, decode.h */

enum {
    FLAG_CF = 1u << 0, FLAG_PF = 1u << 2, FLAG_AF = 1u << 4, FLAG_ZF = 1u << 6, FLAG_SF = 1u << 7,
    FLAG_TF = 1u << 8, FLAG_IF = 1u << 9, FLAG_DF = 1u << 10, FLAG_OF = 1u << 11,
    FLAG_IOPL = 3u << 12, FLAG_NT = 1u << 14, FLAG_RF = 1u << 16, FLAG_VM = 1u << 17,
    FLAG_AC = 1u << 18, FLAG_VIF = 1u << 19, FLAG_VIP = 1u << 20, FLAG_ID = 1u << 21,
    FLAGS_OSZAPC = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF,
};

enum {
    CR0_PE = 1u << 0, CR0_MP = 1u << 1, CR0_EM = 1u << 2, CR0_TS = 1u << 3, CR0_ET = 1u << 4,
    CR0_NE = 1u << 5, CR0_WP = 1u << 16, CR0_AM = 1u << 18, CR0_NW = 1u << 29, CR0_CD = 1u << 30,
    CR0_PG = 1u << 31,
    CR4_VME = 1u << 0, CR4_PVI = 1u << 1, CR4_TSD = 1u << 2, CR4_DE = 1u << 3, CR4_PSE = 1u << 4,
    CR4_PAE = 1u << 5, CR4_MCE = 1u << 6, CR4_PGE = 1u << 7, CR4_PCE = 1u << 8,
    CR4_OSFXSR = 1u << 9, CR4_OSXMMEXCPT = 1u << 10,
};
#define EFER_SCE (1u << 0)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)
#define EFER_NXE (1u << 11)

/* Exception vectors. */
enum {
    EXC_DE = 0, EXC_DB = 1, EXC_NMI = 2, EXC_BP = 3, EXC_OF = 4, EXC_BR = 5, EXC_UD = 6, EXC_NM = 7,
    EXC_DF = 8, EXC_TS = 10, EXC_NP = 11, EXC_SS = 12, EXC_GP = 13, EXC_PF = 14, EXC_MF = 16,
    EXC_AC = 17, EXC_MC = 18, EXC_XM = 19,
};

/*
 * Descriptor cache.  attr holds bits 8..23 of the descriptor's high dword at bits 0..15:
 * type 0-3, S 4, DPL 5-6, P 7, (limit 8-11 unused), AVL 12, L 13, D/B 14, G 15.
 */
#define ATTR_TYPE 0x000fu
#define ATTR_S 0x0010u
#define ATTR_DPL 0x0060u
#define ATTR_DPL_SHIFT 5
#define ATTR_P 0x0080u
#define ATTR_L 0x2000u
#define ATTR_DB 0x4000u
#define ATTR_G 0x8000u

struct segment {
    uint64_t base;
    uint32_t limit; /* in bytes, last valid offset (expand-up) */
    uint32_t attr;
    uint16_t sel;
    /* derived by seg_window(): an access of `size` bytes at offset ea is in the window when
     * (uint64_t)(uint32_t)(ea - lo) + size <= rlen (reads) or wlen (writes). */
    uint8_t flat;  /* FLAT_ bits */
    uint8_t real;  /* 64 KB as real and V86 mode load them: a load changes base and selector only */
    uint32_t lo;
    uint64_t rlen, wlen;
};
enum {
    FLAT_READ = 1, /* base 0, reads of 4 GB */
    FLAT_DATA = 2, /* and writes */
};

/* Descriptors seen last, by use and table index: what desc_segment() makes of the same bits. */
struct seg_memo {
    uint32_t lo, hi;
    struct segment s; /* but the selector */
};
#define SEG_MEMOS 32
enum { MEMO_CODE, MEMO_STACK, MEMO_DATA, MEMO_KINDS };

struct desc_table {
    uint64_t base;
    uint16_t limit;
};

/* 128-bit register; q[0] is the low half, lanes are extracted arithmetically (host-endian free). */
struct xmm {
    uint64_t q[2];
};

struct fpu {
    struct f80 st[8];  /* physical registers R0..R7; ST(i) is st[(top + i) & 7] */
    uint16_t cw;
    uint16_t sw;       /* without TOP, which is in `top` */
    uint8_t top;
    uint8_t empty;     /* bit n: physical register n is empty (tag 11) */
    uint16_t fop;      /* 11 bits */
    uint16_t fcs, fds;
    uint64_t fip, fdp;
    uint32_t mxcsr;
};

/* The I/O instruction that SMI# came in; what RSM needs to execute it again. */
enum io_kind { IO_NONE, IO_PLAIN, IO_STRING };
struct smi_io {
    uint32_t kind; /* enum io_kind */
    uint32_t eip, ecx, esi, edi;
};

/* A pending exception: set by whatever failed, delivered by cpu_fault(). */
struct exception {
    uint8_t vector;
    bool has_error;
    uint16_t error;
    uint64_t cr2; /* EXC_PF */
};

/*
 * TLB of one privilege.  rd and wr have one entry per linear page (of 2^20): the host address minus
 * the linear address of a page that may be read (written) directly, or 0.  Every page with an entry
 * is in a list, so that a flush costs what was filled.  What cannot be direct - MMIO, stores to
 * pages that hold code - has a slot in `special`, where the slow path finds it.
 */
#define TLB_PAGES (1u << (32 - PAGE_SHIFT))
#define TLB_LIST_MAX 32768u
#define TLB_TRACKED 0x80000000u /* in a list: the host page has a dirty flag */
#define TLB_NO_TAG ((uint64_t)1 << 63)

struct tlb_list {
    uint32_t *page; /* linear page numbers, maybe with TLB_TRACKED; repeats are allowed */
    uint32_t n;
};

struct tlb_special {
    uint64_t tag;  /* linear page or TLB_NO_TAG */
    uint64_t pa;   /* physical page */
    uint8_t *host; /* of a writable page that holds (or held) decoded code; NULL: use the bus */
    uint32_t *code; /* with host: the line mask */
    struct bus_window window; /* MMIO by one device */
    bool write;    /* writes permitted (and D set) */
    bool global, large;
};
#define SPECIAL_BITS 6
#define SPECIAL_SIZE (1u << SPECIAL_BITS)

/* Instruction-side entry: where the bytes of a linear page come from. */
struct itlb_entry {
    uint64_t tag; /* linear page or TLB_NO_TAG */
    uint64_t pa;
    const uint8_t *host; /* NULL: fetch through the bus, nothing is cached */
    uint32_t *code;      /* line mask of the page, NULL for ROM-like memory */
    bool global, large;
};
#define ITLB_BITS 8
#define ITLB_SIZE (1u << ITLB_BITS)

/*
 * A set of linear pages or regions by the low bits of their number: it may have more, never less.
 */
#define PAGE_SET_BITS 1024u
struct page_set {
    uint64_t bits[PAGE_SET_BITS / 64];
};

ALWAYS_INLINE void page_set_add(struct page_set *s, uint64_t n)
{
    n &= PAGE_SET_BITS - 1;
    s->bits[n / 64] |= (uint64_t)1 << n % 64;
}

ALWAYS_INLINE bool page_set_has(const struct page_set *s, uint64_t n)
{
    n &= PAGE_SET_BITS - 1;
    return s->bits[n / 64] >> n % 64 & 1;
}

struct tlb {
    uintptr_t *rd, *wr;
    struct tlb_list local, global; /* pages by whether a CR3 load drops them */
    uint32_t gen;                  /* of links and jump-cache entries made with it */
    bool linked_local;             /* some of them lead to pages that are not global */
    struct page_set linked;        /* pages that they lead to */
    struct page_set large;         /* 4 MB regions that pieces of large pages came from */
    struct tlb_special special[SPECIAL_SIZE];
    struct itlb_entry code[ITLB_SIZE];
    uint64_t special_local;        /* slots that a CR3 load empties */
    uint64_t code_local[ITLB_SIZE / 64];
};

/* Mode word: what a trace was decoded for.  Part of the trace key. */
enum {
    MODE_CODE32 = 1, /* CS.D */
    MODE_FLAT = 2,   /* CS, DS, ES, SS: base 0, limit 4 GB, SS.B = 1, all accesses allowed */
    MODE_ONE = 4,    /* one instruction only (TF, interrupt shadow, code breakpoints) */
    MODE_CODE64 = 8, /* reserved for long mode */
};

/*
 * Indirect-branch cache: target EIP to first record.  key is (link_gen << 32 | eip), so entries of
 * another generation or privilege never match.
 */
struct jump_entry {
    uint64_t key;
    struct insn *rec;
};
#define JUMP_BITS 12
#define JUMP_HASH(eip) (((uint32_t)(eip) ^ (uint32_t)(eip) >> 12) & ((1u << JUMP_BITS) - 1))

/*
 * Page directory entries seen last, what the SDM calls a paging-structure cache (vol. 3, 4.10.3):
 * any invalidation empties it.
 */
struct directory {
    uint32_t tag[16];         /* number of the entry plus 1, 0: none */
    uint32_t rights[16];      /* P, W and U */
    const uint8_t *table[16]; /* the page table it leads to */
};

enum { RAM_TABLES, RAM_DATA, RAM_CODE, RAM_USES };

/*
 * What else a link depends on: CS and the mode.  Those that were met have a number, by a hash table
 * that starts anew when it gets full: programs of the 16-bit kind have a code segment per module.
 */
struct code_context {
    uint64_t base;
    uint32_t limit, mode;
    bool used;
};
#define CONTEXT_BITS 7
#define CONTEXTS (1u << CONTEXT_BITS)
#define CONTEXTS_MAX (CONTEXTS / 4 * 3)

/* After STI interrupts, after MOV SS and POP SS debug exceptions, too, wait for one instruction. */
enum { SHADOW_INTR = 1, SHADOW_DEBUG = 2 };

/*
 * Where execution stopped inside a trace, at cpu.eip: `done` instructions behind its start at
 * offset `start` of the page.  done = 0: at a boundary.
 */
struct trace_part {
    uint16_t start;
    uint8_t done;
    bool port;    /* the last one was a port access: a boundary if something is due */
    bool waiting; /* with done = 0: an interrupt comes first at this boundary */
};

#define PLAIN_MSRS 160

struct insn;
struct trace_cache;
struct cpu_model;

struct cpu {
    union {
        uint64_t q[REG_SLOTS];
    } r;
    /*
     * lazy OSZAPC, see flags.h; not side by side, or compilers join the stores through a vector
     * register
     */
    union {
        uint64_t fres;
        struct {
#if HOST_BIG_ENDIAN
            uint32_t fcarry, fvalue;
#else
            uint32_t fvalue, fcarry;
#endif
        };
    };
    int64_t left;        /* instructions until the run loop must be entered, minus one */
    uint64_t faux;

    /* run loop (exec.h) */
    uint32_t eflags;     /* everything but OSZAPC; bit 1 set */
    uint64_t page_eip;   /* EIP of the first byte of the code page that is executing */
    uintptr_t *rd, *wr;  /* those of tlb */
    struct tlb *tlb;     /* the one in force: tlb_kernel, tlb_user or tlb_slow */
    uint32_t link_gen;   /* cross-page links and jump-cache entries of another generation are dead:
                            tlb->gen << CONTEXT_BITS | code_context */
    uint64_t link_key;   /* link_gen << 32 */
    struct jump_entry *jump;
    uint32_t mode;       /* MODE_ bits, derived */
    struct insn *cur;    /* instruction in the slow path, for exact time and faults; NULL outside */
    struct insn *leave;  /* record whose handler returns to the run loop */
    uint64_t eip;        /* valid outside traces only */
    int64_t slice;       /* left at the start; executed = slice - left */
    uint64_t until;      /* icount at which cpu_run returns, at the next boundary */
    uint64_t end;        /* the same, wherever that is */
    struct trace_part part;
    bool fell;           /* the last trace was left through its end */
    uint64_t icount;     /* retired before this slice */
    uint64_t tmp;        /* result of slow loads */

    struct segment seg[SEG_COUNT];
    uint32_t sp_mask;    /* 0xffffffff or 0xffff by SS.B */
    uint8_t cpl;
    bool a20_off;
    bool halted;
    bool shutdown;
    uint8_t shadow;      /* SHADOW_: what is held off for one instruction */
    bool intr;           /* INTR pin */
    bool nmi_pending, nmi_blocked;
    bool smi_pending;    /* SMI# was asserted; waits for RSM while in system management mode */
    bool smm;
    bool init_pending;   /* INIT# waits for RSM */
    bool kicked;         /* leave cpu_run at the next boundary */
    atomic_bool interrupted; /* the same, asked by cpu_interrupt() at any moment */
    bool step;           /* TF was set when the instruction began; cleared by any delivery */
    struct exception exc;

    uint64_t cr0, cr2, cr3, cr4;
    uint64_t dr[8];
    uint64_t pdpte[4];   /* PAE page-directory pointers, loaded with CR3 */
    struct desc_table gdtr, idtr;
    struct segment ldtr, tr;
    uint64_t efer;
    uint32_t sysenter_cs;
    uint64_t sysenter_esp, sysenter_eip;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t apic_base, pat, misc_enable, ucode_rev;
    uint64_t mtrr_var[16], mtrr_fix[11], mtrr_def;
    uint64_t plain_msr[PLAIN_MSRS]; /* registers that only keep what is written (cpuid.c) */
    int64_t tsc_offset;  /* TSC = icount + tsc_offset */
    uint64_t perf_sel[2], perf_ctr[2]; /* P6 event counters; ctr is relative while counting */
    uint32_t debug_trap; /* DR6 bits of a #DB trap due at the next boundary (intr_debug_trap) */
    uint32_t smbase;
    struct smi_io smi_io;

    struct fpu fpu;
    struct xmm xmm[16];

    /* derived, never saved */
    uint64_t a20_mask;   /* physical address mask */
    uint8_t fpu_trap;    /* non-zero: x87 instructions raise #NM (TS or EM) */
    uint8_t sse_trap;    /* EXC_UD or EXC_NM that SSE instructions raise, 0: none */
    struct cpu_config cfg;
    const struct cpu_model *model;
    /* the model's, edited by +feature -feature */
    uint32_t cpuid_edx, cpuid_ecx, cpuid_ext, features;
    uint32_t cpuid_level; /* highest basic CPUID leaf; level=N makes it less than the model's */
    uint32_t eflags_mask; /* bits that the model has */
    struct seg_memo seg_memo[MEMO_KINDS][SEG_MEMOS];
    struct code_context context[CONTEXTS];
    uint32_t code_context; /* number of the one in force */
    uint32_t contexts;     /* how many have one */
    uint32_t last_gen;
    struct bus *mem, *io;
    struct directory dir;
    struct bus_ram ram[RAM_USES]; /* plain memory that was found last for each use */
    struct trace_cache *tc;
    struct tlb tlb_kernel, tlb_user;
    struct tlb tlb_slow; /* never filled with fast tags: alignment checks, data breakpoints */
    struct cpu_stats st;
};

/* Byte offset of a register in struct cpu, for a width of 1, 2, 4 or 8 bytes. */
ALWAYS_INLINE unsigned state_reg_off(unsigned reg, unsigned size)
{
    return HOST_BIG_ENDIAN ? reg * 8 + 8 - size : reg * 8;
}

/* The 8-bit registers AL CL DL BL AH CH DH BH (numbers 0..7 without REX). */
ALWAYS_INLINE unsigned state_reg8_off(unsigned reg)
{
    return HOST_BIG_ENDIAN ? (reg & 3) * 8 + 7 - (reg >> 2) : (reg & 3) * 8 + (reg >> 2);
}

typedef uint8_t __attribute__((may_alias)) reg8_t;
typedef uint16_t __attribute__((may_alias)) reg16_t;
typedef uint32_t __attribute__((may_alias)) reg32_t;
typedef uint64_t __attribute__((may_alias)) reg64_t;

/* Registers by byte offset (what records hold). */
#define R8(off) (*(reg8_t *)((char *)c + (off)))
#define R16(off) (*(reg16_t *)((char *)c + (off)))
#define R32(off) (*(reg32_t *)((char *)c + (off)))
#define R64(off) (*(reg64_t *)((char *)c + (off)))

/* Registers by number, for code outside the hot handlers. */
ALWAYS_INLINE uint32_t reg32(const struct cpu *c, unsigned n)
{
    return (uint32_t)c->r.q[n];
}

ALWAYS_INLINE uint16_t reg16(const struct cpu *c, unsigned n)
{
    return (uint16_t)c->r.q[n];
}

ALWAYS_INLINE void set_reg32(struct cpu *c, unsigned n, uint32_t v)
{
    c->r.q[n] = v;
}

ALWAYS_INLINE void set_reg16(struct cpu *c, unsigned n, uint16_t v)
{
    c->r.q[n] = (c->r.q[n] & ~(uint64_t)0xffff) | v;
}

ALWAYS_INLINE uint8_t reg8(const struct cpu *c, unsigned n)
{
    return (uint8_t)(c->r.q[n & 3] >> (n >> 2) * 8);
}

ALWAYS_INLINE void set_reg8(struct cpu *c, unsigned n, uint8_t v)
{
    unsigned sh = (n >> 2) * 8;
    c->r.q[n & 3] = (c->r.q[n & 3] & ~((uint64_t)0xff << sh)) | (uint64_t)v << sh;
}

ALWAYS_INLINE bool protected_mode(const struct cpu *c)
{
    return (c->cr0 & CR0_PE) != 0;
}

ALWAYS_INLINE bool v86_mode(const struct cpu *c)
{
    return (c->eflags & FLAG_VM) != 0;
}

/* Protected mode proper: selectors mean descriptors. */
ALWAYS_INLINE bool descriptor_mode(const struct cpu *c)
{
    return protected_mode(c) && !v86_mode(c);
}

#endif
