/*
 * Machines connected with each other: a datagram for each frame, over UDP between two, over a
 * multicast group between many, or over UNIX sockets; as QEMU's socket and dgram networks do.
 */
/* for struct ip_mreq */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1
#endif

#include "gui/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Frames taken in one turn: nobody outside can keep the machine from running. */
enum { TURN_FRAMES = 128 };

struct net_socket {
    struct netback back;
    int fd, index;
    int out; /* of a group: sends, from a port of its own; else fd */
    bool bound_path;
    struct sockaddr_storage local, remote;
    socklen_t local_len, remote_len;
};

static void socket_send(struct netback *b, const uint8_t *frame, size_t len)
{
    struct net_socket *s = CONTAINER_OF(b, struct net_socket, back);

    /* As on a wire, nobody says whether it arrived. */
    if (sendto(s->out, frame, len, 0, (struct sockaddr *)&s->remote, s->remote_len) < 0) {
        return;
    }
}

static void socket_watch(struct netback *b, struct netpoll *p)
{
    struct net_socket *s = CONTAINER_OF(b, struct net_socket, back);

    s->index = netpoll_add(p, s->fd, POLLIN);
}

/* A group hears itself, too. */
static bool own(const struct net_socket *s, const struct sockaddr_storage *from)
{
    const struct sockaddr_in *a = (const struct sockaddr_in *)from,
                             *b = (const struct sockaddr_in *)&s->local;

    return s->out != s->fd && a->sin_family == AF_INET && a->sin_port == b->sin_port &&
           a->sin_addr.s_addr == b->sin_addr.s_addr;
}

static void socket_turn(struct netback *b, const struct netpoll *p)
{
    struct net_socket *s = CONTAINER_OF(b, struct net_socket, back);
    uint8_t frame[NET_FRAME_MAX + 1];

    if (!netpoll_result(p, s->index)) {
        return;
    }
    for (unsigned n = 0; n < TURN_FRAMES; n++) {
        struct sockaddr_storage from = {0};
        socklen_t from_len = sizeof from;
        ssize_t got = recvfrom(s->fd, frame, sizeof frame, 0, (struct sockaddr *)&from, &from_len);

        if (got < 0) {
            return;
        }
        if (got > 0 && got <= NET_FRAME_MAX && !own(s, &from)) {
            netport_deliver(s->back.port, frame, (size_t)got);
        }
    }
}

static void socket_close(struct netback *b)
{
    struct net_socket *s = CONTAINER_OF(b, struct net_socket, back);

    if (s->out >= 0 && s->out != s->fd) {
        close(s->out);
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    if (s->bound_path) {
        unlink(((struct sockaddr_un *)&s->local)->sun_path);
    }
    free(s);
}

static const struct netback_ops socket_ops = {socket_send, socket_watch, socket_turn, socket_close};

/* --- opening ------------------------------------------------------------------------------- */

static bool internet(const struct net_option *o, const char *text, struct sockaddr_storage *to,
                     socklen_t *len, struct err *e)
{
    const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : "";
    char host[256];
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM}, *found = NULL;
    size_t n = colon ? (size_t)(colon - text) : strlen(text);

    /* localaddr= of a group names an interface only. */
    if (text == o->local && o->kind == NET_MCAST) {
        port = "0";
    }
    if (*port == 0 || n >= sizeof host) {
        return err_set(e, "%s %s: write HOST:PORT", o->option, text);
    }
    memcpy(host, text, n);
    host[n] = 0;
    hints.ai_flags = n ? 0 : AI_PASSIVE;
    if (getaddrinfo(n ? host : NULL, port, &hints, &found) != 0) {
        return err_set(e, "%s %s: there is no such address", o->option, text);
    }
    memcpy(to, found->ai_addr, found->ai_addrlen);
    *len = (socklen_t)found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static bool path_address(const struct net_option *o, const char *path, struct sockaddr_storage *to,
                         socklen_t *len, struct err *e)
{
    struct sockaddr_un *u = (struct sockaddr_un *)to;

    if (strlen(path) >= sizeof u->sun_path) {
        return err_set(e, "%s %s: the name of a socket can't be so long", o->option, path);
    }
    u->sun_family = AF_UNIX;
    strcpy(u->sun_path, path);
    *len = (socklen_t)sizeof *u;
    return true;
}

static bool addresses(struct net_socket *s, const struct net_option *o, struct err *e)
{
    if (o->kind == NET_UNIX) {
        return path_address(o, o->remote, &s->remote, &s->remote_len, e) &&
               path_address(o, o->local, &s->local, &s->local_len, e);
    }
    return internet(o, o->remote, &s->remote, &s->remote_len, e) &&
           (!o->local || internet(o, o->local, &s->local, &s->local_len, e));
}

static bool failed(const struct net_option *o, const char *name, struct err *e)
{
    return err_set(e, "%s %s: can't be opened (%s)", o->option, name, strerror(errno));
}

/*
 * Frames go out by a socket with a port of its own, so that a machine's own can be told from the
 * others' on this host.
 */
static bool open_out(struct net_socket *s, const struct sockaddr_in *interface)
{
    unsigned char loop = 1;

    s->out = socket(AF_INET, SOCK_DGRAM, 0);
    s->local_len = sizeof s->local;
    return s->out >= 0 && fcntl(s->out, F_SETFL, O_NONBLOCK) == 0 &&
           (!interface || setsockopt(s->out, IPPROTO_IP, IP_MULTICAST_IF, &interface->sin_addr,
                                     sizeof interface->sin_addr) == 0) &&
           setsockopt(s->out, IPPROTO_IP, IP_MULTICAST_LOOP, &loop, sizeof loop) == 0 &&
           connect(s->out, (const struct sockaddr *)&s->remote, s->remote_len) == 0 &&
           getsockname(s->out, (struct sockaddr *)&s->local, &s->local_len) == 0;
}

static bool join(struct net_socket *s, const struct net_option *o, struct err *e)
{
    const struct sockaddr_in *group = (const struct sockaddr_in *)&s->remote;
    struct sockaddr_in interface = *(const struct sockaddr_in *)&s->local;
    struct ip_mreq m = {.imr_multiaddr = group->sin_addr, .imr_interface = interface.sin_addr};
    int on = 1;

    if ((ntohl(group->sin_addr.s_addr) >> 28) != 0xe) {
        return err_set(e, "%s mcast=%s: not a group; use an address from 224.0.0.0 to "
                          "239.255.255.255", o->option, o->remote);
    }
    setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(s->fd, (const struct sockaddr *)&s->remote, s->remote_len) != 0 ||
        setsockopt(s->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m) != 0 ||
        !open_out(s, o->local ? &interface : NULL)) {
        return failed(o, o->remote, e);
    }
    return true;
}

static bool open_socket(struct net_socket *s, const struct net_option *o, struct err *e)
{
    const char *name = o->local ? o->local : o->remote;

    if (!addresses(s, o, e)) {
        return false;
    }
    s->fd = socket(o->kind == NET_UNIX ? AF_UNIX : AF_INET, SOCK_DGRAM, 0);
    if (s->fd < 0 || fcntl(s->fd, F_SETFL, O_NONBLOCK) != 0) {
        return failed(o, name, e);
    }
    if (o->kind == NET_MCAST) {
        return join(s, o, e);
    }
    s->out = s->fd;
    if (bind(s->fd, (struct sockaddr *)&s->local, s->local_len) != 0) {
        return failed(o, name, e);
    }
    s->bound_path = o->kind == NET_UNIX;
    return true;
}

struct netback *net_socket_open(struct netport *p, const struct net_option *o, struct err *e)
{
    struct net_socket *s = calloc(1, sizeof *s);

    if (!s) {
        err_set(e, "%s: not enough memory for the network", o->option);
        return NULL;
    }
    s->back = (struct netback){&socket_ops, p};
    s->fd = s->out = -1;
    if (!open_socket(s, o, e)) {
        socket_close(&s->back);
        return NULL;
    }
    return &s->back;
}
