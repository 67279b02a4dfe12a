/* SPDX-License-Identifier: MIT
 * Start of the bare-metal image. An emulator either starts here (the whole job, then main.c writes the results out)
 * or calls qnnJob and NAME_run by their addresses, with qnnStop as the return address. */
    .option norelax
    .section .text.start, "ax"
    .globl _start
_start:
    la sp, qnnStackTop
    la t0, qnnTrap
    csrw mtvec, t0
    la a0, qnnWindow
    la a1, qnnScratch
    call qnnJob
    la a1, qnnWindow
    call qnnFinish
    .balign 4
    .globl qnnStop
qnnStop:
    j qnnStop

    .balign 4
qnnTrap:
    csrr a0, mcause
    csrr a1, mepc
    la sp, qnnStackTop
    call qnnTrapped
    j qnnStop

/* int qnnCounted(in, out, scratch, function, uint32_t *count): function(in, out, scratch) and its retired
 * instructions. Between the two readings lie the function, the first reading itself and the jalr. */
    .globl qnnCounted
qnnCounted:
    addi sp, sp, -16
    sw ra, 12(sp)
    sw s0, 8(sp)
    sw a4, 4(sp)
    csrr s0, minstret
    jalr ra, 0(a3)
    csrr t0, minstret
    sub t0, t0, s0
    addi t0, t0, -2
    lw t1, 4(sp)
    sw t0, 0(t1)
    lw s0, 8(sp)
    lw ra, 12(sp)
    addi sp, sp, 16
    ret

/* int qnnSemihost(int operation, const void *parameters): the three words that an emulator or debugger looks for. */
    .option norvc
    .balign 16
    .globl qnnSemihost
qnnSemihost:
    slli zero, zero, 0x1f
    ebreak
    srai zero, zero, 7
    ret
