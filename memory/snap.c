/*
 * Snapshot stream: writer, reader, CRC-32 and state hash; the layout is in snap.h.
 *
 * The writer keeps everything in one growing buffer and is sticky on lack of memory.  The reader
 * trusts nothing: every length is checked against what is there, and a read past a section gives
 * zeros and a sticky failure that snap_close reports.
 */
#include "memory/snap.h"

#include <stdlib.h>
#include <string.h>

#include "memory/bytes.h"

enum {
    FORMAT_VERSION = 1,
    FILE_HEADER = 8,
    NAME_LEN = 24,
    OFF_VERSION = 24,
    OFF_LENGTH = 28,
    OFF_CRC = 32,
    SECTION_HEADER = 36
};

static const uint8_t magic[4] = {'O', 'X', 'S', 'N'};

/* CRC-32 of IEEE 802.3, reflected polynomial EDB88320h, one entry per byte value. */
static const uint32_t crc_table[256] = {
    0x00000000, 0x77073096, 0xee0e612c, 0x990951ba, 0x076dc419, 0x706af48f, 0xe963a535, 0x9e6495a3,
    0x0edb8832, 0x79dcb8a4, 0xe0d5e91e, 0x97d2d988, 0x09b64c2b, 0x7eb17cbd, 0xe7b82d07, 0x90bf1d91,
    0x1db71064, 0x6ab020f2, 0xf3b97148, 0x84be41de, 0x1adad47d, 0x6ddde4eb, 0xf4d4b551, 0x83d385c7,
    0x136c9856, 0x646ba8c0, 0xfd62f97a, 0x8a65c9ec, 0x14015c4f, 0x63066cd9, 0xfa0f3d63, 0x8d080df5,
    0x3b6e20c8, 0x4c69105e, 0xd56041e4, 0xa2677172, 0x3c03e4d1, 0x4b04d447, 0xd20d85fd, 0xa50ab56b,
    0x35b5a8fa, 0x42b2986c, 0xdbbbc9d6, 0xacbcf940, 0x32d86ce3, 0x45df5c75, 0xdcd60dcf, 0xabd13d59,
    0x26d930ac, 0x51de003a, 0xc8d75180, 0xbfd06116, 0x21b4f4b5, 0x56b3c423, 0xcfba9599, 0xb8bda50f,
    0x2802b89e, 0x5f058808, 0xc60cd9b2, 0xb10be924, 0x2f6f7c87, 0x58684c11, 0xc1611dab, 0xb6662d3d,
    0x76dc4190, 0x01db7106, 0x98d220bc, 0xefd5102a, 0x71b18589, 0x06b6b51f, 0x9fbfe4a5, 0xe8b8d433,
    0x7807c9a2, 0x0f00f934, 0x9609a88e, 0xe10e9818, 0x7f6a0dbb, 0x086d3d2d, 0x91646c97, 0xe6635c01,
    0x6b6b51f4, 0x1c6c6162, 0x856530d8, 0xf262004e, 0x6c0695ed, 0x1b01a57b, 0x8208f4c1, 0xf50fc457,
    0x65b0d9c6, 0x12b7e950, 0x8bbeb8ea, 0xfcb9887c, 0x62dd1ddf, 0x15da2d49, 0x8cd37cf3, 0xfbd44c65,
    0x4db26158, 0x3ab551ce, 0xa3bc0074, 0xd4bb30e2, 0x4adfa541, 0x3dd895d7, 0xa4d1c46d, 0xd3d6f4fb,
    0x4369e96a, 0x346ed9fc, 0xad678846, 0xda60b8d0, 0x44042d73, 0x33031de5, 0xaa0a4c5f, 0xdd0d7cc9,
    0x5005713c, 0x270241aa, 0xbe0b1010, 0xc90c2086, 0x5768b525, 0x206f85b3, 0xb966d409, 0xce61e49f,
    0x5edef90e, 0x29d9c998, 0xb0d09822, 0xc7d7a8b4, 0x59b33d17, 0x2eb40d81, 0xb7bd5c3b, 0xc0ba6cad,
    0xedb88320, 0x9abfb3b6, 0x03b6e20c, 0x74b1d29a, 0xead54739, 0x9dd277af, 0x04db2615, 0x73dc1683,
    0xe3630b12, 0x94643b84, 0x0d6d6a3e, 0x7a6a5aa8, 0xe40ecf0b, 0x9309ff9d, 0x0a00ae27, 0x7d079eb1,
    0xf00f9344, 0x8708a3d2, 0x1e01f268, 0x6906c2fe, 0xf762575d, 0x806567cb, 0x196c3671, 0x6e6b06e7,
    0xfed41b76, 0x89d32be0, 0x10da7a5a, 0x67dd4acc, 0xf9b9df6f, 0x8ebeeff9, 0x17b7be43, 0x60b08ed5,
    0xd6d6a3e8, 0xa1d1937e, 0x38d8c2c4, 0x4fdff252, 0xd1bb67f1, 0xa6bc5767, 0x3fb506dd, 0x48b2364b,
    0xd80d2bda, 0xaf0a1b4c, 0x36034af6, 0x41047a60, 0xdf60efc3, 0xa867df55, 0x316e8eef, 0x4669be79,
    0xcb61b38c, 0xbc66831a, 0x256fd2a0, 0x5268e236, 0xcc0c7795, 0xbb0b4703, 0x220216b9, 0x5505262f,
    0xc5ba3bbe, 0xb2bd0b28, 0x2bb45a92, 0x5cb36a04, 0xc2d7ffa7, 0xb5d0cf31, 0x2cd99e8b, 0x5bdeae1d,
    0x9b64c2b0, 0xec63f226, 0x756aa39c, 0x026d930a, 0x9c0906a9, 0xeb0e363f, 0x72076785, 0x05005713,
    0x95bf4a82, 0xe2b87a14, 0x7bb12bae, 0x0cb61b38, 0x92d28e9b, 0xe5d5be0d, 0x7cdcefb7, 0x0bdbdf21,
    0x86d3d2d4, 0xf1d4e242, 0x68ddb3f8, 0x1fda836e, 0x81be16cd, 0xf6b9265b, 0x6fb077e1, 0x18b74777,
    0x88085ae6, 0xff0f6a70, 0x66063bca, 0x11010b5c, 0x8f659eff, 0xf862ae69, 0x616bffd3, 0x166ccf45,
    0xa00ae278, 0xd70dd2ee, 0x4e048354, 0x3903b3c2, 0xa7672661, 0xd06016f7, 0x4969474d, 0x3e6e77db,
    0xaed16a4a, 0xd9d65adc, 0x40df0b66, 0x37d83bf0, 0xa9bcae53, 0xdebb9ec5, 0x47b2cf7f, 0x30b5ffe9,
    0xbdbdf21c, 0xcabac28a, 0x53b39330, 0x24b4a3a6, 0xbad03605, 0xcdd70693, 0x54de5729, 0x23d967bf,
    0xb3667a2e, 0xc4614ab8, 0x5d681b02, 0x2a6f2b94, 0xb40bbe37, 0xc30c8ea1, 0x5a05df1b, 0x2d02ef8d,
};

uint32_t snap_crc32(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *s = p;

    crc = ~crc;
    while (n--) {
        crc = crc >> 8 ^ crc_table[(crc ^ *s++) & 0xff];
    }
    return ~crc;
}

uint64_t snap_hash(uint64_t h, const void *p, size_t n)
{
    const uint8_t *s = p;

    while (n--) {
        h = (h ^ *s++) * 0x100000001b3ull;
    }
    return h;
}

/* Room for n more bytes; NULL when memory is short. */
static uint8_t *reserve(struct snap_writer *w, size_t n)
{
    if (w->failed) {
        return NULL;
    }
    if (n > w->cap - w->len) {
        size_t cap = w->cap ? w->cap : 4096;
        uint8_t *buf;

        while (cap - w->len < n) {
            if (cap > SIZE_MAX / 2) {
                w->failed = true;
                return NULL;
            }
            cap *= 2;
        }
        buf = realloc(w->buf, cap);
        if (!buf) {
            w->failed = true;
            return NULL;
        }
        w->buf = buf;
        w->cap = cap;
    }
    w->len += n;
    return w->buf + w->len - n;
}

void snap_writer_init(struct snap_writer *w)
{
    memset(w, 0, sizeof *w);
    w->section = SIZE_MAX;
    snap_put(w, magic, sizeof magic);
    snap_put_u32(w, FORMAT_VERSION);
}

void snap_writer_free(struct snap_writer *w)
{
    free(w->buf);
    memset(w, 0, sizeof *w);
    w->section = SIZE_MAX;
}

void snap_begin(struct snap_writer *w, const char *name, unsigned version)
{
    size_t at = w->len, n = strlen(name);
    uint8_t *p = reserve(w, SECTION_HEADER);

    if (!p) {
        return;
    }
    memset(p, 0, SECTION_HEADER);
    memcpy(p, name, MIN(n, (size_t)NAME_LEN - 1));
    put16(p + OFF_VERSION, (uint16_t)version);
    w->section = at;
}

void snap_end(struct snap_writer *w)
{
    uint8_t *p;
    size_t length;

    if (w->failed || w->section == SIZE_MAX) {
        return;
    }
    p = w->buf + w->section;
    length = w->len - w->section - SECTION_HEADER;
    if (length > UINT32_MAX) {
        w->failed = true;
        return;
    }
    put32(p + OFF_LENGTH, (uint32_t)length);
    put32(p + OFF_CRC, snap_crc32(0, p + SECTION_HEADER, length));
    w->section = SIZE_MAX;
}

void snap_put(struct snap_writer *w, const void *p, size_t n)
{
    uint8_t *to = reserve(w, n);

    if (to && n) {
        memcpy(to, p, n);
    }
}

void snap_put_u32(struct snap_writer *w, uint32_t v)
{
    uint8_t b[4];

    put32(b, v);
    snap_put(w, b, sizeof b);
}

void snap_put_u64(struct snap_writer *w, uint64_t v)
{
    uint8_t b[8];

    put64(b, v);
    snap_put(w, b, sizeof b);
}

static void put_element(uint8_t *to, const void *from, unsigned kind)
{
    switch (kind) {
    case SNAP_U16: {
        uint16_t v;
        memcpy(&v, from, sizeof v);
        put16(to, v);
        break;
    }
    case SNAP_U32: {
        uint32_t v;
        memcpy(&v, from, sizeof v);
        put32(to, v);
        break;
    }
    case SNAP_U64: {
        uint64_t v;
        memcpy(&v, from, sizeof v);
        put64(to, v);
        break;
    }
    case SNAP_BOOL: {
        bool v;
        memcpy(&v, from, sizeof v);
        put8(to, v);
        break;
    }
    default:
        put8(to, get8(from));
        break;
    }
}

static void get_element(const uint8_t *from, void *to, unsigned kind)
{
    switch (kind) {
    case SNAP_U16: {
        uint16_t v = get16(from);
        memcpy(to, &v, sizeof v);
        break;
    }
    case SNAP_U32: {
        uint32_t v = get32(from);
        memcpy(to, &v, sizeof v);
        break;
    }
    case SNAP_U64: {
        uint64_t v = get64(from);
        memcpy(to, &v, sizeof v);
        break;
    }
    case SNAP_BOOL: {
        bool v = get8(from) != 0;
        memcpy(to, &v, sizeof v);
        break;
    }
    default:
        put8(to, get8(from));
        break;
    }
}

static size_t host_size(unsigned kind)
{
    return kind == SNAP_BOOL ? sizeof(bool) : snap_kind_size(kind);
}

void snap_put_fields(struct snap_writer *w, const struct snap_field *f, const void *obj)
{
    for (; f->name; f++) {
        size_t size = snap_kind_size(f->kind);
        const uint8_t *from = (const uint8_t *)obj + f->off;
        uint8_t *to = reserve(w, size * f->count);
        uint32_t i;

        if (!to) {
            return;
        }
        for (i = 0; i < f->count; i++) {
            put_element(to + i * size, from + i * host_size(f->kind), f->kind);
        }
    }
}

/* Offset of the section `name` and its number in the stream; false: there is none. */
static bool find(const struct snap_reader *r, const char *name, size_t *at, size_t *number)
{
    char want[NAME_LEN] = {0};
    size_t pos = FILE_HEADER;

    memcpy(want, name, MIN(strlen(name), (size_t)NAME_LEN - 1));
    for (size_t n = 0; n < r->sections; n++) {
        if (memcmp(r->buf + pos, want, NAME_LEN) == 0) {
            *at = pos;
            *number = n;
            return true;
        }
        pos += SECTION_HEADER + get32(r->buf + pos + OFF_LENGTH);
    }
    return false;
}

/* Counts the sections; afterwards every header and payload is known to be there. */
static bool index_sections(struct snap_reader *r, struct err *e)
{
    size_t pos = FILE_HEADER, at, number;

    while (pos < r->len) {
        const uint8_t *h = r->buf + pos;
        if (r->len - pos < SECTION_HEADER ||
            get32(h + OFF_LENGTH) > r->len - pos - SECTION_HEADER) {
            return err_set(e, "the snapshot is cut short; use another copy");
        }
        if (h[NAME_LEN - 1] != 0 || r->sections == SNAP_SECTIONS ||
            find(r, (const char *)h, &at, &number)) {
            return err_set(e, "the snapshot's list of parts is damaged; use another copy");
        }
        r->sections++;
        pos += SECTION_HEADER + get32(h + OFF_LENGTH);
    }
    return true;
}

bool snap_reader_init(struct snap_reader *r, const void *buf, size_t len, struct err *e)
{
    memset(r, 0, sizeof *r);
    r->buf = buf;
    r->len = len;
    if (len < FILE_HEADER || memcmp(buf, magic, sizeof magic) != 0) {
        r->failed = true;
        return err_set(e, "this is not a snapshot of a machine; choose a file saved by oxbow");
    }
    if (get32(r->buf + 4) != FORMAT_VERSION) {
        r->failed = true;
        return err_set(e, "the snapshot has format %u and this oxbow reads format %u; "
                       "load it with the version that saved it",
                       (unsigned)get32(r->buf + 4), (unsigned)FORMAT_VERSION);
    }
    r->failed = !index_sections(r, e);
    r->pos = r->end = FILE_HEADER;
    return !r->failed;
}

bool snap_has(const struct snap_reader *r, const char *name)
{
    size_t at, number;

    return find(r, name, &at, &number);
}

bool snap_open(struct snap_reader *r, const char *name, unsigned max_version, struct err *e)
{
    size_t at, number;

    if (r->failed || !find(r, name, &at, &number)) {
        r->failed = true;
        return err_set(e, "the saved machine had no \"%s\" and this one has; start with the "
                       "options it was saved with", name);
    }
    const uint8_t *h = r->buf + at;
    uint32_t length = get32(h + OFF_LENGTH);
    r->version = get16(h + OFF_VERSION);
    if (r->version > max_version) {
        r->failed = true;
        return err_set(e, "the snapshot's part \"%s\" has version %u and this oxbow knows %u; "
                       "load it with the version that saved it", name, r->version, max_version);
    }
    if (snap_crc32(0, h + SECTION_HEADER, length) != get32(h + OFF_CRC)) {
        r->failed = true;
        return err_set(e, "the snapshot's part \"%s\" is damaged; use another copy", name);
    }
    r->seen[number] = true;
    r->pos = at + SECTION_HEADER;
    r->end = r->pos + length;
    return true;
}

bool snap_finish(struct snap_reader *r, struct err *e)
{
    size_t pos = FILE_HEADER;

    for (size_t n = 0; n < r->sections; n++) {
        if (!r->seen[n]) {
            return err_set(e, "the saved machine had \"%s\" and this one has not; start with the "
                           "options, and the version of oxbow, that it was saved with",
                           (const char *)r->buf + pos);
        }
        pos += SECTION_HEADER + get32(r->buf + pos + OFF_LENGTH);
    }
    return true;
}

bool snap_close(struct snap_reader *r, struct err *e)
{
    if (r->failed || r->pos != r->end) {
        r->failed = true;
        return err_set(e, "a part of the snapshot has the wrong length; "
                       "the file does not belong to this version");
    }
    return true;
}

bool snap_get(struct snap_reader *r, void *p, size_t n)
{
    if (r->failed || n > r->end - r->pos) {
        r->failed = true;
        memset(p, 0, n);
        return false;
    }
    if (n) {
        memcpy(p, r->buf + r->pos, n);
    }
    r->pos += n;
    return true;
}

uint32_t snap_get_u32(struct snap_reader *r)
{
    uint8_t b[4];

    snap_get(r, b, sizeof b);
    return get32(b);
}

uint64_t snap_get_u64(struct snap_reader *r)
{
    uint8_t b[8];

    snap_get(r, b, sizeof b);
    return get64(b);
}

bool snap_get_fields(struct snap_reader *r, const struct snap_field *f, void *obj)
{
    for (; f->name; f++) {
        size_t size = snap_kind_size(f->kind);
        uint8_t *to = (uint8_t *)obj + f->off;
        uint32_t i;

        if (f->since > r->version) {
            continue;
        }
        if (r->failed || size * f->count > r->end - r->pos) {
            r->failed = true;
            return false;
        }
        for (i = 0; i < f->count; i++) {
            get_element(r->buf + r->pos + i * size, to + i * host_size(f->kind), f->kind);
        }
        r->pos += size * f->count;
    }
    return true;
}
