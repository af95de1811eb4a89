//! `joulebar bench`: from a command line to a report.
//!
//! Knows the order of things: everything that can be refused is refused before the first prompt, and whatever happens
//! later, finished prompts end up in a report or in the file that `--resume` takes, and in the history.

mod finish;
mod keeping;
mod plan;
mod screen;
mod server;
mod start;
pub mod table;

use std::path::PathBuf;
use std::time::Duration;

use joulebar_core::environment::read_environment;
use joulebar_core::lmstudio::SelectedModel;
use joulebar_core::power::PowerSource;
use joulebar_core::power::replay::Pace;
use joulebar_core::power::source::Source;
use joulebar_core::session::machine::Lengths;
use joulebar_core::session::partial::{PartialWriter, partial_path};
use joulebar_core::session::record::SessionRecord;
use joulebar_core::session::runner::{Control, Session, SessionResult};
use joulebar_core::session::setup::{self, NewSession};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use self::keeping::Kept;
use self::plan::Plan;
use self::screen::{Screen, Show};
use self::server::Connected;
use crate::args::BenchArguments;
use crate::exit::{Code, Failure, even_unread};
use crate::interrupts::{Interrupts, Wish};
use crate::{output, preferences, sources};

/// How long a server may take to unload what was loaded for the session.
const RELEASE_LIMIT: Duration = Duration::from_secs(10);
/// Rest before the first baseline: the server has just been asked for its models and its engine.
const SETTLE: Duration = Duration::from_secs(1);

/// Runs a session and writes its report.
pub async fn run(arguments: &BenchArguments) -> Result<Code, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let user = preferences::read();
    let mut plan = Plan::read(arguments, &user)?;
    if let Some(code) = finish::nothing_left(&mut plan)? {
        return Ok(code);
    }
    plan.check_outputs()?;
    let mut connected = interrupts.or(server::connect(arguments, &plan, &user)).await?;
    let result = with_model(&mut plan, &mut connected, &mut interrupts).await;
    connected.close(&mut interrupts).await;
    result
}

/// The part of a run in which a server is connected.
async fn with_model(plan: &mut Plan, connected: &mut Connected, interrupts: &mut Interrupts) -> Result<Code, Failure> {
    let check = sources::check(&connected.power, plan.interval_ms);
    interrupts.or(check).await.map_err(|failure| connected.without_power(failure))?;
    let selected = interrupts.or(connected.select_model(plan)).await?;
    let result = measure(plan, connected, &selected, interrupts).await;
    match tokio::time::timeout(RELEASE_LIMIT, connected.client.release(&selected)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => output::note(&format!("note: the model stays loaded: {error}")),
        Err(_) => output::note("note: the server did not say whether it unloaded the model"),
    }
    result
}

async fn measure(
    plan: &mut Plan,
    connected: &mut Connected,
    selected: &SelectedModel,
    interrupts: &mut Interrupts,
) -> Result<Code, Failure> {
    let resumed = match plan.unfinished.take() {
        Some(record) => Some(interrupts.or(connected.resume(record, selected)).await?),
        None => None,
    };
    let (session, aside) = interrupts.or(prepare(plan, connected, selected, resumed)).await?;
    let partial = session.keeper.partial.path().to_owned();
    let simulated = session.record.header.server.simulated || connected.power.is_simulated();
    even_unread(start::print(plan, &session.record, aside.as_deref(), connected))?;
    let (show, shown) = unbounded_channel();
    let screen = Screen::new(&session.record, simulated, plan.json);
    let printer = std::thread::spawn(move || screen.run(shown));
    let result = drive(session, interrupts, &show).await;
    drop(show);
    let printed = printer.join().unwrap_or(Ok(()));
    let Some(result) = result else {
        return Err(Failure::new(Code::Interrupted, "stopped at once, without a report")
            .because_text(format!("finished prompts are kept in {}", partial.display()))
            .next(format!("joulebar bench --resume {}", partial.display())));
    };
    let code = finish::write(plan, result, aside.as_deref())?;
    even_unread(printed)?;
    Ok(code)
}

/// Starts the power source and whatever keeps the session; the second value is where an older file was moved to.
async fn prepare<'a>(
    plan: &Plan,
    connected: &'a Connected,
    selected: &SelectedModel,
    resumed: Option<SessionRecord>,
) -> Result<(Session<'a, Source, Kept>, Option<PathBuf>), Failure> {
    let server = setup::describe_server(&connected.client, selected).await;
    tokio::time::sleep(SETTLE).await;
    let source = sources::open(&connected.power, plan.interval_ms, Pace::Recorded, connected.clock)
        .await
        .map_err(|failure| connected.without_power(failure))?;
    let record = resumed.unwrap_or_else(|| {
        let session = NewSession {
            settings: plan.settings.clone(),
            suite: plan.suite.clone(),
            model: selected.model.clone(),
            server,
            environment: read_environment(),
            power_source: source.description(),
        };
        setup::new_record(session, &connected.clock)
    });
    let (partial, aside) = PartialWriter::create(&partial_path(&plan.output), &record)
        .map_err(|error| Failure::of(Code::CannotWrite, &error).next("give another file with --output"))?;
    let settings = &record.header.settings;
    let interval = Duration::from_millis(plan.interval_ms.into());
    let lengths = Lengths {
        baseline: Duration::from_secs_f64(settings.baseline_s),
        cooldown: Duration::from_secs_f64(settings.cooldown_s),
        first_sample: 2 * interval + Duration::from_secs(10),
        sample_grace: 2 * interval + Duration::from_secs(2),
    };
    let keeper = Kept { partial, history: keeping::begin(plan, &record) };
    let session = Session { client: &connected.client, source, clock: connected.clock, record, lengths, keeper };
    Ok((session, aside))
}

/// Runs the session and listens to signals. `None` when the user would not wait for its end.
async fn drive<S: PowerSource>(
    session: Session<'_, S, Kept>,
    interrupts: &mut Interrupts,
    show: &UnboundedSender<Show>,
) -> Option<SessionResult<Kept>> {
    let (events, mut happened) = unbounded_channel();
    let (control, wishes) = unbounded_channel();
    let screen = show.clone();
    let forward = tokio::spawn(async move {
        while let Some(event) = happened.recv().await {
            // a screen that has gone needs no events
            let _ = screen.send(Show::Event(Box::new(event)));
        }
    });
    let mut running = Box::pin(session.run(events, wishes));
    let mut signals = 0_u32;
    let result = loop {
        let wish = tokio::select! {
            result = &mut running => break Some(result),
            wish = interrupts.next() => wish,
        };
        let before = signals;
        signals = if wish == Wish::StopNow { signals.max(1) + 1 } else { signals + 1 };
        if signals > 2 {
            break None;
        }
        for _ in before..signals {
            let _ = control.send(Control::Interrupt);
        }
        let _ = show.send(Show::Interrupted { at_once: signals > 1 });
    };
    drop(running);
    let _ = forward.await;
    result
}
