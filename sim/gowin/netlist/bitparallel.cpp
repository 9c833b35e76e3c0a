// SPDX-License-Identifier: MIT
//
// The C interface of the simulator in chip.h, as bitparallel.py calls it. The first argument of every other function is
// what sim_new returned.

#include "collisions.h"
#include "differences.h"
#include "power_up.h"

#ifdef _WIN32
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

// `table` has 3 + PARAMETERS numbers per cell: kind, first input, first output, parameters.
EXPORT void *sim_new(int32_t nets, int32_t count, const int32_t *table, int32_t pin_count,
                       const int32_t *pins, int32_t ordered, const int32_t *order,
                       const uint64_t *contents, int32_t content_words, int32_t clock) {
    Sim *sim = new Sim;
    sim->pins.assign(pins, pins + pin_count);
    sim->contents.assign(contents, contents + content_words);
    sim->clock = clock;
    sim->nets.assign(nets + 1, 0);  // the last one is for unconnected outputs
    int words = 0;
    const int sizes[] = {0, 0, 3, 148, MEMORY_BITS + 4, 64};
    for (int i = 0; i < count; i++, table += 3 + PARAMETERS) {
        Cell cell = {table[0], table[1], table[2], {0}, words, -1};
        std::copy_n(table + 3, PARAMETERS, cell.parameters);
        words += sizes[cell.kind];
        sim->cells.push_back(cell);
    }
    sim->state.assign(words, 0);
    std::vector<int> half(count, -1);
    for (int i = 0; i < ordered; i++) {
        half[order[i]] = i;
        sim->units.push_back({order[i], 0});
    }
    sim->combinational = ordered;
    for (int i = 0; i < count; i++) {
        int kind = sim->cells[i].kind;
        if (kind == BSRAM) {
            for (int port = 0; port < 2; port++)
                if (sim->cells[i].parameters[2 * port])
                    sim->units.push_back({i, port});
        } else if (kind >= DFF) {
            sim->units.push_back({i, half[i]});
        }
    }
    sim->used_entries.assign(count, 0);
    int blocks = 0;
    for (Cell &cell : sim->cells)
        if (cell.kind == BSRAM)
            cell.parameters[4] = blocks++;
    sim->touched.assign(2048 * blocks, 0);
    sim->restore();
    return sim;
}

EXPORT void sim_free(Sim *sim) { delete sim; }
EXPORT void sim_restore(Sim *sim) { sim->restore(); }
EXPORT void sim_floating(Sim *sim, uint64_t value) { sim->floating = value; }

EXPORT void sim_poison(Sim *sim, uint64_t seed) { sim->random = seed; }
EXPORT uint64_t sim_collisions(Sim *sim) { return sim->collisions; }

EXPORT void sim_line(Sim *sim, int32_t rx, int32_t tx) { sim->rx = rx, sim->tx = tx; }

EXPORT void sim_outputs(Sim *sim, const int32_t *nets, int32_t count) {
    sim->outputs.assign(nets, nets + count);
}

EXPORT void sim_watch(Sim *sim, const int32_t *nets, int32_t count) {
    sim->watched.assign(nets, nets + count);
}

EXPORT void sim_forget_hashes(Sim *sim) { sim->hashes.clear(); }

// --- mutations, to be made before power-up ---

EXPORT void sim_table(Sim *sim, int32_t cell, int32_t copy, uint32_t table) {
    auto &special = sim->special(cell);
    for (int i = 0; i < 16; i++)
        special.table[i] = (special.table[i] & ~(W(1) << copy)) | W(table >> i & 1) << copy;
}

EXPORT void sim_route(Sim *sim, int32_t cell, int32_t pin, int32_t copy, int32_t net) {
    sim->special(cell).reroutes.push_back({pin, net, W(1) << copy});
}

// Word `index` of a cell's state: a bit of a memory, or a flag as bitparallel.py lists them.
EXPORT void sim_state(Sim *sim, int32_t cell, int32_t index, int32_t copy, uint32_t value) {
    W &word = sim->state[sim->cells[cell].state + index];
    word = (word & ~(W(1) << copy)) | W(value & 1) << copy;
    sim->special(cell);
}

// --- running ---

EXPORT void sim_power_up(Sim *sim) { sim->power_up(); }
EXPORT void sim_settle(Sim *sim) { sim->settle(); }
EXPORT void sim_set(Sim *sim, int32_t net, uint64_t value) { sim->put(net, value); }
EXPORT uint64_t sim_get(Sim *sim, int32_t net) { return sim->nets[net]; }

EXPORT void sim_clock(Sim *sim, uint32_t count) {
    sim->settle();
    while (count--)
        sim->cycle();
}

// Run the clock and the line; with `wanted`, until that many bytes are received. Returns the cycles run.
EXPORT uint32_t sim_run(Sim *sim, uint32_t limit, uint32_t wanted) {
    for (uint32_t used = 0; used < limit; used++) {
        sim->put(sim->rx, spread(sim->line.send(sim->cycles)));
        sim->settle();
        bool line = sim->nets[sim->tx] & 1;
        sim->cycle();
        bool whole = sim->line.receive(sim->cycles - 1, line);
        if (whole && wanted && sim->line.from_chip.size() >= wanted)
            return used + 1;
    }
    return limit;
}

// The same with a recorded line, until all copies of the set `copies` have differed.
EXPORT uint32_t sim_replay(Sim *sim, uint32_t limit, uint64_t copies) {
    for (uint32_t used = 0; used < limit; used++) {
        if ((sim->noticed & copies) == copies)
            return used;
        sim_run(sim, 1, 0);
    }
    return limit;
}

EXPORT void sim_set_replay(Sim *sim, const uint64_t *edges, uint32_t count) {
    sim->line.replay.assign(edges, edges + count);
}

EXPORT void sim_set_rate(Sim *sim, uint32_t step) { sim->line.step = step; }
EXPORT uint64_t sim_cycles(Sim *sim) { return sim->cycles; }
EXPORT uint32_t sim_waiting(Sim *sim) { return uint32_t(sim->line.from_chip.size()); }
EXPORT uint32_t sim_errors(Sim *sim) { return sim->line.errors; }

EXPORT uint32_t sim_unsent(Sim *sim) {
    return uint32_t(sim->line.to_chip.size()) + (sim->line.frame > 1);
}

EXPORT void sim_put(Sim *sim, const uint8_t *data, uint32_t count) {
    sim->line.to_chip.insert(sim->line.to_chip.end(), data, data + count);
}

EXPORT uint32_t sim_take(Sim *sim, uint8_t *data, uint32_t most) {
    uint32_t count = std::min(uint32_t(sim->line.from_chip.size()), most);
    std::copy_n(sim->line.from_chip.begin(), count, data);
    auto &queue = sim->line.from_chip;
    queue.erase(queue.begin(), queue.begin() + count);
    return count;
}

// --- results ---

EXPORT uint64_t sim_noticed(Sim *sim, uint64_t *when, int32_t *by) {
    std::copy_n(sim->noticed_at, 64, when);
    std::copy_n(sim->noticed_by, 64, by);
    return sim->noticed;
}

// All nets in copy 0, one byte each.
EXPORT void sim_values(Sim *sim, uint8_t *to) {
    for (size_t i = 0; i + 1 < sim->nets.size(); i++)
        to[i] = sim->nets[i] & 1;
}

EXPORT uint64_t sim_differing(Sim *sim) { return sim->differing(); }
EXPORT uint64_t sim_latched(Sim *sim) { return sim->latched; }
EXPORT uint64_t sim_activated(Sim *sim) { return sim->activated; }

// Bits of a cell's state in copy 0, one byte each.
EXPORT void sim_peek_state(Sim *sim, int32_t cell, int32_t count, uint8_t *to) {
    for (int i = 0; i < count; i++)
        to[i] = sim->state[sim->cells[cell].state + i] & 1;
}

EXPORT void sim_clear_used_entries(Sim *sim) { sim->clear_used_entries(); }

EXPORT void sim_used_entries(Sim *sim, uint32_t *used_entries) {
    std::copy(sim->used_entries.begin(), sim->used_entries.end(), used_entries);
}

EXPORT void sim_read_bytes(Sim *sim, uint8_t *to) {
    std::copy(sim->touched.begin(), sim->touched.end(), to);
}

// Cycles at which the line to the chip (0) or from it (1) toggled, or the hashes of the watched nets (2). Returns the
// length, and copies the values when there is room for them.
EXPORT uint32_t sim_trace(Sim *sim, int32_t which, uint64_t *to, uint32_t room) {
    const auto &from = which == 0   ? sim->line.sent_edges
                       : which == 1 ? sim->line.received_edges
                                    : sim->hashes;
    if (room >= from.size())
        std::copy(from.begin(), from.end(), to);
    return uint32_t(from.size());
}
