/*
 * Runs a test on the CPU of the host: x86-64 Linux processes can execute 32-bit code.
 *
 * The process stays a 64-bit one.  IRETQ enters a compatibility-mode code segment with all
 * registers loaded (and serializes, so code written through another mapping is seen); the test
 * leaves by a far jump to a few bytes of 64-bit code at EXIT_LA, or by an exception, whose signal
 * handler takes the state from the signal frame.  32-bit code reaches addresses below 4 GB only,
 * where nothing but the pages of the test is mapped, so a test cannot harm the tester.
 *
 * Between entry and leaving the segment registers are the test's: FS does not point at the thread's
 * data, so nothing compiled may run before arch_prctl() has restored it.
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include "tests/diff.h"

static const struct ldt_entry ldt_entries[LDT_COUNT] = {
    [LDT_DATA] = {.base = WIN_LA, .limit = 0x17ff, .big = true},
    [LDT_RO] = {.base = WIN_LA + 0x800, .limit = 0x1fff, .big = true, .read_exec_only = true},
    [LDT_DOWN32] = {.base = WIN_LA - 0x1000, .limit = 0x1fff, .big = true, .down = true},
    [LDT_DOWN16] = {.base = WIN_LA - 0x1000, .limit = 0x1eff, .down = true},
    [LDT_PAGES] = {.base = WIN_LA, .limit = 1, .big = true, .pages = true},
    [LDT_ABSENT] = {.base = WIN_LA, .limit = 0x1fff, .big = true, .absent = true},
    [LDT_EXEC] = {.base = CODE_LA, .limit = CODE_SIZE - 1, .code = true, .big = true,
                  .read_exec_only = true},
    [LDT_CODE32] = {.base = CODE_LA, .limit = CODE_SIZE - 1, .code = true, .big = true},
    [LDT_CODE16] = {.base = CODE_LA, .limit = CODE_SIZE - 1, .code = true},
    [LDT_STACK16] = {.base = WIN_LA, .limit = 0x2fff},
    [LDT_WRAP] = {.base = 0x5000, .limit = 0xfffff, .big = true, .pages = true},
};

const struct ldt_entry *diff_ldt(unsigned n)
{
    return &ldt_entries[n];
}

#if defined(__x86_64__) && !defined(__ILP32__) && defined(__linux__)

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

/* Offsets up to `active` are known to the assembly. */
struct native {
    struct diff_state s;
    uint64_t rsp;     /* of the tester while the test runs */
    uint64_t fs_base; /* its thread's data */
    uint32_t trap, err, cr2;
    uint32_t active;
    uint32_t interrupted;
};
_Static_assert(offsetof(struct native, rsp) == 576 && offsetof(struct native, fs_base) == 584 &&
               offsetof(struct native, trap) == 592 && offsetof(struct native, active) == 604,
               "as in the assembly");

struct diff_host {
    struct native *n;
    uint8_t *code; /* the code pages, writable here */
    void *stack;   /* of signal handlers */
    unsigned code_used[2];
};

/* Registers in the signal frame.  The names of <ucontext.h> collide with those of the decoder. */
enum {
    GREG_R15 = 7, GREG_RDI, GREG_RSI, GREG_RBP, GREG_RBX, GREG_RDX, GREG_RAX, GREG_RCX, GREG_RSP,
    GREG_RIP, GREG_EFL, GREG_CSGSFS, GREG_ERR, GREG_TRAPNO, GREG_OLDMASK, GREG_CR2,
};
#define SIGNAL_STACK 65536
#define POINTER_LA (EXIT_LA + 0x40) /* where the handler finds struct native */

void diff_enter(struct native *n);
void diff_leave(void);
void diff_resume(void);
void diff_signal(int sig, siginfo_t *info, void *uc);
void diff_caught(int sig, ucontext_t *uc, struct native *n);
void diff_idle(int sig);

/* rdi: struct native.  r8 to r15 are out of reach of 32-bit code. */
__asm__(
    ".text\n"
    "diff_enter:\n"
    "    push %rbx\n    push %rbp\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
    "    mov %rdi, %r15\n"
    "    mov %rsp, 576(%r15)\n"
    "    movl $1, 604(%r15)\n"
    "    fxrstor 64(%r15)\n"
    "    mov 40(%r15), %eax\n    mov %eax, %es\n"
    "    mov 52(%r15), %eax\n    mov %eax, %ds\n"
    "    mov 56(%r15), %eax\n    mov %eax, %fs\n"
    "    mov 60(%r15), %eax\n    mov %eax, %gs\n"
    "    mov $0x30001ff0, %esp\n"
    "    mov 48(%r15), %eax\n    push %rax\n"
    "    mov 16(%r15), %eax\n    push %rax\n"
    "    mov 36(%r15), %eax\n    push %rax\n"
    "    mov 44(%r15), %eax\n    push %rax\n"
    "    mov 32(%r15), %eax\n    push %rax\n"
    "    mov 0(%r15), %eax\n    mov 4(%r15), %ecx\n    mov 8(%r15), %edx\n"
    "    mov 12(%r15), %ebx\n    mov 20(%r15), %ebp\n    mov 24(%r15), %esi\n"
    "    mov 28(%r15), %edi\n"
    "    iretq\n"
    "diff_leave:\n" /* r15: struct native, set by the code at EXIT_LA */
    "    mov %eax, 0(%r15)\n    mov %ecx, 4(%r15)\n    mov %edx, 8(%r15)\n"
    "    mov %ebx, 12(%r15)\n    mov %esp, 16(%r15)\n    mov %ebp, 20(%r15)\n"
    "    mov %esi, 24(%r15)\n    mov %edi, 28(%r15)\n"
    "    mov 576(%r15), %rsp\n"
    "    pushfq\n    pop %rax\n    mov %eax, 36(%r15)\n"
    "    pushq $0x202\n    popfq\n"
    "    mov %ss, %eax\n    mov %eax, 48(%r15)\n"
    "    mov %es, %eax\n    mov %eax, 40(%r15)\n"
    "    mov %ds, %eax\n    mov %eax, 52(%r15)\n"
    "    mov %fs, %eax\n    mov %eax, 56(%r15)\n"
    "    mov %gs, %eax\n    mov %eax, 60(%r15)\n"
    "    fxsave 64(%r15)\n"
    "    fninit\n    pushq $0x1f80\n    ldmxcsr (%rsp)\n    pop %rax\n"
    "    movl $0xff, 592(%r15)\n"
    "diff_resume:\n"
    "    xor %eax, %eax\n"
    "    mov %eax, %ds\n    mov %eax, %es\n    mov %eax, %fs\n    mov %eax, %gs\n"
    "    mov $0x2b, %eax\n    mov %eax, %ss\n"
    "    mov $0x1002, %edi\n    mov 584(%r15), %rsi\n    mov $158, %eax\n    syscall\n"
    "    movl $0, 604(%r15)\n"
    "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbp\n    pop %rbx\n"
    "    ret\n"
    "diff_signal:\n"
    "    mov 0x30000040, %r15\n"
    "    cmpl $0, 604(%r15)\n"
    "    je diff_idle\n"
    "    pushq $0x202\n    popfq\n"
    "    mov %es, %eax\n    mov %eax, 40(%r15)\n"
    "    mov %ds, %eax\n    mov %eax, 52(%r15)\n"
    "    mov %fs, %eax\n    mov %eax, 56(%r15)\n"
    "    mov %gs, %eax\n    mov %eax, 60(%r15)\n"
    "    mov %rdi, %r12\n    mov %rdx, %r13\n"
    "    mov $0x1002, %edi\n    mov 584(%r15), %rsi\n    mov $158, %eax\n    syscall\n"
    "    mov %r12, %rdi\n    mov %r13, %rsi\n    mov %r15, %rdx\n"
    "    jmp diff_caught\n");

/* A signal while no test runs: of the timer, or the tester itself is broken. */
void diff_idle(int sig)
{
    if (sig != SIGALRM) {
        signal(sig, SIG_DFL);
    }
}

/* The exception of a test: its state is in the frame, which then leads back to the tester. */
void diff_caught(int sig, ucontext_t *uc, struct native *n)
{
    static const int order[8] = {GREG_RAX, GREG_RCX, GREG_RDX, GREG_RBX,
                                 GREG_RSP, GREG_RBP, GREG_RSI, GREG_RDI};
    greg_t *g = uc->uc_mcontext.gregs;

    for (unsigned k = 0; k < 8; k++) {
        n->s.r[k] = (uint32_t)g[order[k]];
    }
    n->s.eip = (uint32_t)g[GREG_RIP];
    n->s.eflags = (uint32_t)g[GREG_EFL];
    n->s.sel[SEG_CS] = (uint64_t)g[GREG_CSGSFS] & 0xffff;
    n->s.sel[SEG_SS] = (uint64_t)g[GREG_CSGSFS] >> 48;
    memcpy(n->s.fx, uc->uc_mcontext.fpregs, sizeof n->s.fx);
    n->trap = (uint32_t)g[GREG_TRAPNO];
    n->err = (uint32_t)g[GREG_ERR];
    n->cr2 = (uint32_t)g[GREG_CR2];
    n->interrupted = sig == SIGALRM;

    g[GREG_RIP] = (greg_t)(uintptr_t)diff_resume;
    g[GREG_RSP] = (greg_t)n->rsp;
    g[GREG_R15] = (greg_t)(uintptr_t)n;
    g[GREG_EFL] = 0x202;
    g[GREG_CSGSFS] = (greg_t)((uint64_t)SEL_USER_DS << 48 | SEL_USER64);
    struct _libc_fpstate *fp = uc->uc_mcontext.fpregs;
    fp->cwd = 0x37f;
    fp->swd = 0;
    fp->ftw = 0;
    fp->mxcsr = 0x1f80;
}

/* Below 4 GB there must be nothing of our own. */
static bool low_addresses_free(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned long from = 0;
    bool free = f && fscanf(f, "%lx", &from) == 1 && from >> 32;

    if (f) {
        fclose(f);
    }
    return free;
}

static bool install_table(void)
{
    for (unsigned n = 0; n < LDT_COUNT; n++) {
        const struct ldt_entry *e = &ldt_entries[n];
        struct user_desc d;

        memset(&d, 0, sizeof d);
        d.entry_number = n;
        d.base_addr = e->base;
        d.limit = e->limit;
        d.seg_32bit = e->big;
        d.contents = e->code ? MODIFY_LDT_CONTENTS_CODE : e->down ? MODIFY_LDT_CONTENTS_STACK : 0;
        d.read_exec_only = e->read_exec_only;
        d.limit_in_pages = e->pages;
        d.seg_not_present = e->absent;
        d.useable = 1;
        if (syscall(SYS_modify_ldt, 0x11, &d, sizeof d) != 0) {
            return false;
        }
    }
    return true;
}

static bool map_fixed(uint32_t la, size_t size, int prot, int flags, int fd, off_t at)
{
    void *want = (void *)(uintptr_t)la;

    return mmap(want, size, prot, flags | MAP_FIXED, fd, at) == want;
}

/* The code pages twice, so that tests cannot write to them and the tester can. */
static bool map_code(struct diff_host *h)
{
    int fd = (int)syscall(SYS_memfd_create, "code", 0);
    bool ok = fd >= 0 && ftruncate(fd, CODE_SIZE) == 0 &&
              map_fixed(CODE_LA, CODE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);

    if (ok) {
        void *p = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ok = p != MAP_FAILED;
        h->code = ok ? p : NULL;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (ok) {
        memset(h->code, 0xcc, CODE_SIZE);
    }
    return ok;
}

static bool map_exit(struct native *n)
{
    uint8_t *p = (uint8_t *)(uintptr_t)EXIT_LA;
    uintptr_t values[2] = {(uintptr_t)n, (uintptr_t)diff_leave};

    if (!map_fixed(EXIT_LA, EXIT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                   0)) {
        return false;
    }
    memcpy(p, "\x49\xbf........\x49\xbe........\x41\xff\xe6", 23); /* mov r15; mov r14; jmp r14 */
    memcpy(p + 2, &values[0], 8);
    memcpy(p + 12, &values[1], 8);
    memcpy(p + (POINTER_LA - EXIT_LA), &values[0], 8);
    return mprotect(p, EXIT_SIZE / 2, PROT_READ | PROT_EXEC) == 0;
}

/* Present from the first access on: the error code of a page fault tells. */
static bool map_data(void)
{
    void *all = (void *)(uintptr_t)WIN_LA;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;

    if (!map_fixed(WIN_LA, WIN_SIZE + RO_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0)) {
        return false;
    }
    memset(all, 0, WIN_SIZE + RO_SIZE);
    (void)mlock(all, WIN_SIZE + RO_SIZE);
    return mprotect((void *)(uintptr_t)RO_LA, RO_SIZE, PROT_READ) == 0;
}

static bool catch_signals(struct diff_host *h)
{
    static const int caught[] = {SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGBUS, SIGALRM};
    stack_t stack = {.ss_sp = h->stack, .ss_size = SIGNAL_STACK};
    struct itimerval second = {{1, 0}, {1, 0}};
    struct sigaction a;
    bool ok = sigaltstack(&stack, NULL) == 0;

    memset(&a, 0, sizeof a);
    a.sa_sigaction = diff_signal;
    a.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART;
    for (unsigned k = 0; k < sizeof caught / sizeof caught[0]; k++) {
        ok = ok && sigaction(caught[k], &a, NULL) == 0;
    }
    return ok && setitimer(ITIMER_REAL, &second, NULL) == 0;
}

struct diff_host *host_new(const char **why)
{
    struct diff_host *h = calloc(1, sizeof *h);
    uint32_t access, limit;

    if (!h) {
        *why = "not enough memory";
        return NULL;
    }
    h->n = aligned_alloc(64, (sizeof *h->n + 63) / 64 * 64);
    h->stack = malloc(SIGNAL_STACK);
    *why = NULL;
    if (!h->n || !h->stack) {
        *why = "not enough memory";
    } else if (!low_addresses_free()) {
        *why = "the program is mapped below 4 GB (it has to be position independent)";
    } else if (!host_selector(SEL_USER32, &access, &limit) || (access & 0xf800) != 0xf800) {
        *why = "the kernel has no 32-bit user code segment";
    } else if (!install_table()) {
        *why = "the kernel has no modify_ldt()";
    } else if (!map_code(h) || !map_exit(h->n) ||
               !map_data()) {
        *why = "the addresses of the tests cannot be mapped";
    } else if (!catch_signals(h)) {
        *why = "signals cannot be caught";
    }
    if (*why) {
        host_free(h);
        return NULL;
    }
    memset(h->n, 0, sizeof *h->n);
    syscall(SYS_arch_prctl, ARCH_GET_FS, &h->n->fs_base);
    return h;
}

void host_free(struct diff_host *h)
{
    free(h->n);
    free(h->stack);
    free(h);
}

uint8_t *host_window(struct diff_host *h)
{
    (void)h;
    return (uint8_t *)(uintptr_t)WIN_LA;
}

bool host_selector(unsigned sel, uint32_t *access, uint32_t *limit)
{
    bool ok;

    __asm__("lar %2, %0" : "=r"(*access), "=@ccz"(ok) : "r"(sel) : "cc");
    if (ok) {
        __asm__("lsl %2, %0" : "=r"(*limit), "=@ccz"(ok) : "r"(sel) : "cc");
    }
    return ok;
}

void host_run(struct diff_host *h, const struct diff_test *t, struct diff_result *r)
{
    struct native *n = h->n;
    unsigned at = t->code_la - CODE_LA, len = t->len;

    memset(h->code + h->code_used[0], 0xcc, h->code_used[1]);
    if (at + len > CODE_SIZE) {
        len = CODE_SIZE - at;
    }
    memcpy(h->code + at, t->code, len);
    h->code_used[0] = at;
    h->code_used[1] = len;
    for (unsigned tries = 0; tries < 3; tries++) {
        diff_clear_window(host_window(h));
        memcpy(host_window(h) + FILL_AT, t->fill, FILL_SIZE);
        n->s = t->before;
        n->trap = n->err = n->cr2 = n->interrupted = 0;
        diff_enter(n);
        if (!n->interrupted) {
            break;
        }
    }
    if (n->trap == TRAP_NONE) {
        n->s.eip = diff_end(t);
        n->s.sel[SEG_CS] = t->before.sel[SEG_CS];
    }
    r->s = n->s;
    r->trap = n->interrupted ? TRAP_HANG : n->trap;
    r->err = n->err;
    r->cr2 = n->cr2;
}

#else

struct diff_host *host_new(const char **why)
{
    *why = "this is not an x86-64 Linux host";
    return NULL;
}

void host_free(struct diff_host *h)
{
    (void)h;
}

uint8_t *host_window(struct diff_host *h)
{
    (void)h;
    return NULL;
}

bool host_selector(unsigned sel, uint32_t *access, uint32_t *limit)
{
    (void)sel;
    (void)access;
    (void)limit;
    return false;
}

void host_run(struct diff_host *h, const struct diff_test *t, struct diff_result *r)
{
    (void)h;
    (void)t;
    (void)r;
}

#endif
