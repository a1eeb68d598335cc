"""The HTTP libraries are imported without their by-work, and work as ever afterwards."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import ssl, sys
expected = len(ssl.create_default_context().get_ca_certs())
import evalgate.models.transport
print([m for m in ("rich", "click", "pygments") if m in sys.modules])
from aiohttp import connector
context = connector._SSL_CONTEXT_VERIFIED
print(len(context.get_ca_certs()))
context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="model.internal")
print(len(context.get_ca_certs()) == expected, type(context) is ssl.SSLContext)
print(context.verify_mode.name, context.check_hostname)
connector._SSL_CONTEXT_UNVERIFIED.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())
print(len(ssl.create_default_context().get_ca_certs()) == expected)
import httpx._main, rich
"""


def test_contexts_of_aiohttp_read_the_machines_certificates_when_first_used():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "[]",
        "0",
        "True True",
        "CERT_REQUIRED True",
        "True",
    ]
