/* SPDX-License-Identifier: 0BSD */
/* conv2d, depthwise_conv2d and dense with as little code as there can be: one loop for all of them, one product at a time,
   no packed windows (SPEC 5.2, 5.8, 5.9). */
#ifndef QNN_FILTERS_LEAST_H
#define QNN_FILTERS_LEAST_H

#include "qnn_requantize.h"
#include "qnn_window.h"

/* A dense layer is a window of one position, whose channels are its inputs. */
typedef struct {
    qnn_window_t window;
    int32_t filters;
    int32_t depth;  /* channels that a filter reads: all of them, or one */
    int32_t repeat; /* filters that read the same channels */
    int32_t pad_value;
    int32_t flip;          /* 0x80 where the inputs are int8, which then enter as uint8 of 128 more, else 0 */
    int32_t wide;          /* results are int16_t, not uint8_t */
    const int8_t *weights; /* w[filter][tap][depth] */
    const int32_t *bias;
    qnn_requantize_t requantize;
} qnn_filters_least_t;

/* The sum of one filter at one pixel, its first channel at x; *weights moves on to the next filter's. Precondition: every
   partial sum fits int32 (SPEC 4.1). */
QNN_INLINE int32_t qnn_filters_least_sum(const qnn_filters_least_t *p, qnn_pixel_t pixel, const uint8_t *x, int32_t sum,
                                         const int8_t **weights)
{
    const qnn_window_t *window = &p->window;
    int32_t top = pixel.row * window->stride_height - window->pad_top, i, j, k;
    int32_t left = pixel.column * window->stride_width - window->pad_left;
    uint8_t pad = (uint8_t)(p->pad_value ^ p->flip);
    for (i = top; i < top + window->kernel_height; i++) {
        for (j = left; j < left + window->kernel_width; j++) {
            int32_t inside = (uint32_t)i < (uint32_t)window->height && (uint32_t)j < (uint32_t)window->width;
            const uint8_t *tap = inside ? x + (i * window->width + j) * window->channels : &pad;
            for (k = 0; k < p->depth; k++) {
                sum += (*tap ^ p->flip) * QNN_READ(**weights);
                (*weights)++;
                tap += inside;
            }
        }
    }
    return sum;
}

QNN_SMALL void qnn_filters_least(const qnn_filters_least_t *p, const uint8_t *x, void *to)
{
    QNN_FETCH(p, sizeof(*p));
    qnn_sink_t y = qnn_sink(to, p->wide);
    qnn_pixel_t pixel = {0, 0};
    int32_t left, o;
    for (left = p->window.out_height * p->window.out_width; left > 0; left--) {
        const int8_t *weights = p->weights;
        const uint8_t *channel = x;
        int32_t same = p->repeat;
        for (o = 0; o < p->filters; o++) {
            int32_t sum = qnn_filters_least_sum(p, pixel, channel, QNN_READ(p->bias[o]), &weights);
            qnn_put(y, 0, qnn_requantize(&p->requantize, o, sum));
            y = qnn_after(y, 1);
            same--;
            if (same == 0) {
                same = p->repeat;
                channel++;
            }
        }
        qnn_pixel_next(&p->window, &pixel);
    }
}

#endif
