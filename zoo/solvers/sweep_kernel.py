"""The kernel of `zoo.solvers.sweep`, in Triton.

A program solves some images of one group. It walks the anti-diagonals of the map, whose pixels are
independent of each other, and reads the pixels before them where it has written them. Products are
in the type of the maps: no tensor cores, hence no TF32.
"""

# mypy: ignore-errors
# ruff: noqa: N803 RUF005 - Triton names constants in capitals, and knows sums of tuples only.

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["batch"])
def sweep(
    y,
    x,
    weights,
    shift,
    directions,
    batch,
    height,
    width,
    yb,
    yc,
    yh,
    yw,
    xb,
    xc,
    xh,
    xw,
    C: tl.constexpr,
    OUT: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    IMAGES: tl.constexpr,
    LONGEST: tl.constexpr,
    SHIFT: tl.constexpr,
    HOLD: tl.constexpr,
):
    """x[o] = shift[o] + sum_i W[0, i, o] y[i] + sum_{t > 0, i} W[t, i, o] x[i, tap t nearer].

    Tensors are as in `SweepSolver`; yb .. xw are strides, OUT is C and LONGEST the longest diagonal
    up to a power of two. HOLD keeps the weights in registers and reads y a diagonal ahead.
    """
    group = tl.program_id(1)
    lane = tl.arange(0, IMAGES * LONGEST)
    image = tl.program_id(0).to(tl.int64) * IMAGES + lane // LONGEST
    along = lane % LONGEST
    out = tl.arange(0, OUT)
    down = tl.load(directions + 2 * group)
    right = tl.load(directions + 2 * group + 1)
    # A flip is a negative stride from the other end.
    last_h, last_w = tl.where(down < 0, height - 1, 0), tl.where(right < 0, width - 1, 0)
    y += image * yb + group * C * yc + last_h * yh + last_w * yw
    x += image * xb + group * C * xc + last_h * xh + last_w * xw
    yh, yw, xh, xw = yh * down, yw * right, xh * down, xw * right
    weights += group * (KH * KW * C * OUT) + out
    here = image < batch
    base = tl.zeros((IMAGES * LONGEST, OUT), x.dtype.element_ty)
    if SHIFT:
        base += tl.load(shift + group * OUT + out)[None, :]
    held, ahead = (), ()
    if HOLD:
        for t in tl.static_range(KH * KW * C):
            held = held + (tl.load(weights + t * OUT),)
        for i in tl.static_range(C):  # the first diagonal is the pixel in the corner
            ahead = ahead + (tl.load(y + i * yc, mask=here & (along == 0), other=0.0),)
    for diagonal in range(height + width - 1):
        h = tl.maximum(0, diagonal - width + 1) + along
        w = diagonal - h
        live = (h < height) & (w >= 0) & here
        pixel = x + h * xh + w * xw
        total = base
        if HOLD:
            next_h = tl.maximum(0, diagonal - width + 2) + along
            next_w = diagonal + 1 - next_h
            wanted = (next_h < height) & (next_w >= 0) & here
            fetched = ()
            for i in tl.static_range(C):
                total += ahead[i][:, None] * held[i][None, :]
                place = y + next_h * yh + next_w * yw + i * yc
                fetched = fetched + (tl.load(place, mask=wanted, other=0.0),)
            ahead = fetched
        else:
            for i in range(C):
                value = tl.load(y + h * yh + w * yw + i * yc, mask=live, other=0.0)
                total += value[:, None] * tl.load(weights + i * OUT)[None, :]
        for a in tl.static_range(KH):
            for b in tl.static_range(KW):
                if a + b > 0:
                    inside = live & (h >= a) & (w >= b)
                    nearer = pixel - a * xh - b * xw
                    if HOLD:
                        for i in tl.static_range(C):
                            value = tl.load(nearer + i * xc, mask=inside, other=0.0)
                            total += value[:, None] * held[(a * KW + b) * C + i][None, :]
                    else:
                        for i in range(C):
                            value = tl.load(nearer + i * xc, mask=inside, other=0.0)
                            tap = tl.load(weights + ((a * KW + b) * C + i) * OUT)
                            total += value[:, None] * tap[None, :]
        tl.store(pixel[:, None] + out[None, :] * xc, total, mask=live[:, None] & (out < C)[None, :])
        tl.debug_barrier()  # the next diagonal reads what other threads have written
