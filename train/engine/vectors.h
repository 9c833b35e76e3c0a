// SPDX-License-Identifier: MIT
//
// Vectors over sequences: element i of every vector belongs to sequence i. GCC's vector extensions
// turn them into AVX-512, AVX2 or NEON registers.
#pragma once

#include <cmath>
#include <cstdint>

#ifdef __AVX512F__
constexpr int WIDTH = 16;
#else
constexpr int WIDTH = 8;
#endif

typedef float Vec __attribute__((vector_size(4 * WIDTH)));
typedef int32_t IntVec __attribute__((vector_size(4 * WIDTH)));
typedef double DoubleVec __attribute__((vector_size(8 * WIDTH)));

#define INLINE static inline __attribute__((always_inline))

INLINE Vec broadcast(float a) { return Vec{} + a; }
INLINE Vec max(Vec a, Vec b) { return a > b ? a : b; }
INLINE Vec min(Vec a, Vec b) { return a < b ? a : b; }
INLINE IntVec max(IntVec a, IntVec b) { return a > b ? a : b; }
INLINE Vec clamp(Vec a, float low, float high) {
    return max(min(a, broadcast(high)), broadcast(low));
}
INLINE Vec to_float(IntVec a) { return __builtin_convertvector(a, Vec); }
INLINE IntVec to_int(Vec a) { return __builtin_convertvector(a, IntVec); }

INLINE Vec sqrt(Vec a) {
    for (int i = 0; i < WIDTH; i++)
        a[i] = __builtin_sqrtf(a[i]);
    return a;
}

INLINE Vec floor(Vec a) {
    for (int i = 0; i < WIDTH; i++)
        a[i] = __builtin_floorf(a[i]);
    return a;
}

// 2^x for x up to 126 (below -126 as at -126), relative error below 2e-7: the nearest power of two
// times a polynomial that is least wrong over the fractions from -1/2 to 1/2.
INLINE Vec exp2(Vec x) {
    const float round = 12582912;  // 1.5 * 2^23: adding it leaves the rounded x in the low bits
    x = max(x, broadcast(-126));
    const Vec shifted = x + round;
    const Vec f = x - (shifted - round);
    Vec p = f * 1.32546027e-3f + 9.67199914e-3f;
    p = p * f + 5.55077940e-2f;
    p = p * f + 2.40222320e-1f;
    p = p * f + 6.93146944e-1f;
    p = p * f + 1.0f;
    return (Vec)((IntVec)p + ((IntVec)shifted << 23));
}

INLINE float sum(Vec a) {
    float total = 0;
    for (int i = 0; i < WIDTH; i++)
        total += a[i];
    return total;
}

// Element i of the result is the sum of rows[i]; the rows are used up. Adding neighbors of two rows
// halves the number of rows each time and keeps their order.
INLINE Vec row_sums(Vec *rows) {
    IntVec even, odd;
    for (int i = 0; i < WIDTH; i++)
        even[i] = 2 * i, odd[i] = 2 * i + 1;
    for (int count = WIDTH / 2; count; count /= 2)
        for (int i = 0; i < count; i++)
            rows[i] = __builtin_shuffle(rows[2 * i], rows[2 * i + 1], even) +
                      __builtin_shuffle(rows[2 * i], rows[2 * i + 1], odd);
    return rows[0];
}

// A 3-vector of every sequence.
struct Vec3 {
    Vec v[3];
    Vec &operator[](int i) { return v[i]; }
    const Vec &operator[](int i) const { return v[i]; }
    void operator+=(const Vec3 &a) {
        for (int i = 0; i < 3; i++)
            v[i] += a[i];
    }
};

INLINE Vec3 operator*(const Vec3 &a, Vec scale) {
    return {{a[0] * scale, a[1] * scale, a[2] * scale}};
}
INLINE Vec3 times(const float w[3], Vec a) { return {{w[0] * a, w[1] * a, w[2] * a}}; }
INLINE Vec3 operator+(const Vec3 &a, const float b[3]) {
    return {{a[0] + b[0], a[1] + b[1], a[2] + b[2]}};
}
INLINE Vec dot(const Vec3 &a, const Vec3 &b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
INLINE Vec dot(const float w[3], const Vec3 &a) { return w[0] * a[0] + w[1] * a[1] + w[2] * a[2]; }

// Turns dimensions 0 and 1.
INLINE Vec3 rotate(const Vec3 &a, float cosine, float sine) {
    return {{a[0] * cosine - a[1] * sine, a[0] * sine + a[1] * cosine, a[2]}};
}
