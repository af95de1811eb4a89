//! What stands in for a tokenizer and a model's words: a simple, documented, deterministic count and a made-up vocabulary.
//!
//! Knows nothing of time, requests or HTTP.

/// Characters of a word that one token holds at most.
const WORD_CHARS: usize = 7;
/// Digits of a number that one token holds at most.
const NUMBER_DIGITS: usize = 3;

const WORDS: &[&str] = &[
    " energy",
    " light",
    " the",
    " water",
    " of",
    " a",
    " slow",
    " river",
    " carries",
    " warm",
    " stone",
    " and",
    " green",
    " leaves",
    " naïve",
    " café",
    " under",
    " bright",
    " wind",
    " turns",
    " wheels",
    " while",
    " panels",
    " store",
    " heat",
    " for",
    " night",
    " hours",
    " each",
    " small",
    " town",
    " counts",
    " its",
    " joules",
    " with",
    " care",
    " über",
    " fields",
    " 40",
    " watts",
    " drawn",
    " from",
    " salt",
    " batteries",
    " then",
    " given",
    " back",
    " as",
    " motion",
    " 水",
    " sound",
    " or",
    " thought",
];

/// Cuts `text` into the simulator's tokens; put together again they are `text`.
///
/// A word, with the one space in front of it, is one token for every 7 characters begun; a number one for every 3 digits
/// begun; every other character, further spaces and letters of scripts without spaces among them, is a token by itself.
#[must_use]
pub fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let space = usize::from(first == ' ' && rest.chars().nth(1).is_some_and(|next| class(next) != Class::Single));
        let body = &rest[space..];
        let kind = body.chars().next().map_or(Class::Single, class);
        let limit = match kind {
            Class::Word => WORD_CHARS,
            Class::Digit => NUMBER_DIGITS,
            Class::Single => 1,
        };
        let length: usize =
            body.chars().take(limit).take_while(|&c| limit == 1 || class(c) == kind).map(char::len_utf8).sum();
        let (piece, after) = rest.split_at(space + length);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Class {
    Word,
    Digit,
    Single,
}

fn class(c: char) -> Class {
    // from U+2E80 on come the scripts that are written without spaces
    match c {
        '0'..='9' => Class::Digit,
        c if c.is_alphabetic() && u32::from(c) < 0x2E80 => Class::Word,
        _ => Class::Single,
    }
}

/// Makes up the text of `count` tokens, one string each. The same seed gives the same text, and a longer one begins with the
/// shorter. `opening` says what it is, so that nobody takes it for a model's answer.
#[must_use]
pub fn made_up(opening: &[&str], count: usize, seed: u64) -> Vec<String> {
    let mut words = Random::new(seed);
    let mut sentence = 0;
    (0..count)
        .map(|index| {
            if let Some(word) = opening.get(index) {
                return (*word).to_owned();
            }
            sentence += 1;
            if sentence > 6 && words.below(8) == 0 {
                sentence = 0;
                return ".".to_owned();
            }
            WORDS[words.below(WORDS.len())].to_owned()
        })
        .collect()
}

/// FNV-1a, for numbers that must be the same in every run and on every machine.
#[must_use]
pub fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A small deterministic random source (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A source whose whole output follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in 0 (included) to 1 (excluded).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in 0 to `limit - 1`. `limit` must not be 0.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or(0)
    }

    /// `length` characters out of `alphabet` (ASCII), for identifiers.
    pub fn identifier(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_the_documented_rule_and_lose_nothing() {
        assert_eq!(pieces("What is 2+2?"), ["What", " is", " 2", "+", "2", "?"]);
        assert_eq!(pieces("photosynthesis"), ["photosy", "nthesis"]);
        assert_eq!(pieces("in 12345  é水水\n"), ["in", " 123", "45", " ", " é", "水", "水", "\n"]);
        assert_eq!(pieces(""), [""; 0]);
        let text = "Naïve: \"übergroß\" 1,000 🌱 times -- ok?  ";
        assert_eq!(pieces(text).concat(), text);
    }

    #[test]
    fn made_up_words_are_one_token_each_and_repeat_with_the_seed() {
        for word in WORDS.iter().filter(|word| word.chars().count() > WORD_CHARS + 1) {
            assert_eq!(pieces(word).len(), 2, "{word}");
        }
        let long = made_up(&["Simulated", " answer", ":"], 200, 7);
        assert_eq!(made_up(&["Simulated", " answer", ":"], 50, 7)[..], long[..50]);
        assert_ne!(made_up(&["Simulated", " answer", ":"], 200, 8), long);
        assert!(long.concat().starts_with("Simulated answer:"));
        assert!(long.concat().contains('.') && !long.concat().is_ascii());
    }
}
