"""CONF of vectors: the flow, its tables and its training."""
