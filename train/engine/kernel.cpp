// SPDX-License-Identifier: MIT
//
// One training step of blink on one core: loss and gradients of all parameters.
//
// Sequences lie side by side in vectors (vectors.h), tokens one after another in memory. Parameters
// are folded into the matrices of each pass (fold.h), the passes run forward and backward
// (passes.h), and here is what is around them: embeddings, logits, cross entropy. Sizes are
// compile-time constants (-D), so inner loops unroll; train/engine/kernel.py compiles one library a shape.
// With FIXED=1 the forward pass computes the chip's integers (fixed.h), and gradients go straight
// through the rounding.

#include <cstring>
#ifdef __SSE2__
#include <xmmintrin.h>
#endif

#include "passes.h"

// --- logits ---

// Entry `token` of a column in rows of vectors.
template <int COLUMNS> static float &entry(Vec (&rows)[ROWS][COLUMNS], int token, int column) {
    return ((float *)&rows[token / WIDTH][column])[token % WIDTH];
}

// Base-2 logits of WIDTH vocabulary entries for the token whose h is given in numbers.
INLINE Vec logit(const Vec *row, float h0, float h1, float h2) {
    return round(LOGIT, row[0] * h0 + (row[1] * h1 + (row[2] * h2 + row[3])));
}

static float largest_logit(const float (*h)[WIDTH], int sequence) {
    Vec top = broadcast(-1e30f);
    for (const Vec *row : work.embed_out)
        top = max(top, logit(row, h[0][sequence], h[1][sequence], h[2][sequence]));
    float largest = top[0];
    for (int i = 1; i < WIDTH; i++)
        largest = std::fmax(largest, top[i]);
    return largest;
}

// Here vectors run over the vocabulary and loops over sequences, a few at a time to use each row of
// the embedding several times. `top` is subtracted from the logits before the powers are taken.
// Returns sum_v 2^(logit_v - top); dh becomes d ln(sum) / dh / ln 2 times share, and the
// embedding's gradient grows alike.
INLINE Vec softmax(const Vec3 &h_vectors, Vec top_vector, bool backward, Vec3 &dh) {
    constexpr int AT_ONCE = 4;
    static Vec power[ROWS][WIDTH];
    Vec sums[WIDTH], weighed[3][WIDTH];
    const float(*h)[WIDTH] = (const float(*)[WIDTH]) & h_vectors;
    const float *top = (const float *)&top_vector;
    for (int first = 0; first < WIDTH; first += AT_ONCE) {
        Vec sum[AT_ONCE] = {};
        Vec3 weigh[AT_ONCE] = {};
        for (int r = 0; r < ROWS; r++)
            for (int i = 0; i < AT_ONCE; i++) {
                const int s = first + i;
                const Vec *row = work.embed_out[r];
                const Vec p = exp2(logit(row, h[0][s], h[1][s], h[2][s]) - top[s]);
                power[r][s] = p;
                sum[i] += p;
                for (int c = 0; c < 3; c++)
                    weigh[i][c] += p * row[c];
            }
        for (int i = 0; i < AT_ONCE; i++) {
            sums[first + i] = sum[i];
            for (int c = 0; c < 3; c++)
                weighed[c][first + i] = weigh[i][c];
        }
    }
    const Vec total = row_sums(sums), factor = work.share * (float)LN2 / total;
    if (!backward)
        return total;
    Vec3 scaled = h_vectors * factor;
    for (int c = 0; c < 3; c++)
        dh[c] = row_sums(weighed[c]) * factor;
    const float(*g)[WIDTH] = (const float(*)[WIDTH]) & scaled;
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < 3; c++) {
            Vec sum = work.dembed_out[r][c];
            for (int s = 0; s < WIDTH; s++)
                sum += power[r][s] * g[c][s];
            work.dembed_out[r][c] = sum;
        }
    return total;
}

// Cross entropy in nats of the token behind position t; dx of the last pass.
static void cross_entropy(int t, Vec &loss) {
    const Vec3 &x = work.x[PASSES * work.length + t];
    const bool backward = work.call.grads;
    Vec3 h, dh;
    const Vec rsqrt = norm(x, h);
    Vec top = {};
    for (int s = 0; work.large_logits && s < WIDTH; s++)
        top[s] = largest_logit((const float(*)[WIDTH]) & h, s);
    const Vec total = softmax(h, top, backward, dh);
    for (int s = 0; s < WIDTH; s++) {
        const int next = work.sequences[s][t + 1];
        const Vec *row = work.embed_out[next / WIDTH];
        const Vec logits = logit(row, h[0][s], h[1][s], h[2][s]);
        loss[s] = std::log(total[s]) - (float)LN2 * (logits[next % WIDTH] - top[s]);
        for (int c = 0; backward && c < 3; c++) {
            entry(work.dembed_out, next, c) -= work.share[s] * (float)LN2 * h[c][s];
            dh[c][s] -= work.share[s] * (float)LN2 * entry(work.embed_out, next, c);
        }
    }
    if (backward)
        work.dx[t] = norm_backward(h, rsqrt, dh);
}

// --- the call ---

static void store_logits(int first, int t) {
    Vec3 h;
    norm(work.x[PASSES * work.length + t], h);
    for (int s = 0; s < WIDTH && first + s < work.call.batch; s++) {
        float *out = work.call.logits + ((size_t)(first + s) * work.length + t) * VOCAB;
        for (int token = 0; token < VOCAB; token++)
            out[token] = logit(
                work.embed_out[token / WIDTH], h[0][s], h[1][s], h[2][s])[token % WIDTH];
    }
}

static void store_ranges() {
    float *ranges = work.call.ranges;
    const auto see = [&](int name, Vec a) {
        for (int s = 0; s < WIDTH; s++)
            ranges[name] = std::fmax(ranges[name], std::fabs(a[s]));
    };
    for (const Token &token : work.tokens) {
        for (int i = 0; i < 3; i++)
            see(0, token.q[i]), see(1, token.k[i]), see(2, token.v[i]), see(3, token.mid[i]);
        for (int unit = 0; unit < HIDDEN; unit++) {
            see(4, token.up[unit]);
            see(5, round(Z, token.silu[unit] * token.up[unit]));
        }
    }
    for (const Vec3 &x : work.x)
        for (int i = 0; i < 3; i++)
            see(3, x[i]);
}

template <class To, class From> static void copy(const From *from, To *to, size_t count) {
    for (size_t i = 0; i < count; i++)
        to[i] = (To)from[i];
}

static void load_weights() {
    Folded<double> folded = fold(*(const Model<float> *)work.call.params, work.call.qk_log2_shift);
    if (FIXED)
        round_weights(folded);
    copy((const double *)folded.passes, (float *)work.passes, PASSES * PASS_SIZE);
    copy(folded.embed_in[0], work.embed_in[0], 3 * VOCAB);
    double longest = 0;
    for (int token = 0; token < ROWS * WIDTH; token++) {
        const bool real = token < VOCAB;
        double length = 0;
        for (int c = 0; c < 3; c++) {
            entry(work.embed_out, token, c) = real ? folded.embed_out[token][c] : 0;
            length += real ? folded.embed_out[token][c] * folded.embed_out[token][c] : 0;
        }
        entry(work.embed_out, token, 3) = real ? 0 : -1000;
        longest = std::fmax(longest, length);
    }
    work.large_logits = std::sqrt(3 * longest) > 110;  // |h| is at most sqrt(3)
}

static void reserve(int length) {
    work.length = length;
    work.tokens.resize(PASSES * length);
    work.x.resize((PASSES + 1) * length);
    work.dx.resize(length);
    work.dmid.resize(length);
    work.dscore.resize(length * WINDOW);
    memset(work.dpasses, 0, sizeof work.dpasses);
    memset(work.dembed_out, 0, sizeof work.dembed_out);
    memset(work.dembed_in, 0, sizeof work.dembed_in);
}

// Sequences `first` to `first + WIDTH`; past the end of the batch the last one, with no share.
static void begin(int first) {
    const int batch = work.call.batch, length = work.length;
    for (int s = 0; s < WIDTH; s++) {
        const int sequence = first + s < batch ? first + s : batch - 1;
        work.sequences[s] = work.call.tokens + (size_t)sequence * (length + 1);
        work.share[s] = first + s < batch ? 1.0f / ((float)batch * length) : 0;
        for (int t = 0; t < length; t++)
            for (int c = 0; c < 3; c++)
                work.x[t][c][s] = work.embed_in[work.sequences[s][t]][c];
    }
}

static void store_gradients() {
    static Folded<double> grad;
    const Vec *sums = (const Vec *)work.dpasses;
    for (size_t i = 0; i < PASSES * PASS_SIZE; i++)
        ((double *)grad.passes)[i] = sum(sums[i]);
    for (int token = 0; token < VOCAB; token++)
        for (int c = 0; c < 3; c++) {
            grad.embed_in[token][c] = work.dembed_in[token][c];
            grad.embed_out[token][c] = entry(work.dembed_out, token, c);
        }
    const Model<double> model =
        fold_backward(*(const Model<float> *)work.call.params, work.call.qk_log2_shift, grad);
    copy((const double *)&model, work.call.grads, sizeof model / sizeof(double));
}

extern "C" int parameter_count() { return sizeof(Model<float>) / sizeof(float); }

#ifdef __SSE2__
// Numbers below 1e-38 count as zero meanwhile: the processor takes 100 cycles for each, and what a
// sure model leaves to the other bytes is full of them.
struct FlushToZero {
    const unsigned before = _mm_getcsr();
    FlushToZero() { _mm_setcsr(before | 0x8040); }
    ~FlushToZero() { _mm_setcsr(before); }
};
#else
struct FlushToZero {
    ~FlushToZero() {}
};
#endif

// Mean loss in nats per token.
extern "C" double run(const Call *call) {
    const FlushToZero flush;
    work.call = *call;
    load_weights();
    reserve(call->length);
    double total = 0;
    for (int first = 0; first < call->batch; first += WIDTH) {
        begin(first);
        for (int pass = 0; pass < PASSES; pass++)
            forward(pass);
        for (int t = 0; t < call->length; t++) {
            Vec loss;
            cross_entropy(t, loss);
            total += sum(loss * work.share);
            for (int s = 0; call->losses && s < WIDTH && first + s < call->batch; s++)
                call->losses[(size_t)(first + s) * call->length + t] = loss[s];
            if (call->logits)
                store_logits(first, t);
        }
        if (call->ranges)
            store_ranges();
        if (!call->grads)
            continue;
        for (int pass = PASSES - 1; pass >= 0; pass--)
            backward(pass);
        for (int s = 0; s < WIDTH; s++)
            for (int t = 0; t < call->length; t++)
                for (int c = 0; c < 3; c++)
                    work.dembed_in[work.sequences[s][t]][c] += work.dx[t][c][s];
    }
    if (call->grads)
        store_gradients();
    return total;
}
