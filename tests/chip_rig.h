/*
 * What a chip needs to live in a unit test: two buses, RAM, a scheduler at 1e9 instructions a
 * second (so an instruction is a nanosecond), pins that record edges, and a snapshot round trip.
 */
#ifndef OXBOW_TESTS_CHIP_RIG_H
#define OXBOW_TESTS_CHIP_RIG_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/device.h"
#include "devices/irq.h"
#include "tests/suite.h"

#define RIG_IPS 1000000000u
#define RIG_RAM (1u << 20)

struct rig {
    struct device_env env;
    struct log log;
    uint8_t *ram; /* at physical address 0 */
};

/* A line's end: level, edges and when the last one was. */
struct pin {
    struct rig *rig;
    bool level;
    unsigned rises, falls;
    uint64_t at;
};

static inline void rig_init(struct rig *r)
{
    memset(r, 0, sizeof *r);
    log_init(&r->log);
    r->ram = aligned_alloc(4096, RIG_RAM);
    ck_assert_ptr_nonnull(r->ram);
    memset(r->ram, 0, RIG_RAM);
    r->env.mem = bus_new(1ull << 36);
    r->env.io = bus_new(65536);
    r->env.sched = sched_new(RIG_IPS);
    r->env.log = &r->log;
    ck_assert_int_ge(bus_map_ram(r->env.mem, 0, RIG_RAM, r->ram, BUS_RW, PRIO_RAM), 0);
}

static inline void rig_free(struct rig *r)
{
    devices_free(&r->env);
    sched_free(r->env.sched);
    bus_free(r->env.mem);
    bus_free(r->env.io);
    free(r->ram);
}

static inline struct device *rig_add(struct rig *r, const struct device_class *cls, const char *id,
                                     const void *config)
{
    struct err e = {""};
    struct device *d = device_new(&r->env, cls, id, config, &e);

    ck_assert_msg(d != NULL, "%s", e.text);
    return d;
}

static inline uint8_t in8(struct rig *r, unsigned port)
{
    return (uint8_t)bus_read(r->env.io, port, 1);
}

static inline void out8(struct rig *r, unsigned port, uint8_t v)
{
    bus_write(r->env.io, port, 1, v);
}

static inline uint64_t rig_now(const struct rig *r)
{
    return sched_now(r->env.sched);
}

/* Moves time to an absolute or relative nanosecond and runs what is due on the way. */
static inline void rig_run_to(struct rig *r, uint64_t t)
{
    sched_run(r->env.sched, t);
}

static inline void rig_run(struct rig *r, uint64_t ns)
{
    rig_run_to(r, rig_now(r) + ns);
}

static inline void pin_set(void *to, unsigned n UNUSED, bool level)
{
    struct pin *p = to;

    if (level != p->level) {
        p->level = level;
        p->rises += level;
        p->falls += !level;
        p->at = p->rig ? rig_now(p->rig) : 0;
    }
}

static inline struct irq_line pin_line(struct pin *p, struct rig *r)
{
    p->rig = r;
    return (struct irq_line){pin_set, p, 0};
}

/* Saves, resets everything, loads: what is saved again must be the same bytes. */
static inline void rig_round_trip(struct rig *r)
{
    struct snap_writer a, b;
    struct snap_reader in;
    struct err e = {""};
    uint64_t now = rig_now(r);

    snap_writer_init(&a);
    devices_save(&r->env, &a);
    sched_save(r->env.sched, &a);
    devices_reset(&r->env, RESET_COLD);
    sched_set_now(r->env.sched, now);
    ck_assert_msg(snap_reader_init(&in, a.buf, a.len, &e), "%s", e.text);
    ck_assert_msg(devices_load(&r->env, &in, &e), "%s", e.text);
    ck_assert_msg(sched_load(r->env.sched, &in, &e), "%s", e.text);
    snap_writer_init(&b);
    devices_save(&r->env, &b);
    sched_save(r->env.sched, &b);
    ck_assert_uint_eq(a.len, b.len);
    ck_assert_int_eq(memcmp(a.buf, b.buf, a.len), 0);
    snap_writer_free(&a);
    snap_writer_free(&b);
}

/* Whatever a guest does to these ports, nothing may break. */
static inline void rig_storm(struct rig *r, const unsigned *ports, unsigned count, unsigned rounds)
{
    uint32_t x = 12345;
    unsigned i;

    for (i = 0; i < rounds; i++) {
        unsigned port;

        x = x * 1664525u + 1013904223u;
        port = ports[(x >> 24) % count];
        if (x & 0x800) {
            out8(r, port, (uint8_t)(x >> 13));
        } else {
            in8(r, port);
        }
        rig_run(r, x >> 20 & 0xfff);
    }
}

static inline int rig_main(const char *name, void (*add)(TCase *t))
{
    Suite *s = suite_create(name);
    TCase *t = tcase_create(name);

    tcase_set_timeout(t, 60);
    add(t);
    suite_add_tcase(s, t);
    return suite_run(s);
}

#endif
