//! The first lines of a run: what will be measured, with what, and where the report goes.

use std::path::Path;

use joulebar_core::lmstudio::Api;
use joulebar_core::power::Way;
use joulebar_core::sample::Origin;
use joulebar_core::session::partial::partial_path;
use joulebar_core::session::record::{Header, SessionRecord};
use joulebar_core::session::setup::pending;

use super::plan::Plan;
use super::server::Connected;
use crate::exit::Failure;
use crate::{format, output};

/// Under the facts' names.
const INDENT: &str = "        ";

/// Prints what is about to run; as an event with `--json`.
pub fn print(plan: &Plan, record: &SessionRecord, aside: Option<&Path>, connected: &Connected) -> Result<(), Failure> {
    note_older_session(plan, aside);
    let header = &record.header;
    let power_simulated = header.power_source.origin == Origin::Simulator;
    let left = pending(record).len();
    if plan.json {
        return output::json(&serde_json::json!({
            "event": "started",
            "simulated": header.server.simulated || power_simulated,
            "benchmark_id": header.benchmark_id,
            "model": header.model.key,
            "server": header.server,
            "power_source": header.power_source,
            "settings": header.settings,
            "total_prompts": header.suite.prompts.len(),
            "pending_prompts": left,
            "output": plan.output,
        }));
    }
    if !connected.is_demo() {
        match (header.server.simulated, power_simulated) {
            (false, false) => {}
            (false, true) => output::line("Simulated power beside a real server: no energy here is a measurement.")?,
            (true, false) => output::line("The server is simulated: no figure here is a measurement.")?,
            (true, true) => output::line("Server and power are simulated: no figure here is a measurement.")?,
        }
    }
    output::text(&format!("Server  {}", server_words(header)), INDENT)?;
    output::text(&format!("Model   {}", model_words(header)), INDENT)?;
    output::text(&format!("Power   {}", power_words(header)), INDENT)?;
    let settings = &header.settings;
    let done = record.runs.len();
    let done = if done > 0 { format!(", {done} done already") } else { String::new() };
    let suite = format!(
        "Suite   {}: {}{done}, each with {} s baseline and {} s cooldown",
        header.suite.name,
        format::counted(header.suite.prompts.len() as u64, "prompt"),
        settings.baseline_s,
        settings.cooldown_s
    );
    output::text(&suite, INDENT)?;
    output::line(&format!("Report  {}", plan.output.display()))
}

fn note_older_session(plan: &Plan, aside: Option<&Path>) {
    let Some(aside) = aside else { return };
    let place = partial_path(&plan.output);
    if plan.resumed_from.as_ref() != Some(&place) {
        output::note(&format!(
            "note: {} held an unfinished session; it is kept as {aside}.\n      \
             To go on with it: joulebar bench --resume {aside}",
            place.display(),
            aside = aside.display()
        ));
    }
}

fn server_words(header: &Header) -> String {
    let server = &header.server;
    let engine = server.engine.name.as_deref();
    let name = if server.lm_studio { "LM Studio" } else { engine.unwrap_or("OpenAI-compatible") };
    let version =
        server.app_version.as_deref().or(if server.lm_studio { None } else { server.engine.version.as_deref() });
    let api = match server.api {
        Api::LmstudioV1 => "API v1",
        Api::LmstudioV0 => "API v0",
        Api::Openai => "API /v1",
    };
    let name = version.map_or_else(|| name.to_owned(), |version| format!("{name} {version}"));
    let mut words = vec![format!("{name} on {} ({api})", server.url)];
    if server.lm_studio
        && let Some(engine) = engine
    {
        words.push(format!("engine {engine}"));
    }
    if server.simulated {
        words.push("simulated".to_owned());
    }
    words.join(", ")
}

fn model_words(header: &Header) -> String {
    let model = &header.model;
    let mut words = model.key.clone();
    for fact in [&model.params, &model.quantization, &model.format].into_iter().flatten() {
        words.push_str(", ");
        words.push_str(fact);
    }
    if let Some(context) = model.context_length {
        words.push_str(&format!(", context {}", format::count(context)));
    }
    if let Some(load_s) = header.server.model_load_s {
        words.push_str(&format!(", loaded in {load_s:.1} s"));
    }
    words
}

fn power_words(header: &Header) -> String {
    let source = &header.power_source;
    let name = match source.origin {
        Origin::Powermetrics => "powermetrics",
        Origin::Counters => "energy counters",
        Origin::Replay => "a recording, which does not belong to these prompts",
        Origin::Simulator => "simulated",
    };
    let name = source.way.map_or(name, Way::title);
    let interval = source.requested_interval_ms.map(|ms| format!(", every {} ms", format::count(ms.into())));
    let scope = source.way.map(|way| format!(" ({})", way.scope()));
    format!("{name}{}{}", interval.unwrap_or_default(), scope.unwrap_or_default())
}
