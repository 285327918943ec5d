/*
 * Recognises images by contents: ISO 9660 (ECMA-119 8.4), the PC's boot sector and partition
 * table, the FAT parameter block, the Linux boot protocol's header, the multiboot header, and the
 * magic numbers of formats that are not raw.
 */
#include "gui/image.h"

#include <string.h>

#include "gui/hostfile.h"
#include "memory/bytes.h"

enum { SECTOR = 512, CD_SECTOR = 2048, CD_VOLUME = 16 * CD_SECTOR, HEAD = CD_VOLUME + CD_SECTOR };

struct head {
    uint8_t b[HEAD];
    size_t n;
};

static const struct {
    const char *magic;
    uint8_t len, at;
    const char *format;
} foreign[] = {
    {"QFI\xfb", 4, 0, "a QCOW2 disk image"},
    {"KDMV", 4, 0, "a VMDK disk image"},
    {"# Disk DescriptorFile", 21, 0, "the description of a VMDK disk image"},
    {"conectix", 8, 0, "a VHD disk image"},
    {"vhdxfile", 8, 0, "a VHDX disk image"},
    {"\x7f\x10\xda\xbe", 4, 0x40, "a VDI disk image"},
    {"\x1f\x8b", 2, 0, "compressed by gzip"},
    {"\xfd" "7zXZ", 5, 0, "compressed by xz"},
    {"BZh", 3, 0, "compressed by bzip2"},
    {"\x28\xb5\x2f\xfd", 4, 0, "compressed by zstd"},
    {"PK\x03\x04", 4, 0, "a ZIP archive"},
    {"7z\xbc\xaf", 4, 0, "a 7z archive"},
    {"OXBOWST\n", 8, 0, "a saved state; use -loadstate with the machine's options"},
};

static uint32_t at32(const struct head *h, size_t at)
{
    return at + 4 <= h->n ? get32(h->b + at) : 0;
}

static uint32_t at16(const struct head *h, size_t at)
{
    return at + 2 <= h->n ? get16(h->b + at) : 0;
}

static bool is_linux(const uint8_t *b, size_t n)
{
    return n >= 0x206 && memcmp(b + 0x202, "HdrS", 4) == 0 && b[0x1fe] == 0x55 && b[0x1ff] == 0xaa;
}

static bool is_multiboot(const uint8_t *b, size_t n)
{
    for (size_t at = 0; at + 12 <= MIN(n, (size_t)8192); at += 4) {
        if (get32(b + at) == 0x1badb002u &&
            get32(b + at) + get32(b + at + 4) + get32(b + at + 8) == 0) {
            return true;
        }
    }
    return false;
}

bool image_is_kernel(const uint8_t *data, size_t len)
{
    return is_linux(data, len) || is_multiboot(data, len);
}

static const char cue_sheet[] = "cue sheet";

/* Text with lines that every cue sheet has. */
static bool is_cue(const struct head *h)
{
    char text[HEAD + 1];

    for (size_t n = 0; n < h->n; n++) {
        char c = (char)h->b[n];

        if (c == 0) {
            return false;
        }
        text[n] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
    }
    text[h->n] = 0;
    return strstr(text, "FILE ") && strstr(text, "TRACK ") && strstr(text, "INDEX ");
}

static bool is_iso(const struct head *h)
{
    return h->n == HEAD && memcmp(h->b + CD_VOLUME + 1, "CD001", 5) == 0;
}

static bool has_signature(const struct head *h)
{
    return h->n >= SECTOR && h->b[510] == 0x55 && h->b[511] == 0xaa;
}

/* End of the last partition in sectors; 0: there is no partition table. */
static uint64_t partitions_end(const struct head *h)
{
    uint64_t end = 0;

    if (!has_signature(h)) {
        return 0;
    }
    for (unsigned n = 0; n < 4; n++) {
        const uint8_t *p = h->b + 446 + n * 16;
        uint32_t start = get32(p + 8), count = get32(p + 12);

        if (p[0] & 0x7f) {
            return 0;
        }
        /* Type EEh protects a GPT and may claim all there could be. */
        if (p[4] && p[4] != 0xee && start && count) {
            end = MAX(end, (uint64_t)start + count);
        }
    }
    return end;
}

/*
 * Sectors according to a FAT boot sector; 0: it is none, or nothing but the boot program of a disk
 * whose tables and files were left out.
 */
static uint64_t fat_sectors(const struct head *h, uint64_t bytes)
{
    uint32_t per_cluster = h->n > 13 ? h->b[13] : 0, media = h->n > 21 ? h->b[21] : 0;
    uint64_t total, per_fat, meta;

    if (!has_signature(h) || (h->b[0] != 0xeb && h->b[0] != 0xe9) || at16(h, 11) != SECTOR ||
        per_cluster == 0 || (per_cluster & (per_cluster - 1)) || at16(h, 14) == 0 ||
        h->b[16] == 0 || h->b[16] > 2 || (media != 0xf0 && media < 0xf8)) {
        return 0;
    }
    total = at16(h, 19) ? at16(h, 19) : at32(h, 32);
    per_fat = at16(h, 22) ? at16(h, 22) : at32(h, 36);
    meta = at16(h, 14) + h->b[16] * per_fat + at16(h, 17) / 16;
    return bytes % SECTOR == 0 && bytes / SECTOR <= meta ? 0 : total;
}

uint64_t image_floppy_sectors(uint64_t sectors)
{
    static const uint16_t formats[] = {320,  360,  640,  720,  1440, 1600,
                                       2400, 2880, 3360, 3444, 5760};

    for (unsigned n = 0; n < ARRAY_LEN(formats); n++) {
        if (sectors == formats[n]) {
            return sectors;
        }
    }
    return sectors <= 2880 ? 2880 : sectors <= 5760 ? 5760 : 0;
}

static bool is_floppy_size(uint64_t bytes)
{
    return bytes % SECTOR == 0 && image_floppy_sectors(bytes / SECTOR) == bytes / SECTOR;
}

static void look_at_disk(const struct head *h, struct image_info *info)
{
    uint64_t end = partitions_end(h), fat = fat_sectors(h, info->bytes);

    if (is_floppy_size(info->bytes) || (fat && is_floppy_size(fat * SECTOR))) {
        info->kind = IMAGE_FLOPPY;
        info->detail = has_signature(h) ? "with a boot sector" : "without a boot sector";
        info->need = fat * SECTOR;
    } else if (end) {
        info->kind = IMAGE_DISK;
        info->detail = "with a partition table";
        info->need = end * SECTOR;
    } else if (has_signature(h)) {
        info->kind = info->bytes < 2880 * SECTOR ? IMAGE_FLOPPY : IMAGE_DISK;
        info->detail = "with a boot sector";
        info->need = fat * SECTOR;
    }
}

bool image_look(const char *path, struct image_info *info, struct err *e)
{
    struct head h;
    long n;

    *info = (struct image_info){0};
    n = hostfile_peek(path, 0, h.b, sizeof h.b, &info->bytes, e);
    if (n < 0) {
        return false;
    }
    if (n == 0) {
        return err_set(e, "%s: the file is empty; name an image with contents", path);
    }
    h.n = (size_t)n;
    for (unsigned k = 0; k < ARRAY_LEN(foreign); k++) {
        if (h.n >= (size_t)foreign[k].at + foreign[k].len &&
            memcmp(h.b + foreign[k].at, foreign[k].magic, foreign[k].len) == 0) {
            info->format = foreign[k].format;
        }
    }
    if (is_iso(&h)) {
        info->kind = IMAGE_CD;
        info->detail = "ISO 9660";
        info->need = (uint64_t)at32(&h, CD_VOLUME + 80) * CD_SECTOR;
    } else if (is_cue(&h)) {
        info->kind = IMAGE_CD;
        info->detail = cue_sheet;
    } else if (is_linux(h.b, h.n)) {
        info->kind = IMAGE_KERNEL;
        info->detail = "Linux bzImage";
    } else if (is_multiboot(h.b, h.n)) {
        info->kind = IMAGE_KERNEL;
        info->detail = "multiboot";
    } else {
        look_at_disk(&h, info);
    }
    return true;
}

bool image_is_cue(const char *path)
{
    struct image_info info;

    return image_look(path, &info, NULL) && info.detail == cue_sheet;
}

const char *image_kind_name(enum image_kind kind)
{
    static const char *const name[] = {"unknown", "floppy", "disk", "CD", "kernel"};

    return name[kind];
}

bool image_check(const char *path, bool raw, struct err *e)
{
    struct image_info info;

    if (!image_look(path, &info, e)) {
        return false;
    }
    if (info.format && !raw) {
        return strchr(info.format, ';')
                   ? err_set(e, "%s: this is %s", path, info.format)
                   : err_set(e, "%s: this is %s; unpack or convert it to a raw image "
                                "(qemu-img convert -O raw)", path, info.format);
    }
    if (info.bytes < SECTOR && info.kind != IMAGE_CD) {
        return err_set(e, "%s: only %llu bytes, less than one sector; the image is truncated", path,
                       (unsigned long long)info.bytes);
    }
    if (info.need > info.bytes) {
        return err_set(e, "%s: truncated, it has %llu of the %llu bytes that it speaks of; fetch "
                          "it again", path, (unsigned long long)info.bytes,
                       (unsigned long long)info.need);
    }
    return true;
}
