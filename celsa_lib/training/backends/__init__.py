"""Ways to the same gradient of equation (1), behind one protocol."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "choice": ["make_backend"],
        "dense": ["DenseBackend"],
        "protocol": ["Backend", "Memory"],
        "reference": ["ReferenceBackend"],
        "sharded": ["ShardedBackend"],
        "sparse": ["ListBackend", "SparseBackend"],
    },
)
