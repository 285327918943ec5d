/*
 * 8259A pair: initialisation, priorities, every EOI, cascade, poll, masks, edge and level inputs.
 */
#include "devices/i8259.h"

#include "chip_rig.h"

struct pics {
    struct rig r;
    struct pin intr;
    struct device *d;
};

static void init_pair(struct pics *p, uint8_t icw4_master, uint8_t icw4_slave)
{
    out8(&p->r, 0x20, 0x11);
    out8(&p->r, 0x21, 0x08);
    out8(&p->r, 0x21, 0x04);
    out8(&p->r, 0x21, icw4_master);
    out8(&p->r, 0xa0, 0x11);
    out8(&p->r, 0xa1, 0x70);
    out8(&p->r, 0xa1, 0x02);
    out8(&p->r, 0xa1, icw4_slave);
    out8(&p->r, 0x21, 0);
    out8(&p->r, 0xa1, 0);
}

static void setup(struct pics *p)
{
    struct i8259_config c = {0x20, 0xa0, 0x4d0, {NULL, NULL, 0}};

    memset(p, 0, sizeof *p);
    rig_init(&p->r);
    c.intr = pin_line(&p->intr, &p->r);
    p->d = rig_add(&p->r, &i8259_class, "i8259", &c);
    init_pair(p, 1, 1);
}

static void raise(struct pics *p, unsigned n)
{
    i8259_irq(p->d, n, true);
}

static void lower(struct pics *p, unsigned n)
{
    i8259_irq(p->d, n, false);
}

static void pulse(struct pics *p, unsigned n)
{
    lower(p, n);
    raise(p, n);
}

static uint8_t irr(struct pics *p, unsigned port)
{
    out8(&p->r, port, 0x0a);
    return in8(&p->r, port);
}

static uint8_t isr(struct pics *p, unsigned port)
{
    out8(&p->r, port, 0x0b);
    return in8(&p->r, port);
}

START_TEST(vectors_and_priority)
{
    struct pics p;

    setup(&p);
    ck_assert(!p.intr.level);
    raise(&p, 3);
    raise(&p, 1);
    ck_assert(p.intr.level && i8259_intr(p.d));
    ck_assert_uint_eq(irr(&p, 0x20), 0x0a);
    ck_assert_uint_eq(i8259_inta(p.d), 0x09);
    ck_assert_uint_eq(isr(&p, 0x20), 0x02);
    ck_assert_uint_eq(irr(&p, 0x20), 0x08);
    ck_assert(!p.intr.level); /* 3 waits for the end of 1 */
    pulse(&p, 0);
    ck_assert_uint_eq(i8259_inta(p.d), 0x08);
    out8(&p.r, 0x20, 0x20); /* ends 0 */
    ck_assert_uint_eq(isr(&p, 0x20), 0x02);
    out8(&p.r, 0x20, 0x20); /* ends 1 */
    ck_assert(p.intr.level);
    ck_assert_uint_eq(i8259_inta(p.d), 0x0b);
    out8(&p.r, 0x20, 0x63); /* specific */
    ck_assert_uint_eq(isr(&p, 0x20), 0);
    raise(&p, 3); /* still high: no new edge */
    ck_assert(!p.intr.level);
    out8(&p.r, 0x21, 0x5a);
    ck_assert_uint_eq(in8(&p.r, 0x21), 0x5a);
    rig_free(&p.r);
}
END_TEST

START_TEST(cascade)
{
    struct pics p;

    setup(&p);
    raise(&p, 12);
    raise(&p, 8);
    ck_assert_uint_eq(irr(&p, 0xa0), 0x11);
    ck_assert_uint_eq(irr(&p, 0x20), 0x04);
    ck_assert_uint_eq(i8259_inta(p.d), 0x70);
    ck_assert_uint_eq(isr(&p, 0x20), 0x04);
    ck_assert_uint_eq(isr(&p, 0xa0), 0x01);
    out8(&p.r, 0xa0, 0x20);
    out8(&p.r, 0x20, 0x20);
    ck_assert(p.intr.level);
    ck_assert_uint_eq(i8259_inta(p.d), 0x74);
    /* A higher input of the slave waits in normal nesting ... */
    raise(&p, 9);
    ck_assert(!p.intr.level);
    out8(&p.r, 0xa0, 0x20);
    ck_assert(!p.intr.level);
    out8(&p.r, 0x20, 0x20);
    ck_assert_uint_eq(i8259_inta(p.d), 0x71);
    out8(&p.r, 0xa0, 0x20);
    out8(&p.r, 0x20, 0x20);
    /* ... and interrupts its own service in the special fully nested mode. */
    init_pair(&p, 0x11, 1);
    pulse(&p, 12);
    ck_assert_uint_eq(i8259_inta(p.d), 0x74);
    pulse(&p, 9);
    ck_assert(p.intr.level);
    ck_assert_uint_eq(i8259_inta(p.d), 0x71);
    pulse(&p, 3); /* lower than the slave: waits */
    ck_assert(!p.intr.level);
    /* No slave with the number that the master asks. */
    init_pair(&p, 1, 1);
    out8(&p.r, 0xa0, 0x11);
    out8(&p.r, 0xa1, 0x70);
    out8(&p.r, 0xa1, 0x05);
    out8(&p.r, 0xa1, 0x01);
    pulse(&p, 12);
    ck_assert_uint_eq(i8259_inta(p.d), 0xff);
    /* Input 2 has no pin, and there is no input 16. */
    init_pair(&p, 1, 1);
    raise(&p, 2);
    raise(&p, 16);
    ck_assert(!p.intr.level);
    rig_free(&p.r);
}
END_TEST

START_TEST(spurious)
{
    struct pics p;

    setup(&p);
    raise(&p, 4);
    ck_assert(p.intr.level);
    lower(&p, 4); /* an edge triggered request must stay until it is acknowledged */
    ck_assert(!p.intr.level);
    ck_assert_uint_eq(i8259_inta(p.d), 0x0f);
    ck_assert_uint_eq(isr(&p, 0x20), 0);
    /* Slave: the master's request is latched, the slave's goes away. */
    raise(&p, 10);
    out8(&p.r, 0xa1, 0xff);
    ck_assert_uint_eq(i8259_inta(p.d), 0x0f);
    out8(&p.r, 0xa1, 0);
    ck_assert(p.intr.level);
    /* A poll of the slave takes its request away from the master. */
    out8(&p.r, 0xa0, 0x0c);
    ck_assert_uint_eq(in8(&p.r, 0xa0), 0x82);
    ck_assert(!p.intr.level);
    rig_free(&p.r);
}
END_TEST

START_TEST(rotation_and_set_priority)
{
    struct pics p;

    setup(&p);
    pulse(&p, 1);
    ck_assert_uint_eq(i8259_inta(p.d), 0x09);
    out8(&p.r, 0x20, 0xa0); /* rotate on non-specific EOI: 1 is lowest */
    pulse(&p, 1);
    pulse(&p, 5);
    ck_assert_uint_eq(i8259_inta(p.d), 0x0d);
    out8(&p.r, 0x20, 0xe5); /* rotate on specific EOI: 5 is lowest, 6 highest */
    pulse(&p, 5);
    ck_assert_uint_eq(i8259_inta(p.d), 0x09);
    pulse(&p, 6);
    ck_assert_uint_eq(i8259_inta(p.d), 0x0e);
    out8(&p.r, 0x20, 0x20); /* ends 6, the highest of those in service */
    ck_assert_uint_eq(isr(&p, 0x20), 0x02);
    out8(&p.r, 0x20, 0xc0); /* set priority: 0 is lowest */
    out8(&p.r, 0x20, 0x40); /* no operation */
    ck_assert_uint_eq(isr(&p, 0x20), 0x02);
    out8(&p.r, 0x20, 0x61);
    pulse(&p, 0);
    ck_assert_uint_eq(i8259_inta(p.d), 0x0d);
    out8(&p.r, 0x20, 0x20);
    ck_assert_uint_eq(i8259_inta(p.d), 0x08);
    rig_free(&p.r);
}
END_TEST

START_TEST(automatic_eoi)
{
    struct pics p;

    setup(&p);
    init_pair(&p, 3, 3);
    raise(&p, 1);
    raise(&p, 5);
    ck_assert_uint_eq(i8259_inta(p.d), 0x09);
    ck_assert_uint_eq(isr(&p, 0x20), 0);
    ck_assert_uint_eq(i8259_inta(p.d), 0x0d);
    /* Two of the slave in a row: each needs an edge of its INT output. */
    raise(&p, 8);
    raise(&p, 9);
    ck_assert_uint_eq(i8259_inta(p.d), 0x70);
    ck_assert(p.intr.level);
    ck_assert_uint_eq(i8259_inta(p.d), 0x71);
    ck_assert(!p.intr.level);
    out8(&p.r, 0x20, 0x80); /* rotate in automatic EOI mode */
    pulse(&p, 0);
    ck_assert_uint_eq(i8259_inta(p.d), 0x08);
    pulse(&p, 0);
    pulse(&p, 7);
    ck_assert_uint_eq(i8259_inta(p.d), 0x0f);
    out8(&p.r, 0x20, 0x00);
    ck_assert_uint_eq(i8259_inta(p.d), 0x08);
    rig_free(&p.r);
}
END_TEST

START_TEST(special_mask)
{
    struct pics p;

    setup(&p);
    pulse(&p, 1);
    ck_assert_uint_eq(i8259_inta(p.d), 0x09);
    pulse(&p, 4);
    ck_assert(!p.intr.level);
    out8(&p.r, 0x21, 0x02);
    ck_assert(!p.intr.level);
    out8(&p.r, 0x20, 0x68); /* ESMM SMM */
    ck_assert(p.intr.level);
    ck_assert_uint_eq(i8259_inta(p.d), 0x0c);
    out8(&p.r, 0x20, 0x20); /* a masked level is not ended by a non-specific EOI */
    ck_assert_uint_eq(isr(&p, 0x20), 0x02);
    pulse(&p, 4);
    ck_assert(p.intr.level);
    out8(&p.r, 0x20, 0x28); /* SMM without ESMM: no change */
    ck_assert(p.intr.level);
    out8(&p.r, 0x20, 0x48); /* off */
    ck_assert(!p.intr.level);
    out8(&p.r, 0x20, 0x61);
    ck_assert(p.intr.level);
    rig_free(&p.r);
}
END_TEST

START_TEST(poll)
{
    struct pics p;

    setup(&p);
    out8(&p.r, 0x20, 0x0c);
    ck_assert_uint_eq(in8(&p.r, 0x20) & 0x80, 0);
    raise(&p, 6);
    out8(&p.r, 0x20, 0x0f); /* poll wins over a register read */
    ck_assert_uint_eq(in8(&p.r, 0x20), 0x86);
    ck_assert_uint_eq(isr(&p, 0x20), 0x40);
    ck_assert(!p.intr.level);
    rig_free(&p.r);
}
END_TEST

START_TEST(level_and_elcr)
{
    struct pics p;

    setup(&p);
    out8(&p.r, 0x4d0, 0xff);
    out8(&p.r, 0x4d1, 0xff);
    ck_assert_uint_eq(in8(&p.r, 0x4d0), 0xf8);
    ck_assert_uint_eq(in8(&p.r, 0x4d1), 0xde);
    raise(&p, 11);
    ck_assert_uint_eq(i8259_inta(p.d), 0x73);
    out8(&p.r, 0xa0, 0x20);
    out8(&p.r, 0x20, 0x20);
    ck_assert(p.intr.level); /* still high: again */
    ck_assert_uint_eq(i8259_inta(p.d), 0x73);
    lower(&p, 11);
    out8(&p.r, 0xa0, 0x20);
    out8(&p.r, 0x20, 0x20);
    ck_assert(!p.intr.level);
    out8(&p.r, 0x4d0, 0);
    /* LTIM makes all inputs level triggered. */
    out8(&p.r, 0x20, 0x19);
    out8(&p.r, 0x21, 0x08);
    out8(&p.r, 0x21, 0x04);
    out8(&p.r, 0x21, 0x01);
    raise(&p, 0);
    ck_assert_uint_eq(i8259_inta(p.d), 0x08);
    out8(&p.r, 0x20, 0x20);
    ck_assert(p.intr.level);
    lower(&p, 0);
    ck_assert(!p.intr.level);
    rig_free(&p.r);
}
END_TEST

START_TEST(initialisation)
{
    struct pics p;

    setup(&p);
    raise(&p, 3);
    out8(&p.r, 0x20, 0x11);
    ck_assert(!p.intr.level); /* the edge is forgotten */
    ck_assert_uint_eq(in8(&p.r, 0x20), 0);
    out8(&p.r, 0x21, 0x48);
    out8(&p.r, 0x21, 0x04);
    pulse(&p, 3);
    ck_assert(!p.intr.level); /* not before the last word */
    out8(&p.r, 0x21, 0x01);
    ck_assert(p.intr.level);
    ck_assert_uint_eq(in8(&p.r, 0x21), 0);
    ck_assert_uint_eq(i8259_inta(p.d), 0x4b);
    /* Single, without ICW4: MCS-80 mode, addresses 4 and 8 apart. */
    out8(&p.r, 0x20, 0x16 | 0xe0);
    out8(&p.r, 0x21, 0x12);
    pulse(&p, 3);
    ck_assert_uint_eq(i8259_inta(p.d), 0xec);
    out8(&p.r, 0x20, 0x12 | 0xc0);
    out8(&p.r, 0x21, 0x12);
    pulse(&p, 3);
    ck_assert_uint_eq(i8259_inta(p.d), 0xd8);
    rig_free(&p.r);
}
END_TEST

START_TEST(snapshot_and_storm)
{
    static const unsigned ports[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1};
    struct pics p;
    unsigned i;

    setup(&p);
    raise(&p, 12);
    i8259_inta(p.d);
    raise(&p, 1);
    out8(&p.r, 0x21, 0x40);
    rig_round_trip(&p.r);
    ck_assert(p.intr.level);
    ck_assert_uint_eq(i8259_inta(p.d), 0x09);
    ck_assert_uint_eq(isr(&p, 0x20), 0x06);
    for (i = 0; i < 20000; i++) {
        i8259_irq(p.d, i * 7 % 19, i & 1);
        rig_storm(&p.r, ports, 6, 1 + i % 5);
        ck_assert_uint_le(i8259_inta(p.d), 0xff);
    }
    devices_reset(&p.r.env, RESET_WARM);
    ck_assert(!p.intr.level);
    ck_assert_uint_eq(in8(&p.r, 0x21), 0xff);
    rig_free(&p.r);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, vectors_and_priority);
    tcase_add_test(t, cascade);
    tcase_add_test(t, spurious);
    tcase_add_test(t, rotation_and_set_priority);
    tcase_add_test(t, automatic_eoi);
    tcase_add_test(t, special_mask);
    tcase_add_test(t, poll);
    tcase_add_test(t, level_and_elcr);
    tcase_add_test(t, initialisation);
    tcase_add_test(t, snapshot_and_storm);
}

int main(void)
{
    return rig_main("i8259", add);
}
