//! The rows, for each answer that a Mac may give.

use std::path::PathBuf;

use super::facts::*;
use super::*;
use crate::environment::{Environment, Supply};
use crate::helper_install::{FileState, InstallState, InstallStatus};
use crate::live::HelperView;
use crate::live::state::{HistoryState, PowerProblem, PowerState, Reading, ServerState};
use crate::lmstudio::Api;

/// One set of facts; a Mac where all is well.
struct Case {
    helper: HelperView,
    power: PowerState,
    server: ServerState,
    api: Option<Api>,
    writable: bool,
    environment: Environment,
    pause_s: (f64, f64),
    probe: Probe,
    system: SystemFacts,
}

const DOCUMENT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict><key>elapsed_ns</key><integer>500000000</integer><key>hw_model</key><string>Mac16,8</string>
<key>processor</key><dict><key>clusters</key><array><dict><key>name</key><string>E-Cluster</string></dict></array>
<key>cpu_power</key><real>1200.5</real><key>gpu_power</key><real>300</real></dict>
<key>gpu</key><dict><key>idle_ratio</key><real>0.5</real><key>idle_ratio</key><real>0.5</real></dict></dict></plist>"#;

fn sample(cpu_mw: f64) -> ProbeSample {
    ProbeSample {
        elapsed_ms: Some(505.0),
        cpu_mw: Some(cpu_mw),
        gpu_mw: Some(1.0),
        soc_mw: Some(cpu_mw + 1.0),
        on_its_way_ms: 0.4,
        rejected: 0,
        decoded: true,
    }
}

fn probe_facts() -> ProbeFacts {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    ProbeFacts {
        hello_ms: Some(3.0),
        helper_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        helper_build: Some("unknown".to_owned()),
        protocol: Some(joulebar_wire::PROTOCOL),
        powermetrics: Some(true),
        asked_ms: 500,
        interval_ms: Some(500),
        samplers: names(&["cpu_power", "gpu_power", "thermal"]),
        samples: [10.0; 8].map(sample).to_vec(),
        first_document: Some(DOCUMENT.into()),
        boundary: Some(BoundaryFacts { answered_ms: Some(4.0), elapsed_ms: Some(204.0), next_elapsed_ms: Some(500.0) }),
        ..ProbeFacts::default()
    }
}

fn signature(team: Option<&str>) -> Signature {
    let code = SignedCode {
        identifier: "org.joulebar.app".into(),
        team: team.map(str::to_owned),
        cdhash: "ab".repeat(20),
        hardened: true,
        entitled: false,
        intact: true,
    };
    Signature { path: "/x".into(), read: Ok(code), verified: Some(Ok(())) }
}

fn install(state: InstallState) -> InstallStatus {
    let present = state != InstallState::NotInstalled;
    let file = |part, problem: Option<&str>| FileState {
        part,
        path: PathBuf::from("/x"),
        present,
        problem: problem.map(str::to_owned),
    };
    let problem = (state == InstallState::NotSafe).then_some("/x is not safe: it is a symbolic link");
    let files = vec![file("program", problem), file("job", None)];
    InstallStatus { state, label: "h.local".into(), files, loaded: Some(present), pinned: None, helper: None }
}

impl Case {
    fn mac() -> Self {
        let known = ["cpu_power", "gpu_power", "thermal"];
        let system = SystemFacts {
            is_macos: true,
            powermetrics: ToolState::Present,
            samplers: known.map(|name| (name.to_owned(), SamplerState::Known)).to_vec(),
            other_powermetrics: Some(0),
            install: Some(install(InstallState::Installed)),
            registration: None,
            app_signature: Some(signature(None)),
            helper_signature: Some(signature(None)),
            requirement: Some(RequirementFacts {
                text: "cdhash H\"ab\"".into(),
                compiles: Some(Ok(())),
                met: Some(true),
            }),
            ioreport: IoReport::Live { soc_mw: Some(900.0) },
            system_power: SystemPower::Present(4_500.0),
            app_folder: Some("/Applications/Joulebar.app".into()),
            free_bytes: Some(100_000_000_000),
        };
        let reading = Reading {
            end_ns: 0,
            soc_mw: Some(1.0),
            cpu_mw: None,
            gpu_mw: None,
            ane_mw: None,
            dram_mw: None,
            system_mw: None,
            scope: String::new(),
            missing: None,
        };
        Self {
            helper: HelperView {
                name: Some("helper".into()),
                version: Some("0.1.0".into()),
                protocol: joulebar_wire::PROTOCOL,
                interval_ms: Some(1_000),
                achieved_ms: Some(1_010.0),
                samplers: Vec::new(),
                samples: 3,
                simulated: false,
                path: Some("/x/joulebar-helper".into()),
                source: None,
                service: None,
                can_authorize: false,
            },
            power: PowerState::Live { reading },
            server: ServerState::NoModel { url: "http://127.0.0.1:1234".into(), models: Vec::new() },
            api: Some(Api::LmstudioV1),
            writable: true,
            environment: Environment {
                os: Some("macOS 15.5".into()),
                chip: Some("Apple M4 Pro".into()),
                supply: Some(Supply::Ac),
                ..Environment::default()
            },
            pause_s: (0.1, 0.1),
            probe: Probe::Done(Box::new(probe_facts())),
            system,
        }
    }

    fn rows(&self) -> Vec<CheckRow> {
        rows(&Facts {
            helper: &self.helper,
            power: &self.power,
            server: &self.server,
            api: self.api,
            history: &HistoryState { count: 2, writable: self.writable, notice: None },
            data_folder: "/data".into(),
            settings_path: "/settings.toml".into(),
            settings: Ok(&[]),
            environment: &self.environment,
            pause_s: self.pause_s,
            probe: &self.probe,
            system: &self.system,
        })
    }

    #[track_caller]
    fn row(&self, id: &str) -> CheckRow {
        self.rows().into_iter().find(|row| row.id == id).unwrap()
    }

    #[track_caller]
    fn expect(&self, id: &str, result: CheckResult, words: &str) {
        let row = self.row(id);
        assert_eq!(row.result, result, "{row:?}");
        assert!(row.detail.contains(words), "{words} is not in {row:?}");
    }
}

/// A Mac where all is well, but for what `change` does to the conversation.
fn talked(change: impl FnOnce(&mut ProbeFacts)) -> Case {
    let mut facts = probe_facts();
    change(&mut facts);
    Case { probe: Probe::Done(Box::new(facts)), ..Case::mac() }
}

fn found(change: impl FnOnce(&mut SystemFacts)) -> Case {
    let mut case = Case::mac();
    change(&mut case.system);
    case
}

#[test]
fn every_row_has_its_id_once_and_in_order() {
    let ids: Vec<String> = Case::mac().rows().into_iter().map(|row| row.id).collect();
    assert_eq!(ids, ROW_IDS);
}

#[test]
fn on_a_mac_where_all_is_well_only_the_model_is_missing() {
    let rows = Case::mac().rows();
    let other: Vec<_> = rows.iter().filter(|row| row.result != CheckResult::Pass).collect();
    assert_eq!(other.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["server"], "{other:#?}");
    assert!(any_failed(&rows));
    assert!(rows.iter().filter(|row| row.result == CheckResult::Fail).all(|row| row.next.is_some()));
}

#[test]
fn what_is_wrong_fails_and_says_what_to_do() {
    let mut case = Case::mac();
    case.power = PowerState::None { reason: PowerProblem::NotPermitted, message: "Not root.".into() };
    case.server = ServerState::NotRunning { url: "http://127.0.0.1:1234".into() };
    case.helper = HelperView { achieved_ms: Some(2_000.0), path: None, ..case.helper };
    case.writable = false;
    for id in ["helper", "power", "interval", "server", "history"] {
        let row = case.row(id);
        assert!(row.result == CheckResult::Fail && row.next.is_some(), "{row:?}");
    }
}

#[test]
fn what_is_not_known_is_not_a_pass() {
    let mut case = Case::mac();
    case.helper = HelperView { version: None, interval_ms: None, achieved_ms: None, ..case.helper };
    (case.power, case.server) = (PowerState::Starting, ServerState::Checking { url: String::new() });
    case.environment = Environment::default();
    case.probe = Probe::NotRun { why: "A run is going on.".into() };
    case.system = SystemFacts { is_macos: true, ..SystemFacts::default() };
    let unknown = ["helper", "helper_daemon", "helper_reachable", "helper_version", "power", "interval", "samplers"];
    for id in unknown {
        assert_eq!(case.row(id).result, CheckResult::Unknown, "{id}");
    }
    for id in ["schema", "counters", "siginfo", "helper_clock", "other_powermetrics", "app_signature", "requirement"] {
        assert_eq!(case.row(id).result, CheckResult::Unknown, "{id}");
    }
    for id in ["ioreport", "system_power", "server", "server_api", "machine", "disk"] {
        assert_eq!(case.row(id).result, CheckResult::Unknown, "{id}");
    }
}

#[test]
fn away_from_a_mac_much_does_not_apply_and_none_of_it_fails() {
    let mut case = Case::mac();
    let message = "The helper finds no powermetrics.".to_owned();
    case.power = PowerState::None { reason: PowerProblem::Unavailable, message: message.clone() };
    let facts = ProbeFacts { hello_ms: Some(2.0), protocol: Some(1), ..ProbeFacts::default() };
    case.probe = Probe::Failed { problem: PowerProblem::Unavailable, message, facts: Box::new(facts) };
    case.system = SystemFacts { free_bytes: Some(1 << 40), ..SystemFacts::default() };
    let mac_alone = ["helper_daemon", "powermetrics", "samplers", "app_signature", "helper_signature", "requirement"];
    for id in mac_alone.into_iter().chain(["power", "other_powermetrics", "app_place", "ioreport", "system_power"]) {
        assert_eq!(case.row(id).result, CheckResult::DoesNotApply, "{id}");
    }
    let failed: Vec<_> = case.rows().into_iter().filter(|row| row.result == CheckResult::Fail).collect();
    assert_eq!(failed.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["server"], "{failed:#?}");
}

#[test]
fn the_helper_that_does_not_answer_says_why() {
    let facts = ProbeFacts { helper_words: "usage: ...\npermission denied".into(), ..ProbeFacts::default() };
    let silent = |problem| Case {
        probe: Probe::Failed { problem, message: "The helper has gone.".into(), facts: Box::new(facts.clone()) },
        ..Case::mac()
    };
    silent(PowerProblem::Ended).expect("helper_reachable", CheckResult::Fail, "It said: permission denied");
    silent(PowerProblem::NotPermitted).expect("helper_reachable", CheckResult::Fail, "The helper has gone.");
    silent(PowerProblem::Ended).expect("helper_version", CheckResult::Unknown, "not said");
}

#[test]
fn another_version_is_told_and_another_protocol_fails() {
    talked(|facts| facts.helper_version = Some("0.0.9".into())).expect("helper_version", CheckResult::Unknown, "0.0.9");
    talked(|facts| facts.protocol = Some(9)).expect("helper_version", CheckResult::Fail, "protocol 9");
}

#[test]
fn the_boundary_signal_passes_when_its_sample_comes_at_once() {
    let boundary = |answered_ms, elapsed_ms, next_elapsed_ms| {
        talked(|facts| facts.boundary = Some(BoundaryFacts { answered_ms, elapsed_ms, next_elapsed_ms }))
    };
    boundary(Some(4.0), Some(204.0), Some(500.0)).expect("siginfo", CheckResult::Pass, "began anew");
    boundary(Some(4.0), Some(204.0), Some(296.0)).expect("siginfo", CheckResult::Pass, "would have come");
    boundary(Some(4.0), Some(204.0), None).expect("siginfo", CheckResult::Pass, "4 ms after SIGINFO.");
    // the periodic sample, three fifths of the interval later
    boundary(Some(300.0), Some(500.0), None).expect("siginfo", CheckResult::Fail, "300 ms later");
    boundary(None, None, None).expect("siginfo", CheckResult::Unknown, "No sample");
    talked(|facts| facts.boundary = None).expect("siginfo", CheckResult::Unknown, "None was sent");
}

#[test]
fn counters_in_batches_are_told_from_dead_ones() {
    let with = |powers: &[f64]| talked(|facts| facts.samples = powers.iter().copied().map(sample).collect());
    with(&[10.0; 8]).expect("counters", CheckResult::Pass, "8 samples");
    with(&[0.0, 0.0, 0.0, 40.0, 0.0, 0.0, 0.0, 40.0]).expect("counters", CheckResult::Unknown, "batches");
    with(&[0.0; 8]).expect("counters", CheckResult::Fail, "all of 8");
    with(&[10.0; 3]).expect("counters", CheckResult::Unknown, "too few");
}

#[test]
fn a_document_is_described_and_an_unknown_one_fails() {
    let case = Case::mac();
    case.expect("schema", CheckResult::Pass, "Mac16,8, CPU + GPU, E-Cluster");
    case.expect("schema", CheckResult::Pass, "idle_ratio ×2");
    let other = |document: &str| talked(|facts| facts.first_document = Some(document.into()));
    other("<plist><dict><key>new</key><integer>1</integer></dict></plist>").expect(
        "schema",
        CheckResult::Fail,
        "no power, no length",
    );
    other("no plist").expect("schema", CheckResult::Fail, "can't be read");
    talked(|facts| facts.samples[1].rejected = 2).expect("schema", CheckResult::Unknown, "2 values not believed");
    talked(|facts| facts.simulated = true).expect("schema", CheckResult::Pass, "Simulated.");
}

#[test]
fn clocks_that_differ_fail() {
    talked(|facts| facts.samples[2].on_its_way_ms = -3.0).expect("helper_clock", CheckResult::Fail, "-3.0");
    talked(|facts| facts.samples[2].on_its_way_ms = 9e6).expect("helper_clock", CheckResult::Fail, "9000000.0");
    let jumped = Case { pause_s: (0.1, 0.5), ..Case::mac() };
    jumped.expect("clock", CheckResult::Unknown, "500 ms");
}

#[test]
fn samplers_that_are_missing_fail() {
    talked(|facts| facts.missing_samplers = vec!["thermal".into()]).expect("samplers", CheckResult::Fail, "thermal");
    let mut case = found(|system| system.samplers[0].1 = SamplerState::Unclear);
    case.expect("samplers", CheckResult::Pass, "cpu_power, gpu_power, thermal");
    case.probe = Probe::NotRun { why: String::new() };
    case.expect("samplers", CheckResult::Unknown, "about cpu_power");
}

#[test]
fn the_installed_daemon_is_told_as_it_stands() {
    let with = |state| found(|system| system.install = Some(install(state)));
    with(InstallState::NotInstalled).expect("helper_daemon", CheckResult::Unknown, "installed none");
    with(InstallState::OtherPrograms).expect("helper_daemon", CheckResult::Fail, "another build");
    with(InstallState::Incomplete).expect("helper_daemon", CheckResult::Fail, "launchd does not know");
    with(InstallState::NotSafe).expect("helper_daemon", CheckResult::Fail, "symbolic link");
    let registered = |registration| {
        found(|system| {
            system.install = Some(install(InstallState::NotInstalled));
            system.registration = Some(registration);
        })
    };
    registered(Registration::Enabled).expect("helper_daemon", CheckResult::Pass, "Login Items");
    registered(Registration::RequiresApproval).expect("helper_daemon", CheckResult::Fail, "administrator");
    registered(Registration::NotRegistered).expect("helper_daemon", CheckResult::Unknown, "not switched on");
}

#[test]
fn signatures_that_do_not_hold_fail() {
    let app = |change: fn(&mut Signature)| found(|system| change(system.app_signature.as_mut().unwrap()));
    app(|signature| signature.read = Err("the program is not signed".into())).expect(
        "app_signature",
        CheckResult::Fail,
        "not signed",
    );
    app(|signature| signature.verified = Some(Err("a sealed resource is missing".into()))).expect(
        "app_signature",
        CheckResult::Fail,
        "sealed",
    );
    app(|signature| signature.read.as_mut().unwrap().intact = false).expect(
        "app_signature",
        CheckResult::Fail,
        "not what was signed",
    );
    found(|system| system.app_signature = Some(signature(Some("ABCDE12345")))).expect(
        "helper_signature",
        CheckResult::Fail,
        "different teams",
    );
}

#[test]
fn the_rule_must_be_readable_and_met() {
    let rule = |compiles, met| {
        found(|system| {
            system.requirement = Some(RequirementFacts { text: "cdhash".into(), compiles, met });
        })
    };
    rule(Some(Err("syntax error".into())), None).expect("requirement", CheckResult::Fail, "syntax error");
    rule(Some(Ok(())), Some(false)).expect("requirement", CheckResult::Fail, "does not meet");
    rule(Some(Ok(())), None).expect("requirement", CheckResult::Pass, "can read it");
    rule(None, None).expect("requirement", CheckResult::Unknown, "cdhash");
}

#[test]
fn counters_without_root_are_live_frozen_or_missing() {
    let with = |ioreport| found(|system| system.ioreport = ioreport);
    with(IoReport::Frozen).expect("ioreport", CheckResult::Unknown, "same counts");
    with(IoReport::Missing).expect("ioreport", CheckResult::Fail, "can't be read");
    with(IoReport::Live { soc_mw: None }).expect("ioreport", CheckResult::Pass, "no chip power");
    found(|system| system.system_power = SystemPower::Missing).expect(
        "system_power",
        CheckResult::DoesNotApply,
        "PSTR",
    );
}

#[test]
fn an_app_that_lies_elsewhere_is_asked_to_move() {
    let at = |folder: &str| found(|system| system.app_folder = Some(folder.into()));
    at("/private/var/folders/x/AppTranslocation/Y/d/J.app").expect("app_place", CheckResult::Fail, "hidden place");
    at("/Users/ada/Downloads/J.app").expect("app_place", CheckResult::Fail, "Downloads");
    found(|system| system.app_folder = None).expect("app_place", CheckResult::DoesNotApply, "outside an app");
}

#[test]
fn powermetrics_of_others_and_scarce_space_are_told() {
    found(|system| system.other_powermetrics = Some(2)).expect("other_powermetrics", CheckResult::Unknown, "2 other");
    found(|system| system.powermetrics = ToolState::NotTrusted).expect("powermetrics", CheckResult::Fail, "Others");
    found(|system| system.powermetrics = ToolState::Missing).expect("powermetrics", CheckResult::Fail, "not in");
    found(|system| system.free_bytes = Some(1_000)).expect("disk", CheckResult::Fail, "0.0 GB");
}

#[test]
fn older_apis_pass_with_a_word_about_what_they_lack() {
    let with = |api| Case { api, ..Case::mac() };
    with(Some(Api::LmstudioV0)).expect("server_api", CheckResult::Pass, "v0");
    with(Some(Api::Openai)).expect("server_api", CheckResult::Pass, "first token");
    with(None).expect("server_api", CheckResult::Unknown, "did not say");
}
