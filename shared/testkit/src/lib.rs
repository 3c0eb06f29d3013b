//! Databases, brokers, proxies and clocks for tests.
