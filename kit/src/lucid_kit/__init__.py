"""The floor every service stands on: settings, errors, HTTP, stores, keys, processes, telemetry.

It knows no cluster and no rule of the field, and must never learn one.
"""
