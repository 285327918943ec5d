/*
 * The whole machine through its public header: the demo boots to its ready line, twice alike; a
 * state saved at a random moment and loaded into a new machine goes on to the same end; input,
 * reset, media, power-off.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bios/images.h"
#include "oxbow.h"
#include "tests/cpu_fixture.h"

struct console {
    char text[8192];
    size_t n;
};

static void console_write(void *ctx, const uint8_t *data, size_t n)
{
    struct console *c = ctx;
    n = MIN(n, sizeof c->text - 1 - c->n);
    memcpy(c->text + c->n, data, n);
    c->n += n;
    c->text[c->n] = 0;
}

static struct block *floppy(const void *data, size_t n)
{
    uint8_t *image = calloc(1, 1474560);
    struct err e = {{0}};
    memcpy(image, data, n);
    struct block *b = block_open_mem(image, 1474560, true, &e);
    free(image);
    ck_assert_msg(b != NULL, "%s", e.text);
    return b;
}

static struct oxbow *demo(struct console *out, bool generic)
{
    struct oxbow_config cfg;
    struct err e = {{0}};
    oxbow_config_init(&cfg);
    cfg.ram_mb = 16;
    cfg.boot = "a";
    cfg.floppy[0] = floppy(image_demo, image_demo_size);
    cfg.serial[0] = (struct chardev){console_write, out};
    cfg.generic_only = generic;
    struct oxbow *m = oxbow_new(&cfg, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    return m;
}

/* Keys and mouse on the way, so that their queues are part of the state. */
static void feed(struct oxbow *m)
{
    ck_assert(oxbow_type(m, "12", 900000000, NULL));
    oxbow_mouse(m, 10, -5, 0, 1, 950000000);
    oxbow_mouse(m, 3, 3, 1, 0, 960000000);
}

#define END 1500000000u

START_TEST(ready_line)
{
    struct console out = {{0}, 0};
    struct oxbow *m = demo(&out, false);
    while (!strstr(out.text, "OXBOW-DEMO-READY") && oxbow_icount(m) < 2000000000u) {
        ck_assert_int_eq(oxbow_run(m, 10000000), OXBOW_LIMIT);
    }
    ck_assert_ptr_nonnull(strstr(out.text, "OXBOW-DEMO-READY"));
    struct text_screen t;
    oxbow_text(m, &t);
    ck_assert_uint_eq(t.cols, 80);
    ck_assert_uint_eq(t.rows, 25);
    oxbow_free(m);
}
END_TEST

static uint64_t run_demo(bool generic, uint64_t slice)
{
    struct console out = {{0}, 0};
    struct oxbow *m = demo(&out, generic);
    feed(m);
    while (oxbow_icount(m) < END) {
        ck_assert_int_eq(oxbow_run(m, MIN(slice, END - oxbow_icount(m))), OXBOW_LIMIT);
    }
    uint64_t h = oxbow_hash(m);
    oxbow_free(m);
    return h;
}

/* Equal hashes whatever the layer and however the run is cut into slices. */
START_TEST(deterministic)
{
    uint64_t h = run_demo(false, END);
    ck_assert_uint_eq(run_demo(false, END), h);
    ck_assert_uint_eq(run_demo(false, 777777), h);
    ck_assert_uint_eq(run_demo(true, 5000001), h);
}
END_TEST

START_TEST(round_trip)
{
    uint64_t want = run_demo(false, END);
    uint64_t seed = 42;
    for (int k = 0; k < 12; k++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t at = (seed >> 33) % END;
        struct console out = {{0}, 0};
        struct oxbow *a = demo(&out, false), *b;
        struct err e = {{0}};
        size_t len;
        feed(a);
        oxbow_run(a, at);
        uint8_t *state = oxbow_save(a, &len, &e);
        ck_assert_msg(state != NULL, "%s", e.text);
        uint64_t ha = oxbow_hash(a);
        oxbow_free(a);
        b = demo(&out, false);
        ck_assert_msg(oxbow_load(b, state, len, &e), "at %llu: %s", (unsigned long long)at, e.text);
        free(state);
        ck_assert_uint_eq(oxbow_hash(b), ha);
        ck_assert_int_eq(oxbow_run(b, END - oxbow_icount(b)), OXBOW_LIMIT);
        ck_assert_msg(oxbow_hash(b) == want, "saved at %llu: another end",
                      (unsigned long long)at);
        oxbow_free(b);
    }
}
END_TEST

/* A boot sector that does what a test wants: at 7C00 in real mode. */
static struct oxbow *boot(const uint8_t *code, size_t n, struct console *out, bool no_reboot)
{
    uint8_t sector[512] = {0};
    struct oxbow_config cfg;
    struct err e = {{0}};
    memcpy(sector, code, n);
    sector[510] = 0x55;
    sector[511] = 0xaa;
    oxbow_config_init(&cfg);
    cfg.ram_mb = 8;
    cfg.boot = "a";
    cfg.no_reboot = no_reboot;
    cfg.debug_exit = true;
    cfg.floppy[0] = floppy(sector, sizeof sector);
    cfg.serial[0] = (struct chardev){console_write, out};
    struct oxbow *m = oxbow_new(&cfg, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    return m;
}

/*
 * Fast interrupts, port reads, stores into the running trace, REP and branches: where interrupts
 * come in is written down at 9000h, so another boundary is another end.
 */
static const uint8_t busy[] = {
    0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0,             /* cli; ds = es = 0 */
    0xc7, 0x06, 0x20, 0x00, 0x63, 0x7c, 0xa3, 0x22, 0x00, /* vector 8 */
    0xb0, 0x34, 0xe6, 0x43, 0xb0, 0x05, 0xe6, 0x40,       /* timer 0: mode 2, every 5 ticks */
    0x30, 0xc0, 0xe6, 0x40,
    0xb0, 0xfe, 0xe6, 0x21, 0xbd, 0x00, 0x90, 0xfb,       /* IRQ 0 only; bp = 9000h; sti */
    0x40, 0x43, 0x85, 0xc0, 0x74, 0x02, 0x01, 0xc3,       /* loop: count, add; jz over it */
    0xff, 0x06, 0x3f, 0x7c,                               /* inc word [N] */
    0x42, 0x43, 0xe4, 0x61, 0x46, 0x46, 0x01, 0xf3,       /* with in al,61h */
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
    0xb9, 0x00, 0x00, 0x01, 0xcb, 0x75, 0x00, 0x43, 0x43, /* N: mov cx,N; add bx,cx; jnz $+2 */
    0xe4, 0x40, 0x30, 0xc3, 0xf6, 0xc3, 0x01, 0x74, 0x09, /* bl ^= timer; even: jump */
    0x80, 0x36, 0x55, 0x7c, 0x48,                         /* the next is inc bx or or ax,[..] */
    0x43, 0x43, 0x90, 0x90,
    0xb9, 0x07, 0x00, 0xbf, 0x00, 0xa0, 0xf3, 0xaa,       /* stosb 7 times at a000h */
    0xeb, 0xc1,
    0x50, 0x57, 0x89, 0xe7, 0x36, 0x8b, 0x45, 0x04,       /* IRQ 0: its return address */
    0x89, 0xef, 0xab, 0x89, 0xd8, 0xab, 0x89, 0xfd,       /* and bx to [bp], 2 KB around */
    0x81, 0xe5, 0xff, 0x97, 0x81, 0xcd, 0x00, 0x90,
    0xb0, 0x20, 0xe6, 0x20, 0x5f, 0x58, 0xcf,
};

#define BUSY_FROM 60000000u
#define BUSY_END (BUSY_FROM + 100000u)

struct saved {
    uint8_t *data;
    size_t len;
};

static struct saved save(struct oxbow *m)
{
    struct saved s;
    struct err e = {{0}};

    s.data = oxbow_save(m, &s.len, &e);
    ck_assert_msg(s.data != NULL, "%s", e.text);
    return s;
}

static struct oxbow *load_busy(const struct saved *s, struct console *out)
{
    struct oxbow *m = boot(busy, sizeof busy, out, true);
    struct err e = {{0}};

    ck_assert_msg(oxbow_load(m, s->data, s->len, &e), "%s", e.text);
    return m;
}

static struct saved busy_start(struct console *out)
{
    struct oxbow *m = boot(busy, sizeof busy, out, true);
    struct saved s;

    ck_assert_int_eq(oxbow_run(m, BUSY_FROM), OXBOW_LIMIT);
    ck_assert_uint_eq(oxbow_icount(m), BUSY_FROM);
    s = save(m);
    oxbow_free(m);
    return s;
}

static uint64_t busy_hash(const struct saved *from, unsigned least, unsigned spread)
{
    struct console out = {{0}, 0};
    struct oxbow *m = load_busy(from, &out);
    uint64_t seed = least + spread, h;

    while (oxbow_icount(m) < BUSY_END) {
        uint64_t now = oxbow_icount(m), n;

        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        n = MIN(least + (seed >> 33) % spread, BUSY_END - now);
        ck_assert_int_eq(oxbow_run(m, n), OXBOW_LIMIT);
        ck_assert_uint_eq(oxbow_icount(m), now + n);
    }
    h = oxbow_hash(m);
    oxbow_free(m);
    return h;
}

/* A call ends at its last instruction, and cutting a run changes nothing. */
START_TEST(exact_stop)
{
    struct console out = {{0}, 0};
    struct saved from = busy_start(&out);
    uint64_t want = busy_hash(&from, BUSY_END, 1);

    for (unsigned least = 1; least < 40; least += 4) {
        ck_assert_uint_eq(busy_hash(&from, least, 1), want);
    }
    ck_assert_uint_eq(busy_hash(&from, 1, 70), want);
    ck_assert_uint_eq(busy_hash(&from, 1, 5000), want);
    free(from.data);
}
END_TEST

/* Neither does saving and loading at any instruction, with keys that are put in there. */
START_TEST(exact_state)
{
    struct console out = {{0}, 0};
    struct saved s = busy_start(&out);
    struct oxbow *a = load_busy(&s, &out), *b;

    free(s.data);
    for (unsigned k = 0; k < 24; k++) {
        oxbow_run(a, 997 + k);
        if (k % 8 == 3) {
            oxbow_key(a, 0x1e, k % 16 == 3, 0);
        }
        s = save(a);
        b = load_busy(&s, &out);
        free(s.data);
        ck_assert_uint_eq(oxbow_hash(b), oxbow_hash(a));
        oxbow_run(a, 5000);
        for (unsigned n = 0; n < 10; n++) {
            ck_assert_int_eq(oxbow_run(b, 500), OXBOW_LIMIT);
        }
        ck_assert_uint_eq(oxbow_hash(b), oxbow_hash(a));
        oxbow_free(b);
    }
    oxbow_free(a);
}
END_TEST

/* Damaged states are refused with a sentence and do not crash. */
START_TEST(damaged_state)
{
    struct console out = {{0}, 0};
    struct oxbow *m = demo(&out, false);
    struct err e = {{0}};
    size_t len;
    oxbow_run(m, 20000000);
    uint8_t *state = oxbow_save(m, &len, &e);
    for (unsigned k = 0; k < 40; k++) {
        size_t cut = len * k / 40;
        struct oxbow *b = demo(&out, false);
        e.text[0] = 0;
        ck_assert(!oxbow_load(b, state, cut, &e));
        ck_assert(e.text[0] != 0);
        oxbow_free(b);
    }
    free(state);
    oxbow_free(m);
}
END_TEST

START_TEST(debug_exit)
{
    static const uint8_t code[] = {0xba, 0x01, 0x05, 0xb0, 0x2a, 0xee, 0xf4}; /* out 501h, 2Ah */
    struct console out = {{0}, 0};
    struct oxbow *m = boot(code, sizeof code, &out, false);
    ck_assert_int_eq(oxbow_run(m, 1000000000), OXBOW_DEBUG_EXIT);
    ck_assert_uint_eq(oxbow_exit_value(m), 0x2a);
    ck_assert_int_eq(oxbow_run(m, 1000), OXBOW_DEBUG_EXIT);
    oxbow_free(m);
}
END_TEST

START_TEST(triple_fault)
{
    /* cli ; lidt [zero] ; int3 */
    static const uint8_t code[] = {0xfa, 0x2e, 0x0f, 0x01, 0x1e, 0x10, 0x7c, 0xcc, 0xf4, 0, 0,
                                   0,    0,    0,    0,    0,    0,    0,    0,    0,    0, 0};
    struct console out = {{0}, 0};
    struct oxbow *m = boot(code, sizeof code, &out, true);
    ck_assert_int_eq(oxbow_run(m, 1000000000), OXBOW_CRASH);
    oxbow_free(m);
}
END_TEST

/* The power-off text, after "Hi" on COM1 by port writes. */
START_TEST(shutdown)
{
    static const uint8_t code[] = {
        0x31, 0xc0, 0x8e, 0xd8,             /* ds = 0 */
        0xba, 0xfb, 0x03, 0xb0, 0x03, 0xee, /* COM1: 8 bits, no parity */
        0xba, 0xf8, 0x03, 0xb0, 'H', 0xee,
        0xb0, 'i', 0xee,
        0xbe, 0x23, 0x7c, 0xb9, 8, 0,       /* si = text, cx = 8 */
        0xba, 0x00, 0x89,
        0xac, 0xee, 0xe2, 0xfc,             /* lodsb, out, loop */
        0xf4, 0xeb, 0xfd,
        'S', 'h', 'u', 't', 'd', 'o', 'w', 'n'};
    struct console out = {{0}, 0};
    struct oxbow *m = boot(code, sizeof code, &out, false);
    ck_assert_int_eq(oxbow_run(m, 1000000000), OXBOW_POWEROFF);
    ck_assert_str_eq(out.text, "Hi");
    oxbow_free(m);
}
END_TEST

/* A guest that resets for ever: the machine starts again each time and ends with no_reboot. */
START_TEST(keyboard_reset)
{
    static const uint8_t code[] = {0xb0, 0xfe, 0xe6, 0x64, 0xf4};
    struct console out = {{0}, 0};
    struct oxbow *m = boot(code, sizeof code, &out, true);
    ck_assert_int_eq(oxbow_run(m, 1000000000), OXBOW_RESET);
    oxbow_free(m);
    m = boot(code, sizeof code, &out, false);
    ck_assert_int_eq(oxbow_run(m, 200000000), OXBOW_LIMIT);
    oxbow_free(m);
}
END_TEST

/* A guest that takes a byte from COM1 every 10000 instructions or so: input waits for room. */
static struct oxbow *slow_reader(struct console *out)
{
    static const uint8_t code[] = {
        0xfa, 0xba, 0xfb, 0x03, 0xb0, 0x03, 0xee, /* cli; COM1: 8 bits, no parity */
        0xb9, 0x10, 0x27, 0xe2, 0xfe,             /* cx = 10000; loop $ */
        0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01,       /* until a byte is there */
        0x74, 0xf3, 0xba, 0xf8, 0x03, 0xec, 0xeb, 0xed};
    struct oxbow *m = boot(code, sizeof code, out, false);

    oxbow_run(m, 50000000);
    for (unsigned k = 0; k < 200; k++) {
        oxbow_serial_input(m, 0, (uint8_t)k);
    }
    return m;
}

/* How a run is cut into slices makes no difference to input that finds no room, either. */
START_TEST(waiting_input)
{
    static const uint64_t slice[] = {5000000, 777777, 1234, 99};
    uint64_t want = 0;

    for (unsigned k = 0; k < ARRAY_LEN(slice); k++) {
        struct console out = {{0}, 0};
        struct oxbow *m = slow_reader(&out);
        uint64_t end = oxbow_icount(m) + 5000000;

        while (oxbow_icount(m) < end) {
            oxbow_run(m, MIN(slice[k], end - oxbow_icount(m)));
        }
        want = want ? want : oxbow_hash(m);
        ck_assert_msg(oxbow_hash(m) == want, "another end in slices of %llu",
                      (unsigned long long)slice[k]);
        oxbow_free(m);
    }
}
END_TEST

/* In the middle of a run, before one, and often: the end is the same. */
static void interrupt_at_post(void *ctx, uint16_t port UNUSED, uint32_t value UNUSED)
{
    oxbow_interrupt(*(struct oxbow **)ctx);
}

START_TEST(interrupts)
{
    struct oxbow_config cfg;
    struct oxbow *m = NULL;
    struct err e = {{0}};
    unsigned cut = 0;

    oxbow_config_init(&cfg);
    cfg.ram_mb = 16;
    cfg.boot = "a";
    cfg.floppy[0] = floppy(image_demo, image_demo_size);
    cfg.post = interrupt_at_post;
    cfg.post_ctx = &m;
    m = oxbow_new(&cfg, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    feed(m);
    oxbow_interrupt(m);
    ck_assert_int_eq(oxbow_run(m, END), OXBOW_INTERRUPTED);
    ck_assert_uint_eq(oxbow_icount(m), 0);
    while (oxbow_icount(m) < END) {
        enum oxbow_stop stop = oxbow_run(m, END - oxbow_icount(m));

        ck_assert(stop == OXBOW_INTERRUPTED || oxbow_icount(m) >= END);
        cut += stop == OXBOW_INTERRUPTED;
    }
    ck_assert_uint_gt(cut, 2);
    ck_assert_uint_eq(oxbow_hash(m), run_demo(false, END));
    oxbow_free(m);
}
END_TEST

/* A limit that is no limit: every call runs on to the interrupt, the first as well as the next. */
START_TEST(endless)
{
    static const uint8_t code[] = {0xe6, 0x80, 0xb9, 0, 0, 0xe2, 0xfe, 0xeb, 0xf7};
    uint8_t sector[512] = {0};
    struct oxbow_config cfg;
    struct oxbow *m = NULL;
    struct err e = {{0}};

    memcpy(sector, code, sizeof code);
    put16(sector + 510, 0xaa55);
    oxbow_config_init(&cfg);
    cfg.boot = "a";
    cfg.floppy[0] = floppy(sector, sizeof sector);
    cfg.post = interrupt_at_post;
    cfg.post_ctx = &m;
    m = oxbow_new(&cfg, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    for (unsigned k = 0; k < 1000; k++) {
        uint64_t before = oxbow_icount(m);

        ck_assert_int_eq(oxbow_run(m, k & 1 ? UINT64_MAX : UINT64_MAX - k), OXBOW_INTERRUPTED);
        ck_assert_uint_gt(oxbow_icount(m), before);
    }
    ck_assert(oxbow_type(m, "aA", UINT64_MAX - 5, NULL));
    ck_assert_int_eq(oxbow_run(m, UINT64_MAX), OXBOW_INTERRUPTED);
    oxbow_free(m);
}
END_TEST

START_TEST(two_machines)
{
    struct console o1 = {{0}, 0}, o2 = {{0}, 0};
    struct oxbow *a = demo(&o1, false), *b = demo(&o2, false);
    for (int k = 0; k < 50; k++) {
        oxbow_run(a, 1000003);
        oxbow_run(b, 1000003);
    }
    ck_assert_uint_eq(oxbow_hash(a), oxbow_hash(b));
    oxbow_free(a);
    oxbow_free(b);
}
END_TEST

START_TEST(media)
{
    struct console out = {{0}, 0};
    struct oxbow *m = demo(&out, false);
    struct err e = {{0}};
    ck_assert(oxbow_media(m, "fda", NULL, &e));
    ck_assert(!oxbow_media(m, "fdb", floppy("", 0), &e));
    ck_assert(!oxbow_media(m, "hda", NULL, &e));
    ck_assert(!oxbow_media(m, "fdx", NULL, &e));
    ck_assert(e.text[0] != 0);
    oxbow_free(m);
}
END_TEST

/* A key of now goes before text that was typed far ahead. */
START_TEST(key_before_text)
{
    /* mov ah, 0 ; int 16h ; mov al, ah ; out 501h */
    static const uint8_t code[] = {0xb4, 0, 0xcd, 0x16, 0x88, 0xe0, 0xba, 1, 5, 0xee, 0xf4};
    struct console out = {{0}, 0};
    struct oxbow *m = boot(code, sizeof code, &out, false);
    oxbow_run(m, 20000000);
    uint64_t end = 0, now = oxbow_icount(m);
    ck_assert(oxbow_type(m, "a", now + 900000000, &end));
    ck_assert_uint_eq(end, now + 900000000 + oxbow_ips(m) / 50);
    ck_assert(oxbow_key(m, 0x3b, true, 0));
    ck_assert_int_eq(oxbow_run(m, 800000000), OXBOW_DEBUG_EXIT);
    ck_assert_uint_eq(oxbow_exit_value(m), 0x3b);
    oxbow_free(m);
}
END_TEST

/* What finds no room is said to whoever sent it, and text goes in whole or not at all. */
START_TEST(no_room)
{
    static const uint8_t code[] = {0xf4, 0xeb, 0xfd};
    struct console out = {{0}, 0};
    struct oxbow *m = boot(code, sizeof code, &out, false);
    unsigned n = 0;
    while (oxbow_key(m, 0x1e, true, UINT64_MAX)) {
        n++;
    }
    ck_assert_uint_eq(n, 65536);
    ck_assert(!oxbow_key(m, 0x1e, false, 0));
    ck_assert(!oxbow_type(m, "a", 0, NULL));
    ck_assert(oxbow_mouse(m, 1, 1, 0, 0, UINT64_MAX));
    ck_assert(!oxbow_net_link(m, 0, true));
    oxbow_free(m);
    m = boot(code, sizeof code, &out, false);
    for (n = 0; n < 65536 - 3; n++) {
        ck_assert(oxbow_key(m, 0x1e, true, UINT64_MAX));
    }
    ck_assert(!oxbow_type(m, "A", 0, NULL));
    ck_assert(oxbow_key(m, 0x1e, true, 0));
    for (n = 0; n < 65536; n++) {
        ck_assert(oxbow_serial_input(m, 0, 'x'));
    }
    ck_assert(!oxbow_serial_input(m, 0, 'x'));
    oxbow_free(m);
}
END_TEST

FIX_SUITE("machine", ready_line, deterministic, round_trip, exact_stop, exact_state,
          damaged_state, debug_exit, triple_fault,
          shutdown, keyboard_reset, waiting_input, interrupts, endless, two_machines, media,
          key_before_text, no_room)
