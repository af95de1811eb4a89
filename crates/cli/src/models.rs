//! `joulebar models`, and how a command reaches the server.

use std::path::Path;

use joulebar_core::clock::Clock;
use joulebar_core::lmstudio::{ApiToken, Client, ClientOptions, LmError, Model, TokenError, read_token_file};
use joulebar_core::settings::UserSettings;

use crate::args::{DEFAULT_SERVER, ModelsArguments, ServerArguments};
use crate::exit::{Code, Failure};
use crate::{format, output, preferences, table};

/// Lists the models of a server.
pub async fn run(arguments: &ModelsArguments) -> Result<Code, Failure> {
    let options = options(&arguments.server, &preferences::read())?;
    let client = Client::connect(options, Clock::start()).await.map_err(|error| failure(&error))?;
    let models = client.models().await.map_err(|error| failure(&error))?;
    if arguments.json {
        let text = serde_json::to_string_pretty(&models).map_err(|error| Failure::of(Code::Failed, &error))?;
        output::json_text(&text)?;
        return Ok(Code::Success);
    }
    let simulated = if client.is_simulated() { " (simulated)" } else { "" };
    let count = format::counted(models.len() as u64, "model");
    output::line(&format!("{count} on {}{simulated}; * is loaded", client.base_url()))?;
    let head = ["", "model", "params", "quant", "format", "size", "context", "max context"];
    output::line(&table::layout(&head, 5, models.iter().map(row)))?;
    Ok(Code::Success)
}

fn row(model: &Model) -> [String; 8] {
    let loaded = match model.loaded {
        Some(true) => "*",
        Some(false) => "",
        None => "?",
    };
    let word = |word: &Option<String>| format::or_dash(word.as_deref(), format::one_line);
    let mut name = format::one_line(model.instance_id.as_ref().unwrap_or(&model.key));
    if !model.generates_text {
        name.push_str(" (embedding)");
    }
    [
        loaded.to_owned(),
        name,
        word(&model.params),
        word(&model.quantization),
        word(&model.format),
        format::or_dash(model.size_bytes, format::size),
        format::or_dash(model.context_length, format::count),
        format::or_dash(model.max_context_length, format::count),
    ]
}

/// The client's options: the server of the command line, else of the settings, else LM Studio's own.
pub fn options(arguments: &ServerArguments, settings: &UserSettings) -> Result<ClientOptions, Failure> {
    let named = arguments.url.as_ref().or(settings.server_url.as_ref());
    let url = named.cloned().unwrap_or_else(|| DEFAULT_SERVER.to_owned());
    Ok(ClientOptions { url, api_token: token(arguments.api_token_file.as_deref())?, ..ClientOptions::default() })
}

fn token(file: Option<&Path>) -> Result<Option<ApiToken>, Failure> {
    let token = match file {
        Some(file) => read_token_file(file).map(Some),
        None => ApiToken::from_env(),
    };
    token.map_err(|error: TokenError| {
        Failure::of(Code::BadInput, &error).next("put the token alone into a file for --api-token-file")
    })
}

/// What a failure of the server means for the command.
pub fn failure(error: &LmError) -> Failure {
    match error {
        LmError::NotRunning { url, source } => Failure::new(Code::Unavailable, format!("no server answers on {url}"))
            .because(root_cause(source))
            .next("start LM Studio's server (Developer tab, or `lms server start`)")
            .next("give another address with --server, like --server http://127.0.0.1:1234"),
        LmError::BadUrl { .. } => Failure::of(Code::Usage, error),
        LmError::TokenNeeded { .. } | LmError::TokenRefused { .. } => Failure::of(Code::Unavailable, error)
            .next("export LM_API_TOKEN=…, or give a file with --api-token-file FILE"),
        LmError::NoModelLoaded { available }
        | LmError::ModelNotFound { available, .. }
        | LmError::ModelChoiceNeeded { available }
            if available.is_empty() =>
        {
            Failure::of(Code::Unavailable, error).next("get a model in LM Studio, then see it with `joulebar models`")
        }
        LmError::NoModelLoaded { .. }
        | LmError::ModelNotFound { .. }
        | LmError::AmbiguousModel { .. }
        | LmError::ModelChoiceNeeded { .. } => Failure::of(Code::Unavailable, error)
            .next("see the models with `joulebar models`, then name one with --model KEY"),
        _ => Failure::of(Code::Unavailable, error),
    }
}

/// The innermost cause: what the system said, without the layers around it.
fn root_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}
