/*
 * Direct kernel boot: parses the kernel at configuration time, places it when the option ROM asks.
 */
#include "devices/loader.h"

#include <stdlib.h>
#include <string.h>

#include "memory/bytes.h"

/* Linux: where the real-mode part, the command line and the rest go (boot.rst, "memory map"). */
#define LINUX_SETUP 0x10000u
#define LINUX_CMDLINE 0x20000u
/*
 * Offsets from the real-mode part: the end of its heap, and the command line of protocols before
 * 2.02, which must lie in the segment and in what the kernel moves to 90000h.
 */
#define LINUX_HEAP_END 0xe000u
#define LINUX_OLD_CMDLINE 0x9800u
#define LINUX_KERNEL 0x100000u
/* Firmware keeps its tables at the top of memory: the initial RAM disk stays below. */
#define TOP_RESERVE 0x100000u

/* A setup part and a command line that leave what lies above them alone. */
#define LINUX_SETUP_MAX LINUX_OLD_CMDLINE
#define LINUX_CMDLINE_MAX 0xffffu
/* Protocols before 2.10 do not say how much a kernel needs to unpack itself. */
#define LINUX_WORK 0x300000u

#define MB_MAGIC 0x1badb002u
#define MB_UNKNOWN 0xfff8u /* requirements after page alignment, memory and video mode */
#define MB_AOUT_KLUDGE (1u << 16)
#define MB_KLUDGE_END 32 /* of the header with load addresses */
/*
 * Where the stack, the information structure and what it points to go by preference, and the end of
 * what they may have below 640 KB: network ROMs take memory from there.
 */
#define MB_BLOCK 0x9000u
#define MB_BLOCK_LOWEST 0x1000u
#define MB_BLOCK_END 0x90000u
#define MB_STACK 0x400u
#define MB_INFO_SIZE 116u
#define BASE_END 0x9fc00u /* where the extended BIOS data area starts */
#define BDA_BASE_KB 0x413u
#define MEMORY_1M 0x100000u
/* A module and the information structure stay clear of the firmware's tables. */
#define MB_TOP_RESERVE 0x40000u

enum { ELF_PHOFF = 28, ELF_ENTRY = 24, ELF_PHENTSIZE = 42, ELF_PHNUM = 44, ELF_PHDR = 32 };

static bool is_linux(const struct loader *l)
{
    return l->kernel_len > 0x400 && get16(l->kernel + 0x1fe) == 0xaa55 &&
           memcmp(l->kernel + 0x202, "HdrS", 4) == 0;
}

/* Offset of the multiboot header, or SIZE_MAX. */
static size_t multiboot_header(const struct loader *l)
{
    size_t end = MIN(l->kernel_len, (size_t)8192);
    for (size_t p = 0; p + 12 <= end; p += 4) {
        if (get32(l->kernel + p) == MB_MAGIC &&
            get32(l->kernel + p) + get32(l->kernel + p + 4) + get32(l->kernel + p + 8) == 0) {
            return p;
        }
    }
    return SIZE_MAX;
}

static bool too_big(struct err *e)
{
    return err_set(e, "ram_mb: the kernel and its RAM disk need more memory than the machine has");
}

/* --- Linux ------------------------------------------------------------------------------------ */

static size_t linux_setup_size(const struct loader *l)
{
    return ((size_t)(l->kernel[0x1f1] ? l->kernel[0x1f1] : 4) + 1) * 512;
}

/* Up to here a kernel uses memory before it knows its RAM disk. */
static uint64_t linux_end(const struct loader *l)
{
    uint64_t size = l->kernel_len - linux_setup_size(l);

    if (get16(l->kernel + 0x206) < 0x20a) {
        return LINUX_KERNEL + size + LINUX_WORK;
    }
    uint64_t preferred = get64(l->kernel + 0x258), start = MAX(preferred, (uint64_t)LINUX_KERNEL);
    return MAX(LINUX_KERNEL + size, MIN(start, l->ram_size) + get32(l->kernel + 0x260));
}

/* The RAM disk lies as high as the kernel can reach. */
static bool place_initrd(struct loader *l, struct err *e)
{
    uint16_t version = get16(l->kernel + 0x206);
    uint64_t reach = version >= 0x203 ? get32(l->kernel + 0x22c) : 0x37ffffff;
    uint64_t top = MIN(l->ram_size - MIN(l->ram_size, (uint64_t)TOP_RESERVE), reach + 1);
    uint64_t end = linux_end(l), at = (top - MIN(top, l->initrd_len)) & ~(uint64_t)PAGE_MASK;

    l->initrd_at = (uint32_t)at;
    if (l->initrd_len ? end <= at : end <= l->ram_size) {
        return true;
    }
    return top == reach + 1 && end + l->initrd_len + TOP_RESERVE <= l->ram_size
               ? err_set(e, "initrd: this Linux kernel takes a RAM disk that ends below %llu MB, "
                            "and this one is too large for that", (unsigned long long)(top >> 20))
               : too_big(e);
}

static bool check_linux(struct loader *l, struct err *e)
{
    size_t setup = linux_setup_size(l);
    uint16_t version = get16(l->kernel + 0x206);
    if (version < 0x200 || !(l->kernel[0x211] & 1)) {
        return err_set(e, "kernel: this Linux kernel is older than the bzImage format; boot it "
                          "from a disk image instead");
    }
    if (l->kernel_len <= setup) {
        return err_set(e, "kernel: the Linux kernel is cut off");
    }
    if (setup > LINUX_SETUP_MAX) {
        return err_set(e, "kernel: the setup part of this Linux kernel has %zu bytes and the boot "
                          "protocol has room for %u", setup, LINUX_SETUP_MAX);
    }
    uint32_t room = version >= 0x206 ? MIN(get32(l->kernel + 0x238), LINUX_CMDLINE_MAX) : 255;
    if (strlen(l->cmdline) > room) {
        return err_set(e, "append: this Linux kernel takes at most %u characters", (unsigned)room);
    }
    return place_initrd(l, e);
}

/*
 * The vga= word of the command line is for the boot loader (boot.rst, "special command line
 * options").
 */
static uint16_t video_mode(const char *cmdline)
{
    const char *p = strstr(cmdline, "vga=");
    if (!p) {
        return 0xffff; /* normal */
    }
    p += 4;
    if (strncmp(p, "normal", 6) == 0) {
        return 0xffff;
    }
    if (strncmp(p, "ext", 3) == 0) {
        return 0xfffe;
    }
    if (strncmp(p, "ask", 3) == 0) {
        return 0xfffd;
    }
    return (uint16_t)strtoul(p, NULL, 0);
}

static void load_linux(struct loader *l)
{
    size_t setup = linux_setup_size(l);
    uint8_t head[LINUX_SETUP_MAX];
    uint16_t version = get16(l->kernel + 0x206);

    memcpy(head, l->kernel, setup);
    head[0x210] = 0xff; /* loader without an assigned number */
    head[0x211] |= 0x80; /* heap_end_ptr is valid */
    put16(head + 0x1fa, video_mode(l->cmdline));
    uint32_t cmdline_size = (uint32_t)strlen(l->cmdline) + 1;
    uint32_t cmdline = LINUX_CMDLINE;
    if (version >= 0x202) {
        put16(head + 0x224, LINUX_HEAP_END - 0x200);
        put32(head + 0x228, cmdline);
    } else {
        cmdline = LINUX_SETUP + LINUX_OLD_CMDLINE;
        put16(head + 0x224, LINUX_OLD_CMDLINE - 0x200);
        put16(head + 0x20, 0xa33f);
        put16(head + 0x22, LINUX_OLD_CMDLINE);
        put16(head + 0x212, (uint16_t)(LINUX_OLD_CMDLINE + cmdline_size));
    }
    if (l->initrd_len) {
        put32(head + 0x218, l->initrd_at);
        put32(head + 0x21c, (uint32_t)l->initrd_len);
        bus_write_block(l->mem, l->initrd_at, l->initrd, l->initrd_len);
    }
    bus_write_block(l->mem, LINUX_SETUP, head, setup);
    bus_write_block(l->mem, cmdline, l->cmdline, cmdline_size);
    bus_write_block(l->mem, LINUX_KERNEL, l->kernel + setup, l->kernel_len - setup);
    l->answer[0] = LOADER_LINUX;
    l->answer[1] = LINUX_SETUP >> 4;
    l->answers = 2;
}

/* --- multiboot: what goes where --------------------------------------------------------------- */

static uint64_t part_end(const struct loader_part *p)
{
    return (uint64_t)p->to + p->memsz;
}

/*
 * One more piece of the kernel: bytes of the file, then zeros.  It must lie in memory that a kernel
 * may have, and all of them together in what there is of it.
 */
static bool add_part(struct loader *l, uint32_t to, uint64_t from, uint32_t filesz, uint32_t memsz,
                     struct err *e)
{
    struct loader_part part = {to, MAX(filesz, memsz), filesz,
                               l->kernel + MIN(from, l->kernel_len)};
    uint64_t end = part_end(&part), sum = part.memsz;

    if (part.memsz == 0) {
        return true;
    }
    if (from > l->kernel_len || filesz > l->kernel_len - from) {
        return err_set(e, "kernel: the multiboot kernel is cut off");
    }
    if (l->parts == LOADER_PARTS - 1) { /* one is for the module */
        return err_set(e, "kernel: the multiboot kernel has more than %d segments",
                       LOADER_PARTS - 1);
    }
    for (unsigned n = 0; n < l->parts; n++) {
        sum += l->part[n].memsz;
    }
    if ((to < MEMORY_1M && end > BASE_END) || end > l->ram_size || sum > l->ram_size) {
        return err_set(e, "kernel: the multiboot kernel wants to lie at %Xh to %llXh, and there "
                          "is no memory for it", (unsigned)to, (unsigned long long)(end - 1));
    }
    l->part[l->parts++] = part;
    return true;
}

static bool plan_elf(struct loader *l, struct err *e)
{
    const uint8_t *k = l->kernel;
    uint32_t phoff = get32(k + ELF_PHOFF), entry = get32(k + ELF_ENTRY);
    unsigned size = get16(k + ELF_PHENTSIZE), count = get16(k + ELF_PHNUM);

    l->entry = entry;
    for (unsigned n = 0; n < count; n++) {
        uint64_t p = phoff + (uint64_t)n * size;
        if (size < ELF_PHDR || p + ELF_PHDR > l->kernel_len) {
            return err_set(e, "kernel: the multiboot kernel is cut off");
        }
        const uint8_t *ph = k + p;
        if (get32(ph) != 1) { /* PT_LOAD */
            continue;
        }
        uint32_t vaddr = get32(ph + 8), paddr = get32(ph + 12), memsz = get32(ph + 20);
        if (!add_part(l, paddr, get32(ph + 4), get32(ph + 16), memsz, e)) {
            return false;
        }
        if (entry >= vaddr && entry - vaddr < memsz) {
            l->entry = entry - vaddr + paddr;
        }
    }
    return true;
}

static bool plan_kludge(struct loader *l, size_t header, struct err *e)
{
    const uint8_t *h = l->kernel + header;
    uint32_t header_addr = get32(h + 12), load = get32(h + 16), load_end = get32(h + 20),
             bss_end = get32(h + 24);

    if (header_addr < load || header_addr - load > header || (load_end && load_end < load) ||
        (bss_end && bss_end < MAX(load, load_end))) {
        return err_set(e, "kernel: the load addresses of the multiboot kernel contradict each "
                          "other");
    }
    size_t from = header - (header_addr - load);
    uint64_t filesz = load_end ? load_end - load : l->kernel_len - from;
    l->entry = get32(h + 28);
    return add_part(l, load, from, (uint32_t)MIN(filesz, (uint64_t)UINT32_MAX),
                    bss_end ? bss_end - load : 0, e);
}

/* The lowest page-aligned place from `from` on and below `end` that no part touches; 0: none. */
static uint32_t find_room(const struct loader *l, uint64_t from, uint64_t end, uint64_t size)
{
    uint64_t at = from;

    for (bool moved = true; moved;) {
        moved = false;
        for (unsigned n = 0; n < l->parts; n++) {
            const struct loader_part *p = &l->part[n];
            if (at < part_end(p) && p->to < at + size) {
                at = (part_end(p) + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
                moved = true;
            }
        }
    }
    return at + size <= end ? (uint32_t)at : 0;
}

/* After the kernel and above 1 MB, or where there is room below. */
static uint32_t room_above(const struct loader *l, uint64_t size)
{
    uint64_t from = MEMORY_1M;

    for (unsigned n = 0; n < l->parts; n++) {
        from = MAX(from, (part_end(&l->part[n]) + PAGE_MASK) & ~(uint64_t)PAGE_MASK);
    }
    return find_room(l, from, l->ram_size - MIN(l->ram_size, (uint64_t)MB_TOP_RESERVE), size);
}

static uint32_t room_below(const struct loader *l, uint64_t size)
{
    uint32_t at = find_room(l, MB_BLOCK, MB_BLOCK_END, size);

    return at ? at : find_room(l, MB_BLOCK_LOWEST, MB_BLOCK_END, size);
}

/* Information structure, strings, list of one module and memory map. */
static uint32_t info_size(const struct loader *l)
{
    return MB_INFO_SIZE + (((uint32_t)strlen(l->cmdline) + 4) & ~3u) + 8 + 16 + 4 * 24;
}

static bool check_multiboot(struct loader *l, size_t header, struct err *e)
{
    bool elf = l->kernel_len > 52 && memcmp(l->kernel, "\177ELF\1\1", 6) == 0;
    uint32_t flags = get32(l->kernel + header + 4);
    bool kludge = flags & MB_AOUT_KLUDGE;
    if (kludge && header + MB_KLUDGE_END > l->kernel_len) {
        return err_set(e, "kernel: the multiboot kernel is cut off");
    }
    if (!elf && !kludge) {
        return err_set(e, "kernel: a multiboot kernel must be a 32-bit ELF file or carry load "
                          "addresses; this one does neither");
    }
    if (flags & MB_UNKNOWN) {
        return err_set(e, "kernel: the multiboot kernel asks for something unknown (flags %Xh)",
                       (unsigned)flags);
    }
    if (!(kludge ? plan_kludge(l, header, e) : plan_elf(l, e))) {
        return false;
    }
    if (l->initrd_len) {
        uint32_t at = room_above(l, l->initrd_len);
        at = at ? at : room_below(l, l->initrd_len);
        if (!at) {
            return too_big(e);
        }
        l->initrd_at = at;
        l->part[l->parts++] = (struct loader_part){
            at, (uint32_t)l->initrd_len, (uint32_t)l->initrd_len, l->initrd};
    }
    uint64_t size = (uint64_t)MB_STACK + info_size(l);
    l->block = room_below(l, size);
    l->block = l->block ? l->block : room_above(l, size);
    return l->block || too_big(e);
}

/* --- life ------------------------------------------------------------------------------------- */

bool loader_init(struct loader *l, struct bus *mem, uint64_t ram_size, const void *kernel,
                 size_t kernel_len, const void *initrd, size_t initrd_len, const char *cmdline,
                 struct err *e)
{
    *l = (struct loader){.mem = mem, .ram_size = MIN(ram_size, (uint64_t)0xe0000000u)};
    if (!kernel) {
        if (initrd || cmdline) {
            return err_set(e, "%s: this needs a kernel", initrd ? "initrd" : "append");
        }
        return true;
    }
    l->kernel = malloc(kernel_len ? kernel_len : 1);
    l->initrd = malloc(initrd_len ? initrd_len : 1);
    l->cmdline = calloc(1, cmdline ? strlen(cmdline) + 1 : 1);
    if (!l->kernel || !l->initrd || !l->cmdline) {
        return err_set(e, "not enough memory for the kernel");
    }
    memcpy(l->kernel, kernel, kernel_len);
    l->kernel_len = kernel_len;
    if (initrd) {
        memcpy(l->initrd, initrd, initrd_len);
        l->initrd_len = initrd_len;
    }
    if (cmdline) {
        memcpy(l->cmdline, cmdline, strlen(cmdline));
    }
    size_t header = multiboot_header(l);
    if (is_linux(l)) {
        l->kind = LOADER_LINUX;
        return check_linux(l, e);
    }
    if (header != SIZE_MAX) {
        l->kind = LOADER_MULTIBOOT;
        return check_multiboot(l, header, e);
    }
    return err_set(e, "kernel: the file is neither a Linux bzImage nor a multiboot kernel");
}

void loader_free(struct loader *l)
{
    free(l->kernel);
    free(l->initrd);
    free(l->cmdline);
    *l = (struct loader){0};
}

/* --- multiboot: loading ----------------------------------------------------------------------- */

static void place(struct loader *l, const struct loader_part *p)
{
    static const uint8_t zero[PAGE_SIZE];

    bus_write_block(l->mem, p->to, p->src, p->filesz);
    for (uint32_t n = p->filesz; n < p->memsz; n += MIN((uint32_t)PAGE_SIZE, p->memsz - n)) {
        bus_write_block(l->mem, (uint64_t)p->to + n, zero, MIN((uint32_t)PAGE_SIZE, p->memsz - n));
    }
}

struct info {
    uint8_t *bytes;
    uint32_t base, used, size;
};

/* Address of a copy of n bytes. */
static uint32_t info_put(struct info *f, const void *p, uint32_t n)
{
    uint32_t at = f->used;

    memcpy(f->bytes + at, p, MIN(n, f->size - at));
    f->used = MIN((at + n + 3) & ~3u, f->size);
    return f->base + at;
}

static void mmap_entry(struct info *f, uint64_t base, uint64_t len, uint32_t type)
{
    uint8_t b[24];
    put32(b, 20);
    put64(b + 4, base);
    put64(b + 12, len);
    put32(b + 20, type);
    info_put(f, b, sizeof b);
}

static void put_info(const struct loader *l, struct info *f, uint32_t base_kb)
{
    f->used = MB_INFO_SIZE;
    put32(f->bytes + 0, 1 | 4 | 64 | 512); /* memory, command line, map, loader name */
    put32(f->bytes + 4, base_kb);
    put32(f->bytes + 8, (uint32_t)((l->ram_size - MEMORY_1M) >> 10));
    put32(f->bytes + 12, 0x8000ffff);
    put32(f->bytes + 16, info_put(f, l->cmdline, (uint32_t)strlen(l->cmdline) + 1));
    put32(f->bytes + 64, info_put(f, "oxbow", 6));
    if (l->initrd_len) {
        uint8_t mod[16] = {0};
        put32(mod, l->initrd_at);
        put32(mod + 4, l->initrd_at + (uint32_t)l->initrd_len);
        put32(f->bytes + 0, get32(f->bytes) | 8);
        put32(f->bytes + 20, 1);
        put32(f->bytes + 24, info_put(f, mod, sizeof mod));
    }
    uint32_t map = f->used;
    mmap_entry(f, 0, base_kb << 10, 1);
    mmap_entry(f, base_kb << 10, 0xa0000 - (base_kb << 10), 2);
    mmap_entry(f, 0xf0000, 0x10000, 2);
    mmap_entry(f, MEMORY_1M, l->ram_size - MEMORY_1M, 1);
    put32(f->bytes + 44, f->used - map);
    put32(f->bytes + 48, f->base + map);
}

static void load_multiboot(struct loader *l)
{
    struct info f = {.base = l->block + MB_STACK, .size = info_size(l)};
    /* What firmware and ROMs left; the kernel may come to lie over the place that says it. */
    uint32_t base_kb = (uint32_t)bus_read(l->mem, BDA_BASE_KB, 2);

    f.bytes = calloc(1, f.size);
    if (!f.bytes) {
        return;
    }
    for (unsigned n = 0; n < l->parts; n++) {
        place(l, &l->part[n]);
    }
    put_info(l, &f, base_kb >= 512 && base_kb < 640 ? base_kb : BASE_END >> 10);
    bus_write_block(l->mem, f.base, f.bytes, f.used);
    free(f.bytes);
    l->answer[0] = LOADER_MULTIBOOT;
    l->answer[1] = l->entry;
    l->answer[2] = f.base;
    l->answers = 3;
}

/* --- the port --------------------------------------------------------------------------------- */

/*
 * Copying takes virtual time: so long after a load another one gives the same answers and copies
 * nothing, or a loop of writes would keep the host busy and the guest's clock at a standstill (R7).
 * A warm start in firmware alone, without a reset, comes later than that and finds a fresh kernel.
 */
static void load(struct loader *l)
{
    uint64_t bytes = (uint64_t)l->kernel_len + l->initrd_len;

    for (unsigned n = 0; n < l->parts; n++) {
        bytes += l->part[n].memsz;
    }
    if (sched_now(l->sched) >= l->again) {
        if (l->kind == LOADER_LINUX) {
            load_linux(l);
        } else {
            load_multiboot(l);
        }
        memcpy(l->start, l->answer, sizeof l->start);
        l->starts = l->answers;
        l->again = sched_after_ns(l->sched, bytes); /* a gigabyte a second */
    }
    memcpy(l->answer, l->start, sizeof l->answer);
    l->answers = l->starts;
}

static void port_write(void *dev, uint64_t off UNUSED, unsigned size UNUSED, uint64_t val)
{
    struct loader *l = dev;
    l->next = l->answers = 0;
    if (val == LOADER_ASK_KIND) {
        l->answer[0] = l->kind;
        l->answers = 1;
    } else {
        load(l);
    }
}

static uint64_t port_read(void *dev, uint64_t off UNUSED, unsigned size UNUSED)
{
    struct loader *l = dev;
    return l->next < MIN(l->answers, (uint32_t)ARRAY_LEN(l->answer)) ? l->answer[l->next++] : 0;
}

static const struct io_ops port_ops = {port_read, port_write, 4, 4, "loader"};

bool loader_map(struct loader *l, struct bus *io, const struct sched *sched)
{
    l->sched = sched;
    return l->kind == LOADER_NONE || bus_map(io, LOADER_PORT, 4, &port_ops, l, PRIO_DEVICE) >= 0;
}

void loader_reset(struct loader *l)
{
    l->again = 0;
}
