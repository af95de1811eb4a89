//! The built-in demo: the simulator's LM Studio and the simulated helper, started by this program and ended with it.

mod server;
mod stage;

pub use server::DemoServer;
pub use stage::Stage;

use crate::programs::MissingProgram;

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum DemoError {
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    #[error("the demo's server did not start")]
    Start(#[source] std::io::Error),
    #[error("no temporary folder can be made")]
    Folder(#[source] std::io::Error),
}
