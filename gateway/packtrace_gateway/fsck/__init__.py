"""Checking a gateway's database: everything that can be recomputed is, and compared with what is stored, then with the
chain.
"""
