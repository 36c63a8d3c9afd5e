"""Sets a sandbox's network policy, from a container that shares nothing with the sandbox but its network.

Runs once, with the capability NET_ADMIN, and ends. It is told what to do by ``src/network/setup.ts``.
"""
