"""Tests of the chain plane."""
