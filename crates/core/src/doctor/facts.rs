//! What the checks are made of: facts that were found, each as it was found. Plain values; nothing here judges.

use std::path::PathBuf;

use serde::Serialize;

use crate::environment::Environment;
use crate::helper_install::InstallStatus;
use crate::live::HelperView;
use crate::live::state::{HistoryState, PowerProblem, PowerState, ServerState};
use crate::lmstudio::Api;
use crate::settings::WrongSetting;

/// Everything that the rows are made of.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The power source.
    pub helper: &'a HelperView,
    /// Power now.
    pub power: &'a PowerState,
    /// The server now.
    pub server: &'a ServerState,
    /// The API that the server speaks; `None` when it was not asked or did not answer.
    pub api: Option<Api>,
    /// The history.
    pub history: &'a HistoryState,
    /// Where the history is.
    pub data_folder: String,
    /// Where the settings are.
    pub settings_path: String,
    /// Wrong values of the settings, or why they can't be read.
    pub settings: Result<&'a [WrongSetting], String>,
    /// The machine.
    pub environment: &'a Environment,
    /// How long a pause was on the monotonic clock and on the wall clock, in seconds.
    pub pause_s: (f64, f64),
    /// What a conversation with the helper showed.
    pub probe: &'a Probe,
    /// What was found on the system.
    pub system: &'a SystemFacts,
}

/// What a conversation with the helper showed.
#[derive(Clone, Debug)]
pub enum Probe {
    /// There was none.
    NotRun {
        /// Why, for people: one sentence.
        why: String,
    },
    /// It failed.
    Failed {
        /// Why, for programs.
        problem: PowerProblem,
        /// Why, for people: one sentence.
        message: String,
        /// What was known by then.
        facts: Box<ProbeFacts>,
    },
    /// It came to its end.
    Done(Box<ProbeFacts>),
}

impl Probe {
    /// What it showed, as far as it came.
    #[must_use]
    pub fn facts(&self) -> Option<&ProbeFacts> {
        match self {
            Self::NotRun { .. } => None,
            Self::Failed { facts, .. } | Self::Done(facts) => Some(facts),
        }
    }
}

/// What is learnt in one conversation with the helper. Whatever it did not come to is `None` or empty.
#[derive(Clone, Debug, Default)]
pub struct ProbeFacts {
    /// Time until the answer to the first message, in milliseconds.
    pub hello_ms: Option<f64>,
    /// Version of the helper.
    pub helper_version: Option<String>,
    /// What the helper was built from.
    pub helper_build: Option<String>,
    /// Version of the protocol that it speaks.
    pub protocol: Option<u16>,
    /// True for the simulator.
    pub simulated: bool,
    /// Whether the helper finds a powermetrics that it would run.
    pub powermetrics: Option<bool>,
    /// Interval that was asked for, in milliseconds.
    pub asked_ms: u32,
    /// Interval in use, in milliseconds.
    pub interval_ms: Option<u32>,
    /// Samplers in use.
    pub samplers: Vec<String>,
    /// Samplers that were asked for and are not in use.
    pub missing_samplers: Vec<String>,
    /// What the documents say, in the order in which they came.
    pub samples: Vec<ProbeSample>,
    /// Bytes of the first document.
    pub first_document: Option<Vec<u8>>,
    /// What a boundary signal (SIGINFO) did; `None` when none was sent.
    pub boundary: Option<BoundaryFacts>,
    /// Documents that the helper had to drop.
    pub dropped: u64,
    /// What the helper wrote to its standard error.
    pub helper_words: String,
    /// True when it was started as a child for this conversation, false when macOS runs it.
    pub as_child: bool,
}

/// One document of powermetrics, as far as the checks need it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProbeSample {
    /// Length, in milliseconds; `None` where the document does not say.
    pub elapsed_ms: Option<f64>,
    /// CPU power, in milliwatts.
    pub cpu_mw: Option<f64>,
    /// GPU power, in milliwatts.
    pub gpu_mw: Option<f64>,
    /// Power of the chip: the rails that add up to it, in milliwatts.
    pub soc_mw: Option<f64>,
    /// From the helper's stamp to its arrival here, in milliseconds; negative when the clocks differ.
    pub on_its_way_ms: f64,
    /// Values that were not believed.
    pub rejected: u32,
    /// False for a document that could not be decoded.
    pub decoded: bool,
}

/// What happened after the signal that asks powermetrics for a sample at once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BoundaryFacts {
    /// From the signal to the next sample, in milliseconds; `None` when none came.
    pub answered_ms: Option<f64>,
    /// Length of that sample, in milliseconds.
    pub elapsed_ms: Option<f64>,
    /// Length of the sample after it, in milliseconds.
    pub next_elapsed_ms: Option<f64>,
}

/// What was found on the system, away from helper and server.
#[derive(Clone, Debug, Default)]
pub struct SystemFacts {
    /// True on macOS; on other systems much does not apply.
    pub is_macos: bool,
    /// `/usr/bin/powermetrics`.
    pub powermetrics: ToolState,
    /// Each sampler that Joulebar may ask for, and whether this powermetrics has it; empty when it was not asked.
    pub samplers: Vec<(String, SamplerState)>,
    /// Other running powermetrics, not counting those of Joulebar's helper; `None` when processes can't be listed.
    pub other_powermetrics: Option<u32>,
    /// How the helper daemon of an app without a certificate stands; `None` where there can be none.
    pub install: Option<InstallStatus>,
    /// How the helper daemon of a signed app stands, as the system says it; `None` where only the app can ask.
    pub registration: Option<Registration>,
    /// Signature of the app's main executable, or of the running program where there is no app.
    pub app_signature: Option<Signature>,
    /// Signature of the helper.
    pub helper_signature: Option<Signature>,
    /// The rule by which the helper knows its clients.
    pub requirement: Option<RequirementFacts>,
    /// Power without root, through IOReport.
    pub ioreport: IoReport,
    /// Whether the SMC tells the power of the whole machine (`PSTR`), in milliwatts.
    pub system_power: SystemPower,
    /// Where the app is; `None` outside an app bundle.
    pub app_folder: Option<PathBuf>,
    /// Free space where the history is, in bytes.
    pub free_bytes: Option<u64>,
}

/// A program of the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolState {
    /// It is there, and root's alone.
    Present,
    /// It is there, but others than root could have put it there.
    NotTrusted,
    /// It is not there.
    #[default]
    Missing,
}

/// Whether a powermetrics has a sampler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplerState {
    /// It has it.
    Known,
    /// It does not know the name.
    Unrecognized,
    /// Its answer was neither.
    Unclear,
}

/// How macOS says that the helper daemon of a signed app stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// It is switched on.
    Enabled,
    /// Somebody has to allow it in System Settings.
    RequiresApproval,
    /// Nobody has asked for it.
    NotRegistered,
}

/// A program's code signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Where the program is.
    pub path: PathBuf,
    /// What was read from its file; `Err` says why nothing was.
    pub read: Result<SignedCode, String>,
    /// What `codesign --verify` said: `None` when it was not asked, `Some(Ok)` when all is well.
    pub verified: Option<Result<(), String>>,
}

/// What a signature says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCode {
    /// The identifier.
    pub identifier: String,
    /// Apple's ten characters for the signer's team; `None` for code without a certificate.
    pub team: Option<String>,
    /// Hash of the code directory.
    pub cdhash: String,
    /// True when the hardened runtime is on.
    pub hardened: bool,
    /// True when it has entitlements.
    pub entitled: bool,
    /// False when the code is not what was signed.
    pub intact: bool,
}

/// The rule by which the helper knows its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequirementFacts {
    /// The rule.
    pub text: String,
    /// Whether macOS can read it (`csreq`): `None` when it was not asked; `Err` is what it said.
    pub compiles: Option<Result<(), String>>,
    /// Whether the app meets it (`codesign -R`): `None` when it was not asked.
    pub met: Option<bool>,
}

/// Power without root.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum IoReport {
    /// It was not read.
    #[default]
    NotRead,
    /// It can't be read.
    Missing,
    /// It counts.
    Live {
        /// Power of the chip, in milliwatts.
        soc_mw: Option<f64>,
    },
    /// It gives the same counts again and again, as it does on macOS 27 unless powermetrics runs.
    Frozen,
}

/// Power of the whole machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum SystemPower {
    /// It was not read.
    #[default]
    NotRead,
    /// The machine has no such sensor.
    Missing,
    /// What it said, in milliwatts.
    Present(f64),
}

/// Facts of one conversation that go into a bug report.
#[derive(Clone, Debug, Serialize)]
pub struct ProbeSummary {
    /// Version and build of the helper.
    pub helper: Option<String>,
    /// Interval that was asked for, in milliseconds.
    pub asked_ms: u32,
    /// Length of each sample, in milliseconds.
    pub elapsed_ms: Vec<Option<f64>>,
    /// CPU power of each sample, in milliwatts.
    pub cpu_mw: Vec<Option<f64>>,
    /// GPU power of each sample, in milliwatts.
    pub gpu_mw: Vec<Option<f64>>,
    /// From the boundary signal to the next sample, in milliseconds.
    pub boundary_answered_ms: Option<f64>,
    /// Length of that sample, in milliseconds.
    pub boundary_elapsed_ms: Option<f64>,
    /// Length of the sample after it, in milliseconds.
    pub boundary_next_elapsed_ms: Option<f64>,
}

impl From<&ProbeFacts> for ProbeSummary {
    fn from(facts: &ProbeFacts) -> Self {
        let boundary = facts.boundary.unwrap_or_default();
        let build = facts.helper_build.as_deref().unwrap_or("unknown build");
        Self {
            helper: facts.helper_version.as_ref().map(|version| format!("{version} ({build})")),
            asked_ms: facts.asked_ms,
            elapsed_ms: facts.samples.iter().map(|sample| sample.elapsed_ms).collect(),
            cpu_mw: facts.samples.iter().map(|sample| sample.cpu_mw).collect(),
            gpu_mw: facts.samples.iter().map(|sample| sample.gpu_mw).collect(),
            boundary_answered_ms: boundary.answered_ms,
            boundary_elapsed_ms: boundary.elapsed_ms,
            boundary_next_elapsed_ms: boundary.next_elapsed_ms,
        }
    }
}
