//! Prompt suites: what is asked, in which order, with which answer limits. TOML in, typed prompts out.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The suite that ships with Joulebar: three prompt lengths crossed with three answer lengths.
pub const DEFAULT_SUITE: &str = include_str!("suite/default.toml");

/// Most prompts that a suite may hold.
pub const MAX_PROMPTS: usize = 1_000;

/// Length class of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// 10 to 20 tokens in the default suite.
    Short,
    /// 50 to 100 tokens in the default suite.
    Medium,
    /// 200 to 300 tokens in the default suite.
    Long,
}

impl std::fmt::Display for Category {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Short => "short",
            Self::Medium => "medium",
            Self::Long => "long",
        })
    }
}

/// One prompt of a suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct SuitePrompt {
    /// Unique within the suite: letters, digits, `-`, `_`.
    pub id: String,
    /// Length class of the prompt.
    pub category: Category,
    /// A few words for lists; `None` shows the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional = nullable))]
    pub title: Option<String>,
    /// The user's text.
    pub prompt: String,
    /// Limit for generated tokens, reasoning included; 1 or more.
    pub max_tokens: u32,
}

/// A list of prompts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Name for reports.
    pub name: String,
    /// One sentence on what it is for.
    #[serde(default)]
    pub description: String,
    /// The prompts in the order in which they are asked.
    pub prompts: Vec<SuitePrompt>,
}

/// Why a suite cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// Not TOML, or not of the suite's form.
    #[error("the suite is not valid TOML of the expected form: {0}")]
    Form(#[from] toml::de::Error),
    /// No prompt at all.
    #[error("the suite has no prompts; add at least one [[prompts]] table")]
    Empty,
    /// More than [`MAX_PROMPTS`].
    #[error("the suite has {count} prompts; {MAX_PROMPTS} is the most")]
    TooMany {
        /// How many it has.
        count: usize,
    },
    /// A prompt that breaks a rule.
    #[error("prompt {position} ({id:?}): {rule}")]
    Prompt {
        /// Position in the file, from 1.
        position: usize,
        /// Its id.
        id: String,
        /// The rule it breaks.
        rule: &'static str,
    },
}

impl Suite {
    /// The built-in suite.
    ///
    /// # Panics
    /// Never: a test parses the built-in text.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the text is compiled in and tested")]
    pub fn builtin() -> Self {
        Self::parse(DEFAULT_SUITE).expect("the built-in suite is valid")
    }

    /// Parses and checks a suite.
    ///
    /// # Errors
    /// [`SuiteError`] names the first prompt that breaks a rule, or the TOML error with its line.
    pub fn parse(text: &str) -> Result<Self, SuiteError> {
        let suite: Self = toml::from_str(text)?;
        suite.check()?;
        Ok(suite)
    }

    /// Checks every rule of a suite.
    ///
    /// # Errors
    /// [`SuiteError`] names the first prompt that breaks one.
    pub fn check(&self) -> Result<(), SuiteError> {
        if self.prompts.is_empty() {
            return Err(SuiteError::Empty);
        }
        if self.prompts.len() > MAX_PROMPTS {
            return Err(SuiteError::TooMany { count: self.prompts.len() });
        }
        let mut seen = HashSet::new();
        for (index, prompt) in self.prompts.iter().enumerate() {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            let rule = if prompt.id.is_empty() || !prompt.id.chars().all(plain) {
                "an id is made of letters, digits, '-' and '_'"
            } else if !seen.insert(&prompt.id) {
                "this id stands twice in the suite"
            } else if prompt.prompt.trim().is_empty() {
                "the prompt is empty"
            } else if prompt.max_tokens == 0 {
                "max_tokens must be 1 or more"
            } else {
                continue;
            };
            return Err(SuiteError::Prompt { position: index + 1, id: prompt.id.clone(), rule });
        }
        Ok(())
    }

    /// The short prompts alone, for a quick run; `None` when it has none.
    #[must_use]
    pub fn quick(&self) -> Option<Self> {
        let short: Vec<_> = self.prompts.iter().filter(|prompt| prompt.category == Category::Short).cloned().collect();
        (!short.is_empty()).then(|| Self {
            name: format!("{} (quick)", self.name),
            description: self.description.clone(),
            prompts: short,
        })
    }
}

/// A nonce that makes a prompt's beginning unique, so that no server can answer its prefill from a cache.
/// The same seed, prompt, repeat and attempt give the same nonce; a prompt that is asked again after an interruption has
/// a new attempt, for the server may still hold the old one in its cache.
#[must_use]
pub fn nonce(seed: u64, prompt_id: &str, repeat: u32, attempt: u32) -> String {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(repeat.to_le_bytes());
    hash.update(attempt.to_le_bytes());
    hash.update(prompt_id.as_bytes());
    hash.finalize().iter().take(4).map(|byte| char::from(b'a' + byte % 26)).collect()
}

/// The text that is sent: the nonce in front of the prompt.
#[must_use]
pub fn with_nonce(nonce: &str, prompt: &str) -> String {
    format!("[{nonce}] {prompt}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtin_suite_crosses_three_prompt_lengths_with_three_answer_lengths() {
        let suite = Suite::builtin();
        let cells: HashSet<_> = suite.prompts.iter().map(|prompt| (prompt.category, prompt.max_tokens)).collect();
        assert_eq!((suite.prompts.len(), cells.len()), (9, 9));
        let limits: HashSet<_> = suite.prompts.iter().map(|prompt| prompt.max_tokens).collect();
        assert_eq!(limits.len(), 3);
    }

    #[test]
    fn quick_suite_keeps_the_short_prompts() {
        let quick = Suite::builtin().quick().unwrap();
        assert!(quick.prompts.iter().all(|prompt| prompt.category == Category::Short));
        assert_eq!(quick.prompts.len(), 3);
        let mut long = Suite::builtin();
        long.prompts.retain(|prompt| prompt.category == Category::Long);
        assert_eq!(long.quick(), None);
    }

    #[test]
    fn a_bad_suite_names_the_prompt_and_the_rule() {
        let text = "name = 'x'\n[[prompts]]\nid = 'a'\ncategory = 'short'\nprompt = 'Hi'\nmax_tokens = 8\n";
        assert!(Suite::parse(text).is_ok());
        let twice = format!("{text}{}", text.split_once('\n').unwrap().1);
        assert!(Suite::parse(&twice).unwrap_err().to_string().contains("twice"));
        assert!(Suite::parse(&text.replace("= 8", "= 0")).unwrap_err().to_string().contains("max_tokens"));
        assert!(Suite::parse(&text.replace("'Hi'", "' '")).unwrap_err().to_string().contains("empty"));
        assert!(matches!(Suite::parse("name = 'x'\nprompts = []"), Err(SuiteError::Empty)));
        assert!(matches!(Suite::parse(&format!("{text}surprise = 1\n")), Err(SuiteError::Form(_))));
    }

    #[test]
    fn nonce_changes_with_seed_prompt_repeat_and_attempt_and_with_nothing_else() {
        assert_eq!(nonce(1, "a", 1, 1), nonce(1, "a", 1, 1));
        for other in [nonce(2, "a", 1, 1), nonce(1, "b", 1, 1), nonce(1, "a", 2, 1), nonce(1, "a", 1, 2)] {
            assert_ne!(nonce(1, "a", 1, 1), other);
        }
    }
}
