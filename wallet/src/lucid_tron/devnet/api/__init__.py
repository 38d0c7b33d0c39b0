"""TRON's HTTP API as java-tron and TronGrid speak it, with the shapes their clients rely on."""
