//! Sizes of a simulation.

/// How large a simulation is. What goes wrong in it, and how often, is the seed's to say.
#[derive(Debug, Clone)]
pub struct SimulationConfig {
    /// Virtual time during which things go wrong.
    pub faulty_ms: u64,
    /// Virtual time from the last fault to the end, in which everything must come right.
    pub calm_ms: u64,
    /// Fewest and most clients.
    pub clients: (u64, u64),
    /// Fewest and most markets offered at once.
    pub markets: (u64, u64),
    /// Fewest and most commits per second of all producers together.
    pub commits_per_second: (u64, u64),
    /// Of how many applied frames one is followed by a check of everything the client holds.
    pub full_check_every: u64,
    /// Nothing goes wrong at all.
    pub no_faults: bool,
    /// Every event is printed to standard error.
    pub trace: bool,
}

impl Default for SimulationConfig {
    fn default() -> Self {
        Self {
            faulty_ms: 80_000,
            calm_ms: 10_000,
            clients: (2, 7),
            markets: (4, 12),
            commits_per_second: (1, 8),
            full_check_every: 16,
            no_faults: false,
            trace: false,
        }
    }
}
