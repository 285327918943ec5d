/*
 * The board: an AT-compatible PC with a 440FX host bridge and a PIIX3 south bridge.
 *
 * Only this file knows every chip (R2).  Ports and lines follow the IBM PC/AT and the PIIX3 data
 * sheet; CMOS contents follow what PC firmware reads (docs/sources.md).
 */
#include "devices/pc.h"

#include <string.h>

#include "bios/images.h"
#include "devices/audio.h"
#include "devices/config.h"
#include "devices/ct1745.h"
#include "devices/debugport.h"
#include "devices/fdc82077.h"
#include "devices/fwcfg.h"
#include "devices/hpet.h"
#include "devices/i440fx.h"
#include "devices/i8042.h"
#include "devices/i8237.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/ide.h"
#include "devices/ide_pci.h"
#include "devices/ioapic.h"
#include "devices/lapic.h"
#include "devices/machine.h"
#include "devices/mc146818.h"
#include "devices/ne2000.h"
#include "devices/ne2000_pci.h"
#include "devices/opl3.h"
#include "devices/parallel.h"
#include "devices/pci.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"
#include "devices/port92.h"
#include "devices/ps2kbd.h"
#include "devices/ps2mouse.h"
#include "devices/sb16.h"
#include "devices/speaker.h"
#include "devices/uart16550.h"
#include "devices/vga.h"
#include "devices/vga_pci.h"
#include "devices/vmport.h"

#define SOUTH_BRIDGE_SLOT 1
#define VGA_SLOT 2
#define NIC_SLOT 3 /* and up */
#define TOP_4G ((uint64_t)1 << 32)
#define TOP_1M ((uint64_t)1 << 20)

void pc_default_roms(struct oxbow_config *cfg)
{
    if (!cfg->bios.data) {
        cfg->bios = (struct oxbow_blob){image_bios, image_bios_size};
    }
    if (!cfg->vgabios.data) {
        cfg->vgabios = (struct oxbow_blob){image_vgabios, image_vgabios_size};
    }
}

/* --- lines ------------------------------------------------------------------------------------ */

static void set_intr(void *to, unsigned n UNUSED, bool level)
{
    struct oxbow *m = to;
    cpu_set_intr(m->cpu, level);
}

/*
 * INTR of the 8259A pair goes to LINT0 and to pin 0 of the I/O APIC; INTR of the CPU is the local
 * APIC's.
 */
static void pic_intr(void *to, unsigned n UNUSED, bool level)
{
    struct oxbow *m = to;
    lapic_lint(m->pc.lapic, 0, level);
    ioapic_irq(m->pc.ioapic, 0, level);
}

/*
 * Outputs of the south bridge: both kinds of controllers hear them, IRQ 0 on pin 2 of the I/O APIC.
 */
static void set_irq(void *to, unsigned n, bool level)
{
    struct oxbow *m = to;
    i8259_irq(m->pc.pic, n, level);
    if (m->pc.ioapic && n != 2) {
        ioapic_irq(m->pc.ioapic, n == 0 ? 2 : n, level);
    }
}

static void set_nmi(void *to, unsigned n UNUSED, bool level)
{
    struct oxbow *m = to;
    level = level && !m->pc.nmi_masked;
    if (m->pc.lapic) {
        lapic_lint(m->pc.lapic, 1, level);
    } else if (level) {
        cpu_nmi(m->cpu);
    }
}

static void lapic_nmi(void *ctx)
{
    struct oxbow *m = ctx;
    cpu_nmi(m->cpu);
}

static void send_smi(void *ctx)
{
    struct oxbow *m = ctx;
    cpu_smi(m->cpu);
}

static void lapic_eoi(void *ctx, uint8_t vector)
{
    struct oxbow *m = ctx;
    ioapic_eoi(m->pc.ioapic, vector);
}

static bool apic_send(void *ctx, const struct apic_message *msg)
{
    struct oxbow *m = ctx;
    return lapic_message(m->pc.lapic, msg);
}

static void nmi_mask(void *ctx, bool masked)
{
    struct oxbow *m = ctx;
    m->pc.nmi_masked = masked;
}

static struct irq_line isa_irq(struct oxbow *m, unsigned n)
{
    return piix3_isa_line(m->pc.isa, n);
}

/*
 * With an HPET, PIT (n = 0) and RTC (1) reach their interrupts only while it does not replace them.
 */
static void timer_irq(void *to, unsigned n, bool level)
{
    struct oxbow *m = to;
    m->pc.timer_level[n] = level;
    if (!m->pc.hpet_legacy) {
        struct irq_line line = isa_irq(m, n ? 8 : 0);
        irq_set(&line, level);
    }
}

/* The clock's interrupt is also a reason to wake up. */
static void rtc_irq(void *to, unsigned n, bool level)
{
    struct oxbow *m = to;
    bool rose = level && !m->pc.rtc_level;
    m->pc.rtc_level = level;
    if (rose && piix4_pm_rtc_alarm(m->pc.pm)) {
        machine_wake(m);
    }
    if (m->cfg.hpet) {
        timer_irq(to, n, level);
    } else {
        struct irq_line line = isa_irq(m, 8);
        irq_set(&line, level);
    }
}

static struct irq_line timer_line(struct oxbow *m, unsigned n)
{
    return n            ? (struct irq_line){rtc_irq, m, n}
           : m->cfg.hpet ? (struct irq_line){timer_irq, m, n}
                         : isa_irq(m, 0);
}

static void hpet_pin(void *to, unsigned n, bool level)
{
    struct oxbow *m = to;
    if (m->pc.ioapic) {
        ioapic_irq(m->pc.ioapic, n, level);
    }
}

static void hpet_isa(void *to, unsigned n, bool level)
{
    struct irq_line line = isa_irq(to, n);
    irq_set(&line, level);
}

static void hpet_legacy(void *to, bool on)
{
    struct oxbow *m = to;
    m->pc.hpet_legacy = on;
    for (unsigned n = 0; n < 2; n++) {
        struct irq_line line = isa_irq(m, n ? 8 : 0);
        irq_set(&line, !on && m->pc.timer_level[n]);
    }
}

/* The two sources of the A20 gate are ORed. */
static void update_a20(struct oxbow *m)
{
    cpu_set_a20(m->cpu, m->pc.a20_kbc || m->pc.a20_port92);
}

static void a20_kbc(void *ctx, bool on)
{
    struct oxbow *m = ctx;
    m->pc.a20_kbc = on;
    update_a20(m);
}

static void a20_port92(void *ctx, bool on)
{
    struct oxbow *m = ctx;
    m->pc.a20_port92 = on;
    update_a20(m);
}

/* The keyboard controller and port 92h reset the processor only. */
static void soft_reset(void *ctx)
{
    machine_ask_reset(ctx, false);
}

static void chipset_reset(void *ctx, bool hard)
{
    machine_ask_reset(ctx, hard);
}

static void power_off(void *ctx)
{
    machine_stop(ctx, OXBOW_POWEROFF, 0);
}

static void suspend(void *ctx)
{
    machine_sleep(ctx);
}

static uint8_t cpu_inta(void *ctx)
{
    struct oxbow *m = ctx;
    uint8_t vector;
    if (m->pc.lapic && lapic_inta(m->pc.lapic, &vector)) {
        return vector;
    }
    return (uint8_t)i8259_inta(m->pc.pic);
}

static void cpu_apic_base(void *ctx, uint64_t value, bool reset)
{
    struct oxbow *m = ctx;
    if (m->pc.lapic) {
        lapic_set_base(m->pc.lapic, value, reset);
    }
}

/*
 * FERR# raises IRQ 13 through a latch.  A write to port F0h drops it and asserts IGNNE#, so that
 * the handler's own floating-point instructions do not ask again, until the error is cleared.
 */
static void set_irq13(struct oxbow *m, bool level)
{
    struct irq_line irq13 = isa_irq(m, 13);
    irq_set(&irq13, level);
}

static void cpu_ferr(void *ctx, bool level)
{
    struct oxbow *m = ctx;
    if (!level) {
        m->pc.ignne = false;
        set_irq13(m, false);
    } else if (!m->pc.ignne) {
        set_irq13(m, true);
    }
}

static void cpu_smiact(void *ctx, bool level)
{
    struct oxbow *m = ctx;
    if (m->pc.host) {
        i440fx_smiact(m->pc.host, level);
    }
}

void pc_cpu_wiring(struct oxbow *m, struct cpu_wiring *w)
{
    *w = (struct cpu_wiring){.ctx = m, .inta = cpu_inta, .ferr = cpu_ferr,
                              .apic_base = cpu_apic_base, .smiact = cpu_smiact};
}

static void f0_write(void *dev, uint64_t off UNUSED, unsigned size UNUSED, uint64_t val UNUSED)
{
    struct oxbow *m = dev;
    m->pc.ignne = true;
    set_irq13(m, false);
}

static const struct io_ops f0_ops = {NULL, f0_write, 1, 1, "coprocessor"};

/* --- small callbacks -------------------------------------------------------------------------- */

static void post80(void *ctx, uint8_t code)
{
    struct oxbow *m = ctx;
    if (m->cfg.post) {
        m->cfg.post(m->cfg.post_ctx, 0x80, code);
    }
}

static void post190(void *ctx, uint32_t value)
{
    struct oxbow *m = ctx;
    if (m->cfg.post) {
        m->cfg.post(m->cfg.post_ctx, 0x190, value);
    }
}

static void shutdown_port(void *ctx, uint32_t value UNUSED)
{
    machine_stop(ctx, OXBOW_POWEROFF, 0);
}

#define SPEAKER_LEVEL 8192 /* a quarter of full scale */

static void speaker_level(void *ctx, uint64_t icount, bool level)
{
    struct oxbow *m = ctx;
    struct audio_input in = {m->pc.audio, m->pc.speaker_input};
    audio_level(in, icount, level ? SPEAKER_LEVEL : 0, level ? SPEAKER_LEVEL : 0);
}

static void debug_exit(void *ctx, uint32_t value)
{
    machine_stop(ctx, OXBOW_DEBUG_EXIT, value);
}

/* --- building --------------------------------------------------------------------------------- */

static struct device *add(struct oxbow *m, const struct device_class *cls, const char *id,
                          const void *config, struct err *e)
{
    return device_new(&m->env, cls, id, config, e);
}

/* First of all devices: the others report levels to it, also when a state is loaded. */
static bool build_audio(struct oxbow *m, struct err *e)
{
    m->pc.audio = add(m, &audio_class, "audio", &(struct audio_config){m->cfg.audio_rate}, e);
    if (!m->pc.audio) {
        return false;
    }
    m->pc.speaker_input = audio_connect(m->pc.audio, AUDIO_BOARD).n;
    return true;
}

#define APIC_BUS_HZ 100000000u /* front side bus of a Pentium III */

static bool build_apic(struct oxbow *m, struct err *e)
{
    struct pc *pc = &m->pc;
    if (!cpu_has_apic(m->cpu)) {
        return true;
    }
    struct lapic_config lapic = {.intr = {set_intr, m, 0}, .nmi = lapic_nmi, .smi = send_smi,
                                 .init = soft_reset, .eoi = lapic_eoi, .to = m,
                                 .bus_hz = APIC_BUS_HZ};
    struct ioapic_config ioapic = {.base = 0xfec00000, .send = apic_send, .to = m};
    pc->lapic = add(m, &lapic_class, "lapic", &lapic, e);
    pc->ioapic = pc->lapic ? add(m, &ioapic_class, "ioapic", &ioapic, e) : NULL;
    return pc->ioapic != NULL;
}

static bool build_core(struct oxbow *m, struct err *e)
{
    struct pc *pc = &m->pc;
    struct piix3_config isa = {.slot = SOUTH_BRIDGE_SLOT, .reset = chipset_reset, .reset_to = m};
    struct i440fx_config host = {.ram = m->ram, .ram_size = m->ram_size, .reset = chipset_reset,
                                 .reset_to = m};

    pc->pic = add(m, &i8259_class, "i8259",
                  &(struct i8259_config){0x20, 0xa0, 0x4d0,
                                         {pc->lapic ? pic_intr : set_intr, m, 0}}, e);
    pc->pci = pc->pic ? add(m, &pci_class, "pci", NULL, e) : NULL;
    if (!pc->pci) {
        return false;
    }
    host.pci = isa.pci = pc->pci;
    for (unsigned n = 0; n < 16; n++) {
        isa.irq[n] = (struct irq_line){set_irq, m, n};
    }
    pc->host = add(m, &i440fx_class, "i440fx", &host, e);
    pc->isa = pc->host ? add(m, &piix3_class, "piix3", &isa, e) : NULL;
    if (!pc->isa) {
        return false;
    }
    pc->pit = add(m, &i8254_class, "i8254",
                  &(struct i8254_config){0x40, {timer_line(m, 0), {0}, {0}}}, e);
    pc->speaker = pc->pit ? add(m, &speaker_class, "speaker",
                                &(struct speaker_config){.port = 0x61,
                                                         .gate2 = {i8254_gate_line, pc->pit, 2},
                                                         .nmi = {set_nmi, m, 0},
                                                         .sink = {speaker_level, m}}, e)
                          : NULL;
    if (!pc->speaker) {
        return false;
    }
    i8254_connect(pc->pit, 2, (struct irq_line){speaker_out2, pc->speaker, 0});
    pc->dma = add(m, &i8237_class, "i8237",
                  &(struct i8237_config){0x00, 0xc0, 0x80, m->cfg.post ? post80 : NULL, m}, e);
    return pc->dma != NULL;
}

static bool build_clock(struct oxbow *m, struct err *e)
{
    struct oxbow_rtc t = m->cfg.rtc;
    if (t.month == 0) { /* all zero */
        t = (struct oxbow_rtc){2000, 1, 1, 0, 0, 0};
    }
    struct mc146818_config c = {
        .port = 0x70, .irq = timer_line(m, 1), .nmi_mask = nmi_mask, .nmi_ctx = m,
        .base = {(unsigned)t.year, (unsigned)t.month, (unsigned)t.day, (unsigned)t.hour,
                 (unsigned)t.minute, (unsigned)t.second},
    };
    m->pc.rtc = add(m, &mc146818_class, "mc146818", &c, e);
    if (!m->pc.rtc || !m->cfg.hpet) {
        return m->pc.rtc != NULL;
    }
    struct hpet_config hpet = {
        .base = 0xfed00000, .pin = hpet_pin, .isa = hpet_isa, .legacy = hpet_legacy, .to = m};
    return add(m, &hpet_class, "hpet", &hpet, e) != NULL;
}

static bool build_keyboard(struct oxbow *m, struct err *e)
{
    struct pc *pc = &m->pc;
    pc->kbd = add(m, &ps2kbd_class, "ps2kbd", &(struct ps2kbd_config){0}, e);
    pc->mouse = pc->kbd ? add(m, &ps2mouse_class, "ps2mouse", NULL, e) : NULL;
    if (!pc->mouse) {
        return false;
    }
    struct i8042_config kbc = {
        .data_port = 0x60, .command_port = 0x64,
        .irq_keyboard = isa_irq(m, 1), .irq_mouse = isa_irq(m, 12),
        .keyboard = ps2kbd_port(pc->kbd), .mouse = ps2mouse_port(pc->mouse),
        .a20 = a20_kbc, .reset = soft_reset, .ctx = m,
    };
    return add(m, &i8042_class, "i8042", &kbc, e) &&
           add(m, &port92_class, "port92",
               &(struct port92_config){0x92, a20_port92, soft_reset, m}, e);
}

static enum cpu_reg backdoor_reg(enum vmport_reg r)
{
    static const uint8_t reg[VMPORT_REGS] = {CPU_EAX, CPU_EBX, CPU_ECX,
                                             CPU_EDX, CPU_ESI, CPU_EDI};
    return (enum cpu_reg)reg[r];
}

static uint32_t backdoor_get(void *ctx, enum vmport_reg r)
{
    const struct oxbow *m = ctx;
    return (uint32_t)cpu_get_reg(m->cpu, backdoor_reg(r));
}

static void backdoor_set(void *ctx, enum vmport_reg r, uint32_t v)
{
    struct oxbow *m = ctx;
    cpu_set_reg(m->cpu, backdoor_reg(r), v);
}

static void backdoor_news(void *ctx)
{
    struct oxbow *m = ctx;
    ps2mouse_nudge(m->pc.mouse);
}

#define BACKDOOR_PORT 0x5658

static bool build_backdoor(struct oxbow *m, struct err *e)
{
    struct vmport_config c = {BACKDOOR_PORT, backdoor_get, backdoor_set, backdoor_news, m};
    m->pc.vmport = m->cfg.no_vmport ? NULL : add(m, &vmport_class, "vmport", &c, e);
    return m->cfg.no_vmport || m->pc.vmport;
}

/* COM1 and COM3 share IRQ 4, COM2 and COM4 IRQ 3: the line is high while either asks. */
static void set_serial_irq(void *to, unsigned n, bool level)
{
    struct oxbow *m = to;
    unsigned pair = n & 1, bit = 1u << (n >> 1);
    struct irq_line line = isa_irq(m, pair ? 3 : 4);
    uint8_t *asking = &m->pc.serial_irq[pair];
    *asking = (uint8_t)(level ? *asking | bit : *asking & ~bit);
    irq_set(&line, *asking != 0);
}

/* 10 us a character at most: nobody waits for 9600 baud on a wire that is not there. */
#define SERIAL_CHAR_TICKS 18

static bool build_serial(struct oxbow *m, struct err *e)
{
    static const uint16_t port[4] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    static const char *const id[4] = {"uart0", "uart1", "uart2", "uart3"};
    for (unsigned n = 0; n < 4; n++) {
        if (n > 0 && !m->cfg.serial_on[n]) {
            continue;
        }
        struct uart16550_config c = {
            .port = port[n], .irq = {set_serial_irq, m, n}, .out = m->cfg.serial[n],
            .max_char_ticks = SERIAL_CHAR_TICKS};
        m->pc.uart[n] = add(m, &uart16550_class, id[n], &c, e);
        if (!m->pc.uart[n]) {
            return false;
        }
    }
    struct parallel_config lpt = {0x378, isa_irq(m, 7), m->cfg.parallel};
    return add(m, &parallel_class, "parallel", &lpt, e) != NULL;
}

/* The first CD-ROM drive's cable goes to the sound card, or to the board where there is none. */
static struct audio_input cd_output(struct oxbow *m, const struct oxbow_drive *d)
{
    if (d->kind != OXBOW_DRIVE_CD || m->pc.cd.audio) {
        return (struct audio_input){NULL, 0};
    }
    m->pc.cd = audio_connect(m->pc.audio, m->cfg.sb16.on ? AUDIO_CARD : AUDIO_BOARD);
    return m->pc.cd;
}

static bool build_disks(struct oxbow *m, struct err *e)
{
    struct pc *pc = &m->pc;
    for (unsigned ch = 0; ch < 2; ch++) {
        struct ide_config c = {
            .command_port = ch ? 0x170 : 0x1f0, .control_port = ch ? 0x376 : 0x3f6,
            .irq = isa_irq(m, 14 + ch)};
        for (unsigned u = 0; u < 2; u++) {
            const struct oxbow_drive *d = &m->cfg.drive[ch * 2 + u];
            c.unit[u].kind = d->kind == OXBOW_DRIVE_CD     ? IDE_CDROM
                             : d->kind == OXBOW_DRIVE_DISK ? IDE_DISK
                                                           : IDE_NONE;
            c.unit[u].block = d->media;
            c.unit[u].audio = cd_output(m, d);
        }
        pc->ide[ch] = add(m, &ide_class, ch ? "ide1" : "ide0", &c, e);
        if (!pc->ide[ch]) {
            return false;
        }
    }
    struct fdc82077_config fdc = {
        .port = 0x3f0, .irq = isa_irq(m, 6), .dma = i8237_channel(pc->dma, 2),
        .drive = {{true, m->cfg.floppy[0]}, {m->cfg.floppy[1] != NULL, m->cfg.floppy[1]}}};
    pc->fdc = add(m, &fdc82077_class, "fdc82077", &fdc, e);
    if (!pc->fdc) {
        return false;
    }
    struct dma_peripheral p = fdc82077_dma(pc->fdc);
    i8237_connect(pc->dma, 2, &p);
    return add(m, &ide_pci_class, "ide_pci",
               &(struct ide_pci_config){pc->pci, SOUTH_BRIDGE_SLOT, {pc->ide[0], pc->ide[1]}},
               e) != NULL;
}

static bool build_power(struct oxbow *m, struct err *e)
{
    struct piix4_pm_config pm = {
        .pci = m->pc.pci, .slot = SOUTH_BRIDGE_SLOT, .sci = isa_irq(m, 9),
        .power_off = power_off, .suspend = suspend, .power_off_to = m, .gpe0_port = 0xafe0,
        .smi = cpu_has_smm(m->cpu) ? send_smi : NULL, .smi_to = m};
    m->pc.pm = add(m, &piix4_pm_class, "piix4_pm", &pm, e);
    return m->pc.pm != NULL;
}

static bool build_video(struct oxbow *m, struct err *e)
{
    if (m->cfg.no_vga) {
        return true;
    }
    m->pc.vga = add(m, &vga_class, "vga", &(struct vga_config){0}, e);
    return m->pc.vga &&
           add(m, &vga_pci_class, "vga_pci",
               &(struct vga_pci_config){m->pc.vga, m->pc.pci, VGA_SLOT << 3, m->cfg.vgabios.data,
                                        m->cfg.vgabios.len}, e);
}

static bool build_nic(struct oxbow *m, unsigned n, struct err *e)
{
    static const char *const id[] = {"ne2000-0", "ne2000-1", "ne2000-2", "ne2000-3"};
    static const char *const pci_id[] = {"ne2000-pci0", "ne2000-pci1", "ne2000-pci2",
                                         "ne2000-pci3"};
    const struct oxbow_nic *nic = &m->cfg.nic[n];
    bool pci = nic->model == OXBOW_NIC_NE2K_PCI;
    struct ne2000_config c = {.mac = {0x52, 0x54, 0x00, 0x12, 0x34, (uint8_t)(0x56 + n)},
                              .net = nic->net, .rtl8029 = pci};

    if (nic->model == OXBOW_NIC_NONE) {
        return true;
    }
    for (unsigned k = 0; k < sizeof nic->mac; k++) {
        if (nic->mac[k]) {
            memcpy(c.mac, nic->mac, sizeof c.mac);
        }
    }
    if (!pci) {
        c.port = nic->port ? nic->port : config_nic_port(n);
        c.irq = isa_irq(m, nic->irq ? nic->irq : config_nic_irq(n));
    }
    m->pc.nic[n] = add(m, &ne2000_class, id[n], &c, e);
    if (!m->pc.nic[n] || !pci) {
        return m->pc.nic[n] != NULL;
    }
    struct ne2000_pci_config shell = {m->pc.nic[n], m->pc.pci, PCI_DEVFN(NIC_SLOT + n, 0),
                                      nic->rom.data, nic->rom.len};
    return add(m, &ne2000_pci_class, pci_id[n], &shell, e) != NULL;
}

static bool build_network(struct oxbow *m, struct err *e)
{
    for (unsigned n = 0; n < OXBOW_NICS; n++) {
        if (!build_nic(m, n, e)) {
            return false;
        }
        m->cfg.nic[n].rom = (struct oxbow_blob){0};
    }
    return true;
}

#define FM_PORT 0x388
#define MPU_PORT 0x330

static void sb16_defaults(struct oxbow_sb16 *c)
{
    c->port = c->port ? c->port : 0x220;
    c->irq = c->irq ? c->irq : 5;
    c->dma = c->dma ? c->dma : 1;
    c->dma16 = c->dma16 ? c->dma16 : 5;
}

static bool build_sb16(struct oxbow *m, struct err *e)
{
    static const uint8_t channel[] = {0, 1, 3, 5, 6, 7};
    struct pc *pc = &m->pc;
    struct oxbow_sb16 *cfg = &m->cfg.sb16;
    sb16_defaults(cfg);
    struct audio_input fm = audio_connect(pc->audio, AUDIO_CARD);
    struct opl3_config opl = {.out = fm, .window = {{FM_PORT, 4}, {cfg->port, 4},
                                                    {(uint16_t)(cfg->port + 8), 2}}};
    struct sb16_config c = {
        .port = cfg->port, .mpu_port = MPU_PORT, .fm = fm, .cd = pc->cd,
        .irq_select = ct1745_irq_select(cfg->irq),
        .dma_select = ct1745_dma_select(cfg->dma, cfg->dma16),
        .voice = {audio_connect(pc->audio, AUDIO_CARD), audio_connect(pc->audio, AUDIO_CARD)}};
    for (unsigned n = 0; n < 16; n++) {
        c.irq[n] = isa_irq(m, n);
    }
    for (unsigned n = 0; n < ARRAY_LEN(channel); n++) {
        c.dma[channel[n]] = i8237_channel(pc->dma, channel[n]);
    }
    /* The synthesizer first: the card sets its volume. */
    pc->sb16 = add(m, &opl3_class, "opl3", &opl, e) ? add(m, &sb16_class, "sb16", &c, e) : NULL;
    if (!pc->sb16) {
        return false;
    }
    for (unsigned n = 0; n < ARRAY_LEN(channel); n++) {
        struct dma_peripheral p = sb16_dma(pc->sb16, channel[n]);
        i8237_connect(pc->dma, channel[n], &p);
    }
    return true;
}

static bool build_sound(struct oxbow *m, struct err *e)
{
    if (m->cfg.adlib) {
        struct opl3_config c = {.ym3812 = true, .window = {{FM_PORT, 2}},
                                .out = audio_connect(m->pc.audio, AUDIO_CARD)};
        return add(m, &opl3_class, "adlib", &c, e) != NULL;
    }
    return !m->cfg.sb16.on || build_sb16(m, e);
}

static bool build_debug(struct oxbow *m, struct err *e)
{
    const struct oxbow_config *cfg = &m->cfg;
    uint16_t con_port = cfg->debugcon_port ? cfg->debugcon_port : 0xe9;
    struct debugport_config con = {DEBUGPORT_CONSOLE, con_port, 0, cfg->debugcon, NULL, NULL};
    struct debugport_config con2 = {DEBUGPORT_CONSOLE, 0x402, 0, cfg->debugcon, NULL, NULL};
    struct debugport_config log = {DEBUGPORT_LOG, 0x190, 4, {0}, post190, m};
    struct debugport_config off = {DEBUGPORT_SHUTDOWN, 0x8900, 0, {0}, shutdown_port, m};
    struct debugport_config end = {
        DEBUGPORT_EXIT, cfg->debug_exit_port ? cfg->debug_exit_port : 0x501,
        cfg->debug_exit_size ? cfg->debug_exit_size : 2, {0}, debug_exit, m};

    return add(m, &debugport_class, "debugcon", &con, e) &&
           (con.port == 0x402 || add(m, &debugport_class, "debugcon402", &con2, e)) &&
           add(m, &debugport_class, "post190", &log, e) &&
           add(m, &debugport_class, "shutdown", &off, e) &&
           (!cfg->debug_exit || add(m, &debugport_class, "debug_exit", &end, e)) &&
           (bus_map(m->io, 0xf0, 2, &f0_ops, m, PRIO_DEVICE) >= 0 ||
            err_set(e, "not enough memory for the machine"));
}

/* The ROM ends at 4 GB; its last 128 KB answer below 1 MB, too, under the shadow RAM. */
static bool build_rom(struct oxbow *m, struct err *e)
{
    uint64_t low = MIN(m->bios_size, (uint64_t)0x20000);
    if (bus_map_ram(m->mem, TOP_4G - m->bios_size, m->bios_size, m->bios, BUS_READ, PRIO_ROM) < 0 ||
        bus_map_ram(m->mem, TOP_1M - low, low, m->bios + m->bios_size - low, BUS_READ,
                    PRIO_ROM) < 0) {
        return err_set(e, "not enough memory for the machine");
    }
    return true;
}

/* --- what the firmware reads ------------------------------------------------------------------ */

static unsigned boot_code(char c)
{
    return c == 'a' ? 1 : c == 'c' ? 2 : c == 'd' ? 3 : c == 'n' ? 4 : 0;
}

static void fill_boot_order(struct oxbow *m)
{
    const char *order = m->cfg.boot ? m->cfg.boot : "cad";
    unsigned code[3] = {0};
    for (unsigned n = 0; n < 3 && order[n]; n++) {
        code[n] = boot_code(order[n]);
    }
    mc146818_set(m->pc.rtc, 0x3d, (uint8_t)(code[0] | code[1] << 4));
    mc146818_set(m->pc.rtc, 0x38, (uint8_t)(code[2] << 4 | 1));
}

static void set_word(struct device *rtc, unsigned at, unsigned v)
{
    mc146818_set(rtc, at, (uint8_t)v);
    mc146818_set(rtc, at + 1, (uint8_t)(v >> 8));
}

static void fill_memory(struct oxbow *m)
{
    struct device *rtc = m->pc.rtc;
    uint64_t below = i440fx_ram_below_4g(m->ram_size), above = i440fx_ram_above_4g(m->ram_size);
    unsigned ext = (unsigned)MIN((below - TOP_1M) >> 10, (uint64_t)0xffff);
    set_word(rtc, 0x15, 640);
    set_word(rtc, 0x17, ext);
    set_word(rtc, 0x30, ext);
    set_word(rtc, 0x34, below > 16 * TOP_1M ? (unsigned)((below - 16 * TOP_1M) >> 16) : 0);
    mc146818_set(rtc, 0x5b, (uint8_t)(above >> 16));
    mc146818_set(rtc, 0x5c, (uint8_t)(above >> 24));
    mc146818_set(rtc, 0x5d, (uint8_t)(above >> 32));
}

static void fill_drives(struct oxbow *m)
{
    struct device *rtc = m->pc.rtc;
    unsigned a = fdc82077_cmos_type(m->pc.fdc, 0), b = fdc82077_cmos_type(m->pc.fdc, 1);
    unsigned disks = 0;
    mc146818_set(rtc, 0x10, (uint8_t)(a << 4 | b));
    for (unsigned n = 0; n < 2; n++) {
        if (m->cfg.drive[n].kind == OXBOW_DRIVE_DISK) {
            disks |= n ? 0x0f : 0xf0;
            mc146818_set(rtc, n ? 0x1a : 0x19, 47); /* user-defined type */
        }
    }
    mc146818_set(rtc, 0x12, (uint8_t)disks);
    /*
     * equipment: floppies, coprocessor, PS/2 mouse; the display is an adapter with a ROM of its own
     */
    mc146818_set(rtc, 0x14, (uint8_t)(0x06 | (a ? 1 : 0) | (b ? 0x40 : 0)));
}

static bool fill_fwcfg(struct oxbow *m, struct err *e)
{
    struct device *f = add(m, &fwcfg_class, "fwcfg", &(struct fwcfg_config){0x510, 0x514}, e);
    if (!f) {
        return false;
    }
    m->pc.fwcfg = f;
    bool ok = fwcfg_add_u64(f, FWCFG_RAM_SIZE, m->ram_size) &&
              fwcfg_add_u16(f, FWCFG_NB_CPUS, 1) && fwcfg_add_u16(f, FWCFG_MAX_CPUS, 1) &&
              fwcfg_add_u16(f, FWCFG_NOGRAPHIC, m->cfg.no_vga) &&
              fwcfg_add_u16(f, FWCFG_BOOT_MENU, m->cfg.boot_menu) &&
              fwcfg_add_u32(f, FWCFG_IRQ0_OVERRIDE, 1); /* IRQ 0 is pin 2 of the I/O APIC */
    if (m->loader.kind != LOADER_NONE) {
        ok = ok && fwcfg_add_file(f, "genroms/oxbow-loader.bin", image_loader,
                                  (uint32_t)image_loader_size);
    }
    return ok || err_set(e, "not enough memory for the machine");
}

bool pc_build(struct oxbow *m, struct err *e)
{
    if (!build_audio(m, e) || !build_apic(m, e) || !build_core(m, e) || !build_clock(m, e) ||
        !build_keyboard(m, e) || !build_backdoor(m, e) || !build_serial(m, e) ||
        !build_disks(m, e) || !build_power(m, e) || !build_video(m, e) || !build_network(m, e) ||
        !build_sound(m, e) || !build_debug(m, e) || !build_rom(m, e) || !fill_fwcfg(m, e)) {
        return false;
    }
    if (!loader_map(&m->loader, m->io, m->sched)) {
        return err_set(e, "not enough memory for the machine");
    }
    fill_boot_order(m);
    fill_memory(m);
    fill_drives(m);
    mc146818_checksum(m->pc.rtc);
    return true;
}

/* --- outside ---------------------------------------------------------------------------------- */

void pc_close_media(struct oxbow *m)
{
    for (unsigned n = 0; n < 2; n++) {
        block_close(m->cfg.floppy[n]);
        m->cfg.floppy[n] = NULL;
    }
    for (unsigned n = 0; n < 4; n++) {
        block_close(m->cfg.drive[n].media);
        m->cfg.drive[n].media = NULL;
    }
}

/* Keystrokes wait here rather than overflow the keyboard's own 16-byte buffer. */
#define KEYBOARD_ROOM 8

static void net_input(struct device *nic, const struct input_event *ev)
{
    if (!nic) {
        return;
    }
    if (ev->frame) {
        ne2000_receive(nic, ev->frame, ev->code);
    } else {
        ne2000_set_link(nic, ev->down);
    }
}

/* A driver that listens to the backdoor takes the mouse over. */
static void mouse_input(struct pc *pc, const struct input_event *ev)
{
    bool place = ev->down;

    if (pc->vmport && vmport_enabled(pc->vmport) && place == vmport_absolute(pc->vmport)) {
        if (place) {
            vmport_place(pc->vmport, (uint16_t)ev->dx, (uint16_t)ev->dy, ev->dz, ev->port);
        } else {
            vmport_move(pc->vmport, ev->dx, ev->dy, ev->dz, ev->port);
        }
    } else if (place) {
        ps2mouse_move(pc->mouse, 0, 0, ev->dz, ev->port);
    } else {
        ps2mouse_move(pc->mouse, ev->dx, ev->dy, ev->dz, ev->port);
    }
}

/* What firmware reads in CMOS 0Fh when suspend to RAM is over. */
enum { CMOS_SHUTDOWN = 0x0f, SHUTDOWN_S3 = 0xfe };

void pc_wake(struct oxbow *m)
{
    uint32_t well = piix4_pm_resume_well(m->pc.pm);

    devices_reset(&m->env, RESET_WAKE);
    piix4_pm_woken(m->pc.pm, well);
    mc146818_set(m->pc.rtc, CMOS_SHUTDOWN, SHUTDOWN_S3);
}

/* A key or a move of the mouse wakes the machine; nothing of it, nor bytes or frames, arrive. */
static bool input_asleep(struct oxbow *m, const struct input_event *ev)
{
    if ((ev->kind == INPUT_KEY && ev->down) || ev->kind == INPUT_MOUSE) {
        machine_wake(m);
    } else if (ev->kind >= INPUT_NET && !ev->frame) {
        net_input(m->pc.nic[ev->kind - INPUT_NET], ev); /* a cable */
    }
    return true;
}

bool pc_input(struct oxbow *m, const struct input_event *ev)
{
    struct pc *pc = &m->pc;
    if (m->asleep) {
        return input_asleep(m, ev);
    }
    if (ev->kind >= INPUT_NET) {
        net_input(pc->nic[ev->kind - INPUT_NET], ev);
        return true;
    }
    switch (ev->kind) {
    case INPUT_KEY:
        if (ps2kbd_queued(pc->kbd) > KEYBOARD_ROOM) {
            return false;
        }
        ps2kbd_key(pc->kbd, ev->code, ev->down);
        return true;
    case INPUT_MOUSE:
        mouse_input(pc, ev);
        return true;
    default:
        if (pc->uart[ev->port & 3]) {
            if (!uart16550_can_receive(pc->uart[ev->port & 3])) {
                return false;
            }
            uart16550_receive(pc->uart[ev->port & 3], (uint8_t)ev->code);
        }
        return true;
    }
}

static bool floppy_media(struct oxbow *m, unsigned n, struct block *media, struct err *e)
{
    if (n == 1 && !m->cfg.floppy[1]) {
        return err_set(e, "fdb: this machine was started without a second floppy drive");
    }
    if (!fdc82077_set_media(m->pc.fdc, n, media)) {
        return err_set(e, "fd%c: the drive is busy; try again", "ab"[n]);
    }
    block_close(m->cfg.floppy[n]);
    m->cfg.floppy[n] = media;
    return true;
}

static bool cd_media(struct oxbow *m, unsigned n, struct block *media, struct err *e)
{
    if (m->cfg.drive[n].kind != OXBOW_DRIVE_CD) {
        return err_set(e, "hd%c: only a CD drive's medium can be changed while the machine runs",
                       "abcd"[n]);
    }
    if (!ide_set_media(m->pc.ide[n / 2], n & 1, media)) {
        return err_set(e, "hd%c: the drive is busy; try again", "abcd"[n]);
    }
    block_close(m->cfg.drive[n].media);
    m->cfg.drive[n].media = media;
    return true;
}

bool pc_media(struct oxbow *m, const char *slot, struct block *media, struct err *e)
{
    bool ok;
    if (strlen(slot) == 3 && slot[0] == 'f' && slot[1] == 'd' &&
        (slot[2] == 'a' || slot[2] == 'b')) {
        ok = floppy_media(m, (unsigned)(slot[2] - 'a'), media, e);
    } else if (strlen(slot) == 3 && slot[0] == 'h' && slot[1] == 'd' && slot[2] >= 'a' &&
               slot[2] <= 'd') {
        ok = cd_media(m, (unsigned)(slot[2] - 'a'), media, e);
    } else {
        ok = err_set(e, "%s: there is no such drive; use fda, fdb or hda to hdd", slot);
    }
    if (!ok) {
        block_close(media);
    }
    return ok;
}

void pc_flush(struct oxbow *m)
{
    for (unsigned n = 0; n < 4; n++) {
        if (m->pc.uart[n]) {
            uart16550_flush(m->pc.uart[n]);
        }
    }
}

void oxbow_power_button(struct oxbow *m)
{
    piix4_pm_power_button(m->pc.pm);
    machine_wake(m);
}
