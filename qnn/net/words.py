# SPDX-License-Identifier: MIT
"""The words of NET, and the layer that each makes."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from qnn.errors import QnnError
from qnn.layers.average_pool import AveragePool, GlobalAveragePool
from qnn.layers.batch_norm import BatchNorm
from qnn.layers.clamp import Clamp, Relu6
from qnn.layers.conv1d import Conv1d
from qnn.layers.conv2d import Conv2d
from qnn.layers.dense import MAX_UNITS, Dense
from qnn.layers.depthwise_conv2d import DepthwiseConv2d
from qnn.layers.dropout import Dropout
from qnn.layers.flatten import Flatten
from qnn.layers.layer import Layer
from qnn.layers.leaky_relu import LeakyRelu
from qnn.layers.max_pool import MaxPool
from qnn.layers.pad import Pad
from qnn.layers.relu import Relu
from qnn.layers.reshape import Reshape
from qnn.layers.sigmoid import Sigmoid
from qnn.layers.tanh import Tanh
from qnn.net.presets import PRESETS
from qnn.net.tokens import BLOCKS, MULTIPLIER, PAD, SAME, STRIDE, SUBJECT, VALID, Call, is_number

UNSET = 0  # the width of a dense that the data decides
IMPLIED = "softmax"
SLIDES = (STRIDE, SAME, VALID, PAD)
Make = Callable[[Call, str], "Layer | None"]


@dataclass(frozen=True)
class Word:
    """A word of the language: how many numbers and which options may follow it, an example, the layer it makes.

    `make` gets the call and the padding where none is said; None: the word makes no layer.
    """

    name: str
    least: int
    most: int
    options: tuple[str, ...]
    example: str
    make: Make


def _conv(call: Call, padding: str) -> Layer:
    kernel, stride = pair(call, call.numbers[0]), _stride(call, (1, 1))
    return Conv2d(whole(call, call.numbers[1]), *kernel, *stride, _padding(call, padding))


def _depthwise(call: Call, padding: str) -> Layer:
    numbers = call.option(MULTIPLIER)
    multiplier = 1 if numbers is None else whole(call, _one(call, MULTIPLIER, numbers))
    kernel, stride = pair(call, call.numbers[0]), _stride(call, (1, 1))
    return DepthwiseConv2d(*kernel, multiplier, *stride, _padding(call, padding))


def _pointwise(call: Call, padding: str) -> Layer:
    return Conv2d(whole(call, call.numbers[0]), 1, 1, *_stride(call, (1, 1)), padding)


def _conv1d(call: Call, padding: str) -> Layer:
    numbers = call.option(STRIDE)
    stride = 1 if numbers is None else whole(call, _one(call, STRIDE, numbers))
    kernel, filters = (whole(call, number) for number in call.numbers)
    return Conv1d(filters, kernel, stride, _padding(call, padding))


def _pool(kind: type[MaxPool] | type[AveragePool]) -> Make:
    def make(call: Call, padding: str) -> Layer:
        kernel = pair(call, call.numbers[0])
        return kind(*kernel, *_stride(call, kernel), _padding(call, padding))

    return make


def _pad(call: Call, padding: str) -> Layer:
    sides = [whole(call, number) for number in call.numbers]
    if len(sides) not in (1, 4):
        raise QnnError(SUBJECT, f"'pad' takes 1 or 4 numbers, not {len(sides)}", 'write "pad 1" or "pad 0 1 0 1"')
    return Pad(*(sides * 4 if len(sides) == 1 else sides))


def _dense(call: Call, padding: str) -> Layer:
    if not call.numbers:
        return Dense(UNSET)
    number = decimal(call, call.numbers[0])
    if number != int(number) or not 1 <= number <= MAX_UNITS:
        raise QnnError(SUBJECT, f"dense {number:g} is no width (1 to {MAX_UNITS})", 'write "dense 64"')
    return Dense(int(number))


def _reshape(call: Call, padding: str) -> Layer:
    sides = [whole(call, side) for side in call.numbers[0].split("x")]
    if len(sides) == 1:
        raise QnnError(SUBJECT, f"reshape {sides[0]} is no shape", 'write "reshape 28x28x1"')
    return Reshape(*(sides if len(sides) == 3 else [0, *sides]))


WORDS: tuple[Word, ...] = (
    Word("dense", 0, 1, (), "dense 64", _dense),
    Word("conv", 2, 2, SLIDES, "conv 3x3 8 stride 2 same", _conv),
    Word("depthwise", 1, 1, (MULTIPLIER, *SLIDES), "depthwise 3x3 mult 2", _depthwise),
    Word("pointwise", 1, 1, (STRIDE,), "pointwise 8", _pointwise),
    Word("conv1d", 2, 2, SLIDES, "conv1d 5 8 stride 2", _conv1d),
    Word("bn", 0, 0, (), "bn", lambda call, _: BatchNorm()),
    Word("relu", 0, 0, (), "relu", lambda call, _: Relu()),
    Word("relu6", 0, 0, (), "relu6", lambda call, _: Relu6()),
    Word("clamp", 2, 2, (), "clamp -1 1", lambda call, _: Clamp(*decimals(call))),
    Word(
        "leaky_relu", 0, 1, (), "leaky_relu 0.1", lambda call, _: LeakyRelu(*(decimal(call, n) for n in call.numbers))
    ),
    Word("sigmoid", 0, 0, (), "sigmoid", lambda call, _: Sigmoid()),
    Word("tanh", 0, 0, (), "tanh", lambda call, _: Tanh()),
    Word("dropout", 1, 1, (), "dropout 0.2", lambda call, _: Dropout(decimal(call, call.numbers[0]))),
    Word("maxpool", 1, 1, SLIDES, "maxpool 2", _pool(MaxPool)),
    Word("avgpool", 1, 1, SLIDES, "avgpool 2", _pool(AveragePool)),
    Word("gap", 0, 0, (), "gap", lambda call, _: GlobalAveragePool()),
    Word("pad", 1, 4, (), "pad 1", _pad),
    Word("flatten", 0, 0, (), "flatten", lambda call, _: Flatten()),
    Word("reshape", 1, 1, (), "reshape 28x28x1", _reshape),
    Word("linear", 0, 0, (), "linear", lambda call, _: None),
)
OPTIONS = {word.name: word.options for word in WORDS}


def make_layer(call: Call, padding: str) -> Layer | None:
    """The layer that a call makes, checked; `padding` counts where the call says none. Raises QnnError."""
    if call == Call(IMPLIED, call.numbers) and call.numbers:
        raise QnnError(SUBJECT, f"'{IMPLIED}' takes 0 numbers, not {len(call.numbers)}", "remove it")
    word = find_word(call.name)
    if not word.least <= len(call.numbers) <= word.most:
        wanted = str(word.most) if word.least == word.most else f"{word.least} or {word.most}"
        noun = "number" if wanted == "1" else "numbers"
        raise QnnError(
            SUBJECT, f"{word.name!r} takes {wanted} {noun}, not {len(call.numbers)}", f'write "{word.example}"'
        )
    layer = word.make(call, padding)
    if layer is not None and layer != Dense(UNSET):
        layer.check()
    return layer


def find_word(name: str) -> Word:
    """The word of that name. Raises QnnError with the nearest one."""
    found = next((word for word in WORDS if word.name == name), None)
    if found is not None:
        return found
    if name == IMPLIED:
        raise QnnError(SUBJECT, "has softmax where it is not the last word of a classifier", "remove it")
    options = sorted({option for word in WORDS for option in word.options})
    if name in options:
        users = ", ".join(word.name for word in WORDS if name in word.options)
        raise QnnError(SUBJECT, f"has {name!r} where no layer can take it", f"write it right behind {users}")
    known = [*(word.name for word in WORDS), *BLOCKS, IMPLIED, *(preset.name for preset in PRESETS)]
    near = difflib.get_close_matches(name, [*known, *options], 1, 0.5)
    remedy = f"did you mean {near[0]!r}?" if near else f"known words: {', '.join(known)}"
    raise QnnError(SUBJECT, f"has the unknown word {name[:40]!r}", remedy)


def whole(call: Call, token: str) -> int:
    """The whole number that a token is. Raises QnnError."""
    if not token.isdigit():
        raise QnnError(SUBJECT, f"has {token!r} after {call.name!r} where a whole number should be", _example(call))
    return int(token)


def decimal(call: Call, token: str) -> float:
    """The number that a token is. Raises QnnError for a size."""
    if not is_number(token):
        raise QnnError(SUBJECT, f"has {token!r} after {call.name!r} where a number should be", _example(call))
    return float(token)


def decimals(call: Call) -> list[float]:
    """All its numbers."""
    return [decimal(call, token) for token in call.numbers]


def pair(call: Call, token: str) -> tuple[int, int]:
    """Height and width of a size: 3x5, or 3 for 3x3. Raises QnnError."""
    sides = [whole(call, side) for side in token.split("x")]
    if len(sides) > 2:
        raise QnnError(SUBJECT, f"has {token!r} after {call.name!r} where HEIGHTxWIDTH should be", _example(call))
    return sides[0], sides[-1]


def _stride(call: Call, otherwise: tuple[int, int]) -> tuple[int, int]:
    numbers = call.option(STRIDE)
    return otherwise if numbers is None else pair(call, _one(call, STRIDE, numbers))


def _padding(call: Call, otherwise: str) -> str:
    said = [name for name in (SAME, VALID, PAD) if call.option(name) is not None]
    if len(said) > 1:
        raise QnnError(SUBJECT, f"says {said[0]} and {said[1]} after {call.name!r}", "say one of them")
    if not said:
        return otherwise
    numbers = call.option(said[0]) or ()
    if said[0] != PAD:
        if numbers:
            raise QnnError(SUBJECT, f"has {numbers[0]!r} where a word should be", _example(call))
        return said[0]
    return " ".join(str(whole(call, number)) for number in numbers)


def _one(call: Call, option: str, numbers: tuple[str, ...]) -> str:
    if len(numbers) != 1:
        raise QnnError(SUBJECT, f"{option!r} takes 1 number, not {len(numbers)}", _example(call))
    return numbers[0]


def _example(call: Call) -> str:
    return f'write "{find_word(call.name).example}"'
