// SPDX-License-Identifier: MIT
//
// One pass over all tokens, forward and backward. It runs over tiles of tokens that stay in the
// cache; everything a pass needs again lies in its tokens.
//
// Names: x is the residual vector, mid the one between attention and feed-forward, h a normalized
// vector; d... is the gradient of the loss with respect to ...
#pragma once

#include <vector>

#include "fixed.h"

constexpr int TILE = 16;
constexpr size_t PASS_SIZE = sizeof(Pass<float>) / sizeof(float);
constexpr int ROWS = (VOCAB + WIDTH - 1) / WIDTH;  // vectors of vocabulary entries

// Everything of one token in one pass that the backward pass reads again.
struct Token {
    Vec3 mid, q, k, v;
    Vec rsqrt_attention, rsqrt_ffn;
    Vec p[WINDOW];  // attention weight of the token so many positions back
    Vec silu[HIDDEN], slope[HIDDEN], up[HIDDEN];
};

// Beyond its limit a value is pulled back: weight/2 (|a| - limit)^2 joins the loss of each token.
struct Penalty {
    float weight, qk, gate, z, x;
};

// What a caller hands over; train/engine/kernel.py has the same structure. Null: not wanted.
struct Call {
    const float *params;
    const uint16_t *tokens;  // (batch, length + 1)
    int32_t batch, length;
    const float *rope;  // (length, 2): cosine and sine
    const int32_t *qk_log2_shift;  // (passes,): see fold()
    Tables tables;
    Penalty penalty;
    float *grads, *losses, *logits;  // (parameters,), (batch, length), (batch, length, vocab)
    float *ranges;  // (6,): largest magnitude of q, k, v, x, up, z
};

static struct Work {
    Call call;
    int length;
    Pass<float> passes[PASSES];
    float embed_in[VOCAB][3];
    Vec embed_out[ROWS][4];  // columns 0 to 2 and a bias that silences the rows past the vocabulary
    bool large_logits;
    Vec share;  // of each sequence in the loss of a token; 0 where a vector is not full
    const uint16_t *sequences[WIDTH];
    std::vector<Token> tokens;  // (passes, length)
    std::vector<Vec3> x;  // (passes + 1, length): before each pass and behind the last
    std::vector<Vec3> dx, dmid;  // (length,)
    std::vector<Vec> dscore;  // (length, WINDOW)
    Pass<Vec> dpasses[PASSES];
    Vec dembed_out[ROWS][3];
    double dembed_in[VOCAB][3];
} work;

// --- forward ---

INLINE Vec norm(const Vec3 &x, Vec3 &h) {
    if (FIXED)
        return fixed_norm(work.call.tables, x, h);
    const Vec rsqrt = 1.0f / sqrt(dot(x, x) * (1.0f / 3) + 1e-5f);
    h = x * rsqrt;
    return rsqrt;
}

INLINE Vec3 turn(const Vec3 &a, const float *rope) {
    const Vec3 turned = rotate(a, rope[0], rope[1]);
    return {{round(QK, turned[0]), round(QK, turned[1]), turned[2]}};
}

INLINE void project(const Pass<float> &w, const Vec3 &x, const float *rope, Token &token) {
    Vec3 h;
    token.rsqrt_attention = norm(x + w.loop_embedding, h);
    for (int i = 0; i < 3; i++) {
        token.q[i] = round(QK, dot(w.wq[i], h));
        token.k[i] = round(QK, dot(w.wk[i], h));
        token.v[i] = round(V, dot(w.wv[i], h));
    }
    token.q = turn(token.q, rope);
    token.k = turn(token.k, rope);
}

// Base-2 softmax over the newest `count` keys; token[-1] is the token before.
INLINE void attend(const Vec3 &x, int count, Token *token) {
    Vec score[WINDOW], top = broadcast(-1e30f), sum = {};
    for (int back = 0; back < count; back++) {
        score[back] = dot(token->q, token[-back].k);
        top = max(top, score[back]);
    }
    Vec3 out = {};
    for (int back = 0; back < count; back++) {
        score[back] = exp2(score[back] - top);
        sum += score[back];
        out += token[-back].v * score[back];
    }
    const Vec inverse = 1.0f / sum;
    for (int back = 0; back < count; back++)
        token->p[back] = score[back] * inverse;
    token->mid = x;
    token->mid += out * inverse;
}

// The same in the chip's order: groups of LANES ring slots, the group of the newest row last.
static void attend_fixed(const Vec3 &x, int t, Token *token) {
    const int newest = t % WINDOW, filled = t < WINDOW ? t + 1 : WINDOW;
    const int groups = (filled + LANES - 1) / LANES;
    const Tables &tables = work.call.tables;
    FixedSoftmax softmax;
    IntVec product[LANES], p[WINDOW], top[WINDOW];
    for (int i = 1; i <= groups; i++) {
        const int first = (newest / LANES + i) % groups * LANES;
        const int count = filled - first < LANES ? filled - first : LANES;
        IntVec highest = softmax.top;
        for (int lane = 0; lane < count; lane++) {
            const int back = (newest - first - lane + WINDOW) % WINDOW;
            const Vec score = dot(token->q, token[-back].k);
            product[lane] = to_int(score * (QK.units() * QK.units()));
            highest = max(highest, (product[lane] >> (2 * QK.frac)) + 1);
        }
        softmax.raise(highest);
        for (int lane = 0; lane < count; lane++) {
            const int back = (newest - first - lane + WINDOW) % WINDOW;
            p[back] = softmax.add(tables, product[lane], token[-back].v);
            top[back] = softmax.top;
        }
    }
    const Vec inverse = 1.0f / to_float(softmax.length);
    for (int back = 0; back < filled; back++)
        token->p[back] = to_float(p[back]) * exp2(to_float(top[back] - softmax.top)) * inverse;
    for (int i = 0; i < 3; i++)
        token->mid[i] = saturate(X, x[i] + softmax.output(tables, i));
}

INLINE void activate(Vec gate, Vec &silu, Vec &slope) {
    if (FIXED) {
        const IntVec index = to_int(gate * GATE.units()) & ((1 << GATE.width) - 1);
        silu = lookup(work.call.tables.silu, index);
        slope = lookup(work.call.tables.slope, index);
        return;
    }
    const Vec power = exp2(min(gate * (float)-LOG2_E, broadcast(126)));
    const Vec sigmoid = 1.0f / (1.0f + power);
    silu = gate * sigmoid;
    slope = sigmoid + silu * (1.0f - sigmoid);
}

INLINE void feed_forward(const Pass<float> &w, Token &token, Vec3 &next) {
    Vec3 h, out = token.mid;
    DoubleVec total[3] = {};
    token.rsqrt_ffn = norm(token.mid, h);
    for (int unit = 0; unit < HIDDEN; unit++) {
        activate(round(GATE, dot(w.gate[unit], h)), token.silu[unit], token.slope[unit]);
        token.up[unit] = round(UP, dot(w.up[unit], h));
        const Vec z = round(Z, token.silu[unit] * token.up[unit]);
        for (int i = 0; i < 3; i++) {
            if (FIXED)
                total[i] += to_double(z * w.down[i][unit]);
            else
                out[i] += z * w.down[i][unit];
        }
    }
    for (int i = 0; FIXED && i < 3; i++)
        out[i] = saturate(X, out[i] + to_float(half_up(total[i] * X.units())) * X.unit());
    next = out;
}

static void forward(int pass) {
    const Pass<float> &w = work.passes[pass];
    Token *token = &work.tokens[pass * work.length];
    Vec3 *x = &work.x[pass * work.length], *next = x + work.length;
    for (int start = 0; start < work.length; start += TILE) {
        const int end = start + TILE < work.length ? start + TILE : work.length;
        for (int t = start; t < end; t++)
            project(w, x[t], work.call.rope + 2 * t, token[t]);
        for (int t = start; t < end; t++) {
            if (FIXED)
                attend_fixed(x[t], t, token + t);
            else if (t >= WINDOW - 1)
                attend(x[t], WINDOW, token + t);  // a constant count: the compiler unrolls it
            else
                attend(x[t], t + 1, token + t);
        }
        for (int t = start; t < end; t++)
            feed_forward(w, token[t], next[t]);
    }
}

// --- backward ---

INLINE Vec3 norm_backward(const Vec3 &h, Vec rsqrt, const Vec3 &dh) {
    const Vec mean = dot(h, dh) * (1.0f / 3);
    Vec3 dx;
    for (int i = 0; i < 3; i++)
        dx[i] = rsqrt * (dh[i] - h[i] * mean);
    return dx;
}

// Gradient of the range penalty.
INLINE Vec pull(Vec a, float limit) {
    return work.call.penalty.weight * work.share * (a - clamp(a, -limit, limit));
}

INLINE Vec3 through_x(const Vec3 &x, const Vec3 &dx) {
    Vec3 out;
    for (int i = 0; i < 3; i++)
        out[i] = through(X, x[i], dx[i]) + pull(x[i], work.call.penalty.x);
    return out;
}

// dx goes from behind the feed-forward to before it. Units are the outer loop: their nine sums of
// weight gradients stay in registers.
INLINE void feed_forward_backward(
    const Pass<float> &w, const Token *token, int count, Pass<Vec> &dw, Vec3 *dx) {
    Vec3 h[TILE], dh[TILE];
    for (int t = 0; t < count; t++) {
        h[t] = token[t].mid * token[t].rsqrt_ffn;
        dh[t] = Vec3{};
    }
    for (int unit = 0; unit < HIDDEN; unit++) {
        Vec3 dgate_row = {}, dup_row = {}, ddown_column = {};
        const float down[3] = {w.down[0][unit], w.down[1][unit], w.down[2][unit]};
        for (int t = 0; t < count; t++) {
            const Vec silu = token[t].silu[unit], up = token[t].up[unit];
            const Vec z = round(Z, silu * up);
            const Vec dz = through(Z, z, dot(down, dx[t])) + pull(z, work.call.penalty.z);
            const Vec gate = max(dot(w.gate[unit], h[t]), broadcast(0));
            const Vec dgate =
                dz * up * token[t].slope[unit] + pull(gate, work.call.penalty.gate);
            const Vec dup = through(UP, up, dz * silu);
            ddown_column += dx[t] * z;
            dgate_row += h[t] * dgate;
            dup_row += h[t] * dup;
            dh[t] += times(w.gate[unit], dgate);
            dh[t] += times(w.up[unit], dup);
        }
        for (int i = 0; i < 3; i++) {
            dw.gate[unit][i] += dgate_row[i];
            dw.up[unit][i] += dup_row[i];
            dw.down[i][unit] += ddown_column[i];
        }
    }
    for (int t = 0; t < count; t++)
        dx[t] += norm_backward(h[t], token[t].rsqrt_ffn, dh[t]);
}

// Gradients of q and of the scores of one token's query.
INLINE Vec3 query_backward(const Token *token, int count, const Vec3 &dmid, Vec *dscore) {
    Vec dp[WINDOW], mean = {};
    for (int back = 0; back < count; back++) {
        dp[back] = dot(dmid, token[-back].v);
        mean += token->p[back] * dp[back];
    }
    Vec3 dq = {};
    for (int back = 0; back < count; back++) {
        dscore[back] = token->p[back] * (dp[back] - mean) * (float)LN2;
        dq += token[-back].k * dscore[back];
    }
    return dq;
}

// A key and its value collect from the `count` queries that saw them.
INLINE void key_backward(
    const Token *token, int count, const Vec3 *dmid, const Vec *dscore, Vec3 &dk, Vec3 &dv) {
    Vec3 key = {}, value = {};
    for (int ahead = 0; ahead < count; ahead++) {
        key += token[ahead].q * dscore[ahead * WINDOW + ahead];
        value += dmid[ahead] * token[ahead].p[ahead];
    }
    dk = key, dv = value;
}

INLINE void matrix_backward(
    const float w[3][3], const Vec3 *h, const Vec3 *dy, int count, Vec dw[3][3], Vec3 *dh) {
    Vec3 sum[3] = {};
    for (int t = 0; t < count; t++)
        for (int i = 0; i < 3; i++) {
            sum[i] += h[t] * dy[t][i];
            dh[t] += times(w[i], dy[t][i]);
        }
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            dw[i][j] += sum[i][j];
}

INLINE void project_backward(
    const Pass<float> &w, const Vec3 *x, const Token *token, const float *rope, int count,
    Vec3 *dq, Vec3 *dk, Vec3 *dv, Pass<Vec> &dw, Vec3 *dx) {
    Vec3 h[TILE], dh[TILE];
    for (int t = 0; t < count; t++) {
        h[t] = (x[t] + w.loop_embedding) * token[t].rsqrt_attention;
        dh[t] = Vec3{};
        for (int i = 0; i < 3; i++) {
            const Vec q = token[t].q[i], k = token[t].k[i];
            dq[t][i] = through(QK, q, dq[t][i]) + pull(q, work.call.penalty.qk);
            dk[t][i] = through(QK, k, dk[t][i]) + pull(k, work.call.penalty.qk);
            dv[t][i] = through(V, token[t].v[i], dv[t][i]);
        }
        dq[t] = rotate(dq[t], rope[2 * t], -rope[2 * t + 1]);
        dk[t] = rotate(dk[t], rope[2 * t], -rope[2 * t + 1]);
    }
    matrix_backward(w.wq, h, dq, count, dw.wq, dh);
    matrix_backward(w.wk, h, dk, count, dw.wk, dh);
    matrix_backward(w.wv, h, dv, count, dw.wv, dh);
    for (int t = 0; t < count; t++) {
        const Vec3 dy = norm_backward(h[t], token[t].rsqrt_attention, dh[t]);
        for (int i = 0; i < 3; i++)
            dw.loop_embedding[i] += dy[i];
        dx[t] += dy;
    }
}

// work.dx goes from behind the pass to before it, the last tile of tokens first: a key's gradient
// is complete when all later tokens have been there.
static void backward(int pass) {
    const Pass<float> &w = work.passes[pass];
    const int length = work.length;
    const Token *token = &work.tokens[pass * length];
    const Vec3 *x = &work.x[pass * length], *next = x + length;
    Vec3 *dx = work.dx.data(), *dmid = work.dmid.data();
    Vec *dscore = work.dscore.data();
    for (int start = (length - 1) / TILE * TILE; start >= 0; start -= TILE) {
        const int end = start + TILE < length ? start + TILE : length, count = end - start;
        Vec3 dq[TILE], dk[TILE], dv[TILE];
        for (int t = start; t < end; t++)
            dx[t] = through_x(next[t], dx[t]);
        feed_forward_backward(w, token + start, count, work.dpasses[pass], dx + start);
        for (int t = start; t < end; t++) {
            dx[t] = dmid[t] = through_x(token[t].mid, dx[t]);
            dq[t - start] = t >= WINDOW - 1
                ? query_backward(token + t, WINDOW, dmid[t], dscore + t * WINDOW)
                : query_backward(token + t, t + 1, dmid[t], dscore + t * WINDOW);
        }
        for (int t = start, i = 0; t < end; t++, i++) {
            if (length - t >= WINDOW)
                key_backward(token + t, WINDOW, dmid + t, dscore + t * WINDOW, dk[i], dv[i]);
            else
                key_backward(token + t, length - t, dmid + t, dscore + t * WINDOW, dk[i], dv[i]);
        }
        project_backward(
            w, x + start, token + start, work.call.rope + 2 * start, count, dq, dk, dv,
            work.dpasses[pass], dx + start);
    }
}
