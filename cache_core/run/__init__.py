"""One sampling: decisions, memory, streams, and the calls of the model."""
