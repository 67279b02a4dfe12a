/* SPDX-License-Identifier: MIT
 * From the ROM's jump to main, and from a trap to its report. */
    .section .text.entry, "ax"
    .globl _entry
_entry:
    csrci mstatus, 8            /* no interrupts: everything is polled */
    .option push
    .option norelax
    la   gp, __global_pointer$
    .option pop
    la   t0, vectors
    ori  t0, t0, 1              /* the core knows vectored mode only */
    csrw mtvec, t0
    la   sp, _stack_top
    la   a0, _bss_start
    la   a1, _bss_end
1:  bgeu a0, a1, 2f
    sw   zero, 0(a0)
    addi a0, a0, 4
    j    1b
2:  la   a0, _stack_bottom      /* paint the stack, to see later how deep it went */
    li   a1, 0xC35AA53C
3:  bgeu a0, sp, 4f
    sw   a1, 0(a0)
    addi a0, a0, 4
    j    3b
4:  jal  map_flash
    la   a0, _model_load        /* weights that are to live in SRAM; none of them where they stay in flash */
    la   a1, _model_start
    la   a2, _model_end
5:  bgeu a1, a2, 6f
    lw   a3, 0(a0)
    sw   a3, 0(a1)
    addi a0, a0, 4
    addi a1, a1, 4
    j    5b
6:  la   t0, main
    jr   t0

    .section .iram, "ax"
    .balign 256
vectors:
    .option push
    .option norvc
    .rept 32
    j    trapped
    .endr
    .option pop
trapped:
    csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
    mv   a3, sp
    la   sp, _stack_top         /* whatever the stack was, nothing returns to it */
    j    trap
