/*
 * PS/2 keyboard (IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-key)").
 *
 * Set 2 codes leave as they are; translation to set 1 is the controller's.  Replies to commands go
 * ahead of key codes.  Typematic repeat is an event in virtual time.
 * Invariant: the codes of one key stroke are queued whole or, when there is no room, replaced by
 * one overrun code.
 */
#include "devices/ps2kbd.h"

#include <stdio.h>
#include <string.h>

enum {
    REPLY_ACK = 0xfa, REPLY_RESEND = 0xfe, REPLY_ECHO = 0xee, REPLY_BAT_OK = 0xaa,
    OVERRUN_SET1 = 0xff, OVERRUN = 0x00
};
enum {
    KEY_CTRL = 0x1d, KEY_LSHIFT = 0x2a, KEY_SLASH = 0x35, KEY_RSHIFT = 0x36, KEY_PRINT = 0x137,
    KEY_ALT = 0x38, KEY_SYSRQ = 0x54, KEY_SCROLL = 0x46
};
enum { TYPEMATIC = 1, BREAK = 2 }; /* what a key does in set 3, beside its make code */
enum { BAT_NS = 10000000, DEFAULT_RATE = 0x2b, MAX_STROKE = 16 };
/* What has been sent around a grey key so that it reads as its keypad twin with the right shift. */
enum { FAKE_NONE, FAKE_SHIFTED, FAKE_LEFT = 2, FAKE_RIGHT = 4 };

struct ps2kbd {
    struct device dev;
    void (*led_change)(void *ctx, unsigned mask);
    void *ctx;
    struct irq_line ready;
    struct event repeat, bat;
    char repeat_name[32], bat_name[32];

    struct ps2_queue reply, codes;
    uint8_t set;      /* 1..3 */
    uint8_t command;  /* command that waits for a parameter, 0: none */
    uint8_t last;     /* for resend */
    uint8_t leds, rate;
    uint8_t fake;     /* FAKE_... of the grey key that is down */
    uint16_t repeating; /* key, 0: none */
    bool scanning, testing;
    uint8_t down[64]; /* bit map by key */
    uint8_t type[256]; /* TYPEMATIC | BREAK by set 3 code */
};

/* Set 1 make codes to set 2; keys with E0 use the same. */
static const uint8_t set2_code[128] = {
    0x00, 0x76, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, 0x4e, 0x55, 0x66, 0x0d,
    0x15, 0x1d, 0x24, 0x2d, 0x2c, 0x35, 0x3c, 0x43, 0x44, 0x4d, 0x54, 0x5b, 0x5a, 0x14, 0x1c, 0x1b,
    0x23, 0x2b, 0x34, 0x33, 0x3b, 0x42, 0x4b, 0x4c, 0x52, 0x0e, 0x12, 0x5d, 0x1a, 0x22, 0x21, 0x2a,
    0x32, 0x31, 0x3a, 0x41, 0x49, 0x4a, 0x59, 0x7c, 0x11, 0x29, 0x58, 0x05, 0x06, 0x04, 0x0c, 0x03,
    0x0b, 0x83, 0x0a, 0x01, 0x09, 0x77, 0x7e, 0x6c, 0x75, 0x7d, 0x7b, 0x6b, 0x73, 0x74, 0x79, 0x69,
    0x72, 0x7a, 0x70, 0x71, 0x84, 0x60, 0x61, 0x78, 0x07, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f,
    0x47, 0x4f, 0x56, 0x5e, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38, 0x40, 0x48, 0x50, 0x57, 0x6f,
    0x13, 0x19, 0x39, 0x51, 0x53, 0x5c, 0x5f, 0x62, 0x63, 0x64, 0x65, 0x67, 0x68, 0x6a, 0x6d, 0x6e,
};

/* Set 1 make codes to set 3, for the keys 01h..58h; 0: the key does not exist there. */
static const uint8_t set3_code[0x59] = {
    0x00, 0x08, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, 0x4e, 0x55, 0x66, 0x0d,
    0x15, 0x1d, 0x24, 0x2d, 0x2c, 0x35, 0x3c, 0x43, 0x44, 0x4d, 0x54, 0x5b, 0x5a, 0x11, 0x1c, 0x1b,
    0x23, 0x2b, 0x34, 0x33, 0x3b, 0x42, 0x4b, 0x4c, 0x52, 0x0e, 0x12, 0x5c, 0x1a, 0x22, 0x21, 0x2a,
    0x32, 0x31, 0x3a, 0x41, 0x49, 0x4a, 0x59, 0x7e, 0x19, 0x29, 0x14, 0x07, 0x0f, 0x17, 0x1f, 0x27,
    0x2f, 0x37, 0x3f, 0x47, 0x4f, 0x76, 0x5f, 0x6c, 0x75, 0x7d, 0x84, 0x6b, 0x73, 0x74, 0x7c, 0x69,
    0x72, 0x7a, 0x70, 0x71, 0x57, 0x00, 0x13, 0x56, 0x5e,
};

static const struct {
    uint8_t key, code;
} set3_extended[] = {
    {0x1c, 0x79}, {0x1d, 0x58}, {0x35, 0x77}, {0x37, 0x57}, {0x38, 0x39}, {0x46, 0x62},
    {0x47, 0x6e}, {0x48, 0x63}, {0x49, 0x6f}, {0x4b, 0x61}, {0x4d, 0x6a}, {0x4f, 0x65},
    {0x50, 0x60}, {0x51, 0x6d}, {0x52, 0x67}, {0x53, 0x64}, {0x5b, 0x8b}, {0x5c, 0x8c},
    {0x5d, 0x8d},
};

/* Set 3 keys that make only, and those that make and break, at power-on; the others repeat. */
static const uint8_t make_only[] = {
    0x58, 0x39, 0x67, 0x6e, 0x65, 0x6f, 0x6d, 0x76, 0x6c, 0x6b, 0x69, 0x77, 0x75, 0x73, 0x72, 0x70,
    0x7e, 0x7d, 0x74, 0x7a, 0x71, 0x84, 0x79, 0x08, 0x07, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f,
    0x47, 0x4f, 0x56, 0x5e, 0x57, 0x5f, 0x62, 0x8b, 0x8c, 0x8d,
};
static const uint8_t make_break[] = {0x14, 0x12, 0x59, 0x11, 0x19};

static bool key_down(const struct ps2kbd *k, unsigned key)
{
    return k->down[key >> 3 & 63] >> (key & 7) & 1;
}

static bool either(const struct ps2kbd *k, unsigned key)
{
    return key_down(k, key) || key_down(k, key | KEY_EXTENDED);
}

static void kbd_ready(struct ps2kbd *k)
{
    irq_set(&k->ready, true);
}

/* The codes of one stroke, put together before they are queued. */
struct stroke {
    uint8_t code[MAX_STROKE];
    unsigned n;
};

static void add(struct stroke *s, uint8_t code)
{
    if (s->n < MAX_STROKE) {
        s->code[s->n++] = code;
    }
}

/* One code in set 1 or 2; key carries KEY_EXTENDED. */
static void add_key(const struct ps2kbd *k, struct stroke *s, unsigned key, bool down)
{
    uint8_t code = key & 0x7f;

    if (key & KEY_EXTENDED) {
        add(s, 0xe0);
    }
    if (k->set == 1) {
        add(s, (uint8_t)(code | (down ? 0 : 0x80)));
        return;
    }
    if (!down) {
        add(s, 0xf0);
    }
    add(s, set2_code[code]);
}

static void queue_stroke(struct ps2kbd *k, const struct stroke *s)
{
    uint8_t overrun = k->set == 1 ? OVERRUN_SET1 : OVERRUN;
    unsigned i;

    if (s->n == 0) {
        return;
    }
    /* The last place is kept for saying once that something was lost. */
    if (ps2_queue_room(&k->codes) < s->n + 1) {
        if (k->codes.data[(k->codes.head + k->codes.count - 1) % PS2_QUEUE] != overrun) {
            ps2_queue_put(&k->codes, overrun);
        }
        return;
    }
    for (i = 0; i < s->n; i++) {
        ps2_queue_put(&k->codes, s->code[i]);
    }
    kbd_ready(k);
}

/* The keys between the typewriter part and the keypad: arrows and the six above them. */
static bool is_grey(unsigned key)
{
    unsigned code = key & 0x7f;

    return (key & KEY_EXTENDED) && code >= 0x47 && code <= 0x53 && code != 0x4a && code != 0x4c &&
           code != 0x4e;
}

/* Releases the shifts that are down (or presses the left one for NumLock) around a grey key. */
static void fake_begin(struct ps2kbd *k, struct stroke *s, bool release_only)
{
    bool left = key_down(k, KEY_LSHIFT), right = key_down(k, KEY_RSHIFT);
    bool num = k->leds & PS2KBD_LED_NUM;

    if (k->fake != FAKE_NONE) {
        return;
    }
    if ((left || right) && (release_only || !num)) {
        if (left) {
            add_key(k, s, KEY_EXTENDED | KEY_LSHIFT, false);
            k->fake |= FAKE_LEFT;
        }
        if (right) {
            add_key(k, s, KEY_EXTENDED | KEY_RSHIFT, false);
            k->fake |= FAKE_RIGHT;
        }
    } else if (num && !left && !right && !release_only) {
        add_key(k, s, KEY_EXTENDED | KEY_LSHIFT, true);
        k->fake = FAKE_SHIFTED;
    }
}

static void fake_end(struct ps2kbd *k, struct stroke *s)
{
    if (k->fake & FAKE_SHIFTED) {
        add_key(k, s, KEY_EXTENDED | KEY_LSHIFT, false);
    }
    if (k->fake & FAKE_RIGHT) {
        add_key(k, s, KEY_EXTENDED | KEY_RSHIFT, true);
    }
    if (k->fake & FAKE_LEFT) {
        add_key(k, s, KEY_EXTENDED | KEY_LSHIFT, true);
    }
    k->fake = FAKE_NONE;
}

/* Print Screen is SysRq with Alt, a plain E0 37 with Ctrl or Shift, else wrapped in a shift. */
static void print_screen(struct ps2kbd *k, struct stroke *s, bool down)
{
    bool plain = either(k, KEY_CTRL) || key_down(k, KEY_LSHIFT) || key_down(k, KEY_RSHIFT);

    if (either(k, KEY_ALT)) {
        add_key(k, s, KEY_SYSRQ, down);
        return;
    }
    if (down && !plain) {
        add_key(k, s, KEY_EXTENDED | KEY_LSHIFT, true);
    }
    add_key(k, s, KEY_PRINT, down);
    if (!down && !plain) {
        add_key(k, s, KEY_EXTENDED | KEY_LSHIFT, false);
    }
}

/* Pause sends make and break at once; with Ctrl it is the old Break key. */
static void pause_key(struct ps2kbd *k, struct stroke *s)
{
    if (either(k, KEY_CTRL)) {
        add_key(k, s, KEY_EXTENDED | KEY_SCROLL, true);
        add_key(k, s, KEY_EXTENDED | KEY_SCROLL, false);
        return;
    }
    add(s, 0xe1);
    add_key(k, s, KEY_CTRL, true);
    add_key(k, s, 0x45, true);
    add(s, 0xe1);
    add_key(k, s, KEY_CTRL, false);
    add_key(k, s, 0x45, false);
}

static void stroke_sets12(struct ps2kbd *k, struct stroke *s, unsigned key, bool down, bool first)
{
    bool grey = is_grey(key), slash = key == (KEY_EXTENDED | KEY_SLASH);

    if (key == KEY_PAUSE) {
        if (down) {
            pause_key(k, s);
        }
        return;
    }
    if (key == KEY_PRINT && first) {
        print_screen(k, s, down);
        return;
    }
    if (down && first && (grey || slash)) {
        fake_begin(k, s, slash);
    }
    add_key(k, s, key, down);
    if (!down && (grey || slash)) {
        fake_end(k, s);
    }
}

static uint8_t key_set3(unsigned key)
{
    unsigned i;

    if (key == KEY_PAUSE) {
        return 0x62;
    }
    if (!(key & KEY_EXTENDED)) {
        return key < ARRAY_LEN(set3_code) ? set3_code[key] : 0;
    }
    for (i = 0; i < ARRAY_LEN(set3_extended); i++) {
        if (set3_extended[i].key == (key & 0x7f)) {
            return set3_extended[i].code;
        }
    }
    return 0;
}

static void stroke_set3(const struct ps2kbd *k, struct stroke *s, unsigned key, bool down)
{
    uint8_t code = key_set3(key);

    if (code == 0 || (!down && !(k->type[code] & BREAK))) {
        return;
    }
    if (!down) {
        add(s, 0xf0);
    }
    add(s, code);
}

/* first: not a typematic repetition. */
static void send_key(struct ps2kbd *k, unsigned key, bool down, bool first)
{
    struct stroke s = {{0}, 0};

    if (k->set == 3) {
        stroke_set3(k, &s, key, down);
    } else {
        stroke_sets12(k, &s, key, down, first);
    }
    queue_stroke(k, &s);
}

/* The delay before the first repetition, or the time between two: (8 + A) * 2^B / 240 s. */
static void repeat_after(struct ps2kbd *k, bool first)
{
    uint64_t ns;

    if (first) {
        ns = ((k->rate >> 5 & 3) + 1) * 250000000ull;
    } else {
        ns = ((8ull + (k->rate & 7)) << (k->rate >> 3 & 3)) * 1000000000ull / 240;
    }
    event_at(k->dev.env->sched, &k->repeat, sched_after_ns(k->dev.env->sched, ns));
}

static void repeat_stop(struct ps2kbd *k)
{
    k->repeating = 0;
    event_cancel(k->dev.env->sched, &k->repeat);
}

static void kbd_repeat(void *arg, uint64_t now UNUSED)
{
    struct ps2kbd *k = arg;

    if (k->repeating == 0 || !k->scanning) {
        return;
    }
    /* A host that does not read gets no flood of repetitions. */
    if (k->codes.count < 16) {
        send_key(k, k->repeating, true, false);
    }
    repeat_after(k, false);
}

static bool key_repeats(const struct ps2kbd *k, unsigned key)
{
    if (key == KEY_PAUSE) {
        return false;
    }
    return k->set != 3 || (k->type[key_set3(key)] & TYPEMATIC);
}

void ps2kbd_key(struct device *d, unsigned key, bool down)
{
    struct ps2kbd *k = (struct ps2kbd *)d;

    key = key & KEY_PAUSE ? (unsigned)KEY_PAUSE : key & 0x17f;
    if ((key & 0x7f) == 0 && key != KEY_PAUSE) {
        return;
    }
    if (key != KEY_PAUSE) {
        uint8_t bit = (uint8_t)(1u << (key & 7));

        if (key_down(k, key) == down) {
            return;
        }
        k->down[key >> 3] ^= bit;
    }
    if (!k->scanning || k->testing) {
        return;
    }
    send_key(k, key, down, true);
    if (down && key_repeats(k, key)) {
        k->repeating = (uint16_t)key;
        repeat_after(k, true);
    } else if (down || k->repeating == key) {
        repeat_stop(k);
    }
}

unsigned ps2kbd_queued(const struct device *d)
{
    const struct ps2kbd *k = (const struct ps2kbd *)d;

    return k->reply.count + k->codes.count;
}

unsigned ps2kbd_leds(const struct device *d)
{
    return ((const struct ps2kbd *)d)->leds;
}

static void set_leds(struct ps2kbd *k, uint8_t leds)
{
    k->leds = leds & 7;
    if (k->led_change) {
        k->led_change(k->ctx, k->leds);
    }
}

static void reply(struct ps2kbd *k, uint8_t byte)
{
    ps2_queue_put(&k->reply, byte);
    kbd_ready(k);
}

static void set_types(struct ps2kbd *k, uint8_t type)
{
    memset(k->type, type, sizeof k->type);
}

static void default_types(struct ps2kbd *k)
{
    unsigned i;

    set_types(k, TYPEMATIC);
    for (i = 0; i < ARRAY_LEN(make_only); i++) {
        k->type[make_only[i]] = 0;
    }
    for (i = 0; i < ARRAY_LEN(make_break); i++) {
        k->type[make_break[i]] = BREAK;
    }
}

static void set_defaults(struct ps2kbd *k, bool scanning)
{
    k->rate = DEFAULT_RATE;
    k->scanning = scanning;
    k->fake = FAKE_NONE;
    default_types(k);
    ps2_queue_clear(&k->codes);
    repeat_stop(k);
}

static void kbd_bat(void *arg, uint64_t now UNUSED)
{
    struct ps2kbd *k = arg;

    k->testing = false;
    reply(k, REPLY_BAT_OK);
}

static void kbd_reset_command(struct ps2kbd *k)
{
    set_defaults(k, true);
    k->set = 2;
    set_leds(k, 0);
    ps2_queue_clear(&k->reply);
    reply(k, REPLY_ACK);
    k->testing = true;
    event_at(k->dev.env->sched, &k->bat, sched_after_ns(k->dev.env->sched, BAT_NS));
}

/* F7..FA set all keys, FB..FD the keys whose codes follow; both are about set 3. */
static uint8_t key_type(uint8_t command)
{
    static const uint8_t types[7] = {TYPEMATIC, BREAK, 0, TYPEMATIC | BREAK, TYPEMATIC, BREAK, 0};

    return types[command - 0xf7];
}

static bool takes_parameter(uint8_t command)
{
    return command == 0xed || command == 0xf0 || command == 0xf3 ||
           (command >= 0xfb && command <= 0xfd);
}

static void kbd_command(struct ps2kbd *k, uint8_t command)
{
    k->command = 0;
    switch (command) {
    case 0xee:
        reply(k, REPLY_ECHO);
        return;
    case 0xf2:
        reply(k, REPLY_ACK);
        reply(k, 0xab);
        reply(k, 0x83);
        return;
    case 0xfe:
        reply(k, k->last);
        return;
    case 0xff:
        kbd_reset_command(k);
        return;
    case 0xf4:
        ps2_queue_clear(&k->codes);
        repeat_stop(k);
        k->scanning = true;
        break;
    case 0xf5:
    case 0xf6:
        set_defaults(k, command == 0xf6);
        break;
    case 0xf7:
    case 0xf8:
    case 0xf9:
    case 0xfa:
        set_types(k, key_type(command));
        break;
    default:
        if (!takes_parameter(command)) {
            reply(k, REPLY_RESEND);
            return;
        }
        k->command = command;
        break;
    }
    reply(k, REPLY_ACK);
}

/* F0: 0 asks for the scan set, 1..3 select it. */
static void scan_set(struct ps2kbd *k, uint8_t val)
{
    if (val > 3) {
        k->command = 0xf0;
        reply(k, REPLY_RESEND);
        return;
    }
    reply(k, REPLY_ACK);
    if (val == 0) {
        reply(k, k->set);
        return;
    }
    k->set = val;
    ps2_queue_clear(&k->codes);
    repeat_stop(k);
}

static void kbd_parameter(struct ps2kbd *k, uint8_t val)
{
    uint8_t command = k->command;

    k->command = 0;
    switch (command) {
    case 0xed:
        set_leds(k, val);
        break;
    case 0xf0:
        scan_set(k, val);
        return;
    case 0xf3:
        k->rate = val & 0x7f;
        break;
    default:
        k->type[val] = key_type(command);
        k->command = command; /* more codes may follow, until a command comes */
        break;
    }
    reply(k, REPLY_ACK);
}

static void kbd_send(void *dev, uint8_t byte)
{
    struct ps2kbd *k = dev;

    if (k->testing) {
        k->testing = false; /* a command ends the test */
        event_cancel(k->dev.env->sched, &k->bat);
    }
    if (k->command && byte < 0xed) {
        kbd_parameter(k, byte);
    } else {
        kbd_command(k, byte);
    }
}

static void kbd_attach(void *dev, struct irq_line ready)
{
    ((struct ps2kbd *)dev)->ready = ready;
}

static bool kbd_pending(void *dev)
{
    const struct ps2kbd *k = dev;

    return k->reply.count || k->codes.count;
}

static uint8_t kbd_take(void *dev)
{
    struct ps2kbd *k = dev;

    k->last = ps2_queue_get(k->reply.count ? &k->reply : &k->codes);
    return k->last;
}

struct ps2_port ps2kbd_port(struct device *d)
{
    return (struct ps2_port){d, kbd_attach, kbd_send, kbd_pending, kbd_take};
}

static bool ps2kbd_init(struct device *d, const void *config, struct err *e UNUSED)
{
    struct ps2kbd *k = (struct ps2kbd *)d;
    const struct ps2kbd_config *c = config;

    k->led_change = c->leds;
    k->ctx = c->ctx;
    snprintf(k->repeat_name, sizeof k->repeat_name, "%s/repeat", d->id);
    snprintf(k->bat_name, sizeof k->bat_name, "%s/bat", d->id);
    event_init(d->env->sched, &k->repeat, k->repeat_name, kbd_repeat, k);
    event_init(d->env->sched, &k->bat, k->bat_name, kbd_bat, k);
    return true;
}

/*
 * The state after its own power-on test, whose AA nobody waits for; keys that are held stay held.
 */
static void ps2kbd_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct ps2kbd *k = (struct ps2kbd *)d;

    event_cancel(d->env->sched, &k->bat);
    k->testing = false;
    k->command = k->last = 0;
    k->set = 2;
    ps2_queue_clear(&k->reply);
    set_defaults(k, true);
    set_leds(k, 0);
}

static bool ps2kbd_post_load(struct device *d, unsigned version UNUSED, struct err *e)
{
    struct ps2kbd *k = (struct ps2kbd *)d;

    if (k->set < 1 || k->set > 3 || (k->command && !takes_parameter(k->command)) ||
        !ps2_queue_valid(&k->reply) || !ps2_queue_valid(&k->codes)) {
        return err_set(e, "%s: the saved state is not valid", d->id);
    }
    k->repeating &= 0x17f;
    set_leds(k, k->leds);
    return true;
}

static const struct snap_field ps2kbd_state[] = {
    PS2_QUEUE_STATE(struct ps2kbd, reply),
    PS2_QUEUE_STATE(struct ps2kbd, codes),
    SNAP_F(struct ps2kbd, set, SNAP_U8),
    SNAP_F(struct ps2kbd, command, SNAP_U8),
    SNAP_F(struct ps2kbd, last, SNAP_U8),
    SNAP_F(struct ps2kbd, leds, SNAP_U8),
    SNAP_F(struct ps2kbd, rate, SNAP_U8),
    SNAP_F(struct ps2kbd, fake, SNAP_U8),
    SNAP_F(struct ps2kbd, repeating, SNAP_U16),
    SNAP_F(struct ps2kbd, scanning, SNAP_BOOL),
    SNAP_F(struct ps2kbd, testing, SNAP_BOOL),
    SNAP_ARRAY(struct ps2kbd, down, SNAP_BYTES),
    SNAP_ARRAY(struct ps2kbd, type, SNAP_BYTES),
    SNAP_END,
};

const struct device_class ps2kbd_class = {
    .name = "ps2kbd",
    .size = sizeof(struct ps2kbd),
    .init = ps2kbd_init,
    .reset = ps2kbd_reset,
    .state = ps2kbd_state,
    .state_version = 1,
    .post_load = ps2kbd_post_load,
};
