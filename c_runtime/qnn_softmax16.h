/* SPDX-License-Identifier: 0BSD */
/* softmax16: probabilities of 16 bits as TensorFlow Lite Micro computes them (SPEC 5.25). */
#ifndef QNN_SOFTMAX16_H
#define QNN_SOFTMAX16_H

#include "qnn_requantize.h"

typedef struct {
    int32_t rows;
    int32_t classes;             /* at most 65535 */
    qnn_requantize_t scale;      /* brings x - maximum to 0..65535, places in `exponentials` */
    const int16_t *exponentials; /* 513 entries, Q0.15 */
    const int16_t *reciprocals;  /* 513 entries, Q0.15 of 1 / (1 + v) for v in 0..1 */
} qnn_softmax16_t;

/* What the lines between the table's entries are at `place`, 0..65535. */
QNN_INLINE int32_t qnn_softmax16_line(const int16_t *table, int32_t place)
{
    int32_t index = place >> 7, first = QNN_READ(table[index]), next = QNN_READ(table[index + 1]);
    return first + (((next - first) * (place & 127) + 64) >> 7);
}

/* exp of a distance to the maximum, at most 0, in Q0.15. */
QNN_INLINE int32_t qnn_softmax16_exp(const qnn_softmax16_t *p, int32_t distance)
{
    return qnn_softmax16_line(p->exponentials, qnn_requantize(&p->scale, 0, distance));
}

/* y may be x. */
QNN_KERNEL void qnn_softmax16_row(const qnn_softmax16_t *p, const int16_t *x, int16_t *y)
{
    int32_t total = 0, largest = -32768, shift = 30, place, scale, c;
    for (c = 0; c < p->classes; c++) {
#ifdef QNN_CONSTANT_TIME
        largest = qnn_larger(largest, x[c]);
#else /* QNN_CONSTANT_TIME */
        largest = x[c] > largest ? x[c] : largest;
#endif /* QNN_CONSTANT_TIME */
    }
    for (c = 0; c < p->classes; c++) {
        total += qnn_softmax16_exp(p, x[c] - largest);
    }
    for (c = 0; c < 16; c++) { /* the sum is 2^14 or more */
#ifdef QNN_CONSTANT_TIME
        uint32_t small = qnn_mask(total < (int32_t)1 << 30);
        total += total & (int32_t)small;
        shift += (int32_t)small;
#else /* QNN_CONSTANT_TIME */
        if (total < (int32_t)1 << 30) {
            total += total;
            shift--;
        }
#endif /* QNN_CONSTANT_TIME */
    }
    place = (int32_t)(((uint32_t)total + ((uint32_t)1 << 13)) >> 14) - ((int32_t)1 << 16);
#ifdef QNN_CONSTANT_TIME
    place = qnn_smaller(place, 65535);
#else /* QNN_CONSTANT_TIME */
    place = place > 65535 ? 65535 : place;
#endif /* QNN_CONSTANT_TIME */
    scale = qnn_softmax16_line(p->reciprocals, place);
    for (c = 0; c < p->classes; c++) {
        uint32_t q = (uint32_t)(qnn_softmax16_exp(p, x[c] - largest) * scale);
        q = (q + ((uint32_t)1 << (shift - 1))) >> shift;
#ifdef QNN_CONSTANT_TIME
        q = (uint32_t)qnn_smaller((int32_t)q, 32767);
#else /* QNN_CONSTANT_TIME */
        q = q > 32767 ? 32767 : q;
#endif /* QNN_CONSTANT_TIME */
        qnn_store_16((uint8_t *)y + 2 * c, (uint16_t)q);
    }
}

QNN_KERNEL void qnn_softmax16_i16_i16(const qnn_softmax16_t *p, const int16_t *x, int16_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t row;
    for (row = 0; row < p->rows; row++, x += p->classes, y += p->classes) {
        qnn_softmax16_row(p, x, y);
    }
}

#endif
