/*
 * Checks of a configuration, field by field, and of the ports that its cards ask for.
 */
#include "devices/config.h"

#include <stdio.h>
#include <string.h>

#include "devices/ct1745.h"

uint16_t config_nic_port(unsigned n)
{
    static const uint16_t port[OXBOW_NICS] = {0x300, 0x320, 0x340, 0x360};
    return port[n];
}

uint8_t config_nic_irq(unsigned n)
{
    static const uint8_t irq[OXBOW_NICS] = {9, 10, 11, 3};
    return irq[n];
}

/* --- fields of their own ---------------------------------------------------------------------- */

static bool check_core(const struct oxbow_config *cfg, struct err *e)
{
    if (cfg->ram_mb < 1 || cfg->ram_mb > 3072) {
        return err_set(e, "ram_mb: the memory size must be between 1 and 3072 MB, this is %u",
                       cfg->ram_mb);
    }
    if (cfg->ips && (cfg->ips < 1000000u || cfg->ips > 10000000000u)) {
        return err_set(e, "ips: the instruction rate must be between 1 and 10000 million per "
                          "second");
    }
    if (cfg->boot && (cfg->boot[0] == 0 || strlen(cfg->boot) > 3 ||
                      strspn(cfg->boot, "acdn") != strlen(cfg->boot))) {
        return err_set(e, "boot: \"%.20s\" must be one to three letters of a (floppy), c (disk), "
                          "d (CD) and n (network)", cfg->boot);
    }
    if (cfg->bios.data && (cfg->bios.len < 0x10000 || cfg->bios.len > 0x100000 ||
                           (cfg->bios.len & 0xffff))) {
        return err_set(e, "bios: a BIOS image has 64 KB to 1 MB in steps of 64 KB, this one has "
                          "%zu bytes", cfg->bios.len);
    }
    if (cfg->vgabios.data && (cfg->vgabios.len == 0 || cfg->vgabios.len > 0x10000)) {
        return err_set(e, "vgabios: a video BIOS has at most 64 KB, this one has %zu bytes",
                       cfg->vgabios.len);
    }
    if (cfg->log.level != LOG_ERROR && cfg->log.level != LOG_WARN) {
        return err_set(e, "log: there is no level %u", (unsigned)cfg->log.level);
    }
    return true;
}

static unsigned days(int year, int month)
{
    static const uint8_t n[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return n[month - 1] + (month == 2 && year % 4 == 0); /* 1980..2099 */
}

static bool check_rtc(const struct oxbow_rtc *t, struct err *e)
{
    static const struct oxbow_rtc none;

    if (memcmp(t, &none, sizeof none) == 0) {
        return true;
    }
    if (t->year < 1980 || t->year > 2099 || t->month < 1 || t->month > 12 || t->day < 1 ||
        (unsigned)t->day > days(t->year, t->month) || t->hour < 0 || t->hour > 23 ||
        t->minute < 0 || t->minute > 59 || t->second < 0 || t->second > 59) {
        return err_set(e, "rtc: %d-%02d-%02d %02d:%02d:%02d is no time between 1980 and 2099",
                       t->year, t->month, t->day, t->hour, t->minute, t->second);
    }
    return true;
}

static bool check_drives(const struct oxbow_config *cfg, struct err *e)
{
    for (unsigned n = 0; n < ARRAY_LEN(cfg->drive); n++) {
        const struct oxbow_drive *d = &cfg->drive[n];
        switch (d->kind) {
        case OXBOW_DRIVE_NONE:
            if (d->media) {
                return err_set(e, "drive[%u]: there is a medium and no drive for it", n);
            }
            break;
        case OXBOW_DRIVE_DISK:
            if (!d->media) {
                return err_set(e, "drive[%u]: a disk drive has no image", n);
            }
            break;
        case OXBOW_DRIVE_CD:
            break;
        default:
            return err_set(e, "drive[%u]: there is no kind %u", n, (unsigned)d->kind);
        }
    }
    return true;
}

static bool check_nic(const struct oxbow_nic *c, unsigned n, struct err *e)
{
    switch (c->model) {
    case OXBOW_NIC_NONE:
        return true;
    case OXBOW_NIC_NE2K_ISA:
        if (c->port && (c->port < 0x200 || c->port > 0x3e0 || c->port & 0x1f)) {
            return err_set(e, "nic[%u]: the port must be 0x200 to 0x3e0 in steps of 0x20, this is "
                              "0x%x", n, c->port);
        }
        if (c->irq > 15 || (c->irq && !(0x8e38u >> c->irq & 1))) {
            return err_set(e, "nic[%u]: the interrupt must be 3, 4, 5, 9, 10, 11 or 15, this is "
                              "%u", n, c->irq);
        }
        if (c->rom.data) {
            return err_set(e, "nic[%u]: the ISA model has no place for a ROM", n);
        }
        break;
    case OXBOW_NIC_NE2K_PCI:
        if (c->port || c->irq) {
            return err_set(e, "nic[%u]: the PCI model gets its port and interrupt from the BIOS",
                           n);
        }
        if (c->rom.data && (c->rom.len == 0 || c->rom.len > 0x40000)) {
            return err_set(e, "nic[%u]: a network boot ROM has at most 256 KB, this one has %zu "
                              "bytes", n, c->rom.len);
        }
        break;
    default:
        return err_set(e, "nic[%u]: there is no model %u", n, (unsigned)c->model);
    }
    return !(c->mac[0] & 1) ||
           err_set(e, "nic[%u]: the MAC is a group address; its first byte must be even", n);
}

static bool check_sound(const struct oxbow_config *cfg, struct err *e)
{
    const struct oxbow_sb16 *c = &cfg->sb16;

    if (cfg->audio_rate && (cfg->audio_rate < 4000 || cfg->audio_rate > 192000)) {
        return err_set(e, "audio_rate: the sound rate must be between 4000 and 192000 frames a "
                          "second, this is %u", (unsigned)cfg->audio_rate);
    }
    if (!c->on) {
        return true;
    }
    if (cfg->adlib) {
        return err_set(e, "adlib: the sb16 has an FM synthesizer at the same ports; use one of "
                          "the two");
    }
    if (c->port && (c->port < 0x220 || c->port > 0x280 || c->port & 0x1f)) {
        return err_set(e, "sb16: the card can be at 0x220, 0x240, 0x260 and 0x280, not at 0x%x",
                       c->port);
    }
    if (c->irq && !ct1745_irq_select(c->irq)) {
        return err_set(e, "sb16: the card has interrupts 5, 7, 9 and 10, not %u", c->irq);
    }
    if (!ct1745_dma_select(c->dma ? c->dma : 1, c->dma16 ? c->dma16 : 5)) {
        return err_set(e, "sb16: the card has DMA channels 1 and 3, and for 16 bits 5, 6 and 7, "
                          "not %u and %u", c->dma, c->dma16);
    }
    return true;
}

/* --- ports ------------------------------------------------------------------------------------ */

struct window {
    const char *name; /* the field, for cards; else the part of the board */
    unsigned port, len;
    bool card;
};

enum { WINDOWS = 64 };

struct windows {
    struct window w[WINDOWS];
    unsigned count;
};

/*
 * What the board itself has.  Not looked at: printer port and 376h, which lie in the default place
 * of the fourth ISA network adapter, and the MPU-401 of an sb16 (330h) in that of the second: saved
 * machines have them there.
 */
static const struct window board[] = {
    {"DMA controller", 0x00, 0x10, false},  {"interrupt controller", 0x20, 2, false},
    {"timer", 0x40, 4, false},              {"keyboard controller", 0x60, 5, false},
    {"clock", 0x70, 2, false},              {"DMA pages", 0x80, 0x10, false},
    {"port 92h", 0x92, 1, false},           {"interrupt controller", 0xa0, 2, false},
    {"APM", 0xb2, 2, false},                {"DMA controller", 0xc0, 0x20, false},
    {"coprocessor", 0xf0, 2, false},        {"disk controller", 0x170, 8, false},
    {"test log", 0x190, 4, false},          {"disk controller", 0x1f0, 8, false},
    {"COM1", 0x3f8, 8, false},              {"floppy controller", 0x3f0, 8, false},
    {"interrupt edges", 0x4d0, 2, false},   {"firmware configuration", 0x510, 12, false},
    {"kernel loader", 0x5e0, 4, false},     {"PCI", 0xcf8, 8, false},
    {"VMware backdoor", 0x5658, 1, false},  {"power-off port", 0x8900, 1, false},
    {"general purpose events", 0xafe0, 4, false},
};

static bool add_window(struct windows *s, const char *name, unsigned port, unsigned len, bool card,
                       struct err *e)
{
    struct window w = {name, port, len, card};

    if (port + len > 0x10000) {
        return err_set(e, "%s: ports 0x%x to 0x%x do not exist", name, port, port + len - 1);
    }
    for (unsigned n = 0; n < s->count; n++) {
        const struct window *o = &s->w[n];
        if ((card || o->card) && port < o->port + o->len && o->port < port + len) {
            const struct window *mine = card ? &w : o, *other = card ? o : &w;
            return err_set(e, "%s: ports 0x%x to 0x%x are taken by %s (0x%x to 0x%x)", mine->name,
                           mine->port, mine->port + mine->len - 1, other->name, other->port,
                           other->port + other->len - 1);
        }
    }
    if (s->count < WINDOWS) {
        s->w[s->count++] = w;
    }
    return true;
}

static bool add_cards(struct windows *s, const struct oxbow_config *cfg, struct err *e)
{
    static const char *const nic[OXBOW_NICS] = {"nic[0]", "nic[1]", "nic[2]", "nic[3]"};
    unsigned sb = cfg->sb16.port ? cfg->sb16.port : 0x220;

    for (unsigned n = 0; n < OXBOW_NICS; n++) {
        const struct oxbow_nic *c = &cfg->nic[n];
        if (c->model == OXBOW_NIC_NE2K_ISA &&
            !add_window(s, nic[n], c->port ? c->port : config_nic_port(n), 0x20, true, e)) {
            return false;
        }
    }
    if ((cfg->sb16.on || cfg->adlib) &&
        !add_window(s, cfg->adlib ? "adlib" : "sb16", 0x388, cfg->adlib ? 2 : 4, true, e)) {
        return false;
    }
    return !cfg->sb16.on || add_window(s, "sb16", sb, 0x10, true, e);
}

static bool check_ports(const struct oxbow_config *cfg, struct err *e)
{
    static const struct {
        const char *name;
        unsigned port;
    } com[3] = {{"COM2", 0x2f8}, {"COM3", 0x3e8}, {"COM4", 0x2e8}};
    unsigned con = cfg->debugcon_port ? cfg->debugcon_port : 0xe9;
    unsigned end = cfg->debug_exit_port ? cfg->debug_exit_port : 0x501;
    struct windows s = {.count = 0};
    bool ok = true;

    memcpy(s.w, board, sizeof board);
    s.count = ARRAY_LEN(board);
    for (unsigned n = 0; ok && n < 3; n++) {
        ok = !cfg->serial_on[n + 1] || add_window(&s, com[n].name, com[n].port, 8, false, e);
    }
    ok = ok && (cfg->no_vga || (add_window(&s, "VGA", 0x3b0, 0x30, false, e) &&
                                add_window(&s, "VGA", 0x1ce, 3, false, e)));
    ok = ok && add_cards(&s, cfg, e);
    ok = ok && (con == 0x402 || add_window(&s, "debugcon_port", con, 1, true, e)) &&
         add_window(&s, "debugcon_port", 0x402, 1, true, e);
    if (ok && cfg->debug_exit_size > 8) {
        return err_set(e, "debug_exit_size: isa-debug-exit has 1 to 8 ports, not %u",
                       cfg->debug_exit_size);
    }
    return ok && (!cfg->debug_exit ||
                  add_window(&s, "debug_exit_port", end,
                             cfg->debug_exit_size ? cfg->debug_exit_size : 2, true, e));
}

bool config_check(const struct oxbow_config *cfg, struct err *e)
{
    for (unsigned n = 0; n < OXBOW_NICS; n++) {
        if (!check_nic(&cfg->nic[n], n, e)) {
            return false;
        }
    }
    return check_core(cfg, e) && check_rtc(&cfg->rtc, e) && check_drives(cfg, e) &&
           check_sound(cfg, e) && check_ports(cfg, e);
}
