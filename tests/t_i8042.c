/*
 * 8042 with keyboard and mouse: controller commands, translation, scan sets, typematic, mouse
 * protocols, lines and timing.
 */
#include "devices/i8042.h"

#include "chip_rig.h"
#include "devices/ps2kbd.h"
#include "devices/ps2mouse.h"

struct kbc {
    struct rig r;
    struct pin irq1, irq12;
    struct device *d, *kbd, *mouse;
    bool a20;
    unsigned resets, a20_changes, leds;
};

static void set_a20(void *ctx, bool on)
{
    struct kbc *p = ctx;

    p->a20_changes += p->a20 != on;
    p->a20 = on;
}

static void reset_line(void *ctx)
{
    ((struct kbc *)ctx)->resets++;
}

static void led_change(void *ctx, unsigned mask)
{
    ((struct kbc *)ctx)->leds = mask;
}

static void setup(struct kbc *p, bool devices)
{
    struct i8042_config c;
    struct ps2kbd_config k = {led_change, p};

    memset(p, 0, sizeof *p);
    memset(&c, 0, sizeof c);
    rig_init(&p->r);
    c.data_port = 0x60;
    c.command_port = 0x64;
    c.irq_keyboard = pin_line(&p->irq1, &p->r);
    c.irq_mouse = pin_line(&p->irq12, &p->r);
    c.a20 = set_a20;
    c.reset = reset_line;
    c.ctx = p;
    if (devices) {
        p->kbd = rig_add(&p->r, &ps2kbd_class, "ps2kbd", &k);
        p->mouse = rig_add(&p->r, &ps2mouse_class, "ps2mouse", NULL);
        c.keyboard = ps2kbd_port(p->kbd);
        c.mouse = ps2mouse_port(p->mouse);
    }
    p->d = rig_add(&p->r, &i8042_class, "i8042", &c);
}

static void command(struct kbc *p, uint8_t v)
{
    out8(&p->r, 0x64, v);
}

/* Waits up to 100 ms for a byte; -1: none came. */
static int next(struct kbc *p)
{
    unsigned i;

    for (i = 0; i < 1000; i++) {
        if (in8(&p->r, 0x64) & 1) {
            return in8(&p->r, 0x60);
        }
        rig_run(&p->r, 100000);
    }
    return -1;
}

static void expect(struct kbc *p, const char *bytes, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        int v = next(p);

        ck_assert_msg(v == (uint8_t)bytes[i], "byte %u is %02x, not %02x", i, (unsigned)v,
                      (uint8_t)bytes[i]);
    }
    ck_assert_int_eq(next(p), -1);
}

#define EXPECT(p, s) expect(p, s, sizeof(s) - 1)

static void write_cb(struct kbc *p, uint8_t v)
{
    command(p, 0x60);
    out8(&p->r, 0x60, v);
}

static void to_kbd(struct kbc *p, uint8_t v)
{
    out8(&p->r, 0x60, v);
}

static void to_mouse(struct kbc *p, uint8_t v)
{
    command(p, 0xd4);
    out8(&p->r, 0x60, v);
}

START_TEST(controller_commands)
{
    struct kbc p;

    setup(&p, true);
    ck_assert(p.a20);
    ck_assert_uint_eq(in8(&p.r, 0x64) & 0xf7, 0x10);
    command(&p, 0xaa);
    ck_assert_uint_eq(in8(&p.r, 0x64) & 1, 0); /* not at once */
    rig_run(&p.r, 100000);
    ck_assert_uint_eq(in8(&p.r, 0x64) & 0x0d, 0x0d); /* OBF, command, system flag */
    EXPECT(&p, "\x55");
    command(&p, 0xab);
    EXPECT(&p, "\x00");
    rig_free(&p.r);
}
END_TEST

START_TEST(command_byte_and_ram)
{
    struct kbc p;
    unsigned i;

    setup(&p, true);
    command(&p, 0x20);
    EXPECT(&p, "\x30");
    write_cb(&p, 0x65);
    command(&p, 0x20);
    EXPECT(&p, "\x65");
    ck_assert_uint_eq(in8(&p.r, 0x64) & 4, 4);
    for (i = 1; i < 32; i++) {
        command(&p, (uint8_t)(0x60 + i));
        out8(&p.r, 0x60, (uint8_t)(i * 3));
    }
    for (i = 1; i < 32; i++) {
        command(&p, (uint8_t)(0x20 + i));
        ck_assert_int_eq(next(&p), (int)(i * 3));
    }
    command(&p, 0xad);
    command(&p, 0xa7);
    command(&p, 0x20);
    EXPECT(&p, "\x75");
    command(&p, 0xae);
    command(&p, 0xa8);
    command(&p, 0x20);
    EXPECT(&p, "\x45");
    command(&p, 0xa4);
    EXPECT(&p, "\xf1");
    command(&p, 0xa5); /* a password is swallowed up to its zero */
    out8(&p.r, 0x60, 0x1c);
    out8(&p.r, 0x60, 0x32);
    out8(&p.r, 0x60, 0x00);
    command(&p, 0xa6);
    EXPECT(&p, "");
    command(&p, 0xa9);
    EXPECT(&p, "\x00");
    command(&p, 0xc0);
    EXPECT(&p, "\xb0");
    command(&p, 0xc2);
    ck_assert_uint_eq(in8(&p.r, 0x64) & 0xf0, 0xb0);
    command(&p, 0xc1);
    ck_assert_uint_eq(in8(&p.r, 0x64) & 0xf0, 0x00);
    command(&p, 0xe0);
    ck_assert_uint_eq(in8(&p.r, 0x64) & 0xf0, 0x10);
    EXPECT(&p, "\x03");
    rig_free(&p.r);
}
END_TEST

START_TEST(output_port)
{
    struct kbc p;

    setup(&p, true);
    write_cb(&p, 0x44);
    command(&p, 0xd0);
    EXPECT(&p, "\xcf");
    command(&p, 0xd1);
    out8(&p.r, 0x60, 0xdd);
    ck_assert(!p.a20);
    command(&p, 0xd0);
    EXPECT(&p, "\xcd");
    command(&p, 0xdf);
    ck_assert(p.a20);
    command(&p, 0xdd);
    ck_assert(!p.a20);
    command(&p, 0xdf);
    ck_assert_uint_eq(p.resets, 0);
    command(&p, 0xff); /* pulses nothing */
    ck_assert_uint_eq(p.resets, 0);
    command(&p, 0xfe);
    ck_assert_uint_eq(p.resets, 1);
    ck_assert(p.a20);
    command(&p, 0xfd); /* A20 for 6 us */
    ck_assert(!p.a20);
    rig_run(&p.r, 5900);
    ck_assert(!p.a20);
    rig_run(&p.r, 200);
    ck_assert(p.a20);
    command(&p, 0xd1);
    out8(&p.r, 0x60, 0x02);
    ck_assert_uint_eq(p.resets, 2);
    rig_free(&p.r);
}
END_TEST

START_TEST(buffers_and_lines)
{
    struct kbc p;

    setup(&p, true);
    write_cb(&p, 0x47);
    command(&p, 0xd2);
    out8(&p.r, 0x60, 0x5a);
    rig_run(&p.r, 100000);
    ck_assert(p.irq1.level && !p.irq12.level);
    ck_assert_uint_eq(in8(&p.r, 0x64) & 0x21, 0x01);
    command(&p, 0xd3);
    out8(&p.r, 0x60, 0xa5);
    EXPECT(&p, "\x5a\xa5");
    command(&p, 0xd3);
    out8(&p.r, 0x60, 0xa5);
    rig_run(&p.r, 100000);
    ck_assert(!p.irq1.level && p.irq12.level);
    ck_assert_uint_eq(in8(&p.r, 0x64) & 0x21, 0x21);
    command(&p, 0xd0); /* waits for the buffer */
    ck_assert_uint_eq(in8(&p.r, 0x60), 0xa5);
    ck_assert(!p.irq12.level);
    ck_assert_int_eq(next(&p), 0xef); /* as the lines were at the command */
    ck_assert_uint_eq(in8(&p.r, 0x60), 0xef); /* the buffer keeps its last byte */
    write_cb(&p, 0x44); /* no interrupts */
    to_kbd(&p, 0xee);
    rig_run(&p.r, 390000);
    ck_assert_uint_eq(in8(&p.r, 0x64) & 1, 0);
    rig_run(&p.r, 20000);
    ck_assert_uint_eq(in8(&p.r, 0x64) & 1, 1);
    ck_assert(!p.irq1.level);
    write_cb(&p, 0x45);
    ck_assert(p.irq1.level);
    EXPECT(&p, "\xee");
    rig_free(&p.r);
    setup(&p, false); /* nothing plugged in */
    to_kbd(&p, 0xff);
    ck_assert_uint_eq(in8(&p.r, 0x64) & 0x40, 0x40);
    EXPECT(&p, "\xfe");
    to_mouse(&p, 0xff);
    EXPECT(&p, "\xfe");
    rig_free(&p.r);
}
END_TEST

static void tap(struct kbc *p, unsigned key)
{
    ps2kbd_key(p->kbd, key, true);
    ps2kbd_key(p->kbd, key, false);
}

START_TEST(keys_translated)
{
    struct kbc p;
    unsigned key;

    setup(&p, true);
    write_cb(&p, 0x45);
    for (key = 1; key < 0x7f; key++) {
        tap(&p, key);
        ck_assert_int_eq(next(&p), (int)key);
        ck_assert_int_eq(next(&p), (int)key | 0x80);
    }
    for (key = 0x101; key < 0x17f; key++) {
        if (key == 0x137) {
            continue;
        }
        tap(&p, key);
        ck_assert_int_eq(next(&p), 0xe0);
        ck_assert_int_eq(next(&p), (int)key & 0x7f);
        ck_assert_int_eq(next(&p), 0xe0);
        ck_assert_int_eq(next(&p), (int)(key & 0x7f) | 0x80);
    }
    tap(&p, KEY_PAUSE);
    EXPECT(&p, "\xe1\x1d\x45\xe1\x9d\xc5");
    tap(&p, 0x137);
    EXPECT(&p, "\xe0\x2a\xe0\x37\xe0\xb7\xe0\xaa");
    ps2kbd_key(p.kbd, 0x1d, true);
    tap(&p, KEY_PAUSE);
    tap(&p, 0x137);
    ps2kbd_key(p.kbd, 0x1d, false);
    EXPECT(&p, "\x1d\xe0\x46\xe0\xc6\xe0\x37\xe0\xb7\x9d");
    ps2kbd_key(p.kbd, 0x38, true);
    tap(&p, 0x137);
    ps2kbd_key(p.kbd, 0x38, false);
    EXPECT(&p, "\x38\x54\xd4\xb8");
    /* Grey keys with NumLock, and with a shift; the keypad's slash with a shift. */
    to_kbd(&p, 0xed);
    to_kbd(&p, 0x02);
    EXPECT(&p, "\xfa\xfa");
    ck_assert_uint_eq(p.leds, PS2KBD_LED_NUM);
    ck_assert_uint_eq(ps2kbd_leds(p.kbd), PS2KBD_LED_NUM);
    tap(&p, 0x148);
    EXPECT(&p, "\xe0\x2a\xe0\x48\xe0\xc8\xe0\xaa");
    to_kbd(&p, 0xed);
    to_kbd(&p, 0x00);
    EXPECT(&p, "\xfa\xfa");
    ps2kbd_key(p.kbd, 0x36, true);
    tap(&p, 0x153);
    tap(&p, 0x135);
    ps2kbd_key(p.kbd, 0x36, false);
    EXPECT(&p, "\x36\xe0\xb6\xe0\x53\xe0\xd3\xe0\x36\xe0\xb6\xe0\x35\xe0\xb5\xe0\x36\xb6");
    ps2kbd_key(p.kbd, 0x2a, true); /* the left shift, and both */
    tap(&p, 0x14b);
    ps2kbd_key(p.kbd, 0x36, true);
    tap(&p, 0x14b);
    ps2kbd_key(p.kbd, 0x36, false);
    ps2kbd_key(p.kbd, 0x2a, false);
    EXPECT(&p, "\x2a\xe0\xaa\xe0\x4b\xe0\xcb\xe0\x2a\x36\xe0\xaa\xe0\xb6\xe0\x4b\xe0\xcb"
               "\xe0\x36\xe0\x2a\xb6\xaa");
    rig_free(&p.r);
}
END_TEST

START_TEST(scan_sets)
{
    struct kbc p;

    setup(&p, true);
    write_cb(&p, 0x05); /* no translation */
    tap(&p, 0x1e);
    EXPECT(&p, "\x1c\xf0\x1c");
    tap(&p, 0x11c);
    EXPECT(&p, "\xe0\x5a\xe0\xf0\x5a");
    tap(&p, KEY_PAUSE);
    EXPECT(&p, "\xe1\x14\x77\xe1\xf0\x14\xf0\x77");
    to_kbd(&p, 0xf0);
    to_kbd(&p, 0x00);
    EXPECT(&p, "\xfa\xfa\x02");
    to_kbd(&p, 0xf0);
    to_kbd(&p, 0x01);
    EXPECT(&p, "\xfa\xfa");
    tap(&p, 0x11c);
    EXPECT(&p, "\xe0\x1c\xe0\x9c");
    to_kbd(&p, 0xf0);
    to_kbd(&p, 0x07);
    EXPECT(&p, "\xfa\xfe");
    to_kbd(&p, 0x03);
    EXPECT(&p, "\xfa");
    tap(&p, 0x1e);  /* typematic: no break */
    tap(&p, 0x3b);  /* F1: make only */
    tap(&p, 0x2a);  /* shift: make and break */
    tap(&p, 0x148);
    tap(&p, KEY_PAUSE);
    EXPECT(&p, "\x1c\x07\x12\xf0\x12\x63\x62");
    to_kbd(&p, 0xf8);
    EXPECT(&p, "\xfa");
    tap(&p, 0x1e);
    EXPECT(&p, "\x1c\xf0\x1c");
    to_kbd(&p, 0xfd); /* A and B make only */
    to_kbd(&p, 0x1c);
    to_kbd(&p, 0x32);
    to_kbd(&p, 0xf4);
    EXPECT(&p, "\xfa\xfa\xfa\xfa");
    tap(&p, 0x1e);
    tap(&p, 0x30);
    tap(&p, 0x2e);
    EXPECT(&p, "\x1c\x32\x21\xf0\x21");
    to_kbd(&p, 0xf9);
    EXPECT(&p, "\xfa");
    tap(&p, 0x2a);
    EXPECT(&p, "\x12");
    to_kbd(&p, 0xfc);
    to_kbd(&p, 0x12);
    to_kbd(&p, 0xee); /* a command ends the list */
    EXPECT(&p, "\xfa\xfa\xee");
    tap(&p, 0x2a);
    EXPECT(&p, "\x12\xf0\x12");
    to_kbd(&p, 0xf6);
    EXPECT(&p, "\xfa");
    tap(&p, 0x3b);
    EXPECT(&p, "\x07");
    rig_free(&p.r);
}
END_TEST

START_TEST(keyboard_commands)
{
    struct kbc p;

    setup(&p, true);
    write_cb(&p, 0x45);
    to_kbd(&p, 0xf2);
    EXPECT(&p, "\xfa\xab\x41");
    to_kbd(&p, 0xfe);
    EXPECT(&p, "\x41"); /* the last byte again, 83 translated */
    to_kbd(&p, 0xe1);
    EXPECT(&p, "\xfe");
    to_kbd(&p, 0xf5); /* off */
    EXPECT(&p, "\xfa");
    tap(&p, 0x1e);
    EXPECT(&p, "");
    to_kbd(&p, 0xf4);
    EXPECT(&p, "\xfa");
    tap(&p, 0x1e);
    EXPECT(&p, "\x1e\x9e");
    to_kbd(&p, 0xff);
    ck_assert_int_eq(next(&p), 0xfa);
    rig_run(&p.r, 9000000);
    ck_assert_uint_eq(in8(&p.r, 0x64) & 1, 0);
    EXPECT(&p, "\xaa");
    /* A held wire keeps the keys in the keyboard. */
    command(&p, 0xad);
    tap(&p, 0x10);
    EXPECT(&p, "");
    ck_assert_uint_eq(ps2kbd_queued(p.kbd), 3);
    command(&p, 0xae);
    EXPECT(&p, "\x10\x90");
    ps2kbd_key(p.kbd, 0x10, false); /* not down */
    EXPECT(&p, "");
    rig_free(&p.r);
}
END_TEST

START_TEST(typematic_and_overrun)
{
    struct kbc p;
    unsigned i, n = 0;
    int v;

    setup(&p, true);
    write_cb(&p, 0x45);
    ps2kbd_key(p.kbd, 0x1e, true);
    ck_assert_int_eq(next(&p), 0x1e);
    ps2kbd_key(p.kbd, 0x1e, true); /* the host's own repeat is ignored */
    rig_run(&p.r, 450000000);
    ck_assert_int_eq(next(&p), 0x1e); /* 500 ms, then 10.9 a second */
    for (i = 0; i < 100; i++) {
        rig_run(&p.r, 10000000);
        while (in8(&p.r, 0x64) & 1) {
            ck_assert_uint_eq(in8(&p.r, 0x60), 0x1e);
            n++;
            rig_run(&p.r, 1000000);
        }
    }
    ck_assert_uint_ge(n, 10);
    ck_assert_uint_le(n, 12);
    ps2kbd_key(p.kbd, 0x1e, false);
    EXPECT(&p, "\x9e");
    to_kbd(&p, 0xf3);
    to_kbd(&p, 0x00); /* 250 ms, 30 a second */
    EXPECT(&p, "\xfa\xfa");
    ps2kbd_key(p.kbd, 0x1e, true);
    ck_assert_int_eq(next(&p), 0x1e);
    rig_run(&p.r, 240000000);
    ck_assert_int_eq(next(&p), 0x1e);
    rig_run(&p.r, 25000000);
    ck_assert_uint_eq(in8(&p.r, 0x64) & 1, 0);
    ck_assert_int_eq(next(&p), 0x1e);
    ps2kbd_key(p.kbd, 0x1e, false);
    EXPECT(&p, "\x9e");
    for (i = 0; i < 100; i++) {
        tap(&p, 0x10);
    }
    n = 0;
    while ((v = next(&p)) >= 0) {
        n++;
        if (v != 0x10 && v != 0x90) {
            ck_assert_int_eq(v, 0xff); /* overrun, once, at the end */
            ck_assert_int_eq(next(&p), -1);
        }
    }
    ck_assert_uint_ge(n, 32);
    rig_free(&p.r);
}
END_TEST

START_TEST(mouse_commands)
{
    struct kbc p;

    setup(&p, true);
    write_cb(&p, 0x46);
    to_mouse(&p, 0xff);
    ck_assert_int_eq(next(&p), 0xfa);
    ck_assert_uint_eq(p.irq12.rises, 1);
    EXPECT(&p, "\xaa\x00");
    to_mouse(&p, 0xf2);
    EXPECT(&p, "\xfa\x00");
    to_mouse(&p, 0xe9);
    EXPECT(&p, "\xfa\x00\x02\x64");
    to_mouse(&p, 0xe8);
    to_mouse(&p, 0x03);
    to_mouse(&p, 0xe7);
    to_mouse(&p, 0xf3);
    to_mouse(&p, 40);
    next(&p);
    next(&p);
    while (next(&p) >= 0) {
    }
    to_mouse(&p, 0xf4);
    ck_assert_int_eq(next(&p), 0xfa);
    ps2mouse_move(p.mouse, 0, 0, 0, PS2MOUSE_LEFT | PS2MOUSE_MIDDLE);
    EXPECT(&p, "\x0d\x00\x00");
    to_mouse(&p, 0xe9);
    EXPECT(&p, "\xfa\x36\x03\x28");
    to_mouse(&p, 0xfe);
    EXPECT(&p, "\xfa\x36\x03\x28");
    to_mouse(&p, 0xf3);
    to_mouse(&p, 41); /* refused twice ends it */
    EXPECT(&p, "\xfe");
    to_mouse(&p, 41);
    EXPECT(&p, "\xfc");
    to_mouse(&p, 0xee); /* wrap */
    EXPECT(&p, "\xfa");
    to_mouse(&p, 0xe9);
    EXPECT(&p, "\xe9");
    to_mouse(&p, 0xec);
    EXPECT(&p, "\xfa");
    to_mouse(&p, 0x77);
    EXPECT(&p, "\xfe");
    to_mouse(&p, 0xf6);
    EXPECT(&p, "\xfa");
    to_mouse(&p, 0xf0); /* remote */
    EXPECT(&p, "\xfa");
    ps2mouse_move(p.mouse, 5, 3, 0, PS2MOUSE_RIGHT);
    EXPECT(&p, "");
    to_mouse(&p, 0xeb);
    EXPECT(&p, "\xfa\x2a\x05\xfd");
    to_mouse(&p, 0xe9);
    EXPECT(&p, "\xfa\x41\x02\x64");
    rig_free(&p.r);
}
END_TEST

static void rates(struct kbc *p, uint8_t a, uint8_t b, uint8_t c)
{
    const uint8_t r[3] = {a, b, c};
    unsigned i;

    for (i = 0; i < 3; i++) {
        to_mouse(p, 0xf3);
        ck_assert_int_eq(next(p), 0xfa);
        to_mouse(p, r[i]);
        ck_assert_int_eq(next(p), 0xfa);
    }
}

START_TEST(mouse_packets)
{
    struct kbc p;

    setup(&p, true);
    write_cb(&p, 0x46);
    ps2mouse_move(p.mouse, 9, 9, 9, 0); /* not reporting: nothing */
    to_mouse(&p, 0xf4);
    EXPECT(&p, "\xfa");
    ps2mouse_move(p.mouse, 10, -20, 1, 0);
    EXPECT(&p, "\x08\x0a\x14");
    ps2mouse_move(p.mouse, -1, 1, 0, PS2MOUSE_LEFT);
    EXPECT(&p, "\x39\xff\xff");
    ps2mouse_move(p.mouse, 300, 0, 0, 0); /* more than nine bits: in two reports */
    EXPECT(&p, "\x08\xff\x00\x08\x2d\x00");
    rates(&p, 200, 100, 80);
    to_mouse(&p, 0xf2);
    EXPECT(&p, "\xfa\x03");
    ps2mouse_move(p.mouse, 1, 0, -2, PS2MOUSE_SIDE);
    EXPECT(&p, "\x08\x01\x00\xfe");
    rates(&p, 200, 200, 80);
    to_mouse(&p, 0xf2);
    EXPECT(&p, "\xfa\x04");
    ps2mouse_move(p.mouse, 1, 0, -2, PS2MOUSE_SIDE);
    EXPECT(&p, "\x08\x01\x00\x1e");
    ps2mouse_move(p.mouse, 0, 0, 0, PS2MOUSE_EXTRA);
    EXPECT(&p, "\x08\x00\x00\x20");
    to_mouse(&p, 0xff);
    while (next(&p) >= 0) {
    }
    to_mouse(&p, 0xf2);
    EXPECT(&p, "\xfa\x00");
    to_mouse(&p, 0xf4);
    to_mouse(&p, 0xe7); /* 2:1 */
    while (next(&p) >= 0) {
    }
    ps2mouse_move(p.mouse, 5, -3, 0, 0);
    EXPECT(&p, "\x08\x09\x03");
    ps2mouse_move(p.mouse, 100, -4, 0, 0);
    EXPECT(&p, "\x08\xc8\x06");
    rig_free(&p.r);
}
END_TEST

START_TEST(mouse_sample_rate)
{
    struct kbc p;
    unsigned i, n = 0;

    setup(&p, true);
    write_cb(&p, 0x46);
    rates(&p, 100, 100, 10);
    to_mouse(&p, 0xf4);
    ck_assert_int_eq(next(&p), 0xfa);
    for (i = 0; i < 1000; i++) {
        ps2mouse_move(p.mouse, 1, 0, 0, 0);
        rig_run(&p.r, 1000000);
        if (in8(&p.r, 0x64) & 1) {
            in8(&p.r, 0x60);
            n++;
        }
    }
    ck_assert_uint_ge(n, 28); /* ten reports of three bytes */
    ck_assert_uint_le(n, 32);
    rig_free(&p.r);
}
END_TEST

START_TEST(snapshot_and_storm)
{
    static const unsigned ports[] = {0x60, 0x60, 0x64};
    struct kbc p;
    unsigned i;

    setup(&p, true);
    write_cb(&p, 0x47);
    to_mouse(&p, 0xf4);
    next(&p);
    tap(&p, 0x1e);
    ps2kbd_key(p.kbd, 0x1f, true);
    ps2mouse_move(p.mouse, 3, 4, 0, 1);
    rig_run(&p.r, 500000);
    rig_round_trip(&p.r);
    for (i = 0; i < 8; i++) {
        static const uint8_t bytes[] = {0x1e, 0x9e, 0x1f, 0x29, 0x03, 0xfc};
        int v = next(&p);

        if (i < sizeof bytes) {
            ck_assert_int_eq(v, bytes[i]);
        }
    }
    for (i = 0; i < 5000; i++) {
        ps2kbd_key(p.kbd, i * 37, i & 1);
        ps2mouse_move(p.mouse, (int)(i * 77777), -(int)(i * 3), (int)i, i);
        rig_storm(&p.r, ports, 3, 1 + i % 5);
    }
    devices_reset(&p.r.env, RESET_WARM);
    ck_assert(!p.irq1.level && !p.irq12.level);
    ck_assert(p.a20);
    rig_free(&p.r);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, controller_commands);
    tcase_add_test(t, command_byte_and_ram);
    tcase_add_test(t, output_port);
    tcase_add_test(t, buffers_and_lines);
    tcase_add_test(t, keys_translated);
    tcase_add_test(t, scan_sets);
    tcase_add_test(t, keyboard_commands);
    tcase_add_test(t, typematic_and_overrun);
    tcase_add_test(t, mouse_commands);
    tcase_add_test(t, mouse_packets);
    tcase_add_test(t, mouse_sample_rate);
    tcase_add_test(t, snapshot_and_storm);
}

int main(void)
{
    return rig_main("i8042", add);
}
