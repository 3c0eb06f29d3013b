//! Events: topology, relay, consumers, retry, dead letters; over RabbitMQ or in process.
