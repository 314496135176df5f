//! Deterministic whole-system simulation: virtual clock, seeded network
