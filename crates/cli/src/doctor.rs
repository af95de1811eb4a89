//! `joulebar doctor`: looks at everything that Joulebar relies on, and makes a bundle for a bug report.
//!
//! Facts come from [`joulebar_core::doctor`], and so do the rows, which are those of the app's Diagnostics page.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use joulebar_core::clock::Clock;
use joulebar_core::demo::{DemoServer, Stage};
use joulebar_core::doctor::anonymise::Anonymiser;
use joulebar_core::doctor::bundle::{Contents, files, write_zip};
use joulebar_core::doctor::gather::{self, Subject};
use joulebar_core::doctor::probe::{ProbePlan, helper_view, power_state, probe_power};
use joulebar_core::doctor::{CheckResult, CheckRow, Facts, Probe, SystemFacts, any_failed, rows};
use joulebar_core::environment::{Environment, read_environment};
use joulebar_core::files::{NewFile, resolve};
use joulebar_core::folders::{config_folder, data_folder};
use joulebar_core::live::look;
use joulebar_core::live::state::{HistoryState, ServerState};
use joulebar_core::lmstudio::{Api, ApiToken, Client, ClientOptions};
use joulebar_core::programs::Program;
use joulebar_core::session::setup::wall_clock;
use joulebar_core::settings::{UserSettings, read_settings};
use joulebar_core::store::{Filter, Store};

use crate::args::{DoctorArguments, DoctorSource};
use crate::exit::{Code, Failure};
use crate::places::{cannot_write, obstacle};
use crate::sources::Power;
use crate::{format, models, output};

/// How long the clocks are compared.
const PAUSE: Duration = Duration::from_millis(200);

/// Checks, prints, and writes the bundle that was asked for.
pub async fn run(arguments: &DoctorArguments) -> Result<Code, Failure> {
    let place = arguments.bundle.as_deref().map(|file| bundle_place(file, arguments.force)).transpose()?;
    let checked = Checked::look(arguments).await?;
    match arguments.json {
        true => output::json_text(&serde_json::to_string_pretty(&checked.rows).map_err(json_failed)?)?,
        false => print(&checked.rows)?,
    }
    if let Some(place) = place {
        checked.write_bundle(&place)?;
        let simulated =
            if checked.probe.facts().is_some_and(|facts| facts.simulated) { ", power simulated" } else { "" };
        let words = format!("Bundle in {}{simulated}. Please look through it before you send it.", place.display());
        if arguments.json { output::note(&words) } else { output::line(&words)? }
    }
    Ok(if any_failed(&checked.rows) { Code::Unavailable } else { Code::Success })
}

fn json_failed(error: serde_json::Error) -> Failure {
    Failure::of(Code::Failed, &error)
}

/// Where the bundle goes; an older one stays unless it may be replaced.
fn bundle_place(file: &Path, force: bool) -> Result<PathBuf, Failure> {
    if let Some(obstacle) = obstacle(file) {
        return Err(cannot_write(file).because_text(obstacle).next("give the name of a file, like bundle.zip"));
    }
    if file.exists() && !force {
        return Err(cannot_write(file)
            .because_text("there is a file of this name already")
            .next("give another name, or --force to replace it"));
    }
    Ok(resolve(file))
}

/// What was found.
struct Checked {
    rows: Vec<CheckRow>,
    probe: Probe,
    environment: Environment,
    settings: Option<String>,
    log: Option<String>,
    token: Option<ApiToken>,
}

impl Checked {
    async fn look(arguments: &DoctorArguments) -> Result<Self, Failure> {
        let config = config_folder().map_err(|error| Failure::of(Code::BadInput, &error))?;
        let read = read_settings(&config);
        let user = read.as_ref().map_or_else(|_| UserSettings::default(), |(settings, _)| settings.clone());
        let stage = Stage::set()?;
        let server = if arguments.demo { Some(DemoServer::start(&stage.activity()).await?) } else { None };
        let mut options = models::options(&arguments.server, &user)?;
        if let Some(server) = &server {
            options.url = server.url().to_owned();
        }
        let token = options.api_token.clone();
        let demo = arguments.demo || arguments.source == DoctorSource::Demo;
        let (power, program) = match demo {
            true => {
                let marks_are_activity = server.is_none();
                (Power::Demo { activity: stage.activity(), marks_are_activity, seed: 1 }, Program::SimulatedHelper)
            }
            false => (Power::Helper, Program::Helper),
        };
        let data = data_folder().map_err(|error| Failure::of(Code::CannotWrite, &error))?;
        let folder = data.clone();
        // before the helper runs powermetrics: that moves counters which stand still without it, and a second one disturbs
        let found = tokio::task::spawn_blocking(move || find(&folder, program)).await;
        let plan = ProbePlan::whole().map_err(|error| Failure::of(Code::Failed, &error))?;
        let (probe, (server_state, api), pause_s) =
            tokio::join!(probe_power(&power, plan), ask_server(&options), pause());
        if let Some(server) = server {
            server.stop().await;
        }
        let Found { system, environment, history, log } = found.map_err(|error| Failure::of(Code::Failed, &error))?;
        let rows = rows(&Facts {
            helper: &helper_view(&probe, program),
            power: &power_state(&probe),
            server: &server_state,
            api,
            history: &history,
            data_folder: data.display().to_string(),
            settings_path: config.join("settings.toml").display().to_string(),
            settings: match &read {
                Ok((_, wrong)) => Ok(wrong.as_slice()),
                Err(error) => Err(Failure::of(Code::BadInput, error).in_one_line()),
            },
            environment: &environment,
            pause_s,
            probe: &probe,
            system: &system,
        });
        let settings = std::fs::read_to_string(config.join("settings.toml")).ok();
        Ok(Self { rows, probe, environment, settings, log, token })
    }

    fn write_bundle(&self, place: &Path) -> Result<(), Failure> {
        let words = self.probe.facts().map(|facts| facts.helper_words.clone()).filter(|words| !words.is_empty());
        let log = match (&self.log, words) {
            (None, None) => None,
            (log, words) => {
                let words = words.map(|words| format!("helper's standard error:\n{words}"));
                Some([log.clone(), words].into_iter().flatten().collect::<Vec<_>>().join("\n\n"))
            }
        };
        let contents = Contents {
            made_at: &wall_clock(),
            rows: &self.rows,
            environment: &self.environment,
            probe: &self.probe,
            settings: self.settings.as_deref(),
            log: log.as_deref(),
        };
        let anonymiser = Anonymiser::new(&gather::read_personal(self.token.as_ref()));
        let files = files(&contents, &anonymiser).map_err(json_failed)?;
        let failed = |error: std::io::Error| {
            cannot_write(place).because(&error).next("free some space, or give another file with --bundle")
        };
        let mut file = NewFile::create(place).map_err(failed)?;
        let mut archive = std::io::Cursor::new(Vec::new());
        write_zip(&mut archive, &files).map_err(failed)?;
        BufWriter::new(&mut file).write_all(archive.get_ref()).map_err(failed)?;
        file.sync().map_err(failed)?;
        file.settle().map(drop).map_err(failed)
    }
}

/// What is found by looking at this machine.
struct Found {
    system: SystemFacts,
    environment: Environment,
    history: HistoryState,
    log: Option<String>,
}

fn find(data: &Path, program: Program) -> Found {
    let subject = Subject::of_this_build(Some(data.to_owned()), program.find().ok());
    Found {
        system: gather::read_system(&subject),
        environment: read_environment(),
        history: history(data),
        log: gather::read_log(&subject.labels),
    }
}

fn history(data: &Path) -> HistoryState {
    match Store::open(data) {
        Ok(opened) => HistoryState {
            count: opened.store.count(&Filter::default()).unwrap_or(0),
            writable: opened.store.is_writable(),
            notice: opened.notice.map(|notice| notice.to_string()),
        },
        Err(error) => HistoryState {
            count: 0,
            writable: false,
            notice: Some(format!("{}.", Failure::of(Code::CannotWrite, &error).in_one_line())),
        },
    }
}

async fn ask_server(options: &ClientOptions) -> (ServerState, Option<Api>) {
    let clock = Clock::start();
    let state = look(options, clock).await;
    let api = Client::connect(options.clone(), clock).await.ok().map(|client| client.api());
    (state, api)
}

/// A short pause on the monotonic and on the wall clock, in seconds.
async fn pause() -> (f64, f64) {
    let (monotonic, wall) = (Instant::now(), SystemTime::now());
    tokio::time::sleep(PAUSE).await;
    // a wall clock that went back took no time
    (monotonic.elapsed().as_secs_f64(), wall.elapsed().map_or(0.0, |pause| pause.as_secs_f64()))
}

fn print(rows: &[CheckRow]) -> Result<(), Failure> {
    let title = rows.iter().map(|row| row.title.chars().count()).max().unwrap_or(0);
    let width = word(CheckResult::DoesNotApply).len();
    let indent = " ".repeat(width + title + 4);
    for row in rows {
        let line = format!("{:width$}  {:title$}  {}", word(row.result), row.title, format::one_line(&row.detail));
        output::text(&line, &indent)?;
        if let Some(next) = &row.next {
            output::text(&format!("{indent}{next}"), &indent)?;
        }
    }
    let count = |result| rows.iter().filter(|row| row.result == result).count();
    let counted = rows.len() - count(CheckResult::DoesNotApply);
    output::line(&format!(
        "\n{} of {counted} checks pass, {} fail, {} not known",
        count(CheckResult::Pass),
        count(CheckResult::Fail),
        count(CheckResult::Unknown)
    ))
}

/// The word of a result.
fn word(result: CheckResult) -> &'static str {
    match result {
        CheckResult::Pass => "pass",
        CheckResult::Fail => "FAIL",
        CheckResult::Unknown => "unknown",
        CheckResult::DoesNotApply => "does not apply",
    }
}
