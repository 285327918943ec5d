/*
 * Verbs of the handler bodies for the fast passes: inline TLB and segment checks, MISS on anything
 * unusual.  The includer defines for its dispatch shape: GO (continue at record i), EXIT, MISS,
 * EVENT (time is up at a taken branch), LOOKUP (indirect target c->eip).
 */
#define NEXT GO_ON(1)
#define SLOW(f)                                                                                \
    {                                                                                          \
        c->cur = i;                                                                            \
        i = f(c, i);                                                                           \
        GO                                                                                     \
    }
#define RAISE(vector) MISS
/* Bodies for the common case of an instruction that a function does whole. */
#define SHORT(whole, ...) __VA_ARGS__

#define ADDR_FLAT uint32_t la = EA_FLAT;
#define ADDR_SEG(size, window, acc)                                                            \
    uint32_t la;                                                                               \
    {                                                                                          \
        uint32_t ea_ = insn_ea(c, i);                                                          \
        const struct segment *sg_ = &c->seg[i->seg];                                           \
        if (UNLIKELY((uint64_t)(ea_ - sg_->lo) + (size) > sg_->window)) {                      \
            MISS                                                                               \
        }                                                                                      \
        la = (uint32_t)sg_->base + ea_;                                                        \
    }
/*
 * host_ is where the n bits at linear address a are; an access that crosses the page is not for us.
 */
#define TLB_CHECK(n, a, map)                                                                   \
    uint32_t ta_ = (a);                                                                        \
    uintptr_t tp_ = c->map[ta_ >> PAGE_SHIFT];                                                 \
    if (UNLIKELY(!tp_) ||                                                                      \
        ((n) > 8 && UNLIKELY((ta_ & PAGE_MASK) > PAGE_SIZE - (n) / 8))) {                      \
        MISS                                                                                   \
    }                                                                                          \
    uint8_t *th_ = (uint8_t *)(tp_ + ta_);
#define LOAD_AT(n, v, a)                                                                       \
    CAT3(uint, n, _t) v;                                                                       \
    {                                                                                          \
        TLB_CHECK(n, a, rd)                                                                    \
        v = CAT3(GET, n, )(th_);                                                               \
    }
#define STORE_AT(n, a, val)                                                                    \
    {                                                                                          \
        TLB_CHECK(n, a, wr)                                                                    \
        CAT3(PUT, n, )(th_, (val));                                                            \
    }
#define LOAD(n, v) LOAD_AT(n, v, la)
#define STORE(n, val) STORE_AT(n, la, val)
#define RMW(n, v)                                                                              \
    uint8_t *host_;                                                                            \
    CAT3(uint, n, _t) v;                                                                       \
    {                                                                                          \
        TLB_CHECK(n, la, wr)                                                                   \
        host_ = th_;                                                                           \
        v = CAT3(GET, n, )(host_);                                                             \
    }
#define RMW_END(n, val) CAT3(PUT, n, )(host_, (val));

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
#define STACK_CHECK(ofs, n, window)                                                            \
    if (UNLIKELY((uint64_t)(uint32_t)((ofs) - c->seg[SEG_SS].lo) + (n) / 8 >                   \
                 c->seg[SEG_SS].window)) {                                                     \
        MISS                                                                                   \
    }
#define PUSH_SEG(n, val)                                                                       \
    {                                                                                          \
        CAT3(uint, n, _t) pv_ = (val);                                                         \
        uint32_t sp_ = (R32(OFF32(REG_ESP)) - (n) / 8) & c->sp_mask;                           \
        STACK_CHECK(sp_, n, wlen)                                                              \
        uint32_t sa_ = (uint32_t)c->seg[SEG_SS].base + sp_;                                    \
        STORE_AT(n, sa_, pv_)                                                                  \
        stack_set(c, sp_);                                                                     \
    }
#define POP_SEG(n, v)                                                                          \
    uint32_t v##_sp = R32(OFF32(REG_ESP)) & c->sp_mask;                                        \
    STACK_CHECK(v##_sp, n, rlen)                                                               \
    uint32_t v##_la = (uint32_t)c->seg[SEG_SS].base + v##_sp;                                  \
    LOAD_AT(n, v, v##_la)
#define POP_SEG_END(n) stack_set(c, R32(OFF32(REG_ESP)) + (n));
#define SEG_MOVE(n, v)                                                                         \
    {                                                                                          \
        struct segment *sm_ = &c->seg[n];                                                      \
        uint16_t sel_ = (uint16_t)(v);                                                         \
        if (UNLIKELY(!sm_->real)) {                                                            \
            MISS                                                                               \
        }                                                                                      \
        sm_->sel = sel_;                                                                       \
        sm_->base = (uint32_t)sel_ << 4;                                                       \
    }
#define CHECK_CS(eip)                                                                          \
    if (UNLIKELY((eip) > c->seg[SEG_CS].limit)) {                                              \
        MISS                                                                                   \
    }

#define TAKE                                                                                   \
    {                                                                                          \
        c->left -= i->src;                                                                     \
        if (UNLIKELY(c->left < 0)) {                                                           \
            EVENT                                                                              \
        }                                                                                      \
        GO_TO(i->link)                                                                         \
    }
#define INDIRECT_AT(target, page)                                                              \
    {                                                                                          \
        uint32_t it_ = (target);                                                               \
        const struct jump_entry *je_ = &c->jump[JUMP_HASH(it_)];                               \
        c->left -= i->src;                                                                     \
        if (LIKELY(c->left >= 0) && LIKELY(je_->key == (c->link_key | it_))) {                 \
            c->page_eip = page;                                                                \
            GO_TO(je_->rec)                                                                    \
        }                                                                                      \
        c->eip = it_;                                                                          \
        LOOKUP                                                                                 \
    }
/*
 * A conditional branch joined to the instruction before it (fastgen.c): its own record is the next
 * one. FUSE_CMP is CMP with the decision taken from the operands.
 */
#define FUSED(condition)                                                                       \
    if (condition) {                                                                           \
        i++;                                                                                   \
        TAKE                                                                                   \
    }                                                                                          \
    GO_ON(2)
#define FUSE_CMP(n, cc, x, y)                                                                  \
    CAT3(uint, n, _t) fa_ = (x), fb_ = (y);                                                    \
    bool fused_ = CAT3(sem_cond, n, )(cc, fa_, fb_);                                           \
    (void)CAT3(sem_sub, n, )(c, fa_, fb_)
/* Flat code: the base of CS is 0. */
#define INDIRECT(target) INDIRECT_AT(target, it_ & ~PAGE_MASK)
#define INDIRECT_SEG(target)                                                                   \
    INDIRECT_AT(target, it_ - (((uint32_t)c->seg[SEG_CS].base + it_) & PAGE_MASK))
