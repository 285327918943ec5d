/*
 * Local APIC: registers and their writable bits, priorities, EOI, errors, interprocessor
 * interrupts, pins, virtual wire, timer in all its modes, base address, round trips, a storm of
 * accesses.
 */
#include "devices/lapic.h"

#include "chip_rig.h"

#define BASE 0xfee00000u

enum {
    ID = 0x20, VERSION = 0x30, TPR = 0x80, APR = 0x90, PPR = 0xa0, EOI = 0xb0, RRD = 0xc0,
    LDR = 0xd0, DFR = 0xe0, SVR = 0xf0, ISR = 0x100, TMR = 0x180, IRR = 0x200, ESR = 0x280,
    ICR = 0x300, ICR_HIGH = 0x310, LVT_TIMER = 0x320, LVT_THERMAL = 0x330, LVT_PERF = 0x340,
    LINT0 = 0x350, LINT1 = 0x360, LVT_ERROR = 0x370, INITIAL = 0x380, CURRENT = 0x390,
    DIVIDE = 0x3e0
};

struct apic {
    struct rig r;
    struct pin intr;
    struct device *d;
    unsigned nmis, smis, inits, eois;
    uint8_t eoi;
};

static void count_nmi(void *to)
{
    ((struct apic *)to)->nmis++;
}

static void count_smi(void *to)
{
    ((struct apic *)to)->smis++;
}

static void count_init(void *to)
{
    ((struct apic *)to)->inits++;
}

static void count_eoi(void *to, uint8_t vector)
{
    struct apic *a = to;

    a->eois++;
    a->eoi = vector;
}

static uint32_t get(struct apic *a, unsigned reg)
{
    return (uint32_t)bus_read(a->r.env.mem, BASE + reg, 4);
}

static void put(struct apic *a, unsigned reg, uint32_t v)
{
    bus_write(a->r.env.mem, BASE + reg, 4, v);
}

static void setup(struct apic *a)
{
    struct lapic_config c = {.nmi = count_nmi, .smi = count_smi, .init = count_init,
                             .eoi = count_eoi, .to = a, .bus_hz = 100000000};

    memset(a, 0, sizeof *a);
    rig_init(&a->r);
    c.intr = pin_line(&a->intr, &a->r);
    a->d = rig_add(&a->r, &lapic_class, "lapic", &c);
}

/* Software enabled, spurious vector FFh, flat logical destination 1. */
static void enable(struct apic *a)
{
    put(a, SVR, 0x1ff);
    put(a, DFR, 0xffffffff);
    put(a, LDR, 0x01000000);
}

static bool in_set(struct apic *a, unsigned set, unsigned v)
{
    return get(a, set + (v >> 5) * 16) >> (v & 31) & 1;
}

static int acknowledge(struct apic *a)
{
    uint8_t v = 0;

    return lapic_inta(a->d, &v) ? v : -1;
}

static bool message(struct apic *a, unsigned mode, unsigned vector, bool level)
{
    struct apic_message m = {0, false, (uint8_t)mode, (uint8_t)vector, level};

    return lapic_message(a->d, &m);
}

START_TEST(after_reset)
{
    struct apic a;
    unsigned n;

    setup(&a);
    ck_assert_uint_eq(get(&a, ID), 0);
    ck_assert_uint_eq(get(&a, VERSION), 0x00050014);
    ck_assert_uint_eq(get(&a, TPR), 0);
    ck_assert_uint_eq(get(&a, PPR), 0);
    ck_assert_uint_eq(get(&a, LDR), 0);
    ck_assert_uint_eq(get(&a, DFR), 0xffffffff);
    ck_assert_uint_eq(get(&a, SVR), 0xff);
    for (n = 0; n < 8; n++) {
        ck_assert_uint_eq(get(&a, ISR + n * 16) | get(&a, TMR + n * 16) | get(&a, IRR + n * 16), 0);
    }
    ck_assert_uint_eq(get(&a, ICR) | get(&a, ICR_HIGH), 0);
    ck_assert_uint_eq(get(&a, LVT_TIMER), 0x10000);
    ck_assert_uint_eq(get(&a, LVT_THERMAL), 0x10000);
    ck_assert_uint_eq(get(&a, LVT_PERF), 0x10000);
    ck_assert_uint_eq(get(&a, LINT0), 0x700); /* virtual wire */
    ck_assert_uint_eq(get(&a, LINT1), 0x400);
    ck_assert_uint_eq(get(&a, LVT_ERROR), 0x10000);
    ck_assert_uint_eq(get(&a, INITIAL) | get(&a, CURRENT) | get(&a, DIVIDE), 0);
    rig_free(&a.r);
}
END_TEST

START_TEST(writable_bits)
{
    static const struct {
        unsigned reg;
        uint32_t ones, zeros;
    } rows[] = {
        {ID, 0xff000000, 0}, {VERSION, 0x50014, 0x50014}, {TPR, 0xff, 0}, {LDR, 0xff000000, 0},
        {DFR, 0xffffffff, 0x0fffffff}, {SVR, 0x3ff, 0}, {RRD, 0, 0}, {ICR_HIGH, 0xff000000, 0},
        {LVT_TIMER, 0x300ff, 0}, {LVT_THERMAL, 0x107ff, 0}, {LVT_PERF, 0x107ff, 0},
        {LINT0, 0x1a7ff, 0}, {LINT1, 0x1a7ff, 0}, {LVT_ERROR, 0x100ff, 0},
        {INITIAL, 0xffffffff, 0}, {DIVIDE, 0xb, 0},
    };
    struct apic a;
    unsigned n;

    setup(&a);
    enable(&a);
    for (n = 0; n < ARRAY_LEN(rows); n++) {
        put(&a, rows[n].reg, 0xffffffff);
        ck_assert_msg(get(&a, rows[n].reg) == rows[n].ones, "%x: %x", rows[n].reg,
                      get(&a, rows[n].reg));
        put(&a, rows[n].reg, 0);
        ck_assert_msg(get(&a, rows[n].reg) == rows[n].zeros, "%x: %x", rows[n].reg,
                      get(&a, rows[n].reg));
        enable(&a);
    }
    put(&a, ICR, 0xfff33000); /* fixed, vector 0: illegal, but what can be kept is kept */
    ck_assert_uint_eq(get(&a, ICR), 0x00002000 & 0xccfff);
    /* Bytes of a register: the bus reads, changes and writes the whole. */
    bus_write(a.r.env.mem, BASE + TPR, 1, 0x35);
    ck_assert_uint_eq(bus_read(a.r.env.mem, BASE + TPR, 1), 0x35);
    ck_assert_uint_eq(bus_read(a.r.env.mem, BASE + TPR + 4, 4), 0);
    rig_free(&a.r);
}
END_TEST

START_TEST(priorities)
{
    struct apic a;

    setup(&a);
    enable(&a);
    ck_assert(message(&a, APIC_FIXED, 0x41, false));
    ck_assert(a.intr.level);
    ck_assert(in_set(&a, IRR, 0x41));
    ck_assert(message(&a, APIC_FIXED, 0x52, true));
    ck_assert(in_set(&a, TMR, 0x52) && !in_set(&a, TMR, 0x41));
    ck_assert_int_eq(acknowledge(&a), 0x52);
    ck_assert(in_set(&a, ISR, 0x52) && !in_set(&a, IRR, 0x52));
    ck_assert_uint_eq(get(&a, PPR), 0x50);
    ck_assert(!a.intr.level); /* 41h has to wait */
    message(&a, APIC_LOWEST, 0x5f, false);
    ck_assert(!a.intr.level); /* same class */
    message(&a, APIC_FIXED, 0x60, false);
    ck_assert(a.intr.level);
    ck_assert_int_eq(acknowledge(&a), 0x60);
    put(&a, EOI, 0);
    ck_assert(!in_set(&a, ISR, 0x60) && in_set(&a, ISR, 0x52));
    ck_assert_uint_eq(a.eois, 0); /* 60h was an edge */
    put(&a, EOI, 0);
    ck_assert_uint_eq(a.eois, 1);
    ck_assert_uint_eq(a.eoi, 0x52);
    ck_assert_int_eq(acknowledge(&a), 0x5f);
    put(&a, EOI, 0);
    ck_assert(a.intr.level);
    put(&a, TPR, 0x40); /* class 4 is not above the task */
    ck_assert(!a.intr.level);
    ck_assert_uint_eq(get(&a, PPR), 0x40);
    put(&a, TPR, 0x3f);
    ck_assert(a.intr.level);
    ck_assert_uint_eq(get(&a, PPR), 0x3f);
    ck_assert_uint_eq(get(&a, APR), 0x40);
    ck_assert_int_eq(acknowledge(&a), 0x41);
    put(&a, EOI, 0);
    put(&a, EOI, 0); /* one too many does nothing */
    ck_assert(!a.intr.level);
    rig_free(&a.r);
}
END_TEST

START_TEST(spurious)
{
    struct apic a;

    setup(&a);
    enable(&a);
    put(&a, SVR, 0x1ef);
    ck_assert_int_eq(acknowledge(&a), 0xef);
    ck_assert(!in_set(&a, ISR, 0xef));
    message(&a, APIC_FIXED, 0x30, false);
    put(&a, TPR, 0xf0); /* raised between INTR and the acknowledge */
    ck_assert_int_eq(acknowledge(&a), 0xef);
    put(&a, TPR, 0);
    ck_assert_int_eq(acknowledge(&a), 0x30);
    rig_free(&a.r);
}
END_TEST

START_TEST(destinations)
{
    struct apic a;
    struct apic_message m = {.mode = APIC_FIXED, .vector = 0x30};

    setup(&a);
    ck_assert(!lapic_message(a.d, &m)); /* software disabled */
    enable(&a);
    put(&a, ID, 0x05000000);
    ck_assert(!lapic_message(a.d, &m));
    m.dest = 5;
    ck_assert(lapic_message(a.d, &m));
    m.dest = 0xff;
    ck_assert(lapic_message(a.d, &m));
    m.logical = true;
    ck_assert(lapic_message(a.d, &m));
    m.dest = 2;
    ck_assert(!lapic_message(a.d, &m));
    put(&a, LDR, 0x06000000);
    ck_assert(lapic_message(a.d, &m));
    put(&a, DFR, 0x0fffffff); /* clusters */
    put(&a, LDR, 0x32000000);
    m.dest = 0x33;
    ck_assert(lapic_message(a.d, &m));
    m.dest = 0x31;
    ck_assert(!lapic_message(a.d, &m));
    m.dest = 0x22;
    ck_assert(!lapic_message(a.d, &m));
    m.dest = 0xf2;
    ck_assert(lapic_message(a.d, &m));
    rig_free(&a.r);
}
END_TEST

START_TEST(modes)
{
    struct apic a;

    setup(&a);
    ck_assert(message(&a, APIC_NMI, 0, false));
    ck_assert(message(&a, APIC_INIT, 0, false));
    ck_assert(message(&a, APIC_SMI, 0, false));
    ck_assert_uint_eq(a.nmis, 1);
    ck_assert_uint_eq(a.smis, 1);
    ck_assert_uint_eq(a.inits, 1);
    ck_assert(!a.intr.level);
    ck_assert(message(&a, APIC_EXTINT, 0, false));
    ck_assert(a.intr.level);
    ck_assert_int_eq(acknowledge(&a), -1); /* the 8259A's turn */
    ck_assert(!a.intr.level);
    rig_free(&a.r);
}
END_TEST

START_TEST(interprocessor)
{
    struct apic a;

    setup(&a);
    enable(&a);
    put(&a, ICR, 0x40030 | 1); /* self */
    ck_assert_int_eq(acknowledge(&a), 0x31);
    put(&a, EOI, 0);
    put(&a, ICR, 0x80032); /* all */
    ck_assert_int_eq(acknowledge(&a), 0x32);
    put(&a, EOI, 0);
    put(&a, ICR, 0xc0033); /* all others */
    put(&a, ICR_HIGH, 0x01000000);
    put(&a, ICR, 0x34); /* nobody */
    ck_assert(!a.intr.level);
    put(&a, ICR, 0x835); /* logical 1 */
    ck_assert_int_eq(acknowledge(&a), 0x35);
    put(&a, EOI, 0);
    put(&a, ICR_HIGH, 0);
    put(&a, ICR, 0x400);
    ck_assert_uint_eq(a.nmis, 1);
    put(&a, ICR, 0x40400); /* NMI through a shorthand that includes itself: no */
    ck_assert_uint_eq(a.nmis, 1);
    put(&a, ICR, 0x8500); /* INIT level de-assert */
    put(&a, ICR, 0xc4500); /* INIT to all others */
    put(&a, ICR, 0xc4610); /* startup to all others */
    put(&a, ICR, 0x610);
    ck_assert_uint_eq(a.inits, 0);
    put(&a, ICR, 0x4500);
    ck_assert_uint_eq(a.inits, 1);
    ck_assert_uint_eq(get(&a, ICR) & 0x1000, 0); /* sent */
    rig_free(&a.r);
}
END_TEST

START_TEST(errors)
{
    struct apic a;

    setup(&a);
    enable(&a);
    put(&a, LVT_ERROR, 0x77);
    put(&a, ICR, 0x40005);
    ck_assert_uint_eq(get(&a, ESR), 0); /* not before it is written */
    put(&a, ESR, 0);
    ck_assert_uint_eq(get(&a, ESR), 0x20);
    ck_assert_int_eq(acknowledge(&a), 0x77);
    put(&a, EOI, 0);
    put(&a, ESR, 0);
    ck_assert_uint_eq(get(&a, ESR), 0);
    ck_assert(message(&a, APIC_FIXED, 3, false));
    get(&a, 0x2f0);
    put(&a, 0x3f0, 1);
    put(&a, ESR, 0);
    ck_assert_uint_eq(get(&a, ESR), 0xc0);
    ck_assert_int_eq(acknowledge(&a), 0x77);
    put(&a, EOI, 0);
    put(&a, LVT_ERROR, 0x02); /* an illegal vector for errors must not go round in circles */
    put(&a, ICR, 0x40005);
    put(&a, ESR, 0);
    ck_assert_uint_eq(get(&a, ESR), 0x60);
    rig_free(&a.r);
}
END_TEST

START_TEST(virtual_wire)
{
    struct apic a;

    setup(&a);
    lapic_lint(a.d, 0, true);
    ck_assert(a.intr.level);
    ck_assert_int_eq(acknowledge(&a), -1);
    ck_assert(a.intr.level); /* as long as the 8259A asks */
    lapic_lint(a.d, 0, false);
    ck_assert(!a.intr.level);
    lapic_lint(a.d, 1, true);
    lapic_lint(a.d, 1, true);
    ck_assert_uint_eq(a.nmis, 1);
    lapic_lint(a.d, 1, false);
    put(&a, SVR, 0x1ff);
    put(&a, LINT0, 0x8700);
    lapic_lint(a.d, 0, true);
    ck_assert(a.intr.level);
    message(&a, APIC_FIXED, 0x20, false);
    ck_assert_int_eq(acknowledge(&a), 0x20); /* its own come first */
    ck_assert_int_eq(acknowledge(&a), -1);
    put(&a, SVR, 0xff); /* disabling masks every entry */
    ck_assert_uint_eq(get(&a, LINT0), 0x18700);
    ck_assert_uint_eq(get(&a, LINT1), 0x10400);
    ck_assert(!a.intr.level);
    put(&a, LINT0, 0x700);
    ck_assert_uint_eq(get(&a, LINT0), 0x10700);
    lapic_lint(a.d, 1, true);
    ck_assert_uint_eq(a.nmis, 1);
    rig_free(&a.r);
}
END_TEST

START_TEST(local_pins)
{
    struct apic a;

    setup(&a);
    enable(&a);
    put(&a, LINT0, 0x31); /* fixed, edge */
    lapic_lint(a.d, 0, true);
    ck_assert_int_eq(acknowledge(&a), 0x31);
    put(&a, EOI, 0);
    ck_assert(!a.intr.level);
    lapic_lint(a.d, 0, false);
    put(&a, LINT1, 0x8042); /* fixed, level */
    lapic_lint(a.d, 1, true);
    ck_assert_uint_eq(get(&a, LINT1), 0xc042);
    ck_assert_int_eq(acknowledge(&a), 0x42);
    ck_assert(!a.intr.level);
    put(&a, EOI, 0); /* still high: again */
    ck_assert_uint_eq(a.eois, 1);
    ck_assert_int_eq(acknowledge(&a), 0x42);
    lapic_lint(a.d, 1, false);
    put(&a, EOI, 0);
    ck_assert_uint_eq(get(&a, LINT1), 0x8042);
    ck_assert(!a.intr.level);
    put(&a, LINT1, 0x500); /* INIT */
    lapic_lint(a.d, 1, true);
    ck_assert_uint_eq(a.inits, 1);
    rig_free(&a.r);
}
END_TEST

START_TEST(timer_one_shot)
{
    struct apic a;

    setup(&a);
    enable(&a);
    put(&a, LVT_TIMER, 0x50);
    put(&a, DIVIDE, 0xb); /* by 1: 10 ns */
    put(&a, INITIAL, 100);
    ck_assert_uint_eq(get(&a, CURRENT), 100);
    rig_run(&a.r, 10);
    ck_assert_uint_eq(get(&a, CURRENT), 99);
    rig_run(&a.r, 989);
    ck_assert_uint_eq(get(&a, CURRENT), 1);
    ck_assert(!a.intr.level);
    rig_run(&a.r, 1);
    ck_assert_uint_eq(get(&a, CURRENT), 0);
    ck_assert(a.intr.level);
    ck_assert_uint_eq(a.intr.at, 1000);
    ck_assert_int_eq(acknowledge(&a), 0x50);
    put(&a, EOI, 0);
    rig_run(&a.r, 100000);
    ck_assert(!a.intr.level);
    ck_assert_uint_eq(get(&a, INITIAL), 100);
    put(&a, INITIAL, 50);
    put(&a, LVT_TIMER, 0x10050); /* masked while it runs out: no interrupt, not later either */
    rig_run(&a.r, 1000);
    put(&a, LVT_TIMER, 0x50);
    rig_run(&a.r, 1000);
    ck_assert(!a.intr.level);
    put(&a, INITIAL, 50);
    put(&a, INITIAL, 0); /* stops */
    rig_run(&a.r, 1000);
    ck_assert(!a.intr.level);
    rig_free(&a.r);
}
END_TEST

START_TEST(timer_periodic)
{
    static const uint8_t divide[8] = {0, 1, 2, 3, 8, 9, 10, 11};
    static const unsigned by[8] = {2, 4, 8, 16, 32, 64, 128, 1};
    struct apic a;
    unsigned n, k;

    setup(&a);
    enable(&a);
    for (n = 0; n < 8; n++) {
        uint64_t start = rig_now(&a.r), period = 30ull * by[n] * 10;

        put(&a, LVT_TIMER, 0x20060);
        put(&a, DIVIDE, divide[n]);
        put(&a, INITIAL, 30);
        for (k = 1; k <= 5; k++) {
            rig_run_to(&a.r, start + k * period - 1);
            ck_assert(!a.intr.level);
            rig_run_to(&a.r, start + k * period);
            ck_assert(a.intr.level);
            ck_assert_uint_eq(get(&a, CURRENT), 30);
            ck_assert_int_eq(acknowledge(&a), 0x60);
            put(&a, EOI, 0);
        }
        rig_run(&a.r, period / 2);
        ck_assert_uint_eq(get(&a, CURRENT), 15);
        put(&a, INITIAL, 0);
        ck_assert_uint_eq(get(&a, CURRENT), 0);
        rig_run_to(&a.r, (rig_now(&a.r) + 99999) / 100000 * 100000);
    }
    rig_free(&a.r);
}
END_TEST

/* The count goes on when its divider, mode or mask changes. */
START_TEST(timer_changes)
{
    struct apic a;

    setup(&a);
    enable(&a);
    put(&a, DIVIDE, 0xb);
    put(&a, LVT_TIMER, 0x20060);
    put(&a, INITIAL, 1000);
    rig_run(&a.r, 2500 * 10);
    ck_assert_uint_eq(get(&a, CURRENT), 500);
    put(&a, LVT_TIMER, 0x61); /* one shot from here */
    ck_assert_uint_eq(get(&a, CURRENT), 500);
    put(&a, DIVIDE, 0); /* by 2 */
    ck_assert_uint_eq(get(&a, CURRENT), 500);
    rig_run(&a.r, 400 * 20);
    ck_assert_uint_eq(get(&a, CURRENT), 100);
    acknowledge(&a); /* of the periodic time */
    put(&a, EOI, 0);
    rig_run(&a.r, 100 * 20);
    ck_assert_int_eq(acknowledge(&a), 0x61);
    put(&a, EOI, 0);
    put(&a, LVT_TIMER, 0x20061); /* has run out: needs a new count */
    rig_run(&a.r, 100000);
    ck_assert(!a.intr.level);
    put(&a, SVR, 0xff); /* disabled: masked */
    ck_assert_uint_eq(get(&a, LVT_TIMER), 0x30061);
    rig_free(&a.r);
}
END_TEST

START_TEST(base_register)
{
    struct apic a;

    setup(&a);
    enable(&a);
    lapic_set_base(a.d, 0xfed10900, false);
    ck_assert_uint_eq(get(&a, VERSION), 0xffffffff);
    ck_assert_uint_eq(bus_read(a.r.env.mem, 0xfed10030, 4), 0x50014);
    ck_assert_uint_eq(bus_read(a.r.env.mem, 0xfed100f0, 4), 0x1ff);
    lapic_set_base(a.d, 0x3000 | 0x900, false); /* over RAM */
    ck_assert_uint_eq(bus_read(a.r.env.mem, 0x3030, 4), 0x50014);
    lapic_set_base(a.d, BASE | 0x100, false); /* off: pins go straight to the CPU */
    ck_assert_uint_eq(bus_read(a.r.env.mem, 0x3030, 4), 0);
    ck_assert_uint_eq(get(&a, VERSION), 0xffffffff);
    lapic_lint(a.d, 0, true);
    ck_assert(a.intr.level);
    ck_assert_int_eq(acknowledge(&a), -1);
    lapic_lint(a.d, 0, false);
    ck_assert(!a.intr.level);
    lapic_lint(a.d, 1, true);
    ck_assert_uint_eq(a.nmis, 1);
    ck_assert(!message(&a, APIC_FIXED, 0x40, false));
    lapic_set_base(a.d, LAPIC_BASE_RESET, false);
    ck_assert_uint_eq(get(&a, SVR), 0xff); /* as after power-up */
    put(&a, ID, 0x07000000);
    enable(&a);
    lapic_set_base(a.d, LAPIC_BASE_RESET, true); /* INIT keeps the identification */
    ck_assert_uint_eq(get(&a, ID), 0x07000000);
    ck_assert_uint_eq(get(&a, SVR), 0xff);
    rig_free(&a.r);
}
END_TEST

START_TEST(round_trip)
{
    struct apic a;
    uint64_t due;

    setup(&a);
    enable(&a);
    put(&a, ID, 0x03000000);
    put(&a, TPR, 0x21);
    put(&a, DIVIDE, 0xb);
    put(&a, LVT_TIMER, 0x20080);
    put(&a, INITIAL, 1000);
    put(&a, ICR_HIGH, 0x09000000);
    put(&a, ICR, 0x40090);
    put(&a, ICR, 0x40004);
    message(&a, APIC_FIXED, 0x91, false);
    acknowledge(&a);
    message(&a, APIC_FIXED, 0x44, true);
    lapic_lint(a.d, 0, true);
    message(&a, APIC_EXTINT, 0, false);
    lapic_set_base(a.d, 0xfed20900, false);
    rig_run(&a.r, 3333);
    due = sched_next(a.r.env.sched);
    rig_round_trip(&a.r);
    ck_assert_uint_eq(bus_read(a.r.env.mem, 0xfed20020, 4), 0x03000000);
    ck_assert_uint_eq(bus_read(a.r.env.mem, 0xfed20390, 4), 1000 - 333);
    ck_assert_uint_eq(sched_next(a.r.env.sched), due);
    ck_assert(a.intr.level);
    rig_free(&a.r);
}
END_TEST

START_TEST(storm)
{
    struct apic a;
    uint32_t x = 1;
    unsigned n;

    setup(&a);
    for (n = 0; n < 300000; n++) {
        unsigned reg;

        x = x * 1664525u + 1013904223u;
        reg = x >> 20 & 0x3f0;
        switch (x >> 8 & 7) {
        case 0:
            get(&a, reg);
            break;
        case 1:
            acknowledge(&a);
            break;
        case 2:
            lapic_lint(a.d, x >> 16 & 1, x >> 17 & 1);
            break;
        case 3:
            message(&a, x >> 16 & 7, x >> 24, x >> 15 & 1);
            break;
        case 4:
            if ((x >> 11 & 0x3f) == 0) {
                lapic_set_base(a.d, BASE | 0x100 | (x >> 20 & 0x800), x & 1);
            }
            break;
        default:
            bus_write(a.r.env.mem, BASE + reg, 4, x * 2654435761u);
            if (reg == SVR && x & 4) {
                enable(&a);
            }
        }
        rig_run(&a.r, x >> 22);
    }
    rig_round_trip(&a.r);
    rig_free(&a.r);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, after_reset);
    tcase_add_test(t, writable_bits);
    tcase_add_test(t, priorities);
    tcase_add_test(t, spurious);
    tcase_add_test(t, destinations);
    tcase_add_test(t, modes);
    tcase_add_test(t, interprocessor);
    tcase_add_test(t, errors);
    tcase_add_test(t, virtual_wire);
    tcase_add_test(t, local_pins);
    tcase_add_test(t, timer_one_shot);
    tcase_add_test(t, timer_periodic);
    tcase_add_test(t, timer_changes);
    tcase_add_test(t, base_register);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, storm);
}

int main(void)
{
    return rig_main("lapic", add);
}
