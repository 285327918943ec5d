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

#define MB_MAGIC 0x1badb002u
#define MB_INFO 0x9000u     /* information structure and what it points to */
#define MB_INFO_END 0x10000u
#define MB_AOUT_KLUDGE (1u << 16)
#define MB_KLUDGE_END 32 /* of the header with load addresses */

enum { ELF_PHOFF = 28, ELF_ENTRY = 24, ELF_PHENTSIZE = 42, ELF_PHNUM = 44, ELF_MACHINE = 18 };

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

static bool check_linux(const struct loader *l, struct err *e)
{
    size_t setup = l->kernel[0x1f1] ? l->kernel[0x1f1] : 4;
    if (get16(l->kernel + 0x206) < 0x200 || !(l->kernel[0x211] & 1)) {
        return err_set(e, "-kernel: this Linux kernel is older than the bzImage format; boot it "
                          "from a disk image instead");
    }
    if (l->kernel_len <= (setup + 1) * 512) {
        return err_set(e, "-kernel: the Linux kernel is cut off");
    }
    uint32_t room = get16(l->kernel + 0x206) >= 0x206 ? get32(l->kernel + 0x238) : 255;
    if (strlen(l->cmdline) > room) {
        return err_set(e, "-append: this Linux kernel takes at most %u characters", (unsigned)room);
    }
    uint64_t size = l->kernel_len - (setup + 1) * 512;
    if (LINUX_KERNEL + size + l->initrd_len + 4 * TOP_RESERVE > l->ram_size) {
        return err_set(e, "-kernel and -initrd need more memory than the machine has; raise -m");
    }
    return true;
}

static bool check_multiboot(const struct loader *l, size_t header, struct err *e)
{
    bool elf = l->kernel_len > 52 && memcmp(l->kernel, "\177ELF\1\1", 6) == 0;
    bool kludge = get32(l->kernel + header + 4) & MB_AOUT_KLUDGE;
    if (kludge && header + MB_KLUDGE_END > l->kernel_len) {
        return err_set(e, "-kernel: the multiboot kernel is cut off");
    }
    if (!elf && !kludge) {
        return err_set(e, "-kernel: a multiboot kernel must be a 32-bit ELF file or carry load "
                          "addresses; this one does neither");
    }
    return true;
}

bool loader_init(struct loader *l, struct bus *mem, uint64_t ram_size, const void *kernel,
                 size_t kernel_len, const void *initrd, size_t initrd_len, const char *cmdline,
                 struct err *e)
{
    *l = (struct loader){.mem = mem, .ram_size = MIN(ram_size, (uint64_t)0xe0000000u)};
    if (!kernel) {
        if (initrd || cmdline) {
            return err_set(e, "%s needs -kernel", initrd ? "-initrd" : "-append");
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
    return err_set(e, "-kernel: the file is neither a Linux bzImage nor a multiboot kernel");
}

void loader_free(struct loader *l)
{
    free(l->kernel);
    free(l->initrd);
    free(l->cmdline);
    *l = (struct loader){0};
}

/* --- Linux ------------------------------------------------------------------------------------ */

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
    size_t setup = ((size_t)(l->kernel[0x1f1] ? l->kernel[0x1f1] : 4) + 1) * 512;
    uint8_t head[0x8000];
    size_t n = MIN(setup, sizeof head);
    uint16_t version = get16(l->kernel + 0x206);
    uint64_t initrd_max = version >= 0x203 ? get32(l->kernel + 0x22c) : 0x37ffffff;
    uint64_t top = MIN(l->ram_size - TOP_RESERVE, initrd_max + 1);
    uint32_t initrd = (uint32_t)((top - l->initrd_len) & ~(uint64_t)PAGE_MASK);

    memcpy(head, l->kernel, n);
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
        put32(head + 0x218, initrd);
        put32(head + 0x21c, (uint32_t)l->initrd_len);
        bus_write_block(l->mem, initrd, l->initrd, l->initrd_len);
    }
    bus_write_block(l->mem, LINUX_SETUP, head, n);
    bus_write_block(l->mem, cmdline, l->cmdline, cmdline_size);
    bus_write_block(l->mem, LINUX_KERNEL, l->kernel + setup, l->kernel_len - setup);
    l->answer[0] = LOADER_LINUX;
    l->answer[1] = LINUX_SETUP >> 4;
    l->answers = 2;
}

/* --- multiboot -------------------------------------------------------------------------------- */

/* Copies part of the file into memory; what does not fit in RAM is dropped. */
static void place(struct loader *l, uint32_t to, size_t from, uint32_t filesz, uint32_t memsz)
{
    static const uint8_t zero[PAGE_SIZE];
    if (to >= l->ram_size || from > l->kernel_len) {
        return;
    }
    uint64_t room = l->ram_size - to;
    uint64_t n = MIN(MIN((uint64_t)filesz, (uint64_t)(l->kernel_len - from)), room);
    bus_write_block(l->mem, to, l->kernel + from, n);
    for (uint64_t p = n; p < MIN((uint64_t)memsz, room); p += PAGE_SIZE) {
        bus_write_block(l->mem, to + p, zero,
                        MIN((uint64_t)PAGE_SIZE, MIN((uint64_t)memsz, room) - p));
    }
}

/* Returns the entry point; *end is the end of the kernel in memory. */
static uint32_t place_elf(struct loader *l, uint32_t *end)
{
    const uint8_t *k = l->kernel;
    uint32_t phoff = get32(k + ELF_PHOFF), entry = get32(k + ELF_ENTRY);
    unsigned size = get16(k + ELF_PHENTSIZE), count = get16(k + ELF_PHNUM);

    for (unsigned n = 0; n < count; n++) {
        uint64_t p = phoff + (uint64_t)n * size;
        if (size < 32 || p + 32 > l->kernel_len) {
            break;
        }
        const uint8_t *ph = k + p;
        if (get32(ph) != 1) { /* PT_LOAD */
            continue;
        }
        uint32_t vaddr = get32(ph + 8), paddr = get32(ph + 12), memsz = get32(ph + 20);
        place(l, paddr, get32(ph + 4), get32(ph + 16), memsz);
        if (get32(k + ELF_ENTRY) >= vaddr && get32(k + ELF_ENTRY) - vaddr < memsz) {
            entry = get32(k + ELF_ENTRY) - vaddr + paddr;
        }
        *end = MAX(*end, paddr + memsz);
    }
    return entry;
}

static uint32_t place_kludge(struct loader *l, size_t header, uint32_t *end)
{
    const uint8_t *h = l->kernel + header;
    uint32_t header_addr = get32(h + 12), load = get32(h + 16), load_end = get32(h + 20),
             bss_end = get32(h + 24);
    size_t from = header - (size_t)MIN((uint64_t)(header_addr - load), (uint64_t)header);
    uint32_t filesz = load_end ? load_end - load : (uint32_t)(l->kernel_len - from);
    uint32_t memsz = bss_end ? bss_end - load : filesz;

    place(l, load, from, filesz, MAX(filesz, memsz));
    *end = load + MAX(filesz, memsz);
    return get32(h + 28);
}

struct info {
    uint8_t bytes[MB_INFO_END - MB_INFO];
    uint32_t used;
};

static uint32_t info_put(struct info *f, const void *p, uint32_t n)
{
    uint32_t at = f->used;
    if (n > sizeof f->bytes - at) {
        return 0;
    }
    memcpy(f->bytes + at, p, n);
    f->used = (at + n + 3) & ~3u;
    return MB_INFO + at;
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

static void load_multiboot(struct loader *l)
{
    size_t header = multiboot_header(l);
    uint32_t end = 0, entry;
    bool kludge = get32(l->kernel + header + 4) & MB_AOUT_KLUDGE;
    struct info *f = calloc(1, sizeof *f);

    if (!f) {
        return;
    }
    entry = kludge ? place_kludge(l, header, &end) : place_elf(l, &end);
    f->used = 116;
    put32(f->bytes + 0, 1 | 4 | 64 | 512); /* memory, command line, map, loader name */
    put32(f->bytes + 4, 639);
    put32(f->bytes + 8, (uint32_t)((l->ram_size - 0x100000) >> 10));
    put32(f->bytes + 12, 0x8000ffff);
    put32(f->bytes + 16, info_put(f, l->cmdline, (uint32_t)strlen(l->cmdline) + 1));
    put32(f->bytes + 64, info_put(f, "oxbow", 6));
    if (l->initrd_len) {
        uint32_t at = (end + PAGE_MASK) & ~PAGE_MASK;
        uint8_t mod[16] = {0};
        bus_write_block(l->mem, at, l->initrd, l->initrd_len);
        put32(mod, at);
        put32(mod + 4, at + (uint32_t)l->initrd_len);
        put32(f->bytes + 0, get32(f->bytes) | 8);
        put32(f->bytes + 20, 1);
        put32(f->bytes + 24, info_put(f, mod, sizeof mod));
    }
    uint32_t map = f->used;
    mmap_entry(f, 0, 0x9fc00, 1);
    mmap_entry(f, 0x9fc00, 0x400, 2);
    mmap_entry(f, 0xf0000, 0x10000, 2);
    mmap_entry(f, 0x100000, l->ram_size - 0x100000, 1);
    put32(f->bytes + 44, f->used - map);
    put32(f->bytes + 48, MB_INFO + map);
    bus_write_block(l->mem, MB_INFO, f->bytes, f->used);
    free(f);
    l->answer[0] = LOADER_MULTIBOOT;
    l->answer[1] = entry;
    l->answer[2] = MB_INFO;
    l->answers = 3;
}

/* --- the port --------------------------------------------------------------------------------- */

static void port_write(void *dev, uint64_t off UNUSED, unsigned size UNUSED, uint64_t val UNUSED)
{
    struct loader *l = dev;
    l->next = l->answers = 0;
    if (l->kind == LOADER_LINUX) {
        load_linux(l);
    } else {
        load_multiboot(l);
    }
}

static uint64_t port_read(void *dev, uint64_t off UNUSED, unsigned size UNUSED)
{
    struct loader *l = dev;
    return l->next < MIN(l->answers, (uint32_t)ARRAY_LEN(l->answer)) ? l->answer[l->next++] : 0;
}

static const struct io_ops port_ops = {port_read, port_write, 4, 4, "loader"};

bool loader_map(struct loader *l, struct bus *io)
{
    return l->kind == LOADER_NONE || bus_map(io, LOADER_PORT, 4, &port_ops, l, PRIO_DEVICE) >= 0;
}
