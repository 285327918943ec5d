/*
 * The user-mode network with traffic: a guest of a few hundred lines speaks ARP, UDP and TCP to
 * libslirp through the adapter's cable - DHCP, TFTP, connections to the host, hostfwd, guestfwd,
 * restrict - and a tap interface, where the host lets us make one.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/machine.h"
#include "gui/host.h"
#include "gui/net.h"
#include "gui/options.h"
#include "tests/suite.h"

static struct options o;
static struct err e;

static const uint8_t guest_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

struct guest {
    struct oxbow *m;
    struct nets nets;
    uint8_t frame[1600]; /* the last that came */
    size_t len;
    unsigned port; /* of the last connection */
};

static bool no_input(void *ctx UNUSED, int fd UNUSED)
{
    return false;
}

/* A machine whose processor has nothing to do, and its cable. */
static void guest_open(struct guest *g, const char *nic)
{
    static uint8_t rom[65536];
    struct oxbow_config cfg;
    char value[400];

    memset(rom, 0xf4, sizeof rom);
    memcpy(rom + 0xfff0, "\xfa\xf4\xeb\xfd", 4);
    options_init(&o);
    snprintf(value, sizeof value, "%s", nic);
    char *argv[] = {(char *)(uintptr_t)"-nic", value};
    ck_assert_msg(options_parse(&o, 2, argv, ".", &e) && opt_net_check(&o, &e), "%s", e.text);
    oxbow_config_init(&cfg);
    cfg.ram_mb = 1;
    cfg.bios = (struct oxbow_blob){rom, sizeof rom};
    nets_wire(&g->nets, &o, &cfg);
    g->m = oxbow_new(&cfg, &e);
    g->port = 1024;
    ck_assert_msg(g->m != NULL, "%s", e.text);
    ck_assert_msg(nets_open(&g->nets, &o, g->m, no_input, NULL, &e), "%s", e.text);
}

static void guest_close(struct guest *g)
{
    nets_close(&g->nets);
    oxbow_free(g->m);
    options_free(&o);
}

static void send_frame(struct guest *g, const uint8_t *frame, size_t len)
{
    struct net *net = &g->nets.port[0].net;

    net->ops->send(net, frame, len);
}

/* The next frame on the cable, within two seconds; taken before the adapter has it. */
static bool next_frame(struct guest *g)
{
    for (unsigned ms = 0; ms < 2000; ms++) {
        ck_assert_msg(nets_turn(&g->nets, true, &e), "%s", e.text);

        const struct input_event *ev = input_due(&g->m->input, INPUT_NET, UINT64_MAX);

        if (ev && ev->frame) {
            g->len = ev->code;
            memcpy(g->frame, ev->frame, g->len);
            input_take(&g->m->input, INPUT_NET);
            return true;
        }
        if (ev) {
            input_take(&g->m->input, INPUT_NET);
        }
        oxbow_run(g->m, oxbow_ips(g->m) / 1000);
        host_sleep_us(100);
    }
    return false;
}

static void put16b(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static unsigned get16b(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

/* Turns until the host's socket has something. */
static ssize_t heard(struct guest *g, int fd, char *to, size_t room)
{
    ssize_t n = -1;

    for (unsigned ms = 0; ms < 2000 && n < 0; ms++) {
        nets_turn(&g->nets, true, &e);
        oxbow_run(g->m, oxbow_ips(g->m) / 1000);
        n = recv(fd, to, room, MSG_DONTWAIT);
        host_sleep_us(n < 0 ? 100 : 0);
    }
    return n;
}

/* --- IP ------------------------------------------------------------------------------------- */

#ifdef HAVE_SLIRP

static const uint8_t gateway_mac[6] = {0x52, 0x55, 10, 0, 2, 2};
static const uint8_t guest_ip[4] = {10, 0, 2, 15}, gateway[4] = {10, 0, 2, 2};

static void put32b(uint8_t *p, uint32_t v)
{
    put16b(p, v >> 16);
    put16b(p + 2, v & 0xffff);
}

static uint32_t get32b(const uint8_t *p)
{
    return (uint32_t)get16b(p) << 16 | get16b(p + 2);
}

static uint32_t add_words(uint32_t sum, const uint8_t *p, size_t n)
{
    for (size_t k = 0; k < n; k += 2) {
        sum += (unsigned)p[k] << 8 | (k + 1 < n ? p[k + 1] : 0);
    }
    return sum;
}

static unsigned checksum(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum & 0xffff;
}

enum { ETH = 14, IP = ETH + 20, UDP = 17, TCP = 6 };

/* Ethernet and IP headers before the payload that is in f; `sum_at`: its own check sum's place. */
static void send_ip(struct guest *g, uint8_t *f, const uint8_t *to, unsigned protocol,
                    size_t payload, unsigned sum_at)
{
    uint8_t *ip = f + ETH;
    uint32_t pseudo;

    memcpy(f, gateway_mac, 6);
    memcpy(f + 6, guest_mac, 6);
    put16b(f + 12, 0x0800);
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16b(ip + 2, (unsigned)(20 + payload));
    ip[8] = 64;
    ip[9] = (uint8_t)protocol;
    memcpy(ip + 12, guest_ip, 4);
    memcpy(ip + 16, to, 4);
    put16b(ip + 10, checksum(add_words(0, ip, 20)));
    put16b(f + IP + sum_at, 0);
    pseudo = add_words(add_words((uint32_t)(protocol + payload), ip + 12, 8), f + IP, payload);
    put16b(f + IP + sum_at, checksum(pseudo));
    send_frame(g, f, IP + payload);
}

static void send_udp(struct guest *g, const uint8_t *to, unsigned from_port, unsigned port,
                     const void *data, size_t n)
{
    uint8_t f[1600];

    put16b(f + IP, from_port);
    put16b(f + IP + 2, port);
    put16b(f + IP + 4, (unsigned)(8 + n));
    memcpy(f + IP + 8, data, n);
    send_ip(g, f, to, UDP, 8 + n, 6);
}

/* Tells the network who has our address. */
static void announce(struct guest *g)
{
    uint8_t arp[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    memcpy(arp + 6, guest_mac, 6);
    memcpy(arp + 12, "\x08\x06\0\1\x08\0\6\4\0\1", 10);
    memcpy(arp + 22, guest_mac, 6);
    memcpy(arp + 28, guest_ip, 4);
    memcpy(arp + 38, gateway, 4);
    send_frame(g, arp, sizeof arp);
    do {
        ck_assert(next_frame(g));
    } while (get16b(g->frame + 12) != 0x0806);
    ck_assert_int_eq(memcmp(g->frame + 28, gateway, 4), 0);
}

static bool is_ip(const struct guest *g, unsigned protocol)
{
    return get16b(g->frame + 12) == 0x0800 && g->frame[ETH + 9] == protocol;
}

static bool next_ip(struct guest *g, unsigned protocol)
{
    while (next_frame(g)) {
        if (is_ip(g, protocol)) {
            return true;
        }
    }
    return false;
}

/* --- TCP -------------------------------------------------------------------------------------- */

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

struct tcp {
    uint8_t peer[4];
    unsigned here, there;
    uint32_t seq, ack;
};

static void send_tcp(struct guest *g, struct tcp *t, unsigned flags, const void *data, size_t n)
{
    uint8_t f[1600];

    memset(f + IP, 0, 20);
    put16b(f + IP, t->here);
    put16b(f + IP + 2, t->there);
    put32b(f + IP + 4, t->seq);
    put32b(f + IP + 8, t->ack);
    f[IP + 12] = 0x50;
    f[IP + 13] = (uint8_t)flags;
    put16b(f + IP + 14, 8192);
    memcpy(f + IP + 20, data, n);
    send_ip(g, f, t->peer, TCP, 20 + n, 16);
    t->seq += (uint32_t)n + (flags & (SYN | FIN) ? 1 : 0);
}

/* The next segment of the connection with one of these flags or with data; its payload. */
static unsigned next_tcp(struct guest *g, struct tcp *t, unsigned flags, const uint8_t **data,
                         size_t *n)
{
    while (next_ip(g, TCP)) {
        const uint8_t *s = g->frame + IP;
        size_t total = get16b(g->frame + ETH + 2), head = (s[12] >> 4) * 4u;

        if (get16b(s) != t->there || get16b(s + 2) != t->here) {
            continue;
        }
        *data = s + head;
        *n = total - 20 - head;
        if (*n || (s[13] & flags)) {
            t->ack = get32b(s + 4) + (uint32_t)*n + (s[13] & (SYN | FIN) ? 1 : 0);
            return s[13];
        }
    }
    return 0;
}

/* From the guest to an address; false: refused, or no answer. */
static bool connect_to(struct guest *g, struct tcp *t, const uint8_t *peer, unsigned port)
{
    const uint8_t *data;
    size_t n;

    *t = (struct tcp){.here = ++g->port, .there = port, .seq = 1000};
    memcpy(t->peer, peer, 4);
    send_tcp(g, t, SYN, "", 0);
    unsigned flags = next_tcp(g, t, SYN | RST, &data, &n);
    if ((flags & (SYN | ACK | RST)) != (SYN | ACK)) {
        return false;
    }
    send_tcp(g, t, ACK, "", 0);
    return true;
}

/* Sends a text, and wants the same back. */
static void echo(struct guest *g, struct tcp *t, const char *text)
{
    const uint8_t *data = NULL;
    size_t n = 0;

    send_tcp(g, t, PSH | ACK, text, strlen(text));
    ck_assert_uint_ne(next_tcp(g, t, 0, &data, &n), 0);
    ck_assert_uint_eq(n, strlen(text));
    ck_assert_int_eq(memcmp(data, text, n), 0);
    send_tcp(g, t, ACK, "", 0);
}

/* --- the host's side -------------------------------------------------------------------------- */

static struct sockaddr_in local(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

/* A listener on a free port of the host. */
static int listen_on(unsigned *port)
{
    struct sockaddr_in a = local(0);
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* A port that nobody has, most likely also a moment later. */
static unsigned free_port(int type)
{
    struct sockaddr_in a = local(0);
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, type, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

/* --- tests ------------------------------------------------------------------------------------ */

START_TEST(dhcp)
{
    static const uint8_t everybody[4] = {255, 255, 255, 255};
    uint8_t m[300] = {1, 1, 6, 0, 1, 2, 3, 4};
    struct guest g;

    memcpy(m + 28, guest_mac, 6);
    memcpy(m + 236, "\x63\x82\x53\x63\x35\x01\x01\xff", 8); /* DISCOVER */
    guest_open(&g, "user,bootfile=/kernel,hostname=oxbow-guest");
    send_udp(&g, everybody, 68, 67, m, sizeof m);
    ck_assert(next_ip(&g, UDP));
    const uint8_t *reply = g.frame + IP + 8;
    ck_assert_uint_eq(reply[0], 2);
    ck_assert_int_eq(memcmp(reply + 4, m + 4, 4), 0);
    ck_assert_int_eq(memcmp(reply + 16, guest_ip, 4), 0);
    ck_assert_str_eq((const char *)reply + 108, "/kernel");
    ck_assert_int_eq(memcmp(reply + 240, "\x35\x01\x02", 3), 0); /* OFFER */
    ck_assert_ptr_nonnull(memmem(reply + 240, g.len - IP - 8 - 240, "oxbow-guest", 11));
    guest_close(&g);
}
END_TEST

START_TEST(tftp)
{
    static const uint8_t request[] = "\0\1t_netuser.file\0octet";
    struct guest g;
    FILE *f = fopen("t_netuser.file", "w");

    for (unsigned n = 0; n < 700; n++) {
        putc((int)(n & 0xff), f);
    }
    fclose(f);
    guest_open(&g, "user,tftp=.");
    announce(&g);
    send_udp(&g, gateway, 2000, 69, request, sizeof request);
    ck_assert(next_ip(&g, UDP));
    const uint8_t *d = g.frame + IP + 8;
    ck_assert_uint_eq(get32b(d), 0x00030001); /* DATA, block 1 */
    ck_assert_uint_eq(get16b(g.frame + IP + 4), 8 + 4 + 512);
    ck_assert_uint_eq(d[4 + 511], 511 & 0xff);
    send_udp(&g, gateway, 2000, get16b(g.frame + IP), "\0\4\0\1", 4);
    ck_assert(next_ip(&g, UDP));
    ck_assert_uint_eq(get16b(g.frame + IP + 4), 8 + 4 + 188);
    /* A file outside of the folder is not there. */
    send_udp(&g, gateway, 2001, 69, "\0\1../etc/passwd\0octet", 21);
    ck_assert(next_ip(&g, UDP));
    ck_assert_uint_eq(get16b(d), 5);
    guest_close(&g);
    unlink("t_netuser.file");
}
END_TEST

START_TEST(guest_to_host)
{
    struct guest g;
    struct tcp t;
    unsigned port;
    char b[16];
    int door = listen_on(&port), fd;

    guest_open(&g, "user");
    announce(&g);
    ck_assert(connect_to(&g, &t, gateway, port));
    fd = accept(door, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    send_tcp(&g, &t, PSH | ACK, "from the guest", 14);
    ck_assert_int_eq(heard(&g, fd, b, sizeof b), 14);
    ck_assert_int_eq(memcmp(b, "from the guest", 14), 0);
    ck_assert_int_eq(send(fd, "hello", 5, 0), 5);
    const uint8_t *data;
    size_t n;
    ck_assert_uint_ne(next_tcp(&g, &t, 0, &data, &n), 0);
    ck_assert_uint_eq(n, 5);
    ck_assert_int_eq(memcmp(data, "hello", 5), 0);
    close(fd);
    close(door);
    /* Nobody listens there now. */
    ck_assert(!connect_to(&g, &t, gateway, port));
    guest_close(&g);
}
END_TEST

START_TEST(restricted)
{
    struct guest g;
    struct tcp t;
    unsigned port;
    int door = listen_on(&port);
    static const uint8_t service[4] = {10, 0, 2, 100};

    guest_open(&g, "user,restrict=on,guestfwd=tcp:10.0.2.100:7-cmd:cat");
    announce(&g);
    ck_assert(!connect_to(&g, &t, gateway, port));
    ck_assert_int_lt(accept(door, NULL, NULL), 0);
    ck_assert(connect_to(&g, &t, service, 7)); /* what was asked for is there */
    echo(&g, &t, "through\n");
    close(door);
    guest_close(&g);
}
END_TEST

START_TEST(guestfwd)
{
    static const uint8_t service[4] = {10, 0, 2, 100};
    struct guest g;
    struct tcp t;

    guest_open(&g, "user,guestfwd=tcp:10.0.2.100:7-cmd:cat");
    announce(&g);
    ck_assert(connect_to(&g, &t, service, 7));
    echo(&g, &t, "one\n");
    echo(&g, &t, "and two\n");
    guest_close(&g);
}
END_TEST

START_TEST(hostfwd_tcp)
{
    unsigned port = free_port(SOCK_STREAM);
    struct sockaddr_in a = local(port);
    const uint8_t *data;
    char line[100], b[16];
    struct guest g;
    size_t n;

    snprintf(line, sizeof line, "user,hostfwd=tcp:127.0.0.1:%u-:22", port);
    guest_open(&g, line);
    announce(&g);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert(next_ip(&g, TCP));
    ck_assert_uint_eq(g.frame[IP + 13] & (SYN | ACK), SYN);
    ck_assert_uint_eq(get16b(g.frame + IP + 2), 22);
    struct tcp t = {.here = 22, .there = get16b(g.frame + IP), .seq = 5000,
                    .ack = get32b(g.frame + IP + 4) + 1};
    memcpy(t.peer, g.frame + ETH + 12, 4);
    send_tcp(&g, &t, SYN | ACK, "", 0);
    ck_assert_int_eq(send(fd, "ping", 4, 0), 4);
    ck_assert_uint_ne(next_tcp(&g, &t, 0, &data, &n), 0);
    ck_assert_uint_eq(n, 4);
    ck_assert_int_eq(memcmp(data, "ping", 4), 0);
    send_tcp(&g, &t, PSH | ACK, "pong", 4);
    ck_assert_int_eq(heard(&g, fd, b, sizeof b), 4);
    ck_assert_int_eq(memcmp(b, "pong", 4), 0);
    close(fd);
    guest_close(&g);
}
END_TEST

START_TEST(hostfwd_udp)
{
    unsigned port = free_port(SOCK_DGRAM);
    struct sockaddr_in a = local(port);
    char line[100], b[16];
    struct guest g;

    snprintf(line, sizeof line, "user,hostfwd=udp:127.0.0.1:%u-:7", port);
    guest_open(&g, line);
    announce(&g);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    ck_assert_int_eq(sendto(fd, "datagram", 8, 0, (struct sockaddr *)&a, sizeof a), 8);
    ck_assert(next_ip(&g, UDP));
    ck_assert_uint_eq(get16b(g.frame + IP + 2), 7);
    ck_assert_int_eq(memcmp(g.frame + IP + 8, "datagram", 8), 0);
    uint8_t peer[4];
    memcpy(peer, g.frame + ETH + 12, 4);
    send_udp(&g, peer, 7, get16b(g.frame + IP), "back", 4);
    ck_assert_int_eq(heard(&g, fd, b, sizeof b), 4);
    ck_assert_int_eq(memcmp(b, "back", 4), 0);
    close(fd);
    guest_close(&g);
}
END_TEST

#endif

#ifdef __linux__

#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

/* An interface that stays when we close it, up; false: we may not. */
static bool make_tap(const char *name, bool keep)
{
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR), s = socket(AF_INET, SOCK_DGRAM, 0);

    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    bool ok = fd >= 0 && s >= 0 && ioctl(fd, TUNSETIFF, &r) == 0 &&
              ioctl(fd, TUNSETPERSIST, keep ? 1 : 0) == 0;
    if (ok && keep) {
        ok = ioctl(s, SIOCGIFFLAGS, &r) == 0;
        r.ifr_flags |= IFF_UP;
        ok = ok && ioctl(s, SIOCSIFFLAGS, &r) == 0;
    }
    close(fd);
    close(s);
    return ok;
}

/* Frames of a type of our own, as the host's side of the interface sees them. */
START_TEST(tap)
{
    enum { TYPE = 0x88b5 }; /* for experiments (IEEE 802) */
    char name[IFNAMSIZ], nic[40];
    uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, b[100];
    struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(TYPE)};
    struct guest g;

    /* A name of our own: others may test here, too. */
    snprintf(name, sizeof name, "oxbow%d", (int)(getpid() % 1000000));
    snprintf(nic, sizeof nic, "tap,ifname=%s", name);
    if (!make_tap(name, true)) {
        printf("no tap interface can be made here: not tested\n");
        return;
    }
    memcpy(frame + 6, guest_mac, 6);
    put16b(frame + 12, TYPE);
    int s = socket(AF_PACKET, SOCK_RAW, htons(TYPE));
    a.sll_ifindex = (int)if_nametoindex(name);
    ck_assert_int_eq(bind(s, (struct sockaddr *)&a, sizeof a), 0);
    guest_open(&g, nic);
    frame[20] = 1;
    send_frame(&g, frame, sizeof frame);
    ck_assert_int_eq(heard(&g, s, (char *)b, sizeof b), sizeof frame);
    ck_assert_uint_eq(b[20], 1);
    frame[20] = 2;
    frame[6] ^= 2;
    ck_assert_int_eq(send(s, frame, sizeof frame, 0), sizeof frame);
    do {
        ck_assert(next_frame(&g)); /* the host's own announcements come, too */
    } while (get16b(g.frame + 12) != TYPE);
    ck_assert_uint_eq(g.frame[20], 2);
    guest_close(&g);
    close(s);
    make_tap(name, false);
}
END_TEST

#endif

int main(void)
{
    Suite *s = suite_create("netuser");
    TCase *t = tcase_create("netuser");

    tcase_set_timeout(t, 60);
#ifdef HAVE_SLIRP
    tcase_add_test(t, dhcp);
    tcase_add_test(t, tftp);
    tcase_add_test(t, guest_to_host);
    tcase_add_test(t, restricted);
    tcase_add_test(t, guestfwd);
    tcase_add_test(t, hostfwd_tcp);
    tcase_add_test(t, hostfwd_udp);
#endif
#ifdef __linux__
    tcase_add_test(t, tap);
#endif
    suite_add_tcase(s, t);
    return suite_run(s);
}
