"""Lie groups and manifolds in which spins live."""

from .circle import Circle
from .cyclic import Cyclic
from .default_dtype import default_dtype
from .discrete import Discrete
from .grassmannian import Grassmannian
from .group import LieGroup
from .hyperbolic import Hyperbolic
from .lorentz import Lorentz
from .manifold import Manifold
from .product import Product
from .projective import RealProjective
from .riemannian import RiemannianManifold
from .spd import SPD
from .special_euclidean import SE
from .special_orthogonal import SO
from .special_unitary import SU, U1
from .sphere import Sphere
from .stiefel import Stiefel
from .torus import Torus

__all__ = [
    "SE",
    "SO",
    "SPD",
    "SU",
    "U1",
    "Circle",
    "Cyclic",
    "Discrete",
    "Grassmannian",
    "Hyperbolic",
    "LieGroup",
    "Lorentz",
    "Manifold",
    "Product",
    "RealProjective",
    "RiemannianManifold",
    "Sphere",
    "Stiefel",
    "Torus",
    "default_dtype",
]
