//! HTTP: server, problems, extractors, principals, health, metrics, OpenAPI.
