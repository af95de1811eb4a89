//! A simulated LM Studio server: the REST routes v1, v0 and the OpenAI-compatible ones, with their traps.
//!
//! Every response carries `X-Joulebar-Simulator: 1`, every generation `X-Joulebar-Request: rN`. Token times are scripted, and
//! the server's own clock log ([`RequestLog`]) is the truth that a client's measurements are judged by. What it is doing goes
//! to the activity file that the simulated `powermetrics` reads. It imitates documented and recorded behaviour; where there is
//! neither, `docs/simulator.md` says what was chosen.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

mod answer;
mod clock_log;
mod engine;
mod http;
mod models;
mod openai;
mod openai_stream;
mod plan;
mod scenario;
mod server;
mod state;
mod stats;
mod text;
mod v0;
mod v1;
mod v1_schema;
mod v1_stream;

pub use clock_log::{Outcome, RequestLog, SentDelta};
pub use models::DEFAULT_MODEL;
pub use plan::{Kind, Stop};
pub use scenario::{Fault, Profile, Rule, Scenario, ScenarioError, Script, ServerSettings};
pub use server::{Handle, serve};
pub use state::Config;

/// Serves LM Studio's REST API on 127.0.0.1 and prints `READY http://127.0.0.1:PORT`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Append what the server is doing to this file, for `joulebar-sim powermetrics`
    #[arg(long, value_name = "FILE")]
    activity: Option<PathBuf>,
    /// Append the true instants of each generation to this file, one JSON object per line
    #[arg(long, value_name = "FILE")]
    clock_log: Option<PathBuf>,
    /// Generation of LM Studio to imitate [default: 0.4, or the scenario's]
    #[arg(long)]
    profile: Option<Profile>,
    /// API token that requests must bring (a made-up one: this is no secret)
    #[arg(long, value_name = "sk-lm-...")]
    token: Option<String>,
    /// TOML file with settings and faults
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Makes identifiers and jitter differ between runs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End when standard input does, and so with the process that started the server
    #[arg(long)]
    exit_with_stdin: bool,
}

/// Runs the server until SIGTERM, SIGINT or, when asked for, the end of standard input.
///
/// # Errors
/// When the scenario cannot be used, a file cannot be opened or the port is taken.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut scenario = args.scenario.as_deref().map(Scenario::read).transpose()?.unwrap_or_default();
    if let Some(profile) = args.profile {
        scenario.server.profile = profile;
    }
    if args.token.is_some() {
        scenario.server.api_token.clone_from(&args.token);
    }
    let config =
        Config { scenario, activity: args.activity.clone(), clock_log: args.clock_log.clone(), seed: args.seed };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
        let listener = TcpListener::bind(address).await.with_context(|| format!("{address} cannot be used"))?;
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let server = serve(config, listener).context("a log file cannot be opened")?;
        writeln!(io::stdout(), "READY {}", server.base_url())?;
        io::stdout().flush()?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = end_of_stdin(), if args.exit_with_stdin => {}
        }
        server.stop().await;
        Ok::<_, anyhow::Error>(())
    })?;
    // a read of standard input may still hang in its thread
    runtime.shutdown_background();
    Ok(())
}

async fn end_of_stdin() {
    let mut buffer = [0; 256];
    let mut stdin = tokio::io::stdin();
    while stdin.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}

/// Context of the instance that answers, or that a load would give it, in tokens.
fn context_of(state: &state::State, target: &models::Target, asked: Option<u64>) -> u64 {
    match target {
        models::Target::Loaded(instance) => instance.context_length,
        models::Target::ToLoad(spec) => state.registry().context_length(spec, asked),
    }
}

/// Says on standard error that something went wrong that no client can be told.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "joulebar-sim: {message}");
}

/// The engine's words for a prompt that does not fit, spelt as LM Studio spells them.
fn overflow_message(prompt_tokens: usize, context_length: u64) -> String {
    format!(
        "Trying to keep the first {prompt_tokens} tokens when context the overflows. However, the model is loaded with \
         context length of only {context_length} tokens, which is not enough. Try to load the model with a larger context \
         length, or provide a shorter input"
    )
}
