"""How work is spread over the processor's cores: in threads, and in blocks that fit their caches."""
