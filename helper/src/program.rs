//! Which program is run. Its command line is that of [`joulebar_wire::command_line`], which no request can bend.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use joulebar_wire::command_line::LEASE;
use joulebar_wire::command_line::{CommandLine, POWERMETRICS};
use joulebar_wire::{IntervalMs, Samplers};

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// Apple's powermetrics.
    Apple,
    /// A simulator. Release builds don't have it.
    #[cfg(feature = "simulator")]
    Simulator {
        /// Absolute path of the simulator.
        path: PathBuf,
        /// Its own arguments, in front of those of powermetrics.
        arguments: Vec<OsString>,
    },
}

/// What powermetrics is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Sampling interval.
    pub interval: IntervalMs,
    /// Samplers.
    pub samplers: Samplers,
}

impl Plan {
    /// The interval as a duration.
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval.get().into())
    }

    /// Number of samples that fill one [`LEASE`], rounded up.
    #[must_use]
    pub fn lease_samples(&self) -> u64 {
        self.command_line().lease_samples()
    }

    fn command_line(&self) -> CommandLine {
        CommandLine::new(self.interval, self.samplers.clone())
    }
}

/// Whether the program can be run on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// It is there.
    Ready,
    /// It is not there.
    Missing,
    /// Something is there that others than root could have put there.
    NotTrusted,
}

impl Program {
    /// True for everything but Apple's own tool.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        *self != Self::Apple
    }

    /// Looks whether the program is there.
    #[must_use]
    pub fn find(&self) -> Tool {
        match self {
            Self::Apple => inspect(Path::new(POWERMETRICS)),
            #[cfg(feature = "simulator")]
            Self::Simulator { path, .. } => {
                if path.is_file() {
                    Tool::Ready
                } else {
                    Tool::Missing
                }
            }
        }
    }

    /// Absolute path and arguments for `plan`.
    #[must_use]
    pub fn command_line(&self, plan: &Plan) -> (PathBuf, Vec<OsString>) {
        let (path, mut arguments) = match self {
            Self::Apple => (PathBuf::from(POWERMETRICS), Vec::new()),
            #[cfg(feature = "simulator")]
            Self::Simulator { path, arguments } => {
                let mut all = vec![OsString::from("powermetrics")];
                all.extend_from_slice(arguments);
                (path.clone(), all)
            }
        };
        arguments.extend(plan.command_line().arguments().map(OsString::from));
        (path, arguments)
    }
}

/// A regular file of root that nobody else can write to.
fn inspect(path: &Path) -> Tool {
    match path.symlink_metadata() {
        Ok(file) if file.is_file() && file.uid() == 0 && file.mode() & 0o022 == 0 => Tool::Ready,
        Ok(_) => Tool::NotTrusted,
        Err(_) => Tool::Missing,
    }
}

#[cfg(test)]
mod tests {
    use joulebar_wire::Sampler;
    use joulebar_wire::limits::{MAX_INTERVAL_MS, MIN_INTERVAL_MS};

    use super::*;

    #[test]
    fn threat_06_every_request_that_can_be_made_gives_a_command_line_of_the_allowed_words() {
        let mut seen = 0;
        for choice in 1u32..1 << Sampler::ALL.len() {
            let chosen = Sampler::ALL.into_iter().enumerate().filter(|(bit, _)| choice & (1 << bit) != 0);
            let samplers = Samplers::new(chosen.map(|(_, sampler)| sampler).collect()).unwrap();
            for interval_ms in [MIN_INTERVAL_MS, 101, 250, 1000, 59_999, MAX_INTERVAL_MS] {
                let plan = Plan { interval: IntervalMs::new(interval_ms).unwrap(), samplers: samplers.clone() };
                let (path, arguments) = Program::Apple.command_line(&plan);
                assert_eq!(path, Path::new("/usr/bin/powermetrics"));
                let words: Vec<_> = arguments.iter().map(|word| word.to_str().unwrap()).collect();
                let [f, plist, b, zero, i, interval, n, samples, s, list] = words[..] else { panic!("{words:?}") };
                assert_eq!([f, plist, b, zero, i, n, s], ["-f", "plist", "-b", "0", "-i", "-n", "-s"]);
                assert_eq!(interval, interval_ms.to_string());
                assert!((60..=36_000).contains(&samples.parse::<u64>().unwrap()), "-n {samples}");
                assert!(list.split(',').all(|name| Sampler::from_name(name).is_some()), "-s {list}");
                seen += 1;
            }
        }
        assert_eq!(seen, 31 * 6);
    }

    #[test]
    fn threat_11_lease_covers_an_hour_at_any_interval() {
        for interval_ms in [100, 7_000, 60_000] {
            let plan = Plan { interval: IntervalMs::new(interval_ms).unwrap(), samplers: Samplers::default() };
            let covered = plan.interval() * u32::try_from(plan.lease_samples()).unwrap();
            assert!(covered >= LEASE && covered < LEASE + plan.interval());
        }
    }

    #[test]
    fn threat_08_a_link_or_a_file_that_others_can_write_is_not_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        assert_eq!(inspect(&file), Tool::Missing);
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(inspect(&link), Tool::NotTrusted);
        let mut permissions = file.metadata().unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o777);
        std::fs::set_permissions(&file, permissions).unwrap();
        assert_eq!(inspect(&file), Tool::NotTrusted);
    }

    #[cfg(feature = "simulator")]
    #[test]
    fn simulator_gets_its_own_arguments_first() {
        let simulator = Program::Simulator { path: "/opt/sim".into(), arguments: vec!["--truth".into(), "/t".into()] };
        let plan = Plan { interval: IntervalMs::new(250).unwrap(), samplers: Samplers::default() };
        let (path, arguments) = simulator.command_line(&plan);
        assert_eq!(path, Path::new("/opt/sim"));
        let expected = "powermetrics --truth /t -f plist -b 0 -i 250 -n 14400 -s cpu_power,gpu_power,thermal";
        assert_eq!(arguments.join(std::ffi::OsStr::new(" ")), std::ffi::OsStr::new(expected));
        assert!(simulator.is_simulated() && !Program::Apple.is_simulated());
    }
}
