"""USDT on TRON, with the quirks of the real token.

`transfer` returns false when it succeeds; a fee may be taken from what is sent; the issuer can pause the
token and freeze accounts. So nothing here believes a return value: what was logged is what was paid. This
package holds no keys and sends nothing; it says what to sign and judges what became of it.
"""
