"""Wallets: who may sign what, for how much a day, and where the keys lie.

Secrets are wrapped before they are stored and unwrapped only to sign; a backup phrase is shown once and
never kept. It signs only transactions that it decodes itself, counts what they spend itself, and never
lets a day's sum pass its cap, however many ask at once.
"""
