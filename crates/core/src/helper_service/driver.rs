//! Makes the calls that the [`machine`](super::machine) asks for, and tells whoever looks how things stand.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, sleep};

use super::machine::{Call, Facts, Hello, Machine, Outcome, Standing, Step, Wish};
use super::{ServiceError, ServiceRegistry};
use crate::clock::Clock;

/// Wishes that wait.
const WAITING_WISHES: usize = 4;

/// Who the helper is, asked over its own connection.
pub trait Greeter: Send + Sync + 'static {
    /// Asks the helper who it is. Ends by itself after a few seconds.
    fn hello(&self) -> impl Future<Output = Hello> + Send;

    /// Ends everything that the helper does for this program, before it is replaced or removed.
    fn stop(&self) -> impl Future<Output = ()> + Send;
}

/// A handle of the task that looks after the service. The task ends with its last handle.
#[derive(Clone, Debug)]
pub struct HelperService {
    wishes: mpsc::Sender<Wish>,
    standing: watch::Receiver<Standing>,
}

impl HelperService {
    /// Starts the task, which begins by looking. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start<R: ServiceRegistry, G: Greeter>(facts: Facts, registry: R, greeter: G, clock: Clock) -> Self {
        let (wishes, receiver) = mpsc::channel(WAITING_WISHES);
        let (sender, standing) = watch::channel(Standing::Unknown);
        let machine = Machine::new(facts);
        tokio::spawn(drive(machine, Arc::new(registry), greeter, clock, receiver, sender));
        Self { wishes, standing }
    }

    /// Says what is wanted; done when what is under way now has ended.
    pub async fn want(&self, wish: Wish) {
        // the task ends only with the last handle
        let _ = self.wishes.send(wish).await;
    }

    /// How things stand.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// How things stand, whenever that changes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }
}

async fn drive<R: ServiceRegistry, G: Greeter>(
    mut machine: Machine,
    registry: Arc<R>,
    greeter: G,
    clock: Clock,
    mut wishes: mpsc::Receiver<Wish>,
    standing: watch::Sender<Standing>,
) {
    loop {
        let step = machine.next(clock.now());
        standing.send_if_modified(|shown| {
            let differs = shown != machine.standing();
            if differs {
                shown.clone_from(machine.standing());
            }
            differs
        });
        let pause = match step {
            Step::Call(call) => {
                let outcome = make(call, &registry, &greeter).await;
                machine.take(outcome, clock.now());
                match wishes.try_recv() {
                    Ok(wish) => machine.want(wish),
                    Err(mpsc::error::TryRecvError::Empty) => {}
                    Err(mpsc::error::TryRecvError::Disconnected) => return,
                }
                continue;
            }
            Step::WaitUntil(instant) => instant.saturating_since(clock.now()),
            Step::Rest => Duration::MAX,
        };
        tokio::select! {
            wish = wishes.recv() => match wish {
                Some(wish) => machine.want(wish),
                None => return,
            },
            () = sleep(pause), if pause != Duration::MAX => {}
        }
    }
}

async fn make<R: ServiceRegistry, G: Greeter>(call: Call, registry: &Arc<R>, greeter: &G) -> Outcome {
    match call {
        Call::ReadStatus => {
            Outcome::Status(blocking(registry, R::status).await.unwrap_or(super::ServiceStatus::Other(i64::MIN)))
        }
        Call::Register => Outcome::Registered(blocking(registry, R::register).await.unwrap_or_else(|| Err(failed()))),
        Call::Unregister => {
            Outcome::Unregistered(blocking(registry, R::unregister).await.unwrap_or_else(|| Err(failed())))
        }
        Call::OpenSettings => {
            blocking(registry, R::open_settings).await;
            Outcome::SettingsOpened
        }
        Call::Hello => Outcome::Hello(greeter.hello().await),
        Call::StopHelper => {
            greeter.stop().await;
            Outcome::HelperStopped
        }
    }
}

/// Calls of the registry wait for another process: they get a thread. `None` when the call panicked.
async fn blocking<R: ServiceRegistry, T: Send + 'static>(registry: &Arc<R>, call: fn(&R) -> T) -> Option<T> {
    let registry = Arc::clone(registry);
    tokio::task::spawn_blocking(move || call(&registry)).await.ok()
}

fn failed() -> ServiceError {
    ServiceError::own("the call to macOS failed")
}
