/*
 * Damaged snapshots: whatever a state file holds, loading it either is refused with a sentence or
 * gives a machine that runs, draws, sounds and saves without harm to the host.
 * Usage: fuzz_state [N [SEED]]        N damaged states (300 unless told)
 *        fuzz_state seeds FOLDER      writes sound states there, to begin with
 *
 * With -DFUZZ_LIBFUZZER there is no main(): LLVMFuzzerTestOneInput takes a state, whose check sums
 * are put right first so that the damage gets past them.
 */
#include <stdint.h>

#include "bios/images.h"
#include "memory/bytes.h"
#include "memory/snap.h"
#include "oxbow.h"
#include "tests/fuzz.h"

enum { FLOPPY = 1474560, HEADER = 8, SECTION = 36, OFF_LENGTH = 28, OFF_CRC = 32, KINDS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct block *memory_disk(const void *data, size_t n, size_t size)
{
    struct err e = {""};
    uint8_t *image = calloc(1, size);

    memcpy(image, data, n);
    struct block *b = block_open_mem(image, size, true, &e);
    free(image);
    return b ? block_open_overlay(b, &e) : NULL;
}

static struct oxbow *machine(void)
{
    struct oxbow_config c;
    struct err e = {""};

    oxbow_config_init(&c);
    c.ram_mb = 4;
    c.boot = "a";
    c.floppy[0] = memory_disk(image_demo, image_demo_size, FLOPPY);
    c.drive[0] = (struct oxbow_drive){OXBOW_DRIVE_DISK, memory_disk("", 1, 1 << 20)};
    c.drive[1] = (struct oxbow_drive){OXBOW_DRIVE_CD, memory_disk("", 1, 1 << 20)};
    c.nic[0].model = OXBOW_NIC_NE2K_PCI;
    c.nic[1].model = OXBOW_NIC_NE2K_ISA;
    c.sb16.on = true;
    c.audio_rate = 8000;
    c.serial_on[1] = true;
    struct oxbow *m = oxbow_new(&c, &e);
    if (!m) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    return m;
}

/* A state of a machine that has run for a while, with input on its way. */
static uint8_t *sound_state(unsigned kind, size_t *len)
{
    static const uint64_t moment[KINDS] = {0, 3000000, 120000000, 700000000};
    static const uint8_t frame[64] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct oxbow *m = machine();
    struct err e = {""};

    oxbow_run(m, moment[kind]);
    oxbow_type(m, "ab", 0, NULL);
    oxbow_mouse(m, 1, 2, 0, 1, 0);
    oxbow_serial_input(m, 0, 'x');
    oxbow_net_input(m, 0, frame, sizeof frame);
    uint8_t *state = oxbow_save(m, len, &e);
    oxbow_free(m);
    if (!state) {
        abort();
    }
    return state;
}

/* Offset of the section after the one at `at`; 0: there is none. */
static size_t next_section(const uint8_t *s, size_t len, size_t at)
{
    uint64_t next = at + SECTION + (uint64_t)get32(s + at + OFF_LENGTH);

    return next + SECTION <= len ? (size_t)next : 0;
}

static void fix_sums(uint8_t *s, size_t len)
{
    for (size_t at = len >= HEADER + SECTION ? HEADER : 0; at; at = next_section(s, len, at)) {
        uint64_t n = get32(s + at + OFF_LENGTH);
        if (n <= len - at - SECTION) {
            put32(s + at + OFF_CRC, snap_crc32(0, s + at + SECTION, (size_t)n));
        }
    }
}

/* Loads and, when that is accepted, uses the machine.  True: accepted. */
static bool try_state(const uint8_t *state, size_t len)
{
    struct oxbow *m = machine();
    struct err e = {""};
    struct text_screen t;
    int16_t sound[512];
    bool ok = oxbow_load(m, state, len, &e);

    if (!ok && !e.text[0]) {
        fprintf(stderr, "fuzz_state: a state was refused without a word\n");
        abort();
    }
    for (unsigned k = 0; ok && k < 4; k++) {
        oxbow_run(m, k * 60000);
        oxbow_surface(m);
        oxbow_text(m, &t);
        oxbow_audio(m, sound, ARRAY_LEN(sound) / 2);
        oxbow_key(m, 0x1e, k & 1, 0);
        oxbow_serial_input(m, k, 'y');
    }
    if (ok) {
        oxbow_reset(m);
        oxbow_run(m, 50000);
        size_t n;
        free(oxbow_save(m, &n, &e));
    }
    oxbow_free(m);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t *state = malloc(len ? len : 1);

    if (len) {
        memcpy(state, data, len);
    }
    fix_sums(state, len);
    try_state(state, len);
    free(state);
    return 0;
}

#ifndef FUZZ_LIBFUZZER

/* A section at random, all alike but for memory, which is large and may hold anything. */
static size_t some_section(struct rng *r, const uint8_t *s, size_t len)
{
    size_t at[128], n = 0;

    for (size_t p = HEADER; p && n < ARRAY_LEN(at); p = next_section(s, len, p)) {
        if (get32(s + p + OFF_LENGTH) && len - p > SECTION &&
            (memcmp(s + p, "ram", 4) != 0 || one_in(r, 4))) {
            at[n++] = p;
        }
    }
    return at[below(r, (uint32_t)n)];
}

static void damage(struct rng *r, uint8_t *s, size_t len)
{
    size_t at = some_section(r, s, len);
    uint32_t size = (uint32_t)MIN((size_t)get32(s + at + OFF_LENGTH), len - at - SECTION);
    uint32_t off = below(r, size);
    uint8_t *p = s + at + SECTION + off;
    uint32_t room = size - off, run;
    uint64_t v = odd_number(r);

    switch (below(r, 8)) {
    case 0:
        p[0] ^= (uint8_t)(1u << (v & 7));
        break;
    case 1:
        if (room >= 2) {
            put16(p, (uint16_t)v);
        }
        break;
    case 2:
        if (room >= 4) {
            put32(p, (uint32_t)v);
        }
        break;
    case 3:
        if (room >= 8) {
            put64(p, v);
        }
        break;
    case 4:
        run = 1 + below(r, 64); /* MIN evaluates twice */
        memset(p, (int)(v & 1 ? 0xff : v), MIN(room, run));
        break;
    case 5: /* another length: what follows shifts */
        if (one_in(r, 16)) {
            put32(s + at + OFF_LENGTH, (uint32_t)v);
        }
        break;
    default:
        p[0] = (uint8_t)v;
        break;
    }
}

static int write_seeds(const char *folder)
{
    for (unsigned k = 0; k < KINDS; k++) {
        char path[4096];
        size_t len;
        uint8_t *s = sound_state(k, &len);
        snprintf(path, sizeof path, "%s/state%u", folder, k);
        FILE *f = fopen(path, "wb");
        bool ok = f && fwrite(s, 1, len, f) == len;
        ok = f && fclose(f) == 0 && ok;
        free(s);
        if (!ok) {
            fprintf(stderr, "fuzz_state: %s can't be written\n", path);
            return 2;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "seeds") == 0) {
        return write_seeds(argv[2]);
    }
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 300, accepted = 0;
    struct rng r = rng_seed(argc > 2 ? strtoull(argv[2], NULL, 0) : 1);
    uint8_t *sound[KINDS];
    size_t len[KINDS];

    for (unsigned k = 0; k < KINDS; k++) {
        sound[k] = sound_state(k, &len[k]);
        if (!try_state(sound[k], len[k])) {
            fprintf(stderr, "fuzz_state: an undamaged state was refused\n");
            return 1;
        }
    }
    for (uint64_t done = 0; done < n; done++) {
        unsigned k = below(&r, KINDS);
        uint8_t *s = malloc(len[k]);
        size_t used = len[k];
        memcpy(s, sound[k], len[k]);
        for (unsigned times = 1 + (one_in(&r, 2) ? below(&r, 12) : 0); times; times--) {
            damage(&r, s, used);
        }
        if (one_in(&r, 32)) {
            used = below(&r, (uint32_t)len[k]);
        }
        if (!one_in(&r, 32)) {
            fix_sums(s, used);
        }
        accepted += try_state(s, used);
        free(s);
    }
    for (unsigned k = 0; k < KINDS; k++) {
        free(sound[k]);
    }
    fprintf(stderr, "fuzz_state: %llu damaged states, %llu of them accepted\n",
            (unsigned long long)n, (unsigned long long)accepted);
    return 0;
}

#endif
