"""Sums over the classes of a block whose rounding does not depend on other blocks."""

from torch import Tensor

__all__ = ["block_sums"]


def block_sums(values: Tensor, block: Tensor, n_blocks: int) -> Tensor:
    """Sum ``values`` (P,) by their ``block`` (P,) to (n_blocks,), in the order of the rows.

    In float64 where the device has it, rounded once to the dtype of ``values``. Both ways add one
    row after the other, so that a block's sum is the same bits in any batch; that of a CUDA device
    by sorting, as atomics have no order.
    """
    wide = values if values.device.type == "mps" else values.double()
    zeros = wide.new_zeros(n_blocks)
    if values.device.type == "cuda":
        sums = zeros.index_put((block,), wide, accumulate=True)
    else:
        sums = zeros.index_add(0, block, wide)
    return sums.to(values.dtype)
