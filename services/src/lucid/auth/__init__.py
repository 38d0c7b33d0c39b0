"""Who is calling: the keys that sign access tokens, the tokens, and the key set (JWKS) everybody checks
them with.

For now an instance has one person, its operator, whose token `lucid up` mints into a file only its owner
can read. This package never decides what a scope allows (each service does) and never sees a session's key.
"""
