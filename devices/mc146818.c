/*
 * Motorola MC146818 real-time clock (data sheet MC146818/D) with the 128 bytes of its successors in
 * the AT (DS12885 address map, century in byte 32h).
 *
 * Everything is timed in ticks of the 32768 Hz oscillator.  `update_at` is the tick at which the
 * next update cycle ends and also fixes the phase of the divider: periodic edges fall where the
 * distance to it is a multiple of the period.  NEVER: the divider is held.  Updates are carried out
 * when their time has come, before any register is looked at; one event a second, and one for each
 * visible periodic edge.
 */
#include "devices/mc146818.h"

#include <stdio.h>

#define RTC_CLOCK ((struct clock){32768u, 1u})
#define NEVER UINT64_MAX

enum {
    SECONDS, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM, WEEKDAY, DAY, MONTH, YEAR,
    REG_A, REG_B, REG_C, REG_D
};
enum { A_UIP = 0x80, A_DIVIDER = 0x70, A_RUNNING = 0x20, A_RATE = 0x0f };
enum {
    B_SET = 0x80, B_PIE = 0x40, B_AIE = 0x20, B_UIE = 0x10, B_SQWE = 0x08, B_BINARY = 0x04,
    B_24H = 0x02, B_DSE = 0x01
};
enum { C_IRQF = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10 };
enum { D_VALID = 0x80, PM = 0x80, DONT_CARE = 0xc0 };
enum {
    SECOND = 32768,
    UIP_TICKS = 8 + 65, /* 244 us of warning and 1984 us of update cycle */
    MAX_CATCH_UP = 64   /* updates made up for at once; a run never needs more than one or two */
};

struct mc146818 {
    struct device dev;
    struct irq_line irq;
    void (*nmi_mask)(void *ctx, bool masked);
    void *nmi_ctx;
    struct event tick;
    char tick_name[32];
    uint64_t synced;    /* tick up to which everything has happened */
    uint64_t update_at;
    uint8_t index;      /* as written, with the NMI mask */
    uint8_t cmos[CMOS_SIZE];
    bool fell_back;     /* the hour that October has twice has been gone through once */
};

static uint64_t rtc_ticks(const struct mc146818 *r)
{
    return clock_ticks(r->dev.env->sched, RTC_CLOCK, sched_now(r->dev.env->sched));
}

static uint8_t to_reg(const struct mc146818 *r, unsigned v)
{
    return (uint8_t)(r->cmos[REG_B] & B_BINARY ? v : v / 10 << 4 | v % 10);
}

static unsigned from_reg(const struct mc146818 *r, uint8_t v)
{
    return r->cmos[REG_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15);
}

/* Periodic interrupt in ticks, 0: none. */
static uint64_t rtc_period(const struct mc146818 *r)
{
    unsigned rate = r->cmos[REG_A] & A_RATE;

    if (rate == 0) {
        return 0;
    }
    return 1u << (rate < 3 ? rate + 6 : rate - 1);
}

/* First periodic edge after tick t. */
static uint64_t rtc_next_edge(const struct mc146818 *r, uint64_t t)
{
    uint64_t period = rtc_period(r);

    if (period == 0 || r->update_at == NEVER) {
        return NEVER;
    }
    return t + period - ((t - r->update_at) & (period - 1));
}

static void rtc_irq(struct mc146818 *r)
{
    uint8_t c = r->cmos[REG_C];
    bool level = c & r->cmos[REG_B] & (C_PF | C_AF | C_UF);

    r->cmos[REG_C] = (uint8_t)((c & ~C_IRQF) | (level ? C_IRQF : 0));
    irq_set(&r->irq, level);
}

/* Adds one to a time register; true: it went back to `first`. */
static bool rtc_carry(struct mc146818 *r, unsigned reg, unsigned first, unsigned last)
{
    unsigned v = from_reg(r, r->cmos[reg]) + 1;
    bool wrap = v > last;

    r->cmos[reg] = to_reg(r, wrap ? first : v);
    return wrap;
}

static bool rtc_carry_hour(struct mc146818 *r)
{
    uint8_t pm = r->cmos[HOURS] & PM;
    unsigned h;

    if (r->cmos[REG_B] & B_24H) {
        return rtc_carry(r, HOURS, 0, 23);
    }
    h = from_reg(r, r->cmos[HOURS] & 0x7f) + 1; /* 12, 1, 2 .. 11 */
    if (h > 12) {
        h = 1;
    } else if (h == 12) {
        pm ^= PM;
    }
    r->cmos[HOURS] = to_reg(r, h) | pm;
    return h == 12 && !pm;
}

static unsigned rtc_month_days(const struct mc146818 *r)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned month = from_reg(r, r->cmos[MONTH]);

    if (month < 1 || month > 12) {
        return 31;
    }
    /* The chip knows two digits of the year: every fourth is a leap year. */
    return days[month - 1] + (month == 2 && from_reg(r, r->cmos[YEAR]) % 4 == 0 ? 1u : 0u);
}

/*
 * Daylight saving, at 1:59:59 AM: on the last Sunday of April 3:00:00 follows, and on that of
 * October 1:00:00 once.  True: it has changed the time.
 */
static bool rtc_saving(struct mc146818 *r)
{
    unsigned month = from_reg(r, r->cmos[MONTH]), day = from_reg(r, r->cmos[DAY]);

    if (r->cmos[HOURS] != 1 || from_reg(r, r->cmos[MINUTES]) != 59 ||
        from_reg(r, r->cmos[SECONDS]) != 59) {
        return false;
    }
    if (!(r->cmos[REG_B] & B_DSE) || r->cmos[WEEKDAY] != 1 || r->fell_back ||
        !((month == 4 && day > 30 - 7) || (month == 10 && day > 31 - 7))) {
        r->fell_back = false;
        return false;
    }
    r->fell_back = month == 10;
    r->cmos[HOURS] = month == 10 ? 1 : 3;
    r->cmos[MINUTES] = r->cmos[SECONDS] = 0;
    return true;
}

static void rtc_advance(struct mc146818 *r)
{
    if (rtc_saving(r)) {
        return;
    }
    if (!rtc_carry(r, SECONDS, 0, 59) || !rtc_carry(r, MINUTES, 0, 59) || !rtc_carry_hour(r)) {
        return;
    }
    rtc_carry(r, WEEKDAY, 1, 7);
    if (rtc_carry(r, DAY, 1, rtc_month_days(r)) && rtc_carry(r, MONTH, 1, 12) &&
        rtc_carry(r, YEAR, 0, 99)) {
        rtc_carry(r, CMOS_CENTURY, 0, 99);
    }
}

static bool alarm_matches(const struct mc146818 *r, unsigned reg)
{
    uint8_t alarm = r->cmos[reg + 1];

    return alarm >= DONT_CARE || alarm == r->cmos[reg];
}

static void rtc_update(struct mc146818 *r)
{
    if (r->cmos[REG_B] & B_SET) {
        return;
    }
    rtc_advance(r);
    r->cmos[REG_C] |= C_UF;
    if (alarm_matches(r, SECONDS) && alarm_matches(r, MINUTES) && alarm_matches(r, HOURS)) {
        r->cmos[REG_C] |= C_AF;
    }
}

static void rtc_schedule(struct mc146818 *r)
{
    uint64_t due = r->update_at;

    if ((r->cmos[REG_B] & B_PIE) && !(r->cmos[REG_C] & C_PF)) {
        due = MIN(due, rtc_next_edge(r, r->synced));
    }
    if (due == NEVER) {
        event_cancel(r->dev.env->sched, &r->tick);
    } else {
        event_at(r->dev.env->sched, &r->tick, clock_icount(r->dev.env->sched, RTC_CLOCK, due));
    }
}

/* Makes everything happen that is due by now; returns the present tick. */
static uint64_t rtc_sync(struct mc146818 *r)
{
    uint64_t t = rtc_ticks(r);

    if (t <= r->synced || r->update_at == NEVER) {
        r->synced = t;
        return t;
    }
    if (rtc_next_edge(r, r->synced) <= t) {
        r->cmos[REG_C] |= C_PF;
    }
    if (r->update_at <= t && (t - r->update_at) / SECOND > MAX_CATCH_UP) {
        r->update_at += ((t - r->update_at) / SECOND - MAX_CATCH_UP) * SECOND;
    }
    while (r->update_at <= t) {
        rtc_update(r);
        r->update_at += SECOND;
    }
    r->synced = t;
    rtc_irq(r);
    return t;
}

static void rtc_event(void *arg, uint64_t now UNUSED)
{
    struct mc146818 *r = arg;

    rtc_sync(r);
    rtc_schedule(r);
}

static void write_a(struct mc146818 *r, uint8_t val)
{
    bool was = r->update_at != NEVER, runs = (val & A_DIVIDER) == A_RUNNING;

    r->cmos[REG_A] = val & (A_DIVIDER | A_RATE);
    if (runs && !was) {
        r->update_at = r->synced + SECOND / 2; /* the first update is half a second away */
    } else if (!runs) {
        r->update_at = NEVER;
    }
}

static void write_b(struct mc146818 *r, uint8_t val)
{
    if (val & B_SET) {
        val &= (uint8_t)~B_UIE;
    }
    r->cmos[REG_B] = val;
    rtc_irq(r);
}

static uint8_t cmos_read(struct mc146818 *r, unsigned index)
{
    uint64_t t = rtc_sync(r);
    uint8_t v = r->cmos[index];

    switch (index) {
    case REG_A:
        if (!(r->cmos[REG_B] & B_SET) && r->update_at != NEVER && r->update_at - t <= UIP_TICKS) {
            v |= A_UIP;
        }
        break;
    case REG_C:
        r->cmos[REG_C] = 0;
        rtc_irq(r);
        rtc_schedule(r);
        break;
    default:
        break;
    }
    return v;
}

static void cmos_write(struct mc146818 *r, unsigned index, uint8_t val)
{
    rtc_sync(r);
    switch (index) {
    case SECONDS:
        r->cmos[SECONDS] = val & 0x7f; /* bit 7 can't be written */
        break;
    case REG_A:
        write_a(r, val);
        rtc_schedule(r);
        break;
    case REG_B:
        write_b(r, val);
        rtc_schedule(r);
        break;
    case REG_C:
    case REG_D:
        break; /* read only */
    default:
        r->cmos[index] = val;
        break;
    }
}

static uint64_t mc146818_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    struct mc146818 *r = dev;

    return off ? cmos_read(r, r->index & 0x7f) : 0xff; /* the index can't be read back */
}

static void select_index(struct mc146818 *r, uint8_t val)
{
    r->index = val;
    if (r->nmi_mask) {
        r->nmi_mask(r->nmi_ctx, val & 0x80);
    }
}

static void mc146818_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct mc146818 *r = dev;

    if (off) {
        cmos_write(r, r->index & 0x7f, (uint8_t)val);
    } else {
        select_index(r, (uint8_t)val);
    }
}

uint8_t mc146818_get(struct device *d, unsigned index)
{
    struct mc146818 *r = (struct mc146818 *)d;

    rtc_sync(r);
    return r->cmos[index % CMOS_SIZE];
}

void mc146818_set(struct device *d, unsigned index, uint8_t value)
{
    cmos_write((struct mc146818 *)d, index % CMOS_SIZE, value);
}

void mc146818_checksum(struct device *d)
{
    struct mc146818 *r = (struct mc146818 *)d;
    unsigned sum = 0, i;

    for (i = 0x10; i <= 0x2d; i++) {
        sum += r->cmos[i];
    }
    r->cmos[0x2e] = (uint8_t)(sum >> 8);
    r->cmos[0x2f] = (uint8_t)sum;
}

/* 1 = Sunday, by counting days from 1 January 1980, a Tuesday. */
static unsigned rtc_weekday(const struct rtc_time *t)
{
    static const uint16_t before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    unsigned years = t->year - 1980, month = MIN(MAX(t->month, 1u), 12u);
    unsigned days = years * 365 + (years + 3) / 4 + before[month - 1] + t->day - 1;

    if (month > 2 && t->year % 4 == 0) {
        days++;
    }
    return (days + 2) % 7 + 1;
}

static const struct io_ops mc146818_ops = {mc146818_read, mc146818_write, 1, 1, "mc146818"};

static bool mc146818_init(struct device *d, const void *config, struct err *e)
{
    struct mc146818 *r = (struct mc146818 *)d;
    const struct mc146818_config *c = config;
    const struct rtc_time *t = &c->base;

    r->irq = c->irq;
    r->nmi_mask = c->nmi_mask;
    r->nmi_ctx = c->nmi_ctx;
    r->update_at = SECOND;
    r->cmos[REG_A] = A_RUNNING | 6; /* 1024 Hz */
    r->cmos[REG_B] = B_24H;
    r->cmos[REG_D] = D_VALID;
    r->cmos[SECONDS] = to_reg(r, t->second % 60);
    r->cmos[MINUTES] = to_reg(r, t->minute % 60);
    r->cmos[HOURS] = to_reg(r, t->hour % 24);
    r->cmos[WEEKDAY] = to_reg(r, rtc_weekday(t));
    r->cmos[DAY] = to_reg(r, t->day % 32);
    r->cmos[MONTH] = to_reg(r, t->month % 13);
    r->cmos[YEAR] = to_reg(r, t->year % 100);
    r->cmos[CMOS_CENTURY] = to_reg(r, t->year / 100 % 100);
    snprintf(r->tick_name, sizeof r->tick_name, "%s/tick", d->id);
    event_init(d->env->sched, &r->tick, r->tick_name, rtc_event, r);
    if (bus_map(d->env->io, c->port, 2, &mc146818_ops, r, PRIO_DEVICE) < 0) {
        return err_set(e, "%s: out of memory", d->id);
    }
    return true;
}

/* The battery keeps time and contents over every reset; RESET ends the interrupts. */
static void mc146818_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct mc146818 *r = (struct mc146818 *)d;

    rtc_sync(r);
    r->cmos[REG_B] &= (uint8_t)~(B_PIE | B_AIE | B_UIE | B_SQWE);
    r->cmos[REG_C] = 0;
    rtc_irq(r);
    select_index(r, 0x80);
    rtc_schedule(r);
}

static bool mc146818_post_load(struct device *d, unsigned version UNUSED, struct err *e)
{
    struct mc146818 *r = (struct mc146818 *)d;
    bool runs = (r->cmos[REG_A] & (A_UIP | A_DIVIDER)) == A_RUNNING;

    if (runs == (r->update_at == NEVER) ||
        (runs && (r->update_at <= r->synced || r->update_at - r->synced > SECOND))) {
        return err_set(e, "%s: the saved state of the clock is not valid", d->id);
    }
    if (r->nmi_mask) {
        r->nmi_mask(r->nmi_ctx, r->index & 0x80);
    }
    return true;
}

static const struct snap_field mc146818_state[] = {
    SNAP_F(struct mc146818, synced, SNAP_U64),
    SNAP_F(struct mc146818, update_at, SNAP_U64),
    SNAP_F(struct mc146818, index, SNAP_U8),
    SNAP_SINCE(struct mc146818, fell_back, SNAP_BOOL, 2),
    SNAP_ARRAY(struct mc146818, cmos, SNAP_BYTES),
    SNAP_END,
};

const struct device_class mc146818_class = {
    .name = "mc146818",
    .size = sizeof(struct mc146818),
    .init = mc146818_init,
    .reset = mc146818_reset,
    .state = mc146818_state,
    .state_version = 2,
    .post_load = mc146818_post_load,
};
