/*
 * Options whose values have a syntax of their own: drives, devices, boot order, date, targets of
 * ports.
 */
#include "gui/options.h"

#include <stdlib.h>
#include <string.h>

#include "gui/hostfile.h"
#include "gui/optvalue.h"

const char *opt_string(struct options *o, const char *text, size_t len, struct err *e)
{
    struct options_string *s = malloc(sizeof *s + len + 1);

    if (!s) {
        err_set(e, "not enough memory for the options");
        return NULL;
    }
    memcpy(s->text, text, len);
    s->text[len] = 0;
    s->next = o->strings;
    o->strings = s;
    return s->text;
}

const char *opt_file(struct options *o, const char *dir, const char *path, struct err *e)
{
    char *full = *path ? hostfile_join(dir, path) : NULL;
    const char *s = full ? opt_string(o, full, strlen(full), e) : NULL;

    if (!full) {
        err_set(e, *path ? "not enough memory for the options" : "the name of a file is empty");
    }
    free(full);
    return s;
}

/* --- drives -------------------------------------------------------------------------------- */

static struct drive_option *slot_of(struct options *o, unsigned slot)
{
    return slot < 2 ? &o->floppy[slot] : &o->ide[slot - 2];
}

static bool claim(struct options *o, unsigned slot, struct drive_option d, struct err *e)
{
    static const char *const name[] = {"floppy drive A", "floppy drive B", "IDE drive 0 (hda)",
                                       "IDE drive 1 (hdb)", "IDE drive 2 (hdc)",
                                       "IDE drive 3 (hdd)"};
    struct drive_option *to = slot_of(o, slot);

    if (to->option) {
        return err_set(e, "%s: %s is taken by %s; give each drive a place of its own", d.option,
                       name[slot], to->option);
    }
    *to = d;
    return true;
}

bool opt_slot(struct options *o, unsigned slot, const char *option, const char *file, bool cd,
              struct err *e)
{
    return claim(o, slot, (struct drive_option){.option = option, .file = file, .cd = cd}, e);
}

struct drive_words {
    struct drive_option d;
    bool floppy;
    uint64_t index, bus, unit;
    bool has_index, has_bus, has_unit;
};

static bool drive_place(struct drive_words *w, const struct optpair *p, struct err *e)
{
    uint64_t *to = p->key[0] == 'i' ? &w->index : p->key[0] == 'b' ? &w->bus : &w->unit;
    bool *has = p->key[0] == 'i' ? &w->has_index : p->key[0] == 'b' ? &w->has_bus : &w->has_unit;

    *has = true;
    return optvalue_number(p->value, to) ||
           err_set(e, "-drive %s=%s: not a number", p->key, p->value);
}

static bool drive_word(struct options *o, struct drive_words *w, const struct optpair *p,
                       const char *dir, struct err *e)
{
    const char *k = p->key, *v = p->value;

    if (strcmp(k, "file") == 0) {
        w->d.file = opt_file(o, dir, v, e);
        return w->d.file != NULL;
    }
    if (strcmp(k, "if") == 0) {
        w->floppy = strcmp(v, "floppy") == 0;
        return w->floppy || strcmp(v, "ide") == 0 ||
               err_set(e, "-drive if=%s: there is no such controller; use if=ide or if=floppy", v);
    }
    if (strcmp(k, "media") == 0) {
        w->d.cd = strcmp(v, "cdrom") == 0;
        return w->d.cd || strcmp(v, "disk") == 0 ||
               err_set(e, "-drive media=%s: use media=disk or media=cdrom", v);
    }
    if (strcmp(k, "format") == 0) {
        w->d.raw = strcmp(v, "raw") == 0;
        return w->d.raw || err_set(e, "-drive format=%s: only raw images can be used; convert it "
                                      "with qemu-img convert -O raw", v);
    }
    if (strcmp(k, "snapshot") == 0) {
        return optvalue_switch(v, &w->d.snapshot) ||
               err_set(e, "-drive snapshot=%s: use on or off", v);
    }
    if (strcmp(k, "readonly") == 0 || strcmp(k, "read-only") == 0) {
        return optvalue_switch(v, &w->d.read_only) ||
               err_set(e, "-drive %s=%s: use on or off", k, v);
    }
    if (strcmp(k, "index") == 0 || strcmp(k, "bus") == 0 || strcmp(k, "unit") == 0) {
        return drive_place(w, p, e);
    }
    if (strcmp(k, "id") == 0) {
        return true; /* a name for other options of QEMU's, none of which are here */
    }
    return *k ? err_set(e, "-drive %s=: this setting is not there; use file, if, index, media, "
                           "format, snapshot and readonly", k)
              : err_set(e, "-drive %s: write KEY=VALUE, for example -drive file=disk.img", v);
}

/* The slot that the words name, or the first free one; 6: none. */
static unsigned drive_slot(const struct options *o, const struct drive_words *w)
{
    unsigned first = w->floppy ? 0 : 2, count = w->floppy ? 2 : 4;

    if (w->has_bus || w->has_unit) {
        uint64_t per_bus = 2, bus = w->floppy ? 0 : w->bus;

        return w->bus < (w->floppy ? 1 : 2) && w->unit < per_bus
                   ? first + (unsigned)(bus * per_bus + w->unit)
                   : 6;
    }
    if (w->has_index) {
        return w->index < count ? first + (unsigned)w->index : 6;
    }
    for (unsigned n = 0; n < count; n++) {
        if (!(w->floppy ? o->floppy[n].option : o->ide[n].option)) {
            return first + n;
        }
    }
    return 6;
}

bool opt_drive(struct options *o, const char *option, const char *value, const char *dir,
               struct err *e)
{
    struct drive_words w = {.d = {.option = option}};
    struct optpair p;
    unsigned slot;

    while (optvalue_next(&value, &p)) {
        if (!drive_word(o, &w, &p, dir, e)) {
            return false;
        }
    }
    if (w.has_index && (w.has_bus || w.has_unit)) {
        return err_set(e, "-drive: index= and bus=,unit= say the same; use one of them");
    }
    if (w.floppy && w.d.cd) {
        return err_set(e, "-drive media=cdrom: a floppy drive takes no CD; leave if=floppy away");
    }
    if (!w.d.file && !w.d.cd) {
        return err_set(e, "-drive: name the image with file=");
    }
    slot = drive_slot(o, &w);
    if (slot == 6) {
        return err_set(e, "-drive: no such place; there are %s",
                       w.floppy ? "2 floppy drives, index=0 and 1" : "4 IDE drives, index=0 to 3");
    }
    return claim(o, slot, w.d, e);
}

/* --- devices, boot order ------------------------------------------------------------------- */

bool opt_device(struct options *o, const char *value, const char *dir, struct err *e)
{
    struct optpair p;
    uint64_t n;

    if (!optvalue_next(&value, &p) || (*p.key && strcmp(p.key, "driver") != 0)) {
        return err_set(e, "-device: name the device first, as in -device isa-debug-exit");
    }
    if (opt_is_nic(p.value)) {
        char driver[16];

        strcpy(driver, p.value);
        return opt_nic_device(o, driver, value, dir, e);
    }
    if (opt_is_sound(p.value)) {
        return opt_sound_device(o, strcmp(p.value, "sb16") == 0 ? "sb16" : "adlib", value, e);
    }
    if (strcmp(p.value, "isa-debug-exit") != 0) {
        return err_set(e, "-device %s: there is no such device; isa-debug-exit, ne2k_pci, "
                          "ne2k_isa, sb16 and adlib can be added", p.value);
    }
    while (optvalue_next(&value, &p)) {
        bool base = strcmp(p.key, "iobase") == 0;

        if (!base && strcmp(p.key, "iosize") != 0) {
            return err_set(e, "-device isa-debug-exit,%s: it has the settings iobase= and iosize=",
                           *p.key ? p.key : p.value);
        }
        if (!optvalue_number(p.value, &n) || n == 0 || n > (base ? 0xffff : 8)) {
            return err_set(e, "-device isa-debug-exit,%s=%s: use a number from 1 to %s", p.key,
                           p.value, base ? "0xffff" : "8");
        }
        *(base ? &o->debug_exit_port : &o->debug_exit_size) = (uint16_t)n;
    }
    o->debug_exit = true;
    return true;
}

static bool boot_order(struct options *o, const char *order, struct err *e)
{
    if (*order == 0 || strlen(order) > 3 || strspn(order, "acdn") != strlen(order)) {
        return err_set(e, "-boot %s: use up to three letters of a (floppy), c (disk), d (CD) and "
                          "n (network)", order);
    }
    o->boot = opt_string(o, order, strlen(order), e);
    return o->boot != NULL;
}

bool opt_boot(struct options *o, const char *value, struct err *e)
{
    struct optpair p;
    bool on;

    while (optvalue_next(&value, &p)) {
        if (*p.key == 0 || strcmp(p.key, "order") == 0) {
            if (!boot_order(o, p.value, e)) {
                return false;
            }
        } else if (strcmp(p.key, "menu") == 0 && optvalue_switch(p.value, &on)) {
            o->boot_menu = on;
        } else if (strcmp(p.key, "strict") == 0 && optvalue_switch(p.value, &on) && !on) {
            continue; /* that is how it is */
        } else {
            return err_set(e, "-boot %s=: this setting is not there; use -boot order=LETTERS or "
                              "menu=on|off", p.key);
        }
    }
    return true;
}

bool opt_machine(struct options *o, const char *value, struct err *e)
{
    struct optpair p;
    bool on;

    while (optvalue_next(&value, &p)) {
        if (*p.key == 0 || strcmp(p.key, "type") == 0) {
            if (strcmp(p.value, "pc") != 0) {
                return err_set(e, "-machine %s: there is one machine, the pc", p.value);
            }
        } else if (strcmp(p.key, "hpet") == 0 && optvalue_switch(p.value, &on)) {
            o->hpet = on;
        } else if (strcmp(p.key, "vmport") == 0 && optvalue_switch(p.value, &on)) {
            o->no_vmport = !on;
        } else {
            return err_set(e, "-machine %s=%s: this setting is not there; use hpet=on|off and "
                              "vmport=on|off", p.key, p.value);
        }
    }
    return true;
}

/* --- date ---------------------------------------------------------------------------------- */

/* The number of `digits` digits at *s, which then points behind them and behind `after`. */
static bool date_part(const char **s, unsigned digits, char after, int low, int high, int *v)
{
    int n = 0;

    for (unsigned k = 0; k < digits; k++) {
        if (**s < '0' || **s > '9') {
            return false;
        }
        n = n * 10 + *(*s)++ - '0';
    }
    if (n < low || n > high || (after && *(*s)++ != after)) {
        return false;
    }
    *v = n;
    return true;
}

static bool date(const char *s, struct oxbow_rtc *t)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap;

    *t = (struct oxbow_rtc){0};
    if (!date_part(&s, 4, '-', 1980, 2099, &t->year) || !date_part(&s, 2, '-', 1, 12, &t->month) ||
        !date_part(&s, 2, 0, 1, 31, &t->day)) {
        return false;
    }
    leap = t->year % 4 == 0; /* right for the years allowed */
    if (t->day > days[t->month - 1] + (leap && t->month == 2)) {
        return false;
    }
    if (*s == 0) {
        return true;
    }
    return *s++ == 'T' && date_part(&s, 2, ':', 0, 23, &t->hour) &&
           date_part(&s, 2, ':', 0, 59, &t->minute) && date_part(&s, 2, 0, 0, 59, &t->second) &&
           *s == 0;
}

bool opt_rtc(struct options *o, const char *value, struct err *e)
{
    struct optpair p;

    while (optvalue_next(&value, &p)) {
        if (strcmp(p.key, "clock") == 0 && strcmp(p.value, "vm") == 0) {
            continue; /* the only one there is */
        }
        if (strcmp(p.key, "base") != 0) {
            return err_set(e, "-rtc %s%s: this setting is not there; use -rtc base=utc, "
                              "base=localtime or base=DATE", p.key, *p.key ? "=" : p.value);
        }
        if (strcmp(p.value, "utc") == 0) {
            o->rtc_base = RTC_UTC;
        } else if (strcmp(p.value, "localtime") == 0) {
            o->rtc_base = RTC_LOCALTIME;
        } else if (date(p.value, &o->rtc)) {
            o->rtc_base = RTC_DATE;
        } else {
            return err_set(e, "-rtc base=%s: use utc, localtime or a date like "
                              "2000-01-31T12:00:00 from 1980 to 2099", p.value);
        }
    }
    return true;
}

/* --- targets of ports ---------------------------------------------------------------------- */

bool opt_target(struct options *o, struct target *t, const char *option, const char *value,
                const char *dir, struct err *e)
{
    static const struct {
        const char *word;
        enum target_kind kind;
    } words[] = {{"none", TARGET_NONE}, {"null", TARGET_NULL}, {"stdio", TARGET_STDIO},
                 {"pty", TARGET_PTY}};
    bool serial = strcmp(option, "-serial") == 0;

    *t = (struct target){0};
    if (strncmp(value, "file:", 5) == 0) {
        if (value[5] == 0) {
            return err_set(e, "%s file: names no file; write %s file:NAME", option, option);
        }
        t->kind = TARGET_FILE;
        t->path = opt_file(o, dir, value + 5, e);
        return t->path != NULL;
    }
    if (strncmp(value, "mon:", 4) == 0) {
        return err_set(e, "%s %s: there is no monitor to share the line with; write %s %s", option,
                       value, option, value + 4);
    }
    for (unsigned n = 0; n < ARRAY_LEN(words) - (serial ? 0 : 1); n++) {
        if (strcmp(value, words[n].word) == 0) {
            t->kind = words[n].kind;
            return true;
        }
    }
    return err_set(e, "%s %s: no such target; use stdio, file:NAME%s, null or none", option, value,
                   serial ? ", pty" : "");
}
