"""What is asked, and within which bounds."""

from typing import Any

# A window in which a caller's own cloud calls are counted, and the one whose they are. What a window is belongs to whoever counts
# (`app/access/quotas.py`); here it is handed on and never looked into.
Bound = tuple[Any, str]
