"""File operations: a process of its own with the rights of the kernels, for each connection that asks for them."""
