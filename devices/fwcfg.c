/*
 * Firmware configuration device: selector, data port and DMA interface of QEMU's fw_cfg.
 *
 * The selector is a 16-bit write to the first port, data are byte reads of the second.  The DMA
 * address register is big-endian; writing its last byte starts the transfer.  Its first piece is
 * done at once, which is all of what firmware moves as a rule; the rest comes in pieces over
 * virtual time, so that no access is dear for the host (R7).  The descriptor's control word stays
 * as the guest wrote it until the end; every user of the interface polls it.
 * Invariant: reading past the end of an item, or an item that is not there, gives zeros.
 */
#include "devices/fwcfg.h"

#include <stdlib.h>
#include <string.h>

#include "memory/bytes.h"

enum { KEYS = 0x80, ARCH_KEYS = 0x20, NAME_LEN = 56, DIR_ENTRY = 64 };
enum { KEY_MASK = 0x3fff, KEY_ARCH = 0x8000 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };
enum { ID_TRADITIONAL = 1, ID_DMA = 2, DMA_DESCRIPTOR = 16, DMA_REG = 8 };
/* Zeros that one DMA command writes beyond an item's end before it is refused. */
enum { MAX_ZEROS = 16 << 20 };
/* What is moved at a time, and the time it takes: a gigabyte a second. */
enum { DMA_PIECE = 65536, DMA_PIECE_NS = 65536, ZERO_PIECE = 4096 };

struct item {
    const uint8_t *data;
    uint8_t *owned; /* to be freed */
    uint32_t len;
};

struct fwcfg {
    struct device dev;
    struct item item[KEYS], arch[ARCH_KEYS];
    unsigned files;
    uint16_t key;
    uint32_t offset;
    uint8_t dma[DMA_REG]; /* address register, big-endian */
    /* The transfer that goes on, dma_left bytes of it; reads of the data port don't disturb it. */
    struct event piece;
    uint64_t dma_desc, dma_to;
    uint32_t dma_left, dma_offset;
    uint16_t dma_key;
};

static const uint8_t dma_signature[DMA_REG] = {'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G'};

static struct item *find_item(struct fwcfg *f, unsigned key)
{
    unsigned n = key & KEY_MASK;

    if (key & KEY_ARCH) {
        return n < ARCH_KEYS ? &f->arch[n] : NULL;
    }
    return n < KEYS ? &f->item[n] : NULL;
}

bool fwcfg_add_ref(struct device *d, unsigned key, const void *data, uint32_t len)
{
    struct item *it = find_item((struct fwcfg *)d, key);

    if (!it) {
        return false;
    }
    free(it->owned);
    *it = (struct item){data, NULL, len};
    return true;
}

bool fwcfg_add(struct device *d, unsigned key, const void *data, uint32_t len)
{
    struct item *it = find_item((struct fwcfg *)d, key);
    uint8_t *copy = malloc(len ? len : 1);

    if (!it || !copy) {
        free(copy);
        return false;
    }
    if (len) {
        memcpy(copy, data, len);
    }
    free(it->owned);
    *it = (struct item){copy, copy, len};
    return true;
}

bool fwcfg_add_u16(struct device *d, unsigned key, uint16_t v)
{
    uint8_t b[2];

    put16(b, v);
    return fwcfg_add(d, key, b, sizeof b);
}

bool fwcfg_add_u32(struct device *d, unsigned key, uint32_t v)
{
    uint8_t b[4];

    put32(b, v);
    return fwcfg_add(d, key, b, sizeof b);
}

bool fwcfg_add_u64(struct device *d, unsigned key, uint64_t v)
{
    uint8_t b[8];

    put64(b, v);
    return fwcfg_add(d, key, b, sizeof b);
}

static void put_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put_be32(uint8_t *p, uint32_t v)
{
    put_be16(p, (uint16_t)(v >> 16));
    put_be16(p + 2, (uint16_t)v);
}

static uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t get_be64(const uint8_t *p)
{
    return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

bool fwcfg_add_file(struct device *d, const char *name, const void *data, uint32_t len)
{
    struct fwcfg *f = (struct fwcfg *)d;
    struct item *dir = &f->item[FWCFG_FILE_DIR];
    unsigned key = FWCFG_FILE_FIRST + f->files, i;
    uint8_t *list, *entry;

    if (strlen(name) >= NAME_LEN || key >= KEYS) {
        return false;
    }
    for (i = 0; i < f->files; i++) {
        if (strcmp((const char *)dir->data + 4 + i * DIR_ENTRY + 8, name) == 0) {
            return false;
        }
    }
    list = realloc(dir->owned, 4 + (f->files + 1) * DIR_ENTRY);
    if (!list) {
        return false;
    }
    dir->data = dir->owned = list;
    put_be32(list, f->files);
    if (!fwcfg_add(d, key, data, len)) {
        return false;
    }
    entry = list + 4 + f->files * DIR_ENTRY;
    memset(entry, 0, DIR_ENTRY);
    put_be32(entry, len);
    put_be16(entry + 4, (uint16_t)key);
    memcpy(entry + 8, name, strlen(name));
    f->files++;
    put_be32(list, f->files);
    dir->len = 4 + f->files * DIR_ENTRY;
    return true;
}

static void select_key(struct fwcfg *f, uint16_t key)
{
    f->key = key;
    f->offset = 0;
}

/* What is left of an item from an offset on. */
static uint32_t item_left(struct fwcfg *f, uint16_t key, uint32_t offset, const uint8_t **data)
{
    const struct item *it = find_item(f, key);

    if (!it || offset >= it->len) {
        return 0;
    }
    *data = it->data + offset;
    return it->len - offset;
}

static uint8_t read_byte(struct fwcfg *f)
{
    const uint8_t *data;

    if (item_left(f, f->key, f->offset, &data) == 0) {
        return 0;
    }
    f->offset++;
    return data[0];
}

/* Moves the offset of the selected item, but not past its end. */
static void skip(struct fwcfg *f, uint32_t len)
{
    const uint8_t *data;
    uint32_t left = item_left(f, f->key, f->offset, &data);

    f->offset += MIN(left, len);
}

/* The descriptor's control word when all is done. */
static void dma_result(struct fwcfg *f, uint64_t desc, uint32_t value)
{
    uint8_t result[4];

    put_be32(result, value);
    bus_write_block(f->dev.env->mem, desc, result, sizeof result);
}

/* The next piece of the transfer: of the item, then zeros. */
static void dma_piece(struct fwcfg *f)
{
    static const uint8_t zeros[ZERO_PIECE];
    uint32_t todo = MIN(f->dma_left, (uint32_t)DMA_PIECE);

    f->dma_left -= todo;
    while (todo) {
        const uint8_t *data = zeros;
        uint32_t n = item_left(f, f->dma_key, f->dma_offset, &data);

        n = MIN(n ? n : (uint32_t)ZERO_PIECE, todo);
        bus_write_block(f->dev.env->mem, f->dma_to, data, n);
        f->dma_offset += data == zeros ? 0 : n;
        f->dma_to += n;
        todo -= n;
    }
    if (f->dma_left) {
        event_at(f->dev.env->sched, &f->piece, sched_after_ns(f->dev.env->sched, DMA_PIECE_NS));
    } else {
        dma_result(f, f->dma_desc, 0);
    }
}

static void dma_event(void *arg, uint64_t now UNUSED)
{
    dma_piece(arg);
}

static void dma_start(struct fwcfg *f, uint64_t desc, uint64_t to, uint32_t len)
{
    const uint8_t *data;
    uint32_t left = item_left(f, f->key, f->offset, &data);

    if (len > left && len - left > MAX_ZEROS) {
        dma_result(f, desc, DMA_ERROR);
        return;
    }
    f->dma_desc = desc;
    f->dma_to = to;
    f->dma_left = len;
    f->dma_key = f->key;
    f->dma_offset = f->offset;
    skip(f, len);
    dma_piece(f);
}

/* Descriptor in guest memory: control, length, address, all big-endian. */
static void dma_run(struct fwcfg *f, uint64_t desc)
{
    uint8_t d[DMA_DESCRIPTOR];
    uint32_t control, len;

    bus_read_block(f->dev.env->mem, desc, d, sizeof d);
    control = get_be32(d);
    len = get_be32(d + 4);
    if (event_pending(&f->piece)) {
        dma_result(f, desc, DMA_ERROR); /* one at a time */
        return;
    }
    if (control & DMA_SELECT) {
        select_key(f, (uint16_t)(control >> 16));
    }
    if (control & DMA_READ) {
        dma_start(f, desc, get_be64(d + 8), len);
        return;
    }
    if ((control & DMA_SKIP) && !(control & DMA_WRITE)) {
        skip(f, len);
    }
    dma_result(f, desc, control & DMA_WRITE ? DMA_ERROR : 0);
}

static uint64_t fwcfg_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    return off == 1 ? read_byte(dev) : 0xff;
}

static void fwcfg_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    if (off == 0 && size == 2) {
        select_key(dev, (uint16_t)val);
    }
}

static uint64_t fwcfg_dma_read(void *dev UNUSED, uint64_t off, unsigned size)
{
    return get_n(dma_signature + off, size);
}

static void fwcfg_dma_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct fwcfg *f = dev;

    put_n(f->dma + off, size, val);
    if (off + size == DMA_REG) {
        uint64_t desc = get_be64(f->dma);

        memset(f->dma, 0, sizeof f->dma);
        dma_run(f, desc);
    }
}

static const struct io_ops fwcfg_ops = {fwcfg_read, fwcfg_write, 1, 2, "fw_cfg"};
static const struct io_ops fwcfg_dma_ops = {fwcfg_dma_read, fwcfg_dma_write, 1, 8, "fw_cfg dma"};

static void fwcfg_free(struct device *d)
{
    struct fwcfg *f = (struct fwcfg *)d;
    unsigned i;

    for (i = 0; i < KEYS; i++) {
        free(f->item[i].owned);
    }
    for (i = 0; i < ARCH_KEYS; i++) {
        free(f->arch[i].owned);
    }
}

static bool fwcfg_init(struct device *d, const void *config, struct err *e)
{
    static const uint8_t no_files[4];
    struct fwcfg *f = (struct fwcfg *)d;
    const struct fwcfg_config *c = config;

    event_init(d->env->sched, &f->piece, "fwcfg/dma", dma_event, f);
    if (bus_map(d->env->io, c->port, 2, &fwcfg_ops, f, PRIO_DEVICE) < 0 ||
        bus_map(d->env->io, c->dma_port, DMA_REG, &fwcfg_dma_ops, f, PRIO_DEVICE) < 0) {
        return err_set(e, "%s: out of memory", d->id);
    }
    if (!fwcfg_add_ref(d, FWCFG_SIGNATURE, dma_signature, 4) ||
        !fwcfg_add_u32(d, FWCFG_ID, ID_TRADITIONAL | ID_DMA) ||
        !fwcfg_add_ref(d, FWCFG_FILE_DIR, no_files, sizeof no_files)) {
        return err_set(e, "%s: out of memory", d->id);
    }
    return true;
}

static void fwcfg_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct fwcfg *f = (struct fwcfg *)d;

    select_key(f, 0);
    memset(f->dma, 0, sizeof f->dma);
    event_cancel(f->dev.env->sched, &f->piece);
    f->dma_left = 0;
}

static const struct snap_field fwcfg_state[] = {
    SNAP_F(struct fwcfg, key, SNAP_U16),
    SNAP_F(struct fwcfg, offset, SNAP_U32),
    SNAP_ARRAY(struct fwcfg, dma, SNAP_BYTES),
    SNAP_SINCE(struct fwcfg, dma_desc, SNAP_U64, 2),
    SNAP_SINCE(struct fwcfg, dma_to, SNAP_U64, 2),
    SNAP_SINCE(struct fwcfg, dma_left, SNAP_U32, 2),
    SNAP_SINCE(struct fwcfg, dma_offset, SNAP_U32, 2),
    SNAP_SINCE(struct fwcfg, dma_key, SNAP_U16, 2),
    SNAP_END,
};

const struct device_class fwcfg_class = {
    .name = "fwcfg",
    .size = sizeof(struct fwcfg),
    .init = fwcfg_init,
    .reset = fwcfg_reset,
    .free = fwcfg_free,
    .state = fwcfg_state,
    .state_version = 2,
};
