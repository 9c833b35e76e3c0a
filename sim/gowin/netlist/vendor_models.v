// SPDX-License-Identifier: MIT
//
// The modules of models.v as wrappers of the vendor's models, which vendor.py puts before these. INIT has the contents,
// not a file name. The low address bits of a writing port are byte enables. GSR is low once before the first clock edge:
// until then the vendor's multipliers are undefined.

`timescale 1ns / 10ps

module GLINT_MULT #(parameter WIDTH = 18, AREG = 0, BREG = 0, PIPE_REG = 0, OUT_REG = 0)
                   (input [WIDTH-1:0] A, B, input ASIGN, BSIGN, CLK, CE, RESET,
                    output [2*WIDTH-1:0] DOUT);
  reg running = 1;
  GSR GSR(.GSRI(running));
  initial begin #0.2 running = 0; #0.2 running = 1; end
  generate
    if (WIDTH == 9)
      MULT9X9 #(.AREG(AREG), .BREG(BREG), .PIPE_REG(PIPE_REG), .OUT_REG(OUT_REG))
        vendor(.A(A), .B(B), .ASIGN(ASIGN), .BSIGN(BSIGN), .CLK(CLK), .CE(CE), .RESET(RESET),
             .DOUT(DOUT), .SIA(9'b0), .SIB(9'b0), .ASEL(1'b0), .BSEL(1'b0));
    else
      MULT18X18 #(.AREG(AREG), .BREG(BREG), .PIPE_REG(PIPE_REG), .OUT_REG(OUT_REG))
        vendor(.A(A), .B(B), .ASIGN(ASIGN), .BSIGN(BSIGN), .CLK(CLK), .CE(CE), .RESET(RESET),
             .DOUT(DOUT), .SIA(18'b0), .SIB(18'b0), .ASEL(1'b0), .BSEL(1'b0));
  endgenerate
endmodule

module GLINT_RAM16 #(parameter [15:0] INIT_0 = 0, INIT_1 = 0, INIT_2 = 0, INIT_3 = 0)
                    (input [3:0] DI, WAD, RAD, input WRE, CLK, output [3:0] DO);
  RAM16SDP4 #(.INIT_0(INIT_0), .INIT_1(INIT_1), .INIT_2(INIT_2), .INIT_3(INIT_3))
    vendor(.DI(DI), .WAD(WAD), .RAD(RAD), .WRE(WRE), .CLK(CLK), .DO(DO));
endmodule

// After the last cycle, `save` reads all words through the read port into `bytes`.
module GLINT_BSRAM #(parameter WIDTH_A = 0, MODE_A = 0, WIDTH_B = 0, MODE_B = 0,
                     parameter [18431:0] INIT = 0)
                    (input CLKA, CEA, WREA, CLKB, CEB, WREB, input [10:0] ADA, ADB,
                     input [35:0] DIA, DIB, output [35:0] DOA, DOB);
  localparam READS = WIDTH_B == 0 ? WIDTH_A : WIDTH_B, STEP = READS / 9;
  reg running = 1, saving = 0, tick = 0;
  reg [10:0] word = 0;
  reg [8:0] bytes [0:2047];
  GSR GSR(.GSRI(running));

  function [13:0] address(input integer width, input [10:0] word);
    address = width == 9 ? {word, 3'b0} : width == 18 ? {word, 4'b0011} : {word, 5'b01111};
  endfunction
  wire by_a = saving && WIDTH_B == 0, by_b = saving && WIDTH_B != 0;
  wire clka = by_a ? tick : CLKA, cea = saving ? by_a : CEA, wrea = WREA & ~saving;
  wire clkb = by_b ? tick : CLKB, ceb = saving ? by_b : CEB, wreb = WREB & ~saving;
  wire [13:0] ada = address(WIDTH_A, by_a ? word : ADA), adb = address(WIDTH_B, by_b ? word : ADB);

  task save;
    integer at, part;
    begin
      saving = 1;
      for (at = 0; at < 2048; at = at + STEP) begin
        word = at / STEP;
        #1 tick = 1; #1 tick = 0;
        for (part = 0; part < STEP; part = part + 1)
          bytes[at+part] = WIDTH_B == 0 ? DOA[9*part +: 9] : DOB[9*part +: 9];
      end
    end
  endtask

  generate
    if (WIDTH_B == 0)
      SPX9 #(.BIT_WIDTH(WIDTH_A), .WRITE_MODE(MODE_A), `INIT_ROWS)
        vendor(.CLK(clka), .CE(cea), .WRE(wrea), .AD(ada), .DI(DIA), .DO(DOA),
             .OCE(1'b1), .RESET(1'b0), .BLKSEL(3'b0));
    else if (WIDTH_A == 36 || WIDTH_B == 36)
      SDPX9B #(.BIT_WIDTH_0(WIDTH_A), .BIT_WIDTH_1(WIDTH_B), `INIT_ROWS)
        vendor(.CLKA(clka), .CEA(cea & wrea), .ADA(ada), .DI(DIA), .CLKB(clkb), .CEB(ceb), .ADB(adb),
             .DO(DOB), .OCE(1'b1), .RESETA(1'b0), .RESETB(1'b0), .BLKSELA(3'b0), .BLKSELB(3'b0));
    else
      DPX9B #(.BIT_WIDTH_0(WIDTH_A), .BIT_WIDTH_1(WIDTH_B), .WRITE_MODE0(MODE_A),
              .WRITE_MODE1(MODE_B), `INIT_ROWS)
        vendor(.CLKA(clka), .CEA(cea), .WREA(wrea), .ADA(ada), .DIA(DIA[17:0]), .DOA(DOA[17:0]),
             .CLKB(clkb), .CEB(ceb), .WREB(wreb), .ADB(adb), .DIB(DIB[17:0]), .DOB(DOB[17:0]),
             .OCEA(1'b1), .OCEB(1'b1), .RESETA(1'b0), .RESETB(1'b0), .BLKSELA(3'b0),
             .BLKSELB(3'b0));
  endgenerate
endmodule
