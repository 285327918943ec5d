/*
 * 82371AB (PIIX4) function 3, power management (Intel 290562, chapter 7; ACPI 1.0, 4.7).
 *
 * PM1a event and control registers, the 24-bit 3.579545 MHz timer, GPE0, the APM ports B2h/B3h and
 * an SMBus host that finds no device.  The timer is computed when read; an event is scheduled only
 * while its carry (bit 23 changing) may raise the SCI.
 * Values F1h/F0h on port B2h switch ACPI on and off: they are the commands our tables name.
 * A write to B2h is an SMI when APMC_EN (config 58h) and SMI_EN (GLBCTL) are set, the only cause
 * there is.  Every such write gives an edge, also when the last handler did not write EOS.
 * Invariant: the SCI is a function of status, enable and SCI_EN.
 */
#include "devices/piix4_pm.h"

#include <stdio.h>

#include "devices/pci.h"
#include "memory/bytes.h"

enum {
    PMBA = 0x40,
    DEVACTB = 0x58,
    PMREGMISC = 0x80,
    SMBBA = 0x90,
    SMBHSTCFG = 0xd2,

    PM_LEN = 64,
    PM1_STS = 0x00,
    PM1_EN = 0x02,
    PM1_CNT = 0x04,
    PM_TMR = 0x08,
    GPE_STS = 0x0c,
    GPE_EN = 0x0e,
    PROC_CNT = 0x10,
    GLB_STS = 0x18,
    GLB_CNT = 0x28,
    GPI = 0x30,
    GPO = 0x34,

    STS_TMR = 0x0001,
    STS_PWRBTN = 0x0100,
    STS_RTC = 0x0400,
    STS_WAK = 0x8000,
    STS_ALL = 0x8d31,
    EN_ALL = 0x0521,
    SCI_SOURCES = 0x0521,
    CNT_SCI_EN = 0x0001,
    CNT_KEPT = 0x1c03,
    CNT_SLP_EN = 0x2000,
    SLP_SOFT_OFF = 0,
    SLP_SUSPEND_TO_RAM = 1,
    SLP_WORKING = 5,

    GLB_APM_STS = 0x20,
    GLB_SMI_EN = 0x01,
    GLB_CNT_KEPT = 0x0600ff01, /* without EOS, which is a command, and BIOS_RLS */
    DEVACTB_APMC_EN = 0x02,    /* of config byte 5Bh */

    APM_CMD = 0xb2,
    ACPI_ENABLE = 0xf1,
    ACPI_DISABLE = 0xf0,

    SMB_LEN = 16,
    SMB_STS = 0,
    SMB_CNT = 2,
    SMB_STS_DEV_ERR = 4,
    SMB_STS_W1C = 0x1e,
    SMB_CNT_INTREN = 1,
    SMB_CNT_START = 0x40
};

static const struct clock pm_clock = {3579545, 1};

struct piix4_pm {
    struct device d;
    struct pci_function pci;
    struct irq_line sci;
    void (*power_off)(void *to), (*suspend)(void *to);
    void *power_off_to;
    void (*smi)(void *to);
    void *smi_to;
    int pm_window, smb_window;
    struct event carry;
    char carry_name[32];
    uint16_t sts, en, cnt;
    uint16_t gpe_sts, gpe_en;
    uint32_t proc_cnt, gpo, glb_cnt;
    uint16_t glb_sts;
    uint64_t carry_seen; /* changes of timer bit 23 that STS_TMR already knows */
    uint8_t apm[2];
    uint8_t smb[SMB_LEN];
    bool sci_level;
};

static const struct snap_field piix4_pm_fields[] = {
    PCI_SNAP_FIELDS(struct piix4_pm, pci),
    SNAP_F(struct piix4_pm, sts, SNAP_U16),
    SNAP_F(struct piix4_pm, en, SNAP_U16),
    SNAP_F(struct piix4_pm, cnt, SNAP_U16),
    SNAP_F(struct piix4_pm, gpe_sts, SNAP_U16),
    SNAP_F(struct piix4_pm, gpe_en, SNAP_U16),
    SNAP_F(struct piix4_pm, proc_cnt, SNAP_U32),
    SNAP_F(struct piix4_pm, gpo, SNAP_U32),
    SNAP_F(struct piix4_pm, carry_seen, SNAP_U64),
    SNAP_ARRAY(struct piix4_pm, apm, SNAP_BYTES),
    SNAP_ARRAY(struct piix4_pm, smb, SNAP_BYTES),
    SNAP_F(struct piix4_pm, sci_level, SNAP_BOOL),
    SNAP_SINCE(struct piix4_pm, glb_cnt, SNAP_U32, 2),
    SNAP_SINCE(struct piix4_pm, glb_sts, SNAP_U16, 2),
    SNAP_END,
};

static uint64_t timer_ticks(const struct piix4_pm *p)
{
    return clock_ticks(p->d.env->sched, pm_clock, sched_now(p->d.env->sched));
}

/* Latches TMR_STS for every change of bit 23 since it was last looked at. */
static void sync_timer(struct piix4_pm *p)
{
    uint64_t changes = timer_ticks(p) >> 23;

    if (changes != p->carry_seen) {
        p->carry_seen = changes;
        p->sts |= STS_TMR;
    }
}

static void update(struct piix4_pm *p)
{
    bool level = (p->cnt & CNT_SCI_EN)
                 && ((p->sts & p->en & SCI_SOURCES) || (p->gpe_sts & p->gpe_en));

    if ((p->smb[SMB_STS] & SMB_STS_DEV_ERR) && (p->smb[SMB_CNT] & SMB_CNT_INTREN)) {
        level = true; /* the SMBus host shares the line */
    }
    if (level != p->sci_level) {
        p->sci_level = level;
        irq_set(&p->sci, level);
    }
    if ((p->en & STS_TMR) && !(p->sts & STS_TMR)) {
        event_at(p->d.env->sched, &p->carry,
                 clock_icount(p->d.env->sched, pm_clock, (p->carry_seen + 1) << 23));
    } else {
        event_cancel(p->d.env->sched, &p->carry);
    }
}

static void carry_due(void *arg, uint64_t now)
{
    (void)now;
    sync_timer(arg);
    update(arg);
}

void piix4_pm_power_button(struct device *d)
{
    struct piix4_pm *p = (struct piix4_pm *)(void *)d;

    p->sts |= STS_PWRBTN;
    update(p);
}

bool piix4_pm_rtc_alarm(struct device *d)
{
    struct piix4_pm *p = (struct piix4_pm *)(void *)d;

    p->sts |= STS_RTC;
    update(p);
    return p->en & STS_RTC;
}

uint32_t piix4_pm_resume_well(const struct device *d)
{
    const struct piix4_pm *p = (const struct piix4_pm *)(const void *)d;

    return (uint32_t)p->en << 16 | p->sts;
}

void piix4_pm_woken(struct device *d, uint32_t well)
{
    struct piix4_pm *p = (struct piix4_pm *)(void *)d;

    p->sts = (uint16_t)well | STS_WAK;
    p->en = (uint16_t)(well >> 16);
    update(p);
}

static void sleep_now(struct piix4_pm *p)
{
    unsigned type = p->cnt >> 10 & 7;

    if (type == SLP_SOFT_OFF) {
        if (p->power_off) {
            p->power_off(p->power_off_to);
        }
    } else if (type == SLP_SUSPEND_TO_RAM && p->suspend) {
        p->suspend(p->power_off_to);
    } else if (type != SLP_WORKING) {
        /* Nothing loses its context here, so the machine is awake again at once. */
        log_guest(p->d.env->log, "piix4_pm", "sleep type %u entered and left", type);
        p->sts |= STS_WAK;
    }
}

/* The PM block as an array of bytes: what a byte reads as. */
static uint8_t pm_byte(struct piix4_pm *p, unsigned off)
{
    uint8_t regs[GPE_EN + 2] = {0};

    if (off < sizeof regs) {
        put16(regs + PM1_STS, p->sts);
        put16(regs + PM1_EN, p->en);
        put16(regs + PM1_CNT, p->cnt);
        put32(regs + PM_TMR, (uint32_t)timer_ticks(p) & 0xffffff);
        put16(regs + GPE_STS, p->gpe_sts);
        put16(regs + GPE_EN, p->gpe_en);
        return regs[off];
    }
    if (off >= PROC_CNT && off < PROC_CNT + 4) {
        return (uint8_t)(p->proc_cnt >> (off - PROC_CNT) * 8);
    }
    if (off >= GLB_STS && off < GLB_STS + 2) {
        return (uint8_t)(p->glb_sts >> (off - GLB_STS) * 8);
    }
    if (off >= GLB_CNT && off < GLB_CNT + 4) {
        return (uint8_t)(p->glb_cnt >> (off - GLB_CNT) * 8);
    }
    if (off >= GPI && off < GPI + 4) {
        return 0xff; /* inputs are pulled up */
    }
    if (off >= GPO && off < GPO + 4) {
        return (uint8_t)(p->gpo >> (off - GPO) * 8);
    }
    return 0; /* 14h and 15h among them: reading enters a clock state and leaves it */
}

static uint64_t pm_read(void *dev, uint64_t off, unsigned size)
{
    struct piix4_pm *p = dev;
    uint64_t val = 0;
    unsigned i;

    sync_timer(p);
    update(p);
    for (i = 0; i < size; i++) {
        val |= (uint64_t)pm_byte(p, (unsigned)off + i) << i * 8;
    }
    return val;
}

static uint16_t with_byte(uint16_t reg, unsigned high, uint8_t byte)
{
    return (uint16_t)(high ? (reg & 0x00ff) | byte << 8 : (reg & 0xff00) | byte);
}

static uint32_t with_byte32(uint32_t reg, unsigned n, uint8_t byte)
{
    return (reg & ~(0xffu << n * 8)) | (uint32_t)byte << n * 8;
}

static void pm_write_byte(struct piix4_pm *p, unsigned off, uint8_t byte)
{
    unsigned high = off & 1;
    uint16_t bits = (uint16_t)(high ? byte << 8 : byte);

    switch (off & ~1u) {
    case PM1_STS:
        p->sts &= (uint16_t)~(bits & STS_ALL);
        break;
    case PM1_EN:
        p->en = with_byte(p->en, high, byte) & EN_ALL;
        break;
    case PM1_CNT:
        p->cnt = with_byte(p->cnt, high, byte) & CNT_KEPT;
        if (bits & CNT_SLP_EN) {
            sleep_now(p);
        }
        break;
    case GPE_STS:
        p->gpe_sts &= (uint16_t)~bits;
        break;
    case GPE_EN:
        p->gpe_en = with_byte(p->gpe_en, high, byte);
        break;
    case PROC_CNT:
    case PROC_CNT + 2:
        p->proc_cnt = with_byte32(p->proc_cnt, off - PROC_CNT, byte);
        break;
    case GLB_STS:
        p->glb_sts &= (uint16_t)~bits;
        break;
    case GLB_CNT:
    case GLB_CNT + 2:
        p->glb_cnt = with_byte32(p->glb_cnt, off - GLB_CNT, byte) & GLB_CNT_KEPT;
        break;
    case GPO:
    case GPO + 2:
        p->gpo = with_byte32(p->gpo, off - GPO, byte);
        break;
    default:
        break;
    }
}

static void pm_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct piix4_pm *p = dev;
    unsigned i;

    sync_timer(p);
    for (i = 0; i < size; i++) {
        pm_write_byte(p, (unsigned)off + i, (uint8_t)(val >> i * 8));
    }
    update(p);
}

static uint64_t gpe_read(void *dev, uint64_t off, unsigned size)
{
    return pm_read(dev, off + GPE_STS, size);
}

static void gpe_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    pm_write(dev, off + GPE_STS, size, val);
}

static uint64_t apm_read(void *dev, uint64_t off, unsigned size)
{
    (void)size;
    return ((const struct piix4_pm *)dev)->apm[off];
}

static void apm_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct piix4_pm *p = dev;

    (void)size;
    p->apm[off] = (uint8_t)val;
    if (off == 0 && val == ACPI_ENABLE) {
        p->cnt |= CNT_SCI_EN;
    } else if (off == 0 && val == ACPI_DISABLE) {
        p->cnt &= (uint16_t)~CNT_SCI_EN;
    }
    update(p);
    if (off == 0 && p->smi && (p->pci.config[DEVACTB + 3] & DEVACTB_APMC_EN) &&
        (p->glb_cnt & GLB_SMI_EN)) {
        p->glb_sts |= GLB_APM_STS;
        p->smi(p->smi_to);
    }
}

static uint64_t smb_read(void *dev, uint64_t off, unsigned size)
{
    (void)size;
    return ((const struct piix4_pm *)dev)->smb[off];
}

/* Every transaction ends at once with "device error": nobody acknowledges its address. */
static void smb_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct piix4_pm *p = dev;

    (void)size;
    switch (off) {
    case SMB_STS:
        p->smb[SMB_STS] &= (uint8_t)~(val & SMB_STS_W1C);
        break;
    case SMB_CNT:
        p->smb[SMB_CNT] = (uint8_t)(val & ~SMB_CNT_START & 0x1f);
        if (val & SMB_CNT_START) {
            p->smb[SMB_STS] |= SMB_STS_DEV_ERR;
        }
        break;
    default:
        p->smb[off] = (uint8_t)val;
        break;
    }
    update(p);
}

static const struct io_ops pm_ops = {pm_read, pm_write, 1, 4, "acpi-pm"};
static const struct io_ops gpe_ops = {gpe_read, gpe_write, 1, 4, "acpi-gpe0"};
static const struct io_ops apm_ops = {apm_read, apm_write, 1, 1, "apm"};
static const struct io_ops smb_ops = {smb_read, smb_write, 1, 1, "smbus"};

static void place_windows(struct piix4_pm *p)
{
    struct bus *io = p->d.env->io;
    uint32_t pm = pci_get32(&p->pci, PMBA) & 0xffc0, smb = pci_get32(&p->pci, SMBBA) & 0xfff0;

    bus_begin(io);
    bus_move(io, p->pm_window, pm, pm && (p->pci.config[PMREGMISC] & 1));
    bus_move(io, p->smb_window, smb, smb && (p->pci.config[SMBHSTCFG] & 1));
    bus_commit(io);
}

static void written(void *dev, unsigned off, unsigned size)
{
    (void)off;
    (void)size;
    place_windows(dev);
}

static void define_registers(struct piix4_pm *p, const struct piix4_pm_config *c)
{
    static const struct pci_id id = {0x8086, 0x7113, 0x068000, 0x03};

    pci_function_init(&p->pci, p, PCI_DEVFN(c->slot, 3), &id);
    p->pci.written = written;
    pci_set_pin(&p->pci, 1);
    pci_define(&p->pci, PCI_COMMAND, 2, 0, PCI_CMD_IO, 0);
    pci_define(&p->pci, PCI_LATENCY, 1, 0, 0, 0);
    pci_define(&p->pci, PMBA, 4, 0x00000001, 0x0000ffc0, 0);
    pci_define(&p->pci, 0x44, 4, 0, 0xffffffff, 0); /* CNTA */
    pci_define(&p->pci, 0x48, 4, 0, 0x0fffffff, 0); /* CNTB */
    pci_define(&p->pci, 0x4c, 4, 0, 0xffffff7f, 0); /* GPICTL */
    pci_define(&p->pci, 0x50, 4, 0, 0x00ff1fff, 0); /* DEVRESD */
    pci_define(&p->pci, 0x54, 4, 0, 0xffffffff, 0); /* DEVACTA */
    pci_define(&p->pci, DEVACTB, 4, c->smi ? 0 : DEVACTB_APMC_EN << 24, 0x03ffffff, 0);
    pci_define(&p->pci, 0x5c, 4, 0, 0xffffffff, 0); /* DEVRESA to DEVRESJ */
    pci_define(&p->pci, 0x60, 4, 0, 0x7fffffff, 0);
    pci_define(&p->pci, 0x64, 4, 0, 0xffffffff, 0);
    pci_define(&p->pci, 0x68, 4, 0, 0x1fffffff, 0);
    pci_define(&p->pci, 0x6c, 4, 0, 0xffffffff, 0);
    pci_define(&p->pci, 0x70, 4, 0, 0xffffffff, 0);
    pci_define(&p->pci, 0x74, 4, 0, 0xffffffff, 0);
    pci_define(&p->pci, 0x78, 4, 0, 0xffffffff, 0);
    pci_define(&p->pci, 0x7c, 4, 0, 0xffffffff, 0);
    pci_define(&p->pci, PMREGMISC, 1, 0, 0x01, 0);
    pci_define(&p->pci, SMBBA, 4, 0x00000001, 0x0000fff0, 0);
    pci_define(&p->pci, SMBHSTCFG, 1, 0, 0x0f, 0);
    pci_define(&p->pci, SMBHSTCFG + 1, 1, 0, 0xff, 0); /* SMBSLVC */
    pci_define(&p->pci, SMBHSTCFG + 2, 2, 0, 0xffff, 0); /* SMBSHDW1, SMBSHDW2 */
}

static bool piix4_pm_init(struct device *d, const void *config, struct err *e)
{
    struct piix4_pm *p = (struct piix4_pm *)(void *)d;
    const struct piix4_pm_config *c = config;
    struct bus *io = d->env->io;

    p->sci = c->sci;
    p->power_off = c->power_off;
    p->suspend = c->suspend;
    p->power_off_to = c->power_off_to;
    p->smi = c->smi;
    p->smi_to = c->smi_to;
    (void)snprintf(p->carry_name, sizeof p->carry_name, "%s/carry", d->id);
    event_init(d->env->sched, &p->carry, p->carry_name, carry_due, p);
    define_registers(p, c);
    bus_begin(io);
    p->pm_window = bus_map(io, 0, PM_LEN, &pm_ops, p, PRIO_DEVICE);
    bus_move(io, p->pm_window, 0, false);
    p->smb_window = bus_map(io, 0, SMB_LEN, &smb_ops, p, PRIO_DEVICE);
    bus_move(io, p->smb_window, 0, false);
    bus_commit(io);
    if (p->pm_window < 0 || p->smb_window < 0
        || bus_map(io, APM_CMD, 2, &apm_ops, p, PRIO_DEVICE) < 0
        || (c->gpe0_port && bus_map(io, c->gpe0_port, 4, &gpe_ops, p, PRIO_DEVICE) < 0)) {
        return err_set(e, "no memory for the power management; close other programs");
    }
    return pci_plug(c->pci, &p->pci, e);
}

static void piix4_pm_reset(struct device *d, enum reset_kind kind)
{
    struct piix4_pm *p = (struct piix4_pm *)(void *)d;

    (void)kind;
    pci_function_reset(&p->pci);
    p->sts = p->en = p->cnt = 0;
    p->gpe_sts = p->gpe_en = 0;
    p->proc_cnt = 0;
    p->glb_cnt = 0;
    p->glb_sts = 0;
    p->gpo = 0x7fffbfff; /* GPOREG's default */
    p->apm[0] = p->apm[1] = 0;
    memset(p->smb, 0, sizeof p->smb);
    p->carry_seen = timer_ticks(p) >> 23;
    place_windows(p);
    update(p);
}

static bool piix4_pm_post_load(struct device *d, unsigned version, struct err *e)
{
    struct piix4_pm *p = (struct piix4_pm *)(void *)d;

    (void)version;
    (void)e;
    pci_function_loaded(&p->pci);
    return true;
}

const struct device_class piix4_pm_class = {
    .name = "piix4_pm",
    .size = sizeof(struct piix4_pm),
    .init = piix4_pm_init,
    .reset = piix4_pm_reset,
    .state = piix4_pm_fields,
    .state_version = 2, /* 2: SMI */
    .post_load = piix4_pm_post_load,
};
