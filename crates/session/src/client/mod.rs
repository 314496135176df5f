//! The receiver's end of a conversation.

mod event;
mod frame;
mod reading;
mod session;
mod watch;

pub use event::{Event, ResumeOutcome};
pub use frame::ClientError;
pub use reading::{MarketState, Reading};
pub use session::{ClientConfig, ClientSession, Connection, SessionStats, SubscriptionRequest};
