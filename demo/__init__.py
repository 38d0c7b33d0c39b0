"""`make demo`: the main job on real input, watched from outside.

It uses what a user has: the `lucid` command, the HTTP API, an RDP client, `lucid-verify`. It imports no
cluster; the only room it imports is `lucid_proof`, because an attacker would (demo.attacks).
"""
