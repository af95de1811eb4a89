//! The few calls to the system that std does not have. The only place with `unsafe`.
//!
//! On macOS nothing here could be run while it was written: it is type-checked for it, and differs from Linux in the
//! clock, the boundary signal and how descriptors are closed.

#![allow(unsafe_code, reason = "calls into libc, each with its reason")]

use std::ffi::CStr;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use crate::session::ChildSignal;

/// The signal on which powermetrics takes a sample at once. Linux has no SIGINFO; only the simulator runs there.
#[cfg(target_os = "macos")]
const BOUNDARY_SIGNAL: libc::c_int = libc::SIGINFO;
#[cfg(not(target_os = "macos"))]
const BOUNDARY_SIGNAL: libc::c_int = libc::SIGUSR1;

/// Where the system lists a process's open descriptors, one entry each.
const DESCRIPTORS: &str = "/dev/fd";
/// Highest descriptor that is looked for where they are not listed.
const LAST_DESCRIPTOR: RawFd = 65_536;
const MAX_DESCRIPTORS: libc::rlim_t = 256;

/// The system's monotonic clock, since its own origin: `CLOCK_UPTIME_RAW` on macOS, `CLOCK_MONOTONIC` elsewhere.
/// Other processes of this machine read the same.
#[must_use]
pub fn monotonic_time() -> Duration {
    #[cfg(target_os = "macos")]
    const CLOCK: libc::clockid_t = libc::CLOCK_UPTIME_RAW;
    #[cfg(not(target_os = "macos"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
    let mut reading = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `reading` is a valid, writable timespec for the length of the call.
    let status = unsafe { libc::clock_gettime(CLOCK, &raw mut reading) };
    assert_eq!(status, 0, "the system has no monotonic clock");
    let (seconds, nanos) = (u64::try_from(reading.tv_sec), u32::try_from(reading.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

/// Makes this process root altogether; false if it has no right to.
///
/// Started with root's effective rights alone (by an authorization prompt), it takes the real ones too, since
/// powermetrics would look at these. Supplementary groups are dropped.
#[must_use]
pub fn take_root() -> bool {
    // SAFETY: these calls take no pointers but the one to a live array of the length given.
    unsafe {
        if libc::geteuid() != 0 {
            return false;
        }
        let (root_group, count) = ([0 as libc::gid_t], 1);
        libc::setgroups(count, root_group.as_ptr()) == 0 && libc::setgid(0) == 0 && libc::setuid(0) == 0
    }
}

/// Closes what the process was started with beyond input, output and errors. Call it first. Not for a daemon: launchd hands
/// those over, and some of what macOS itself opens must not be closed.
pub fn close_inherited_descriptors() {
    for descriptor in inherited_descriptors() {
        // SAFETY: nothing here has opened any descriptor yet: std keeps none beyond 2.
        unsafe { libc::close(descriptor) };
    }
}

/// Leaves behind whatever else the process was started with: creation mask, working directory, blocked signals, core dumps,
/// environment. Call it while there is one thread.
///
/// # Errors
/// Fails when `/` can't be entered.
pub fn tidy_process() -> io::Result<()> {
    std::env::set_current_dir("/")?;
    let mut descriptors = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointers are to live values or null; a zeroed sigset is a valid place for an empty one.
    unsafe {
        let mut no_signals: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut no_signals);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const no_signals, std::ptr::null_mut());
        libc::umask(0o077);
        libc::setrlimit(libc::RLIMIT_CORE, &raw const descriptors);
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut descriptors) == 0 {
            descriptors.rlim_cur = descriptors.rlim_max.min(MAX_DESCRIPTORS);
            descriptors.rlim_max = descriptors.rlim_cur;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const descriptors);
        }
    }
    for (name, _) in std::env::vars_os() {
        // SAFETY: there is one thread, as this function demands.
        unsafe { std::env::remove_var(name) };
    }
    Ok(())
}

/// Effective user and parent process, for a daemon to know who has started it.
#[must_use]
pub fn user_and_parent() -> (libc::uid_t, libc::pid_t) {
    // SAFETY: neither takes anything or can fail.
    unsafe { (libc::geteuid(), libc::getppid()) }
}

/// Writes one line to the system's log. What must not stand in a log is for the caller to leave out.
pub fn log(line: &CStr) {
    // SAFETY: both are C strings; the first has one place for the second.
    unsafe { libc::syslog(libc::LOG_AUTHPRIV | libc::LOG_NOTICE, c"%s".as_ptr(), line.as_ptr()) };
}

/// What is open besides input, output and errors. The limit on descriptors says nothing about it: one may have been
/// opened before the limit was lowered.
fn inherited_descriptors() -> Vec<RawFd> {
    let Ok(entries) = std::fs::read_dir(DESCRIPTORS) else { return (3..LAST_DESCRIPTOR).collect() };
    let names = entries.flatten().map(|entry| entry.file_name());
    // the one that the list itself was read from is closed by then
    names.filter_map(|name| name.to_str()?.parse().ok()).filter(|descriptor| *descriptor > 2).collect()
}

/// Makes reads and writes return at once instead of waiting.
///
/// # Errors
/// The system's.
pub fn set_nonblocking(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as it is borrowed; fcntl with these commands takes no pointers.
    let failed = unsafe {
        let flags = libc::fcntl(descriptor.as_raw_fd(), libc::F_GETFL);
        flags < 0 || libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) < 0
    };
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sends a signal to a child that was not reaped yet.
pub fn signal_child(process: u32, signal: ChildSignal) {
    let signal = match signal {
        ChildSignal::Boundary => BOUNDARY_SIGNAL,
        ChildSignal::Terminate => libc::SIGTERM,
        ChildSignal::Kill => libc::SIGKILL,
    };
    if let Ok(process) = libc::pid_t::try_from(process) {
        // SAFETY: kill takes no pointers. The process can't be another one: its number stays taken until it is reaped.
        unsafe { libc::kill(process, signal) };
    }
}

/// What to wait for on one descriptor, and what was found.
#[derive(Debug)]
pub struct Interest {
    descriptor: libc::pollfd,
}

impl Interest {
    /// Waits for bytes or the end.
    #[must_use]
    pub fn readable(descriptor: BorrowedFd<'_>) -> Self {
        Self::new(descriptor, libc::POLLIN)
    }

    /// Waits for room to write (if there is anything to write), and in any case for the reader to go away.
    #[must_use]
    pub fn writable(descriptor: BorrowedFd<'_>, has_bytes: bool) -> Self {
        Self::new(descriptor, if has_bytes { libc::POLLOUT } else { 0 })
    }

    fn new(descriptor: BorrowedFd<'_>, events: libc::c_short) -> Self {
        Self { descriptor: libc::pollfd { fd: descriptor.as_raw_fd(), events, revents: 0 } }
    }

    /// Something can be done with the descriptor, if only to find its end.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.descriptor.revents != 0
    }

    /// The other end is gone.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.descriptor.revents & (libc::POLLERR | libc::POLLNVAL) != 0
    }
}

/// Waits until one of the descriptors is ready, a signal came, or `timeout` (rounded up to milliseconds) has passed.
///
/// # Errors
/// The system's; an interrupted wait is none.
pub fn wait(interests: &mut [Interest], timeout: Option<Duration>) -> io::Result<()> {
    let timeout_ms = timeout.map_or(-1, |timeout| {
        libc::c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX)
    });
    let mut descriptors: Vec<_> = interests.iter().map(|interest| interest.descriptor).collect();
    // SAFETY: the pointer is to a live vector of the length given.
    let found = unsafe { libc::poll(descriptors.as_mut_ptr(), count(&descriptors), timeout_ms) };
    if found < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
    }
    for (interest, descriptor) in interests.iter_mut().zip(descriptors) {
        interest.descriptor = descriptor;
    }
    Ok(())
}

#[allow(clippy::cast_possible_truncation, reason = "a handful of descriptors; nfds_t has 32 bits on macOS")]
fn count(descriptors: &[libc::pollfd]) -> libc::nfds_t {
    descriptors.len() as libc::nfds_t
}

/// Where the signal handler writes to; -1 before there is one.
static SIGNAL_PIPE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn note_signal(signal: libc::c_int) {
    let byte = signal.to_ne_bytes();
    // SAFETY: write may be called in a handler; the buffer is live and has these bytes. A full pipe loses nothing: it
    // wakes the reader as well. errno is put back, because the interrupted code may be about to read it.
    unsafe {
        let errno = errno_location();
        let before = *errno;
        libc::write(SIGNAL_PIPE.load(Ordering::Relaxed), byte.as_ptr().cast(), byte.len());
        *errno = before;
    }
}

#[cfg(target_os = "macos")]
unsafe fn errno_location() -> *mut libc::c_int {
    // SAFETY: returns the calling thread's errno.
    unsafe { libc::__error() }
}
#[cfg(not(target_os = "macos"))]
unsafe fn errno_location() -> *mut libc::c_int {
    // SAFETY: returns the calling thread's errno.
    unsafe { libc::__errno_location() }
}

/// Signals as bytes on a pipe: a child has ended, or the helper is told to end.
#[derive(Debug)]
pub struct Signals {
    pipe: PipeReader,
    _kept_open: PipeWriter,
}

impl Signals {
    /// Catches SIGCHLD, SIGTERM and SIGHUP from now on. SIGINT is ignored, here and in children: Ctrl-C in a terminal
    /// reaches the client as well, which ends the helper when it is done with its last samples.
    ///
    /// # Errors
    /// The system's.
    pub fn catch() -> io::Result<Self> {
        let (pipe, writer) = io::pipe()?;
        set_nonblocking(std::os::fd::AsFd::as_fd(&pipe))?;
        set_nonblocking(std::os::fd::AsFd::as_fd(&writer))?;
        SIGNAL_PIPE.store(writer.as_raw_fd(), Ordering::Relaxed);
        // SAFETY: the handler is async-signal-safe and lives as long as the program; a zeroed sigaction is a valid one
        // (no flags, empty mask), and the pointers are to live values or null.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = note_signal as extern "C" fn(libc::c_int) as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART | libc::SA_NOCLDSTOP;
            for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGHUP] {
                if libc::sigaction(signal, &raw const action, std::ptr::null_mut()) != 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            libc::signal(libc::SIGINT, libc::SIG_IGN);
        }
        Ok(Self { pipe, _kept_open: writer })
    }

    /// What to wait for.
    #[must_use]
    pub fn interest(&self) -> Interest {
        Interest::readable(std::os::fd::AsFd::as_fd(&self.pipe))
    }

    /// Empties the pipe; true if the helper is told to end.
    pub fn take(&mut self) -> bool {
        let (mut ends, mut bytes) = (false, [0; 256]);
        while let Ok(len @ 1..) = self.pipe.read(&mut bytes) {
            let (signals, _) = bytes[..len].as_chunks::<{ size_of::<libc::c_int>() }>();
            ends |= signals.iter().any(|signal| libc::c_int::from_ne_bytes(*signal) != libc::SIGCHLD);
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn clock_advances() {
        let before = monotonic_time();
        assert!(monotonic_time() >= before && before > Duration::ZERO);
    }

    #[test]
    fn waiting_ends_when_bytes_come_and_tells_which() {
        let (reader, writer) = io::pipe().unwrap();
        let mut interests = [Interest::readable(reader.as_fd()), Interest::writable(writer.as_fd(), false)];
        wait(&mut interests, Some(Duration::ZERO)).unwrap();
        assert!(!interests[0].is_ready() && !interests[1].is_ready());
        io::Write::write_all(&mut &writer, b"x").unwrap();
        wait(&mut interests, None).unwrap();
        assert!(interests[0].is_ready() && !interests[1].is_ready());
        drop(reader);
        wait(&mut interests[1..], None).unwrap();
        assert!(interests[1].is_broken());
    }
}
