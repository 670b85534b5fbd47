"""Benchmarks: proxies side by side on this machine, compared as ratios within each round."""
