/*
 * Verbs of the handler bodies for the generic layer: complete accesses, faults delivered, the next
 * record returned.  Slow, precise, and the oracle of the other passes.
 */
#define NEXT return i + 1;
#define GO return i;
#define GO_TO(to) return to;
#define EXIT return i;
#define SLOW(f) return f(c, i);
#define SHORT(whole, ...) SLOW(whole)
#define RAISE(vector) return cpu_raise(c, i, (vector))

#define ADDR_FLAT uint64_t la = EA_FLAT;
#define ADDR_SEG(size, window, acc)                                                            \
    uint64_t la;                                                                               \
    if (!seg_linear(c, i->seg, insn_ea(c, i), (size), (acc), &la)) {                           \
        return cpu_fault(c, i);                                                                \
    }
#define LOAD_AT(n, v, a)                                                                       \
    uint64_t v##_raw;                                                                          \
    if (!lin_read(c, (a), (n) / 8, &v##_raw)) {                                                \
        return cpu_fault(c, i);                                                                \
    }                                                                                          \
    CAT3(uint, n, _t) v = (CAT3(uint, n, _t))v##_raw;
#define STORE_AT(n, a, val)                                                                    \
    if (!lin_write(c, (a), (n) / 8, (val))) {                                                  \
        return cpu_fault(c, i);                                                                \
    }
#define LOAD(n, v) LOAD_AT(n, v, la)
#define STORE(n, val) STORE_AT(n, la, val)
#define RMW(n, v)                                                                              \
    struct rmw rmw_;                                                                           \
    uint64_t v##_raw;                                                                          \
    if (!rmw_begin(c, la, (n) / 8, &rmw_, &v##_raw)) {                                         \
        return cpu_fault(c, i);                                                                \
    }                                                                                          \
    CAT3(uint, n, _t) v = (CAT3(uint, n, _t))v##_raw;
#define RMW_END(n, val) rmw_end(c, &rmw_, (val));

#define PUSH_FLAT(n, val)                                                                      \
    {                                                                                          \
        CAT3(uint, n, _t) pv_ = (val);                                                         \
        uint32_t sp_ = R32(OFF32(REG_ESP)) - (n) / 8;                                          \
        STORE_AT(n, sp_, pv_)                                                                  \
        R32(OFF32(REG_ESP)) = sp_;                                                             \
    }
#define POP_FLAT(n, v, extra)                                                                  \
    LOAD_AT(n, v, R32(OFF32(REG_ESP)))                                                         \
    R32(OFF32(REG_ESP)) += (n) / 8 + (extra);
#define PUSH_SEG(n, val)                                                                       \
    if (!stack_push(c, (n) / 8, (val))) {                                                      \
        return cpu_fault(c, i);                                                                \
    }
#define POP_SEG(n, v)                                                                          \
    uint64_t v##_raw;                                                                          \
    if (!stack_peek(c, 0, (n) / 8, &v##_raw)) {                                                \
        return cpu_fault(c, i);                                                                \
    }                                                                                          \
    CAT3(uint, n, _t) v = (CAT3(uint, n, _t))v##_raw;
#define POP_SEG_END(n) stack_set(c, R32(OFF32(REG_ESP)) + (n));
#define CHECK_CS(eip)                                                                          \
    if (UNLIKELY((eip) > c->seg[SEG_CS].limit)) {                                              \
        return cpu_raise_err(c, i, EXC_GP, 0);                                                 \
    }

#define TAKE                                                                                   \
    {                                                                                          \
        c->left -= i->src;                                                                     \
        if (UNLIKELY(c->left < 0)) {                                                           \
            return exec_event(c, i);                                                           \
        }                                                                                      \
        return i->link;                                                                        \
    }
#define INDIRECT_SEG(target) INDIRECT(target)
#define INDIRECT(target)                                                                       \
    {                                                                                          \
        c->eip = (target);                                                                     \
        c->left -= i->src;                                                                     \
        return exec_indirect(c, i);                                                            \
    }
