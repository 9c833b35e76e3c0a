# SPDX-License-Identifier: MIT
import pytest

from glintfpga.boards.gowin.timing.cells import Through, ends_of, kind_of, starts_of, through
from glintfpga.boards.gowin.timing.delays import ASSUMED, Delay
from glintfpga.quant.errors import InputError


class Names:
    """Every delay of the tables, by what was asked for."""

    def __init__(self):
        self.asked = []

    def of(self, group, name):
        self.asked.append(f"{group} {name}")
        return Delay(1.0, 0.5)


def cell(kind, inputs=(), outputs=(), **parameters):
    ports = dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output")
    return {
        "type": kind,
        "parameters": parameters,
        "attributes": {},
        "port_directions": ports,
        "connections": {port: [at] for at, port in enumerate(ports)},
    }


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("DFFPE", "register"),
        ("SDPX9B", "memory"),
        ("RAM16SDP4", "memory"),
        ("MULT9X9", "multiplier"),
        ("TBUF", "pad"),
        ("rPLL", "clock generator"),
        ("ALU", None),
        ("GOWIN_VCC", None),
    ],
)
def test_kinds(kind, expected):
    assert kind_of(cell(kind)) == expected


@pytest.mark.parametrize("kind", ["LUT5", "DFFNE", "pROM", "MULT36X36", "rPLL2", ""])
def test_a_cell_without_delays_is_refused(kind):
    with pytest.raises(InputError, match="no delays for a cell of type"):
        kind_of(cell(kind))


@pytest.mark.quick
@pytest.mark.parametrize(
    ("registers", "clocked", "passes", "setup"),
    [
        ((), None, True, None),
        (("OUT_REG",), ASSUMED.multiplier_clock_to_out, False, 4.8),
        (("AREG",), ASSUMED.multiplier_clock_to_out + ASSUMED.multiplier, False, 0.3),
        (("PIPE_REG", "OUT_REG"), ASSUMED.multiplier_clock_to_out, False, 0.3),
    ],
)
def test_registers_of_a_multiplier(registers, clocked, passes, setup):
    dsp = cell("MULT18X18", ("A0", "SIA3"), ("DOUT0",), **dict.fromkeys(registers, "1"))
    starts = [start.delay.longest for start in starts_of(dsp, Names(), ASSUMED)]
    assert starts == ([] if clocked is None else [pytest.approx(clocked)])
    expected = [Through("A0", "DOUT0", Delay(ASSUMED.multiplier, 0.0))] if passes else []
    assert list(through(dsp, Names(), ASSUMED)) == expected
    ends = [(end.port, end.setup) for end in ends_of(dsp, Names(), ASSUMED)]
    assert ends == ([] if setup is None else [("A0", pytest.approx(setup))])


def test_only_the_operand_without_a_register_passes_through():
    dsp = cell("MULT18X18", ("A0", "B0"), ("DOUT0",), AREG="1", BREG="0")
    assert [arc.source for arc in through(dsp, Names(), ASSUMED)] == ["B0"]


def test_keys_of_both_ports_of_a_block_ram():
    names = Names()
    ram = cell("DPB", ("ADA5", "BLKSELB0", "WREA", "CLKA"), ("DOA0", "DOB0"))
    assert [start.port for start in starts_of(ram, names, ASSUMED)] == ["DOA0", "DOB0"]
    assert [end.port for end in ends_of(ram, names, ASSUMED)] == ["ADA5", "BLKSELB0", "WREA"]
    assert [name for name in names.asked if not name.endswith("_hold")] == [
        "bram clka_doa_bypass",
        "bram clkb_dob_bypass",
        "bram clka_ada_set",
        "bram clkb_blksel_set",
        "bram clka_wrea_set",
    ]


@pytest.mark.parametrize("parameters", [{"READ_MODE": "1"}, {"READ_MODE1": "1"}])
def test_an_output_register_of_a_block_ram_is_refused(parameters):
    with pytest.raises(InputError, match="READ_MODE 1"):
        list(starts_of(cell("SDPB", (), ("DOB0",), **parameters), Names(), ASSUMED))


def test_arcs_of_a_carry():
    names = Names()
    arcs = [
        (arc.source, arc.target)
        for arc in through(cell("ALU", ("I0", "I3", "CIN", "I2"), ("SUM", "COUT")), names, ASSUMED)
    ]
    assert arcs == [(a, b) for a in ("I0", "I3", "CIN") for b in ("SUM", "COUT")]
    assert names.asked == [
        *("alu a_f", "alu a0_fco", "alu d_f", "alu d0_fco", "alu fci_f0", "alu fci_fco"),
    ]
