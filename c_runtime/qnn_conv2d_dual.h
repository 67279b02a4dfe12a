/* SPDX-License-Identifier: 0BSD */
/* conv2d with two products in one multiplication (SPEC 5.8, 6.5). The words of weights hold four inputs (taps and
   channels) of one filter: blocks of three filters, group by group (w[block][group][3]); the filters left over follow
   one by one. */
#ifndef QNN_CONV2D_DUAL_H
#define QNN_CONV2D_DUAL_H

#include "qnn_conv2d_packed.h"
#include "qnn_rest.h"

/* The sums of three filters in one window. */
typedef struct {
    uint32_t a;
    uint32_t b;
    uint32_t c;
} qnn_conv2d_dual_sums_t;

/* The weights of one group: first[i], those of the inputs 0 and 2; second[i], those of the inputs 1 and 3. */
typedef struct {
    uint32_t first[3];
    uint32_t second[3];
} qnn_conv2d_dual_weights_t;

QNN_INLINE qnn_conv2d_dual_sums_t qnn_conv2d_dual_add(qnn_conv2d_dual_sums_t s, const uint32_t *x,
                                                      const qnn_conv2d_dual_weights_t *w)
{
    uint32_t v = x[0];
    s.a += (v * w->first[0]) >> 16;
    s.b += (v * w->first[1]) >> 16;
    s.c += (v * w->first[2]) >> 16;
    v = x[1];
    s.a += qnn_dual_high(v, w->second[0]);
    s.b += qnn_dual_high(v, w->second[1]);
    s.c += qnn_dual_high(v, w->second[2]);
    return s;
}

/* Three filters on four windows: sums[filter][window]. */
QNN_INLINE void qnn_conv2d_dual_block(const uint32_t *x, const uint32_t *end, const uint32_t *w, uint32_t sums[12])
{
    qnn_conv2d_dual_sums_t s0 = {0, 0, 0}, s1 = s0, s2 = s0, s3 = s0;
    for (; x != end; x += 8, w += 3) {
        qnn_conv2d_dual_weights_t v;
        uint32_t w0 = QNN_READ(w[0]), w1 = QNN_READ(w[1]), w2 = QNN_READ(w[2]);
        v.first[0] = w0 & 0x00FF00FFu;
        v.first[1] = w1 & 0x00FF00FFu;
        v.first[2] = w2 & 0x00FF00FFu;
        QNN_OPAQUE(v.first[0]);
        QNN_OPAQUE(v.first[1]);
        QNN_OPAQUE(v.first[2]);
        v.second[0] = w0 ^ v.first[0];
        v.second[1] = w1 ^ v.first[1];
        v.second[2] = w2 ^ v.first[2];
        s0 = qnn_conv2d_dual_add(s0, x, &v);
        QNN_ORDER(x, s0.a, s0.b, s0.c);
        s1 = qnn_conv2d_dual_add(s1, x + 2, &v);
        QNN_ORDER(x, s1.a, s1.b, s1.c);
        s2 = qnn_conv2d_dual_add(s2, x + 4, &v);
        QNN_ORDER(x, s2.a, s2.b, s2.c);
        s3 = qnn_conv2d_dual_add(s3, x + 6, &v);
    }
    sums[0] = s0.a, sums[1] = s1.a, sums[2] = s2.a, sums[3] = s3.a;
    sums[4] = s0.b, sums[5] = s1.b, sums[6] = s2.b, sums[7] = s3.b;
    sums[8] = s0.c, sums[9] = s1.c, sums[10] = s2.c, sums[11] = s3.c;
}

/* One filter on four windows. */
QNN_INLINE void qnn_conv2d_dual_row(const uint32_t *x, const uint32_t *end, const uint32_t *w, uint32_t sums[4])
{
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (; x != end; x += 8, w++) {
        uint32_t first = QNN_READ(*w) & 0x00FF00FFu, second = QNN_READ(*w) ^ first;
        s0 += (x[0] * first) >> 16;
        s0 += qnn_dual_high(x[1], second);
        s1 += (x[2] * first) >> 16;
        s1 += qnn_dual_high(x[3], second);
        s2 += (x[4] * first) >> 16;
        s2 += qnn_dual_high(x[5], second);
        s3 += (x[6] * first) >> 16;
        s3 += qnn_dual_high(x[7], second);
    }
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}

/* One filter, whose words are `step` apart, on one window. */
QNN_BLOCK uint32_t qnn_conv2d_dual_one(const uint32_t *x, const uint32_t *end, const uint32_t *w, int32_t step)
{
    uint32_t s = 0;
    for (; x != end; x += 8, w += step) {
        s += qnn_dual_first(x[0], QNN_READ(*w));
        s += qnn_dual_second(x[1], QNN_READ(*w));
    }
    return s;
}

/* What follows the sums of filter o in four windows. */
QNN_INLINE void qnn_conv2d_dual_put_four(const qnn_conv2d_packed_t *p, const qnn_rest_t *rest, int32_t o,
                                         uint32_t sums[4], const qnn_columns_t *columns, qnn_sink_t y)
{
    if (rest) {
        qnn_rest_add_four(rest, o, columns->words, sums);
    }
    qnn_conv2d_packed_put_four(p, o, sums, columns->inputs, y);
}

/* Every filter at four pixels. rest: null where the words hold every weight. */
QNN_INLINE void qnn_conv2d_dual_every(const qnn_conv2d_packed_t *p, const qnn_rest_t *rest,
                                      const qnn_columns_t *columns, qnn_sink_t y)
{
    int32_t groups = (int32_t)(columns->end - columns->words) >> 3, o, left;
    const uint32_t *w = p->weights;
    uint32_t sums[12];
    for (o = 0; o + 3 <= p->filters; o += 3, w += 3 * groups) {
        qnn_conv2d_dual_block(columns->words, columns->end, w, sums);
        qnn_conv2d_dual_put_four(p, rest, o, sums, columns, y);
        qnn_conv2d_dual_put_four(p, rest, o + 1, sums + 4, columns, y);
        qnn_conv2d_dual_put_four(p, rest, o + 2, sums + 8, columns, y);
    }
    for (left = p->filters % 3; left > 0; left--, o++, w += groups) {
        qnn_conv2d_dual_row(columns->words, columns->end, w, sums);
        qnn_conv2d_dual_put_four(p, rest, o, sums, columns, y);
    }
}

QNN_BLOCK void qnn_conv2d_dual_four(const qnn_conv2d_packed_t *p, const qnn_columns_t *columns, qnn_sink_t y)
{
    qnn_conv2d_dual_every(p, 0, columns, y);
}

QNN_BLOCK void qnn_conv2d_split_four(const qnn_conv2d_packed_t *p, const qnn_rest_t *rest,
                                     const qnn_columns_t *columns, qnn_sink_t y)
{
    qnn_conv2d_dual_every(p, rest, columns, y);
}

/* Every filter at the last pixels, fewer than four. */
QNN_INLINE void qnn_conv2d_dual_last(const qnn_conv2d_packed_t *p, const qnn_rest_t *rest,
                                     const qnn_columns_t *columns, int32_t count, qnn_sink_t y)
{
    int32_t groups = (int32_t)(columns->end - columns->words) >> 3, blocks = p->filters / 3, o, i;
    for (i = 0; i < count; i++, y = qnn_after(y, p->filters)) {
        for (o = 0; o < p->filters; o++) {
            int32_t block = o / 3, step = block < blocks ? 3 : 1;
            const uint32_t *w = p->weights + 3 * block * groups + (step == 3 ? o - 3 * block : (o - 3 * block) * groups);
            uint32_t sum = qnn_conv2d_dual_one(columns->words + 2 * i, columns->end + 2 * i, w, step);
            if (rest) {
                sum += qnn_rest_sum(rest, o, (const uint8_t *)(columns->words + 2 * i), QNN_REST_TURN, 0);
            }
            qnn_conv2d_packed_put(p, o, sum, columns->inputs[i], y);
        }
    }
}

/* work: 32 bytes a group of four inputs, then the bytes of one window. */
QNN_INLINE void qnn_conv2d_dual_all(const qnn_conv2d_packed_t *p, const qnn_rest_t *rest, const uint8_t *x, void *work,
                                    qnn_sink_t y)
{
    const qnn_window_t *window = &p->window;
    int32_t groups = (window->kernel_height * window->kernel_width * window->channels + 3) >> 2;
    int32_t left = window->out_height * window->out_width;
    qnn_columns_t columns;
    qnn_pixel_t pixel = {0, 0};
    columns.words = (uint32_t *)work;
    columns.end = columns.words + 8 * groups;
    columns.bytes = (uint8_t *)columns.end;
    for (; left >= 4; left -= 4) {
        qnn_conv2d_packed_next(p, &pixel, x, 4, 8, &columns);
        if (rest) {
            qnn_conv2d_split_four(p, rest, &columns, y);
        } else {
            qnn_conv2d_dual_four(p, &columns, y);
        }
        y = qnn_after(y, 4 * p->filters);
    }
    qnn_conv2d_packed_next(p, &pixel, x, left, 8, &columns);
    qnn_conv2d_dual_last(p, rest, &columns, left, y);
}

QNN_SHARED void qnn_conv2d_dual(const qnn_conv2d_packed_t *p, const uint8_t *x, void *work, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    qnn_conv2d_dual_all(p, 0, x, work, y);
}

QNN_KERNEL void qnn_conv2d_dual_u8_u8(const qnn_conv2d_packed_t *p, const uint8_t *x, void *work, uint8_t *y)
{
    qnn_conv2d_dual(p, x, work, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_conv2d_dual_u8_i16(const qnn_conv2d_packed_t *p, const uint8_t *x, void *work, int16_t *y)
{
    qnn_conv2d_dual(p, x, work, qnn_sink(y, 1));
}

#endif
