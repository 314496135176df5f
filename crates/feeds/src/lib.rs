//! Market sources: Betfair recordings and a seeded market simulator
