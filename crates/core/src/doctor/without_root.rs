//! What can be read on a Mac without root: whether the energy counters move, the SMC's sensor, the helper's registration.
//! Judging is pure; reading is left to [`crate::power::counters`] and [`crate::helper_service`].

use super::facts::{IoReport, Registration, SystemPower};
use crate::helper_service::ServiceStatus;
use crate::power::counters::rules::Reading;

/// Windows that are looked at: longer together than the counters' batches.
#[cfg_attr(
    not(all(target_os = "macos", target_arch = "aarch64")),
    allow(dead_code, reason = "Apple Silicon alone has them")
)]
const WINDOWS: usize = 5;

/// What the readings of following windows of a second say. 0 W of CPU in all of them is a standstill: a CPU that reads them
/// draws power. Power of the chip is the mean over all windows.
#[cfg_attr(
    not(all(target_os = "macos", target_arch = "aarch64")),
    allow(dead_code, reason = "Apple Silicon alone has them")
)]
fn judge(readings: &[Reading]) -> IoReport {
    if readings.is_empty() {
        return IoReport::Missing;
    }
    if readings.iter().all(|reading| reading.cpu_w <= 0.0 || reading.cpu_w.is_nan()) {
        return IoReport::Frozen;
    }
    let mean_mw = readings.iter().map(|reading| f64::from(reading.chip_w)).sum::<f64>() * 1e3 / readings.len() as f64;
    IoReport::Live { soc_mw: Some(mean_mw).filter(|mw| mw.is_finite() && *mw > 0.0) }
}

#[cfg_attr(not(target_os = "macos"), allow(dead_code, reason = "only macOS has services"))]
fn registered(status: ServiceStatus) -> Option<Registration> {
    match status {
        ServiceStatus::Enabled => Some(Registration::Enabled),
        ServiceStatus::RequiresApproval => Some(Registration::RequiresApproval),
        // the answer before the first registration is one or the other
        ServiceStatus::NotRegistered | ServiceStatus::NotFound => Some(Registration::NotRegistered),
        ServiceStatus::Other(_) => None,
    }
}

/// How the helper of a signed app stands; only a program inside the app can ask.
#[cfg(target_os = "macos")]
pub(super) fn registration() -> Option<Registration> {
    use crate::helper_service::ServiceRegistry;
    use crate::helper_service::place::bundle_of;
    use crate::helper_service::system::AppService;

    joulebar_wire::identity::TEAM_ID?;
    let own = std::env::current_exe().and_then(|own| own.canonicalize()).ok()?;
    bundle_of(&own)?;
    registered(AppService::Helper.status())
}

#[cfg(not(target_os = "macos"))]
pub(super) fn registration() -> Option<Registration> {
    None
}

/// Reads for some seconds. Only a process of its own may be lost to a reader that does not know this chip.
#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
pub(super) fn read() -> (IoReport, SystemPower) {
    use crate::power::counters::{Counters, SHORTEST_WINDOW, child, system};

    let readings: Vec<_> = child::open().map_or_else(
        |_| Vec::new(),
        |mut counters| (0..WINDOWS).map_while(|_| counters.read(SHORTEST_WINDOW).ok()).collect(),
    );
    let watts = system::system_power()
        .and_then(|mut read| read())
        .map(f64::from)
        .filter(|watts| watts.is_finite() && *watts > 0.0);
    let system_power = watts.map_or(SystemPower::Missing, |watts| SystemPower::Present(watts * 1e3));
    (judge(&readings), system_power)
}

#[cfg(not(all(target_os = "macos", target_arch = "aarch64")))]
pub(super) fn read() -> (IoReport, SystemPower) {
    (IoReport::Missing, SystemPower::Missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(cpu_w: f32) -> Reading {
        Reading { cpu_w, chip_w: cpu_w + 1.0, ..Reading::default() }
    }

    #[test]
    fn counters_that_never_move_are_frozen_and_batches_are_not() {
        assert_eq!(judge(&[]), IoReport::Missing);
        assert_eq!(judge(&[window(0.0); WINDOWS]), IoReport::Frozen);
        assert_eq!(judge(&[window(f32::NAN); WINDOWS]), IoReport::Frozen);
        assert_eq!(
            judge(&[window(0.0), window(4.0), window(0.0), window(4.0)]),
            IoReport::Live { soc_mw: Some(3_000.0) }
        );
    }

    #[test]
    fn a_status_that_is_not_known_is_no_registration() {
        assert_eq!(registered(ServiceStatus::NotFound), Some(Registration::NotRegistered));
        assert_eq!(registered(ServiceStatus::Enabled), Some(Registration::Enabled));
        assert_eq!(registered(ServiceStatus::RequiresApproval), Some(Registration::RequiresApproval));
        assert_eq!(registered(ServiceStatus::Other(9)), None);
    }
}
