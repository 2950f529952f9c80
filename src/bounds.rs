//! What clients may take of us: how much of it is taken, and how often that was not enough.
//!
//! A limit protects the others. So each is kept per client address first, and only then for all together: whoever reaches a limit alone
//! is refused alone. Nothing in here waits, but for memory.

mod address;
mod limit;
mod limits;
pub mod memory;
mod shares;

pub use limit::Limit;
pub use limits::Limits;
pub use shares::{Bounds, LimitUsage, OpenStream, Permit, Usage, WaitingRequest};
