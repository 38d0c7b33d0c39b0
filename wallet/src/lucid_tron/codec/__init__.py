"""TRON's bytes: addresses, contracts and transactions, in protobuf and in the JSON that nodes speak.

Everything here is pure. Decoding is strict and canonical: bytes that decode are exactly the bytes that
encoding the result gives, so a transaction has one meaning and one txID. It must never sign, send or
repair anything.
"""
