/*
 * Random traffic on chips: what the engine (fuzz_chips.c), the single chips (fuzz_single.c) and the
 * sequences that drivers would write (fuzz_play.c) share.
 *
 * A world is a chip with two buses and a scheduler of its own, or a whole board.  Everything that
 * is done to a world follows from a generator's state, so the same seed does the same again; what
 * its registers answer, and what it drives, goes into `seen`.
 */
#ifndef OXBOW_TESTS_FUZZ_CHIPS_H
#define OXBOW_TESTS_FUZZ_CHIPS_H

#include "devices/cd_layout.h"
#include "devices/device.h"
#include "devices/dma_port.h"
#include "devices/irq.h"
#include "oxbow.h"
#include "tests/fuzz.h"

enum { WORLD_RAM = 1 << 20, WORLD_DISKS = 2 };

struct fuzz_disk {
    struct block b;
    uint8_t *data;
    struct block_req *waiting;
    bool late; /* keeps a request until somebody waits for it */
};

struct world {
    struct bus *mem, *io;
    struct sched *sched;
    struct oxbow *board; /* NULL: a single chip, which has what follows */
    struct device_env env;
    struct log log;
    uint8_t *ram;
    struct fuzz_disk disk[WORLD_DISKS];
    struct device *chip, *more[3];
    struct dma_peripheral peripheral;
    struct net net; /* the cable */
    bool dma_asked;
    uint32_t reg[6]; /* of the CPU, as far as a device sees them */
    bool out; /* the second disk is not in its drive */
    uint64_t seen, ops;
};

/* Ports or memory that a chip answers. */
struct fuzz_span {
    bool mem;
    uint32_t base, len;
};

/* Values that mean something at a port: commands. */
struct fuzz_words {
    uint16_t port;
    uint8_t n;
    uint8_t value[40];
};

struct fuzz_chip {
    const char *name;
    struct fuzz_span span[8];
    struct fuzz_words words[3];
    bool (*build)(struct world *w, struct err *e);        /* alone; NULL: only on the board */
    /* its pins and cables, alone; may be NULL */
    void (*poke)(struct world *w, struct rng *r);
    /* a sequence as a driver writes it; may be NULL */
    void (*play)(struct world *w, struct rng *r);
};

/* Ends with a chip without a name. */
extern const struct fuzz_chip fuzz_chips[];

uint64_t world_read(struct world *w, bool mem, uint32_t addr, unsigned size);
void world_write(struct world *w, bool mem, uint32_t addr, unsigned size, uint64_t v);
void world_time(struct world *w, uint64_t ns);
static inline uint8_t wi8(struct world *w, unsigned port)
{
    return (uint8_t)world_read(w, false, port, 1);
}
static inline void wo8(struct world *w, unsigned port, unsigned v)
{
    world_write(w, false, port, 1, v & 0xff);
}
/* A register of a PCI function. */
void world_pci_write(struct world *w, unsigned devfn, unsigned reg, unsigned size, uint32_t v);
/* Late block requests are answered now. */
void world_answer(struct world *w);
/* A pin's level, for what is seen; a setter of struct irq_line. */
void world_pin(void *to, unsigned n, bool level);

/* A disc of 800 frames with data, audio and mode 2. */
extern const struct cd_layout fuzz_disc;

/* Where the board's and the single chips' base addresses are put. */
enum {
    AT_BUSMASTER = 0xc000, AT_PM = 0x600, AT_SMBUS = 0x700, AT_NIC = 0xc100,
};
#define AT_LFB 0xe0000000u
#define AT_VGA_MMIO 0xe1000000u
/* Slots of the board's functions. */
enum { SLOT_SOUTH = 1, SLOT_VGA = 2, SLOT_NIC = 3 };
void world_pci_setup(struct world *w);

bool build_pic(struct world *w, struct err *e);
bool build_pit(struct world *w, struct err *e);
bool build_dma(struct world *w, struct err *e);
bool build_rtc(struct world *w, struct err *e);
bool build_kbc(struct world *w, struct err *e);
bool build_uart(struct world *w, struct err *e);
bool build_parallel(struct world *w, struct err *e);
bool build_fdc(struct world *w, struct err *e);
bool build_ide(struct world *w, struct err *e);
bool build_pci(struct world *w, struct err *e);
bool build_pm(struct world *w, struct err *e);
bool build_vga(struct world *w, struct err *e);
bool build_nic(struct world *w, struct err *e);
bool build_sb16(struct world *w, struct err *e);
bool build_opl(struct world *w, struct err *e);
bool build_lapic(struct world *w, struct err *e);
bool build_ioapic(struct world *w, struct err *e);
bool build_hpet(struct world *w, struct err *e);
bool build_fwcfg(struct world *w, struct err *e);
bool build_vmport(struct world *w, struct err *e);
bool build_ports(struct world *w, struct err *e);

void poke_pic(struct world *w, struct rng *r);
void poke_dma(struct world *w, struct rng *r);
void poke_kbc(struct world *w, struct rng *r);
void poke_uart(struct world *w, struct rng *r);
void poke_fdc(struct world *w, struct rng *r);
void poke_ide(struct world *w, struct rng *r);
void poke_pm(struct world *w, struct rng *r);
void poke_vga(struct world *w, struct rng *r);
void poke_nic(struct world *w, struct rng *r);
void poke_sb16(struct world *w, struct rng *r);
void poke_audio(struct world *w, struct rng *r);
void poke_lapic(struct world *w, struct rng *r);
void poke_ioapic(struct world *w, struct rng *r);
void poke_vmport(struct world *w, struct rng *r);
void poke_ports(struct world *w, struct rng *r);

void play_dma(struct world *w, struct rng *r);
void play_fdc(struct world *w, struct rng *r);
void play_ide(struct world *w, struct rng *r);
void play_vga(struct world *w, struct rng *r);
void play_nic(struct world *w, struct rng *r);
void play_sb16(struct world *w, struct rng *r);
void play_vmport(struct world *w, struct rng *r);

#endif
