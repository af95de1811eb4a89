//! Keeps the API token, and texts without an end, out of what leaves the client.
//!
//! A server may repeat the `Authorization` header in an error, a model may say it in its answer, and LM Studio itself
//! quotes the beginning of a token that it can't read. All texts of a server pass here on their way out, and only
//! there: parsers and decisions see what was really sent. Pure.

use super::error::{GenerateError, LmError};
use super::token::ApiToken;
use super::{Engine, Generation, GenerationEvent, Model, SelectedModel, StopReason, Unavailable};

/// Longest text of a server inside an error, in characters.
const LONGEST: usize = 1000;
/// So many characters of the token in a row are hidden wherever they stand.
const TELLING: usize = 12;
/// A shorter token is hidden only as a word of its own, or `x` would black out half of every answer. So short a one
/// protects nothing. A shorter half of a token is not hidden by itself.
const SECRET: usize = 8;

/// Replaces the token by as many `*`. Lengths stay, so the bytes of the deltas still add up to the answer.
#[derive(Clone, Debug)]
pub(super) struct Mask {
    token: Option<ApiToken>,
}

impl Mask {
    /// Hides `token`; without one it only shortens.
    pub(super) fn new(token: Option<&ApiToken>) -> Self {
        Self { token: token.cloned() }
    }

    /// Hides the token in `text`: the whole, either half of an `sk-lm-` token, and any [`TELLING`] characters of it.
    pub(super) fn text(&self, text: &mut String) {
        let Some(token) = self.token.as_ref().map(ApiToken::secret) else { return };
        let mut hidden_until = 0;
        let hide = |(at, character)| {
            hidden_until = hidden_until.max(at + secret_bytes(token, text, at));
            if at < hidden_until { '*' } else { character }
        };
        let masked = text.char_indices().map(hide).collect::<String>();
        *text = masked;
    }

    /// The text without the token.
    pub(super) fn masked(&self, text: &str) -> String {
        let mut text = text.to_owned();
        self.text(&mut text);
        text
    }

    fn optional(&self, text: &mut Option<String>) {
        if let Some(text) = text {
            self.text(text);
        }
    }

    /// Hides first and shortens then: a token that is cut is harder to recognise.
    fn short(&self, text: &mut String) {
        self.text(text);
        if text.chars().nth(LONGEST).is_some() {
            *text = text.chars().take(LONGEST - 1).chain(['…']).collect();
        }
    }

    /// Every text of a server in an error.
    pub(super) fn error(&self, mut error: LmError) -> LmError {
        match &mut error {
            LmError::WrongServer { found: text, .. }
            | LmError::TokenRefused { message: text, .. }
            | LmError::NotReady { message: text }
            | LmError::ContextExceeded { message: text }
            | LmError::StreamError { message: text }
            | LmError::Http { message: text, .. } => self.short(text),
            LmError::OutOfMemory { key, message } | LmError::LoadFailed { key, message } => {
                self.short(key);
                self.short(message);
            }
            LmError::NoModelLoaded { available: keys } | LmError::ModelChoiceNeeded { available: keys } => {
                keys.iter_mut().for_each(|key| self.short(key));
            }
            LmError::ModelNotFound { key, available: keys } | LmError::AmbiguousModel { key, matches: keys } => {
                self.short(key);
                keys.iter_mut().for_each(|key| self.short(key));
            }
            // Nothing in these is a server's: the sources know addresses and places, but no content.
            LmError::BadUrl { .. }
            | LmError::NotRunning { .. }
            | LmError::TokenNeeded { .. }
            | LmError::Timeout { .. }
            | LmError::Connection { .. }
            | LmError::StreamCut { .. }
            | LmError::BadResponse { .. }
            | LmError::EmptyAnswer { .. }
            | LmError::ClientSetup { .. } => {}
        }
        error
    }

    /// The error of a generation and what had arrived of it.
    pub(super) fn generate_error(&self, failed: GenerateError) -> GenerateError {
        let partial = failed.partial.map(|partial| Box::new(self.generation(*partial)));
        GenerateError { error: self.error(failed.error), partial }
    }

    /// A generation; the lengths of its texts stay.
    pub(super) fn generation(&self, mut generation: Generation) -> Generation {
        let Generation {
            answered_by,
            stop_reason,
            text,
            reasoning_text,
            unavailable,
            api: _,
            timeline: _,
            tokens: _,
            reported: _,
        } = &mut generation;
        self.optional(answered_by);
        if let Some(StopReason::Other(reason)) = stop_reason {
            self.short(reason);
        }
        self.text(text);
        self.text(reasoning_text);
        for Unavailable { field, reason } in unavailable {
            self.text(field);
            self.text(reason);
        }
        generation
    }

    /// An event. A token that comes in several deltas is hidden only in the whole answer.
    pub(super) fn event(&self, mut event: GenerationEvent) -> GenerationEvent {
        if let GenerationEvent::Delta(_, _, text) = &mut event {
            self.text(text);
        }
        event
    }

    /// A model as the server lists it.
    pub(super) fn model(&self, mut model: Model) -> Model {
        let Model {
            key,
            display_name,
            instance_id,
            architecture,
            quantization,
            format,
            params,
            reasoning_options,
            loaded: _,
            generates_text: _,
            bits_per_weight: _,
            size_bytes: _,
            context_length: _,
            max_context_length: _,
            parallel: _,
        } = &mut model;
        self.text(key);
        for text in [display_name, instance_id, architecture, quantization, format, params] {
            self.optional(text);
        }
        reasoning_options.iter_mut().for_each(|option| self.text(option));
        model
    }

    /// A choice out of the list.
    pub(super) fn selected(&self, mut selected: SelectedModel) -> SelectedModel {
        selected.model = self.model(selected.model);
        selected.others_loaded.iter_mut().for_each(|instance| self.text(instance));
        selected
    }

    /// Name and version of an engine.
    pub(super) fn engine(&self, mut engine: Engine) -> Engine {
        self.optional(&mut engine.name);
        self.optional(&mut engine.version);
        engine
    }
}

/// How many bytes of a secret begin at `at`; 0 for none. A token is ASCII, so these are whole characters.
fn secret_bytes(token: &str, text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    let whole = [token].into_iter().filter(|whole| {
        rest.starts_with(whole.as_bytes()) && (whole.len() >= SECRET || stands_alone(text, at, at + whole.len()))
    });
    let halves = halves(token).into_iter().flatten();
    let halves = halves.filter(|half| half.len() >= SECRET && rest.starts_with(half.as_bytes()));
    let longest = whole.chain(halves).map(str::len).max().unwrap_or(0);
    let in_common = |start: usize| {
        let pairs = token.as_bytes()[start..].iter().zip(rest);
        pairs.take_while(|(secret, found)| secret == found).count()
    };
    (0..token.len()).map(in_common).filter(|&length| length >= TELLING).max().unwrap_or(0).max(longest)
}

/// What LM Studio takes a token apart into, `sk-lm-` + name + `:` + key: the name with and without its prefix, the key.
fn halves(token: &str) -> Option<[&str; 3]> {
    let (name, key) = token.split_once(':')?;
    Some([name, name.strip_prefix("sk-lm-")?, key])
}

fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let in_word = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
    !text[..start].ends_with(in_word) && !text[end..].starts_with(in_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "sk-lm-AbCd1234:0123456789abcdefGHIJ";

    fn mask(token: &str) -> Mask {
        Mask::new(Some(&ApiToken::new(token).unwrap()))
    }

    fn masked(token: &str, text: &str) -> String {
        mask(token).masked(text)
    }

    #[test]
    fn token_becomes_as_many_stars_wherever_it_stands() {
        let text = format!("é{TOKEN}{TOKEN} Bearer {TOKEN}…");
        let stars = "*".repeat(TOKEN.len());
        assert_eq!(masked(TOKEN, &text), format!("é{stars}{stars} Bearer {stars}…"));
        assert_eq!(masked("sk-secret", "bad auth header Bearer sk-secret"), "bad auth header Bearer *********");
    }

    #[test]
    fn halves_and_longer_pieces_are_hidden() {
        assert_eq!(masked(TOKEN, "sk-lm-AbCd1234"), "*".repeat(14));
        assert_eq!(
            masked(TOKEN, "id=AbCd1234, key=0123456789abcdefGHIJ."),
            format!("id=********, key={}.", "*".repeat(20))
        );
        assert_eq!(masked(TOKEN, "provided: sk-lm-AbCd12..."), format!("provided: {}...", "*".repeat(12)));
        assert_eq!(masked(TOKEN, "…9abcdefGHIJ, …89abcdefGHIJ"), format!("…9abcdefGHIJ, …{}", "*".repeat(12)));
    }

    #[test]
    fn pieces_that_overlap_leave_nothing_between_them() {
        // The piece of twelve begins before the whole token does and ends inside it.
        let token = "ababababababX";
        assert_eq!(masked(token, &format!("ab{token}")), "*".repeat(15));
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in ["sk-lm-", "AbCd123", "0123456789a", "sk-lm-XXXX9999:ABCDEFGHIJ0123456789", ""] {
            assert_eq!(masked(TOKEN, text), text);
        }
        assert_eq!(masked("x:12345678", "12345678"), "12345678", "no token of LM Studio has no halves");
        assert_eq!(masked("sk-lm-abc:1234567", "abc 1234567"), "abc 1234567", "too short to tell");
        assert_eq!(Mask::new(None).masked(TOKEN), TOKEN);
    }

    #[test]
    fn short_token_is_hidden_only_as_a_word() {
        assert_eq!(masked("test", "Bearer test, \"test\" test"), "Bearer ****, \"****\" ****");
        assert_eq!(masked("test", "test-model latest tested test_1"), "test-model latest tested test_1");
    }

    #[test]
    fn text_is_shortened_after_the_token_is_hidden() {
        let message = |text: String| match mask("sk-secret").error(LmError::StreamError { message: text }) {
            LmError::StreamError { message } => message,
            other => panic!("{other:?}"),
        };
        let cut = message(format!("{}sk-secret", "é".repeat(LONGEST - 5)));
        assert_eq!(cut, format!("{}****…", "é".repeat(LONGEST - 5)));
        assert_eq!(message("é".repeat(LONGEST)), "é".repeat(LONGEST));
    }

    #[test]
    fn mask_itself_does_not_show_the_token() {
        assert!(!format!("{:?}", mask(TOKEN)).contains("AbCd1234"));
    }
}
