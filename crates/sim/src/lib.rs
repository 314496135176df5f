//! The whole system in one thread, under a virtual clock, with everything going wrong that can.
//!
//! A seed decides who publishes what, who follows what, and which faults strike how often. After every frame that a
//! client applies, what it holds is compared with what the store was at the revision the client states; when the
//! faults have stopped, everybody must come to hold exactly what there is. The same seed does the same again.
//!
//! What this crate deliberately does not know: sockets, clocks, threads.
//!
//! ```
//! use oddswire_sim::{Simulation, SimulationConfig};
//!
//! let report = Simulation::new(1, SimulationConfig::default()).run().unwrap();
//! assert!(report.checks > 0);
//! ```

mod book;
mod check;
mod compare;
mod config;
mod disorder;
mod disturb;
mod end;
mod fault;
mod gateway;
mod happening;
mod history;
mod link;
mod network;
mod news;
mod producer;
mod random;
mod receiver;
mod report;
mod schedule;
mod simulation;
mod supply;

pub use config::SimulationConfig;
pub use fault::{FAULTS, Fault};
pub use random::Random;
pub use report::{Failure, Report};
pub use simulation::Simulation;
