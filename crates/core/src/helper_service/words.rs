//! How the helper stands, in the words of a screen, and what to do. Pure.

use serde::Serialize;

use super::ServiceError;
use super::machine::{Standing, Work};
use super::place::Place;

/// How the helper stands as a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ServiceView {
    /// What a screen acts on.
    pub state: ServiceState,
    /// One line.
    pub title: String,
    /// The facts.
    pub detail: String,
    /// What to do.
    pub next: Option<String>,
    /// Version of the helper that answers.
    pub version: Option<String>,
    /// What macOS says, with its numbers, for a bug report.
    pub error: Option<String>,
    /// True when it makes sense to enable it now.
    pub can_enable: bool,
    /// True when System Settings is the place to go to.
    pub can_open_settings: bool,
    /// True when registering it anew may help.
    pub can_repair: bool,
    /// True when there is something to remove.
    pub can_remove: bool,
}

/// How the helper stands, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// This system has no such services.
    DoesNotApply,
    /// Something is being done.
    Working,
    /// Not registered.
    Off,
    /// Waits for the user.
    NeedsApproval,
    /// Answers.
    Ready,
    /// Needs the user's help.
    Failed,
}

impl ServiceView {
    fn new(state: ServiceState, title: &str, detail: impl Into<String>) -> Self {
        Self {
            state,
            title: title.to_owned(),
            detail: detail.into(),
            next: None,
            version: None,
            error: None,
            can_enable: false,
            can_open_settings: false,
            can_repair: false,
            can_remove: false,
        }
    }

    fn next(mut self, next: &str) -> Self {
        self.next = Some(next.to_owned());
        self
    }

    /// On a system without such services.
    #[must_use]
    pub fn does_not_apply() -> Self {
        Self::new(ServiceState::DoesNotApply, "No background service", "Only macOS keeps the helper as a service.")
    }
}

impl From<&Standing> for ServiceView {
    fn from(standing: &Standing) -> Self {
        let failed = |title, detail: String| Self::new(ServiceState::Failed, title, detail);
        match standing {
            Standing::Unknown => Self::new(ServiceState::Working, "Looking", ""),
            Standing::Working(work) => Self::new(ServiceState::Working, work_title(*work), ""),
            Standing::Off => Self {
                can_enable: true,
                ..Self::new(ServiceState::Off, "Not set up", "macOS runs it only after you allowed it once.")
            },
            Standing::NeedsApproval => Self {
                can_open_settings: true,
                ..Self::new(
                    ServiceState::NeedsApproval,
                    "Waiting for your approval",
                    "Its switch in Login Items & Extensions is off.",
                )
                .next("Switch Joulebar on under Allow in the Background. An administrator has to confirm.")
            },
            Standing::Ready { version } => Self {
                version: Some(version.clone()),
                can_remove: true,
                ..Self::new(ServiceState::Ready, "Ready", format!("Version {version} answers."))
            },
            Standing::Silent { why } => Self {
                can_repair: true,
                can_remove: true,
                can_open_settings: true,
                ..failed("Allowed, but it does not answer", why.clone())
                    .next("Register it anew. If that does not help, switch it off and on in Login Items & Extensions.")
            },
            Standing::Stranger => Self {
                can_repair: true,
                ..failed(
                    "Not our helper",
                    "A program answers under the helper’s name that is not signed as the helper is. Nothing is read from it."
                        .to_owned(),
                )
                .next("Install Joulebar again, then register the helper anew.")
            },
            Standing::WrongPlace(place) => wrong_place(place),
            Standing::IncompleteBundle => failed("Joulebar is incomplete", "The helper’s file is missing.".to_owned())
                .next("Install Joulebar again. A copy without its helper can’t be repaired."),
            Standing::BrokenRecord { error } => Self {
                error: error.as_ref().map(ToString::to_string),
                can_enable: true,
                ..failed(
                    "macOS has lost track of Joulebar",
                    "The helper’s file is in the app, but macOS says that there is none: its record of the app is broken."
                        .to_owned(),
                )
                .next("Move Joulebar to the Trash and back to Applications, restart the Mac, and enable it again.")
            },
            Standing::HelperIsNewer { version } => Self {
                version: Some(version.clone()),
                ..failed("The helper is newer than the app", format!("Version {version} answers."))
                    .next("Update Joulebar. A newer helper is never replaced by an older one.")
            },
            Standing::StillOlder { version } => Self {
                version: Some(version.clone()),
                can_repair: true,
                ..failed("An older helper still runs", format!("Version {version} answers after it was replaced."))
                    .next("Restart the Mac, then register the helper anew.")
            },
            Standing::Failed { error } => Self {
                error: Some(error.to_string()),
                can_enable: true,
                can_open_settings: true,
                ..failed("macOS refused", error.reason.clone().unwrap_or_else(|| error.description.clone()))
                    .next(advice(error))
            },
        }
    }
}

fn work_title(work: Work) -> &'static str {
    match work {
        Work::Looking => "Looking",
        Work::Registering => "Registering",
        Work::Greeting => "Asking the helper",
        Work::Replacing => "Replacing the helper",
        Work::Removing => "Removing",
    }
}

fn wrong_place(place: &Place) -> ServiceView {
    let detail = match place {
        Place::Translocated => {
            "macOS runs a copy of it in a place of its own, because it was opened where it was downloaded to."
                .to_owned()
        }
        Place::Elsewhere(bundle) => format!("It lies at {}.", bundle.display()),
        Place::NoBundle | Place::Applications => "This program runs outside of the app.".to_owned(),
    };
    ServiceView { can_enable: true, ..ServiceView::new(ServiceState::Failed, "Move Joulebar first", detail) }
        .next("Quit it, drag Joulebar.app into the Applications folder, and open it from there.")
}

/// What may help against an error of the service's domain.
fn advice(error: &ServiceError) -> &'static str {
    match error.reason_code() {
        Some(-67062) => return "This copy is not signed. Download Joulebar again, or see docs/install.md to build it.",
        Some(-67054) => return "This copy was changed after it was signed. Download Joulebar again.",
        Some(-67050) => return "The signatures of app and helper don’t fit together. Download Joulebar again.",
        Some(-67028) => return "Open Joulebar.app from the Applications folder, not a program inside of it.",
        Some(-2_147_409_622) => {
            return "The certificate of this copy is not trusted. See docs/install.md: build it with an Apple certificate, or install the helper with sudo.";
        }
        _ => {}
    }
    match error.code {
        3 => {
            "The signature is not good enough for a service. See docs/install.md for builds without an Apple certificate."
        }
        4 => "An administrator has to allow it.",
        5 | 6 | 8 | 10 => "Install Joulebar again: a part of it is missing or damaged.",
        9 | 11 => "Switch Joulebar on in System Settings, General, Login Items & Extensions.",
        ServiceError::NOT_PERMITTED => {
            "Look in System Settings, General, Login Items & Extensions whether Joulebar is switched off there, then try again."
        }
        _ => "Try again. If it stays so, restart the Mac.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i64, reason: Option<&str>) -> ServiceError {
        ServiceError {
            domain: "SMAppServiceErrorDomain".to_owned(),
            code,
            description: "Operation not permitted".to_owned(),
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn the_reason_of_the_system_reaches_the_reader_with_all_its_numbers() {
        let error = refused(3, Some("Codesigning failure loading plist: a.b.helper code: -67028"));
        assert_eq!(error.reason_code(), Some(-67028));
        let view = ServiceView::from(&Standing::Failed { error });
        assert_eq!(view.detail, "Codesigning failure loading plist: a.b.helper code: -67028");
        let all = view.error.unwrap();
        for part in ["SMAppServiceErrorDomain", "3", "-67028", "Operation not permitted"] {
            assert!(all.contains(part), "{all}");
        }
        assert!(view.next.unwrap().contains("Applications folder"));
    }

    #[test]
    fn reasons_without_a_number_have_none() {
        for reason in [None, Some("no"), Some("code: "), Some("code: x"), Some("code: -")] {
            assert_eq!(refused(1, reason).reason_code(), None, "{reason:?}");
        }
        assert_eq!(refused(1, Some("X code: -67062.")).reason_code(), Some(-67062));
    }

    #[test]
    fn whatever_went_wrong_says_what_to_do() {
        let version = || "1.0.0".to_owned();
        let standings = [
            Standing::NeedsApproval,
            Standing::Silent { why: "No answer.".to_owned() },
            Standing::Stranger,
            Standing::WrongPlace(Place::Translocated),
            Standing::WrongPlace(Place::NoBundle),
            Standing::WrongPlace(Place::Elsewhere("/Users/a/Joulebar.app".into())),
            Standing::IncompleteBundle,
            Standing::BrokenRecord { error: None },
            Standing::HelperIsNewer { version: version() },
            Standing::StillOlder { version: version() },
            Standing::Failed { error: refused(1, None) },
        ];
        for standing in standings {
            let view = ServiceView::from(&standing);
            assert!(view.next.as_ref().is_some_and(|next| next.ends_with('.')), "{standing:?}");
            assert!(!view.detail.is_empty(), "{standing:?}");
        }
        for code in 0..13 {
            assert!(!advice(&refused(code, None)).is_empty());
        }
    }
}
