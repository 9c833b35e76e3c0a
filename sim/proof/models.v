// SPDX-License-Identifier: MIT
//
// The primitives of `glintfpga.sim.proof.netlist` as Verilog, written from its table and apart from
// lanes.cpp, so that a second simulator can be asked. START is what registers hold at first, which
// is another value than that of power-up where a run is taken up in the middle.

module GLINT_LUT4 #(parameter [15:0] INIT = 0) (input I0, I1, I2, I3, output F);
  assign F = INIT[{I3, I2, I1, I0}];
endmodule

module GLINT_MUX2 (input I0, I1, S0, output O);
  assign O = S0 ? I1 : I0;
endmodule

module GLINT_ALU #(parameter [15:0] INIT = 0) (input A, B, C, D, CIN, output SUM, COUT);
  wire propagate = INIT[{D, C, B, A}];
  assign SUM = propagate ^ CIN;
  assign COUT = propagate ? CIN : INIT[{2'b00, B, A}];
endmodule

module GLINT_DFF #(parameter VALUE = 0, ASYNC = 0, NEGEDGE = 0, START = VALUE)
                  (input D, CLK, CE, SR, output reg Q);
  wire edge_clock = NEGEDGE ? ~CLK : CLK;
  wire at_once = ASYNC ? SR : 1'b0;
  initial Q = START;
  always @(posedge edge_clock or posedge at_once)
    if (at_once) Q <= VALUE;
    else if (SR) Q <= VALUE;
    else if (CE) Q <= D;
endmodule

module GLINT_MULT #(parameter WIDTH = 18, AREG = 0, BREG = 0, PIPE_REG = 0, OUT_REG = 0,
                    parameter [17:0] START_A = 0, START_B = 0,
                    parameter [35:0] START_PIPE = 0, START_OUT = 0)
                   (input [WIDTH-1:0] A, B, input ASIGN, BSIGN, CLK, CE, RESET,
                    output [2*WIDTH-1:0] DOUT);
  reg [WIDTH-1:0] a = START_A, b = START_B;
  reg [2*WIDTH-1:0] pipe = START_PIPE, out = START_OUT;
  wire [WIDTH-1:0] x = AREG ? a : A, y = BREG ? b : B;
  wire signed [WIDTH:0] wide_x = {ASIGN & x[WIDTH-1], x}, wide_y = {BSIGN & y[WIDTH-1], y};
  wire signed [2*WIDTH+1:0] product = wide_x * wide_y;
  wire [2*WIDTH-1:0] piped = PIPE_REG ? pipe : product[2*WIDTH-1:0];
  assign DOUT = OUT_REG ? out : piped;
  always @(posedge CLK)
    if (RESET) begin a <= 0; b <= 0; pipe <= 0; out <= 0; end
    else if (CE) begin a <= A; b <= B; pipe <= product[2*WIDTH-1:0]; out <= piped; end
endmodule

module GLINT_RAM16 #(parameter [15:0] INIT_0 = 0, INIT_1 = 0, INIT_2 = 0, INIT_3 = 0)
                    (input [3:0] DI, WAD, RAD, input WRE, CLK, output [3:0] DO);
  reg [15:0] m0 = INIT_0, m1 = INIT_1, m2 = INIT_2, m3 = INIT_3;
  assign DO = {m3[RAD], m2[RAD], m1[RAD], m0[RAD]};
  always @(posedge CLK) if (WRE) begin
    m0[WAD] <= DI[0]; m1[WAD] <= DI[1]; m2[WAD] <= DI[2]; m3[WAD] <= DI[3];
  end
endmodule

// A port that is not used has width 0 and no clock. Bytes are nine bits; words of 8, 16 and 32
// columns leave the ninth alone.
module GLINT_BSRAM #(parameter WIDTH_A = 0, MODE_A = 0, WIDTH_B = 0, MODE_B = 0,
                     parameter [18431:0] INIT = 0, parameter [35:0] START_A = 0, START_B = 0)
                    (input CLKA, CEA, WREA, CLKB, CEB, WREB, input [10:0] ADA, ADB,
                     input [35:0] DIA, DIB, output reg [35:0] DOA, DOB);
  reg [8:0] bytes [0:2047];
  integer i;
  initial begin
    DOA = START_A; DOB = START_B;
    for (i = 0; i < 2048; i = i + 1) bytes[i] = INIT[9*i +: 9];
  end
  function integer first(input integer width, input [10:0] word);
    first = width >= 32 ? {word[8:0], 2'b00} : width >= 16 ? {word[9:0], 1'b0} : word;
  endfunction
  function [35:0] packed_word(input integer width, input [8:0] b0, b1, b2, b3);
    case (width)
      8: packed_word = b0[7:0];
      9: packed_word = b0;
      16: packed_word = {b1[7:0], b0[7:0]};
      18: packed_word = {b1, b0};
      32: packed_word = {b3[7:0], b2[7:0], b1[7:0], b0[7:0]};
      default: packed_word = {b3, b2, b1, b0};
    endcase
  endfunction
  integer a, b, j, k;
  always @(posedge CLKA) if (CEA && WIDTH_A != 0) begin
    a = first(WIDTH_A, ADA);
    if (!WREA || MODE_A == 2)
      DOA <= packed_word(WIDTH_A, bytes[a], bytes[(a+1)%2048], bytes[(a+2)%2048], bytes[(a+3)%2048]);
    else if (MODE_A == 1) DOA <= DIA;
    if (WREA)
      for (j = 0; j < WIDTH_A / 8; j = j + 1)
        if (WIDTH_A % 9 == 0) bytes[a+j] <= DIA[9*j +: 9];
        else bytes[a+j] <= {bytes[a+j] >> 8, DIA[8*j +: 8]};
  end
  always @(posedge CLKB) if (CEB && WIDTH_B != 0) begin
    b = first(WIDTH_B, ADB);
    if (!WREB || MODE_B == 2)
      DOB <= packed_word(WIDTH_B, bytes[b], bytes[(b+1)%2048], bytes[(b+2)%2048], bytes[(b+3)%2048]);
    else if (MODE_B == 1) DOB <= DIB;
    if (WREB)
      for (k = 0; k < WIDTH_B / 8; k = k + 1)
        if (WIDTH_B % 9 == 0) bytes[b+k] <= DIB[9*k +: 9];
        else bytes[b+k] <= {bytes[b+k] >> 8, DIB[8*k +: 8]};
  end
endmodule
