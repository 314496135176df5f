//! Market sources: Betfair recordings and a seeded market simulator

pub mod betfair;
pub mod simulator;
