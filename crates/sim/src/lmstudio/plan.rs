//! What one generation will do: its tokens, their texts and their distances in time. Pure; the engine carries it out.

use std::time::Duration;

use super::scenario::Script;
use super::text::{Random, hash, made_up, pieces};

/// What a token is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The reasoning.
    Reasoning,
    /// The answer.
    Message,
    /// The end-of-sequence token, which has no text.
    End,
}

/// One token to be generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its text, empty for the end token.
    pub text: String,
    /// What it is part of.
    pub kind: Kind,
}

/// Why the generation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stop {
    /// The model ended its answer.
    EosFound,
    /// The request's limit.
    MaxPredictedTokensReached,
    /// A stop string.
    StopStringFound,
    /// The context is full.
    ContextLengthReached,
}

impl Stop {
    /// OpenAI's word for it.
    #[must_use]
    pub fn finish_reason(self) -> &'static str {
        match self {
            Self::EosFound | Self::StopStringFound => "stop",
            Self::MaxPredictedTokensReached | Self::ContextLengthReached => "length",
        }
    }
}

/// A prompt as the engine sees it.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    /// One hash for each token, those of the chat template included.
    pub tokens: Vec<u64>,
    /// What the answer depends on: the end of the last message without its nonce.
    pub seed: u64,
}

impl Prompt {
    /// A prompt of `texts`, each a message, with `template_tokens` added by the template and 4 for each further message.
    #[must_use]
    pub fn new(texts: &[&str], template_tokens: usize) -> Self {
        let mut tokens = vec![hash("template"); template_tokens];
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                tokens.extend([hash("turn"); 4]);
            }
            tokens.extend(pieces(text).into_iter().map(hash));
        }
        let last = texts.last().map_or("", |text| without_nonce(text.trim()));
        let tail = last.char_indices().rev().nth(SEED_CHARS - 1).map_or(last, |(at, _)| &last[at..]);
        Self { tokens, seed: hash(tail) }
    }
}

/// Characters at the end of a message that its answer depends on.
const SEED_CHARS: usize = 48;
/// A nonce is shorter than this, its brackets included.
const NONCE_LIMIT_BYTES: usize = 24;

/// A message without `[something short]` in front of it.
fn without_nonce(text: &str) -> &str {
    let end = text.strip_prefix('[').and_then(|rest| rest.find([']', '\n'])).map(|end| end + 1);
    match end.filter(|end| *end < NONCE_LIMIT_BYTES).and_then(|end| text[end..].strip_prefix(']')).map(str::trim_start)
    {
        Some(rest) if !rest.is_empty() => rest,
        _ => text,
    }
}

/// What limits the answer.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Tokens that the request allows; `None` for no limit.
    pub max_tokens: Option<u64>,
    /// Tokens of context, prompt included.
    pub context_length: u64,
    /// Strings that end the answer.
    pub stop: Vec<String>,
    /// True when the model reasons first.
    pub reasoning: bool,
}

/// One generation as it will be.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Time of prompt processing, first token included.
    pub prefill: Duration,
    /// The tokens; never empty.
    pub tokens: Vec<Token>,
    /// Time of each token after the first one's.
    pub offsets: Vec<Duration>,
    /// Why it ends.
    pub stop: Stop,
}

/// Tokens that the model makes of this prompt by itself, end token included: 32 to 1000, each as likely. So most prompts
/// come to the limits that are usual, as with a real model.
fn natural_length(seed: u64) -> u64 {
    32 + Random::new(seed ^ 0x616e_7377_6572).below(969) as u64
}

/// Plans the answer to `prompt`, of which `cached` tokens need no processing. `seed` makes the jitter differ between
/// generations; the answer does not depend on it.
#[must_use]
pub fn plan(prompt: &Prompt, cached: usize, limits: &Limits, script: &Script, seed: u64) -> Plan {
    let mut tokens = natural_tokens(prompt, limits, script);
    let mut stop = Stop::EosFound;
    if let Some(length) = stop_string_position(&tokens, &limits.stop) {
        tokens.truncate(length);
        if tokens.is_empty() {
            tokens.push(Token { text: String::new(), kind: Kind::End });
        }
        stop = Stop::StopStringFound;
    }
    let room = limits.context_length.saturating_sub(prompt.tokens.len() as u64).max(1);
    let allowed = limits.max_tokens.unwrap_or(u64::MAX).max(1);
    if tokens.len() as u64 > allowed.min(room) {
        tokens.truncate(usize::try_from(allowed.min(room)).unwrap_or(usize::MAX));
        stop = if allowed <= room { Stop::MaxPredictedTokensReached } else { Stop::ContextLengthReached };
    }

    let mut jitter = Random::new(prompt.seed ^ seed.wrapping_mul(0x9e37_79b9));
    let mut spread = || 1.0 + script.jitter_ratio * (2.0 * jitter.unit() - 1.0);
    let processed = prompt.tokens.len().saturating_sub(cached) as f64;
    let prefill_s = script.prefill_fixed_ms as f64 / 1e3 + processed / script.prefill_tokens_per_s * spread();
    let mut at_s = 0.0;
    let offsets = (0..tokens.len())
        .map(|index| {
            if index > 0 {
                at_s += spread() / script.decode_tokens_per_s;
            }
            seconds(at_s)
        })
        .collect();
    Plan { prefill: seconds(prefill_s), tokens, offsets, stop }
}

/// A duration that a script can ask for: not negative, at most a day.
fn seconds(s: f64) -> Duration {
    Duration::from_secs_f64(if s.is_finite() { s.clamp(0.0, 86_400.0) } else { 86_400.0 })
}

fn natural_tokens(prompt: &Prompt, limits: &Limits, script: &Script) -> Vec<Token> {
    let natural = match script.output_tokens {
        0 => natural_length(prompt.seed),
        scripted => u64::from(scripted),
    };
    let total = usize::try_from(natural).unwrap_or(usize::MAX).max(1);
    let reasoning = match (limits.reasoning, script.reasoning_tokens) {
        (false, _) => 0,
        (true, 0) => total / 3,
        (true, scripted) => usize::try_from(scripted).unwrap_or(usize::MAX).min(total - 1),
    };
    let answer: Vec<String> = if script.answer.is_empty() {
        made_up(&["Simulated", " answer", ":"], total - 1 - reasoning, prompt.seed)
    } else {
        pieces(&script.answer).into_iter().map(str::to_owned).collect()
    };
    let reasoning = made_up(&["Simulated", " thought", ":"], reasoning, !prompt.seed);
    let tokens = reasoning.into_iter().map(|text| Token { text, kind: Kind::Reasoning });
    let tokens = tokens.chain(answer.into_iter().map(|text| Token { text, kind: Kind::Message }));
    tokens.chain([Token { text: String::new(), kind: Kind::End }]).collect()
}

/// Tokens in front of the one that completes a stop string; `None` when the answer holds none.
fn stop_string_position(tokens: &[Token], stops: &[String]) -> Option<usize> {
    let mut answer = String::new();
    tokens.iter().position(|token| {
        if token.kind == Kind::Message {
            answer.push_str(&token.text);
        }
        stops.iter().any(|stop| !stop.is_empty() && answer.contains(stop.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(max_tokens: u64) -> Limits {
        Limits { max_tokens: Some(max_tokens), context_length: 4_096, stop: vec![], reasoning: false }
    }

    #[test]
    fn answer_ends_by_itself_or_at_the_limit() {
        let script = Script { output_tokens: 10, ..Script::default() };
        let prompt = Prompt::new(&["Name three colors."], 8);
        let natural = plan(&prompt, 0, &limits(100), &script, 1);
        assert_eq!((natural.tokens.len(), natural.stop), (10, Stop::EosFound));
        assert_eq!(natural.tokens[9], Token { text: String::new(), kind: Kind::End });
        let cut = plan(&prompt, 0, &limits(4), &script, 1);
        assert_eq!((cut.tokens.len(), cut.stop), (4, Stop::MaxPredictedTokensReached));
        assert!(cut.tokens.iter().all(|token| token.kind == Kind::Message));
        let narrow = Limits { context_length: prompt.tokens.len() as u64 + 3, ..limits(100) };
        let full = plan(&prompt, 0, &narrow, &script, 1);
        assert_eq!((full.tokens.len(), full.stop), (3, Stop::ContextLengthReached));
    }

    #[test]
    fn some_prompts_end_by_themselves_and_most_at_a_limit_of_400_tokens() {
        let lengths = (0..200).map(|n| natural_length(Prompt::new(&[&format!("Question number {n}: why?")], 8).seed));
        let lengths: Vec<u64> = lengths.collect();
        let by_itself = lengths.iter().filter(|length| **length < 400).count();
        assert!((50..100).contains(&by_itself), "{by_itself} of 200");
        assert!(lengths.iter().all(|length| (32..=1000).contains(length)), "{lengths:?}");
    }

    #[test]
    fn nonce_in_front_changes_neither_the_answer_nor_its_length() {
        let tokens = |text: &str| plan(&Prompt::new(&[text], 8), 0, &limits(500), &Script::default(), 1).tokens;
        for question in
            ["Explain photosynthesis in simple terms to a curious ten-year-old.", "What is 2+2?", "Is it [a] or b?"]
        {
            for nonce in ["[abcd] ", "[run 1a2b3c4d]\n", "[7]"] {
                assert_eq!(tokens(&format!("{nonce}{question}")), tokens(question), "{nonce}{question}");
            }
        }
        assert_ne!(tokens("What is 2+2?"), tokens("What is 2+3?"));
    }

    #[test]
    fn only_something_short_in_brackets_is_a_nonce() {
        for text in ["[abcd]", "[abcd", "[", "", "abcd] x", "[a\nb] x", "[a long remark that belongs to the text] x"] {
            assert_eq!(without_nonce(text), text);
        }
        assert_eq!(without_nonce("[ünïq] x"), "x");
    }

    #[test]
    fn reasoning_counts_against_the_limit() {
        let script = Script { output_tokens: 20, reasoning_tokens: 12, ..Script::default() };
        let reasoning = Limits { reasoning: true, ..limits(100) };
        let whole = plan(&Prompt::new(&["x"], 8), 0, &reasoning, &script, 1);
        let count = |plan: &Plan, kind| plan.tokens.iter().filter(|token| token.kind == kind).count();
        assert_eq!((count(&whole, Kind::Reasoning), count(&whole, Kind::Message)), (12, 7));
        let cut = plan(&Prompt::new(&["x"], 8), 0, &Limits { max_tokens: Some(5), ..reasoning }, &script, 1);
        assert_eq!((count(&cut, Kind::Reasoning), cut.tokens.len()), (5, 5));
    }

    #[test]
    fn times_follow_the_rates_within_the_jitter() {
        let script = Script { output_tokens: 301, ..Script::default() };
        let prompt = Prompt::new(&["word ".repeat(100).trim()], 8);
        assert_eq!(prompt.tokens.len(), 108);
        let cold = plan(&prompt, 0, &limits(1_000), &script, 3);
        let prefill_s = cold.prefill.as_secs_f64();
        assert!((prefill_s - 0.08 - 108.0 / 400.0).abs() <= 0.05 * 108.0 / 400.0 + 1e-9, "{prefill_s}");
        assert!(plan(&prompt, 107, &limits(1_000), &script, 3).prefill < Duration::from_millis(83));
        assert_eq!(cold.offsets[0], Duration::ZERO);
        assert!(cold.offsets.is_sorted());
        let decode_s = cold.offsets[300].as_secs_f64();
        assert!((decode_s - 5.0).abs() < 0.1, "{decode_s}");
    }

    #[test]
    fn stop_string_ends_the_answer_even_across_tokens() {
        let script = Script { answer: "one, two, three".to_owned(), ..Script::default() };
        let stopped = plan(&Prompt::new(&["x"], 8), 0, &Limits { stop: vec![", t".into()], ..limits(100) }, &script, 1);
        assert_eq!(stopped.stop, Stop::StopStringFound);
        let text: String = stopped.tokens.iter().map(|token| token.text.as_str()).collect();
        assert_eq!(text, "one,");
    }
}
