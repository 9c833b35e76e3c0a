// SPDX-License-Identifier: MIT
//
// The chip's numbers, for training with them: the arithmetic of quant/blink/blocks.py and the choice of
// weight formats of quant/blink/quantize.py. Values stay real numbers on their grids, so the same text
// computes with and without rounding. Single precision is exact for sums below 2^24 units in the
// last place: products of h (at most sqrt(3) long) with a row of weights, q.k, RoPE and silu * up
// all stay below at 12 bits. Double or int32 serve where sums can be larger.
#pragma once

#include "fold.h"
#include "vectors.h"

// FORMAT_* are "width, fraction" of quant/blink/plan.py; without FIXED nothing is rounded.
struct Format {
    int width, frac;
    constexpr float power(int exponent) const {
        return exponent < 0 ? 1 / power(-exponent) : (float)(1LL << exponent);
    }
    constexpr float units() const { return power(frac); }
    constexpr float unit() const { return power(-frac); }
    constexpr float low() const { return -power(width - 1 - frac); }
    constexpr float high() const { return power(width - 1 - frac) - unit(); }
};
constexpr Format H{FORMAT_H}, QK{FORMAT_QK}, V{FORMAT_V}, X{FORMAT_X}, GATE{FORMAT_GATE};
constexpr Format UP{FORMAT_UP}, Z{FORMAT_Z}, LOGIT{FORMAT_LOGIT};

struct Tables {
    const float *rsqrt, *reciprocal, *silu;  // integers, integers, real
    const float *slope;  // derivative of SiLU; 0 where the gate is saturated
    const int *exp2;
};

INLINE Vec saturate(Format f, Vec a) { return FIXED ? clamp(a, f.low(), f.high()) : a; }

INLINE Vec round(Format f, Vec a) {
    return FIXED ? saturate(f, floor(a * f.units() + 0.5f) * f.unit()) : a;
}

// Straight through: rounding passes the gradient on, saturation does not.
INLINE Vec through(Format f, Vec value, Vec grad) {
    return FIXED ? (value < f.high()) & (value > f.low()) ? grad : Vec{} : grad;
}

INLINE Vec lookup(const float *table, IntVec index) {
    Vec a;
    for (int i = 0; i < WIDTH; i++)
        a[i] = table[index[i]];
    return a;
}

INLINE DoubleVec to_double(Vec a) { return __builtin_convertvector(a, DoubleVec); }

// floor(a + 1/2) for numbers within 2^30: the offset turns truncation into floor.
INLINE IntVec half_up(DoubleVec a) {
    const int offset = 1 << 30;
    return __builtin_convertvector(a + (offset + 0.5), IntVec) - offset;
}

INLINE IntVec rescale(IntVec a, IntVec shift) { return (((a << 1) >> shift) + 1) >> 1; }
INLINE IntVec shift_round(IntVec a, int shift) { return (a + (1 << (shift - 1))) >> shift; }
INLINE IntVec exponent(Vec a) { return (IntVec)a >> 23; }  // biased by 127; a is not negative

// blocks.rmsnorm: returns h and the factor 1/sqrt that it is x times of.
INLINE Vec fixed_norm(const Tables &tables, const Vec3 &x, Vec3 &h) {
    typedef int64_t LongVec __attribute__((vector_size(8 * WIDTH)));
    const Vec3 y = x * broadcast(X.units());
    Vec magnitude = broadcast(4);  // the shift left stops at 13
    for (int i = 0; i < 3; i++)
        magnitude = max(magnitude, max(y[i], -1 - y[i]));
    const Vec left = (Vec)((127 + 142 - exponent(magnitude)) << 23);
    DoubleVec total = DoubleVec{} + EPSILON_SUM;
    for (int i = 0; i < 3; i++)
        total += to_double(y[i]) * to_double(y[i]);
    total *= to_double(left) * to_double(left);
    // Exponent and leading 8 bits of the fraction, as they lie in a double, are the index.
    const IntVec index = __builtin_convertvector((LongVec)total >> 44, IntVec);
    const Vec entry = lookup(tables.rsqrt, index - ((1023 + 30) << 8));
    const double unit = std::ldexp(1, H.frac - RSQRT_LOG2);
    for (int i = 0; i < 3; i++)
        h[i] = to_float(half_up(to_double(y[i] * left) * to_double(entry) * unit)) * H.unit();
    return entry * left * std::ldexp(1.0f, X.frac - RSQRT_LOG2);
}

// The one-pass softmax of blocks.py: integer maximum, sums that are shifted down when it rises.
struct FixedSoftmax {
    IntVec top = IntVec{} - (1 << 13), length = {}, sums[3] = {};

    void raise(IntVec higher) {
        const IntVec next = max(top, higher), rise = next - top, kept = rise <= 15;
        const IntVec shift = rise < 15 ? rise : IntVec{} + 15;
        length = rescale(length, shift) & kept;
        for (int i = 0; i < 3; i++)
            sums[i] = rescale(sums[i], shift) & kept;
        top = next;
    }

    // Adds a row of V' and returns its weight. product is q.k with twice the fraction of q.
    IntVec add(const Tables &tables, IntVec product, const Vec3 &v) {
        IntVec exp2;
        for (int i = 0; i < WIDTH; i++)
            exp2[i] = tables.exp2[i & 7];
        const IntVec below = (top << SCORE_FRAC) -
                             shift_round(product, 2 * QK.frac - SCORE_FRAC);
        const IntVec under = (below >> SCORE_FRAC) < 31 ? below >> SCORE_FRAC : IntVec{} + 31;
        const IntVec p = rescale(__builtin_shuffle(exp2, below & 7), under);
        length += p;
        for (int i = 0; i < 3; i++)
            sums[i] += p * to_int(v[i] * V.units());
        return p;
    }

    Vec output(const Tables &tables, int i) const {
        const int narrow = V.width - 1;
        const IntVec left = 17 + 126 - exponent(to_float(length));
        const Vec reciprocal = lookup(tables.reciprocal, ((length << left) >> 6) & 1023);
        const Vec port = to_float(shift_round(sums[i] << left, narrow));
        const Vec numerator = clamp(port, -(1 << 17), (1 << 17) - 1);
        const double unit = std::ldexp(1, X.frac - V.frac + narrow - RECIPROCAL_LOG2);
        return to_float(half_up(to_double(numerator) * to_double(reciprocal) * unit)) * X.unit();
    }
};

// --- weights ---

// The largest fraction at which WEIGHT_WIDTH bits hold every number, as quantize.finest_frac.
static int finest_frac(const double *w, int count) {
    double largest = 0;
    for (int i = 0; i < count; i++)
        largest = std::fmax(largest, std::fabs(w[i]));
    if (largest == 0)
        return 0;
    const double high = (1 << (WEIGHT_WIDTH - 1)) - 1;
    int frac = WEIGHT_WIDTH - std::ilogb(largest) - 1;  // never too small, at most two too large
    for (int tries = 0; tries < 2; tries++, frac--) {
        bool fits = true;
        for (int i = 0; i < count; i++) {
            const double stored = std::floor(std::ldexp(w[i], frac) + 0.5);
            fits = fits && stored <= high && stored >= -high - 1;
        }
        if (fits)
            break;
    }
    return frac;
}

static void round_weights(double *w, int count, int width, int frac) {
    const double high = std::ldexp(1, width - 1) - 1;
    for (int i = 0; i < count; i++) {
        const double stored = std::floor(std::ldexp(w[i], frac) + 0.5);
        w[i] = std::ldexp(std::fmax(-high - 1, std::fmin(high, stored)), -frac);
    }
}

// One power-of-two scale a matrix; the shift back to the output format has limits.
static void round_matrix(
    double *w, int count, Format in, Format out, int min_shift = MIN_SHIFT,
    int max_shift = MAX_SHIFT) {
    const int frac = finest_frac(w, count), drop = out.frac - in.frac;
    const int least = min_shift + drop, most = max_shift + drop;
    round_weights(w, count, WEIGHT_WIDTH, frac < least ? least : frac > most ? most : frac);
}

static void round_weights(Folded<double> &folded) {
    for (Pass<double> &pass : folded.passes) {
        round_matrix(pass.wq[0], 9, H, QK);
        round_matrix(pass.wk[0], 9, H, QK);
        round_matrix(pass.wv[0], 9, H, V);
        round_matrix(pass.gate[0], 3 * HIDDEN, H, GATE);
        round_matrix(pass.up[0], 3 * HIDDEN, H, UP);
        round_matrix(pass.down[0], 3 * HIDDEN, Z, X, MIN_SUM_SHIFT, MAX_SUM_SHIFT);
        round_weights(pass.loop_embedding, 3, X.width, X.frac);
    }
    round_weights(folded.embed_in[0], 3 * VOCAB, X.width, X.frac);
    round_matrix(folded.embed_out[0], 3 * VOCAB, H, LOGIT);
}
