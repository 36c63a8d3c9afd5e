"""The Python side of ipybox: a zygote that forks IPython kernels, and the kernel itself."""
