// SPDX-License-Identifier: MIT
//
// One simulated design behind a flat C interface, the same for a shared library and for wasm.
// This text is appended to the C++ that Yosys writes for the design.
//
// Bulk data goes through one exchange buffer: sim_buffer() is its address, sim_buffer_bytes() its
// size. Items (ports, registers, memories) are found by their hierarchical name and then addressed
// by a handle; rows are little-endian 32-bit words in the exchange buffer.
//
// A design that has `rx` and `tx` ports also gets a UART: 8N1, idle high, any ratio of clock to
// baud through a 32-bit phase accumulator, and a queue of bytes each way.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <cxxrtl/cxxrtl_vcd.h>

#ifdef __wasm__
#define EXPORT(name) extern "C" __attribute__((export_name(#name)))
#else
#define EXPORT(name) extern "C" __attribute__((visibility("default")))
#endif

namespace {

using Design = cxxrtl_design::p_simulated;
using Bit = cxxrtl::value<1>;

std::unique_ptr<Design> design;
cxxrtl::debug_items items;
// Each of one item or, where Yosys split a signal by what drives it, of its parts.
std::vector<const std::vector<cxxrtl::debug_item> *> handles;
std::vector<std::string> names;
std::unique_ptr<cxxrtl::vcd_writer> trace;

uint64_t cycles;
uint64_t picoseconds_per_cycle;
uint8_t buffer[1 << 16];

#ifdef GLINT_UART

std::deque<uint8_t> to_design, from_design;
uint32_t framing_errors;
uint32_t step_per_cycle = 1u << 28;  // baud / clock, as a fraction of 2^32

struct Sender {
    uint32_t phase, frame;  // frame: the bits still to be sent, LSB first, above them a marker

    bool cycle() {
        if (frame <= 1) {
            if (to_design.empty())
                return true;
            frame = uint32_t(to_design.front()) << 1 | 3u << 9;
            to_design.pop_front();
            phase = 0;
        }
        bool level = frame & 1;
        phase += step_per_cycle;
        if (phase < step_per_cycle)
            frame >>= 1;
        return level;
    }
} sender;

struct Receiver {
    uint32_t phase, bits;
    int left;  // samples still to take of this frame, start and stop bit included

    bool cycle(bool level) {
        if (left == 0) {
            if (level)
                return false;
            left = 10;
            phase = 1u << 31;
        }
        phase += step_per_cycle;
        if (phase >= step_per_cycle)
            return false;
        bits = bits >> 1 | uint32_t(level) << 9;
        if (left == 10 && level) {  // shorter than half a bit: a glitch, no start bit
            left = 0;
            return false;
        }
        if (--left)
            return false;
        if (!level) {
            framing_errors++;
            return false;
        }
        from_design.push_back(uint8_t(bits >> 1));
        return true;
    }
} receiver;

#endif

void sample(uint64_t half) {
    trace->sample(cycles * picoseconds_per_cycle + half * (picoseconds_per_cycle / 2));
}

// A rising edge alone: the stored previous level of the clock is set back by hand, which saves
// the evaluation of the falling edge. Combinational outputs may then lag until settle().
inline void rising_edge() {
    design->prev_p_clk = Bit{0u};
    design->p_clk = Bit{1u};
    design->step();
    cycles++;
}

void settle() {
    design->p_clk = Bit{0u};
    design->step();
}

inline void cycle() {
    if (trace) {
        settle();
        sample(0);
    }
    rising_edge();
    if (trace) {
        design->eval();
        cycles--;
        sample(1);
        cycles++;
    }
}

// A design that evaluates only what changed has to be told of changes from outside.
template <typename Any> auto wake(Any &any, int) -> decltype(any.wake()) { any.wake(); }
template <typename Any> void wake(Any &, long) {}

uint32_t *words() { return reinterpret_cast<uint32_t *>(buffer); }

uint32_t stride(const cxxrtl::debug_item &item) { return uint32_t((item.width + 31) / 32); }

bool bit_of(const uint32_t *data, size_t at) { return data[at / 32] >> at % 32 & 1; }

void set_bit(uint32_t *data, size_t at, bool bit) {
    data[at / 32] = (data[at / 32] & ~(1u << at % 32)) | uint32_t(bit) << at % 32;
}

uint32_t width_of(uint32_t handle) {
    size_t width = 0;
    for (const auto &part : *handles[handle])
        width = std::max(width, part.lsb_at + part.width);
    return uint32_t(width);
}

const cxxrtl::debug_item &only(uint32_t handle) { return (*handles[handle])[0]; }

bool is_whole(uint32_t handle) { return handles[handle]->size() == 1 && !only(handle).lsb_at; }

// Up to 32 bits.
uint32_t value_of(uint32_t handle) {
    uint32_t value = 0;
    for (const auto &part : *handles[handle])
        value |= *part.curr << part.lsb_at;
    return value;
}

}  // namespace

EXPORT(sim_buffer) uint8_t *sim_buffer() { return buffer; }

EXPORT(sim_buffer_bytes) uint32_t sim_buffer_bytes() { return sizeof buffer; }

// Back to the state of power-up, queues empty.
EXPORT(sim_reset) void sim_reset() {
    trace.reset();
    design = std::make_unique<Design>();
    items = cxxrtl::debug_items();
    design->debug_info(&items, nullptr, "");
    handles.clear();
    names.clear();
    for (auto &entry : items.table) {
        names.push_back(entry.first);
        handles.push_back(&entry.second);
    }
    cycles = 0;
#ifdef GLINT_UART
    to_design.clear();
    from_design.clear();
    framing_errors = 0;
    sender = Sender();
    receiver = Receiver();
    design->p_rx = Bit{1u};
#endif
    settle();
}

// Cycles since sim_reset(), as 64 bits in the exchange buffer.
EXPORT(sim_cycles) void sim_cycles() { std::memcpy(buffer, &cycles, sizeof cycles); }

// One full clock period each, combinational outputs settled after the last.
EXPORT(sim_clock) void sim_clock(uint32_t count) {
    while (count--)
        cycle();
    settle();
}

// Clock until the item reads `value` (all of it in 32 bits); the cycles used, or limit + 1.
EXPORT(sim_clock_until) uint32_t sim_clock_until(uint32_t handle, uint32_t value, uint32_t limit) {
    settle();
    for (uint32_t used = 0; used <= limit; used++) {
        if (value_of(handle) == value)
            return used;
        cycle();
        settle();
    }
    return limit + 1;
}

// --- items ---

EXPORT(sim_items) uint32_t sim_items() { return uint32_t(handles.size()); }

// The name of an item into the exchange buffer; its length in bytes.
EXPORT(sim_item_name) uint32_t sim_item_name(uint32_t handle) {
    const std::string &name = names[handle];
    std::memcpy(buffer, name.data(), name.size());
    return uint32_t(name.size());
}

EXPORT(sim_item_width) uint32_t sim_item_width(uint32_t handle) {
    return width_of(handle);
}

EXPORT(sim_item_rows) uint32_t sim_item_rows(uint32_t handle) {
    return uint32_t(only(handle).depth);
}

EXPORT(sim_item_is_memory) uint32_t sim_item_is_memory(uint32_t handle) {
    return only(handle).type == cxxrtl::debug_item::MEMORY;
}

EXPORT(sim_peek) void sim_peek(uint32_t handle, uint32_t first, uint32_t rows) {
    const cxxrtl::debug_item &item = only(handle);
    for (const auto &part : *handles[handle])
        if (part.outline)
            part.outline->eval();
    if (!is_whole(handle)) {
        std::fill_n(words(), (width_of(handle) + 31) / 32, 0);
        for (const auto &part : *handles[handle])
            for (size_t bit = 0; bit < part.width; bit++)
                set_bit(words(), part.lsb_at + bit, bit_of(part.curr, bit));
        return;
    }
    std::copy_n(item.curr + first * stride(item), rows * stride(item), words());
}

EXPORT(sim_poke) void sim_poke(uint32_t handle, uint32_t first, uint32_t rows) {
    const cxxrtl::debug_item &item = only(handle);
    wake(*design, 0);
    if (!is_whole(handle)) {
        for (const auto &part : *handles[handle])
            for (size_t bit = 0; bit < part.width; bit++) {
                const bool value = bit_of(words(), part.lsb_at + bit);
                set_bit(part.curr, bit, value);
                if (part.next)
                    set_bit(part.next, bit, value);
            }
        return;
    }
    std::copy_n(words(), rows * stride(item), item.curr + first * stride(item));
    if (item.next && item.next != item.curr)
        std::copy_n(words(), rows * stride(item), item.next + first * stride(item));
}

// Clock once for each value 0 .. count - 1 of an input; what an item (of up to 32 bits) then
// reads goes into the exchange buffer, word by word.
EXPORT(sim_sweep) void sim_sweep(uint32_t input, uint32_t output, uint32_t count) {
    for (uint32_t value = 0; value < count; value++) {
        *only(input).curr = value;
        cycle();
        settle();
        words()[value] = value_of(output);
    }
}

// --- waveforms ---

EXPORT(sim_trace_start) void sim_trace_start(uint32_t picoseconds) {
    picoseconds_per_cycle = picoseconds;
    trace = std::make_unique<cxxrtl::vcd_writer>();
    trace->timescale(1, "ps");
    trace->add_without_memories(items);
}

// The next part of the waveform into the exchange buffer; its size, 0 when there is no more.
EXPORT(sim_trace_take) uint32_t sim_trace_take() {
    if (!trace)
        return 0;
    uint32_t size = uint32_t(std::min(trace->buffer.size(), sizeof buffer));
    std::memcpy(buffer, trace->buffer.data(), size);
    trace->buffer.erase(0, size);
    return size;
}

EXPORT(sim_trace_stop) void sim_trace_stop() { trace.reset(); }

#ifdef GLINT_UART

// --- UART ---

EXPORT(sim_set_rate) void sim_set_rate(uint32_t baud_over_clock) {
    step_per_cycle = baud_over_clock;
}

// Queue the first `count` bytes of the exchange buffer for the design.
EXPORT(sim_put) void sim_put(uint32_t count) {
    to_design.insert(to_design.end(), buffer, buffer + count);
}

// Bytes queued or still on the wire towards the design.
EXPORT(sim_unsent) uint32_t sim_unsent() { return uint32_t(to_design.size()) + (sender.frame > 1); }

EXPORT(sim_waiting) uint32_t sim_waiting() { return uint32_t(from_design.size()); }

// Received bytes into the exchange buffer; how many.
EXPORT(sim_get) uint32_t sim_get(uint32_t most) {
    uint32_t count = uint32_t(std::min({from_design.size(), size_t(most), sizeof buffer}));
    std::copy_n(from_design.begin(), count, buffer);
    from_design.erase(from_design.begin(), from_design.begin() + count);
    return count;
}

EXPORT(sim_framing_errors) uint32_t sim_framing_errors() { return framing_errors; }

// Run up to `limit` cycles; with `wanted` > 0 stop once that many received bytes wait.
EXPORT(sim_run) uint32_t sim_run(uint32_t limit, uint32_t wanted) {
    uint32_t used = 0;
    for (bool enough = false; used < limit && !enough; used++) {
        design->p_rx = Bit{uint32_t(sender.cycle())};
        cycle();
        enough = receiver.cycle(design->p_tx.template get<uint32_t>()) && wanted &&
                 from_design.size() >= wanted;
    }
    design->eval();
    return used;
}

#endif
