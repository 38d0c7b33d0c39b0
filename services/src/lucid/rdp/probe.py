"""Is an RDP server there? Only a TLS handshake tells: a port that accepts may be anything.

X.224 connection request with an RDP negotiation request for TLS ([MS-RDPBCGR] 2.2.1.1, 2.2.1.2), then the
handshake.
"""

import asyncio
import hashlib
import ssl

_PROTOCOL_SSL = 1
# TPKT (version 3, length 19), X.224 CR (length 14, code 0xE0, references and class 0), RDP_NEG_REQ (type 1,
# length 8)
REQUEST = bytes.fromhex("030000130ee000000000 0001000800") + _PROTOCOL_SSL.to_bytes(4, "little")
_RDP_NEG_RSP = 2


class NotRdp(Exception):
    """What listens there does not speak RDP over TLS; the message says how it answered."""


async def handshake(host: str, port: int, timeout: float) -> str:
    """Do a TLS handshake with the RDP server there; give its certificate's SHA-256, hexadecimal.

    Raises
    ------
    OSError, TimeoutError
        If nothing answers.
    NotRdp
        If something else answers.
    """
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(REQUEST)
            answer = await reader.readexactly(4)
            rest = await reader.readexactly(int.from_bytes(answer[2:4], "big") - 4)
            if answer[0] != 3 or len(rest) < 15 or rest[7] != _RDP_NEG_RSP or rest[11] != _PROTOCOL_SSL:
                raise NotRdp(f"answered {(answer + rest)[:24].hex()} to a request for RDP over TLS")
            await writer.start_tls(_context(), server_hostname=None)
            certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            return hashlib.sha256(certificate).hexdigest()
        except (asyncio.IncompleteReadError, ValueError) as error:
            raise NotRdp("closed the connection instead of answering") from error
        finally:
            writer.transport.abort()


def _context() -> ssl.SSLContext:
    # Who it is gets decided by the certificate's fingerprint, which the manager knows beforehand.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
