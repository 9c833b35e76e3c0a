// SPDX-License-Identifier: MIT
//
// Bit-parallel simulator of a netlist that is data: 64 copies of the chip at once, copy k in bit k of every word. This
// is classic parallel fault simulation: copies may have other LUT tables, memory contents and modes, and inputs that
// are connected to other nets. Copy 0 is the reference.
//
// Combinational cells are evaluated in topological order, and only when an input has changed. Where an input of a
// mutated copy comes from a later cell, the sweep is repeated until nothing changes. flat_netlist.py writes the tables.
//
// State of a cell, in words: DFF: VALUE, ASYNC, NEGEDGE; MULT: see `multiply`; BSRAM: its bits, then see `memory`;
// RAM16: its bits.

#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "cells.h"
#include "line.h"

namespace {

struct Sim {
    std::vector<Cell> cells;
    std::vector<int> pins;              // of the good chip; reroutes are in `specials`
    std::vector<Unit> units;            // combinational ones in topological order, then clocked ones
    int combinational;
    std::vector<std::vector<int>> readers;  // units by net, and the same in one array
    std::vector<int> first_reader, all_readers;
    std::vector<W> nets, state, contents;
    std::vector<Special> specials;
    std::vector<int> odd, asynchronous;  // units with another clock; cells with an asynchronous reset
    std::vector<char> is_odd;
    std::vector<W> last_clock;
    std::vector<uint64_t> dirty, due;
    std::vector<uint32_t> used_entries;
    std::vector<uint8_t> touched;  // bytes of block RAM: 1 read before written, 2 written
    std::vector<std::pair<int, W>> results;
    std::vector<Write> writes;
    std::vector<std::pair<int, W>> garbage;  // nets, and the copies in which they get random values
    W random = 0;  // the last random word; 0: collisions read the old word
    uint64_t collisions = 0;
    std::vector<int> outputs, watched;
    std::vector<W> hashes;
    int clock, rx = -1, tx = -1;
    W floating = 0;
    bool clock_is_data = false;

    uint64_t cycles = 0;
    W noticed = 0, oscillating = 0;
    W latched = 0;  // copies in which a register or memory has stored another value
    W activated = 0;  // copies in which a changed table has had another output than the original
    uint64_t noticed_at[64];
    int noticed_by[64];
    Line line;

    // --- reading and marking ---

    W get(const Cell &cell, int pin) const {
        W value = nets[pins[cell.in + pin]];
        if (cell.special >= 0)
            for (const Reroute &way : specials[cell.special].reroutes)
                if (way.pin == pin)
                    value = mux(way.copies, value, nets[way.net]);
        return value;
    }

    void mark(int unit) { dirty[unit >> 6] |= W(1) << (unit & 63); }

    W put(int net, W value) {
        W change = nets[net] ^ value;
        if (change) {
            nets[net] = value;
            for (int i = first_reader[net]; i < first_reader[net + 1]; i++)
                mark(all_readers[i]);
        }
        return change;
    }

    // --- combinational cells; each function returns the copies that changed ---

    W evaluate_unit(const Unit &unit) {
        Cell &cell = cells[unit.cell];
        switch (cell.kind) {
        case LUT: {
            W a = get(cell, 0), b = get(cell, 1), c = get(cell, 2), d = get(cell, 3);
            use_entry(unit.cell, a, b, c, d);
            W f = cell.special < 0 ? evaluate(cell.parameters[0], a, b, c, d)
                                   : evaluate(specials[cell.special].table, a, b, c, d);
            return put(pins[cell.out], f);
        }
        case ALU: {
            W a = get(cell, 0), b = get(cell, 1), c = get(cell, 2), d = get(cell, 3);
            W carry = get(cell, 4), low, high;
            use_entry(unit.cell, a, b, c, d);
            if (cell.special < 0) {
                high = evaluate(cell.parameters[0], a, b, c, d);
                low = evaluate(cell.parameters[0], a, b, 0, 0);
            } else {
                const W *table = specials[cell.special].table;
                high = evaluate(table, a, b, c, d);
                low = evaluate(table, a, b, 0, 0);
            }
            if (~high & 1)
                used_entries[unit.cell] |= 1u << ((a & 1) | (b & 1) << 1);
            return put(pins[cell.out], high ^ carry) | put(pins[cell.out + 1], mux(high, low, carry));
        }
        case MULT:
            return multiply(cell);
        default: {  // RAM16
            W change = 0;
            W address[4] = {get(cell, 10), get(cell, 11), get(cell, 12), get(cell, 13)};
            for (int bit = 0; bit < 4; bit++)
                change |= put(pins[cell.out + bit],
                              evaluate(&state[cell.state + 16 * bit], address[0], address[1],
                                       address[2], address[3]));
            return change;
        }
        }
    }

    void clear_used_entries() {
        std::fill(used_entries.begin(), used_entries.end(), 0);
        for (int i = 0; i < combinational; i++)
            if (cells[units[i].cell].kind <= ALU)
                evaluate_unit(units[i]);
    }

    void use_entry(int cell, W a, W b, W c, W d) {
        used_entries[cell] |= 1u << ((a & 1) | (b & 1) << 1 | (c & 1) << 2 | (d & 1) << 3);
    }

    // State of a multiplier: A[18], B[18], product[36], pipe[36], out[36], then the sets of copies with
    // AREG, BREG, PIPE_REG, OUT_REG.
    W multiply(Cell &cell) {
        int width = cell.parameters[0];
        W *a_reg = &state[cell.state], *b_reg = a_reg + 18, *product = a_reg + 36;
        const W *have = a_reg + 144;
        W a[20], b[20];
        for (int i = 0; i < width; i++) {
            a[i] = mux(have[0], get(cell, i), a_reg[i]);
            b[i] = mux(have[1], get(cell, 18 + i), b_reg[i]);
        }
        a[width] = get(cell, 36) & a[width - 1];
        b[width] = get(cell, 37) & b[width - 1];
        std::fill(product, product + 2 * width, 0);
        for (W copies = ALL; copies;) {
            int copy = __builtin_ctzll(copies);
            W same = copies;
            int64_t x = 0, y = 0;
            for (int i = 0; i <= width; i++) {
                W one = spread(a[i] >> copy), two = spread(b[i] >> copy);
                same &= ~((a[i] ^ one) | (b[i] ^ two));
                int64_t weight = i < width ? int64_t(1) << i : -(int64_t(1) << i);
                x += weight & int64_t(one);
                y += weight & int64_t(two);
            }
            uint64_t result = uint64_t(x) * uint64_t(y);
            for (int i = 0; i < 2 * width; i++)
                product[i] |= same & spread(result >> i);
            copies &= ~same;
        }
        W change = 0;
        for (int i = 0; i < 2 * width; i++)
            change |= put(pins[cell.out + i],
                          mux(have[3], mux(have[2], product[i], product[i + 36]), product[i + 72]));
        return change;
    }

    void settle() {
        int words = (combinational + 63) / 64;
        W changing = 0;
        for (int sweep = 0; sweep < SWEEPS; sweep++) {
            bool again = false;
            if (sweep == SWEEPS - WATCHED)
                changing = 0;
            for (int word = 0; word < words; word++) {
                W mask = combinational - 64 * word >= 64 ? ALL
                                                         : (W(1) << (combinational & 63)) - 1;
                W later = ALL;
                while (W todo = dirty[word] & mask & later) {
                    int bit = __builtin_ctzll(todo);
                    dirty[word] &= ~(W(1) << bit);
                    changing |= evaluate_unit(units[64 * word + bit]);
                    // A cell that the sweep has passed waits for the next one.
                    later = bit == 63 ? 0 : ALL << (bit + 1);
                }
            }
            for (int index : asynchronous) {
                Cell &cell = cells[index];
                W *masks = &state[cell.state];
                W now = get(cell, 3) & masks[1];
                changing |= put(pins[cell.out], mux(now, nets[pins[cell.out]], masks[0]));
            }
            for (int word = 0; word < words && !again; word++)
                again = dirty[word] & (combinational - 64 * word >= 64
                                           ? ALL
                                           : (W(1) << (combinational & 63)) - 1);
            if (!again)
                return;
        }
        oscillating |= changing;
        notice(changing, -1);
    }

    // --- cells with a clock ---

    void note_latched(W value) { latched |= value ^ spread(value); }

    void clocked(int number, W edge) {
        const Unit &unit = units[number];
        Cell &cell = cells[unit.cell];
        switch (cell.kind) {
        case DFF: {
            W old = nets[pins[cell.out]];
            W next = mux(get(cell, 3), mux(get(cell, 2), old, get(cell, 0)), state[cell.state]);
            next = mux(edge, old, next);
            note_latched(next);
            if (next != old)
                results.push_back({pins[cell.out], next});
            break;
        }
        case MULT: {
            W ce = get(cell, 39), reset = get(cell, 40);
            W *a = &state[cell.state];
            const W *have = a + 144;
            bool moved = false;
            auto to = [&](W &reg, W value) {
                value = mux(edge, reg, mux(reset, mux(ce, reg, value), 0));
                note_latched(value);
                if (value != reg)
                    writes.push_back({&reg, ALL, value}), moved = true;
            };
            for (int i = 0; i < cell.parameters[0]; i++) {
                to(a[i], get(cell, i));
                to(a[18 + i], get(cell, 18 + i));
            }
            for (int i = 0; i < 2 * cell.parameters[0]; i++) {
                to(a[72 + i], a[36 + i]);
                to(a[108 + i], mux(have[2], a[36 + i], a[72 + i]));
            }
            if (moved) {
                mark(number);
                mark(unit.port);  // its combinational unit
            }
            break;
        }
        case BSRAM:
            memory(number, unit, cell, edge);
            break;
        default: {  // RAM16
            W enable = edge & get(cell, 8);
            note_latched(enable);
            for (int i = 0; enable && i < 8; i++)
                note_latched(get(cell, i));
            for (int address = 0; enable && address < 16; address++) {
                W here = enable;
                for (int i = 0; i < 4; i++)
                    here &= ~(get(cell, 4 + i) ^ spread(W(address) >> i));
                for (int bit = 0; here && bit < 4; bit++)
                    writes.push_back({&state[cell.state + 16 * bit + address], here, get(cell, bit)});
            }
            if (enable)
                mark(unit.port);
        }
        }
    }

    // One port of a block RAM. State after its bits: sets of copies with mode 1 and 2 of A, then of B.
    void memory(int number, const Unit &unit, Cell &cell, W edge) {
        int pin = PORT_PINS * unit.port, out = cell.out + PORT_OUTS * unit.port;
        int width = cell.parameters[2 * unit.port];
        int bytes = width / 8, stored = width % 9 ? 8 : 9;
        W enable = edge & get(cell, pin + 1);
        if (!enable)
            return;
        W write = enable & get(cell, pin + 2);
        note_latched(enable), note_latched(write);
        const W *modes = &state[cell.state + MEMORY_BITS + 2 * unit.port];
        W old = enable & (~write | modes[1]), through = write & modes[0];
        W address[11], word[36] = {0};
        int lines = bytes == 1 ? 11 : bytes == 2 ? 10 : 9;
        for (int i = 0; i < lines; i++)
            address[i] = get(cell, pin + 3 + i), note_latched(address[i]);
        for (W copies = old | write; copies;) {
            int copy = __builtin_ctzll(copies), row = 0;
            W same = copies;
            for (int i = 0; i < lines; i++) {
                same &= ~(address[i] ^ spread(address[i] >> copy));
                row |= int(address[i] >> copy & 1) << i;
            }
            W *at = &state[cell.state + row * bytes * 9];
            for (int i = 0; i < bytes && (same & 1); i++) {
                uint8_t &byte = touched[cell.parameters[4] * 2048 + row * bytes + i];
                byte |= byte & 2 ? 0 : old & 1;
                byte |= write & 1 ? 2 : 0;
            }
            for (int i = 0; i < width; i++) {
                W &bit = at[i / stored * 9 + i % stored];
                word[i] |= bit & same;
                if (same & write) {
                    W value = get(cell, pin + 14 + i);
                    note_latched(value);
                    writes.push_back({&bit, same & write, value});
                }
            }
            copies &= ~same;
        }
        for (int i = 0; i < width; i++) {
            W was = nets[pins[out + i]];
            W next = mux(old, was, word[i]);
            if (through)
                next = mux(through, next, get(cell, pin + 14 + i));
            if (next != was)
                results.push_back({pins[out + i], next});
        }
        if (write && random)
            poison(unit, cell, write, address);
        if (write) {  // the next cycle may read what was written, at either port
            mark(number);
            for (int other : {number - 1, number + 1})
                if (other >= combinational && other < int(units.size()) &&
                    units[other].cell == unit.cell)
                    mark(other);
        }
    }

    int clock_pin(const Unit &unit) const {
        switch (cells[unit.cell].kind) {
        case DFF: return 1;
        case MULT: return 38;
        case BSRAM: return PORT_PINS * unit.port;
        default: return 9;
        }
    }

    W odd_edges(int number) {
        const Cell &cell = cells[units[number].cell];
        W now = get(cell, clock_pin(units[number]));
        if (cell.kind == DFF)
            now ^= state[cell.state + 2];
        W rise = now & ~last_clock[number];
        last_clock[number] = now;
        return rise;
    }

    void commit() {
        for (const Write &write : writes)
            *write.at = mux(write.copies, *write.at, write.value);
        writes.clear();
        for (const auto &result : results)
            put(result.first, result.second);
        results.clear();
        for (const auto &one : garbage)
            put(one.first, mux(one.second, nets[one.first], next_random()));
        garbage.clear();
    }

    // Clocks that the logic drives, until there is no edge.
    void odd_clocks() {
        if (odd.empty())
            return;
        for (int turn = 0; turn < 8; turn++) {
            bool any = false;
            for (int number : odd)
                if (W edge = odd_edges(number))
                    clocked(number, edge), any = true;
            if (!any)
                return;
            commit();
            settle();
        }
    }

    void cycle() {
        put(clock, ALL);
        // Collect all units before the first one runs: a write marks the memory's other port for the
        // next cycle, not for this one.
        size_t first = combinational / 64;
        due.assign(dirty.begin() + first, dirty.end());
        if (!due.empty())
            due[0] &= ALL << (combinational & 63);
        for (size_t word = 0; word < due.size(); word++)
            dirty[first + word] &= ~due[word];
        for (size_t word = 0; word < due.size(); word++)
            for (W todo = due[word]; todo; todo &= todo - 1) {
                int number = int(64 * (first + word)) + __builtin_ctzll(todo);
                if (!is_odd[number])
                    clocked(number, ALL);
            }
        for (int number : odd)
            if (W edge = odd_edges(number))
                clocked(number, edge);
        commit();
        settle();
        odd_clocks();
        cycles++;
        observe();
        if (clock_is_data || !odd.empty()) {
            put(clock, 0);
            settle();
            odd_clocks();
        } else {
            nets[clock] = 0;
        }
    }

    // --- read-write collisions, in collisions.h ---

    void poison(const Unit &unit, const Cell &cell, W write, const W *address);
    W next_random();

    // --- differences between copies, in differences.h ---

    void observe();
    W table_differs(const Special &special) const;
    void notice(W copies, int output);
    void drop(W copies);
    W differing() const;

    // --- power-up, in power_up.h ---

    void connect();
    void power_up();
    void restore();
    Special &special(int index);
};

}  // namespace
