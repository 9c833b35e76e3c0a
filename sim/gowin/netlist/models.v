// SPDX-License-Identifier: MIT
//
// The larger primitives of `glintfpga.sim.gowin.netlist.netlist` in Verilog, written from its table and independently of
// chip.h: a second opinion. verilog.py writes the other primitives inline.

module GLINT_MULT #(parameter WIDTH = 18, AREG = 0, BREG = 0, PIPE_REG = 0, OUT_REG = 0)
                   (input [WIDTH-1:0] A, B, input ASIGN, BSIGN, CLK, CE, RESET,
                    output [2*WIDTH-1:0] DOUT);
  reg [WIDTH-1:0] a = 0, b = 0;
  reg [2*WIDTH-1:0] pipe = 0, out = 0;
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

// INIT names a file with the contents. An unused port has width 0 and no clock. Bytes have nine bits; words of 8, 16 and
// 32 columns do not change the ninth. `save` does nothing, as `bytes` has the contents.
module GLINT_BSRAM #(parameter WIDTH_A = 0, MODE_A = 0, WIDTH_B = 0, MODE_B = 0,
                     parameter INIT = "")
                    (input CLKA, CEA, WREA, CLKB, CEB, WREB, input [10:0] ADA, ADB,
                     input [35:0] DIA, DIB, output reg [35:0] DOA, DOB);
  reg [8:0] bytes [0:2047];
  task save; begin end endtask
  initial begin
    DOA = 0; DOB = 0;
    $readmemh(INIT, bytes);
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
