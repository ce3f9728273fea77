"""The builtin models: which there are (`models`), and how each comes into its cache folder (`cache`; read that first)."""

from app.edge.builtin.cache import default_cache_dir, ensure_builtin
from app.edge.builtin.models import BUILTIN, BUILTIN_15B, BUILTIN_BASE, SHIPPED_ADAPTER, find_builtin

__all__ = ["BUILTIN", "BUILTIN_15B", "BUILTIN_BASE", "SHIPPED_ADAPTER", "default_cache_dir", "ensure_builtin", "find_builtin"]
