"""The contract machine: py-evm's interpreter with TRON's prices, precompiles, addresses and storage."""
