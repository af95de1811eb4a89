//! Signals as wake-ups: a handler writes one byte into a pipe that the sampling loop waits on.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// The signal that asks for an immediate sample. Linux has no SIGINFO.
#[cfg(target_os = "macos")]
const SIGINFO: libc::c_int = libc::SIGINFO;
#[cfg(not(target_os = "macos"))]
const SIGINFO: libc::c_int = libc::SIGUSR1;

static WRITE_END: AtomicI32 = AtomicI32::new(-1);
static STOPPED: AtomicBool = AtomicBool::new(false);
static INFO: AtomicBool = AtomicBool::new(false);

extern "C" fn on_signal(signal: libc::c_int) {
    if signal == SIGINFO {
        INFO.store(true, Ordering::SeqCst);
    } else {
        STOPPED.store(true, Ordering::SeqCst);
    }
    let byte = 0_u8;
    // SAFETY: write is async-signal-safe and reads the one byte that is there. A full pipe already wakes the loop.
    unsafe { libc::write(WRITE_END.load(Ordering::SeqCst), (&raw const byte).cast(), 1) };
}

/// The installed handlers. Made once per process.
#[derive(Debug)]
pub(super) struct Signals {
    read_end: File,
}

/// Why the loop woke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// The time is up.
    Timeout,
    /// SIGINFO came.
    Info,
    /// SIGINT, SIGTERM or SIGHUP came.
    Stop,
}

impl Signals {
    /// Installs the handlers. SIGPIPE kills again, which Rust's runtime had switched off; SIGIO does nothing.
    pub(super) fn install() -> io::Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: `ends` has room for the two descriptors.
        if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        for end in ends {
            // SAFETY: both descriptors were just made and belong to this process. Neither may block or be inherited.
            unsafe {
                libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC);
                libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK);
            }
        }
        WRITE_END.store(ends[1], Ordering::SeqCst);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, SIGINFO] {
            if signal == libc::SIGINT && is_ignored(signal) {
                // a shell without job control starts background jobs so, and then SIGINT stays without effect
                continue;
            }
            set_handler(signal, on_signal as extern "C" fn(libc::c_int) as libc::sighandler_t)?;
        }
        set_handler(libc::SIGPIPE, libc::SIG_DFL)?;
        set_handler(libc::SIGIO, libc::SIG_IGN)?;
        // SAFETY: the descriptor is open and nothing else owns it.
        Ok(Self { read_end: unsafe { File::from_raw_fd(ends[0]) } })
    }

    /// True once a signal has asked to stop.
    pub(super) fn stopped(&self) -> bool {
        STOPPED.load(Ordering::SeqCst)
    }

    /// Waits `timeout_ns` nanoseconds, or for ever with `None`, unless a signal comes first or has come before.
    pub(super) fn wait(&self, timeout_ns: Option<i64>) -> io::Result<Wake> {
        let deadline_ns = timeout_ns.map(|timeout_ns| super::raw_monotonic_ns() + timeout_ns);
        loop {
            // SIGINFO bytes left over from before are harmless: the flags decide
            if self.stopped() {
                return Ok(Wake::Stop);
            }
            if INFO.swap(false, Ordering::SeqCst) {
                return Ok(Wake::Info);
            }
            let left_ns = deadline_ns.map(|deadline_ns| deadline_ns - super::raw_monotonic_ns());
            if left_ns.is_some_and(|left_ns| left_ns <= 0) {
                return Ok(Wake::Timeout);
            }
            // poll counts in ms: rounded up, so that the deadline has passed when it returns
            let left_ms = left_ns.map_or(-1, |left_ns| i32::try_from(left_ns / 1_000_000 + 1).unwrap_or(i32::MAX));
            poll(&mut [self.wakes()], left_ms)?;
            self.drain()?;
        }
    }

    /// Waits until `file` takes at least `PIPE_BUF` bytes without blocking. False if a stopping signal came instead; true all
    /// the same where there is room and a signal.
    pub(super) fn wait_for_room(&self, file: &File) -> io::Result<bool> {
        loop {
            let mut waited = [libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLOUT, revents: 0 }, self.wakes()];
            let timeout_ms = if self.stopped() { 0 } else { -1 };
            poll(&mut waited, timeout_ms)?;
            // a closed reader counts as room: the write then says what is wrong
            if waited[0].revents != 0 {
                return Ok(true);
            }
            if timeout_ms == 0 {
                return Ok(false);
            }
            self.drain()?;
        }
    }

    fn wakes(&self) -> libc::pollfd {
        libc::pollfd { fd: self.read_end.as_raw_fd(), events: libc::POLLIN, revents: 0 }
    }

    /// Empties the pipe: the flags say what came.
    fn drain(&self) -> io::Result<()> {
        let mut bytes = [0; 64];
        match (&self.read_end).read(&mut bytes) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Polls; a signal that comes meanwhile is a wake like any other.
fn poll(waited: &mut [libc::pollfd], timeout_ms: i32) -> io::Result<()> {
    let count = libc::nfds_t::try_from(waited.len()).unwrap_or(0);
    // SAFETY: `waited` is a valid array of `count` elements for the length of the call.
    if unsafe { libc::poll(waited.as_mut_ptr(), count, timeout_ms) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(())
}

fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: an all-zero sigaction is a valid value to be overwritten; a null new action only asks.
    unsafe {
        let mut present: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut present) == 0 && present.sa_sigaction == libc::SIG_IGN
    }
}

fn set_handler(signal: libc::c_int, handler: libc::sighandler_t) -> io::Result<()> {
    // SAFETY: the action is fully initialised (zero flags: a blocked write returns, so that stopping is prompt), and the
    // handler does nothing that is not async-signal-safe.
    let status = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(signal, &raw const action, std::ptr::null_mut())
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
