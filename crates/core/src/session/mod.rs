//! A benchmark session: phases as a pure state machine, a thin runner that drives it, and the record it leaves.

pub mod estimate;
pub mod keeper;
pub mod machine;
pub mod partial;
pub mod record;
pub mod runner;
pub mod setup;
