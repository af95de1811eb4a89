//! The helper as a service, looked after while the app runs: who it is, asked over a connection of its own, and power that is
//! opened anew once it is ready.

#![cfg_attr(not(any(target_os = "macos", test)), allow(dead_code, reason = "only macOS has services to look after"))]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::failure::chain;
use super::shared::{Shared, is_busy, lock};
use crate::helper_service::driver::{Greeter, HelperService};
use crate::helper_service::machine::{Hello, Standing};
use crate::power::PowerError;
use crate::power::helper::say_hello;
use crate::power::transport::Transport;

/// How often a run that keeps the helper busy is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Asks the helper over connections that `dial` makes.
pub(super) struct LinkGreeter<D> {
    pub(super) shared: Arc<Shared>,
    pub(super) dial: D,
}

impl<D, T> Greeter for LinkGreeter<D>
where
    D: Fn() -> Result<T, PowerError> + Send + Sync + 'static,
    T: Transport + Sync,
{
    async fn hello(&self) -> Hello {
        let mut transport = match (self.dial)() {
            Ok(transport) => transport,
            Err(error) => return Hello::Silent { why: sentence(&error) },
        };
        let answer = say_hello(&mut transport, env!("CARGO_PKG_VERSION")).await;
        transport.close().await;
        match answer {
            Ok(identity) => {
                Hello::Answered { version: identity.version, protocol: identity.protocol, build: identity.build }
            }
            Err(PowerError::Stranger) => Hello::Stranger,
            Err(error) => Hello::Silent { why: sentence(&error) },
        }
    }

    async fn stop(&self) {
        // a measurement is not ended for an update
        while is_busy(&lock(&self.shared.run)) && !self.shared.is_over() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        self.shared.borrow_power().await;
    }
}

fn sentence(error: &PowerError) -> String {
    let text = chain(error);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// Gives power back after the helper was replaced, and opens it anew when the helper gets ready. Ends with everything.
pub(super) async fn follow(shared: Arc<Shared>, service: HelperService) {
    let mut changes = service.changes();
    let mut was_ready = false;
    while changes.changed().await.is_ok() {
        if shared.is_over() {
            return;
        }
        let standing = changes.borrow_and_update().clone();
        if matches!(standing, Standing::Working(_) | Standing::Unknown) {
            continue;
        }
        let is_ready = matches!(standing, Standing::Ready { .. });
        if shared.is_power_lent() && !is_busy(&lock(&shared.run)) {
            shared.lent.store(false, Ordering::SeqCst);
            shared.power_wish_changed();
        } else if is_ready && !was_ready {
            shared.power_wish_changed();
        }
        was_ready = is_ready;
        shared.publish();
    }
}

/// Starts looking after this Mac's helper; `None` where there are no services.
#[cfg(target_os = "macos")]
pub(super) fn start(shared: &Arc<Shared>) -> Option<HelperService> {
    use crate::helper_service::machine::Facts;
    use crate::helper_service::place::{Place, service_file};
    use crate::helper_service::system::AppService;
    use joulebar_wire::identity::{HELPER_ID, TEAM_ID};

    // a build that no team has signed has no service: it takes the helper that was installed with sudo
    TEAM_ID?;
    let program = std::env::current_exe().and_then(|program| program.canonicalize()).ok()?;
    let facts = Facts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: joulebar_wire::PROTOCOL,
        build: option_env!("JOULEBAR_BUILD").unwrap_or("unknown").to_owned(),
        place: Place::of(&program),
        has_service_file: service_file(&program, HELPER_ID).is_some_and(|file| file.is_file()),
    };
    let greeter = LinkGreeter { shared: Arc::clone(shared), dial: crate::power::open::helper_link };
    Some(HelperService::start(facts, AppService::Helper, greeter, shared.clock()))
}

/// Starts looking after this Mac's helper; `None` where there are no services.
#[cfg(not(target_os = "macos"))]
pub(super) fn start(_: &Arc<Shared>) -> Option<HelperService> {
    None
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use joulebar_wire::{PROTOCOL, Reply};

    use super::*;
    use crate::live::state::PowerProblem;
    use crate::live::{LiveOptions, Mode};
    use crate::power::link::{Link, LinkEvent, LinkTransport};
    use crate::settings::UserSettings;

    /// A helper that has one thing to say.
    struct Fake(Option<LinkEvent>);

    impl Link for Fake {
        fn send(&mut self, json: &[u8]) {
            assert!(String::from_utf8_lossy(json).contains("hello"));
        }

        async fn next(&mut self) -> LinkEvent {
            match self.0.take() {
                Some(event) => event,
                None => std::future::pending().await,
            }
        }

        fn cancel(&mut self) {}
    }

    fn shared() -> Arc<Shared> {
        Arc::new(Shared::new(LiveOptions {
            data: PathBuf::new(),
            config: PathBuf::new(),
            mode: Mode::Real,
            settings: UserSettings::default(),
            token: None,
            launcher: None,
        }))
    }

    async fn greeted(event: Option<LinkEvent>) -> Hello {
        let dial = move || Ok(LinkTransport::new(Fake(event.clone())));
        LinkGreeter { shared: shared(), dial }.hello().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_hello_tells_who_answers_and_why_nobody_does() {
        let (helper, build) = ("1.2.3".to_owned(), "unknown".to_owned());
        let reply = Reply::HelloOk { proto: PROTOCOL + 1, helper, build, powermetrics: true, simulated: false };
        let json = serde_json::to_vec(&reply).unwrap();
        let build = "unknown".to_owned();
        let answered = Hello::Answered { version: "1.2.3".to_owned(), protocol: PROTOCOL + 1, build };
        assert_eq!(greeted(Some(LinkEvent::Message { json, document: None })).await, answered);
        assert_eq!(greeted(Some(LinkEvent::Stranger)).await, Hello::Stranger);
        for silent in [Some(LinkEvent::Invalid), Some(LinkEvent::Interrupted), None] {
            assert!(matches!(greeted(silent).await, Hello::Silent { why } if why.ends_with('.')));
        }
        let dial = || Err::<LinkTransport<Fake>, _>(PowerError::Unavailable { detail: "none".to_owned() });
        assert!(matches!(LinkGreeter { shared: shared(), dial }.hello().await, Hello::Silent { .. }));
    }

    #[tokio::test]
    async fn nobody_is_asked_for_a_password_again_after_a_source_was_opened_or_none_could_be() {
        let shared = shared();
        let asks = async || {
            let power = shared.power().await.unwrap();
            matches!(power, crate::power::open::Power::Auto { may_ask_for_password: true })
        };
        assert!(!asks().await);
        shared.authorize.store(true, Ordering::SeqCst);
        assert!(asks().await && asks().await, "looking does not use it up");
        shared.lose_power(PowerProblem::Unavailable, "None.".to_owned());
        assert!(!asks().await);
        shared.authorize.store(true, Ordering::SeqCst);
        shared.start_power(crate::power::open::Power::Helper.preview());
        assert!(!asks().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_helper_is_replaced_only_after_the_run() {
        let shared = shared();
        shared.step("Starting");
        let dial = || Err::<LinkTransport<Fake>, _>(PowerError::NotRegistered);
        let greeter = Arc::new(LinkGreeter { shared: Arc::clone(&shared), dial });
        let stopping = tokio::spawn(async move { greeter.stop().await });
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!stopping.is_finished() && !shared.is_power_lent());
        shared.run_is(crate::live::state::RunStatus::Idle);
        stopping.await.unwrap();
        assert!(shared.is_power_lent(), "the monitor has let go of the helper");
    }
}
