//! Which server answers and which power goes with it.

use joulebar_core::clock::Clock;
use joulebar_core::demo::{DemoServer, Stage};
use joulebar_core::lmstudio::{Client, ClientOptions, LmError, SelectedModel};
use joulebar_core::sample::Origin;
use joulebar_core::session::record::SessionRecord;
use joulebar_core::session::setup;
use joulebar_core::settings::UserSettings;

use super::plan::Plan;
use crate::args::{BenchArguments, SourceChoice};
use crate::exit::{Code, Failure, even_unread};
use crate::interrupts::Interrupts;
use crate::sources::Power;
use crate::{format, models, output, sources};

/// The server of a run, and the power that goes with it.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub client: Client,
    /// The session's clock.
    pub clock: Clock,
    /// Where power comes from.
    pub power: Power,
    options: ClientOptions,
    demo: Option<DemoServer>,
    source_was_named: bool,
    /// Removed at the end of the run.
    _stage: Stage,
}

/// Connects to the server that was asked for, or to LM Studio, or starts the demo.
///
/// Nothing simulated is used without being asked for, with one exception, which is said in the first line: no server
/// was named, on the command line or in the settings, none answers where LM Studio would, and no source of power was named
/// either.
pub async fn connect(arguments: &BenchArguments, plan: &Plan, user: &UserSettings) -> Result<Connected, Failure> {
    let stage = Stage::set()?;
    let mut options = models::options(&arguments.server, user)?;
    let old_server = plan.unfinished.as_ref().map(|record| &record.header.server);
    let named = arguments.server.url.is_some();
    if arguments.demo {
        return named_demo(plan, stage, options).await;
    }
    if let (Some(server), false) = (old_server, named) {
        options.url.clone_from(&server.url);
    }
    let clock = Clock::start();
    // the built-in demo has another address each time, and somebody else may listen on its old one
    let old_demo = !named && plan.unfinished.as_ref().is_some_and(may_be_the_demo);
    match Client::connect(options.clone(), clock).await {
        Ok(client) if old_demo && !client.is_simulated() => named_demo(plan, stage, options).await,
        // a token is asked for by a server that somebody set up
        Err(error) if old_demo && !matches!(error, LmError::TokenNeeded { .. } | LmError::TokenRefused { .. }) => {
            named_demo(plan, stage, options).await
        }
        Ok(client) => {
            let power = power(plan, &stage);
            let source_was_named = arguments.source != SourceChoice::Auto;
            Ok(Connected { client, clock, power, options, demo: None, source_was_named, _stage: stage })
        }
        Err(LmError::NotRunning { .. }) if may_fall_back(arguments, plan, user) => {
            let place = options.url.trim_start_matches("http://");
            announce(plan, &format!("No LM Studio on {place}: running the built-in demo. All figures are simulated."))?;
            demo(plan, stage, options).await
        }
        Err(error) => {
            let failure = models::failure(&error);
            Err(match error {
                LmError::NotRunning { .. } => failure.next("joulebar bench --demo, which needs no server"),
                _ => failure,
            })
        }
    }
}

/// True for a session that the built-in demo may have begun: so may have a simulated server that the user started, which
/// goes on where it still answers.
fn may_be_the_demo(record: &SessionRecord) -> bool {
    record.header.server.simulated && record.header.power_source.origin == Origin::Simulator
}

async fn named_demo(plan: &Plan, stage: Stage, options: ClientOptions) -> Result<Connected, Failure> {
    announce(plan, "Built-in demo: server and power are simulated. No figure is a measurement.")?;
    demo(plan, stage, options).await
}

fn may_fall_back(arguments: &BenchArguments, plan: &Plan, user: &UserSettings) -> bool {
    arguments.server.url.is_none()
        && user.server_url.is_none()
        && arguments.model.is_none()
        && plan.unfinished.is_none()
        && matches!(plan.source, SourceChoice::Auto | SourceChoice::Demo)
}

fn announce(plan: &Plan, text: &str) -> Result<(), Failure> {
    if plan.json {
        output::note(text);
        return Ok(());
    }
    even_unread(output::line(text))
}

async fn demo(plan: &Plan, stage: Stage, options: ClientOptions) -> Result<Connected, Failure> {
    let server = DemoServer::start(&stage.activity()).await?;
    let options = ClientOptions { url: server.url().to_owned(), api_token: None, ..options };
    let clock = Clock::start();
    let client = Client::connect(options.clone(), clock).await.map_err(|error| models::failure(&error))?;
    let power = match &plan.source {
        SourceChoice::Replay(file) => Power::Replay(file.clone()),
        _ => Power::Demo { activity: stage.activity(), marks_are_activity: false, seed: plan.settings.seed },
    };
    Ok(Connected { client, clock, power, options, demo: Some(server), source_was_named: true, _stage: stage })
}

/// Power beside a server that was not started here.
fn power(plan: &Plan, stage: &Stage) -> Power {
    match &plan.source {
        SourceChoice::Auto => Power::Auto { may_ask_for_password: false },
        SourceChoice::Helper => Power::Helper,
        SourceChoice::Replay(file) => Power::Replay(file.clone()),
        // a simulated server that somebody else started writes to a file of its own, if to any
        SourceChoice::Demo => {
            Power::Demo { activity: stage.activity(), marks_are_activity: true, seed: plan.settings.seed }
        }
    }
}

impl Connected {
    /// Chooses the model, and loads it if need be.
    pub async fn select_model(&self, plan: &Plan) -> Result<SelectedModel, Failure> {
        let selected =
            self.client.select_model(plan.model.as_deref()).await.map_err(|error| models::failure(&error))?;
        if !selected.others_loaded.is_empty() {
            output::note(&format!(
                "note: measuring {}; also loaded: {}. Name another with --model.",
                format::one_line(&selected.model.key),
                format::one_line(&selected.others_loaded.join(", "))
            ));
        }
        Ok(selected)
    }

    /// Goes on with an unfinished session: on its clock, with its model and its kind of power.
    pub async fn resume(&mut self, record: SessionRecord, selected: &SelectedModel) -> Result<SessionRecord, Failure> {
        let server = setup::describe_server(&self.client, selected).await;
        let (record, clock) = setup::resume(record, &selected.model, &server, &self.power.preview())
            .map_err(|error| Failure::of(Code::BadInput, &error))?;
        self.client = Client::connect(self.options.clone(), clock).await.map_err(|error| models::failure(&error))?;
        // the new client has to know the models too
        self.client.models().await.map_err(|error| models::failure(&error))?;
        self.clock = clock;
        Ok(record)
    }

    /// Adds what can be done when there is no power.
    pub fn without_power(&self, failure: Failure) -> Failure {
        match (&self.power, self.source_was_named) {
            (Power::Auto { .. } | Power::Helper, false) => {
                failure.next(format!("{} --source demo, which simulates power", sources::own_command()))
            }
            (Power::Auto { .. } | Power::Helper, true) => failure.next("use --source demo, which simulates power"),
            _ => failure,
        }
    }

    /// True when the demo was announced: then the first line is printed already.
    pub fn is_demo(&self) -> bool {
        self.demo.is_some()
    }

    /// Leaves the server as it was found: a model whose load was interrupted is unloaded, which can take as long as the
    /// load; another signal leaves at once. Ends a server that was started here.
    pub async fn close(self, interrupts: &mut Interrupts) {
        if self.client.is_undoing_a_load() {
            output::note("note: waiting for the server to load the model, to unload it again; Ctrl-C leaves it loaded");
            tokio::select! {
                left_loaded = self.client.undo_loads() => {
                    for key in left_loaded {
                        output::note(&format!("note: {key} may be loaded still; unload it in LM Studio"));
                    }
                }
                _ = interrupts.next() => {}
            }
        }
        if let Some(server) = self.demo {
            server.stop().await;
        }
    }
}
