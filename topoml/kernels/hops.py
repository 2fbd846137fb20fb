"""Kernels: sums of SU(2) matrices from sites along the axes of a lattice, transported, and mixed.

A matrix w is taken by its four coefficients: of 1 and i sigma where it is a real quaternion, of 1
and sigma, complex, where it is any matrix. Transport along a line turns these by a real matrix h,
its `frame`: (3, 3) of a quaternion, whose coefficient of 1 stays, (4, 4) of a matrix.

Fields are planes of coefficients (4, B, C, S) or, first all real parts, (8, B, C, S); frames are
(n n, B, lines, S). ``seen`` (hops, S) int32 is the site seen from each, -1 beyond an open end, by
the hops of a line ahead (even) and back (odd), in the order of the lines; weights have
the site itself first. A tile of sites is treated at a time, number ``begin`` to ``end``
of all tiles, those of a sample in order.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["TILE", "coefficients", "convolve", "frames", "gradients", "pull_frames"]

Array = NDArray[Any]
Ints = NDArray[np.int32]

TILE = 128  # sites


@njit(cache=True, nogil=True, error_model="numpy")
def frames(u: Array, begin: int, end: int, h: Array) -> None:
    """What links do to coefficients, of number ``begin`` to ``end``.

    Of a unit quaternion (a, b): 2 b b^T + (a^2 - b^2) 1 - 2 a [b]_x; of any matrix u:
    h_mn = tr(sigma_m u sigma_n u^+) / 2.

    Shapes:  u (4, N), h (9, N), or u (2, 2, N) complex, h (16, N)
    """
    if u.ndim == 2:
        for i in range(begin, end):
            a, x, y, z = u[0, i], u[1, i], u[2, i], u[3, i]
            one, a = a * a - x * x - y * y - z * z, 2 * a
            h[0, i], h[1, i], h[2, i] = one + 2 * x * x, 2 * x * y + a * z, 2 * x * z - a * y
            h[3, i], h[4, i], h[5, i] = 2 * x * y - a * z, one + 2 * y * y, 2 * y * z + a * x
            h[6, i], h[7, i], h[8, i] = 2 * x * z + a * y, 2 * y * z - a * x, one + 2 * z * z
        return
    half = h.dtype.type(0.5)
    for i in range(begin, end):
        a, b, c, d = u[0, 0, i], u[0, 1, i], u[1, 0, i], u[1, 1, i]
        p, q, r = a * b.conjugate(), c * d.conjugate(), a * c.conjugate()
        s, t, v = b * d.conjugate(), a * d.conjugate(), b * c.conjugate()
        A, B = a.real * a.real + a.imag * a.imag, b.real * b.real + b.imag * b.imag
        C, D = c.real * c.real + c.imag * c.imag, d.real * d.real + d.imag * d.imag
        h[0, i], h[3, i] = half * (A + B + C + D), half * (A - B + C - D)
        h[12, i], h[15, i] = half * (A + B - C - D), half * (A - B - C + D)
        h[1, i], h[2, i], h[13, i], h[14, i] = (
            (p + q).real,
            (p + q).imag,
            (p - q).real,
            (p - q).imag,
        )
        h[4, i], h[7, i], h[8, i], h[11, i] = (
            (r + s).real,
            (r - s).real,
            (-r - s).imag,
            (s - r).imag,
        )
        h[5, i], h[6, i], h[9, i], h[10, i] = (
            (t + v).real,
            (t - v).imag,
            (-t - v).imag,
            (t - v).real,
        )


@njit(cache=True, nogil=True, error_model="numpy")
def pull_frames(u: Array, g: Array, begin: int, end: int, out: Array) -> None:
    """The gradient in u, out, of that in `frames`, g."""
    if u.ndim == 2:
        for i in range(begin, end):
            a, x, y, z = 2 * u[0, i], 2 * u[1, i], 2 * u[2, i], 2 * u[3, i]
            trace = g[0, i] + g[4, i] + g[8, i]
            on_x, on_y, on_z = g[5, i] - g[7, i], g[6, i] - g[2, i], g[1, i] - g[3, i]
            xy, xz, yz = g[1, i] + g[3, i], g[2, i] + g[6, i], g[5, i] + g[7, i]
            out[0, i] = a * trace + x * on_x + y * on_y + z * on_z
            out[1, i] = x * (2 * g[0, i] - trace) + xy * y + xz * z + a * on_x
            out[2, i] = y * (2 * g[4, i] - trace) + xy * x + yz * z + a * on_y
            out[3, i] = z * (2 * g[8, i] - trace) + xz * x + yz * y + a * on_z
        return
    for i in range(begin, end):
        a, b, c, d = u[0, 0, i], u[0, 1, i], u[1, 0, i], u[1, 1, i]
        one, two = g[0, i] + g[12, i], g[3, i] + g[15, i]
        A, B = one + two, one - two
        one, two = g[0, i] - g[12, i], g[3, i] - g[15, i]
        C, D = one + two, one - two
        p = complex(g[1, i] + g[13, i], g[2, i] + g[14, i])
        q = complex(g[1, i] - g[13, i], g[2, i] - g[14, i])
        r = complex(g[4, i] + g[7, i], -g[8, i] - g[11, i])
        s = complex(g[4, i] - g[7, i], g[11, i] - g[8, i])
        t = complex(g[5, i] + g[10, i], g[6, i] - g[9, i])
        v = complex(g[5, i] - g[10, i], -g[6, i] - g[9, i])
        out[0, 0, i] = A * a + p * b + r * c + t * d
        out[0, 1, i] = B * b + p.conjugate() * a + s * d + v * c
        out[1, 0, i] = C * c + q * d + r.conjugate() * a + v.conjugate() * b
        out[1, 1, i] = D * d + q.conjugate() * c + s.conjugate() * b + t.conjugate() * a


@njit(cache=True, nogil=True, error_model="numpy")
def coefficients(w: Array, begin: int, end: int, out: Array) -> None:
    """Of 1 and sigma, of the matrices w (B, C, S, 2, 2, 2), entries, then parts, in any order.

    Of samples times channels, number ``begin`` to ``end``.
    """
    half = out.dtype.type(0.5)
    for row in range(begin, end):
        b, c = row // w.shape[1], row % w.shape[1]
        for s in range(w.shape[2]):
            for part in range(2):
                one, four = w[b, c, s, 0, 0, part], w[b, c, s, 1, 1, part]
                out[4 * part, b, c, s] = half * (one + four)
                out[4 * part + 3, b, c, s] = half * (one - four)
            two_re, two_im = w[b, c, s, 0, 1, 0], w[b, c, s, 0, 1, 1]
            three_re, three_im = w[b, c, s, 1, 0, 0], w[b, c, s, 1, 0, 1]
            out[1, b, c, s], out[5, b, c, s] = (
                half * (two_re + three_re),
                half * (two_im + three_im),
            )
            out[2, b, c, s], out[6, b, c, s] = (
                half * (three_im - two_im),
                half * (two_re - three_re),
            )


@njit(cache=True, nogil=True, error_model="numpy")
def _store(z: Array, b: int, o: int, start: int, n: int, out: Array) -> None:
    """Coefficients of a tile back to planes (4, B, C, S) or matrices (2, 2, B, C, S, 2)."""
    if out.ndim == 4:
        for mu in range(4):
            for i in range(n):
                out[mu, b, o, start + i] = z[mu, i]
    else:
        for i in range(n):
            s = start + i
            for part in range(2):
                out[0, 0, b, o, s, part] = z[4 * part, i] + z[4 * part + 3, i]
                out[1, 1, b, o, s, part] = z[4 * part, i] - z[4 * part + 3, i]
            out[0, 1, b, o, s, 0], out[0, 1, b, o, s, 1] = z[1, i] + z[6, i], z[5, i] - z[2, i]
            out[1, 0, b, o, s, 0], out[1, 0, b, o, s, 1] = z[1, i] - z[6, i], z[5, i] + z[2, i]


@njit(cache=True, nogil=True, error_model="numpy")
def _buffer(n: int, width: int, like: Array) -> tuple[Array, Array]:
    """Zeros (n, width, TILE), and the same as rows."""
    out = np.zeros((n, width, TILE), like.dtype)
    return out, out.reshape(n, width * TILE)


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(field: Array, b: int, c: int, sites: Ints, z: Array) -> None:
    """The coefficients at some sites, 0 where there is none."""
    for q in range(len(field)):
        for i in range(len(sites)):
            z[q, i] = field[q, b, c, max(sites[i], 0)]
    for i in range(len(sites)):
        if sites[i] < 0:
            z[:, i] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _frames(h: Array, b: int, line: int, sites: Ints, transposed: bool, f: Array) -> None:
    """Frames at some sites to the columns of f (n n, TILE)."""
    n = 3 if len(f) == 9 else 4
    for mu in range(n):
        for nu in range(n):
            row = n * nu + mu if transposed else n * mu + nu
            for i in range(len(sites)):
                f[n * mu + nu, i] = h[row, b, line, max(sites[i], 0)]


@njit(cache=True, nogil=True, error_model="numpy")
def _turn(f: Array, z: Array, t: Array) -> None:
    """t = f z."""
    if len(f) == 9:
        for i in range(TILE):
            t[0, i] = z[0, i]
        for mu in range(3):
            for i in range(TILE):
                total = f[3 * mu, i] * z[1, i] + f[3 * mu + 1, i] * z[2, i]
                t[1 + mu, i] = total + f[3 * mu + 2, i] * z[3, i]
        return
    for part in range(0, len(z), 4):
        for mu in range(4):
            for i in range(TILE):
                one = f[4 * mu, i] * z[part, i] + f[4 * mu + 1, i] * z[part + 1, i]
                two = f[4 * mu + 2, i] * z[part + 2, i] + f[4 * mu + 3, i] * z[part + 3, i]
                t[part + mu, i] = one + two


@njit(cache=True, nogil=True, error_model="numpy")
def _add_products(a: Array, b: Array, f: Array) -> None:
    """f_mn += a_m b_n, summed over real and imaginary parts."""
    if len(f) == 9:
        for mu in range(3):
            for nu in range(3):
                for i in range(TILE):
                    f[3 * mu + nu, i] += a[1 + mu, i] * b[1 + nu, i]
        return
    for mu in range(4):
        for nu in range(4):
            for i in range(TILE):
                f[4 * mu + nu, i] += a[mu, i] * b[nu, i] + a[4 + mu, i] * b[4 + nu, i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _add_rows(weight: Array, x: Array, first: int, one: Array, two: Array) -> None:
    """one and two += two rows of weights times four rows of x."""
    a, b, c, d = x[first], x[first + 1], x[first + 2], x[first + 3]
    p, q, r, s = weight[0, first], weight[0, first + 1], weight[0, first + 2], weight[0, first + 3]
    t, u, v, w = weight[1, first], weight[1, first + 1], weight[1, first + 2], weight[1, first + 3]
    for i in range(len(one)):
        one[i] += (p * a[i] + q * b[i]) + (r * c[i] + s * d[i])
        two[i] += (t * a[i] + u * b[i]) + (v * c[i] + w * d[i])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _mix(weight: Array, x: Array, out: Array) -> None:
    """out = weight x, of few rows; here, as BLAS starts threads of its own for more."""
    n = weight.shape[1]
    out[:] = 0
    for o in range(0, len(weight) - 1, 2):
        for k in range(0, n - 3, 4):
            _add_rows(weight[o : o + 2], x, k, out[o], out[o + 1])
    for o in range(len(weight)):
        paired = o < len(weight) - len(weight) % 2
        for k in range(n - n % 4 if paired else 0, n):
            p, row, a = weight[o, k], out[o], x[k]
            for i in range(len(a)):
                row[i] += p * a[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _pair(x: Array, y: Array, out: Array) -> None:
    """out = x y^T."""
    n = len(y)
    for j in range(len(x)):
        row = x[j]
        for k in range(0, n - 3, 4):
            a, b, c, d = y[k], y[k + 1], y[k + 2], y[k + 3]
            p = q = r = s = x.dtype.type(0)
            for i in range(len(row)):
                p += row[i] * a[i]
                q += row[i] * b[i]
                r += row[i] * c[i]
                s += row[i] * d[i]
            out[j, k], out[j, k + 1], out[j, k + 2], out[j, k + 3] = p, q, r, s
        for k in range(n - n % 4, n):
            p, a = x.dtype.type(0), y[k]
            for i in range(len(row)):
                p += row[i] * a[i]
            out[j, k] = p


@njit(cache=True, nogil=True, error_model="numpy")
def convolve(
    h: Array, field: Array, weight: Array, seen: Ints, begin: int, end: int, out: Array
) -> None:
    """out = sum over hops of weight times h w(seen), the site itself first.

    Shapes:  weight (out, (1 + hops) in) · out (4, B, out, S), or (2, 2, B, out, S, 2) with entries,
             then real and imaginary parts, every one written
    """
    width, n_in, n_sites = len(field), field.shape[2], field.shape[3]
    n_out, n_tiles = len(weight), -(-n_sites // TILE)
    z, f = np.zeros((width, TILE), h.dtype), np.zeros((len(h), TILE), h.dtype)
    t, flat_t = _buffer((1 + len(seen)) * n_in, width, h)
    total, flat_total = _buffer(n_out, width, h)
    own = np.empty(TILE, np.int32)
    for tile in range(begin, end):
        b, start = tile // n_tiles, tile % n_tiles * TILE
        n = min(TILE, n_sites - start)
        for i in range(n):
            own[i] = start + i
        for c in range(n_in):
            _gather(field, b, c, own[:n], t[c])
        for hop in range(len(seen)):
            sites = seen[hop, start : start + n]
            back = hop % 2 == 1
            _frames(h, b, hop // 2, sites if back else own[:n], back, f)
            for c in range(n_in):
                _gather(field, b, c, sites, z)
                _turn(f, z, t[(1 + hop) * n_in + c])
        _mix(weight, flat_t, flat_total)
        for o in range(n_out):
            _store(total[o], b, o, start, n, out)


@njit(cache=True, nogil=True, error_model="numpy")
def gradients(
    h: Array,
    field: Array,
    weight: Array,
    grad: Array,
    seen: Ints,
    begin: int,
    end: int,
    on_h: Array,
    on_field: Array,
    on_weight: Array,
) -> None:
    """The gradients of `convolve`: of the tiles, and in the weights added.

    That in the field is a convolution again, of ``grad``, in which ahead and back change places;
    what it adds up gives that in the weights, too.

    Shapes:  weight and on_weight (1 + hops, in, out), ahead and back exchanged · grad a field of
             (out) channels · on_h as h, or of no lines, if it is not wanted · on_field as out of
             `convolve`, of (in) channels
    """
    width, n_in, n_sites = len(field), field.shape[2], field.shape[3]
    n_out, n_tiles = grad.shape[2], -(-n_sites // TILE)
    scale = h.dtype.type(1 if width == 4 else 2)  # entries over coefficients, squared
    z, flat_z = _buffer(n_in, width, h)
    far, _ = _buffer(1, width, h)
    g, flat_g = _buffer(n_out, width, h)
    t, flat_t = _buffer((1 + len(seen)) * n_out, width, h)
    total, flat_total = _buffer(n_in, width, h)
    rows = weight.transpose(1, 0, 2).copy().reshape(n_in, -1)
    f, on_f = np.zeros((len(h), TILE), h.dtype), np.zeros((len(h), TILE), h.dtype)
    added, own = np.empty((n_in, len(flat_t)), h.dtype), np.empty(TILE, np.int32)
    for tile in range(begin, end):
        b, start = tile // n_tiles, tile % n_tiles * TILE
        n = min(TILE, n_sites - start)
        for i in range(n):
            own[i] = start + i
        z[:] = 0  # beyond the last site, too
        for c in range(n_in):
            _gather(field, b, c, own[:n], z[c])
        for o in range(n_out):
            _gather(grad, b, o, own[:n], t[o])
        for hop in range(len(seen)):
            sites = seen[hop, start : start + n]
            back = hop % 2 == 1
            _frames(h, b, hop // 2, sites if back else own[:n], back, f)
            for o in range(n_out):
                _gather(grad, b, o, sites, g[o])
                _turn(f, g[o], t[(1 + hop) * n_out + o])
            if back or on_h.shape[2] == 0:
                continue
            on_f[:] = 0
            _mix(weight[1 + hop], flat_g, flat_total)  # of hops back, from the sites ahead
            for c in range(n_in):
                _add_products(z[c], total[c], on_f)
            _mix(weight[2 + hop], flat_t[:n_out], flat_total)  # of hops ahead, from the own sites
            for c in range(n_in):
                _gather(field, b, c, sites, far[0])
                _add_products(total[c], far[0], on_f)
            for k in range(len(h)):
                for i in range(n):
                    on_h[k, b, hop // 2, start + i] = scale * on_f[k, i]
        _mix(rows, flat_t, flat_total)
        for c in range(n_in):
            _store(total[c], b, c, start, n, on_field)
        _pair(flat_z, flat_t, added)
        on_weight += scale * added.reshape(n_in, 1 + len(seen), n_out).transpose(1, 0, 2)
