"""Find the transition of the Ising model from the topology of its configurations.

    python examples/01_ising.py [--quick] [--out FILE.png]

The essential H1 birth of the blocked magnetisation, in units of its rms, is a dimensionless
quantity: its curves for two lattice sizes cross near T_c, as those of Binder's cumulant do. The
second part asks the same of data with no transition in them.
"""

import argparse
import math

import numpy as np

from topoml.lattice import Ising, simulate
from topoml.phases import detect, from_arrays

EXACT = 2 / math.log(1 + math.sqrt(2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="half a minute, larger errors")
    parser.add_argument("--out", metavar="FILE.png", help="save the figure of the crossing")
    arguments = parser.parse_args()

    ensemble = simulate(
        Ising(),
        sizes=[16, 32, 64] if arguments.quick else [32, 48, 64, 96, 128],
        temperatures=[2.1, 2.17, 2.22, 2.25, 2.28, 2.31, 2.36, 2.43],
        samples=800 if arguments.quick else 3200,
        n_chains=16,
        seed=1,
    )
    found = detect(ensemble, seed=1)
    print(f"exact         {EXACT:.5f}  (Onsager 1944)")
    print(f"topological   {found.estimate:.4f} ± {found.error:.4f}  {found.method}")
    for row in found.per_size:
        if row["estimate"] is not None:
            print(f"    L = {row['sizes']}: {row['estimate']:.4f} ± {row['error']:.4f}")
    binder = found.yardstick
    answer = f"{binder.estimate:.4f} ± {binder.error:.4f}" if binder.estimate else binder.reason
    print(f"classical     {answer}  {binder.method}")
    for control in found.controls:
        print(f"    {control.name}: {control.value} -> passed: {control.passed}")

    # The same question to configurations whose spins know nothing of each other.
    rng = np.random.default_rng(1)
    temperature = np.repeat([2.0, 2.1, 2.2, 2.3, 2.4, 2.5], 200)
    noise = [rng.choice(np.array([-1, 1], np.int8), (1200, side, side)) for side in (32, 64)]
    nothing = detect(from_arrays(noise, [temperature, temperature]), seed=1)
    print(f"white noise   {nothing.estimate}: {nothing.reason}")

    if arguments.out:
        from topoml import plot

        ax = plot.transition(found)
        ax.axvline(EXACT, color="black", lw=0.8, ls=":")
        ax.figure.savefig(arguments.out, dpi=200)
        print(f"written       {arguments.out}")


if __name__ == "__main__":
    main()
