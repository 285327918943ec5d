/*
 * Single chips for fuzz_chips.c: each alone with its buses, its lines going to world_pin, its block
 * requests answered by disks that can be late, and its other pins and cables moved at random.
 *
 * What a chip does must not depend on when the host answers, so a copy whose disks answer at once
 * sees the same.
 */
#include "devices/audio.h"
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
#include "tests/fuzz_chips.h"

static struct device *add(struct world *w, const struct device_class *cls, const char *id,
                          const void *config, struct err *e)
{
    struct device *d = device_new(&w->env, cls, id, config, e);

    if (!d) {
        fprintf(stderr, "%s: %s\n", id, e->text);
        abort();
    }
    return d;
}

static struct irq_line pin(struct world *w, unsigned n)
{
    return (struct irq_line){world_pin, w, n};
}

static void call(void *to)
{
    world_pin(to, 100, true);
}

static void call_level(void *to, bool level)
{
    world_pin(to, 101, level);
}

static void call_byte(void *to, uint8_t byte)
{
    world_pin(to, 1000u + byte, true);
}

static void call_word(void *to, uint32_t v)
{
    world_pin(to, 2000u + v, true);
}

static void text(void *to, const uint8_t *data, size_t n)
{
    while (n--) {
        world_pin(to, 3000u + *data++, true);
    }
}

static void dma_ask(void *ctl, unsigned n UNUSED, bool level)
{
    struct world *w = ctl;

    w->dma_asked = level;
}

static struct dma_channel dma_line(struct world *w, unsigned n)
{
    return (struct dma_channel){dma_ask, w, n};
}

/* A controller grants the peripheral a few bytes in either direction. */
static void dma_grant(struct world *w, struct rng *r)
{
    uint8_t buf[600];
    uint32_t len = 1 + below(r, one_in(r, 8) ? sizeof buf : 16);
    uint32_t fill = rnd(r), dir = below(r, 8), tc = below(r, 16);

    if (!w->dma_asked || !w->peripheral.transfer) {
        return;
    }
    memset(buf, (int)fill, sizeof buf);
    uint32_t n = w->peripheral.transfer(w->peripheral.dev,
                                        dir == 0  ? DMA_VERIFY
                                        : dir < 4 ? DMA_TO_MEMORY
                                                  : DMA_FROM_MEMORY,
                                        buf, len, tc == 0);
    if (n > len) {
        fprintf(stderr, "a DMA transfer of %u bytes moved %u\n", len, n);
        abort();
    }
    world_pin(w, 4000 + n, true);
    for (uint32_t k = 0; k < n; k++) {
        world_pin(w, buf[k], true);
    }
}

/* --- disks ------------------------------------------------------------------------------------ */

static void answer(struct fuzz_disk *k)
{
    struct block_req *req = k->waiting;
    size_t at = (size_t)req->sector * 512, len = (size_t)req->count * 512;

    k->waiting = NULL;
    if (req->cmd == BLOCK_READ) {
        memcpy(req->buf, k->data + at, len);
    } else if (req->cmd == BLOCK_WRITE) {
        memcpy(k->data + at, req->buf, len);
    }
    req->done(req, req->sector % 1021 == 77 ? BLOCK_EIO : BLOCK_OK);
}

void world_answer(struct world *w)
{
    for (unsigned n = 0; n < WORLD_DISKS; n++) {
        if (w->disk[n].waiting) {
            answer(&w->disk[n]);
        }
    }
}

static void submit(struct block *b, struct block_req *req)
{
    struct fuzz_disk *k = CONTAINER_OF(b, struct fuzz_disk, b);

    if (k->waiting) {
        fprintf(stderr, "two block requests at a time\n");
        abort();
    }
    k->waiting = req;
    if (!k->late) {
        answer(k);
    }
}

static void shut(struct block *b UNUSED)
{
}

static const struct block_ops disk_ops = {"fuzz", submit, shut, NULL, NULL};

static struct block *disk(struct world *w, unsigned n, uint64_t sectors, bool read_only)
{
    struct fuzz_disk *k = &w->disk[n];

    k->data = calloc((size_t)sectors, 512);
    if (!k->data) {
        abort();
    }
    for (uint64_t s = 0; s < sectors; s++) {
        memset(k->data + s * 512, (int)s, 16);
    }
    k->b = (struct block){
        .ops = &disk_ops, .sectors = sectors, .read_only = read_only, .label = "fuzz"};
    return &k->b;
}

/* --- builders and pins ------------------------------------------------------------------------ */

bool build_pic(struct world *w, struct err *e)
{
    w->chip = add(w, &i8259_class, "pic", &(struct i8259_config){0x20, 0xa0, 0x4d0, pin(w, 0)}, e);
    return true;
}

void poke_pic(struct world *w, struct rng *r)
{
    if (one_in(r, 3)) {
        world_pin(w, i8259_inta(w->chip), i8259_intr(w->chip));
    } else {
        uint32_t v = rnd(r);
        i8259_irq(w->chip, v & 15, v & 16);
    }
}

bool build_pit(struct world *w, struct err *e)
{
    w->chip =
        add(w, &i8254_class, "pit", &(struct i8254_config){0x40, {pin(w, 0), pin(w, 1), {0}}}, e);
    w->more[0] = add(w, &speaker_class, "speaker",
                     &(struct speaker_config){.port = 0x61, .gate2 = {i8254_gate_line, w->chip, 2},
                                              .nmi = pin(w, 3)}, e);
    i8254_connect(w->chip, 2, (struct irq_line){speaker_out2, w->more[0], 0});
    return true;
}

static uint32_t stream(void *dev, enum dma_dir dir, uint8_t *buf, uint32_t len, bool tc)
{
    struct world *w = dev;

    world_pin(w, 4000 + len, tc);
    for (uint32_t k = 0; k < len; k++) {
        if (dir == DMA_TO_MEMORY) {
            buf[k] = (uint8_t)(w->seen >> (k & 31));
        }
    }
    return w->seen & 0x300 ? len : len / 2;
}

bool build_dma(struct world *w, struct err *e)
{
    struct dma_peripheral p = {w, stream};

    w->chip = add(w, &i8237_class, "dma", &(struct i8237_config){0, 0xc0, 0x80, call_byte, w}, e);
    for (unsigned n = 0; n < 8; n++) {
        if (n != 4) {
            i8237_connect(w->chip, n, &p);
        }
    }
    return true;
}

void poke_dma(struct world *w, struct rng *r)
{
    uint32_t v = rnd(r);
    struct dma_channel c = i8237_channel(w->chip, v & 7);

    if ((v & 7) != 4) {
        dma_request(&c, v & 24);
    }
}

static void nmi_mask(void *ctx, bool masked)
{
    world_pin(ctx, 102, masked);
}

bool build_rtc(struct world *w, struct err *e)
{
    w->chip = add(w, &mc146818_class, "rtc",
                  &(struct mc146818_config){.port = 0x70, .irq = pin(w, 8), .nmi_mask = nmi_mask,
                                            .nmi_ctx = w, .base = {1999, 12, 31, 23, 59, 58}}, e);
    return true;
}

bool build_kbc(struct world *w, struct err *e)
{
    w->more[0] = add(w, &ps2kbd_class, "kbd", &(struct ps2kbd_config){0}, e);
    w->more[1] = add(w, &ps2mouse_class, "mouse", NULL, e);
    w->chip = add(w, &i8042_class, "i8042",
                  &(struct i8042_config){.data_port = 0x60, .command_port = 0x64,
                                         .irq_keyboard = pin(w, 1), .irq_mouse = pin(w, 12),
                                         .keyboard = ps2kbd_port(w->more[0]),
                                         .mouse = ps2mouse_port(w->more[1]), .a20 = call_level,
                                         .reset = call, .ctx = w}, e);
    add(w, &port92_class, "port92", &(struct port92_config){0x92, call_level, call, w}, e);
    return true;
}

void poke_kbc(struct world *w, struct rng *r)
{
    uint32_t v = rnd(r);

    if (v & 1) {
        ps2kbd_key(w->more[0], v >> 8 & 0x3ff, v & 2);
    } else {
        int dx = (int8_t)(v >> 8), dy = (int)rnd(r) >> (v & 31);
        ps2mouse_move(w->more[1], dx, dy, (int8_t)(v >> 16) / 16, v >> 4 & 31);
    }
}

static void modem(void *ctx, bool dtr, bool rts, bool brk)
{
    world_pin(ctx, 103, dtr);
    world_pin(ctx, 104, rts);
    world_pin(ctx, 105, brk);
}

bool build_uart(struct world *w, struct err *e)
{
    w->chip = add(w, &uart16550_class, "uart",
                  &(struct uart16550_config){.port = 0x3f8, .irq = pin(w, 4), .out = {text, w},
                                             .modem = modem, .ctx = w}, e);
    return true;
}

void poke_uart(struct world *w, struct rng *r)
{
    uint32_t v = rnd(r);

    switch (v & 7) {
    case 0:
        uart16550_modem(w->chip, v >> 8 & 0xf0);
        break;
    case 1:
        uart16550_receive_error(w->chip, (uint8_t)(v >> 8), v >> 16 & 0x1c);
        break;
    default:
        if (uart16550_can_receive(w->chip)) {
            uart16550_receive(w->chip, (uint8_t)(v >> 8));
        }
        break;
    }
}

bool build_parallel(struct world *w, struct err *e)
{
    w->chip =
        add(w, &parallel_class, "lpt", &(struct parallel_config){0x378, pin(w, 7), {text, w}}, e);
    return true;
}

bool build_fdc(struct world *w, struct err *e)
{
    struct fdc82077_config c = {
        .port = 0x3f0, .irq = pin(w, 6), .dma = dma_line(w, 2),
        .drive = {{true, disk(w, 0, 2880, false)}, {true, disk(w, 1, 720, false)}}};

    w->chip = add(w, &fdc82077_class, "fdc", &c, e);
    w->peripheral = fdc82077_dma(w->chip);
    return true;
}

/* The second drive is emptied or gets its disk back. */
static void swap(struct world *w, bool (*set)(struct device *, unsigned, struct block *))
{
    world_answer(w);
    if (set(w->chip, 1, w->out ? &w->disk[1].b : NULL)) {
        w->out = !w->out;
    }
}

void poke_fdc(struct world *w, struct rng *r)
{
    if (one_in(r, 200)) {
        swap(w, fdc82077_set_media);
    } else {
        dma_grant(w, r);
    }
}

bool build_ide(struct world *w, struct err *e)
{
    struct ide_config c = {
        .command_port = 0x1f0, .control_port = 0x3f6, .irq = pin(w, 14),
        .unit = {{.kind = IDE_DISK, .block = disk(w, 0, 5000, false)},
                 {.kind = IDE_CDROM, .block = disk(w, 1, 4001, true)}}};
    struct ide_pci_config p = {.slot = SLOT_SOUTH};

    w->disk[1].b.cd = &fuzz_disc;
    w->more[0] = add(w, &pci_class, "pci", NULL, e);
    w->chip = add(w, &ide_class, "ide0", &c, e);
    p.pci = w->more[0];
    p.channel[0] = w->chip;
    add(w, &ide_pci_class, "ide_pci", &p, e);
    return true;
}

void poke_ide(struct world *w, struct rng *r)
{
    if (one_in(r, 200)) {
        swap(w, ide_set_media);
    } else if (one_in(r, 16)) {
        world_pin(w, 106, ide_media_locked(w->chip, 1));
    }
}

static void chip_reset(void *to, bool hard)
{
    world_pin(to, 107, hard);
}

bool build_pci(struct world *w, struct err *e)
{
    struct i440fx_config host = {
        .ram = w->ram, .ram_size = WORLD_RAM, .reset = chip_reset, .reset_to = w};
    struct piix3_config isa = {.slot = SLOT_SOUTH, .reset = chip_reset, .reset_to = w};

    w->chip = host.pci = isa.pci = add(w, &pci_class, "pci", NULL, e);
    for (unsigned n = 0; n < 16; n++) {
        isa.irq[n] = pin(w, n);
    }
    add(w, &i440fx_class, "i440fx", &host, e);
    add(w, &piix3_class, "piix3", &isa, e);
    return true;
}

bool build_pm(struct world *w, struct err *e)
{
    struct piix4_pm_config c = {.slot = SLOT_SOUTH, .sci = pin(w, 9), .power_off = call,
                                .power_off_to = w, .gpe0_port = 0xafe0};

    c.pci = add(w, &pci_class, "pci", NULL, e);
    w->chip = add(w, &piix4_pm_class, "pm", &c, e);
    return true;
}

void poke_pm(struct world *w, struct rng *r)
{
    if (one_in(r, 4)) {
        piix4_pm_power_button(w->chip);
    }
}

bool build_vga(struct world *w, struct err *e)
{
    static const uint8_t rom[8192] = {0x55, 0xaa, 16};
    struct vga_pci_config p = {.devfn = PCI_DEVFN(SLOT_VGA, 0), .rom = rom, .rom_size = sizeof rom};

    p.pci = add(w, &pci_class, "pci", NULL, e);
    w->chip = p.vga =
        add(w, &vga_class, "vga", &(struct vga_config){.vram_size = 2u << 20, .irq = pin(w, 9)}, e);
    add(w, &vga_pci_class, "vga_pci", &p, e);
    return true;
}

/* Drawing may change nothing that the guest sees: what is drawn stays out of `seen`. */
void poke_vga(struct world *w, struct rng *r)
{
    struct text_screen t;

    if (one_in(r, 64)) {
        vga_update(w->chip);
    } else if (one_in(r, 8)) {
        vga_text(w->chip, &t);
    }
}

static void net_out(struct net *n, const uint8_t *frame, size_t len)
{
    struct world *w = CONTAINER_OF(n, struct world, net);

    for (size_t k = 0; k < len; k++) {
        world_pin(w, frame[k], true);
    }
}

static const struct net_ops net_ops = {net_out};

bool build_nic(struct world *w, struct err *e)
{
    static const uint8_t rom[2048] = {0x55, 0xaa, 4};
    struct ne2000_config c = {
        .mac = {2, 0, 0, 0, 0, 1}, .port = 0x300, .irq = pin(w, 9), .net = &w->net};
    struct ne2000_pci_config p = {
        .devfn = PCI_DEVFN(SLOT_NIC, 0), .rom = rom, .rom_size = sizeof rom};

    w->net.ops = &net_ops;
    w->chip = add(w, &ne2000_class, "isa", &c, e);
    c.port = 0;
    c.rtl8029 = true;
    w->more[0] = p.nic = add(w, &ne2000_class, "nic", &c, e);
    p.pci = add(w, &pci_class, "pci", NULL, e);
    add(w, &ne2000_pci_class, "nic_pci", &p, e);
    return true;
}

void poke_nic(struct world *w, struct rng *r)
{
    uint8_t frame[NET_FRAME_MAX];
    size_t len = one_in(r, 2) ? 60 + below(r, 200) : 60 + below(r, NET_FRAME_MAX - 59);
    struct device *d = rnd(r) & 1 ? w->chip : w->more[0];

    memset(frame, (int)rnd(r), sizeof frame);
    frame[0] = (uint8_t)below(r, 4);
    frame[5] = 1;
    if (one_in(r, 2)) {
        memcpy(frame, "\2\0\0\0\0\1", 6);
    }
    switch (below(r, 8)) {
    case 0:
        ne2000_set_link(d, rnd(r) & 7);
        break;
    case 1:
        ne2000_receive_damaged(d, frame, len, 1 + below(r, 3));
        break;
    default:
        ne2000_receive(d, frame, len);
        break;
    }
}

bool build_sb16(struct world *w, struct err *e)
{
    struct device *audio = add(w, &audio_class, "audio", &(struct audio_config){8000}, e);
    struct sb16_config c = {
        .port = 0x220,
        .mpu_port = 0x330,
        .irq_select = 2,
        .dma_select = 0x22,
        .voice = {audio_connect(audio, AUDIO_CARD), audio_connect(audio, AUDIO_CARD)},
        .fm = audio_connect(audio, AUDIO_CARD),
        .midi = {text, w}};

    for (unsigned n = 0; n < 16; n++) {
        c.irq[n] = pin(w, n);
    }
    for (unsigned n = 0; n < 8; n++) {
        c.dma[n] = dma_line(w, n);
    }
    w->more[0] = audio;
    w->chip = add(w, &sb16_class, "sb16", &c, e);
    return true;
}

void poke_sb16(struct world *w, struct rng *r)
{
    static const uint8_t channel[] = {0, 1, 3, 5, 6, 7};

    w->peripheral = sb16_dma(w->chip, channel[below(r, sizeof channel)]);
    dma_grant(w, r);
    if (one_in(r, 64)) {
        poke_audio(w, r);
    }
}

bool build_opl(struct world *w, struct err *e)
{
    struct device *audio = add(w, &audio_class, "audio", &(struct audio_config){8000}, e);
    struct opl3_config c = {.window = {{0x388, 4}}, .out = audio_connect(audio, AUDIO_CARD)};
    struct opl3_config old = {
        .ym3812 = true, .window = {{0x228, 2}}, .out = audio_connect(audio, AUDIO_BOARD)};

    w->more[0] = audio;
    w->chip = add(w, &opl3_class, "opl3", &c, e);
    add(w, &opl3_class, "opl2", &old, e);
    return true;
}

void poke_audio(struct world *w, struct rng *r)
{
    int16_t frames[512];

    audio_read(w->more[0], frames, below(r, 257));
}

static void eoi(void *to, uint8_t vector)
{
    world_pin(to, 5000u + vector, true);
}

bool build_lapic(struct world *w, struct err *e)
{
    w->chip = add(
        w, &lapic_class, "lapic",
        &(struct lapic_config){
            .intr = pin(w, 0), .nmi = call, .smi = call, .init = call, .eoi = eoi, .to = w,
            .bus_hz = 100000000},
        e);
    lapic_set_base(w->chip, LAPIC_BASE_RESET, false);
    return true;
}

void poke_lapic(struct world *w, struct rng *r)
{
    uint32_t v = rnd(r);
    uint8_t vector = 0;

    switch (v & 7) {
    case 0:
        lapic_lint(w->chip, v >> 8 & 1, v & 0x200);
        break;
    case 1:
        lapic_set_base(w->chip, LAPIC_BASE_RESET | (v & 0x100 ? 0 : v >> 16), v & 0x1000);
        break;
    case 2:
    case 3:
        world_pin(w, 6000, lapic_inta(w->chip, &vector));
        world_pin(w, 6000u + vector, true);
        break;
    default:
        world_pin(w, 6001, lapic_message(w->chip, &(struct apic_message){
            .dest = (uint8_t)(v >> 8 & 1), .logical = v & 0x200, .mode = v >> 10 & 7,
            .vector = (uint8_t)(v >> 16), .level = v & 0x2000}));
        break;
    }
}

static bool apic_send(void *to, const struct apic_message *m)
{
    world_pin(to, 7000u + (m->vector | (unsigned)m->dest << 8 | (unsigned)m->mode << 16), m->level);
    return m->vector & 1;
}

bool build_ioapic(struct world *w, struct err *e)
{
    w->chip = add(w, &ioapic_class, "ioapic",
                  &(struct ioapic_config){.base = 0xfec00000, .send = apic_send, .to = w}, e);
    return true;
}

void poke_ioapic(struct world *w, struct rng *r)
{
    uint32_t v = rnd(r);

    if (v & 3) {
        ioapic_irq(w->chip, (v >> 8) % IOAPIC_PINS, v & 4);
    } else {
        ioapic_eoi(w->chip, (uint8_t)(v >> 8));
    }
}

bool build_hpet(struct world *w, struct err *e)
{
    w->chip = add(w, &hpet_class, "hpet",
                  &(struct hpet_config){.base = 0xfed00000, .pin = world_pin, .isa = world_pin,
                                        .legacy = call_level, .to = w}, e);
    return true;
}

bool build_fwcfg(struct world *w, struct err *e)
{
    w->chip = add(w, &fwcfg_class, "fwcfg", &(struct fwcfg_config){0x510, 0x514}, e);
    return fwcfg_add_u64(w->chip, FWCFG_RAM_SIZE, 1 << 20) &&
           fwcfg_add_file(w->chip, "etc/a", "abc", 3) && fwcfg_add_file(w->chip, "etc/b", "", 0);
}

static uint32_t get_reg(void *ctx, enum vmport_reg n)
{
    return ((struct world *)ctx)->reg[n];
}

static void set_reg(void *ctx, enum vmport_reg n, uint32_t v)
{
    ((struct world *)ctx)->reg[n] = v;
    world_pin(ctx, n << 8 | (v & 0xff), true);
}

bool build_vmport(struct world *w, struct err *e)
{
    w->chip = add(w, &vmport_class, "vmport",
                  &(struct vmport_config){0x5658, get_reg, set_reg, call, w}, e);
    return true;
}

void poke_vmport(struct world *w, struct rng *r)
{
    uint32_t v = rnd(r);

    if (v & 1) {
        vmport_place(w->chip, v >> 8 & 0x1ffff, v >> 12, (int8_t)(v >> 3), v >> 4 & 31);
    } else {
        vmport_move(w->chip, (int)rnd(r), (int8_t)(v >> 12), (int8_t)(v >> 3), v >> 4 & 31);
    }
}

bool build_ports(struct world *w, struct err *e)
{
    const struct debugport_config log = {DEBUGPORT_LOG, 0x190, 0, {0}, call_word, w},
                                  con = {DEBUGPORT_CONSOLE, 0xe9, 0, {text, w}, NULL, NULL},
                                  off = {DEBUGPORT_SHUTDOWN, 0x8900, 0, {0}, call_word, w},
                                  end = {DEBUGPORT_EXIT, 0x501, 2, {0}, call_word, w};

    w->chip =
        add(w, &port92_class, "port92", &(struct port92_config){0x92, call_level, call, w}, e);
    add(w, &debugport_class, "log", &log, e);
    add(w, &debugport_class, "con", &con, e);
    add(w, &debugport_class, "off", &off, e);
    add(w, &debugport_class, "end", &end, e);
    w->more[0] = add(w, &speaker_class, "speaker",
                     &(struct speaker_config){.port = 0x61, .nmi = pin(w, 2)}, e);
    return true;
}

void poke_ports(struct world *w, struct rng *r)
{
    uint32_t v = rnd(r);

    if (v & 1) {
        speaker_serr(w->more[0]);
    } else if (v & 2) {
        speaker_iochk(w->more[0]);
    } else {
        speaker_out2(w->more[0], 0, v & 4);
    }
}
