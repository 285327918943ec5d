/*
 * The command line as data: what the user asked for, before any file was opened.
 *
 * Words are QEMU's, with one dash or two; the tables in options.c are the one list of them, from
 * which the help is printed, too.  The same parser reads ini files and the `boot` lines of test
 * scripts.
 */
#ifndef OXBOW_GUI_OPTIONS_H
#define OXBOW_GUI_OPTIONS_H

#include <stdio.h>

#include "gui/optaudio.h"
#include "gui/optnet.h"
#include "memory/base.h"
#include "memory/err.h"
#include "memory/log.h"
#include "oxbow.h"

enum options_action { ACTION_RUN, ACTION_HELP, ACTION_VERSION, ACTION_CPU_HELP };
enum options_display { DISPLAY_AUTO, DISPLAY_NONE, DISPLAY_SDL };
/* Whether an idle guest waits for the host's clock; AUTO: unless the run ends by itself. */
enum options_sleep { SLEEP_AUTO, SLEEP_ON, SLEEP_OFF };
enum rtc_base { RTC_AUTO, RTC_UTC, RTC_LOCALTIME, RTC_DATE };

/* Where the bytes of a port go. */
enum target_kind { TARGET_NONE, TARGET_NULL, TARGET_STDIO, TARGET_FILE, TARGET_PTY };

struct target {
    enum target_kind kind;
    const char *path; /* of TARGET_FILE */
};

struct drive_option {
    const char *option; /* what named it, for messages; NULL: no such drive */
    const char *file;   /* NULL: a CD drive without a disc */
    bool cd, raw, snapshot, read_only;
};

/* A string that belongs to the options. */
struct options_string {
    struct options_string *next;
    char text[];
};

struct options {
    enum options_action action;
    const char *image; /* the word without a dash */
    unsigned ram_mb;
    const char *cpu, *boot, *bios, *vgabios, *kernel, *initrd, *append, *name;
    const char *loadstate, *savestate, *postlog;
    uint64_t ips, stop_at;
    bool has_stop_at, no_vga, no_vmport, nographic, full_screen, snapshot;
    bool no_reboot, no_shutdown, hash, stats, boot_menu, hpet;
    enum options_display display;
    enum options_sleep sleep;
    struct drive_option floppy[2], ide[4];
    struct target serial[4], parallel, debugcon;
    unsigned serials; /* -serial words so far */
    struct nic_option nic[OXBOW_NICS];
    struct net_option netdev[NETDEVS];
    unsigned nics, netdevs;
    struct oxbow_sb16 sb16;
    bool adlib;
    struct audio_option audio;
    bool debug_exit;
    uint16_t debug_exit_port, debug_exit_size;
    enum rtc_base rtc_base;
    struct oxbow_rtc rtc; /* of RTC_DATE */
    enum log_level log_level;
    struct options_string *strings;
};

void options_init(struct options *o);
void options_free(struct options *o);
/* File names are relative to the folder `dir`; NULL: the current one. */
bool options_parse(struct options *o, int argc, char *const argv[], const char *dir, struct err *e);
/* One option as in an ini file: its name without dashes, and its value or NULL. */
bool options_set(struct options *o, const char *name, const char *value, const char *dir,
                 struct err *e);
/* Conflicts that only show when all options are there. */
bool options_check(const struct options *o, struct err *e);
void options_help(FILE *f);

/* optdrive.c: values with a syntax of their own. */
bool opt_drive(struct options *o, const char *option, const char *value, const char *dir,
               struct err *e);
/* slot: 0-1 floppies, 2-5 IDE drives. */
bool opt_slot(struct options *o, unsigned slot, const char *option, const char *file, bool cd,
              struct err *e);
bool opt_device(struct options *o, const char *value, const char *dir, struct err *e);
bool opt_boot(struct options *o, const char *value, struct err *e);
bool opt_machine(struct options *o, const char *value, struct err *e);
bool opt_rtc(struct options *o, const char *value, struct err *e);
bool opt_target(struct options *o, struct target *t, const char *option, const char *value,
                const char *dir, struct err *e);
/* A copy that lives as long as the options; files relative to dir. */
const char *opt_string(struct options *o, const char *text, size_t len, struct err *e);
const char *opt_file(struct options *o, const char *dir, const char *path, struct err *e);

#endif
