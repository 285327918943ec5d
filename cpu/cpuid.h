/*
 * CPU models as data: what CPUID tells, which instructions, control bits and MSRs exist.
 *
 * Source: Intel SDM vol. 2 (CPUID), vol. 4 (MSRs); application note AP-485 for the older families.
 * What `+feature` and `-feature` of the option string edit is kept in struct cpu; the tables are
 * constant.
 */
#ifndef OXBOW_CPU_CPUID_H
#define OXBOW_CPU_CPUID_H

#include "cpu/state.h"

/* CPUID leaf 1, EDX. */
enum {
    CPUID_FPU = 1u << 0, CPUID_VME = 1u << 1, CPUID_DE = 1u << 2, CPUID_PSE = 1u << 3,
    CPUID_TSC = 1u << 4, CPUID_MSR = 1u << 5, CPUID_PAE = 1u << 6, CPUID_MCE = 1u << 7,
    CPUID_CX8 = 1u << 8, CPUID_APIC = 1u << 9, CPUID_SEP = 1u << 11, CPUID_MTRR = 1u << 12,
    CPUID_PGE = 1u << 13, CPUID_MCA = 1u << 14, CPUID_CMOV = 1u << 15, CPUID_PAT = 1u << 16,
    CPUID_PSE36 = 1u << 17,
    CPUID_CLFSH = 1u << 19, CPUID_MMX = 1u << 23, CPUID_FXSR = 1u << 24, CPUID_SSE = 1u << 25,
    CPUID_SSE2 = 1u << 26, CPUID_SS = 1u << 27,
};
#define CPUID_ECX_SSE3 (1u << 0)
#define CPUID_EXT_NX (1u << 20)

struct cpu_model {
    const char *name, *help;
    uint32_t signature;   /* leaf 1 EAX, and EDX after reset */
    uint8_t max_leaf;     /* 0: no CPUID instruction */
    uint8_t brand_id;
    uint32_t max_ext;     /* 0: no extended leaves */
    uint32_t edx, ecx;    /* leaf 1, before editing */
    uint32_t ext_edx;     /* leaf 80000001h, before editing */
    uint32_t caches[4];   /* leaf 2 */
    const char *brand;
};

ALWAYS_INLINE unsigned cpu_family(const struct cpu_model *m)
{
    return (m->signature >> 8) & 15;
}

/* Bits that exist in this model; writing others is #GP (CR4) or has no effect (CR0, EFLAGS). */
uint32_t cpu_cr0_mask(const struct cpu *c);
uint32_t cpu_cr4_mask(const struct cpu *c);

/* False: no such register, or a value it does not take; #GP(0) is the caller's business. */
bool msr_read(struct cpu *c, uint32_t index, uint64_t *v);
bool msr_write(struct cpu *c, uint32_t index, uint64_t v);
void msr_reset(struct cpu *c);
/* The two event counters of the P6 family, 40 bits. */
uint64_t perf_counter(const struct cpu *c, unsigned n);

#endif
