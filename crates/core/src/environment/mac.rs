//! Facts about a Mac that only calls of the system give. Each is `None` when the call does not succeed.
//!
//! Decides nothing. Checked without a Mac: that it compiles and that the names link. Not checked (docs/unverified.md): the
//! values.

#![allow(unsafe_code, reason = "calls of the system, each with its reason")]

use std::ffi::{CStr, c_char, c_int};
use std::process::Command;

use objc2_foundation::NSProcessInfo;

unsafe extern "C" {
    fn notify_register_check(name: *const c_char, token: *mut c_int) -> u32;
    fn notify_get_state(token: c_int, state: *mut u64) -> u32;
    fn notify_cancel(token: c_int) -> u32;
}

#[link(name = "CoreGraphics", kind = "framework")]
unsafe extern "C" {
    fn CGGetActiveDisplayList(max_displays: u32, displays: *mut u32, count: *mut u32) -> i32;
}

/// A text of sysctl.
pub fn text(name: &CStr) -> Option<String> {
    let mut bytes = [0_u8; 256];
    let mut len = bytes.len();
    // SAFETY: the name is a C string, and at most `len` bytes are written, which is then how many there are.
    let status =
        unsafe { libc::sysctlbyname(name.as_ptr(), bytes.as_mut_ptr().cast(), &raw mut len, std::ptr::null_mut(), 0) };
    (status == 0).then(|| CStr::from_bytes_until_nul(&bytes).ok()?.to_str().ok().map(str::to_owned)).flatten()
}

/// A count of sysctl.
pub fn count(name: &CStr) -> Option<u32> {
    let mut value = 0_u32;
    let mut len = size_of::<u32>();
    // SAFETY: the name is a C string, and at most the four bytes of `value` are written.
    let status =
        unsafe { libc::sysctlbyname(name.as_ptr(), (&raw mut value).cast(), &raw mut len, std::ptr::null_mut(), 0) };
    (status == 0 && len == size_of::<u32>()).then_some(value)
}

/// The system's thermal level, as its number.
pub fn thermal_level() -> Option<u64> {
    let (mut token, mut state) = (0, 0);
    // SAFETY: the name is a C string; both results are written before they are read; the token is given back.
    unsafe {
        if notify_register_check(c"com.apple.system.thermalpressurelevel".as_ptr(), &raw mut token) != 0 {
            return None;
        }
        let status = notify_get_state(token, &raw mut state);
        notify_cancel(token);
        (status == 0).then_some(state)
    }
}

/// How many displays are on.
pub fn displays() -> Option<u32> {
    let mut count = 0;
    // SAFETY: with room for no display only the count is written.
    let status = unsafe { CGGetActiveDisplayList(0, std::ptr::null_mut(), &raw mut count) };
    (status == 0).then_some(count)
}

/// Whether Low Power Mode is on.
pub fn low_power_mode() -> bool {
    NSProcessInfo::processInfo().isLowPowerModeEnabled()
}

/// All processes: number, parent, program.
pub fn processes() -> Option<String> {
    let output = Command::new("/bin/ps").args(["-axo", "pid=,ppid=,comm="]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
