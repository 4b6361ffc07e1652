"""Matrix products of a few rows as numba intrinsics: y += x W with the sums held in vector registers.

Sampling multiplies every weight by one number per stream, so its speed is that of reading the weights. They
are stored in panels, some outputs wide and all inputs deep, and are read once from end to end. LLVM's
vectorizer would keep the sums in memory instead. BLAS reaches a third of this speed for fewer than 16 rows.

    W (I, O) for O = 4, panels of 2:     w00 w01 | w02 w03          w00 w01 w10 w11 w02 w03 w12 w13
                                         w10 w11 | w12 w13    ->
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features, get_host_cpu_name
from numba import njit, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.core.extending import intrinsic
from numba.np.arrayobj import populate_array


def _has_wide_vectors() -> bool:
    """Whether the machine has 32 registers of 16 floats and compilers use them: AMD since Zen 4.

    On Intel's processors LLVM splits such vectors into two by default, and the sums would not fit.
    """
    name = os.environ.get("NUMBA_CPU_NAME") or get_host_cpu_name()
    return name.startswith(("znver4", "znver5")) and bool(get_host_cpu_features().get("avx512f"))


LANES = 8  # of a vector; LLVM splits or joins vectors where the machine has another width
WIDE = 64  # outputs per panel for one stream: 8 sums hide the latency of a product
# For several streams: lanes of a vector, and streams multiplied at once. A panel has two vectors of outputs:
# 6 x 2 sums of 16 registers, or 12 x 2 of 32, leave registers for weights and inputs.
NARROW_LANES, STREAMS = (16, 12) if _has_wide_vectors() else (8, 6)
NARROW = 2 * NARROW_LANES  # outputs per panel for several streams
PREFETCH_BYTES = 512  # distance at which weights are prefetched, which hides the latency of the cache

_FLOAT, _INT = ir.FloatType(), ir.IntType(32)


def pack_panels(weight: np.ndarray, width: int) -> np.ndarray:
    """Panels of a matrix, the last one padded with zeros: (I, O) to (I x ceil(O / width) x width,)."""
    rows, columns = weight.shape
    padded = np.pad(np.asarray(weight, np.float32), ((0, 0), (0, -columns % width)))
    return np.ascontiguousarray(padded.reshape(rows, -1, width).transpose(1, 0, 2)).ravel()


def pack_pairs(weight: np.ndarray, width: int) -> np.ndarray:
    """Panels with the bfloat16 weights of two inputs in each word: (I, O), I even, to (I / 2 x ...,), uint32.

    The kernel uses the whole word as the first weight, including the bits of the second. The first weight is
    therefore rounded to the nearest number among those whose lower half is the second weight.
    """
    second = _rounded(weight[1::2]).view(np.uint32) >> 16
    exact = np.ascontiguousarray(weight[0::2], np.float32).view(np.uint32)
    size = ((exact & 0x7FFFFFFF).astype(np.int64) - second + 0x8000) >> 16
    largest = 0x7F7F  # larger bits are infinity and NaN
    first = (exact >> 31 << 15) | np.clip(size, 0, largest).astype(np.uint32)
    return pack_panels(((first << 16) | second).view(np.float32), width).view(np.uint32)


def _rounded(weight: np.ndarray) -> np.ndarray:
    """The nearest bfloat16, as float32 whose lower half is zero; ties go to even."""
    bits = np.ascontiguousarray(weight, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


def _product(streams: int, width: int) -> Callable[..., None]:
    """An intrinsic that computes y += x W for `streams` rows and one panel of floats or bfloat16 pairs.

    Its arguments: y, the start of its first row, the distance of its rows; the same for x; the panels, the
    start of the panel, the depth of the panel. All arrays are flat.
    """
    lanes = LANES if width == WIDE else NARROW_LANES
    vectors = width // lanes

    @intrinsic
    def product(typing, y, y_at, y_step, x, x_at, x_step, w, w_at, depth):  # type: ignore[no-untyped-def]
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
            base = [
                context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 3, 6)
            ]
            y_at, y_step, x_at, x_step, w_at, depth = (arguments[i] for i in (1, 2, 4, 5, 7, 8))
            emitter = _ProductEmitter(builder, lanes, vectors, paired=w.dtype == types.uint32)
            outputs = [builder.add(y_at, builder.mul(y_step, y_step.type(s))) for s in range(streams)]
            inputs = [builder.add(x_at, builder.mul(x_step, x_step.type(s))) for s in range(streams)]
            sums = [emitter.load_sums(base[0], at) for at in outputs]
            with cgutils.for_range(builder, depth) as loop:
                row = builder.add(w_at, builder.mul(loop.index, w_at.type(width)))
                weights = emitter.load_weights(base[2], row)
                for row_sums, at in zip(sums, inputs):
                    emitter.multiply(row_sums, base[1], at, loop.index, weights)
            for row_sums, at in zip(sums, outputs):
                emitter.store_sums(row_sums, base[0], at)
            return context.get_dummy_value()

        return types.void(y, y_at, y_step, x, x_at, x_step, w, w_at, depth), generate

    return product


class _ProductEmitter:
    """Emits the LLVM instructions of a product."""

    def __init__(self, builder: ir.IRBuilder, lanes: int, vectors: int, *, paired: bool) -> None:
        self.builder, self.lanes, self.vectors, self.paired = builder, lanes, vectors, paired
        self.kind, self.words = ir.VectorType(_FLOAT, lanes), ir.VectorType(_INT, lanes)

    def load_sums(self, y: ir.Value, at: ir.Value) -> list[ir.Value]:
        """Variables for the sums of a row, initialized from y; LLVM keeps them in registers."""
        places = [cgutils.alloca_once(self.builder, self.kind) for _ in range(self.vectors)]
        for i, place in enumerate(places):
            self.builder.store(self.builder.load(self._vector(y, at, i, self.kind), align=4), place)
        return places

    def store_sums(self, places: list[ir.Value], y: ir.Value, at: ir.Value) -> None:
        for i, place in enumerate(places):
            self.builder.store(self.builder.load(place), self._vector(y, at, i, self.kind), align=4)

    def load_weights(self, w: ir.Value, row: ir.Value) -> list[tuple[ir.Value, ...]]:
        """Weights of one input, or of a pair of inputs, for all outputs of the panel."""
        if self.vectors > 2:  # one stream
            self._prefetch(w, row)
        if not self.paired:
            return [
                (self.builder.load(self._vector(w, row, i, self.kind), align=4),) for i in range(self.vectors)
            ]
        words = [self.builder.load(self._vector(w, row, i, self.words), align=4) for i in range(self.vectors)]
        low = ir.Constant(self.words, [16] * self.lanes)
        return [
            (
                self.builder.bitcast(word, self.kind),
                self.builder.bitcast(self.builder.shl(word, low), self.kind),
            )
            for word in words
        ]

    def multiply(
        self,
        sums: list[ir.Value],
        x: ir.Value,
        at: ir.Value,
        index: ir.Value,
        weights: list[tuple[ir.Value, ...]],
    ) -> None:
        """Add input times weights to the sums of one row."""
        count = len(weights[0])
        for k in range(count):
            place = self.builder.add(
                at, self.builder.add(self.builder.mul(index, index.type(count)), index.type(k))
            )
            value = self._broadcast(self.builder.load(self.builder.gep(x, [place])))
            for place, weight in zip(sums, weights):
                term = self.builder.fmul(value, weight[k], flags=("contract",))  # fused where the machine can
                self.builder.store(
                    self.builder.fadd(self.builder.load(place), term, flags=("contract",)), place
                )

    def _vector(self, base: ir.Value, at: ir.Value, number: int, kind: ir.Type) -> ir.Value:
        place = self.builder.gep(base, [self.builder.add(at, at.type(number * self.lanes))])
        return self.builder.bitcast(place, kind.as_pointer())

    def _broadcast(self, value: ir.Value) -> ir.Value:
        nothing = ir.Constant(self.kind, ir.Undefined)
        first = self.builder.insert_element(nothing, value, _INT(0))
        return self.builder.shuffle_vector(first, nothing, ir.Constant(self.words, [0] * self.lanes))

    def _prefetch(self, w: ir.Value, row: ir.Value) -> None:
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _INT, _INT, _INT])
        prefetch = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0i8")
        for line in range(self.vectors // 2):  # of 64 bytes
            place = self.builder.gep(w, [self.builder.add(row, row.type(PREFETCH_BYTES // 4 + 16 * line))])
            self.builder.call(prefetch, [self.builder.bitcast(place, byte), _INT(0), _INT(3), _INT(1)])


@intrinsic
def noinline(typing):  # type: ignore[no-untyped-def]
    """Forbid inlining of the calling function, which would be compiled again in each of its callers."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def borrowed(typing, arrays):  # type: ignore[no-untyped-def]
    """A tuple with its arrays without their reference counts, which would change atomically at every use.

    The caller keeps the arrays alive.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        whole = arguments[0]
        for place, kind in enumerate(arrays.types):
            if isinstance(kind, types.Array):
                view = context.make_array(kind)(context, builder, builder.extract_value(whole, place))
                view.meminfo = cgutils.get_null_value(view.meminfo.type)
                whole = builder.insert_value(whole, view._getvalue(), place)
        return whole

    return arrays(arrays), generate


@intrinsic
def row(typing, array, at, length):  # type: ignore[no-untyped-def]
    """A part of a contiguous array, borrowed: `length` elements from the flat index `at`.

    Loops over it are vectorized; an index that is a sum could be negative to the compiler, and would not be.
    """
    if array.layout != "C":
        raise TypingError("row needs a contiguous array")
    kind = types.Array(array.dtype, 1, "C")

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        view = context.make_array(kind)(context, builder)
        itemsize = context.get_constant(types.intp, array.dtype.bitwidth // 8)
        populate_array(
            view, builder.gep(data, [arguments[1]]), [arguments[2]], [itemsize], itemsize, meminfo=None
        )
        return view._getvalue()

    return kind(array, at, length), generate


_one = _product(1, WIDE)
_1, _2, _3, _4, _5, _6 = (_product(streams, NARROW) for streams in range(1, 7))
_most = _product(STREAMS, NARROW)
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}


@njit(**OPTIONS)
def add_product(y, y_at, y_step, x, x_at, x_step, w, w_at, depth, outputs, streams, width):  # type: ignore[no-untyped-def]
    """y += x W for every stream; all arrays are flat, and `_at` is the start of the first row or panel.

    Args:
        y: float32, rows of `outputs`, y_step apart, with room for whole panels.
        x: float32, rows of `depth` (twice that in pairs), x_step apart.
        w: from `pack_panels` or `pack_pairs`.
        depth: inputs, or pairs of them.
        outputs: of W.
        streams: number of rows.
        width: of the panels; WIDE for one stream, NARROW otherwise.
    """
    noinline()
    if width == WIDE:
        for panel in range((outputs + WIDE - 1) // WIDE):
            at = w_at + panel * depth * WIDE
            _one(y, y_at + panel * WIDE, y_step, x, x_at, x_step, w, at, depth)
        return
    for panel in range((outputs + NARROW - 1) // NARROW):
        at = w_at + panel * depth * NARROW
        first = 0
        while first < streams:  # the panel stays in the L1 cache meanwhile
            rows, out, x_row = streams - first, y_at + first * y_step + panel * NARROW, x_at + first * x_step
            if rows >= STREAMS:
                _most(y, out, y_step, x, x_row, x_step, w, at, depth)
                first += STREAMS
            elif rows >= 6:
                _6(y, out, y_step, x, x_row, x_step, w, at, depth)
                first += 6
            else:
                if rows == 5:
                    _5(y, out, y_step, x, x_row, x_step, w, at, depth)
                elif rows == 4:
                    _4(y, out, y_step, x, x_row, x_step, w, at, depth)
                elif rows == 3:
                    _3(y, out, y_step, x, x_row, x_step, w, at, depth)
                elif rows == 2:
                    _2(y, out, y_step, x, x_row, x_step, w, at, depth)
                else:
                    _1(y, out, y_step, x, x_row, x_step, w, at, depth)
                first = streams
