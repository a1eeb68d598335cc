"""Signatures (Ed25519, DSSE) and sealed files (AES-256-GCM), over the package `cryptography`. Nothing here decides.

Import from the modules: cryptography takes a while to load, and most commands need none of it.
"""
