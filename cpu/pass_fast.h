/*
 * Verbs of the handler bodies for the fast passes: inline TLB and segment checks, MISS on anything
 * unusual.  The includer defines for its dispatch shape: GO (continue at record i), EXIT, MISS, EVENT (time
 * is up at a taken branch), LOOKUP (indirect target c->eip).
 */
#define NEXT                                                                                   \
    {                                                                                          \
        i++;                                                                                   \
        GO                                                                                     \
    }
#define SLOW(f)                                                                                \
    {                                                                                          \
        c->cur = i;                                                                            \
        i = f(c, i);                                                                           \
        GO                                                                                     \
    }
#define RAISE(vector) MISS

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
#define TLB_CHECK(n, a, tag)                                                                   \
    const struct tlb_entry *te_ = &c->tlb->e[TLB_INDEX(a)];                                    \
    uint64_t td_ = (uint64_t)(a) - te_->tag;                                                   \
    if (UNLIKELY(td_ > PAGE_SIZE - (n) / 8)) {                                                 \
        MISS                                                                                   \
    }
#define LOAD_AT(n, v, a)                                                                       \
    CAT3(uint, n, _t) v;                                                                       \
    {                                                                                          \
        TLB_CHECK(n, a, rtag)                                                                  \
        v = CAT3(GET, n, )(te_->host + td_);                                                   \
    }
#define STORE_AT(n, a, val)                                                                    \
    {                                                                                          \
        TLB_CHECK(n, a, wtag)                                                                  \
        CAT3(PUT, n, )(te_->host + td_, (val));                                                \
    }
#define LOAD(n, v) LOAD_AT(n, v, la)
#define STORE(n, val) STORE_AT(n, la, val)
#define RMW(n, v)                                                                              \
    uint8_t *host_;                                                                            \
    CAT3(uint, n, _t) v;                                                                       \
    {                                                                                          \
        TLB_CHECK(n, la, wtag)                                                                 \
        host_ = te_->host + td_;                                                               \
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
#define CHECK_CS(eip)                                                                          \
    if (UNLIKELY((eip) > c->seg[SEG_CS].limit)) {                                              \
        MISS                                                                                   \
    }

#define TAKE                                                                                   \
    {                                                                                          \
        c->left -= i->idx + 1;                                                                 \
        if (UNLIKELY(c->left <= 0)) {                                                          \
            EVENT                                                                              \
        }                                                                                      \
        i = i->link;                                                                           \
        GO                                                                                     \
    }
#define INDIRECT(target)                                                                       \
    {                                                                                          \
        uint32_t it_ = (target);                                                               \
        const struct jump_entry *je_ = &c->jump[JUMP_HASH(it_)];                               \
        c->left -= i->idx + 1;                                                                 \
        if (LIKELY(je_->key == ((uint64_t)c->link_gen << 32 | it_) && c->left > 0)) {          \
            c->page_eip = je_->page_eip;                                                       \
            i = je_->rec;                                                                      \
            GO                                                                                 \
        }                                                                                      \
        c->eip = it_;                                                                          \
        LOOKUP                                                                    \
    }
