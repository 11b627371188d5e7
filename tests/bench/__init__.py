"""The load generator, the subscriber and the benchmark."""
