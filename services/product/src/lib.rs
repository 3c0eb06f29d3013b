//! What may be sold: SKUs, categories, bundles.
