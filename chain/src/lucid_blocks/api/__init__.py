"""HTTP routes of the chain: parse, call, shape the answer. Reads are open to all; what is written carries
a signature."""
