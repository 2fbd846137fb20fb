"""`topoml models`: what can be simulated."""

import topoml

__all__ = ["models"]


def models() -> None:
    """List the models that detect can simulate, with their exact or best-known transitions."""
    lattice = topoml.lattice
    for model in (lattice.Ising(), lattice.XY()):
        known = model.known_transition
        print(f"{model.name:<8}{model.symmetry:<6}{model.order:<14}T = {known.value:.6g}")
        print(f"{'':<8}{known.source}")
