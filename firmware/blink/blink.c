// SPDX-License-Identifier: MIT
//
// blink on a processor: the integer model of quant/blink/reference.py in one file of C.
//
//     cc -O2 -o blink blink.c -lm
//     blink MODEL.glint LANES COUNT [TEXT]     greedy tokens after TEXT, a line each: id crc
//     blink -s MODEL.glint LANES COUNT [TEXT]  the same work, printed: tokens per second
//     blink -f MODEL.glint LANES               follows: for each token on stdin, two bytes, all logits
//     blink -a MODEL.glint LANES               answers what it is asked on stdin, see answer()
//
// The same integers as a board with LANES lanes: softmax adds up groups of LANES ring slots.

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_PASSES = 16, MAX_WINDOW = 256, MAX_VOCAB = 512, MAX_HIDDEN = 16, HEADER = 96 };

typedef struct {
    int16_t v[3];
} Row;

typedef struct {
    const Row *k, *q, *v, *gate, *up, *down, *loop_embedding;
    int shift_k, shift_q, shift_v, shift_gate, shift_up, shift_down, hidden;
} Pass;

typedef struct {
    int width;  // of weights, h, q, k, v, silu, up and z
    int h, qk, v, rope, silu, up, z, p;  // fractional bits; x has 10, gate 6, logits 8, scores 3
    int least_shift, least_sum_shift;  // of a lane's products and of weighted sums
} Plan;

static const Plan plan12 = {12, 10, 6, 7, 10, 8, 9, 8, 8, 7, 2};
static const Plan plan9 = {9, 7, 3, 4, 7, 5, 6, 5, 7, 0, -2};

static struct {
    Plan plan;
    int passes, vocab, window, thinking, eos, rope_num, rope_den, shift_logit, lanes;
    const Row *embed, *rope, *output;
    Pass pass[MAX_PASSES];
} model;

static struct {
    int64_t x[3];
    int32_t keys[MAX_PASSES][MAX_WINDOW + 8][3], values[MAX_PASSES][MAX_WINDOW + 8][3];
    int32_t logits[MAX_VOCAB];
    int position;
} state;

static int64_t rsqrt_table[1024], reciprocal_table[1024], exp2_table[8], silu_table[1024];
static uint32_t crc_table[256];

// The sampler of quant/numbers/sampler.py: Trivium, newest bit of each register in bit 0, and noise by entry.
typedef unsigned __int128 Register;

static struct {
    Register a, b, c;
    int64_t gumbel[1024];
} noise;

// --- numbers ---

static int64_t shift_round(int64_t value, int shift) {
    return shift == 0 ? value : (value + ((int64_t)1 << (shift - 1))) >> shift;
}

static int64_t rescale(int64_t value, int shift) { return (((value << 1) >> shift) + 1) >> 1; }

static int64_t saturate(int64_t value, int width) {
    int64_t high = ((int64_t)1 << (width - 1)) - 1;
    return value > high ? high : value < -high - 1 ? -high - 1 : value;
}

static int bit_length(int64_t value) { return value ? 64 - __builtin_clzll((uint64_t)value) : 0; }

static int limit(int value, int low, int high) {
    return value < low ? low : value > high ? high : value;
}

static void make_tables(void) {
    const Plan *plan = &model.plan;
    for (int i = 0; i < 1024; i++) {
        double sum = (256 + i % 256 + 0.5) * ldexp(1, 22 + i / 256);
        rsqrt_table[i] = (int64_t)floor(sqrt(3) * ldexp(1, 30) / sqrt(sum) + 0.5);
        reciprocal_table[i] = (int64_t)floor(ldexp(1, 33) / (65536 + (i + 0.5) * 64) + 0.5);
        double gate = (i < 512 ? i : i - 1024) / 64.0;
        double silu = floor(gate / (1 + exp(-gate)) * ldexp(1, plan->silu) + 0.5);
        silu_table[i] = saturate((int64_t)silu, plan->width);
    }
    for (int i = 0; i < 8; i++)
        exp2_table[i] = (int64_t)floor(pow(2, plan->p - i / 8.0) + 0.5);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
        crc_table[i] = crc;
    }
}

// --- blocks ---

static void rmsnorm(const int64_t y[3], int32_t h[3]) {
    int64_t largest = 0, sum = 3 * 1048576 / 100000;
    for (int i = 0; i < 3; i++) {
        int64_t magnitude = y[i] < 0 ? ~y[i] : y[i];
        largest = magnitude > largest ? magnitude : largest;
        sum += y[i] * y[i];
    }
    int left = 16 - bit_length(largest);
    left = left > 13 ? 13 : left;
    sum <<= 2 * left;
    int octave = bit_length(sum) - 31;
    int64_t factor = rsqrt_table[octave * 256 + (sum >> (22 + octave) & 255)];
    for (int i = 0; i < 3; i++)
        h[i] = (int32_t)shift_round(y[i] * (1 << left) * factor, 30 - model.plan.h);
}

static int32_t dot(const Row *row, const int32_t h[3]) {
    return row->v[0] * h[0] + row->v[1] * h[1] + row->v[2] * h[2];
}

static void project(const Row *rows, const int32_t h[3], int shift, int32_t out[3]) {
    for (int i = 0; i < 3; i++)
        out[i] = (int32_t)saturate(shift_round(dot(rows + i, h), shift), model.plan.width);
}

static void turn(int32_t vector[3]) {
    const Row *angle = model.rope + (int64_t)state.position * model.rope_num % model.rope_den;
    int64_t cosine = angle->v[0], sine = angle->v[1], a = vector[0], b = vector[1];
    int frac = model.plan.rope, width = model.plan.width;
    vector[0] = (int32_t)saturate(shift_round(a * cosine - b * sine, frac), width);
    vector[1] = (int32_t)saturate(shift_round(a * sine + b * cosine, frac), width);
}

// One-pass softmax over groups of slots; `running_max` is what a weight of 1 stands for, as a power of 2.
// Where a group raises it, what is summed up so far moves down first.
typedef struct {
    int running_max;
    int64_t sum[3], denominator;
} Softmax;

static void add_group(Softmax *soft, int32_t (*keys)[3], int32_t (*values)[3], int rows,
                      const int32_t q[3]) {
    int frac = 2 * model.plan.qk, running_max = soft->running_max;
    int64_t product[8];
    for (int i = 0; i < rows; i++) {
        product[i] = (int64_t)keys[i][0] * q[0] + keys[i][1] * q[1] + keys[i][2] * q[2];
        int above = (int)(product[i] >> frac) + 1;
        running_max = above > running_max ? above : running_max;
    }
    int rise = running_max - soft->running_max;
    for (int d = 0; d < 3; d++)
        soft->sum[d] = rise > 15 ? 0 : rescale(soft->sum[d], rise);
    soft->denominator = rise > 15 ? 0 : rescale(soft->denominator, rise);
    soft->running_max = running_max;
    for (int i = 0; i < rows; i++) {
        int below = running_max * 8 - (int)shift_round(product[i], frac - 3);
        int64_t p = rescale(exp2_table[below & 7], limit(below >> 3, 0, 31));
        soft->denominator += p;
        for (int d = 0; d < 3; d++)
            soft->sum[d] += p * values[i][d];
    }
}

static void add_attention(const Softmax *soft) {
    int left = 17 - bit_length(soft->denominator), narrow = model.plan.width - 1;
    int64_t factor = reciprocal_table[(soft->denominator << left) >> 6 & 1023];
    for (int d = 0; d < 3; d++) {
        int64_t value = soft->sum[d] * (1 << left);
        int64_t numerator = saturate(shift_round(value, narrow), 18);
        int64_t out = shift_round(numerator * factor, 33 - narrow - (10 - model.plan.v));
        state.x[d] = saturate(state.x[d] + out, 16);
    }
}

static void attend(int index) {
    const Pass *pass = &model.pass[index];
    int lanes = model.lanes, slot = state.position % model.window;
    int32_t h[3], q[3], (*keys)[3] = state.keys[index], (*values)[3] = state.values[index];
    int64_t y[3];
    for (int d = 0; d < 3; d++)
        y[d] = state.x[d] + pass->loop_embedding->v[d];
    rmsnorm(y, h);
    project(pass->k, h, pass->shift_k, keys[slot]);
    project(pass->q, h, pass->shift_q, q);
    project(pass->v, h, pass->shift_v, values[slot]);
    turn(keys[slot]);
    turn(q);

    // Oldest group first, the group of the newest row last.
    int full = state.position >= model.window;
    int used = full ? model.window : state.position + 1;
    int groups = (used + lanes - 1) / lanes;
    Softmax soft = {-(1 << 13), {0, 0, 0}, 0};
    for (int i = 1; i <= groups; i++) {
        int first = (slot / lanes + i) % groups * lanes;
        int rows = used - first < lanes ? used - first : lanes;
        add_group(&soft, keys + first, values + first, rows, q);
    }
    add_attention(&soft);
}

static void feed_forward(const Pass *pass) {
    const Plan *plan = &model.plan;
    int32_t h[3];
    int64_t sum[3] = {0, 0, 0};
    rmsnorm(state.x, h);
    for (int i = 0; i < pass->hidden; i++) {
        int64_t gate = saturate(shift_round(dot(pass->gate + i, h), pass->shift_gate), 10);
        int64_t up = saturate(shift_round(dot(pass->up + i, h), pass->shift_up), plan->width);
        int64_t z = shift_round(silu_table[gate & 1023] * up, plan->silu + plan->up - plan->z);
        z = saturate(z, plan->width);
        for (int d = 0; d < 3; d++)
            sum[d] += z * pass->down[i].v[d];
    }
    for (int d = 0; d < 3; d++)
        state.x[d] = saturate(state.x[d] + shift_round(sum[d], pass->shift_down), 16);
}

static void run_passes(void) {
    for (int i = 0; i < model.passes; i++) {
        attend(i);
        feed_forward(&model.pass[i]);
    }
    state.position++;
}

static void enter(int token) {
    for (int d = 0; d < 3; d++)
        state.x[d] = model.embed[token].v[d];
    run_passes();
}

// The token of the highest logit, the lowest id of equals.
static int next_token(void) {
    int32_t h[3];
    int best = 0;
    for (int i = 0; i < model.thinking; i++)
        run_passes();
    rmsnorm(state.x, h);
    for (int i = 0; i < model.vocab; i++) {
        int64_t logit = shift_round(dot(model.output + i, h), model.shift_logit);
        state.logits[i] = (int32_t)saturate(logit, 20);
        if (state.logits[i] > state.logits[best])
            best = i;
    }
    return best;
}

static uint32_t logit_crc(void) {
    uint32_t crc = 0xFFFFFFFFu;
    for (int i = 0; i < (model.vocab + 15) / 16 * 16; i++) {
        uint32_t word = i < model.vocab ? (uint32_t)state.logits[i] : 0;
        for (int byte = 0; byte < 4; byte++, word >>= 8)
            crc = crc >> 8 ^ crc_table[(crc ^ word) & 255];
    }
    return ~crc;
}

// --- sampler ---

// The next 64 bits of the stream; tap s[i] of 64 steps is the 64 bits from bit i - 64 of its register up.
static uint64_t trivium(void) {
    Register a = noise.a, b = noise.b, c = noise.c;
    uint64_t t1 = (uint64_t)(a >> 2 ^ a >> 29);
    uint64_t t2 = (uint64_t)(b >> 5 ^ b >> 20);
    uint64_t t3 = (uint64_t)(c >> 2 ^ c >> 47);
    uint64_t word = t1 ^ t2 ^ t3;
    t1 ^= (uint64_t)((a >> 27 & a >> 28) ^ b >> 14);
    t2 ^= (uint64_t)((b >> 18 & b >> 19) ^ c >> 23);
    t3 ^= (uint64_t)((c >> 45 & c >> 46) ^ a >> 5);
    noise.a = (a << 64 | t3) & (((Register)1 << 93) - 1);
    noise.b = (b << 64 | t1) & (((Register)1 << 84) - 1);
    noise.c = (c << 64 | t2) & (((Register)1 << 111) - 1);
    return word;
}

static void reseed(uint64_t seed) {
    noise.a = noise.b = 0;
    noise.c = (Register)7 << 108;
    for (int i = 0; i < 64; i++)
        noise.a |= (Register)(seed >> i & 1) << (79 - i);
    for (int i = 0; i < 1152 / 64; i++)
        trivium();
}

// Of a 16-bit word: 192 s + m, where s, pairs of leading zeros less, is the least with m = word >> 2 s < 256.
static int entry(int word) {
    int pairs = (word >= 256) + (word >= 1024) + (word >= 4096) + (word >= 16384);
    return 192 * pairs + (word >> 2 * pairs);
}

static void make_gumbel(void) {
    double sum[1024] = {0};
    int count[1024] = {0};
    for (int word = 0; word < 65536; word++) {
        sum[entry(word)] += -log2(-log1p(-(word + 0.5) / 65536));
        count[entry(word)]++;
    }
    for (int i = 0; i < 1024; i++)
        noise.gumbel[i] = saturate((int64_t)floor(sum[i] / count[i] * 1024 + 0.5), 16);
}

// The highest of logit + round(T * G), the lowest id of equals; 16 bits of the stream an id, 16 ids at a time.
static int sample(int temperature) {
    int best = 0;
    int64_t highest = INT64_MIN;
    uint64_t bits = 0;
    for (int i = 0; i < (model.vocab + 15) / 16 * 16; i++) {
        bits = i % 4 || !temperature ? bits << 16 : trivium();
        if (i >= model.vocab)
            continue;
        int64_t value = state.logits[i] + shift_round(temperature * noise.gumbel[entry(bits >> 48)], 10);
        if (value > highest)
            highest = value, best = i;
    }
    return best;
}

// --- image ---

static int u16(const uint8_t *at) { return at[0] | at[1] << 8; }

static void fail(const char *what, const char *value) {
    fprintf(stderr, "blink: %s: %s\n", what, value);
    exit(2);
}

// The descriptor of a pass: bases in units of 8 rows, shifts less the least one (see firmware/blink/image.py).
static Pass read_pass(const Row *descriptor, const Row *dot_bank, const Row *sum_bank) {
    const Row *qkv = dot_bank + 8 * (uint16_t)descriptor[0].v[0];
    const Row *gate = dot_bank + 8 * (uint16_t)descriptor[0].v[1];
    int attention = (uint16_t)descriptor[1].v[1], ffn = (uint16_t)descriptor[1].v[2];
    int hidden = (ffn >> 12) + 1, least = model.plan.least_shift;
    Pass pass = {
        .k = qkv, .q = qkv + 8, .v = qkv + 16, .gate = gate, .up = gate + (hidden + 7) / 8 * 8,
        .down = sum_bank + 8 * (uint16_t)descriptor[0].v[2], .loop_embedding = descriptor + 2,
        .shift_k = (attention & 15) + least, .shift_q = (attention >> 4 & 15) + least,
        .shift_v = (attention >> 8 & 15) + least, .shift_gate = (ffn & 15) + least,
        .shift_up = (ffn >> 4 & 15) + least, .shift_down = (ffn >> 8 & 15) + model.plan.least_sum_shift, .hidden = hidden,
    };
    return pass;
}

static void read_image(const char *path) {
    static uint8_t file[1 << 17];
    FILE *stream = fopen(path, "rb");
    size_t size = stream ? fread(file, 1, sizeof file, stream) : 0;
    if (size < HEADER || memcmp(file, "GLNT", 4) || u16(file + 4) != 2)
        fail("not a .glint image of version 2", path);
    fclose(stream);

    int dot_rows = u16(file + 28), sum_rows = u16(file + 30), embed_rows = u16(file + 32);
    model.passes = u16(file + 26);
    const Row *config = (const Row *)(file + HEADER), *table = config + 3;
    const Row *dot_bank = table + 3 * model.passes, *sum_bank = dot_bank + dot_rows;
    model.embed = sum_bank + sum_rows;
    model.rope = model.embed + embed_rows;
    model.plan = file[15] == 12 ? plan12 : plan9;
    model.vocab = u16(file + 16);
    model.window = u16(file + 18);
    model.eos = u16(file + 20);
    model.rope_num = u16(file + 22);
    model.rope_den = u16(file + 24);
    model.thinking = file[14];
    model.output = dot_bank + 8 * (uint16_t)config[0].v[0];
    model.shift_logit = (config[0].v[2] & 15) + model.plan.least_shift;
    for (int i = 0; i < model.passes; i++)
        model.pass[i] = read_pass(table + 3 * i, dot_bank, sum_bank);
}

// Whoever writes the tokens may wait for the logits of each.
static int follow(void) {
    int low, high;
    while ((low = getchar()) != EOF && (high = getchar()) != EOF) {
        enter(low | high << 8);
        next_token();
        fwrite(state.logits, sizeof state.logits[0], (size_t)model.vocab, stdout);
        fflush(stdout);
    }
    return 0;
}

static uint64_t number(int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)(getchar() & 255) << 8 * i;
    return value;
}

static void put(uint64_t value, int bytes) {
    for (; bytes; bytes--, value >>= 8)
        putchar((int)(value & 255));
}

// What a device does with RESET, SCORE and GENERATE, for whoever asks on stdin (numbers little-endian):
//     R                                     empty the context
//     K seed u64                            begin the noise of a seed
//     S count u32, count x token u16        enter tokens; the CRC of the logits after each, u32
//     G count u32, temperature u16          sample; for each token id u16, CRC u32; EOS ends nothing
static int answer(void) {
    int pending = -1, empty = 1;
    for (int op; (op = getchar()) != EOF; fflush(stdout)) {
        if (op == 'R') {
            state.position = 0;
            pending = -1, empty = 1;
            continue;
        }
        if (op == 'K') {
            reseed(number(8));
            continue;
        }
        uint32_t count = (uint32_t)number(4);
        int temperature = op == 'G' ? (int)number(2) : 0;
        for (; count && !feof(stdin); count--, empty = 0) {
            if (pending >= 0)
                enter(pending);
            else if (op == 'G' && empty)
                enter(model.eos == 0xFFFF ? 0 : model.eos);
            pending = -1;
            if (op == 'S')
                enter((int)number(2) % model.vocab);
            next_token();
            if (op == 'G')
                put((uint64_t)(pending = sample(temperature)), 2);
            put(logit_crc(), 4);
        }
    }
    return 0;
}

int main(int count, char **arguments) {
    int speed = count > 1 && strcmp(arguments[1], "-s") == 0;
    int follows = count > 1 && strcmp(arguments[1], "-f") == 0;
    int answers = count > 1 && strcmp(arguments[1], "-a") == 0;
    arguments += speed + follows + answers;
    if (count - speed < 4)
        fail("usage", "blink [-s] MODEL.glint LANES COUNT [TEXT], or blink -f|-a MODEL.glint LANES");
    read_image(arguments[1]);
    model.lanes = atoi(arguments[2]);
    if (model.lanes != 2 && model.lanes != 4 && model.lanes != 8)
        fail("LANES must be 2, 4 or 8, not", arguments[2]);
    make_tables();
    make_gumbel();
    if (follows)
        return follow();
    if (answers)
        return answer();

    const char *text = count - speed > 4 ? arguments[4] : "";
    int tokens = atoi(arguments[3]), token = model.eos == 0xFFFF ? 0 : model.eos;
    struct timespec start, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    if (*text)
        for (; *text; text++)
            enter((uint8_t)*text);
    else
        enter(token);
    uint32_t all = 0;
    for (int i = 0; i < tokens; i++) {
        token = next_token();
        all ^= logit_crc();
        if (!speed)
            printf("%d %08x\n", token, logit_crc());
        if (i + 1 < tokens)
            enter(token);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    if (speed)
        printf("%.0f tokens/s (crc %08x)\n", tokens / seconds, all);
    return 0;
}
