//! The ways to power, and which of them is tried first. Pure, but for the trying itself, which the caller passes in.

use std::future::Future;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How power is read on a Mac.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "PowerWay"))]
#[schemars(rename = "PowerWay")]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// powermetrics through the helper that macOS runs in the background.
    HelperService,
    /// powermetrics through a helper that was started with this program, with this program's rights.
    HelperChild,
    /// powermetrics itself, started with an administrator's password for this once.
    Authorization,
    /// The energy counters, which need no rights.
    Counters,
}

impl Way {
    /// All ways, best first: the order of `auto`.
    pub const ORDER: [Self; 4] = [Self::HelperService, Self::HelperChild, Self::Authorization, Self::Counters];

    /// Its name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::HelperService => "powermetrics, through the background helper",
            Self::HelperChild => "powermetrics, through a helper of this program’s own",
            Self::Authorization => "powermetrics, authorized once",
            Self::Counters => "energy counters, without administrator rights",
        }
    }

    /// What its figures cover, for people.
    #[must_use]
    pub fn scope(self) -> &'static str {
        match self {
            Self::HelperService | Self::HelperChild | Self::Authorization => {
                "GPU, CPU and Neural Engine as powermetrics estimates them; not memory, display or power supply"
            }
            Self::Counters => {
                "GPU, CPU and Neural Engine as far as the counters move; the whole machine as the SMC estimates it"
            }
        }
    }
}

/// A way that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct PassedOver {
    /// Which.
    pub way: Way,
    /// Why, for people.
    pub why: String,
}

/// What decides which ways there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayFacts {
    /// True on a Mac: elsewhere there is only a helper as a child.
    pub is_mac: bool,
    /// True when this program has root's rights.
    pub is_root: bool,
    /// True when somebody who can type a password has asked for it just now.
    pub may_ask_for_password: bool,
    /// True when the helper was asked for by name.
    pub only_helper: bool,
}

impl WayFacts {
    /// What holds for this program.
    #[must_use]
    pub fn of_this_program(may_ask_for_password: bool) -> Self {
        // SAFETY: `geteuid` only returns a number and can't fail.
        let is_root = unsafe { libc::geteuid() } == 0;
        Self { is_mac: cfg!(target_os = "macos"), is_root, may_ask_for_password, only_helper: false }
    }

    /// Why a way is not even tried; `None` for one that is.
    fn passes_over(self, way: Way) -> Option<&'static str> {
        match way {
            Way::HelperChild if self.is_mac && !self.is_root => Some("it needs to be started with sudo"),
            Way::HelperChild => None,
            _ if !self.is_mac => Some("it exists on macOS alone"),
            Way::Authorization | Way::Counters if self.only_helper => Some("only the helper was asked for"),
            Way::Authorization if !self.may_ask_for_password => Some("it was not asked for"),
            Way::HelperService | Way::Authorization | Way::Counters => None,
        }
    }
}

/// A way that was opened, and what was passed over for it.
#[derive(Debug)]
pub struct Chosen<T> {
    /// What was opened.
    pub opened: T,
    /// The way.
    pub way: Way,
    /// Ways before it that exist on this system, and why they were not taken.
    pub passed_over: Vec<PassedOver>,
}

/// Opens the first way that can be opened.
///
/// # Errors
/// What the best way failed with that was tried at all.
pub async fn choose<T, E, F>(facts: WayFacts, mut open: impl FnMut(Way) -> F) -> Result<Chosen<T>, E>
where
    E: std::error::Error + 'static,
    F: Future<Output = Result<T, E>>,
{
    let mut passed_over = Vec::new();
    let mut first_failure = None;
    // a helper as a child is tried everywhere but on a Mac without root's rights, where the counters are: the list of what
    // is tried is never empty
    let (tried, skipped): (Vec<_>, Vec<_>) = Way::ORDER.into_iter().partition(|way| facts.passes_over(*way).is_none());
    for way in tried {
        match open(way).await {
            Ok(opened) => {
                if facts.is_mac {
                    let skipped = skipped.into_iter().filter(|skipped| rank(*skipped) < rank(way));
                    passed_over.extend(
                        skipped
                            .map(|way| PassedOver { way, why: facts.passes_over(way).unwrap_or_default().to_owned() }),
                    );
                    passed_over.sort_by_key(|passed| rank(passed.way));
                }
                return Ok(Chosen { opened, way, passed_over });
            }
            Err(error) => {
                passed_over.push(PassedOver { way, why: crate::live::chain(&error) });
                first_failure.get_or_insert(error);
            }
        }
    }
    Err(first_failure.expect("one way is tried on every system"))
}

fn rank(way: Way) -> usize {
    Way::ORDER.iter().position(|other| *other == way).unwrap_or(Way::ORDER.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("{0:?} failed")]
    struct Broken(Way);

    const USER: WayFacts = WayFacts { is_mac: true, is_root: false, may_ask_for_password: false, only_helper: false };

    /// Tries what works; everything that was tried, and what came of it.
    async fn tried(facts: WayFacts, works: &[Way]) -> (Vec<Way>, Result<Chosen<Way>, Broken>) {
        let mut tried = Vec::new();
        let chosen = choose(facts, |way| {
            tried.push(way);
            let works = works.contains(&way);
            async move { if works { Ok(way) } else { Err(Broken(way)) } }
        })
        .await;
        (tried, chosen)
    }

    #[tokio::test]
    async fn the_order_is_service_root_authorization_counters() {
        let all = WayFacts { is_root: true, may_ask_for_password: true, ..USER };
        let (order, result) = tried(all, &[]).await;
        assert_eq!(order, [Way::HelperService, Way::HelperChild, Way::Authorization, Way::Counters]);
        assert_eq!(result.unwrap_err(), Broken(Way::HelperService), "the best way's failure is shown");
        for (position, way) in Way::ORDER.into_iter().enumerate() {
            let (order, result) = tried(all, &[way, Way::Counters]).await;
            assert_eq!((order.len(), result.unwrap().way), (position + 1, way));
        }
    }

    #[tokio::test]
    async fn nobody_is_asked_for_a_password_unasked() {
        for is_root in [false, true] {
            let (order, _) = tried(WayFacts { is_root, ..USER }, &[]).await;
            assert!(!order.contains(&Way::Authorization));
        }
    }

    #[tokio::test]
    async fn a_user_without_rights_gets_the_counters_and_hears_why() {
        let (order, result) = tried(USER, &[Way::Counters]).await;
        assert_eq!(order, [Way::HelperService, Way::Counters]);
        let passed: Vec<_> = result.unwrap().passed_over.into_iter().map(|passed| (passed.way, passed.why)).collect();
        assert_eq!(
            passed,
            [
                (Way::HelperService, "HelperService failed".to_owned()),
                (Way::HelperChild, "it needs to be started with sudo".to_owned()),
                (Way::Authorization, "it was not asked for".to_owned()),
            ]
        );
    }

    #[tokio::test]
    async fn who_asks_for_the_helper_gets_no_other_way() {
        let facts = WayFacts { is_root: true, may_ask_for_password: true, only_helper: true, ..USER };
        assert_eq!(tried(facts, &[Way::Counters]).await.0, [Way::HelperService, Way::HelperChild]);
    }

    #[tokio::test]
    async fn elsewhere_there_is_only_the_helper_as_a_child() {
        for is_root in [false, true] {
            let facts = WayFacts { is_mac: false, is_root, may_ask_for_password: true, only_helper: false };
            let (order, result) = tried(facts, &[Way::HelperChild]).await;
            assert_eq!(order, [Way::HelperChild]);
            assert!(result.unwrap().passed_over.is_empty());
            assert_eq!(tried(facts, &[]).await.1.unwrap_err(), Broken(Way::HelperChild));
        }
    }
}
