"""A survey of a device: whether it computes what the CPU does, how fast it trains, and what a replica takes there."""
