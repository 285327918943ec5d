/*
 * From options to a machine: recognises the image, opens drives, reads ROMs and kernels; see vm.h.
 *
 * Order matters: everything that is only read comes first, the machine second, files that are
 * written last.
 */
#include "gui/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bios/images.h"
#include "gui/host.h"
#include "gui/hostfile.h"
#include "gui/image.h"
#include "gui/statefile.h"

#define DEMO_SECTORS 2880u

bool vm_is_demo(const struct options *o)
{
    bool any = o->image || o->kernel || o->bios || (o->boot && strchr(o->boot, 'n'));

    for (unsigned n = 0; n < 2; n++) {
        any |= o->floppy[n].option != NULL;
    }
    for (unsigned n = 0; n < 4; n++) {
        any |= o->ide[n].option != NULL;
    }
    return !any;
}

/* --- the image without an option ----------------------------------------------------------- */

static bool place_image(struct options *o, struct err *e)
{
    struct image_info info;

    if (!o->image) {
        return true;
    }
    if (!image_look(o->image, &info, e)) {
        return false;
    }
    switch (info.kind) {
    case IMAGE_FLOPPY:
        o->boot = o->boot ? o->boot : "a";
        return opt_slot(o, 0, o->image, o->image, false, e);
    case IMAGE_DISK:
        o->boot = o->boot ? o->boot : "c";
        return opt_slot(o, 2, o->image, o->image, false, e);
    case IMAGE_CD:
        o->boot = o->boot ? o->boot : "d";
        return opt_slot(o, 4, o->image, o->image, true, e);
    case IMAGE_KERNEL:
        o->kernel = o->image;
        return true;
    default:
        return image_check(o->image, false, e) &&
               err_set(e, "%s: neither a floppy, disk or CD image nor a kernel; if it is one "
                          "nevertheless, say -fda, -hda, -cdrom or -kernel", o->image);
    }
}

/* --- drives -------------------------------------------------------------------------------- */

static struct block *overlaid(struct block *b, bool snapshot, struct err *e)
{
    return b && snapshot ? block_open_overlay(b, e) : b;
}

static struct block *open_floppy(const struct drive_option *d, bool snapshot, struct err *e)
{
    struct block *b;
    uint64_t sectors;

    if (!image_check(d->file, d->raw, e)) {
        return NULL;
    }
    b = block_open_file(d->file, d->read_only || snapshot, e);
    if (!b) {
        return NULL;
    }
    sectors = image_floppy_sectors(b->sectors);
    if (!sectors) {
        err_set(e, "%s: larger than any floppy (%llu KB); use it as -hda or -cdrom", d->file,
                (unsigned long long)b->sectors / 2);
        block_close(b);
        return NULL;
    }
    /* A short image is a floppy whose rest was left out: it reads as zeros. */
    b->sectors = sectors;
    return overlaid(b, snapshot, e);
}

static struct block *open_disk(const struct drive_option *d, bool snapshot, struct err *e)
{
    if (!image_check(d->file, d->raw, e)) {
        return NULL;
    }
    if (d->cd && image_is_cue(d->file)) {
        return block_open_cue(d->file, e);
    }
    if (d->cd) {
        return block_open_file(d->file, true, e);
    }
    return overlaid(block_open_file(d->file, d->read_only || snapshot, e), snapshot, e);
}

static struct block *open_demo(struct err *e)
{
    uint8_t *disk = calloc(DEMO_SECTORS, 512);
    struct block *b;

    if (!disk) {
        err_set(e, "not enough memory for the demo's floppy");
        return NULL;
    }
    memcpy(disk, image_demo, MIN(image_demo_size, (size_t)DEMO_SECTORS * 512));
    b = block_open_mem(disk, (uint64_t)DEMO_SECTORS * 512, true, e);
    free(disk);
    return b;
}

static bool open_drives(const struct options *o, struct oxbow_config *cfg, struct err *e)
{
    for (unsigned n = 0; n < 2; n++) {
        const struct drive_option *d = &o->floppy[n];

        if (d->option) {
            cfg->floppy[n] = open_floppy(d, o->snapshot || d->snapshot, e);
            if (!cfg->floppy[n]) {
                return false;
            }
        }
    }
    for (unsigned n = 0; n < 4; n++) {
        const struct drive_option *d = &o->ide[n];
        struct oxbow_drive *to = &cfg->drive[n];

        if (!d->option) {
            continue;
        }
        to->kind = d->cd ? OXBOW_DRIVE_CD : OXBOW_DRIVE_DISK;
        to->media = d->file ? open_disk(d, o->snapshot || d->snapshot, e) : NULL;
        if (d->file && !to->media) {
            return false;
        }
    }
    if (vm_is_demo(o)) {
        cfg->floppy[0] = open_demo(e);
        return cfg->floppy[0] != NULL;
    }
    return true;
}

static void close_drives(struct oxbow_config *cfg)
{
    for (unsigned n = 0; n < 2; n++) {
        block_close(cfg->floppy[n]);
    }
    for (unsigned n = 0; n < 4; n++) {
        block_close(cfg->drive[n].media);
    }
}

bool vm_media(struct vm *v, const char *slot, const char *path, struct err *e)
{
    struct drive_option d = {.option = slot, .file = path, .cd = slot[0] == 'h'};
    struct block *b = NULL;

    if (path) {
        b = d.cd ? open_disk(&d, false, e) : open_floppy(&d, v->o.snapshot, e);
        if (!b) {
            return false;
        }
    }
    return oxbow_media(v->m, slot, b, e);
}

/* --- files that are read whole ------------------------------------------------------------- */

static bool read_blob(const char *path, struct oxbow_blob *b, struct err *e)
{
    if (path) {
        b->data = hostfile_read(path, &b->len, e);
    }
    return !path || b->data;
}

static bool read_blobs(const struct options *o, struct oxbow_config *cfg, struct err *e)
{
    if (!read_blob(o->kernel, &cfg->kernel, e) || !read_blob(o->initrd, &cfg->initrd, e) ||
        !read_blob(o->bios, &cfg->bios, e) || !read_blob(o->vgabios, &cfg->vgabios, e)) {
        return false;
    }
    if (o->kernel && !image_is_kernel(cfg->kernel.data, cfg->kernel.len)) {
        return err_set(e, "%s: no kernel; neither a Linux bzImage nor a multiboot program",
                       o->kernel);
    }
    for (unsigned n = 0; n < o->nics; n++) {
        if (!read_blob(o->nic[n].romfile, &cfg->nic[n].rom, e)) {
            return false;
        }
    }
    return true;
}

static void free_blob(struct oxbow_blob *b)
{
    free((void *)(uintptr_t)b->data);
    b->data = NULL;
}

static void free_blobs(struct oxbow_config *cfg)
{
    struct oxbow_blob *blob[] = {&cfg->kernel, &cfg->initrd, &cfg->bios, &cfg->vgabios};

    for (unsigned n = 0; n < ARRAY_LEN(blob); n++) {
        free_blob(blob[n]);
    }
    for (unsigned n = 0; n < OXBOW_NICS; n++) {
        free_blob(&cfg->nic[n].rom);
    }
}

/* --- the machine --------------------------------------------------------------------------- */

static void log_line(void *ctx UNUSED, enum log_level level UNUSED, const char *area,
                     const char *text)
{
    fprintf(stderr, "oxbow: %s: %s\n", area, text);
}

static struct oxbow_rtc start_date(const struct options *o, bool fixed_date)
{
    static const struct oxbow_rtc fixed = {2000, 1, 1, 0, 0, 0};

    switch (o->rtc_base) {
    case RTC_DATE:
        return o->rtc;
    case RTC_UTC:
        return host_date(false);
    case RTC_LOCALTIME:
        return host_date(true);
    default:
        return fixed_date || o->hash || o->has_stop_at ? fixed : host_date(false);
    }
}

static uint64_t host_ns(void *ctx UNUSED)
{
    return host_now_ns();
}

static void fill_config(struct vm *v, bool fixed_date, struct oxbow_config *cfg)
{
    const struct options *o = &v->o;

    oxbow_config_init(cfg);
    cfg->ram_mb = o->ram_mb;
    cfg->cpu = o->cpu;
    cfg->ips = o->ips;
    cfg->boot = o->boot;
    cfg->boot_menu = o->boot_menu;
    cfg->hpet = o->hpet;
    cfg->append = o->append;
    cfg->debug_exit = o->debug_exit;
    cfg->debug_exit_port = o->debug_exit_port;
    cfg->debug_exit_size = o->debug_exit_size;
    cfg->no_vga = o->no_vga;
    cfg->no_vmport = o->no_vmport;
    cfg->no_reboot = o->no_reboot;
    cfg->host_ns = o->stats ? host_ns : NULL;
    cfg->rtc = start_date(o, fixed_date);
    cfg->log = (struct log){.level = o->log_level, .sink = log_line};
    ports_wire(&v->ports, o, cfg);
    nets_wire(&v->nets, o, cfg);
    sound_wire(&v->sound, o, cfg);
}

/* ports_open() asks: would writing to this file spoil something that the run reads? */
static bool is_input(void *ctx, int fd)
{
    const struct options *o = &((struct vm *)ctx)->o;
    const char *path[] = {o->kernel, o->initrd, o->bios, o->vgabios, o->loadstate,
                          o->floppy[0].file, o->floppy[1].file, o->ide[0].file, o->ide[1].file,
                          o->ide[2].file, o->ide[3].file};

    for (unsigned n = 0; n < ARRAY_LEN(path); n++) {
        if (path[n] && hostfile_same(fd, path[n])) {
            return true;
        }
    }
    return false;
}

/* A state that could not be written in the end would be a long run lost. */
static bool can_save(struct vm *v, struct err *e)
{
    const char *path = v->o.savestate;
    uint64_t size;
    struct hostfile_new *f;
    uint8_t head[8];

    if (!path) {
        return true;
    }
    if (hostfile_peek(path, 0, head, sizeof head, &size, NULL) > 0 &&
        memcmp(head, "OXBOWST\n", 8) != 0) {
        return err_set(e, "%s: exists and is no saved state; choose another name for -savestate",
                       path);
    }
    f = hostfile_begin(path, e);
    if (f) {
        hostfile_commit(f, false, NULL);
    }
    return f != NULL;
}

/* The library speaks of fields of its configuration; the user knows options. */
static void say_option(struct err *e)
{
    static const struct {
        const char *field, *option, *hint;
    } row[] = {
        {"ram_mb", "-m", ""}, {"cpu", "-cpu", "; `-cpu help` lists the models"},
        {"ips", "-ips", ""}, {"boot", "-boot", ""}, {"bios", "-bios", ""},
        {"vgabios", "-vgabios", ""}, {"kernel", "-kernel", ""}, {"initrd", "-initrd", ""},
        {"append", "-append", ""}, {"drive", "-drive", ""}, {"nic", "-nic", ""},
        {"sb16", "-device sb16", ""}, {"adlib", "-device adlib", ""}, {"audio_rate", "-audio", ""},
        {"debugcon_port", "-debugcon", ""}, {"debug_exit_port", "-device isa-debug-exit", ""},
        {"debug_exit_size", "-device isa-debug-exit", ""}, {"rtc", "-rtc", ""},
        {"log", "-log", ""},
    };
    size_t len = strcspn(e->text, ":[");

    for (size_t n = 0; n < ARRAY_LEN(row); n++) {
        if (strlen(row[n].field) == len && memcmp(row[n].field, e->text, len) == 0) {
            struct err text = *e;
            err_set(e, "%s%.400s%s", row[n].option, text.text + len, row[n].hint);
            return;
        }
    }
}

bool vm_open(struct vm *v, const struct options *o, bool fixed_date, struct err *e)
{
    struct oxbow_config cfg;
    bool ok;

    v->o = *o;
    v->m = NULL;
    if (!options_check(o, e) || !opt_audio_check(o, e) || !opt_net_check(&v->o, e) ||
        !place_image(&v->o, e)) {
        return false;
    }
    if (v->o.nographic && v->o.serials == 0) {
        v->o.serial[v->o.serials++].kind = TARGET_STDIO;
    }
    fill_config(v, fixed_date, &cfg);
    ok = open_drives(&v->o, &cfg, e) && read_blobs(&v->o, &cfg, e) && can_save(v, e);
    if (ok) {
        v->m = oxbow_new(&cfg, e);
        ok = v->m != NULL;
        if (!ok && e) {
            say_option(e);
        }
    } else {
        close_drives(&cfg);
    }
    free_blobs(&cfg);
    ok = ok && (!v->o.loadstate || statefile_load(v->m, v->o.loadstate, e)) &&
         nets_open(&v->nets, &v->o, v->m, is_input, v, e) &&
         sound_open(&v->sound, &v->o, is_input, v, e) &&
         ports_open(&v->ports, is_input, v, e) && sound_start(&v->sound, e);
    if (!ok) {
        vm_close(v);
    }
    return ok;
}

void vm_close(struct vm *v)
{
    oxbow_free(v->m);
    v->m = NULL;
    nets_close(&v->nets);
    ports_close(&v->ports);
    sound_close(&v->sound);
}

int vm_status(const struct vm *v, enum oxbow_stop stop)
{
    switch (stop) {
    case OXBOW_CRASH:
        return 3;
    case OXBOW_DEBUG_EXIT:
        return (int)((oxbow_exit_value(v->m) << 1 | 1) & 0xff);
    default:
        return 0;
    }
}

void vm_stats(const struct vm *v, FILE *to)
{
    char text[8192];

    fwrite(text, 1, oxbow_stats(v->m, text, sizeof text), to);
    fflush(to);
}

void vm_stats_if_asked(const struct vm *v)
{
    if (v->o.stats && host_asked_for_stats()) {
        vm_stats(v, stderr);
    }
}
