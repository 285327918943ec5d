/*
 * 82093AA: register access, edge and level inputs, masks, remote IRR and EOI, message contents.
 */
#include "devices/ioapic.h"

#include "chip_rig.h"

#define BASE 0xfec00000u

struct ioapics {
    struct rig r;
    struct device *d;
    unsigned sent;
    bool refuse;
    struct apic_message last;
};

static bool take(void *to, const struct apic_message *msg)
{
    struct ioapics *p = to;

    p->sent++;
    p->last = *msg;
    return !p->refuse;
}

static void setup(struct ioapics *p)
{
    struct ioapic_config c = {BASE, take, p};

    memset(p, 0, sizeof *p);
    rig_init(&p->r);
    p->d = rig_add(&p->r, &ioapic_class, "ioapic", &c);
}

static uint32_t get(struct ioapics *p, unsigned reg)
{
    bus_write(p->r.env.mem, BASE, 4, reg);
    return (uint32_t)bus_read(p->r.env.mem, BASE + 0x10, 4);
}

static void put(struct ioapics *p, unsigned reg, uint32_t v)
{
    bus_write(p->r.env.mem, BASE, 4, reg);
    bus_write(p->r.env.mem, BASE + 0x10, 4, v);
}

START_TEST(registers)
{
    struct ioapics p;
    unsigned n;

    setup(&p);
    ck_assert_uint_eq(get(&p, 0), 0);
    ck_assert_uint_eq(get(&p, 1), 0x00170011);
    ck_assert_uint_eq(get(&p, 2), 0);
    for (n = 0; n < 24; n++) {
        ck_assert_uint_eq(get(&p, 0x10 + n * 2), 0x10000);
        ck_assert_uint_eq(get(&p, 0x11 + n * 2), 0);
    }
    ck_assert_uint_eq(get(&p, 0x40), 0);
    put(&p, 0, 0xffffffff);
    ck_assert_uint_eq(get(&p, 0), 0x0f000000);
    ck_assert_uint_eq(get(&p, 2), 0x0f000000);
    put(&p, 0, 0x02000000);
    ck_assert_uint_eq(get(&p, 0), 0x02000000);
    put(&p, 1, 0);
    ck_assert_uint_eq(get(&p, 1), 0x00170011);
    put(&p, 0x3e, 0xffffffff);
    put(&p, 0x3f, 0xffffffff);
    ck_assert_uint_eq(get(&p, 0x3e), 0x1afff); /* status bits are read-only */
    ck_assert_uint_eq(get(&p, 0x3f), 0xff000000);
    put(&p, 0x41, 0xffffffff);
    /* The select register is eight bits wide and can be written as a byte. */
    bus_write(p.r.env.mem, BASE, 1, 0x01);
    ck_assert_uint_eq(bus_read(p.r.env.mem, BASE, 4), 0x01);
    ck_assert_uint_eq(bus_read(p.r.env.mem, BASE + 0x10, 4), 0x00170011);
    ck_assert_uint_eq(bus_read(p.r.env.mem, BASE + 0x20, 4), 0);
    ck_assert_uint_eq(p.sent, 0);
    rig_free(&p.r);
}
END_TEST

START_TEST(edges)
{
    struct ioapics p;

    setup(&p);
    ioapic_irq(p.d, 4, true); /* masked: lost */
    put(&p, 0x19, 0x5a000000);
    put(&p, 0x18, 0x844); /* logical, fixed, vector 44h */
    ck_assert_uint_eq(p.sent, 0);
    ioapic_irq(p.d, 4, true); /* no edge */
    ck_assert_uint_eq(p.sent, 0);
    ioapic_irq(p.d, 4, false);
    ioapic_irq(p.d, 4, true);
    ck_assert_uint_eq(p.sent, 1);
    ck_assert_uint_eq(p.last.dest, 0x5a);
    ck_assert(p.last.logical && !p.last.level);
    ck_assert_uint_eq(p.last.mode, APIC_FIXED);
    ck_assert_uint_eq(p.last.vector, 0x44);
    ck_assert_uint_eq(get(&p, 0x18), 0x844);
    ioapic_irq(p.d, 4, false);
    ioapic_irq(p.d, 4, true); /* needs no EOI in between */
    ck_assert_uint_eq(p.sent, 2);
    put(&p, 0x18, 0x10844);
    ioapic_irq(p.d, 4, false);
    ioapic_irq(p.d, 4, true);
    ck_assert_uint_eq(p.sent, 2);
    ioapic_irq(p.d, 24, true); /* no such pin */
    ck_assert_uint_eq(p.sent, 2);
    rig_free(&p.r);
}
END_TEST

START_TEST(levels)
{
    struct ioapics p;

    setup(&p);
    put(&p, 0x26, 0xa051); /* pin 11: level, active low, vector 51h */
    ioapic_irq(p.d, 11, true);
    ck_assert_uint_eq(p.sent, 1);
    ck_assert(p.last.level);
    ck_assert_uint_eq(get(&p, 0x26), 0xe051);
    ioapic_irq(p.d, 11, false);
    ioapic_irq(p.d, 11, true); /* waits for the EOI */
    ck_assert_uint_eq(p.sent, 1);
    ioapic_eoi(p.d, 0x52);
    ck_assert_uint_eq(p.sent, 1);
    ioapic_eoi(p.d, 0x51); /* still asserted */
    ck_assert_uint_eq(p.sent, 2);
    ioapic_irq(p.d, 11, false);
    ioapic_eoi(p.d, 0x51);
    ck_assert_uint_eq(p.sent, 2);
    ck_assert_uint_eq(get(&p, 0x26), 0xa051);
    put(&p, 0x26, 0x1a051);
    ioapic_irq(p.d, 11, true);
    ck_assert_uint_eq(p.sent, 2);
    put(&p, 0x26, 0xa051); /* unmasked while asserted */
    ck_assert_uint_eq(p.sent, 3);
    put(&p, 0x26, 0x1a051); /* masked: the EOI that is due stays due */
    ck_assert_uint_eq(get(&p, 0x26), 0x1e051);
    put(&p, 0x26, 0x12051); /* edge for a moment clears it, as software without EOI does */
    put(&p, 0x26, 0xa051);
    ck_assert_uint_eq(p.sent, 4);
    ioapic_eoi(p.d, 0x51);
    ck_assert_uint_eq(p.sent, 5);
    ioapic_irq(p.d, 11, false);
    ioapic_eoi(p.d, 0x51);
    p.refuse = true; /* nobody takes it: no EOI will come */
    ioapic_irq(p.d, 11, true);
    ck_assert_uint_eq(get(&p, 0x26), 0xa051);
    p.refuse = false;
    put(&p, 0x27, 0x01000000);
    ck_assert_uint_eq(get(&p, 0x26), 0xe051);
    ck_assert_uint_eq(p.last.dest, 1);
    rig_free(&p.r);
}
END_TEST

/* NMI, INIT, SMI and ExtINT are edges whatever the trigger bit says. */
START_TEST(modes)
{
    static const uint8_t mode[4] = {APIC_SMI, APIC_NMI, APIC_INIT, APIC_EXTINT};
    struct ioapics p;
    unsigned n;

    setup(&p);
    for (n = 0; n < 4; n++) {
        put(&p, 0x10, 0x8000u | (uint32_t)mode[n] << 8);
        ioapic_irq(p.d, 0, false);
        ioapic_irq(p.d, 0, true);
        ck_assert_uint_eq(p.sent, n + 1);
        ck_assert_uint_eq(p.last.mode, mode[n]);
        ck_assert_uint_eq(get(&p, 0x10) & 0x4000, 0);
    }
    rig_free(&p.r);
}
END_TEST

START_TEST(round_trip)
{
    struct ioapics p;

    setup(&p);
    put(&p, 0, 0x05000000);
    put(&p, 0x26, 0xa051);
    put(&p, 0x27, 0x33000000);
    put(&p, 0x12, 0x31);
    ioapic_irq(p.d, 11, true);
    ioapic_irq(p.d, 1, true);
    rig_round_trip(&p.r);
    ck_assert_uint_eq(get(&p, 0x26), 0xe051);
    ck_assert_uint_eq(get(&p, 0x27), 0x33000000);
    ioapic_eoi(p.d, 0x51);
    ck_assert_uint_eq(p.sent, 3);
    ioapic_irq(p.d, 1, true);
    ck_assert_uint_eq(p.sent, 3);
    rig_free(&p.r);
}
END_TEST

START_TEST(storm)
{
    struct ioapics p;
    uint32_t x = 7;
    unsigned n;

    setup(&p);
    for (n = 0; n < 300000; n++) {
        x = x * 1664525u + 1013904223u;
        p.refuse = x >> 12 & 1;
        if (x >> 9 & 1) {
            put(&p, x >> 20 & 0x7f, x * 2654435761u);
        } else if (x >> 10 & 1) {
            ioapic_irq(p.d, x >> 20 & 31, x >> 11 & 1);
        } else {
            ioapic_eoi(p.d, (uint8_t)(x >> 24));
        }
    }
    rig_round_trip(&p.r);
    rig_free(&p.r);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, registers);
    tcase_add_test(t, edges);
    tcase_add_test(t, levels);
    tcase_add_test(t, modes);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, storm);
}

int main(void)
{
    return rig_main("ioapic", add);
}
