"""`foggate bench edge`: the one pass beside the reference way, a bare prefill, and other servers."""
