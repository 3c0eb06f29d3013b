//! Settings, telemetry, lifecycle, cache and secrets of a running process.
