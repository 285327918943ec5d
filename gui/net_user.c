/*
 * User-mode network by libslirp: 10.0.2.0/24 and fec0::/64 with the guest at 10.0.2.15, gateway
 * 10.0.2.2, name server 10.0.2.3, TFTP, ports forwarded from and to the host.
 *
 * Its clock is guest time.  What it answers itself (ARP, DHCP, pings of the gateway, TFTP) depends
 * on the guest alone, so such runs repeat exactly; connections to the world outside do not.
 */
#include "gui/net.h"

#ifdef HAVE_SLIRP
#include <poll.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>

#include "gui/optvalue.h"

#define NEVER INT64_MAX
#define ADVERTISE_MS 400000

struct user_timer {
    struct user_timer *next;
    SlirpTimerCb fn;
    void *arg;
    int64_t due_ms;
};

struct net_user {
    struct netback back;
    Slirp *slirp;
    struct user_timer *timers;
};

/* --- what libslirp asks for ---------------------------------------------------------------- */

static ssize_t send_packet(const void *frame, size_t len, void *opaque)
{
    struct net_user *u = opaque;

    netport_deliver(u->back.port, frame, len);
    return (ssize_t)len;
}

static void guest_error(const char *msg UNUSED, void *opaque UNUSED)
{
}

static int64_t clock_ns(void *opaque)
{
    const struct net_user *u = opaque;

    return (int64_t)netport_now_ns(u->back.port);
}

static void *timer_new(SlirpTimerCb fn, void *arg, void *opaque)
{
    struct net_user *u = opaque;
    struct user_timer *t = malloc(sizeof *t);

    if (t) {
        *t = (struct user_timer){u->timers, fn, arg, NEVER};
        u->timers = t;
    }
    return t;
}

static void timer_free(void *timer, void *opaque)
{
    struct net_user *u = opaque;
    struct user_timer **at = &u->timers;

    while (*at && *at != timer) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = (*at)->next;
        free(timer);
    }
}

/*
 * The one timer there is says when the next router advertisement goes out, at random times 200 to
 * 600 seconds apart.  Fixed ones serve as well, and a run repeats.
 */
static void timer_mod(void *timer, int64_t due_ms UNUSED, void *opaque)
{
    struct user_timer *t = timer;

    if (t) {
        t->due_ms = clock_ns(opaque) / 1000000 + ADVERTISE_MS;
    }
}

static void run_timers(struct net_user *u)
{
    int64_t now = clock_ns(u) / 1000000;

    for (struct user_timer *t = u->timers; t; t = t->next) {
        if (t->due_ms <= now) {
            t->due_ms = NEVER;
            t->fn(t->arg);
        }
    }
}

/* Sockets are asked for anew in every turn. */
static void poll_fd(int fd UNUSED, void *opaque UNUSED)
{
}

static void notify(void *opaque UNUSED)
{
}

static const SlirpCb callbacks = {
    .send_packet = send_packet,
    .guest_error = guest_error,
    .clock_get_ns = clock_ns,
    .timer_new = timer_new,
    .timer_free = timer_free,
    .timer_mod = timer_mod,
    .register_poll_fd = poll_fd,
    .unregister_poll_fd = poll_fd,
    .notify = notify,
};

/* --- turns --------------------------------------------------------------------------------- */

static int add_poll(int fd, int events, void *opaque)
{
    short want = (short)((events & SLIRP_POLL_IN ? POLLIN : 0) |
                         (events & SLIRP_POLL_OUT ? POLLOUT : 0) |
                         (events & SLIRP_POLL_PRI ? POLLPRI : 0));

    return netpoll_add(opaque, fd, want);
}

struct results {
    const struct netpoll *p;
};

static int get_revents(int index, void *opaque)
{
    short got = netpoll_result(((const struct results *)opaque)->p, index);

    return (got & POLLIN ? SLIRP_POLL_IN : 0) | (got & POLLOUT ? SLIRP_POLL_OUT : 0) |
           (got & POLLPRI ? SLIRP_POLL_PRI : 0) | (got & POLLERR ? SLIRP_POLL_ERR : 0) |
           (got & POLLHUP ? SLIRP_POLL_HUP : 0);
}

static void user_watch(struct netback *b, struct netpoll *p)
{
    struct net_user *u = CONTAINER_OF(b, struct net_user, back);
    uint32_t timeout = UINT32_MAX; /* turns come often enough for its timers */

    slirp_pollfds_fill(u->slirp, &timeout, add_poll, p);
}

static void user_turn(struct netback *b, const struct netpoll *p)
{
    struct net_user *u = CONTAINER_OF(b, struct net_user, back);
    struct results r = {p};

    slirp_pollfds_poll(u->slirp, 0, get_revents, &r);
    run_timers(u);
}

static void user_send(struct netback *b, const uint8_t *frame, size_t len)
{
    slirp_input(CONTAINER_OF(b, struct net_user, back)->slirp, frame, (int)len);
}

static void user_close(struct netback *b)
{
    struct net_user *u = CONTAINER_OF(b, struct net_user, back);

    if (u->slirp) {
        slirp_cleanup(u->slirp);
    }
    while (u->timers) {
        timer_free(u->timers, u);
    }
    free(u);
}

static const struct netback_ops user_ops = {user_send, user_watch, user_turn, user_close};

/* --- forwarding ---------------------------------------------------------------------------- */

/* ADDRESS:PORT up to `end`; an empty address leaves *a as it is. */
static bool parse_end(const char **s, char end, struct in_addr *a, int *port)
{
    char text[64];
    size_t n = strcspn(*s, ":"), digits;
    uint64_t v;

    if (n >= sizeof text || (*s)[n] != ':') {
        return false;
    }
    memcpy(text, *s, n);
    text[n] = 0;
    if (n && inet_pton(AF_INET, text, a) != 1) {
        return false;
    }
    *s += n + 1;
    digits = strspn(*s, "0123456789");
    if (digits == 0 || digits > 5 || (*s)[digits] != end) {
        return false;
    }
    memcpy(text, *s, digits);
    text[digits] = 0;
    *s += digits + (end != 0);
    if (!optvalue_number(text, &v) || v > 65535) {
        return false;
    }
    *port = (int)v;
    return true;
}

/* (tcp|udp):[HOSTADDR]:PORT-[GUESTADDR]:PORT */
static bool host_forward(struct net_user *u, const struct net_option *o, const char *text,
                         struct err *e)
{
    struct in_addr host = {htonl(INADDR_ANY)}, guest = {0};
    int host_port, guest_port;
    const char *s = text;
    bool udp = strncmp(s, "udp:", 4) == 0;

    s += udp || strncmp(s, "tcp:", 4) == 0 ? 4 : s[0] == ':' ? 1 : 0;
    if (s == text || !parse_end(&s, '-', &host, &host_port) ||
        !parse_end(&s, 0, &guest, &guest_port) || guest_port == 0) {
        return err_set(e, "%s hostfwd=%s: write tcp:[HOSTADDR]:PORT-[GUESTADDR]:PORT, for example "
                          "hostfwd=tcp::2222-:22", o->option, text);
    }
    return slirp_add_hostfwd(u->slirp, udp, host, host_port, guest, guest_port) == 0 ||
           err_set(e, "%s hostfwd=%s: port %d can't be opened here; is it in use?", o->option, text,
                   host_port);
}

/* tcp:ADDR:PORT-cmd:COMMAND or -unix:PATH */
static bool guest_forward(struct net_user *u, const struct net_option *o, const char *text,
                          struct err *e)
{
    struct in_addr addr = {0};
    int port, failed = -1;
    const char *s = text;

    s += strncmp(s, "tcp:", 4) == 0 ? 4 : 0;
    if (parse_end(&s, '-', &addr, &port)) {
        if (strncmp(s, "cmd:", 4) == 0) {
            failed = slirp_add_exec(u->slirp, s + 4, &addr, port);
        } else if (strncmp(s, "unix:", 5) == 0) {
            failed = slirp_add_unix(u->slirp, s + 5, &addr, port);
        }
    }
    return failed == 0 ||
           err_set(e, "%s guestfwd=%s: write tcp:10.0.2.ADDR:PORT-cmd:COMMAND or -unix:PATH; the "
                      "address must be free", o->option, text);
}

struct netback *net_user_open(struct netport *p, const struct net_option *o, struct err *e)
{
    struct net_user *u = calloc(1, sizeof *u);
    SlirpConfig c = {
        .version = 1, .restricted = o->restricted, .in_enabled = true, .vhostname = o->hostname,
        .tftp_path = o->tftp, .bootfile = o->bootfile,
        .vnetwork = {htonl(0x0a000200)}, .vnetmask = {htonl(0xffffff00)},
        .vhost = {htonl(0x0a000202)}, .vnameserver = {htonl(0x0a000203)},
        .vdhcp_start = {htonl(0x0a00020f)}, .in6_enabled = !o->no_ipv6,
        .vprefix_addr6 = {{{0xfe, 0xc0}}}, .vprefix_len = 64,
        .vhost6 = {{{0xfe, 0xc0, [15] = 2}}}, .vnameserver6 = {{{0xfe, 0xc0, [15] = 3}}},
    };
    bool ok;

    if (!u) {
        err_set(e, "%s: not enough memory for the network", o->option);
        return NULL;
    }
    u->back = (struct netback){&user_ops, p};
    u->slirp = slirp_new(&c, &callbacks, u);
    ok = u->slirp || err_set(e, "%s user: the user-mode network can't be started", o->option);
    for (unsigned n = 0; ok && n < o->hostfwds; n++) {
        ok = host_forward(u, o, o->hostfwd[n], e);
    }
    for (unsigned n = 0; ok && n < o->guestfwds; n++) {
        ok = guest_forward(u, o, o->guestfwd[n], e);
    }
    if (!ok) {
        user_close(&u->back);
        return NULL;
    }
    return &u->back;
}

#else

struct netback *net_user_open(struct netport *p UNUSED, const struct net_option *o, struct err *e)
{
    err_set(e, "%s user: this program was built without libslirp; build it with libslirp-dev, or "
               "use %s socket", o->option, o->option);
    return NULL;
}

#endif
