"""Helpers for testing code that uses memkit: real servers, a proxy that injects faults, pytest fixtures."""
