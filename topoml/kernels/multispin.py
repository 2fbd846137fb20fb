"""Ising spins of 64 chains in the bits of a word, on a periodic rectangle.

Bit r of a word is the spin of chain r, 1 for up. Chains share no random bits.
"""

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from .xoshiro import draw

__all__ = ["count", "metropolis"]

Words = NDArray[np.uint64]

_ZERO, _ONE, _ALL = np.uint64(0), np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)


@njit(inline="always")
def _happens(probability: np.uint64, needed: np.uint64, s: Words) -> np.uint64:
    """Bits of ``needed``, each kept with ``probability`` / 2^64, independently.

    A number of random bits is compared with the probability from the highest bit down, for all
    chains at once, until no chain is undecided.
    """
    kept = _ZERO
    while needed != _ZERO and probability != _ZERO:
        drawn = draw(s)
        if probability >> np.uint64(63) != _ZERO:
            kept |= needed & ~drawn
            needed &= drawn
        else:
            needed &= ~drawn
        probability <<= _ONE
    return kept


@njit(cache=True, nogil=True, error_model="numpy")
def metropolis(words: Words, probability: np.uint64, n_sweeps: int, s: Words) -> None:
    """Sweeps in C order; ``probability`` / 2^64 = exp(-4 J / T), ``s`` the generator's four words.

    A flip that costs nothing is made with probability 1/2. Not checked here: sides of at least 2.

    Shapes:  words (L0, L1), changed in place · s (4,), changed in place
    Source:  ours; multi-spin coding in general: Jacobs & Rebbi, J. Comput. Phys. 41, 203 (1981).
    """
    n0, n1 = words.shape
    p = uint64(probability)
    for _ in range(n_sweeps):
        for row in range(n0):
            up = row - 1 if row > 0 else n0 - 1
            down = row + 1 if row + 1 < n0 else 0
            for column in range(n1):
                left = column - 1 if column > 0 else n1 - 1
                right = column + 1 if column + 1 < n1 else 0
                here = words[row, column]
                a, b = here ^ words[up, column], here ^ words[down, column]
                c, d = here ^ words[row, left], here ^ words[row, right]
                # broken bonds, in binary: four two odd
                odd_ab, both_ab, odd_cd, both_cd = a ^ b, a & b, c ^ d, c & d
                odd, four = odd_ab ^ odd_cd, both_ab & both_cd
                two = both_ab ^ both_cd ^ (odd_ab & odd_cd)
                few = ~(two | four)
                flips = (odd & two) | four | (two & ~odd & draw(s))
                costly = _happens(p, few, s)
                flips |= costly & (odd | _happens(p, costly & ~odd, s))
                words[row, column] = here ^ flips


@njit(cache=True, nogil=True, error_model="numpy")
def count(words: Words, broken: NDArray[np.int64], up: NDArray[np.int64]) -> None:
    """Broken bonds and spins up of each chain, into (64,) and (64,).

    Words are added up into the binary digits of 64 counters.
    """
    n0, n1 = words.shape
    digits = np.zeros((2, 40), np.uint64)
    for row in range(n0):
        down = row + 1 if row + 1 < n0 else 0
        for column in range(n1):
            right = column + 1 if column + 1 < n1 else 0
            here = words[row, column]
            for which in range(3):
                if which == 0:
                    carry, counter = here ^ words[down, column], 0
                elif which == 1:
                    carry, counter = here ^ words[row, right], 0
                else:
                    carry, counter = here, 1
                digit = 0
                while carry != _ZERO:
                    old = digits[counter, digit]
                    digits[counter, digit] = old ^ carry
                    carry &= old
                    digit += 1
    for r in range(64):
        broken[r], up[r] = 0, 0
        for digit in range(40):
            broken[r] += np.int64((digits[0, digit] >> uint64(r)) & _ONE) << digit
            up[r] += np.int64((digits[1, digit] >> uint64(r)) & _ONE) << digit
