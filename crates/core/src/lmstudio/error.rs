//! What can go wrong between us and a model server, split by what the user can do next.
#![expect(missing_docs, reason = "each message is the documentation")]

use std::fmt;

use super::Generation;
use super::sse::SseError;

/// Why the server could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LmError {
    #[error("{url:?} is no server address: {problem}; write it like http://127.0.0.1:1234")]
    BadUrl { url: String, problem: UrlProblem },
    #[error(
        "no server answers on {url}: start LM Studio's local server (Developer tab, or `lms server start`), or give \
         another address with --server"
    )]
    NotRunning { url: String, source: reqwest::Error },
    #[error(
        "the server on {url} is neither LM Studio nor OpenAI-compatible ({found}): another program may use this port; \
         give the right address with --server"
    )]
    WrongServer { url: String, found: String },
    #[error(
        "the server on {url} asks for an API token: put one (LM Studio: Developer > Server Settings) into LM_API_TOKEN \
         or a file for --api-token-file"
    )]
    TokenNeeded { url: String },
    #[error("the server on {url} refused the API token ({message}): check it, and its permissions, in LM Studio")]
    TokenRefused { url: String, message: String },
    #[error("the server is not ready yet ({message}): wait until it has loaded its model, then try again")]
    NotReady { message: String },
    #[error("no model is loaded{}", Choice(": load one in LM Studio, or name", .available))]
    NoModelLoaded { available: Vec<String> },
    #[error("the server does not say which of its models is loaded{}", Choice(": name", .available))]
    ModelChoiceNeeded { available: Vec<String> },
    #[error("there is no model {key:?} here{}", NoSuch(.available))]
    ModelNotFound { key: String, available: Vec<String> },
    #[error("{key:?} fits several models: choose one of {}", Listed(.matches))]
    AmbiguousModel { key: String, matches: Vec<String> },
    #[error("not enough memory to load {key} ({message}): unload other models, or choose a smaller one")]
    OutOfMemory { key: String, message: String },
    #[error("{key} could not be loaded ({message}): load it in LM Studio to see why")]
    LoadFailed { key: String, message: String },
    #[error("the prompt does not fit the model's context ({message}): load the model with a longer context")]
    ContextExceeded { message: String },
    #[error("no {waiting} within {after_s} s: the server is stuck or overloaded; look at its log")]
    Timeout { waiting: Waiting, after_s: f64 },
    #[error("the connection to {url} broke: the server may have crashed; look at its log")]
    Connection { url: String, source: reqwest::Error },
    #[error("the stream broke off before its end, so this answer can't be measured: look at the server's log")]
    StreamCut { source: Option<reqwest::Error> },
    #[error("the server failed in the middle of its answer: {message}")]
    StreamError { message: String },
    #[error("the answer to {route} can't be understood: {problem}; another program or version may answer there")]
    BadResponse { route: &'static str, problem: BadBody },
    #[error(
        "the answer is empty ({} tokens claimed): the prompt may overflow the context, or the server's queue failed",
        claimed_tokens.map_or_else(|| "no".to_owned(), |count| count.to_string())
    )]
    EmptyAnswer { claimed_tokens: Option<u64> },
    #[error("the server answered with HTTP status {status}: {message}")]
    Http { status: u16, message: String },
    #[error("the HTTP client can't be set up")]
    ClientSetup { source: reqwest::Error },
}

/// What is wrong with a server address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    #[error("it can't be parsed")]
    Unparsable,
    #[error("only http is spoken, LM Studio has no https")]
    NotHttp,
    #[error("it holds a user name or password; use an API token")]
    HasCredentials,
}

/// What was waited for when the time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Waiting {
    #[error("connection")]
    Connection,
    #[error("answer")]
    Answer,
    #[error("first token")]
    FirstToken,
    #[error("further part of the answer")]
    NextPart,
    #[error("end of the answer")]
    WholeAnswer,
    #[error("loaded model")]
    ModelLoad,
}

/// Why a body can't be understood.
#[derive(Debug, thiserror::Error)]
pub enum BadBody {
    #[error("it is no JSON ({source})")]
    NotJson { source: serde_json::Error },
    #[error("it has no {expected}")]
    WrongShape { expected: &'static str },
    #[error("it is larger than {limit_bytes} bytes")]
    TooLarge { limit_bytes: usize },
    #[error("a stream was asked for and a whole body came")]
    NotAStream,
    #[error(transparent)]
    Sse(#[from] SseError),
}

/// A generation that failed, with what had arrived of it.
#[derive(Debug)]
pub struct GenerateError {
    /// What went wrong.
    pub error: LmError,
    /// The part that had arrived; `None` when the request never got as far as an answer.
    pub partial: Option<Box<Generation>>,
}

// By hand: it speaks with the voice of the error inside, and must not appear twice in a printed chain.
impl fmt::Display for GenerateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(formatter)
    }
}

impl std::error::Error for GenerateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl From<LmError> for GenerateError {
    fn from(error: LmError) -> Self {
        Self { error, partial: None }
    }
}

/// What to do about a missing choice: name one of these models, unless there is none to name.
struct Choice<'a>(&'static str, &'a [String]);

impl fmt::Display for Choice<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            [] => formatter.write_str(", and the server has none to name: get one in LM Studio first"),
            models => write!(formatter, "{} one with --model: {}", self.0, Listed(models)),
        }
    }
}

/// The models that are there instead.
struct NoSuch<'a>(&'a [String]);

impl fmt::Display for NoSuch<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => formatter.write_str(", and no other: get one in LM Studio first"),
            models => write!(formatter, ": choose one of {}", Listed(models)),
        }
    }
}

/// Shows a list of model keys, not more than a screen can take.
struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        formatter.write_str(&self.0[..self.0.len().min(SHOWN)].join(", "))?;
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(formatter, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_model_lists_are_shortened() {
        let available: Vec<String> = (0..20).map(|number| format!("model-{number}")).collect();
        let message = LmError::NoModelLoaded { available }.to_string();
        assert!(message.contains("model-11 and 8 more"), "{message}");
    }

    #[test]
    fn where_there_is_no_model_nobody_is_told_to_name_one() {
        let none = Vec::new;
        let messages = [
            LmError::NoModelLoaded { available: none() },
            LmError::ModelChoiceNeeded { available: none() },
            LmError::ModelNotFound { key: "x".into(), available: none() },
        ]
        .map(|error| error.to_string());
        for message in messages {
            assert!(message.contains("get one in LM Studio") && !message.contains("--model"), "{message}");
        }
        let message = LmError::ModelChoiceNeeded { available: vec!["a".into(), "b".into()] }.to_string();
        assert!(message.ends_with(": name one with --model: a, b"), "{message}");
    }
}
