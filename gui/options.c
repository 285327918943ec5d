/*
 * Command line parser: the table of the options that there are; optrefused.c has those of QEMU's
 * that there are not.  An option is accepted and means something, or it is refused with one
 * sentence; none is ignored.
 */
#include "gui/options.h"

#include <stdlib.h>
#include <string.h>

#include "gui/inifile.h"
#include "gui/optrefused.h"
#include "gui/optvalue.h"

/* What happens with the value; most just set a field of struct options at `at`. */
enum opt_kind {
    OPT_GROUP,  /* a heading of the help */
    OPT_FLAG,   /* bool; no value */
    OPT_TEXT,   /* const char * */
    OPT_FILE,   /* const char *, a file name */
    OPT_ACTION, /* enum options_action `n`; no value */
    OPT_FLOPPY, OPT_DISK, OPT_CDROM, OPT_DRIVE,
    OPT_MEMORY, OPT_CPU, OPT_IPS, OPT_ICOUNT, OPT_STOP_AT, OPT_BOOT, OPT_RTC, OPT_VGA, OPT_DISPLAY,
    OPT_NAME,
    OPT_SERIAL, OPT_PARALLEL, OPT_DEBUGCON, OPT_DEVICE, OPT_LOG, OPT_READCONFIG,
    OPT_NIC, OPT_NETDEV, OPT_OBJECT, OPT_AUDIO, OPT_MACHINE,
};

struct opt {
    const char *name;
    enum opt_kind kind;
    size_t at;
    unsigned n;
    const char *arg, *help;
};

#define AT(field) offsetof(struct options, field)

static const struct opt table[] = {
    {"Machine", OPT_GROUP, 0, 0, 0, 0},
    {"m", OPT_MEMORY, 0, 0, "SIZE", "guest memory in MB, or with K, M or G (default 64)"},
    {"cpu", OPT_CPU, 0, 0, "MODEL", "processor, with +feature,-feature; `help` lists the models"},
    {"machine", OPT_MACHINE, 0, 0, "[pc][,hpet=on][,vmport=off]",
     "hpet: with a high precision event timer; vmport: no port for a pointer that knows its place"},
    {"M", OPT_MACHINE, 0, 0, "[pc]...", "the same"},
    {"vga", OPT_VGA, 0, 0, "std|none", "display adapter"},
    {"device", OPT_DEVICE, 0, 0, "isa-debug-exit[,iobase=P][,iosize=N]",
     "a port that ends the run with status (value << 1) | 1; also network adapters, see -netdev"},
    {"device", OPT_DEVICE, 0, 0, "sb16[,iobase=P][,irq=N][,dma=N][,dma16=N]",
     "a Sound Blaster 16 (0x220, 5, 1, 5); or adlib, an FM card"},
    {"rtc", OPT_RTC, 0, 0, "base=utc|localtime|DATE",
     "date of the clock (default: now; 2000-01-01 with -hash or -stop-at)"},
    {"ips", OPT_IPS, 0, 0, "N", "instructions per guest second (K, M, G: powers of 1000)"},
    {"icount", OPT_ICOUNT, 0, 0, "sleep=on|off",
     "whether an idle guest waits as a PC would (default: unless the run ends by itself)"},
    {"name", OPT_NAME, 0, 0, "NAME", "name of the machine, shown in the window's title"},
    {"Drives", OPT_GROUP, 0, 0, 0, 0},
    {"fda", OPT_FLOPPY, 0, 0, "FILE", "image in floppy drive A"},
    {"fdb", OPT_FLOPPY, 0, 1, "FILE", "image in floppy drive B"},
    {"hda", OPT_DISK, 0, 0, "FILE", "disk image, primary master"},
    {"hdb", OPT_DISK, 0, 1, "FILE", "disk image, primary slave"},
    {"hdc", OPT_DISK, 0, 2, "FILE", "disk image, secondary master"},
    {"hdd", OPT_DISK, 0, 3, "FILE", "disk image, secondary slave"},
    {"cdrom", OPT_CDROM, 0, 2, "FILE", "CD image or cue sheet, secondary master"},
    {"drive", OPT_DRIVE, 0, 0, "file=F[,if=ide|floppy][,index=N][,media=disk|cdrom]...",
     "any drive; also format=raw, snapshot=on, readonly=on"},
    {"snapshot", OPT_FLAG, AT(snapshot), 0, 0, "keep what the guest writes in memory only"},
    {"Boot", OPT_GROUP, 0, 0, 0, 0},
    {"boot", OPT_BOOT, 0, 0, "[order=]LETTERS[,menu=on]",
     "a floppy, c disk, d CD, n network (default cad)"},
    {"kernel", OPT_FILE, AT(kernel), 0, "FILE", "start a Linux bzImage or a multiboot ELF file"},
    {"initrd", OPT_FILE, AT(initrd), 0, "FILE", "initial RAM disk of the kernel"},
    {"append", OPT_TEXT, AT(append), 0, "TEXT", "command line of the kernel"},
    {"bios", OPT_FILE, AT(bios), 0, "FILE", "system BIOS instead of the built-in one"},
    {"vgabios", OPT_FILE, AT(vgabios), 0, "FILE", "video BIOS instead of the built-in one"},
    {"Screen and ports", OPT_GROUP, 0, 0, 0, 0},
    {"display", OPT_DISPLAY, 0, 0, "sdl|none", "a window, or none (default: sdl where it can be)"},
    {"full-screen", OPT_FLAG, AT(full_screen), 0, 0, "the window fills the screen"},
    {"nographic", OPT_FLAG, AT(nographic), 0, 0,
     "no window; the first serial port is this terminal (Ctrl-A x quits)"},
    {"serial", OPT_SERIAL, 0, 0, "stdio|file:F|pty|null|none",
     "where a serial port goes; once per port, up to four"},
    {"parallel", OPT_PARALLEL, 0, 0, "file:F|stdio|null|none", "where the printer port goes"},
    {"debugcon", OPT_DEBUGCON, 0, 0, "file:F|stdio|null|none",
     "where text written to ports 0xE9 and 0x402 goes"},
    {"postlog", OPT_FILE, AT(postlog), 0, "FILE", "a line for each write to ports 0x80 and 0x190"},
    {"Network", OPT_GROUP, 0, 0, 0, 0},
    {"nic", OPT_NIC, 0, 0, "user|socket|dgram|tap|none[,model=ne2k_pci|ne2k_isa][,mac=..]...",
     "a network adapter and what it is connected to (default: none); also iobase=, irq= (ISA), "
     "romfile= (PCI), link=off, dump=FILE; user: hostfwd=tcp::P-:P, guestfwd=, restrict=on, "
     "tftp=DIR, "
     "bootfile=F; socket: udp=HOST:PORT,localaddr=HOST:PORT or mcast=GROUP:PORT; tap: ifname=NAME"},
    {"netdev", OPT_NETDEV, 0, 0, "user|socket|dgram|tap,id=NAME[,...]",
     "the same without an adapter, for -device ne2k_pci,netdev=NAME"},
    {"object", OPT_OBJECT, 0, 0, "filter-dump,id=ID,netdev=NAME,file=FILE",
     "frames of a -netdev to a file that tcpdump reads"},
    {"Sound", OPT_GROUP, 0, 0, 0, 0},
    {"audio", OPT_AUDIO, 0, 0, "wav:FILE|sdl|none[,frequency=N]",
     "where the speaker and sound cards are heard (default none; 44100 frames a second)"},
    {"audiodev", OPT_AUDIO, 0, 0, "wav|sdl|none,id=NAME[,path=FILE]",
     "the same, for -device sb16,audiodev=NAME"},
    {"Run", OPT_GROUP, 0, 0, 0, 0},
    {"no-reboot", OPT_FLAG, AT(no_reboot), 0, 0,
     "a reset ends the run; a triple fault with status 3"},
    {"no-shutdown", OPT_FLAG, AT(no_shutdown), 0, 0, "stay after a power-off"},
    {"stop-at", OPT_STOP_AT, 0, 0, "N", "end after N instructions since power-on"},
    {"hash", OPT_FLAG, AT(hash), 0, 0, "print `state-hash: HEX` of the machine at the end"},
    {"stats", OPT_FLAG, AT(stats), 0, 0,
     "count (slower) and print it to standard error at the end and on SIGUSR1"},
    {"loadstate", OPT_FILE, AT(loadstate), 0, "FILE",
     "go on from a saved state, with the same options"},
    {"savestate", OPT_FILE, AT(savestate), 0, "FILE", "save the machine at the end"},
    {"log", OPT_LOG, 0, 0, "error|warn", "warn: say what the guest does that is odd"},
    {"readconfig", OPT_READCONFIG, 0, 0, "FILE", "more options, as `name = value` lines"},
    {"help", OPT_ACTION, 0, ACTION_HELP, 0, "print this and end"},
    {"version", OPT_ACTION, 0, ACTION_VERSION, 0, "print the version and end"},
};

void options_init(struct options *o)
{
    *o = (struct options){.ram_mb = 64, .log_level = LOG_ERROR};
}

void options_free(struct options *o)
{
    while (o->strings) {
        struct options_string *s = o->strings;

        o->strings = s->next;
        free(s);
    }
}

/* --- values -------------------------------------------------------------------------------- */

static bool set_memory(struct options *o, const char *value, struct err *e)
{
    struct optpair p = {"", ""};
    uint64_t n;

    if (!optvalue_next(&value, &p) || *value || (*p.key && strcmp(p.key, "size") != 0)) {
        return err_set(e, "-m %s: write one size, as in -m 256", *p.key ? p.key : p.value);
    }
    if (!optvalue_scaled(p.value, 1024, 1 << 20, &n)) {
        return err_set(e, "-m %s: not a size; write MB, or a number with K, M or G", p.value);
    }
    if (n == 0 || n & 0xfffff || n > (uint64_t)3072 << 20) {
        return err_set(e, "-m %s: the memory must have 1 to 3072 whole MB", p.value);
    }
    o->ram_mb = (unsigned)(n >> 20);
    return true;
}

static bool set_display(struct options *o, const char *value, struct err *e)
{
    bool sdl = strcmp(value, "sdl") == 0;

    o->display = sdl ? DISPLAY_SDL : DISPLAY_NONE;
    return sdl || strcmp(value, "none") == 0 ||
           err_set(e, "-display %s: there is no such display; use sdl or none", value);
}

static bool set_vga(struct options *o, const char *value, struct err *e)
{
    o->no_vga = strcmp(value, "none") == 0;
    return o->no_vga || strcmp(value, "std") == 0 ||
           err_set(e, "-vga %s: there is no such adapter; use std or none", value);
}

static bool set_log(struct options *o, const char *value, struct err *e)
{
    static const char *const level[] = {"error", "warn"};

    for (unsigned n = 0; n < ARRAY_LEN(level); n++) {
        if (strcmp(value, level[n]) == 0) {
            o->log_level = (enum log_level)n;
            return true;
        }
    }
    return err_set(e, "-log %s: use error or warn", value);
}

static bool set_name(struct options *o, const char *value, struct err *e)
{
    struct optpair p = {"", ""};

    if (!optvalue_next(&value, &p) || *value || (*p.key && strcmp(p.key, "guest") != 0)) {
        return err_set(e, "-name %s: write one name", *p.key ? p.key : p.value);
    }
    o->name = opt_string(o, p.value, strlen(p.value), e);
    return o->name != NULL;
}

static bool set_cpu(struct options *o, const char *value, struct err *e)
{
    if (strcmp(value, "help") == 0 || strcmp(value, "?") == 0) {
        o->action = ACTION_CPU_HELP;
        return true;
    }
    o->cpu = opt_string(o, value, strlen(value), e);
    return o->cpu != NULL;
}

static bool set_serial(struct options *o, const char *value, const char *dir, struct err *e)
{
    if (o->serials == ARRAY_LEN(o->serial)) {
        return err_set(e, "-serial %s: a PC has at most four serial ports", value);
    }
    return opt_target(o, &o->serial[o->serials++], "-serial", value, dir, e);
}

static bool set_number(const char *name, const char *value, uint64_t low, uint64_t *to,
                       struct err *e)
{
    return (optvalue_scaled(value, 1000, 1, to) && *to >= low) ||
           err_set(e, "-%s %s: write a number of instructions, as in -%s 400M", name, value, name);
}

static bool set_icount(struct options *o, const char *value, struct err *e)
{
    if (strcmp(value, "sleep=on") != 0 && strcmp(value, "sleep=off") != 0) {
        return err_set(e, "-icount %s: time always follows the instruction count and -ips sets the "
                          "rate; what can be chosen is sleep=on or sleep=off", value);
    }
    o->sleep = strcmp(value, "sleep=on") == 0 ? SLEEP_ON : SLEEP_OFF;
    return true;
}

static bool set_file(struct options *o, const char **to, const char *value, const char *dir,
                     struct err *e)
{
    *to = opt_file(o, dir, value, e);
    return *to != NULL;
}

static bool set_slot(struct options *o, unsigned slot, const struct opt *opt, const char *value,
                     const char *dir, struct err *e)
{
    static const char *const dashed[] = {"-fda", "-fdb", "-hda", "-hdb", "-hdc", "-hdd"};
    const char *file = opt_file(o, dir, value, e);

    return file && opt_slot(o, slot, opt->kind == OPT_CDROM ? "-cdrom" : dashed[slot], file,
                            opt->kind == OPT_CDROM, e);
}

static bool apply(struct options *o, const struct opt *opt, const char *value, const char *dir,
                  struct err *e)
{
    void *field = (char *)o + opt->at;

    switch (opt->kind) {
    case OPT_GROUP:
        break;
    case OPT_FLAG:
        *(bool *)field = true;
        break;
    case OPT_TEXT:
        *(const char **)field = opt_string(o, value, strlen(value), e);
        return *(const char **)field != NULL;
    case OPT_FILE:
        return set_file(o, field, value, dir, e);
    case OPT_ACTION:
        o->action = (enum options_action)opt->n;
        break;
    case OPT_FLOPPY:
        return set_slot(o, opt->n, opt, value, dir, e);
    case OPT_DISK:
    case OPT_CDROM:
        return set_slot(o, opt->n + 2, opt, value, dir, e);
    case OPT_DRIVE:
        return opt_drive(o, "-drive", value, dir, e);
    case OPT_MEMORY:
        return set_memory(o, value, e);
    case OPT_CPU:
        return set_cpu(o, value, e);
    case OPT_IPS:
        return set_number("ips", value, 1, &o->ips, e);
    case OPT_ICOUNT:
        return set_icount(o, value, e);
    case OPT_STOP_AT:
        o->has_stop_at = true;
        return set_number("stop-at", value, 0, &o->stop_at, e);
    case OPT_BOOT:
        return opt_boot(o, value, e);
    case OPT_MACHINE:
        return opt_machine(o, value, e);
    case OPT_RTC:
        return opt_rtc(o, value, e);
    case OPT_VGA:
        return set_vga(o, value, e);
    case OPT_DISPLAY:
        return set_display(o, value, e);
    case OPT_NAME:
        return set_name(o, value, e);
    case OPT_SERIAL:
        return set_serial(o, value, dir, e);
    case OPT_PARALLEL:
        return opt_target(o, &o->parallel, "-parallel", value, dir, e);
    case OPT_DEBUGCON:
        return opt_target(o, &o->debugcon, "-debugcon", value, dir, e);
    case OPT_DEVICE:
        return opt_device(o, value, dir, e);
    case OPT_NIC:
        return opt_nic(o, value, dir, e);
    case OPT_NETDEV:
        return opt_netdev(o, value, dir, e);
    case OPT_OBJECT:
        return opt_object(o, value, dir, e);
    case OPT_AUDIO:
        return opt_audio(o, opt->name, value, dir, e);
    case OPT_LOG:
        return set_log(o, value, e);
    case OPT_READCONFIG: {
        const char *file = opt_file(o, dir, value, e);

        return file && inifile_read(o, file, e);
    }
    }
    return true;
}

/* --- words --------------------------------------------------------------------------------- */

static const struct opt *find(const char *name)
{
    for (unsigned n = 0; n < ARRAY_LEN(table); n++) {
        if (table[n].kind != OPT_GROUP && strcmp(table[n].name, name) == 0) {
            return &table[n];
        }
    }
    return strcmp(name, "h") == 0 ? find("help") : NULL;
}

/* Letters to change, add or drop between two short words. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[33];
    unsigned n = (unsigned)strlen(b);

    if (n > 32) {
        return n;
    }
    for (unsigned k = 0; k <= n; k++) {
        row[k] = k;
    }
    for (unsigned i = 1; *a; a++, i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned k = 1; k <= n; k++) {
            unsigned change = diagonal + (*a != b[k - 1]), step = MIN(row[k], row[k - 1]) + 1;

            diagonal = row[k];
            row[k] = MIN(change, step);
        }
    }
    return row[n];
}

static bool unknown(const char *name, struct err *e)
{
    const char *best = NULL;
    unsigned least = strlen(name) > 3 ? 3 : 2;

    for (unsigned n = 0; n < ARRAY_LEN(table); n++) {
        unsigned d = table[n].kind == OPT_GROUP ? least : distance(name, table[n].name);

        if (d < least) {
            least = d;
            best = table[n].name;
        }
    }
    return best ? err_set(e, "-%s: unknown option; did you mean -%s?", name, best)
                : err_set(e, "-%s: unknown option; oxbow --help lists them", name);
}

static bool needs_value(const struct opt *opt)
{
    return opt->kind != OPT_FLAG && opt->kind != OPT_ACTION;
}

bool options_set(struct options *o, const char *name, const char *value, const char *dir,
                 struct err *e)
{
    const struct opt *opt = find(name);
    bool on = true;

    if (!opt) {
        return optrefused_knows(name) ? optrefused_check(name, value, e) : unknown(name, e);
    }
    if (!needs_value(opt)) {
        if (value && (opt->kind != OPT_FLAG || !optvalue_switch(value, &on))) {
            return err_set(e, "-%s: takes no value, so %s is one too many", name, value);
        }
        if (!on) {
            *(bool *)((char *)o + opt->at) = false;
            return true;
        }
    } else if (!value) {
        return err_set(e, "-%s: the value is missing; write -%s %s", name, name, opt->arg);
    }
    return apply(o, opt, value, dir, e);
}

static bool positional(struct options *o, const char *word, const char *dir, struct err *e)
{
    size_t n = strlen(word);

    if (n > 4 && strcmp(word + n - 4, ".ini") == 0) {
        return options_set(o, "readconfig", word, dir, e);
    }
    if (o->image) {
        return err_set(e, "%s: there is an image already (%s); use -fda, -hda or -cdrom for more",
                       word, o->image);
    }
    return set_file(o, &o->image, word, dir, e);
}

bool options_parse(struct options *o, int argc, char *const argv[], const char *dir, struct err *e)
{
    bool words_only = false;

    for (int n = 0; n < argc; n++) {
        const char *word = argv[n], *value = NULL;
        char name[40];
        size_t len;
        const struct opt *opt;

        if (word[0] != '-' || word[1] == 0 || words_only) {
            if (!positional(o, word, dir, e)) {
                return false;
            }
            continue;
        }
        if (strcmp(word, "--") == 0) {
            words_only = true;
            continue;
        }
        word += word[1] == '-' ? 2 : 1;
        len = strcspn(word, "=");
        memcpy(name, word, MIN(len, sizeof name - 1));
        name[MIN(len, sizeof name - 1)] = 0;
        opt = find(name);
        if (word[len] == '=') {
            value = word + len + 1;
        } else if ((opt ? needs_value(opt) : optrefused_takes_value(name)) && n + 1 < argc) {
            value = argv[++n];
        }
        if (!options_set(o, name, value, dir, e)) {
            return false;
        }
    }
    return true;
}

bool options_check(const struct options *o, struct err *e)
{
    unsigned stdio = 0;

    for (unsigned n = 0; n < o->serials; n++) {
        stdio += o->serial[n].kind == TARGET_STDIO;
    }
    if (stdio > 1) {
        return err_set(e, "-serial stdio: only one serial port can have the terminal");
    }
    if (o->nographic && o->display == DISPLAY_SDL) {
        return err_set(e, "-nographic and -display sdl contradict each other; drop one");
    }
    if (o->kernel && o->image) {
        return err_set(e, "%s: with -kernel name drives by -hda, -cdrom or -fda", o->image);
    }
    if (!o->kernel && !o->image && (o->initrd || o->append)) {
        return err_set(e, "-%s: needs a kernel; add -kernel FILE", o->initrd ? "initrd" : "append");
    }
    return true;
}

void options_help(FILE *f)
{
    fputs("Usage: oxbow [run] [OPTION]... [IMAGE]\n"
          "       oxbow test SCRIPT...\n"
          "       oxbow img create FILE SIZE | oxbow img info FILE...\n\n"
          "Runs a PC.  IMAGE is a floppy, disk or CD image, a kernel or an .ini file; without\n"
          "any, the built-in demo starts.  Options have one dash or two.\n", f);
    for (unsigned n = 0; n < ARRAY_LEN(table); n++) {
        const struct opt *t = &table[n];
        int width;

        if (t->kind == OPT_GROUP) {
            fprintf(f, "\n%s:\n", t->name);
            continue;
        }
        width = fprintf(f, "  -%s%s%s", t->name, t->arg ? " " : "", t->arg ? t->arg : "");
        fprintf(f, width > 27 ? "\n%*s%s\n" : "%*s%s\n", width > 27 ? 28 : 28 - width, "", t->help);
    }
    fputs("\nThe manual page oxbow(1) says more.\n", f);
}
