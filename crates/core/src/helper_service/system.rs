//! `SMAppService`: the helper as a daemon, and the app as a login item.
//!
//! Decides nothing: every call is handed on, and every `NSError` is kept with its domain, number and failure reason.
//! Checked without a Mac: that it compiles. Not checked (docs/unverified.md): what macOS answers.

#![allow(
    unsafe_code,
    reason = "methods of SMAppService, which have no conditions but to be called off the main thread"
)]

use std::sync::mpsc;
use std::time::Duration;

use block2::RcBlock;
use joulebar_wire::identity::HELPER_ID;
use objc2::rc::Retained;
use objc2_foundation::{NSError, NSString};
use objc2_service_management::SMAppService;

use super::{ServiceError, ServiceRegistry, ServiceStatus};

/// How long macOS may take to unregister a service.
const UNREGISTER_LIMIT: Duration = Duration::from_secs(10);

/// One of the app's services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppService {
    /// The helper.
    Helper,
    /// The app itself, started with the user's session.
    MainApp,
}

impl AppService {
    fn service(self) -> Retained<SMAppService> {
        match self {
            // SAFETY: makes an object from a string.
            Self::Helper => unsafe {
                SMAppService::daemonServiceWithPlistName(&NSString::from_str(&format!("{HELPER_ID}.plist")))
            },
            // SAFETY: gives an object.
            Self::MainApp => unsafe { SMAppService::mainAppService() },
        }
    }
}

fn described(error: &NSError) -> ServiceError {
    ServiceError {
        domain: error.domain().to_string(),
        code: i64::try_from(error.code()).unwrap_or(i64::MAX),
        description: error.localizedDescription().to_string(),
        reason: error.localizedFailureReason().map(|reason| reason.to_string()),
    }
}

impl ServiceRegistry for AppService {
    fn status(&self) -> ServiceStatus {
        // SAFETY: the object is alive.
        let status = unsafe { self.service().status() };
        ServiceStatus::from(i64::try_from(status.0).unwrap_or(i64::MAX))
    }

    fn register(&self) -> Result<(), ServiceError> {
        // SAFETY: the object is alive.
        unsafe { self.service().registerAndReturnError() }.map_err(|error| described(&error))
    }

    fn unregister(&self) -> Result<(), ServiceError> {
        let (sender, done) = mpsc::channel();
        let block = RcBlock::new(move |error: *mut NSError| {
            // SAFETY: the error is null, or lives as long as this call.
            let result = unsafe { error.as_ref() }.map_or(Ok(()), |error| Err(described(error)));
            // nobody waits any more after the limit
            let _ = sender.send(result);
        });
        // SAFETY: the object is alive, and the block is copied by the system and is of the type it expects.
        unsafe { self.service().unregisterWithCompletionHandler(&block) };
        done.recv_timeout(UNREGISTER_LIMIT)
            .unwrap_or_else(|_| Err(ServiceError::own("macOS did not say within 10 s that the service is removed")))
    }

    fn open_settings(&self) {
        // SAFETY: opens a window of another program.
        unsafe { SMAppService::openSystemSettingsLoginItems() };
    }
}
