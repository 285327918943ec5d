/*
 * liboxbow: an x86 PC in a library.  This header is all that a front end needs.
 *
 * A machine is created from a configuration, run in slices of guest instructions, fed with input
 * and looked at between slices.  The library never blocks, prints, exits or starts threads; two
 * machines can live in one process (one thread at a time per machine).  The same inputs at the same
 * instruction counts give the same run, bit for bit, on every host.
 *
 * Units: time is retired guest instructions (icount); oxbow_ips() of them make one guest second.
 * Errors: functions that can fail take a struct err * (may be NULL) and give one sentence.
 * Ownership: blocks handed over in the configuration or with oxbow_media belong to the machine
 * afterwards, also when oxbow_new fails; everything else is copied unless noted.
 */
#ifndef OXBOW_H
#define OXBOW_H

#include "devices/block.h"
#include "devices/chardev.h"
#include "devices/net.h"
#include "devices/surface.h"
#include "memory/base.h"
#include "memory/err.h"
#include "memory/log.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OXBOW_VERSION "0.1.0"

struct oxbow;

/* A byte string that must live until oxbow_new returns. */
struct oxbow_blob {
    const void *data; /* NULL: none */
    size_t len;
};

/* UTC date and time that the battery-backed clock shows at power-on. */
struct oxbow_rtc {
    int year, month, day, hour, minute, second; /* 1980..2099, 1..12, 1..31, ... */
};

enum oxbow_drive_kind { OXBOW_DRIVE_NONE, OXBOW_DRIVE_DISK, OXBOW_DRIVE_CD };

struct oxbow_drive {
    enum oxbow_drive_kind kind;
    struct block *media; /* NULL for a CD drive: no disc */
};

enum { OXBOW_NICS = 4 };
enum oxbow_nic_model { OXBOW_NIC_NONE, OXBOW_NIC_NE2K_ISA, OXBOW_NIC_NE2K_PCI };

struct oxbow_nic {
    enum oxbow_nic_model model;
    uint8_t mac[6];      /* all zero: 52:54:00:12:34:56 and up */
    uint16_t port;       /* ISA only; 0: 0x300, 0x320, 0x340, 0x360 */
    uint8_t irq;         /* ISA only; 0: 9, 10, 11, 3 */
    struct net *net;     /* where its frames go, stays the caller's; NULL: no cable */
    struct oxbow_blob rom; /* PCI only: option ROM up to 256 KB */
};

/* A Sound Blaster 16 with its FM synthesizer; what is 0 has its default. */
struct oxbow_sb16 {
    bool on;
    uint16_t port;       /* 0x220, 0x240, 0x260 or 0x280 */
    uint8_t irq;         /* 5, 7, 9 or 10 */
    uint8_t dma, dma16;  /* 1 or 3; 5, 6 or 7, or the same as dma: no 16-bit channel */
};

struct oxbow_config {
    unsigned ram_mb;     /* 1 .. 3072 */
    const char *cpu;     /* "pentium4[,+feature,-feature]", NULL: the default model */
    uint64_t ips;        /* guest instructions per guest second; 0: the default */
    /* one to three of "acdn" (floppy, disk, CD, network); NULL: "cad" as a real board */
    const char *boot;
    struct oxbow_blob bios;    /* 64 KB .. 1 MB ROM, ends at 4 GB and at 1 MB; NULL: our own */
    struct oxbow_blob vgabios; /* up to 64 KB, mapped at C0000; NULL: our own */
    /* Linux bzImage or multiboot ELF, started instead of a boot sector */
    struct oxbow_blob kernel;
    struct oxbow_blob initrd;
    const char *append;        /* kernel command line */
    struct block *floppy[2];   /* NULL: drive 0 is empty, drive 1 absent */
    /* primary master, primary slave, secondary master, secondary slave */
    struct oxbow_drive drive[4];
    bool serial_on[4];         /* COM1..COM4 exist; the first always does */
    struct chardev serial[4];  /* where their bytes go */
    struct chardev parallel;   /* LPT1 */
    struct chardev debugcon;   /* text written to port debugcon_port */
    uint16_t debugcon_port;    /* 0: 0xE9; port 0x402 always goes there, too */
    void (*post)(void *ctx, uint16_t port, uint32_t value); /* writes to ports 0x80 and 0x190 */
    void *post_ctx;
    struct oxbow_nic nic[OXBOW_NICS];
    struct oxbow_sb16 sb16;
    bool adlib;                /* an FM card of its own at 0x388; not with sb16 */
    uint32_t audio_rate;       /* frames a guest second for oxbow_audio(); 0: no sound is made */
    bool debug_exit;           /* isa-debug-exit at debug_exit_port */
    uint16_t debug_exit_port, debug_exit_size; /* 0: 0x501, 2 */
    bool boot_menu;            /* our BIOS and SeaBIOS ask for a key that shows their boot menu */
    bool hpet;                 /* the high precision event timer exists */
    bool no_vga;
    bool no_vmport;            /* without the VMware backdoor, the port of an absolute pointer */
    bool no_reboot;            /* a reset request or triple fault ends the run */
    struct oxbow_rtc rtc;      /* all zero: 2000-01-01 00:00:00 */
    struct log log;            /* sink and level; zero: silent */
    /*
     * A clock of the host in nanoseconds, to be had with counters that cost time (oxbow_stats).
     * Nothing the guest sees depends on it.  NULL: neither.
     */
    uint64_t (*host_ns)(void *ctx);
    void *host_ns_ctx;
    bool generic_only;         /* CPU without its fast layer: slow, for differential tests */
};

/* Sensible defaults: 64 MB, everything else zero. */
void oxbow_config_init(struct oxbow_config *cfg);
/*
 * NULL with a sentence when something in the configuration can't be; where one field is to blame,
 * the sentence starts with its name and a colon.
 */
struct oxbow *oxbow_new(const struct oxbow_config *cfg, struct err *e);
void oxbow_free(struct oxbow *m);
/* One line per CPU model, NULL after the last. */
const char *oxbow_cpu_help(unsigned index);

/* --- running ---------------------------------------------------------------------------------- */

enum oxbow_stop {
    OXBOW_LIMIT,      /* the slice is used up */
    OXBOW_HELD,       /* waiting for a block request of the host; poll the back end, call again */
    OXBOW_POWEROFF,   /* ACPI, APM, or the text "Shutdown" at port 0x8900 */
    OXBOW_RESET,      /* a reset with no_reboot set */
    OXBOW_CRASH,      /* triple fault with no_reboot set */
    OXBOW_DEBUG_EXIT, /* isa-debug-exit; the value is oxbow_exit_value() */
    OXBOW_INTERRUPTED, /* oxbow_interrupt() was called */
};

/*
 * Runs for `max` instructions (a guest that halts skips time to its next event, which counts), but
 * never for more than OXBOW_RUN_MAX.  After LIMIT exactly so many have been executed.  However a
 * run is cut into calls, and saved and loaded between them, it is the same run: events and input
 * enter the machine at the same instructions, not where a call ends.  After a stop other than
 * LIMIT, HELD and INTERRUPTED further calls return the same.
 */
#define OXBOW_RUN_MAX ((uint64_t)1 << 48)
enum oxbow_stop oxbow_run(struct oxbow *m, uint64_t max);
/*
 * Makes the present oxbow_run, or if there is none the next, return OXBOW_INTERRUPTED at the next
 * boundary: within milliseconds of the host's time, whatever the guest does.  The only function
 * that may be called from a signal handler or another thread while the machine runs.  It cuts a
 * slice and nothing else: further calls of oxbow_run go on as if it had not happened.
 */
void oxbow_interrupt(struct oxbow *m);
uint64_t oxbow_icount(const struct oxbow *m);
uint64_t oxbow_ips(const struct oxbow *m);
uint32_t oxbow_exit_value(const struct oxbow *m);
/* Instructions that were skipped in HLT, for speed displays. */
uint64_t oxbow_idle(const struct oxbow *m);
void oxbow_reset(struct oxbow *m);
/* ACPI power button; wakes a guest that is suspended to RAM, as a key or the mouse does. */
void oxbow_power_button(struct oxbow *m);

/* --- input: enters the machine at the next trace boundary, or at `at` when that is later ------ */

/*
 * Input of one kind (keys, mouse, serial bytes, one adapter) is taken in order of `at`, and of
 * arrival where that is equal.  False: the guest has left 65536 of its kind lying there, or memory
 * is short; nothing was taken.
 */

/*
 * key: set-1 make code (0x01..0x7f), | 0x100 for keys with an E0 prefix; 0x200: Pause.
 * Layout-free: codes name places on a US keyboard.
 */
bool oxbow_key(struct oxbow *m, unsigned key, bool down, uint64_t at);
/*
 * Relative motion (right and down positive), wheel clicks (down positive), buttons: 1 left, 2
 * right, 4 middle.
 */
bool oxbow_mouse(struct oxbow *m, int dx, int dy, int dz, unsigned buttons, uint64_t at);
/*
 * A place on the screen, 0..65535 from left to right and top to bottom, for guests that want places
 * instead of motion (oxbow_mouse_absolute); others see only wheel and buttons of it.
 */
bool oxbow_mouse_place(struct oxbow *m, unsigned x, unsigned y, int dz, unsigned buttons,
                       uint64_t at);
bool oxbow_mouse_absolute(const struct oxbow *m);
/* A byte received by serial port n; queued until the guest's UART has room. */
bool oxbow_serial_input(struct oxbow *m, unsigned n, uint8_t byte);
/*
 * A frame for adapter n, without check sequence; it arrives when a 10 Mbit/s wire has carried it.
 * May be called from a back end's send, while the machine runs.  False: no such adapter, or too
 * much waits already.
 */
bool oxbow_net_input(struct oxbow *m, unsigned n, const void *frame, size_t len);
/* Pulls or plugs the cable of adapter n.  False also when there is no such adapter. */
bool oxbow_net_link(struct oxbow *m, unsigned n, bool up);
/*
 * Keys that type `text` (ASCII, \n, \t, \b) on a US keyboard, 20 ms apart from `at`; *end (unless
 * NULL) is when the last is up.  All of it or, with false, nothing.
 */
bool oxbow_type(struct oxbow *m, const char *text, uint64_t at, uint64_t *end);
/* True while queued input has not been taken. */
bool oxbow_input_pending(const struct oxbow *m);

/* Change of media: slot "fda", "fdb", "hda".."hdd" (CD drives only for the latter); NULL: eject. */
bool oxbow_media(struct oxbow *m, const char *slot, struct block *media, struct err *e);

/* --- output ----------------------------------------------------------------------------------- */

/* The screen, brought up to date; NULL without a VGA adapter.  Valid until the next call. */
const struct surface *oxbow_surface(struct oxbow *m);
/* Characters on screen (text modes); cols = 0 in graphics modes. */
void oxbow_text(struct oxbow *m, struct text_screen *t);

/*
 * Sound: takes up to `max` frames (left and right sample) that were completed since the last call
 * and returns how many, 0 without audio_rate.  Frame n covers guest time n / audio_rate, so taking
 * them early or late makes no difference; about a third of a second is kept for a caller that comes
 * too seldom, the newest.  After oxbow_load the stream goes on at the first frame that starts then.
 */
size_t oxbow_audio(struct oxbow *m, int16_t *frames, size_t max);

/* --- state ------------------------------------------------------------------------------------ */

/*
 * Whole machine state as a stream (docs/snapshot-format.md); free() the result.  NULL: out of
 * memory.
 */
uint8_t *oxbow_save(struct oxbow *m, size_t *len, struct err *e);
/* Into a machine created with the same configuration; on failure the machine must be freed. */
bool oxbow_load(struct oxbow *m, const void *data, size_t len, struct err *e);
/* Hash over the same state. */
uint64_t oxbow_hash(struct oxbow *m);

/* Counters as text lines "name value", for -stats. */
size_t oxbow_stats(struct oxbow *m, char *buf, size_t len);
/* Register dump of the CPU. */
size_t oxbow_dump(struct oxbow *m, char *buf, size_t len);

#ifdef __cplusplus
}
#endif

#endif
