/*
 * The machine: runs the CPU between events, lets the outside in, saves and loads.
 *
 * Time moves only here and in the CPU.  At every stop of the CPU: input that is due, events that
 * are due, requests (reset, stop), then on to the next event, input or the end of the slice.
 */
#include "devices/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/audio.h"
#include "devices/config.h"
#include "devices/vga.h"
#include "devices/vmport.h"
#include "memory/bytes.h"

/*
 * 400 million instructions a second: a plausible clock rate, and near what an interpreter reaches.
 */
#define DEFAULT_IPS 400000000u
#define MEMORY_BITS 36

/* --- life ------------------------------------------------------------------------------------- */

void oxbow_config_init(struct oxbow_config *cfg)
{
    *cfg = (struct oxbow_config){0};
    cfg->ram_mb = 64;
    cfg->rtc = (struct oxbow_rtc){2000, 1, 1, 0, 0, 0};
}

const char *oxbow_cpu_help(unsigned index)
{
    return cpu_model_help(index);
}

static uint64_t source_now(void *ctx)
{
    return cpu_icount(ctx);
}

static void source_deadline(void *ctx, uint64_t due)
{
    cpu_limit(ctx, due);
}

static uint8_t *copy_rom(struct oxbow_blob b, uint64_t *size)
{
    uint8_t *p = malloc(b.len);
    if (p) {
        memcpy(p, b.data, b.len);
        *size = b.len;
    }
    return p;
}

static bool build(struct oxbow *m, struct err *e)
{
    const struct oxbow_config *cfg = &m->cfg;
    m->ram_size = (uint64_t)cfg->ram_mb << 20;
    m->mem = bus_new((uint64_t)1 << MEMORY_BITS);
    m->io = bus_new(65536);
    if (cfg->host_ns && m->mem && m->io) {
        bus_set_clock(m->mem, cfg->host_ns, cfg->host_ns_ctx);
        bus_set_clock(m->io, cfg->host_ns, cfg->host_ns_ctx);
    }
    m->sched = sched_new(cfg->ips ? cfg->ips : DEFAULT_IPS);
    m->ram = calloc(1, m->ram_size);
    m->bios = copy_rom(cfg->bios, &m->bios_size);
    if (!m->mem || !m->io || !m->sched || !m->ram || !m->bios) {
        return err_set(e, "not enough memory for a machine with %u MB", cfg->ram_mb);
    }
    struct cpu_config cc = {
        .mem = m->mem, .io = m->io, .log = &m->log, .model = cfg->cpu,
        .generic_only = cfg->generic_only, .counting = cfg->host_ns != NULL,
    };
    if (!loader_init(&m->loader, m->mem, m->ram_size, cfg->kernel.data, cfg->kernel.len,
                     cfg->initrd.data, cfg->initrd.len, cfg->append, e)) {
        return false;
    }
    pc_cpu_wiring(m, &cc.wiring);
    m->cpu = cpu_new(&cc, e);
    if (!m->cpu) {
        return false;
    }
    struct bus_client client = cpu_bus_client(m->cpu);
    bus_set_client(m->mem, &client);
    sched_set_source(m->sched, &(struct sched_source){m->cpu, source_now, source_deadline});
    m->env = (struct device_env){.mem = m->mem, .io = m->io, .sched = m->sched, .log = &m->log};
    if (!pc_build(m, e)) {
        return false;
    }
    cpu_reset(m->cpu);
    /* The caller's strings and images may go away now. */
    m->cfg.bios = m->cfg.vgabios = m->cfg.kernel = m->cfg.initrd = (struct oxbow_blob){0};
    m->cfg.cpu = m->cfg.append = m->cfg.boot = NULL;
    return true;
}

static void close_media(const struct oxbow_config *cfg)
{
    for (unsigned n = 0; n < 2; n++) {
        block_close(cfg->floppy[n]);
    }
    for (unsigned n = 0; n < 4; n++) {
        block_close(cfg->drive[n].media);
    }
}

struct oxbow *oxbow_new(const struct oxbow_config *cfg, struct err *e)
{
    struct oxbow *m = config_check(cfg, e) ? calloc(1, sizeof *m) : NULL;
    if (!m) {
        close_media(cfg);
        return NULL;
    }
    m->cfg = *cfg;
    log_init(&m->log);
    uint32_t guest_messages = m->log.guest_budget;
    m->log = cfg->log;
    m->log.guest_budget = guest_messages;
    pc_default_roms(&m->cfg);
    if (!build(m, e)) {
        oxbow_free(m);
        return NULL;
    }
    return m;
}

void oxbow_free(struct oxbow *m)
{
    if (!m) {
        return;
    }
    devices_free(&m->env);
    pc_close_media(m);
    cpu_free(m->cpu);
    loader_free(&m->loader);
    input_free(&m->input);
    sched_free(m->sched);
    bus_free(m->mem);
    bus_free(m->io);
    free(m->ram);
    free(m->bios);
    free(m);
}

/* --- running ---------------------------------------------------------------------------------- */

void machine_stop(struct oxbow *m, enum oxbow_stop why, uint32_t value)
{
    if (m->stop == OXBOW_LIMIT) {
        m->stop = (uint8_t)why;
        m->exit_value = value;
    }
    cpu_kick(m->cpu);
}

void machine_ask_reset(struct oxbow *m, bool hard)
{
    m->reset_asked = true;
    m->reset_hard |= hard;
    cpu_kick(m->cpu);
}

void machine_sleep(struct oxbow *m)
{
    m->asleep = true;
    cpu_kick(m->cpu);
}

void machine_wake(struct oxbow *m)
{
    if (m->asleep) {
        machine_ask_reset(m, true);
    }
}

static void do_reset(struct oxbow *m)
{
    bool hard = m->reset_hard, woken = m->asleep;
    m->reset_asked = m->reset_hard = m->asleep = false;
    if (woken) {
        pc_wake(m);
        cpu_reset(m->cpu);
        return;
    }
    if (m->cfg.no_reboot) {
        machine_stop(m, OXBOW_RESET, 0);
        return;
    }
    loader_reset(&m->loader);
    if (hard) {
        devices_reset(&m->env, RESET_WARM);
        cpu_reset(m->cpu);
    } else {
        cpu_init(m->cpu);
    }
}

/* now + by, which does not wrap. */
static uint64_t later(uint64_t now, uint64_t by)
{
    return by > UINT64_MAX - now ? UINT64_MAX : now + by;
}

/*
 * Input that found no room is tried again behind the next event, and after this time; not at every
 * call, because how a run is cut into slices may not matter.
 */
#define INPUT_RETRY_US 500

static void take_input(struct oxbow *m, uint64_t now)
{
    for (unsigned kind = 0; kind < INPUT_KINDS; kind++) {
        const struct input_event *ev;
        if (now < m->input_retry[kind]) {
            continue;
        }
        while ((ev = input_due(&m->input, kind, now)) && pc_input(m, ev)) {
            input_take(&m->input, kind);
        }
        m->input_retry[kind] =
            ev ? later(now, sched_ips(m->sched) / 1000000u * INPUT_RETRY_US) : 0;
    }
}

static uint64_t next_deadline(const struct oxbow *m, uint64_t now, uint64_t end)
{
    uint64_t t = MIN(end, sched_next(m->sched));
    t = MIN(t, input_next(&m->input, now));
    for (unsigned kind = 0; kind < INPUT_KINDS; kind++) {
        if (input_due(&m->input, kind, now)) {
            t = MIN(t, m->input_retry[kind]);
        }
    }
    return MAX(t, now);
}

static void crashed(struct oxbow *m)
{
    if (m->cfg.no_reboot) {
        machine_stop(m, OXBOW_CRASH, 0);
    } else {
        machine_ask_reset(m, true);
    }
}

static uint64_t host_ns(const struct oxbow *m)
{
    return m->cfg.host_ns ? m->cfg.host_ns(m->cfg.host_ns_ctx) : 0;
}

/* What enters the machine at a boundary. */
static void enter(struct oxbow *m, uint64_t now)
{
    uint64_t start = host_ns(m);

    take_input(m, now);
    if (sched_run(m->sched, now) && !sched_held(m->sched)) {
        memset(m->input_retry, 0, sizeof m->input_retry);
    }
    m->event_ns += host_ns(m) - start;
}

static void run_cpu(struct oxbow *m, uint64_t now, uint64_t end)
{
    bool asked = m->stop != OXBOW_LIMIT || m->reset_asked || m->asleep;
    uint64_t until = asked ? now : next_deadline(m, now, UINT64_MAX);

    switch (m->asleep && cpu_at_boundary(m->cpu, now) ? CPU_STOP_HALT
                                                      : cpu_run_within(m->cpu, until, end)) {
    case CPU_STOP_HALT:
        end = next_deadline(m, now, end);
        m->idle += end - MIN(end, cpu_icount(m->cpu));
        cpu_skip_to(m->cpu, end);
        break;
    case CPU_STOP_SHUTDOWN:
        crashed(m);
        break;
    default:
        break;
    }
}

static enum oxbow_stop run(struct oxbow *m, uint64_t max)
{
    uint64_t now = cpu_icount(m->cpu), end = later(now, MIN(max, OXBOW_RUN_MAX));

    for (;;) {
        bool boundary;

        if (m->stop == OXBOW_LIMIT && cpu_take_interrupt(m->cpu)) {
            return OXBOW_INTERRUPTED;
        }
        now = cpu_icount(m->cpu);
        boundary = cpu_at_boundary(m->cpu, next_deadline(m, now, UINT64_MAX));
        if (boundary && m->stop == OXBOW_LIMIT) {
            enter(m, now);
            if (sched_held(m->sched)) {
                return OXBOW_HELD;
            }
            if (m->reset_asked) {
                do_reset(m);
                continue;
            }
        }
        if (boundary && (now >= end || m->stop != OXBOW_LIMIT)) {
            break;
        }
        if (now >= end) {
            return OXBOW_LIMIT;
        }
        run_cpu(m, now, end);
    }
    if (m->stop != OXBOW_LIMIT) {
        pc_flush(m);
    }
    return (enum oxbow_stop)m->stop;
}

enum oxbow_stop oxbow_run(struct oxbow *m, uint64_t max)
{
    uint64_t start = host_ns(m);
    enum oxbow_stop stop = run(m, max);

    m->run_ns += host_ns(m) - start;
    return stop;
}

void oxbow_interrupt(struct oxbow *m)
{
    cpu_interrupt(m->cpu);
}

uint64_t oxbow_icount(const struct oxbow *m)
{
    return cpu_icount(m->cpu);
}

uint64_t oxbow_ips(const struct oxbow *m)
{
    return sched_ips(m->sched);
}

uint64_t oxbow_idle(const struct oxbow *m)
{
    return m->idle;
}

uint32_t oxbow_exit_value(const struct oxbow *m)
{
    return m->exit_value;
}

void oxbow_reset(struct oxbow *m)
{
    m->asleep = false; /* a machine that sleeps starts anew */
    machine_ask_reset(m, true);
}

/* --- input ------------------------------------------------------------------------------------ */

static bool put_input(struct oxbow *m, struct input_event ev)
{
    ev.at = MAX(ev.at, cpu_icount(m->cpu));
    return input_put(&m->input, &ev);
}

bool oxbow_key(struct oxbow *m, unsigned key, bool down, uint64_t at)
{
    return put_input(m, (struct input_event){
                            .at = at, .kind = INPUT_KEY, .code = (uint16_t)key, .down = down});
}

bool oxbow_mouse(struct oxbow *m, int dx, int dy, int dz, unsigned buttons, uint64_t at)
{
    return put_input(m, (struct input_event){
                            .at = at, .kind = INPUT_MOUSE, .port = (uint8_t)buttons,
                            .dx = (int16_t)dx, .dy = (int16_t)dy, .dz = (int16_t)dz});
}

bool oxbow_mouse_place(struct oxbow *m, unsigned x, unsigned y, int dz, unsigned buttons,
                       uint64_t at)
{
    return put_input(m, (struct input_event){
                            .at = at, .kind = INPUT_MOUSE, .port = (uint8_t)buttons, .down = true,
                            .dx = (int16_t)(uint16_t)MIN(x, 0xffffu),
                            .dy = (int16_t)(uint16_t)MIN(y, 0xffffu), .dz = (int16_t)dz});
}

bool oxbow_mouse_absolute(const struct oxbow *m)
{
    return m->pc.vmport && vmport_absolute(m->pc.vmport);
}

bool oxbow_serial_input(struct oxbow *m, unsigned n, uint8_t byte)
{
    return put_input(m, (struct input_event){
                            .kind = INPUT_SERIAL, .port = (uint8_t)(n & 3), .code = byte});
}

/* Preamble, check sequence and gap go with a frame, at 800 ns a byte. */
enum { WIRE_EXTRA = 24, WIRE_BYTE_NS = 800 };

bool oxbow_net_input(struct oxbow *m, unsigned n, const void *frame, size_t len)
{
    uint64_t now = cpu_icount(m->cpu);
    uint64_t ns = (MAX(len, (size_t)NET_FRAME_MIN) + WIRE_EXTRA) * WIRE_BYTE_NS;
    if (n >= OXBOW_NICS || !m->pc.nic[n] ||
        !input_put_frame(&m->input, n, now, sched_after_ns(m->sched, ns) - now, frame, len)) {
        return false;
    }
    cpu_limit(m->cpu, input_next(&m->input, now));
    return true;
}

bool oxbow_net_link(struct oxbow *m, unsigned n, bool up)
{
    return n < OXBOW_NICS && m->pc.nic[n] &&
           put_input(m, (struct input_event){.kind = (uint8_t)(INPUT_NET + n), .down = up});
}

/* Set-1 code of the key of an ASCII character on a US keyboard, | 0x8000 with Shift; 0: none. */
static unsigned key_of(char ch)
{
    static const char plain[] = "\0331234567890-=\b\tqwertyuiop[]\n\1asdfghjkl;'`\1\\zxcvbnm,./";
    static const char shift[] = "\1!@#$%^&*()_+\1\1QWERTYUIOP{}\1\1ASDFGHJKL:\"~\1|ZXCVBNM<>?";
    if (ch == ' ') {
        return 0x39;
    }
    if (ch == '\1' || ch == 0) {
        return 0;
    }
    const char *p = strchr(plain, ch);
    if (p) {
        return (unsigned)(p - plain) + 1;
    }
    p = strchr(shift, ch);
    return p ? ((unsigned)(p - shift) + 1) | 0x8000 : 0;
}

bool oxbow_type(struct oxbow *m, const char *text, uint64_t at, uint64_t *end)
{
    uint64_t step = sched_ips(m->sched) / 100; /* 10 ms */
    /* All or nothing: half of it would leave a key down. */
    bool room = input_reserve(&m->input, INPUT_KEY, 4 * strlen(text));

    at = MAX(at, cpu_icount(m->cpu));
    for (; room && *text; text++) {
        unsigned key = key_of(*text), shift = key & 0x8000;
        const unsigned press[4] = {0x2a, key & 0x7fff, key & 0x7fff, 0x2a};

        for (unsigned n = shift ? 0 : 1; key && n < (shift ? 4 : 3); n++) {
            oxbow_key(m, press[n], n < 2, at);
            at = later(at, step);
        }
    }
    if (end) {
        *end = at;
    }
    return room;
}

bool oxbow_input_pending(const struct oxbow *m)
{
    return !input_empty(&m->input);
}

bool oxbow_media(struct oxbow *m, const char *slot, struct block *media, struct err *e)
{
    return pc_media(m, slot, media, e);
}

/* --- output ----------------------------------------------------------------------------------- */

const struct surface *oxbow_surface(struct oxbow *m)
{
    return m->pc.vga ? vga_update(m->pc.vga) : NULL;
}

void oxbow_text(struct oxbow *m, struct text_screen *t)
{
    t->cols = t->rows = 0;
    if (m->pc.vga) {
        vga_text(m->pc.vga, t);
    }
}

size_t oxbow_audio(struct oxbow *m, int16_t *frames, size_t max)
{
    return audio_read(m->pc.audio, frames, max);
}

size_t oxbow_dump(struct oxbow *m, char *buf, size_t len)
{
    return cpu_dump(m->cpu, buf, len);
}

struct text {
    char *buf;
    size_t n, len;
};

static void add_text(struct text *t, const char *format, ...) FORMAT_PRINTF(2, 3);
static void add_text(struct text *t, const char *format, ...)
{
    va_list ap;
    int w = 0;

    va_start(ap, format);
    if (t->n < t->len) {
        w = vsnprintf(t->buf + t->n, t->len - t->n, format, ap);
    }
    va_end(ap);
    t->n = MIN(t->n + (w > 0 ? (size_t)w : 0), t->len);
}

static void add_count(struct text *t, const char *name, uint64_t v)
{
    add_text(t, "%-20s %llu\n", name, (unsigned long long)v);
}

/* a / b with one decimal place. */
static void add_ratio(struct text *t, const char *name, uint64_t a, uint64_t b, const char *unit)
{
    uint64_t tenths = b ? muldiv64(a, 10, b) : 0;

    add_text(t, "%-20s %llu.%llu%s\n", name, (unsigned long long)(tenths / 10),
             (unsigned long long)(tenths % 10), unit);
}

static void add_counts(struct text *t, const char *const *names, const uint64_t *v, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        add_count(t, names[k], v[k]);
    }
}

/* What only a counting run knows: see cpu_config.counting. */
static void add_costly(struct text *t, const struct oxbow *m, const struct cpu_stats *s)
{
    static const char *const events[] = {
#define X(name) #name,
        CPU_EVENTS(X)
#undef X
    };
    struct bus_stats io = bus_stats(m->io), mem = bus_stats(m->mem);
    uint64_t ran = s->icount - m->idle;

    add_ratio(t, "mips", ran * 1000, m->run_ns, "");
    add_count(t, "trace_entries", s->trace_entries);
    add_ratio(t, "trace_length", ran, s->trace_entries, "");
    add_count(t, "memory_operands", s->memory_operands);
    add_count(t, "tlb_hits", s->memory_operands - MIN(s->memory_operands, s->tlb_misses));
    add_ratio(t, "run_ms", m->run_ns, 1000000, "");
    add_ratio(t, "device_ms", io.ns + mem.ns + m->event_ns, 1000000, "");
    add_ratio(t, "device_share", (io.ns + mem.ns + m->event_ns) * 100, m->run_ns, " %");
    for (size_t k = 0; k < ARRAY_LEN(events); k++) {
        for (unsigned cpl = 0; cpl < 4; cpl++) {
            if (s->events[k][cpl]) {
                add_text(t, "%s_cpl%u%*s %llu\n", events[k], cpl, (int)(15 - strlen(events[k])), "",
                         (unsigned long long)s->events[k][cpl]);
            }
        }
    }
}

size_t oxbow_stats(struct oxbow *m, char *buf, size_t len)
{
    static const char *const names[] = {
        "instructions", "idle", "traces_built", "insns_decoded", "trace_lookups", "trace_flushes",
        "uncached", "links", "far_links", "link_misses", "jump_misses", "smc_hits", "smc_patches",
        "smc_kills", "tlb_misses", "tlb_fills", "tlb_flushes", "page_walks", "interrupts",
        "exceptions", "page_faults", "port_reads", "port_writes", "mmio_reads", "mmio_writes",
    };
    struct cpu_stats s = cpu_stats(m->cpu);
    struct bus_stats io = bus_stats(m->io), mem = bus_stats(m->mem);
    const uint64_t values[] = {
        s.icount, m->idle, s.traces_built, s.insns_decoded, s.trace_lookups, s.trace_flushes,
        s.uncached, s.links, s.far_links, s.link_misses, s.jump_misses, s.smc_hits, s.smc_patches,
        s.smc_kills, s.tlb_misses, s.tlb_fills, s.tlb_flushes, s.page_walks, s.interrupts,
        s.exceptions, s.page_faults, io.reads, io.writes, mem.reads, mem.writes,
    };
    struct text t = {buf, 0, len};

    add_counts(&t, names, values, MIN(ARRAY_LEN(names), ARRAY_LEN(values)));
    if (m->cfg.host_ns) {
        add_costly(&t, m, &s);
    }
    return t.n;
}

/* --- state ------------------------------------------------------------------------------------ */

/*
 * Version 1 tried input that had found no room at the start of every slice, too; up to version 3
 * the loader copied whenever it was asked.
 */
enum { MACHINE_VERSION = 4 };

static const struct snap_field machine_fields[] = {
    SNAP_F(struct oxbow, ram_size, SNAP_U64),
    SNAP_F(struct oxbow, idle, SNAP_U64),
    SNAP_F(struct oxbow, exit_value, SNAP_U32),
    SNAP_F(struct oxbow, stop, SNAP_U8),
    SNAP_F(struct oxbow, reset_asked, SNAP_BOOL),
    SNAP_F(struct oxbow, reset_hard, SNAP_BOOL),
    SNAP_F(struct oxbow, pc.a20_kbc, SNAP_BOOL),
    SNAP_F(struct oxbow, pc.a20_port92, SNAP_BOOL),
    SNAP_F(struct oxbow, pc.nmi_masked, SNAP_BOOL),
    SNAP_F(struct oxbow, pc.hpet_legacy, SNAP_BOOL),
    SNAP_ARRAY(struct oxbow, pc.timer_level, SNAP_BOOL),
    SNAP_F(struct oxbow, pc.ignne, SNAP_BOOL),
    SNAP_ARRAY(struct oxbow, pc.serial_irq, SNAP_U8),
    SNAP_ARRAY(struct oxbow, loader.answer, SNAP_U32),
    SNAP_F(struct oxbow, loader.answers, SNAP_U32),
    SNAP_F(struct oxbow, loader.next, SNAP_U32),
    SNAP_ARRAY_SINCE(struct oxbow, input_retry, SNAP_U64, 2),
    SNAP_SINCE(struct oxbow, asleep, SNAP_BOOL, 3),
    SNAP_SINCE(struct oxbow, pc.rtc_level, SNAP_BOOL, 3),
    SNAP_ARRAY_SINCE(struct oxbow, loader.start, SNAP_U32, 4),
    SNAP_SINCE(struct oxbow, loader.starts, SNAP_U32, 4),
    SNAP_SINCE(struct oxbow, loader.again, SNAP_U64, 4),
    SNAP_END,
};

/* RAM as runs of pages that are not all zero: u32 first page, u32 count, bytes; count 0 ends. */
static void save_ram(const struct oxbow *m, struct snap_writer *w)
{
    static const uint8_t zero[PAGE_SIZE];
    uint32_t pages = (uint32_t)(m->ram_size >> PAGE_SHIFT);
    snap_begin(w, "ram", 1);
    for (uint32_t p = 0; p < pages;) {
        uint32_t q = p;
        while (q < pages && memcmp(m->ram + ((uint64_t)q << PAGE_SHIFT), zero, PAGE_SIZE)) {
            q++;
        }
        if (q > p) {
            snap_put_u32(w, p);
            snap_put_u32(w, q - p);
            snap_put(w, m->ram + ((uint64_t)p << PAGE_SHIFT), (size_t)(q - p) << PAGE_SHIFT);
        }
        p = q + 1;
    }
    snap_put_u32(w, 0);
    snap_put_u32(w, 0);
    snap_end(w);
}

static bool load_ram(struct oxbow *m, struct snap_reader *r, struct err *e)
{
    uint32_t pages = (uint32_t)(m->ram_size >> PAGE_SHIFT);
    if (!snap_open(r, "ram", 1, e)) {
        return false;
    }
    memset(m->ram, 0, m->ram_size);
    for (;;) {
        uint32_t p = snap_get_u32(r), n = snap_get_u32(r);
        if (r->failed || n == 0) {
            break;
        }
        if (p >= pages || n > pages - p) {
            return err_set(e, "the saved state is damaged: memory out of range");
        }
        if (!snap_get(r, m->ram + ((uint64_t)p << PAGE_SHIFT), (size_t)n << PAGE_SHIFT)) {
            break;
        }
    }
    return snap_close(r, e);
}

/* What disk overlays hold: a byte per slot tells whether its contents follow. */
static struct block *medium(const struct oxbow *m, unsigned slot)
{
    return slot < 2 ? m->cfg.floppy[slot] : m->cfg.drive[slot - 2].media;
}

#define SLOTS 6

static void save_media(const struct oxbow *m, struct snap_writer *w)
{
    snap_begin(w, "media", 1);
    for (unsigned n = 0; n < SLOTS; n++) {
        const struct block *b = medium(m, n);
        uint8_t kept = b && b->ops->save;
        snap_put(w, &kept, 1);
        if (kept) {
            b->ops->save(b, w);
        }
    }
    snap_end(w);
}

static bool load_media(struct oxbow *m, struct snap_reader *r, struct err *e)
{
    if (!snap_open(r, "media", 1, e)) {
        return false;
    }
    for (unsigned n = 0; n < SLOTS; n++) {
        struct block *b = medium(m, n);
        uint8_t kept = 0;
        snap_get(r, &kept, 1);
        if (kept && (!b || !b->ops->load)) {
            return err_set(
                e, "the saved machine ran with -snapshot on a drive that has none now; start "
                   "with the same options");
        }
        if (kept && !b->ops->load(b, r)) {
            return err_set(e, "the saved state is damaged: contents of a drive");
        }
    }
    return snap_close(r, e);
}

static void save_all(struct oxbow *m, struct snap_writer *w)
{
    snap_writer_init(w);
    snap_begin(w, "machine", MACHINE_VERSION);
    snap_put_fields(w, machine_fields, m);
    snap_end(w);
    cpu_save(m->cpu, w);
    save_ram(m, w);
    sched_save(m->sched, w);
    input_save(&m->input, w);
    save_media(m, w);
    devices_save(&m->env, w);
}

uint8_t *oxbow_save(struct oxbow *m, size_t *len, struct err *e)
{
    struct snap_writer w;
    save_all(m, &w);
    if (w.failed) {
        snap_writer_free(&w);
        err_set(e, "not enough memory to save the machine");
        return NULL;
    }
    *len = w.len;
    return w.buf;
}

bool oxbow_load(struct oxbow *m, const void *data, size_t len, struct err *e)
{
    struct snap_reader r;
    uint64_t ram_size = m->ram_size;

    if (!snap_reader_init(&r, data, len, e) || !snap_open(&r, "machine", MACHINE_VERSION, e)) {
        return false;
    }
    memset(m->input_retry, 0, sizeof m->input_retry);
    m->asleep = m->pc.rtc_level = false;
    snap_get_fields(&r, machine_fields, m);
    if (m->ram_size != ram_size) {
        uint64_t saved = m->ram_size;
        m->ram_size = ram_size;
        return err_set(e, "the saved machine has %llu MB of memory and this one %llu; start with "
                          "the same options", (unsigned long long)(saved >> 20),
                       (unsigned long long)(ram_size >> 20));
    }
    return snap_close(&r, e) && cpu_load(m->cpu, &r, e) && load_ram(m, &r, e) &&
           sched_load(m->sched, &r, e) && input_load(&m->input, &r, e) &&
           load_media(m, &r, e) &&
           devices_load(&m->env, &r, e) && snap_finish(&r, e);
}

uint64_t oxbow_hash(struct oxbow *m)
{
    struct snap_writer w;
    save_all(m, &w);
    uint64_t h = snap_hash(SNAP_HASH_INIT, w.buf, w.len);
    snap_writer_free(&w);
    return h;
}
