/*
 * Trace cache: loops and links, self-modifying code in every shape that has broken emulators, code
 * written through another mapping and by DMA, page-crossing instructions, equal results of both
 * layers.
 */
#include "tests/cpu_fixture.h"

/* sum of 1..n by a loop with a call: links, returns, the jump cache. */
static const uint8_t sum_code[] = {
    0xb9, 0x10, 0x27, 0, 0,       /* mov ecx, 10000 */
    0x31, 0xc0,                   /* xor eax, eax */
    0xe8, 0x04, 0, 0, 0,          /* L: call add */
    0xe2, 0xf9,                   /* loop L */
    0xf4, 0x90,                   /* hlt */
    0x01, 0xc8,                   /* add: add eax, ecx */
    0xc3,                         /* ret */
};

static void run_sum(bool generic)
{
    struct fixture f = fix_new(generic);
    fix_flat(&f, FIX_CODE, sum_code, sizeof sum_code);
    fix_run(&f, 100000);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EAX), 50005000);
    /* 2 + 10000 * (call, add, ret, loop) + hlt */
    ck_assert_uint_eq(cpu_icount(f.c), 2 + 40000 + 1);
    fix_free(&f);
}

START_TEST(loop_and_call)
{
    run_sum(false);
    run_sum(true);
}
END_TEST

/* The very next instruction is overwritten: mov byte [next+1], n ; mov al, 0. */
START_TEST(smc_next_instruction)
{
    static const uint8_t code[] = {
        0xb9, 100, 0, 0, 0,                       /* mov ecx, 100 */
        0x31, 0xdb,                               /* xor ebx, ebx */
        0x88, 0x0d, 0x0e, 0x10, 0, 0,             /* L: mov [100e], cl (operand of the next) */
        0xb8, 0, 0, 0, 0,                         /* 100d: mov eax, imm */
        0x01, 0xc3,                               /* add ebx, eax */
        0xe2, 0xf1,                               /* loop L */
        0xf4,
    };
    for (int generic = 0; generic < 2; generic++) {
        struct fixture f = fix_new(generic);
        fix_flat(&f, FIX_CODE, code, sizeof code);
        fix_run(&f, 1000);
        ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EBX), 5050);
        fix_free(&f);
    }
}
END_TEST

/* A function on another page is patched and called. */
START_TEST(smc_other_page)
{
    static const uint8_t code[] = {
        0xb9, 50, 0, 0, 0,                        /* mov ecx, 50 */
        0x31, 0xdb,                               /* xor ebx, ebx */
        0x88, 0x0d, 0x01, 0x50, 0, 0,             /* L: mov [5001], cl */
        0xe8, 0xee, 0x3f, 0, 0,                   /* call 5000 */
        0x01, 0xc3,                               /* add ebx, eax */
        0xe2, 0xf1,                               /* loop L */
        0xf4,
    };
    static const uint8_t callee[] = {0xb8, 0, 0, 0, 0, 0xc3};
    struct fixture f = fix_new(false);
    bus_write_block(f.mem, 0x5000, callee, sizeof callee);
    fix_flat(&f, FIX_CODE, code, sizeof code);
    fix_run(&f, 1000);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EBX), 1275);
    fix_free(&f);
}
END_TEST

/* DMA (a bus write) changes code between two runs, and code on a line beside it stays valid. */
START_TEST(smc_by_dma)
{
    static const uint8_t code[] = {0xb8, 1, 0, 0, 0, 0xf4};
    struct fixture f = fix_new(false);
    fix_flat(&f, FIX_CODE, code, sizeof code);
    fix_run(&f, 10);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EAX), 1);
    uint8_t two = 2;
    bus_write_block(f.mem, FIX_CODE + 1, &two, 1);
    cpu_enter_flat32(f.c, FIX_CODE);
    fix_run(&f, 10);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EAX), 2);
    fix_free(&f);
}
END_TEST

/* Identity page tables for 16 MB, with 0x400000+x also mapped to x: tables at 0x10000. */
static void map_alias(struct fixture *f)
{
    uint8_t e[4];
    for (uint32_t n = 0; n < 4; n++) {
        put32(e, (0x11000u + n * 0x1000) | 7);
        bus_write_block(f->mem, 0x10000 + n * 4, e, 4);
        for (uint32_t k = 0; k < 1024; k++) {
            put32(e, (n == 1 ? k : n * 1024 + k) << 12 | 7);
            bus_write_block(f->mem, 0x11000 + n * 0x1000 + k * 4, e, 4);
        }
    }
    cpu_set_reg(f->c, CPU_CR3, 0x10000);
    cpu_set_reg(f->c, CPU_CR0, cpu_get_reg(f->c, CPU_CR0) | CR0_PG);
}

START_TEST(smc_through_alias)
{
    static const uint8_t code[] = {
        0xb9, 100, 0, 0, 0,                       /* mov ecx, 100 */
        0x31, 0xdb,                               /* xor ebx, ebx */
        0x88, 0x0d, 0x0e, 0x10, 0x40, 0,          /* L: mov [40100e], cl */
        0xb8, 0, 0, 0, 0,                         /* 100d: mov eax, imm */
        0x01, 0xc3,                               /* add ebx, eax */
        0xe2, 0xf1,                               /* loop L */
        0xf4,
    };
    struct fixture f = fix_new(false);
    fix_flat(&f, FIX_CODE, code, sizeof code);
    map_alias(&f);
    fix_run(&f, 1000);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EBX), 5050);
    fix_free(&f);
}
END_TEST

/* An instruction across a page boundary whose second half changes. */
START_TEST(page_crossing)
{
    static const uint8_t code[] = {
        0xb9, 100, 0, 0, 0,                       /* ffe: mov ecx, 100 */
        0x31, 0xdb,                               /* xor ebx, ebx */
        0x88, 0x0d, 0x00, 0x20, 0, 0,             /* L: mov [2000], cl */
        0xeb, 0x00,                               /* jmp +0 */
        0xb8, 0, 0, 0, 0,                         /* 1fff: mov eax, imm: operand at 2000 */
        0x01, 0xc3,                               /* add ebx, eax */
        0xe2, 0xef,                               /* loop L */
        0xf4,
    };
    for (int generic = 0; generic < 2; generic++) {
        struct fixture f = fix_new(generic);
        fix_flat(&f, 0x1fff - 15, code, sizeof code);
        fix_run(&f, 1000);
        ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EBX), 5050);
        fix_free(&f);
    }
}
END_TEST

/*
 * The second page of a crossing instruction is not there: #PF with CR2 = its start, EIP at the
 * instruction.
 */
START_TEST(crossing_into_unmapped)
{
    static const uint8_t code[] = {0xb8, 1, 2, 3, 4, 0xf4};
    struct fixture f = fix_new(false);
    uint8_t zero[4] = {0}, idt[8], gdt[24] = {0};
    fix_flat(&f, 0x2ffe, code, sizeof code);
    map_alias(&f);
    bus_write_block(f.mem, 0x11000 + 3 * 4, zero, 4); /* linear 3000 */
    /* IDT at 6000: gate 14 to 7000 (HLT); GDT at 6800 */
    put32(idt, 0x00087000);
    put32(idt + 4, 0x00008e00);
    bus_write_block(f.mem, 0x6000 + 14 * 8, idt, 8);
    put32(gdt + 8, 0x0000ffff);
    put32(gdt + 12, 0x00cf9a00);
    put32(gdt + 16, 0x0000ffff);
    put32(gdt + 20, 0x00cf9200);
    bus_write_block(f.mem, 0x6800, gdt, 24);
    uint8_t hlt = 0xf4;
    bus_write_block(f.mem, 0x7000, &hlt, 1);
    f.c->idtr = (struct desc_table){0x6000, 0x7ff};
    f.c->gdtr = (struct desc_table){0x6800, 23};
    fix_run(&f, 10);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EIP), 0x7001);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_CR2), 0x3000);
    uint8_t frame[16];
    bus_read_block(f.mem, cpu_get_reg(f.c, CPU_ESP), frame, 16);
    ck_assert_uint_eq(get32(frame + 4), 0x2ffe);
    fix_free(&f);
}
END_TEST

/* A forced small budget must not change what is computed, only where it pauses. */
START_TEST(slices)
{
    struct fixture f = fix_new(false);
    fix_flat(&f, FIX_CODE, sum_code, sizeof sum_code);
    uint64_t t = 0;
    while (cpu_run(f.c, t) != CPU_STOP_HALT) {
        t = cpu_icount(f.c) + 1 + t % 7;
        ck_assert_uint_lt(t, 100000);
    }
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EAX), 50005000);
    ck_assert_uint_eq(cpu_icount(f.c), 40003);
    fix_free(&f);
}
END_TEST

/* REP MOVSB over several pages, overlapping upwards: fills. */
START_TEST(rep_movs_overlap)
{
    static const uint8_t code[] = {
        0xbe, 0, 0, 2, 0,         /* mov esi, 20000 */
        0xbf, 1, 0, 2, 0,         /* mov edi, 20001 */
        0xb9, 0x10, 0x27, 0, 0,   /* mov ecx, 10000 */
        0xc6, 0x06, 0xaa,         /* mov byte [esi], aa */
        0xf3, 0xa4,               /* rep movsb */
        0xf4,
    };
    for (int generic = 0; generic < 2; generic++) {
        struct fixture f = fix_new(generic);
        fix_flat(&f, FIX_CODE, code, sizeof code);
        fix_run(&f, 20000);
        for (unsigned k = 0; k <= 10000; k++) {
            ck_assert_uint_eq(f.ram[0x20000 + k], 0xaa);
        }
        ck_assert_uint_eq(f.ram[0x20000 + 10001], 0);
        ck_assert_uint_eq(cpu_icount(f.c), 4 + 10000 + 1);
        fix_free(&f);
    }
}
END_TEST

/* 16-bit real mode: segmentation, wrap of addresses, LOOP on CX. */
START_TEST(real_mode)
{
    static const uint8_t code[] = {
        0xb8, 0x34, 0x12,         /* mov ax, 1234 */
        0x8e, 0xd8,               /* mov ds, ax */
        0xbb, 0xff, 0xff,         /* mov bx, ffff */
        0xc6, 0x47, 0x02, 0x5a,   /* mov byte [bx+2], 5a -> ds:0001 */
        0xb9, 0x05, 0x00,         /* mov cx, 5 */
        0x40,                     /* L: inc ax */
        0xe2, 0xfd,               /* loop L */
        0x50,                     /* push ax */
        0xf4,
    };
    for (int generic = 0; generic < 2; generic++) {
        struct fixture f = fix_new(generic);
        fix_real(&f, code, sizeof code);
        fix_run(&f, 100);
        ck_assert_uint_eq(f.ram[0x12341], 0x5a);
        ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EAX) & 0xffff, 0x1239);
        ck_assert_uint_eq(get16(f.ram + FIX_STACK - 2), 0x1239);
        fix_free(&f);
    }
}
END_TEST

/* --- code that changes, against a processor that decodes every instruction anew --------------- */

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

#define SMC_BYTES 160u

/* Instructions of the kinds that a record keeps in place, and stores into them. */
static unsigned random_insn(uint32_t *seed, uint8_t *p)
{
    unsigned r = random_next(seed) % 8, q = random_next(seed) % 8;
    uint32_t v = random_next(seed), at = FIX_CODE + v % SMC_BYTES;

    r = r == REG_ESP ? REG_EAX : r;
    q = q == REG_ESP ? REG_ECX : q;
    switch (random_next(seed) % 13) {
    case 0: /* mov r, imm */
        p[0] = (uint8_t)(0xb8 + r);
        put32(p + 1, v << 8);
        return 5;
    case 1: /* alu r, imm32 */
        p[0] = 0x81;
        p[1] = (uint8_t)(0xc0 | (v & 7) << 3 | r);
        put32(p + 2, v * 77);
        return 6;
    case 2: /* alu r, imm8 */
        p[0] = 0x83;
        p[1] = (uint8_t)(0xc0 | (v & 7) << 3 | r);
        p[2] = (uint8_t)(v >> 8);
        return 3;
    case 3: /* shift r, imm8, often by 0 */
        p[0] = 0xc1;
        p[1] = (uint8_t)(0xc0 | (v & 7) << 3 | r);
        p[2] = (uint8_t)(v >> 8 & 0x21);
        return 3;
    case 4: /* alu r, q */
        p[0] = (uint8_t)((v & 7) << 3 | 1);
        p[1] = (uint8_t)(0xc0 | q << 3 | r);
        return 2;
    case 5: /* jcc, a few bytes on */
        p[0] = (uint8_t)(0x70 | (v & 15));
        p[1] = (uint8_t)(v >> 8 & 7);
        return 2;
    case 6: /* mov [at], r */
    case 7:
        p[0] = 0x89;
        p[1] = (uint8_t)(r << 3 | 5);
        put32(p + 2, at);
        return 6;
    case 8: /* mov byte [at], imm */
        p[0] = 0xc6;
        p[1] = 0x05;
        put32(p + 2, at);
        p[6] = (uint8_t)(v >> 16);
        return 7;
    case 9: /* lea r, [q + disp] */
        p[0] = 0x8d;
        p[1] = (uint8_t)(0x80 | r << 3 | q);
        put32(p + 2, v);
        return 6;
    case 10: /* cmp r, q ; jcc */
        p[0] = 0x39;
        p[1] = (uint8_t)(0xc0 | q << 3 | r);
        p[2] = (uint8_t)(0x70 | (v & 15));
        p[3] = (uint8_t)(v >> 8 & 15);
        return 4;
    case 11: /* inc byte [at] */
        p[0] = 0xfe;
        p[1] = 0x05;
        put32(p + 2, at);
        return 6;
    default: /* jmp rel32, backwards from time to time */
        p[0] = 0xe9;
        put32(p + 1, v & 0x700 ? v & 7 : 0u - (v & 31));
        return 5;
    }
}

static void same_state(const struct fixture *f, const struct fixture *g, unsigned program)
{
    for (int r = CPU_EAX; r <= CPU_EFLAGS; r++) {
        uint64_t a = cpu_get_reg(f->c, r), b = cpu_get_reg(g->c, r);
        ck_assert_msg(a == b, "program %u register %d: %llx, decoded anew %llx", program, r,
                      (unsigned long long)a, (unsigned long long)b);
    }
    ck_assert_int_eq(memcmp(f->ram, g->ram, 0x10000), 0);
}

/* One round; false when the program has crashed. */
static bool smc_round(struct fixture *f, struct fixture *g, unsigned program)
{
    enum cpu_stop a, b = CPU_STOP_DEADLINE;

    cpu_enter_flat32(f->c, FIX_CODE);
    cpu_enter_flat32(g->c, FIX_CODE);
    cpu_set_reg(f->c, CPU_ESP, FIX_STACK);
    cpu_set_reg(g->c, CPU_ESP, FIX_STACK);
    g->c->dr[7] = 1; /* a breakpoint far away: single instructions */
    g->c->dr[0] = 0xfffff000u;
    a = cpu_run(f->c, cpu_icount(f->c) + 200);
    while (b == CPU_STOP_DEADLINE && cpu_icount(g->c) < cpu_icount(f->c)) {
        trace_flush(g->c);
        b = cpu_run(g->c, cpu_icount(g->c) + 1);
    }
    ck_assert_uint_eq(cpu_icount(f->c), cpu_icount(g->c));
    same_state(f, g, program);
    return a != CPU_STOP_SHUTDOWN && b != CPU_STOP_SHUTDOWN;
}

START_TEST(smc_against_fresh_decoding)
{
    uint32_t seed = 1;
    uint64_t patches = 0, kills = 0;

    for (unsigned program = 0; program < 250; program++) {
        struct fixture f = fix_new(program & 1), g = fix_new(true);
        uint8_t code[SMC_BYTES + 16];
        unsigned n = 0;

        while (n < SMC_BYTES) {
            n += random_insn(&seed, code + n);
        }
        memset(code + SMC_BYTES, 0xf4, 16);
        bus_write_block(f.mem, FIX_CODE, code, sizeof code);
        bus_write_block(g.mem, FIX_CODE, code, sizeof code);
        for (unsigned round = 0; round < 12 && smc_round(&f, &g, program); round++) {
            uint8_t b[4];
            uint32_t at = FIX_CODE + random_next(&seed) % SMC_BYTES;
            unsigned len = round & 1 ? 4 : 1;

            put32(b, random_next(&seed));
            bus_write_block(f.mem, at, b, len);
            bus_write_block(g.mem, at, b, len);
        }
        patches += cpu_stats(f.c).smc_patches;
        kills += cpu_stats(f.c).smc_kills;
        fix_free(&f);
        fix_free(&g);
    }
    ck_assert_uint_gt(patches, 500);
    ck_assert_uint_gt(kills, 500);
}
END_TEST

/* REP MOVS onto code: the operand of an instruction on another page, then all of it. */
START_TEST(smc_by_string)
{
    static const uint8_t code[] = {
        0xbd, 20, 0, 0, 0,                        /* mov ebp, 20 */
        0x31, 0xdb,                               /* xor ebx, ebx */
        0x89, 0x2d, 0x01, 0x60, 0, 0,             /* L: mov [6001], ebp */
        0xbe, 0, 0x60, 0, 0,                      /* mov esi, 6000 */
        0xbf, 0, 0x50, 0, 0,                      /* mov edi, 5000 */
        0xb9, 0, 1, 0, 0,                         /* mov ecx, 100 */
        0xf3, 0xa5,                               /* rep movsd */
        0xe8, 0xdd, 0x3f, 0, 0,                   /* call 5000 */
        0x01, 0xc3,                               /* add ebx, eax */
        0x4d,                                     /* dec ebp */
        0x75, 0xdf,                               /* jnz L */
        0xf4,
    };
    static const uint8_t function[] = {0xb8, 0, 0, 0, 0, 0xc3}; /* mov eax, imm; ret */
    for (int generic = 0; generic < 2; generic++) {
        struct fixture f = fix_new(generic);
        bus_write_block(f.mem, 0x6000, function, sizeof function);
        fix_flat(&f, FIX_CODE, code, sizeof code);
        fix_run(&f, 10000);
        ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EBX), 210);
        ck_assert_uint_eq(cpu_icount(f.c), 2 + 20 * (4 + 256 + 1 + 2 + 3) + 1);
        ck_assert_uint_eq(cpu_stats(f.c).smc_kills, 0);
        fix_free(&f);
    }
}
END_TEST

FIX_SUITE("trace", loop_and_call, smc_next_instruction, smc_other_page, smc_by_dma,
          smc_through_alias, smc_against_fresh_decoding, smc_by_string, page_crossing,
          crossing_into_unmapped, slices, rep_movs_overlap,
          real_mode)
