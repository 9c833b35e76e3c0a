// SPDX-License-Identifier: MIT
//
// Parameters, the matrices of a pass that are folded from them, and the way back for gradients.
// The folded form is that of quant/blink/fold.py.
#pragma once

#include <cmath>
#include <cstddef>

constexpr int OWN_BLOCKS = PRELUDE + CODA, PASSES = PRELUDE + LOOPS + CODA;
constexpr double LN2 = 0.69314718055994530942, LOG2_E = 1 / LN2;

// One block as the checkpoint holds it; matrices are (out, in).
template <class T> struct Block {
    T q[3][3], k[3][3], v[3][3], o[3][3];
    T gate[HIDDEN][3], up[HIDDEN][3], down[3][HIDDEN];
    T norm_attention[3], norm_ffn[3];
};

// Where a projection lies in a Block; the order is that of LORA_TARGETS.
struct Projection {
    int offset, rows, columns;
    constexpr int lora_size() const { return LORA_RANK * (rows + columns); }
};
constexpr Projection PROJECTIONS[7] = {
    {0, 3, 3}, {9, 3, 3}, {18, 3, 3}, {27, 3, 3},
    {36, HIDDEN, 3}, {36 + 3 * HIDDEN, HIDDEN, 3}, {36 + 6 * HIDDEN, 3, HIDDEN},
};

constexpr bool adapted(int target) { return LORA_TARGETS >> target & 1; }

constexpr int lora_size() {
    int size = 0;
    for (int target = 0; target < 7; target++)
        size += adapted(target) ? PROJECTIONS[target].lora_size() : 0;
    return size;
}

// All parameters in the order of ModelSpec.tensor_shapes().
template <class T> struct Model {
    T embedding[VOCAB][3], loop_embedding[LOOPS][3], logit_scale, norm_final[3];
    Block<T> blocks[1 + OWN_BLOCKS];
    T lora[LOOPS][lora_size()];
};

// One pass as it is computed: h is the normalized vector without gain.
template <class T> struct Pass {
    T wq[3][3], wk[3][3], wv[3][3];
    T gate[HIDDEN][3], up[HIDDEN][3], down[3][HIDDEN];
    T loop_embedding[3];
};

template <class T> struct Folded {
    Pass<T> passes[PASSES];
    T embed_in[VOCAB][3], embed_out[VOCAB][3];
};

static inline bool in_loop(int pass) { return pass >= PRELUDE && pass < PRELUDE + LOOPS; }

static inline int block_of(int pass) {
    return in_loop(pass) ? 0 : pass < PRELUDE ? 1 + pass : 1 + pass - LOOPS;
}

// The block of one pass with its LoRA added.
static Block<double> adapt(const Model<float> &model, int pass) {
    Block<double> block;
    const float *from = (const float *)&model.blocks[block_of(pass)];
    double *to = (double *)&block;
    for (size_t i = 0; i < sizeof(Block<float>) / sizeof(float); i++)
        to[i] = from[i];
    if (!in_loop(pass))
        return block;
    const float *lora = model.lora[pass - PRELUDE];
    for (int target = 0; target < 7; target++) {
        if (!adapted(target))
            continue;
        const Projection p = PROJECTIONS[target];
        const float *a = lora, *b = lora + LORA_RANK * p.columns;
        for (int i = 0; i < p.rows; i++)
            for (int j = 0; j < p.columns; j++)
                for (int r = 0; r < LORA_RANK; r++)
                    to[p.offset + i * p.columns + j] +=
                        (double)b[i * LORA_RANK + r] * a[r * p.columns + j];
        lora += p.lora_size();
    }
    return block;
}

// Hand the gradient of an adapted block to the block's own parameters and to the LoRA.
static void adapt_backward(
    const Model<float> &model, int pass, const Block<double> &grad, Model<double> &out) {
    const double *from = (const double *)&grad;
    double *to = (double *)&out.blocks[block_of(pass)];
    for (size_t i = 0; i < sizeof(Block<double>) / sizeof(double); i++)
        to[i] += from[i];
    if (!in_loop(pass))
        return;
    const float *lora = model.lora[pass - PRELUDE];
    double *lora_grad = out.lora[pass - PRELUDE];
    for (int target = 0; target < 7; target++) {
        if (!adapted(target))
            continue;
        const Projection p = PROJECTIONS[target];
        const float *a = lora, *b = lora + LORA_RANK * p.columns;
        double *a_grad = lora_grad, *b_grad = lora_grad + LORA_RANK * p.columns;
        for (int i = 0; i < p.rows; i++)
            for (int j = 0; j < p.columns; j++)
                for (int r = 0; r < LORA_RANK; r++) {
                    const double w = from[p.offset + i * p.columns + j];
                    a_grad[r * p.columns + j] += w * b[i * LORA_RANK + r];
                    b_grad[i * LORA_RANK + r] += w * a[r * p.columns + j];
                }
        lora += p.lora_size(), lora_grad += p.lora_size();
    }
}

static const double QUERY_SCALE = LOG2_E / std::sqrt(3.0);

// A power of two, 2^qk_log2_shift, moves from q to k so that both use their range alike.
static Pass<double> fold(const Block<double> &block, int qk_log2_shift) {
    Pass<double> pass = {};
    const double q_scale = std::ldexp(QUERY_SCALE, -qk_log2_shift), k_scale = std::ldexp(1, qk_log2_shift);
    const double *gain = block.norm_attention;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            pass.wq[i][j] = block.q[i][j] * gain[j] * q_scale;
            pass.wk[i][j] = block.k[i][j] * gain[j] * k_scale;
            for (int m = 0; m < 3; m++)
                pass.wv[i][j] += block.o[i][m] * block.v[m][j] * gain[j];
        }
    for (int unit = 0; unit < HIDDEN; unit++)
        for (int i = 0; i < 3; i++) {
            pass.gate[unit][i] = block.gate[unit][i] * block.norm_ffn[i];
            pass.up[unit][i] = block.up[unit][i] * block.norm_ffn[i];
            pass.down[i][unit] = block.down[i][unit];
        }
    return pass;
}

static Block<double> fold_backward(
    const Block<double> &block, int qk_log2_shift, const Pass<double> &grad) {
    Block<double> out = {};
    const double q_scale = std::ldexp(QUERY_SCALE, -qk_log2_shift), k_scale = std::ldexp(1, qk_log2_shift);
    const double *gain = block.norm_attention;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            const double q = grad.wq[i][j] * q_scale, k = grad.wk[i][j] * k_scale;
            const double v = grad.wv[i][j];
            out.q[i][j] = q * gain[j];
            out.k[i][j] = k * gain[j];
            out.norm_attention[j] += q * block.q[i][j] + k * block.k[i][j];
            for (int m = 0; m < 3; m++) {
                out.o[i][m] += v * block.v[m][j] * gain[j];
                out.v[m][j] += v * block.o[i][m] * gain[j];
                out.norm_attention[j] += v * block.o[i][m] * block.v[m][j];
            }
        }
    for (int unit = 0; unit < HIDDEN; unit++)
        for (int i = 0; i < 3; i++) {
            out.gate[unit][i] = grad.gate[unit][i] * block.norm_ffn[i];
            out.up[unit][i] = grad.up[unit][i] * block.norm_ffn[i];
            out.norm_ffn[i] += grad.gate[unit][i] * block.gate[unit][i] +
                               grad.up[unit][i] * block.up[unit][i];
            out.down[i][unit] = grad.down[i][unit];
        }
    return out;
}

static Folded<double> fold(const Model<float> &model, const int *qk_log2_shift) {
    Folded<double> folded;
    for (int pass = 0; pass < PASSES; pass++) {
        folded.passes[pass] = fold(adapt(model, pass), qk_log2_shift[pass]);
        for (int i = 0; in_loop(pass) && i < 3; i++)
            folded.passes[pass].loop_embedding[i] = model.loop_embedding[pass - PRELUDE][i];
    }
    for (int token = 0; token < VOCAB; token++)
        for (int i = 0; i < 3; i++) {
            const double e = model.embedding[token][i];
            folded.embed_in[token][i] = e;
            folded.embed_out[token][i] =
                e * ((double)model.norm_final[i] * model.logit_scale * LOG2_E);
        }
    return folded;
}

// Gradients of all parameters from those of the folded form, whose matrices they come from.
static Model<double> fold_backward(
    const Model<float> &model, const int *qk_log2_shift, const Folded<double> &grad) {
    Model<double> out = {};
    for (int pass = 0; pass < PASSES; pass++) {
        const Block<double> block = adapt(model, pass);
        adapt_backward(model, pass, fold_backward(block, qk_log2_shift[pass], grad.passes[pass]), out);
        for (int i = 0; in_loop(pass) && i < 3; i++)
            out.loop_embedding[pass - PRELUDE][i] = grad.passes[pass].loop_embedding[i];
    }
    for (int token = 0; token < VOCAB; token++)
        for (int i = 0; i < 3; i++) {
            const double g = grad.embed_out[token][i] * LOG2_E, e = model.embedding[token][i];
            const double gain = model.norm_final[i], scale = model.logit_scale;
            out.embedding[token][i] = grad.embed_in[token][i] + g * gain * scale;
            out.norm_final[i] += g * e * scale;
            out.logit_scale += g * e * gain;
        }
    return out;
}
