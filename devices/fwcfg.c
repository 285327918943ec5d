/*
 * Firmware configuration device: selector, data port and DMA interface of QEMU's fw_cfg.
 *
 * The selector is a 16-bit write to the first port, data are byte reads of the second.  The DMA
 * address register is big-endian; writing its last byte starts the transfer, which is done at once.
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
/* Zeros that one DMA command writes beyond an item's end before it is refused (R7). */
enum { MAX_ZEROS = 16 << 20, ZERO_PIECE = 4096 };

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

/* What is left of the selected item. */
static uint32_t item_left(struct fwcfg *f, const uint8_t **data)
{
    const struct item *it = find_item(f, f->key);

    if (!it || f->offset >= it->len) {
        return 0;
    }
    *data = it->data + f->offset;
    return it->len - f->offset;
}

static uint8_t read_byte(struct fwcfg *f)
{
    const uint8_t *data;

    if (item_left(f, &data) == 0) {
        return 0;
    }
    f->offset++;
    return data[0];
}

/* Copies len bytes of the item to guest memory; false: too far beyond its end. */
static bool dma_copy(struct fwcfg *f, uint64_t addr, uint32_t len)
{
    static const uint8_t zeros[ZERO_PIECE];
    const uint8_t *data = NULL;
    uint32_t n = item_left(f, &data);

    n = MIN(n, len);
    if (len - n > MAX_ZEROS) {
        return false;
    }
    if (n) {
        bus_write_block(f->dev.env->mem, addr, data, n);
        f->offset += n;
        addr += n;
        len -= n;
    }
    while (len) {
        n = MIN(len, (uint32_t)ZERO_PIECE);
        bus_write_block(f->dev.env->mem, addr, zeros, n);
        addr += n;
        len -= n;
    }
    return true;
}

/* Descriptor in guest memory: control, length, address, all big-endian. */
static void dma_run(struct fwcfg *f, uint64_t desc)
{
    struct bus *mem = f->dev.env->mem;
    uint8_t d[DMA_DESCRIPTOR], result[4];
    uint32_t control, len;
    bool ok = true;

    bus_read_block(mem, desc, d, sizeof d);
    control = get_be32(d);
    len = get_be32(d + 4);
    if (control & DMA_SELECT) {
        select_key(f, (uint16_t)(control >> 16));
    }
    if (control & DMA_READ) {
        ok = dma_copy(f, get_be64(d + 8), len);
    } else if (control & DMA_WRITE) {
        ok = false;
    } else if (control & DMA_SKIP) {
        const uint8_t *data;
        uint32_t left = item_left(f, &data);

        f->offset += MIN(left, len);
    }
    put_be32(result, ok ? 0 : DMA_ERROR);
    bus_write_block(mem, desc, result, sizeof result);
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
}

static const struct snap_field fwcfg_state[] = {
    SNAP_F(struct fwcfg, key, SNAP_U16),
    SNAP_F(struct fwcfg, offset, SNAP_U32),
    SNAP_ARRAY(struct fwcfg, dma, SNAP_BYTES),
    SNAP_END,
};

const struct device_class fwcfg_class = {
    .name = "fwcfg",
    .size = sizeof(struct fwcfg),
    .init = fwcfg_init,
    .reset = fwcfg_reset,
    .free = fwcfg_free,
    .state = fwcfg_state,
    .state_version = 1,
};
