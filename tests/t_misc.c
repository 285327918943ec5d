/*
 * The small devices: port 92h, debug ports, fw_cfg, parallel port.
 */
#include <stdio.h>

#include "chip_rig.h"
#include "devices/debugport.h"
#include "devices/fwcfg.h"
#include "devices/parallel.h"
#include "devices/port92.h"
#include "memory/bytes.h"

struct log_of {
    struct rig r;
    struct pin irq;
    char text[256];
    unsigned n, calls, resets;
    uint32_t value;
    bool a20;
};

static void put_text(void *ctx, const uint8_t *data, size_t len)
{
    struct log_of *p = ctx;

    while (len-- && p->n < sizeof p->text - 1) {
        p->text[p->n++] = (char)*data++;
    }
}

static void put_value(void *ctx, uint32_t v)
{
    struct log_of *p = ctx;

    p->value = v;
    p->calls++;
}

static void set_a20(void *ctx, bool on)
{
    ((struct log_of *)ctx)->a20 = on;
}

static void count_reset(void *ctx)
{
    ((struct log_of *)ctx)->resets++;
}

static void setup(struct log_of *p)
{
    memset(p, 0, sizeof *p);
    rig_init(&p->r);
}

START_TEST(port_92)
{
    struct log_of p;
    struct port92_config c = {0x92, set_a20, count_reset, &p};

    setup(&p);
    rig_add(&p.r, &port92_class, "port92", &c);
    ck_assert_uint_eq(in8(&p.r, 0x92), 0);
    out8(&p.r, 0x92, 0xfe);
    ck_assert(p.a20);
    ck_assert_uint_eq(in8(&p.r, 0x92), 2);
    out8(&p.r, 0x92, 3);
    ck_assert_uint_eq(p.resets, 1);
    out8(&p.r, 0x92, 3); /* only a rising bit resets */
    ck_assert_uint_eq(p.resets, 1);
    p.a20 = false;
    rig_round_trip(&p.r);
    ck_assert(p.a20);
    devices_reset(&p.r.env, RESET_WARM);
    ck_assert(!p.a20);
    out8(&p.r, 0x92, 1);
    ck_assert_uint_eq(p.resets, 2);
    rig_free(&p.r);
}
END_TEST

static void add_port(struct log_of *p, const char *id, enum debugport_kind kind, uint16_t port,
                     uint16_t size)
{
    struct debugport_config c = {kind, port, size, {put_text, p}, put_value, p};

    rig_add(&p->r, &debugport_class, id, &c);
}

START_TEST(debug_ports)
{
    static const char word[] = "ShutShutdown";
    struct log_of p;
    unsigned i;

    setup(&p);
    add_port(&p, "post", DEBUGPORT_LOG, 0x80, 0);
    add_port(&p, "e9", DEBUGPORT_CONSOLE, 0xe9, 0);
    add_port(&p, "shutdown", DEBUGPORT_SHUTDOWN, 0x8900, 0);
    add_port(&p, "exit", DEBUGPORT_EXIT, 0x501, 2);
    out8(&p.r, 0x80, 0x42);
    ck_assert_uint_eq(p.value, 0x42);
    ck_assert_uint_eq(in8(&p.r, 0x80), 0x42);
    out8(&p.r, 0xe9, 'H');
    out8(&p.r, 0xe9, 'i');
    ck_assert_str_eq(p.text, "Hi");
    ck_assert_uint_eq(in8(&p.r, 0xe9), 0xe9);
    p.calls = 0;
    for (i = 0; i < sizeof word - 1; i++) {
        ck_assert_uint_eq(p.calls, 0);
        out8(&p.r, 0x8900, (uint8_t)word[i]);
        rig_round_trip(&p.r);
    }
    ck_assert_uint_eq(p.calls, 1);
    ck_assert_uint_eq(in8(&p.r, 0x8900), 0xff);
    out8(&p.r, 0x501, 0x31);
    ck_assert_uint_eq(p.value, 0x31);
    bus_write(p.r.env.io, 0x501, 2, 0x1234);
    ck_assert_uint_eq(p.value & 0xff, 0x34);
    ck_assert_uint_eq(in8(&p.r, 0x502), 0);
    rig_free(&p.r);
}
END_TEST

static void select_item(struct log_of *p, unsigned key)
{
    bus_write(p->r.env.io, 0x510, 2, key);
}

static void read_item(struct log_of *p, void *to, unsigned n)
{
    uint8_t *b = to;

    while (n--) {
        *b++ = in8(&p->r, 0x511);
    }
}

static uint32_t swap32(uint32_t v)
{
    return __builtin_bswap32(v);
}

/* One DMA command whose descriptor lies at 1000h; returns what control became. */
static uint32_t dma(struct log_of *p, uint32_t control, uint32_t len, uint32_t addr)
{
    put32(p->r.ram + 0x1000, swap32(control));
    put32(p->r.ram + 0x1004, swap32(len));
    put32(p->r.ram + 0x1008, 0);
    put32(p->r.ram + 0x100c, swap32(addr));
    bus_write(p->r.env.io, 0x514, 4, 0);
    bus_write(p->r.env.io, 0x518, 4, swap32(0x1000));
    return swap32(get32(p->r.ram + 0x1000));
}

START_TEST(fw_cfg_items)
{
    static const char big[] = "kept by reference";
    static const char long_name[] = "etc/0123456789012345678901234567890123456789012345678901";
    struct log_of p;
    struct fwcfg_config c = {0x510, 0x514};
    struct device *d;
    uint8_t b[80];
    unsigned i;

    setup(&p);
    d = rig_add(&p.r, &fwcfg_class, "fwcfg", &c);
    read_item(&p, b, 5);
    ck_assert_int_eq(memcmp(b, "QEMU\0", 5), 0);
    select_item(&p, FWCFG_ID);
    read_item(&p, b, 5);
    ck_assert_uint_eq(get32(b), 3);
    ck_assert_uint_eq(b[4], 0);
    ck_assert(fwcfg_add_u64(d, FWCFG_RAM_SIZE, 0x123456789a));
    ck_assert(fwcfg_add_u16(d, FWCFG_NB_CPUS, 1));
    ck_assert(fwcfg_add_u32(d, FWCFG_KERNEL_SIZE, 0x55667788));
    ck_assert(fwcfg_add(d, FWCFG_E820_TABLE, "abc", 3));
    ck_assert(fwcfg_add_ref(d, FWCFG_KERNEL_DATA, big, sizeof big));
    ck_assert(!fwcfg_add_u16(d, 0x80, 1));
    ck_assert(!fwcfg_add_u16(d, 0x8800, 1));
    select_item(&p, FWCFG_RAM_SIZE);
    read_item(&p, b, 8);
    ck_assert_uint_eq(get64(b), 0x123456789a);
    select_item(&p, FWCFG_KERNEL_SIZE);
    read_item(&p, b, 4);
    ck_assert_uint_eq(get32(b), 0x55667788);
    select_item(&p, FWCFG_E820_TABLE);
    read_item(&p, b, 3);
    ck_assert_int_eq(memcmp(b, "abc", 3), 0);
    select_item(&p, 0x7777);
    read_item(&p, b, 2);
    ck_assert_uint_eq(get16(b), 0);
    /* Files and their directory. */
    select_item(&p, FWCFG_FILE_DIR);
    read_item(&p, b, 4);
    ck_assert_uint_eq(get32(b), 0);
    ck_assert(fwcfg_add_file(d, "bootorder", "one", 4));
    ck_assert(fwcfg_add_file(d, "etc/two", "zwei", 4));
    ck_assert(!fwcfg_add_file(d, "etc/two", "again", 5));
    ck_assert(!fwcfg_add_file(d, long_name, "", 0));
    select_item(&p, FWCFG_FILE_DIR);
    read_item(&p, b, 68);
    ck_assert_uint_eq(swap32(get32(b)), 2);
    ck_assert_uint_eq(swap32(get32(b + 4)), 4);
    ck_assert_uint_eq(b[8] << 8 | b[9], FWCFG_FILE_FIRST);
    ck_assert_str_eq((const char *)b + 12, "bootorder");
    read_item(&p, b, 64);
    ck_assert_str_eq((const char *)b + 8, "etc/two");
    select_item(&p, FWCFG_FILE_FIRST + 1);
    read_item(&p, b, 4);
    ck_assert_int_eq(memcmp(b, "zwei", 4), 0);
    for (i = 2; i < 96; i++) {
        char name[16];

        snprintf(name, sizeof name, "f%u", i);
        ck_assert(fwcfg_add_file(d, name, name, 4));
    }
    ck_assert(!fwcfg_add_file(d, "one too many", "", 0));
    rig_free(&p.r);
}
END_TEST

START_TEST(fw_cfg_dma)
{
    struct log_of p;
    struct fwcfg_config c = {0x510, 0x514};
    struct device *d;

    setup(&p);
    d = rig_add(&p.r, &fwcfg_class, "fwcfg", &c);
    ck_assert_uint_eq(bus_read(p.r.env.io, 0x514, 4), 0x554d4551); /* "QEMU" */
    ck_assert_uint_eq(bus_read(p.r.env.io, 0x518, 4), 0x47464320); /* " CFG" */
    ck_assert(fwcfg_add(d, FWCFG_INITRD_DATA, "0123456789", 10));
    memset(p.r.ram + 0x2000, 0xee, 64);
    ck_assert_uint_eq(dma(&p, FWCFG_INITRD_DATA << 16 | 8 | 2, 4, 0x2000), 0);
    ck_assert_int_eq(memcmp(p.r.ram + 0x2000, "0123\xee", 5), 0);
    ck_assert_uint_eq(dma(&p, 4, 3, 0), 0); /* skip */
    ck_assert_uint_eq(dma(&p, 2, 6, 0x2010), 0);
    ck_assert_int_eq(memcmp(p.r.ram + 0x2010, "789\0\0\0\xee", 7), 0);
    ck_assert_uint_eq(dma(&p, FWCFG_INITRD_DATA << 16 | 8, 0, 0), 0); /* select only */
    ck_assert_uint_eq(in8(&p.r, 0x511), '0');
    rig_round_trip(&p.r);
    ck_assert_uint_eq(in8(&p.r, 0x511), '1');
    ck_assert_uint_eq(dma(&p, 16, 1, 0x2000), 1); /* items can't be written */
    ck_assert_uint_eq(dma(&p, 2, 0xffffffff, 0x2000), 1);
    ck_assert_uint_eq(dma(&p, 4, 0xffffffff, 0), 0);
    ck_assert_uint_eq(in8(&p.r, 0x511), 0);
    rig_free(&p.r);
}
END_TEST

/* A long transfer takes its time; nothing it meets on the way changes what arrives. */
START_TEST(fw_cfg_long_dma)
{
    enum { LEN = 200000, TO = 0x10000, READ = 2, SELECT = 8 };
    struct log_of p;
    struct fwcfg_config c = {0x510, 0x514};
    struct device *d;
    uint8_t *item = malloc(LEN);

    for (unsigned n = 0; n < LEN; n++) {
        item[n] = (uint8_t)(n * 7 + n / 251);
    }
    setup(&p);
    d = rig_add(&p.r, &fwcfg_class, "fwcfg", &c);
    ck_assert(fwcfg_add_ref(d, FWCFG_INITRD_DATA, item, LEN));
    ck_assert_uint_eq(dma(&p, FWCFG_INITRD_DATA << 16 | SELECT | READ, LEN + 8, TO),
                      FWCFG_INITRD_DATA << 16 | SELECT | READ);
    ck_assert_int_eq(memcmp(p.r.ram + TO, item, 65536), 0);
    ck_assert_uint_eq(p.r.ram[TO + 65537], 0);
    rig_round_trip(&p.r);
    ck_assert_uint_eq(in8(&p.r, 0x511), 0); /* the offset is behind the item already */
    select_item(&p, FWCFG_SIGNATURE);
    ck_assert_uint_eq(in8(&p.r, 0x511), 'Q');
    put32(p.r.ram + 0x2000, swap32(READ));
    bus_write(p.r.env.io, 0x514, 4, 0);
    bus_write(p.r.env.io, 0x518, 4, swap32(0x2000));
    ck_assert_uint_eq(swap32(get32(p.r.ram + 0x2000)), 1); /* busy */
    memset(p.r.ram + TO + LEN, 0xee, 16);
    sched_run(p.r.env.sched, rig_now(&p.r) + 65536 * 2);
    ck_assert_uint_ne(get32(p.r.ram + 0x1000), 0);
    sched_run(p.r.env.sched, rig_now(&p.r) + 65536);
    ck_assert_uint_eq(get32(p.r.ram + 0x1000), 0);
    ck_assert_int_eq(memcmp(p.r.ram + TO, item, LEN), 0);
    ck_assert_int_eq(memcmp(p.r.ram + TO + LEN, "\0\0\0\0\0\0\0\0\xee", 9), 0);
    ck_assert_uint_eq(in8(&p.r, 0x511), 'E');
    /* A reset ends it. */
    ck_assert_uint_ne(dma(&p, FWCFG_INITRD_DATA << 16 | SELECT | READ, LEN, TO), 0);
    memset(p.r.ram + TO, 0xee, LEN);
    devices_reset(&p.r.env, RESET_WARM);
    sched_run(p.r.env.sched, rig_now(&p.r) + 65536 * 9);
    ck_assert_uint_eq(p.r.ram[TO + 65537], 0xee);
    rig_free(&p.r);
    free(item);
}
END_TEST

START_TEST(printer)
{
    struct log_of p;
    struct parallel_config c = {0x378, {NULL, NULL, 0}, {put_text, &p}};

    setup(&p);
    c.irq = pin_line(&p.irq, &p.r);
    rig_add(&p.r, &parallel_class, "lpt1", &c);
    out8(&p.r, 0x378, 0xaa);
    ck_assert_uint_eq(in8(&p.r, 0x378), 0xaa);
    ck_assert_uint_eq(in8(&p.r, 0x379) & 0x80, 0); /* held in reset: busy */
    out8(&p.r, 0x37a, 0x0c);
    ck_assert_uint_eq(in8(&p.r, 0x37a), 0xcc);
    ck_assert_uint_eq(in8(&p.r, 0x379), 0xdf);
    out8(&p.r, 0x378, 'A');
    out8(&p.r, 0x37a, 0x1d); /* strobe, interrupt on */
    ck_assert_str_eq(p.text, "A");
    ck_assert_uint_eq(in8(&p.r, 0x379), 0x5f); /* busy */
    out8(&p.r, 0x37a, 0x1c);
    out8(&p.r, 0x37a, 0x1d); /* a busy printer takes nothing */
    ck_assert_str_eq(p.text, "A");
    out8(&p.r, 0x37a, 0x1c);
    rig_run(&p.r, 11000);
    ck_assert_uint_eq(in8(&p.r, 0x379), 0x1f); /* ACK */
    rig_run(&p.r, 2000);
    rig_round_trip(&p.r);
    ck_assert(!p.irq.level);
    rig_run(&p.r, 3000);
    ck_assert(p.irq.level);
    ck_assert_uint_eq(in8(&p.r, 0x379), 0xdb);
    ck_assert(!p.irq.level);
    ck_assert_uint_eq(in8(&p.r, 0x379), 0xdf);
    out8(&p.r, 0x37a, 0x2c); /* input */
    ck_assert_uint_eq(in8(&p.r, 0x378), 0xff);
    ck_assert_uint_eq(in8(&p.r, 0x37b), 0xff);
    rig_free(&p.r);
    setup(&p);
    c.out.write = NULL;
    rig_add(&p.r, &parallel_class, "lpt1", &c);
    out8(&p.r, 0x37a, 0x0d);
    ck_assert_uint_eq(in8(&p.r, 0x379), 0x7f);
    rig_free(&p.r);
}
END_TEST

START_TEST(storm)
{
    static const unsigned ports[] = {0x92,  0x80,  0xe9,  0x8900, 0x501, 0x510, 0x511, 0x514, 0x515,
                                     0x517, 0x518, 0x51a, 0x51b,  0x378, 0x379, 0x37a};
    struct log_of p;
    struct port92_config c92 = {0x92, set_a20, count_reset, &p};
    struct fwcfg_config cfw = {0x510, 0x514};
    struct parallel_config clp = {0x378, {NULL, NULL, 0}, {put_text, &p}};

    setup(&p);
    rig_add(&p.r, &port92_class, "port92", &c92);
    rig_add(&p.r, &fwcfg_class, "fwcfg", &cfw);
    rig_add(&p.r, &parallel_class, "lpt1", &clp);
    add_port(&p, "post", DEBUGPORT_LOG, 0x80, 0);
    add_port(&p, "e9", DEBUGPORT_CONSOLE, 0xe9, 0);
    add_port(&p, "shutdown", DEBUGPORT_SHUTDOWN, 0x8900, 0);
    add_port(&p, "exit", DEBUGPORT_EXIT, 0x501, 2);
    rig_storm(&p.r, ports, ARRAY_LEN(ports), 50000);
    rig_round_trip(&p.r);
    rig_free(&p.r);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, port_92);
    tcase_add_test(t, debug_ports);
    tcase_add_test(t, fw_cfg_items);
    tcase_add_test(t, fw_cfg_dma);
    tcase_add_test(t, fw_cfg_long_dma);
    tcase_add_test(t, printer);
    tcase_add_test(t, storm);
}

int main(void)
{
    return rig_main("misc", add);
}
