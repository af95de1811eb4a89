//! The app as a login item. Pure over the registry: the status decides, as with the helper.

use super::{ServiceError, ServiceRegistry, ServiceStatus};

/// Why the app did not become a login item, or stayed one.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message is the documentation")]
pub enum LoginError {
    #[error(
        "Joulebar is switched off under Open at Login. Switch it on in System Settings, General, Login Items & Extensions."
    )]
    SwitchedOff,
    #[error("Open at login can’t be set: {0}. Joulebar has to lie in the Applications folder.")]
    Refused(ServiceError),
    #[error(
        "Open at login can’t be removed: {0}. Remove Joulebar in System Settings, General, Login Items & Extensions."
    )]
    Stays(ServiceError),
}

/// Registers or unregisters the app, if it is not so already. Opens System Settings where only the user can switch it on.
///
/// # Errors
/// [`LoginError`].
pub fn set(app: &impl ServiceRegistry, on: bool) -> Result<(), LoginError> {
    let before = app.status();
    if (before == ServiceStatus::Enabled) == on {
        return Ok(());
    }
    if !on {
        // what is not enabled starts nothing
        return app.unregister().or_else(|error| match app.status() {
            ServiceStatus::Enabled => Err(LoginError::Stays(error)),
            _ => Ok(()),
        });
    }
    let result = app.register();
    match (app.status(), result) {
        (ServiceStatus::Enabled, _) => Ok(()),
        (ServiceStatus::RequiresApproval, _) => {
            app.open_settings();
            Err(LoginError::SwitchedOff)
        }
        (_, Err(error)) => Err(LoginError::Refused(error)),
        (_, Ok(())) => Err(LoginError::Refused(ServiceError::own("macOS took it and then did not have it"))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::*;
    use ServiceStatus::{Enabled, NotFound, NotRegistered, RequiresApproval};

    struct Fake {
        statuses: Mutex<VecDeque<ServiceStatus>>,
        fails: bool,
        calls: Mutex<Vec<&'static str>>,
    }

    impl Fake {
        fn call(&self, name: &'static str) -> Result<(), ServiceError> {
            self.calls.lock().unwrap().push(name);
            if self.fails { Err(ServiceError::own("no")) } else { Ok(()) }
        }
    }

    impl ServiceRegistry for Fake {
        fn status(&self) -> ServiceStatus {
            self.statuses.lock().unwrap().pop_front().unwrap()
        }
        fn register(&self) -> Result<(), ServiceError> {
            self.call("register")
        }
        fn unregister(&self) -> Result<(), ServiceError> {
            self.call("unregister")
        }
        fn open_settings(&self) {
            self.calls.lock().unwrap().push("settings");
        }
    }

    fn played(on: bool, statuses: &[ServiceStatus], fails: bool) -> (Vec<&'static str>, Result<(), LoginError>) {
        let fake = Fake { statuses: Mutex::new(statuses.iter().copied().collect()), fails, calls: Mutex::default() };
        let result = set(&fake, on);
        (fake.calls.into_inner().unwrap(), result)
    }

    #[test]
    fn what_is_so_already_is_left_alone() {
        assert!(matches!(played(true, &[Enabled], true), (calls, Ok(())) if calls.is_empty()));
        for status in [NotRegistered, NotFound] {
            assert!(matches!(played(false, &[status], true), (calls, Ok(())) if calls.is_empty()));
        }
    }

    #[test]
    fn the_status_decides_and_not_what_register_says() {
        for fails in [false, true] {
            assert!(matches!(played(true, &[NotFound, Enabled], fails), (calls, Ok(())) if calls == ["register"]));
            let (calls, result) = played(true, &[NotRegistered, RequiresApproval], fails);
            assert!(matches!(result, Err(LoginError::SwitchedOff)) && calls == ["register", "settings"]);
            assert!(matches!(played(true, &[NotFound, NotFound], fails).1, Err(LoginError::Refused(_))));
        }
    }

    #[test]
    fn a_removal_that_fails_says_so() {
        assert!(played(false, &[Enabled], false).1.is_ok());
        assert!(matches!(played(false, &[Enabled, Enabled], true).1, Err(LoginError::Stays(_))));
        assert!(played(false, &[Enabled, NotRegistered], true).1.is_ok());
    }
}
