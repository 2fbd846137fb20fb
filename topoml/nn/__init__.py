"""Torch modules: persistence, features and losses over the packages below; equivariant layers."""

import lazy_loader

# what is offered, and where it lives, stands in __init__.pyi; a name's file loads on first use
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
