//! The helper as a service of macOS: registered once, approved once in Login Items, then started on demand.
//!
//! [`machine`] decides, fed with outcomes and the time; [`driver`] makes the calls that it asks for; [`place`] knows from
//! where macOS takes a service; [`words`] is what people read. `system` makes the calls of `SMAppService` on a Mac. Leaves
//! to others: the helper's messages ([`crate::power::helper`]), and what a service does once it runs.

pub mod driver;
pub mod login;
pub mod machine;
pub mod place;
#[cfg(target_os = "macos")]
pub mod system;
#[cfg(test)]
mod tests;
pub mod words;

/// What macOS says of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceStatus {
    /// Never registered, or unregistered again.
    NotRegistered,
    /// Registered and approved. It may still not run.
    Enabled,
    /// Registered, but switched off in Login Items, or not yet switched on.
    RequiresApproval,
    /// macOS finds no such service. Also the answer before the first registration.
    NotFound,
    /// A status that this version does not know, by its number.
    Other(i64),
}

impl From<i64> for ServiceStatus {
    fn from(status: i64) -> Self {
        match status {
            0 => Self::NotRegistered,
            1 => Self::Enabled,
            2 => Self::RequiresApproval,
            3 => Self::NotFound,
            other => Self::Other(other),
        }
    }
}

/// Why macOS did not do as it was asked, with everything that its `NSError` says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{description}{} ({domain} {code})", reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}")))]
pub struct ServiceError {
    /// Its domain, `SMAppServiceErrorDomain`.
    pub domain: String,
    /// Its number in the domain.
    pub code: i64,
    /// Its description in the user's language.
    pub description: String,
    /// Its failure reason: `Codesigning failure loading plist: X code: -67028`.
    pub reason: Option<String>,
}

/// The domain of errors that are made here.
pub const OWN_DOMAIN: &str = "Joulebar";

impl ServiceError {
    /// "Operation not permitted": the answer to most of what can be wrong, and to what is only not settled yet.
    pub const NOT_PERMITTED: i64 = 1;
    /// `kSMErrorJobNotFound`.
    pub const JOB_NOT_FOUND: i64 = 6;
    /// `kSMErrorJobPlistNotFound`.
    pub const PLIST_NOT_FOUND: i64 = 8;

    /// An error that is not of the system: a call that never came back.
    #[must_use]
    pub fn own(description: &str) -> Self {
        Self { domain: OWN_DOMAIN.to_owned(), code: 0, description: description.to_owned(), reason: None }
    }

    /// The number that the failure reason ends with, `-67028`; `None` where it has none.
    #[must_use]
    pub fn reason_code(&self) -> Option<i64> {
        let (_, number) = self.reason.as_deref()?.rsplit_once("code: ")?;
        let end = number.char_indices().find(|(at, c)| !(c.is_ascii_digit() || (*at == 0 && *c == '-')));
        number[..end.map_or(number.len(), |(at, _)| at)].parse().ok()
    }
}

/// What is asked of macOS about one service. Every call may block for seconds: never make one on the main thread.
pub trait ServiceRegistry: Send + Sync + 'static {
    /// Its status now.
    fn status(&self) -> ServiceStatus;

    /// Registers it. The result alone decides nothing: read the status afterwards.
    ///
    /// # Errors
    /// What macOS says.
    fn register(&self) -> Result<(), ServiceError>;

    /// Unregisters it, and comes back when macOS has done so. Only for a service that is enabled.
    ///
    /// # Errors
    /// What macOS says; an error of [`OWN_DOMAIN`] when it says nothing for too long.
    fn unregister(&self) -> Result<(), ServiceError>;

    /// Opens the page of Login Items in System Settings.
    fn open_settings(&self);
}
