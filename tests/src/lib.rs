//! Whole-system tests, the replay of real orders, and the benchmark.
