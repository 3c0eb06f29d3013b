//! One person behind every channel: identities, points, tiers.
