//! The scenario file: how the simulated server behaves, and which faults hit which request.
//!
//! TOML with two parts: `[server]` for the whole run, `[[request]]` rules for single generations or all of them, applied
//! in the order of the file, later ones winning field by field. `docs/simulator.md` explains every field with examples.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Which generation of LM Studio is imitated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
pub enum Profile {
    /// 0.3.x: no `/api/v1`; its routes answer like unknown ones.
    #[serde(rename = "0.3")]
    #[value(name = "0.3")]
    V03,
    /// 0.4.x: all routes.
    #[default]
    #[serde(rename = "0.4")]
    #[value(name = "0.4")]
    V04,
}

/// Numerator of the reported speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpeedFormula {
    /// All tokens, as older builds and some runs of newer ones do.
    N,
    /// Intervals between tokens, as most newer builds do.
    NMinus1,
}

/// To what reported times are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
}

/// Meaning of `stats.generation_time` on `/api/v0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GenerationTime {
    /// The whole prediction, prompt phase included (engine 2.x).
    WithPrompt,
    /// First to last token (engine 1.x).
    DecodeOnly,
}

/// What happens to the numbers in `stats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatsContent {
    /// All numbers.
    Full,
    /// The speed is `null`.
    NullSpeed,
    /// `stats` has no speed and no time.
    Counts,
}

/// Where streamed reasoning goes on the OpenAI-compatible routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningField {
    /// `delta.reasoning_content`.
    ReasoningContent,
    /// `delta.reasoning`, as for gpt-oss.
    Reasoning,
    /// `<think>` tags inside `content`.
    ThinkTags,
}

/// Which chunks of an OpenAI stream carry `delta.role`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleChunk {
    /// The first, which already holds text.
    First,
    /// A chunk of its own without text.
    Alone,
    /// Every chunk, as builds of 2025 did.
    Every,
}

/// A disturbance of one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The engine fails: `error` event, then `chat.end` with what there is; status 500 without streaming.
    Error,
    /// The connection breaks in the middle of the body.
    Cut,
    /// The body ends properly but without `chat.end` or `[DONE]`.
    EndEarly,
    /// Nothing comes for `stall_ms`, or until the client leaves.
    Stall,
    /// One line of the stream is not JSON (two lines spliced).
    DamagedLine,
    /// Status 500 before anything else.
    Http500,
}

/// What a prompt longer than the context gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// The error of the engine.
    Error,
    /// A successful, empty stream, as some GGUF builds answer.
    EmptyStream,
}

/// Settings of the whole server.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Generation of LM Studio.
    pub profile: Profile,
    /// API token that requests must bring; `None` leaves the server open.
    pub api_token: Option<String>,
    /// Load a downloaded model when a request names it.
    pub jit: bool,
    /// At most one model loaded by request stays.
    pub auto_evict: bool,
    /// Keys of models that are loaded when the server starts; named twice gives two instances.
    pub loaded: Vec<String>,
    /// Duration of a model load, in milliseconds; `None` derives it from the model's size.
    pub load_ms: Option<u64>,
    /// Every load fails with this message.
    pub load_error: Option<String>,
    /// Context length, in tokens, that a load gets whatever it asked for.
    pub granted_context_length: Option<u64>,
    /// Tokens that the chat template adds to the prompt.
    pub template_overhead_tokens: usize,
    /// Skip the prompt tokens that the instance's last prompt began with.
    pub prompt_cache: bool,
    /// Requests that one instance answers at once; more wait.
    pub parallel: usize,
    /// Idle connections are closed after this many milliseconds.
    pub keep_alive_ms: u64,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            api_token: None,
            jit: true,
            auto_evict: true,
            loaded: vec![super::models::DEFAULT_MODEL.to_owned()],
            load_ms: None,
            load_error: None,
            granted_context_length: None,
            template_overhead_tokens: 8,
            prompt_cache: true,
            parallel: 4,
            keep_alive_ms: 5_000,
        }
    }
}

/// Which generations a rule is about. They are counted from 1 in the order of arrival, over all routes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Which {
    /// One.
    Number(u64),
    /// Several.
    Numbers(Vec<u64>),
    /// `"*"`: all.
    All(Star),
}

/// The literal `"*"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Star {
    /// `*`
    #[serde(rename = "*")]
    Star,
}

impl Which {
    fn matches(&self, number: u64) -> bool {
        match self {
            Self::Number(one) => *one == number,
            Self::Numbers(several) => several.contains(&number),
            Self::All(Star::Star) => true,
        }
    }
}

macro_rules! script {
    ($($(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr;)+) => {
        /// How one generation goes. What the rules leave open has its default.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(clippy::struct_excessive_bools, reason = "independent switches of a test script")]
        pub struct Script { $($(#[doc = $doc])+ pub $field: $type,)+ }

        impl Default for Script {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        /// One `[[request]]` rule: the generations it is about and the fields of [`Script`] that it sets.
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Rule {
            /// The generations: a number, a list of numbers, or `"*"`.
            #[serde(rename = "match")]
            pub which: Which,
            $($(#[doc = $doc])+ #[serde(default)] pub $field: Option<$type>,)+
        }

        #[cfg(test)]
        const FIELDS: &[&str] = &[$(stringify!($field)),+];

        impl Rule {
            fn apply(&self, script: &mut Script) {
                $(if let Some(value) = &self.$field { script.$field.clone_from(value); })+
            }
        }
    };
}

script! {
    /// Speed of prompt processing, tokens per second.
    prefill_tokens_per_s: f64 = 400.0;
    /// Time of prompt processing that does not depend on its length, in milliseconds.
    prefill_fixed_ms: u64 = 80;
    /// Speed of generation, tokens per second.
    decode_tokens_per_s: f64 = 60.0;
    /// Spread of each interval between tokens, as a share of it: uniform within plus and minus this.
    jitter_ratio: f64 = 0.05;
    /// Tokens until the model ends its answer by itself, end token included; `0` leaves it to the prompt.
    output_tokens: u32 = 0;
    /// Of these, reasoning, when the model reasons; `0` leaves it to the prompt.
    reasoning_tokens: u32 = 0;
    /// Text of the answer; empty makes one up.
    answer: String = String::new();
    /// Tokens per delta.
    tokens_per_delta: u32 = 1;
    /// An empty delta comes in front of the first delta and of every n-th one; `0` for none.
    empty_delta_every: u32 = 0;
    /// Number of `prompt_processing.progress` events.
    progress_steps: u32 = 2;
    /// Number of `prompt_processing.end` events, 0 to 2.
    prompt_end_events: u32 = 1;
    /// Write whole progress values as integers.
    integer_progress: bool = true;
    /// Send event types that no documentation names.
    unknown_events: bool = false;
    /// Send events that carry nothing with `{}` as data, so that only the `event:` line names them.
    bare_events: bool = false;
    /// End lines of the stream with CR LF.
    crlf: bool = false;
    /// Cut the body into chunks inside of UTF-8 characters.
    split_utf8: bool = false;
    /// Cut the body into chunks of this many bytes; `0` leaves an event whole.
    chunk_bytes: usize = 0;
    /// Send a comment line this often while the prompt is processed, in milliseconds; `0` for silence.
    keepalive_ms: u64 = 0;
    /// Send `[DONE]` after v1's `chat.end`, and after an error on the OpenAI-compatible routes.
    extra_done: bool = false;
    /// Usage comes with the finish reason and not in a chunk of its own.
    usage_in_finish_chunk: bool = false;
    /// Chunks that carry a role.
    role_chunk: RoleChunk = RoleChunk::First;
    /// Field for streamed reasoning.
    reasoning_field: ReasoningField = ReasoningField::ReasoningContent;
    /// Numerator of the reported speed.
    speed_formula: SpeedFormula = SpeedFormula::NMinus1;
    /// Resolution of reported times.
    stats_resolution: Resolution = Resolution::Us;
    /// Meaning of v0's `generation_time`.
    generation_time: GenerationTime = GenerationTime::WithPrompt;
    /// Contents of `stats`.
    stats: StatsContent = StatsContent::Full;
    /// What a prompt longer than the context gets.
    overflow: Overflow = Overflow::Error;
    /// A disturbance.
    fault: Option<Fault> = None;
    /// Deltas that go out before it.
    fault_after_deltas: u32 = 1;
    /// Length of a stall, in milliseconds; `0` lasts until the client leaves.
    stall_ms: u64 = 0;
    /// Message of an error.
    error_message: String = "Engine protocol predict request returned 500: {\"error\":\"simulated failure\"}".to_owned();
}

/// A whole scenario.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// The server.
    pub server: ServerSettings,
    /// Rules for generations.
    #[serde(rename = "request")]
    pub rules: Vec<Rule>,
}

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("scenario {} could not be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What reading said.
        source: std::io::Error,
    },
    /// It is no scenario.
    #[error("scenario {} is not valid", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// When it cannot be read or has an unknown field or a value of the wrong type.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ScenarioError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|source| ScenarioError::Parse { path: path.to_owned(), source: Box::new(source) })
    }

    /// Parses the text of a scenario.
    ///
    /// # Errors
    /// As [`Scenario::read`], without the file.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// How generation `number` (from 1) goes.
    #[must_use]
    pub fn script(&self, number: u64) -> Script {
        let mut script = Script::default();
        for rule in self.rules.iter().filter(|rule| rule.which.matches(number)) {
            rule.apply(&mut script);
        }
        script
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_rules_win_field_by_field() {
        let scenario = Scenario::parse(
            r#"
            [[request]]
            match = "*"
            decode_tokens_per_s = 100.0
            crlf = true
            [[request]]
            match = [2, 3]
            fault = "cut"
            crlf = false
            [[request]]
            match = 3
            decode_tokens_per_s = 5.0
            "#,
        )
        .unwrap();
        let first = scenario.script(1);
        assert_eq!((first.decode_tokens_per_s, first.crlf, first.fault), (100.0, true, None));
        let third = scenario.script(3);
        assert_eq!((third.decode_tokens_per_s, third.crlf, third.fault), (5.0, false, Some(Fault::Cut)));
        assert_eq!(third.prefill_fixed_ms, Script::default().prefill_fixed_ms);
    }

    #[test]
    fn documentation_names_every_field_and_its_example_works() {
        let text = include_str!("../../../../docs/simulator.md");
        for field in FIELDS {
            assert!(text.contains(&format!("`{field}`")), "{field} is not documented");
        }
        let example = text.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let scenario = Scenario::parse(example).unwrap();
        assert_eq!(scenario.server.load_ms, Some(1_500));
        assert_eq!(scenario.script(2).fault, Some(Fault::Cut));
        assert!(scenario.script(4).split_utf8 && !scenario.script(1).split_utf8);
        let defaults = Script::default();
        assert_eq!((defaults.prefill_tokens_per_s, defaults.prefill_fixed_ms), (400.0, 80));
        assert_eq!((defaults.decode_tokens_per_s, defaults.jitter_ratio), (60.0, 0.05));
        let formula = "[[request]]\nmatch = 1\nspeed_formula = \"n_minus1\"\nrole_chunk = \"alone\"";
        assert_eq!(Scenario::parse(formula).unwrap().script(1).speed_formula, SpeedFormula::NMinus1);
    }

    #[test]
    fn misspelt_field_is_refused() {
        let error = Scenario::parse("[[request]]\nmatch = \"*\"\ndecode_rate = 3\n").unwrap_err();
        assert!(error.message().contains("decode_rate"), "{error}");
        assert!(Scenario::parse("[[request]]\nmatch = \"all\"\n").is_err());
        assert!(Scenario::parse("[server]\nprofile = \"0.5\"\n").is_err());
    }
}
