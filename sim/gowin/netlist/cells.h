// SPDX-License-Identifier: MIT
//
// Data types of the simulator: a word has one bit per copy; cells, mutations, LUT evaluation.

#pragma once

#include <cstdint>
#include <vector>

namespace {

using W = uint64_t;
constexpr W ALL = ~W(0);
enum Kind { LUT, ALU, DFF, MULT, BSRAM, RAM16 };
constexpr int MEMORY_BITS = 18432, PARAMETERS = 6;
constexpr int SWEEPS = 200, WATCHED = 20;  // sweeps until stable; what changes in the last ones oscillates
constexpr int PORT_PINS = 50, PORT_OUTS = 36;  // of a block RAM port: CLK CE WRE AD[11] DI[36], DO[36]

inline W spread(W word) { return W(0) - (word & 1); }
inline W mux(W select, W zero, W one) { return zero ^ (select & (zero ^ one)); }

struct Cell {
    int kind, in, out;  // its first input and output pin
    int parameters[PARAMETERS];
    int state;    // its first word of state
    int special;  // its entry in `specials`, or -1
};

struct Reroute {
    int pin, net;
    W copies;
};

struct Special {
    int cell;
    std::vector<Reroute> reroutes;
    W table[16];
};

struct Unit {
    int cell, port;
};

struct Write {
    W *at;
    W copies, value;
};

W evaluate(unsigned table, W a, W b, W c, W d) {
    const W pick[4] = {0, ~a, a, ALL};
    W row[4];
    for (int i = 0; i < 4; i++)
        row[i] = mux(b, pick[table >> 4 * i & 3], pick[table >> (4 * i + 2) & 3]);
    return mux(d, mux(c, row[0], row[1]), mux(c, row[2], row[3]));
}

W evaluate(const W *table, W a, W b, W c, W d) {
    W row[4];
    for (int i = 0; i < 4; i++)
        row[i] = mux(b, mux(a, table[4 * i], table[4 * i + 1]),
                     mux(a, table[4 * i + 2], table[4 * i + 3]));
    return mux(d, mux(c, row[0], row[1]), mux(c, row[2], row[3]));
}

}  // namespace
