//! Takes out of texts what says whose machine it is: names of users and hosts, home folders, serial numbers, tokens,
//! addresses. Pure: what is personal here is handed in, and whatever has the shape of something personal goes as well.
//!
//! When in doubt it takes out too much. Names of a user who is called like a word of ours are taken out of our words too.

/// What is personal on this machine. Empty entries count for nothing.
#[derive(Clone, Debug, Default)]
pub struct Personal {
    /// Names of users, short and full.
    pub users: Vec<String>,
    /// Names of the machine.
    pub hosts: Vec<String>,
    /// Home folders.
    pub homes: Vec<String>,
    /// Serial numbers and other numbers of the hardware.
    pub serials: Vec<String>,
    /// Secrets.
    pub tokens: Vec<String>,
}

/// A name that says nothing about anybody.
const NOBODY: [&str; 3] = ["root", "localhost", "unknown"];
/// Folders below which folders are named after users.
const HOMES: [&str; 2] = ["/Users/", "/home/"];
/// The folder of temporary files, whose name is made of the user's.
const TEMPORARY: &str = "/var/folders/";
const TOKEN: &str = "<token>";
/// Fewest characters of a word that looks like a token after `sk-`.
const TOKEN_CHARACTERS: usize = 6;

/// Knows what to take out.
#[derive(Clone, Debug, Default)]
pub struct Anonymiser {
    /// Replaced wherever they stand, longest first.
    anywhere: Vec<(String, &'static str)>,
    /// Replaced where they stand as words of their own, in any case, longest first.
    words: Vec<(String, &'static str)>,
}

impl Anonymiser {
    /// Takes out these, and everything that has the shape of something personal.
    #[must_use]
    pub fn new(personal: &Personal) -> Self {
        let list = |names: &[String], with: &'static str| -> Vec<(String, &'static str)> {
            let names = names.iter().map(|name| name.trim().to_owned());
            let names = names.filter(|name| !name.is_empty() && !NOBODY.contains(&name.to_lowercase().as_str()));
            names.map(|name| (name, with)).collect()
        };
        let mut anywhere = list(&personal.tokens, TOKEN);
        anywhere.extend(list(&personal.serials, "<serial>"));
        // the folder of root or of a whole system is nobody's
        let homes = list(&personal.homes, "~").into_iter();
        anywhere.extend(homes.filter(|(home, _)| home.starts_with('/') && home.matches('/').count() > 1));
        let mut words = list(&personal.users, "<user>");
        words.extend(list(&personal.hosts, "<host>"));
        for list in [&mut anywhere, &mut words] {
            list.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        }
        Self { anywhere, words }
    }

    /// The text without what is personal.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, with) in &self.anywhere {
            text = text.replace(name, with);
        }
        for folder in HOMES {
            text = replace_component(&text, folder, 1, "<user>");
        }
        text = replace_component(&text, TEMPORARY, 2, "<folder>");
        text = replace_addresses(&text);
        text = replace_shapes(&text);
        for (name, with) in &self.words {
            text = replace_word(&text, name, with);
        }
        text
    }

    /// Every text in a value of JSON, but not its keys, which are ours.
    pub fn clean_json(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.clean(text),
            serde_json::Value::Array(values) => values.iter_mut().for_each(|value| self.clean_json(value)),
            serde_json::Value::Object(entries) => entries.values_mut().for_each(|value| self.clean_json(value)),
            _ => {}
        }
    }
}

/// Replaces the next `count` components of a path after each `folder`.
fn replace_component(text: &str, folder: &str, count: usize, with: &str) -> String {
    let mut pieces = text.split(folder);
    let mut cleaned = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let ends_path = |c: char| c.is_control() || matches!(c, '"' | '\'' | '<' | '>' | ':' | ',' | ';' | ')' | '`');
        let path_end = piece.find(ends_path).unwrap_or(piece.len());
        let mut ends = piece[..path_end].match_indices('/').map(|(at, _)| at);
        // names of users have no spaces, unless they are followed by more of the path
        let word_end = piece[..path_end].find(' ').unwrap_or(path_end);
        let end = ends.nth(count - 1).unwrap_or(word_end);
        cleaned.push_str(folder);
        cleaned.push_str(if end == 0 || piece.starts_with("Shared/") { &piece[..end] } else { with });
        cleaned.push_str(&piece[end..]);
    }
    cleaned
}

/// Replaces the hosts of web addresses, unless they are this machine's own names for itself.
fn replace_addresses(text: &str) -> String {
    let mut pieces = text.split("://");
    let mut cleaned = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| !(c.is_alphanumeric() || "-._~%@:[]".contains(c))).unwrap_or(piece.len());
        let (authority, rest) = piece.split_at(end);
        if authority.is_empty() {
            cleaned.push_str("://");
            cleaned.push_str(rest);
            continue;
        }
        let host = authority.rsplit('@').next().unwrap_or(authority);
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
                (name, Some(port))
            }
            _ => (host, None),
        };
        cleaned.push_str("://");
        let own = matches!(name, "localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0");
        // Apple's own, which stand in every property list
        let public = name == "www.apple.com" || name == "github.com";
        cleaned.push_str(if (own || public) && host == authority { name } else { "<host>" });
        if let Some(port) = port {
            cleaned.push(':');
            cleaned.push_str(port);
        }
        cleaned.push_str(rest);
    }
    cleaned
}

/// Replaces words that look like tokens, hardware numbers, addresses.
fn replace_shapes(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut after_bearer = false;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            let next = after.chars().next().map_or(0, char::len_utf8);
            cleaned.push_str(&after[..next]);
            rest = &after[next..];
            continue;
        }
        let bare = word.trim_end_matches(['.', ':', '-']);
        let replaced = if after_bearer && bare.len() >= TOKEN_CHARACTERS { Some(TOKEN) } else { shape(bare) };
        cleaned.push_str(replaced.unwrap_or(bare));
        cleaned.push_str(&word[bare.len()..]);
        after_bearer = word.eq_ignore_ascii_case("bearer");
        rest = after;
    }
    cleaned
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '@' | '+')
}

fn shape(word: &str) -> Option<&'static str> {
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lengths = |separator| word.split(separator).map(str::len).collect::<Vec<_>>();
    let all_hex = |separator| word.split(separator).all(hex);
    if word.strip_prefix("sk-").is_some_and(|rest| rest.chars().count() >= TOKEN_CHARACTERS) {
        return Some(TOKEN);
    }
    if lengths('-') == [8, 4, 4, 4, 12] && all_hex('-') {
        return Some("<uuid>");
    }
    if [':', '-'].into_iter().any(|separator| lengths(separator) == [2; 6] && all_hex(separator)) {
        return Some("<address>");
    }
    if word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.')) {
        return Some("<email>");
    }
    let host = word.split(':').next().unwrap_or(word);
    let numbers: Vec<_> = host.split('.').map(str::parse::<u8>).collect();
    if numbers.len() == 4 && numbers.iter().all(Result::is_ok) && host != "127.0.0.1" && host != "0.0.0.0" {
        return Some("<address>");
    }
    // addresses of the newer kind, but not times of day
    if word.matches(':').count() >= 2 && word.contains("::") && word.len() > 3 && all_or_empty_hex(word) {
        return Some("<address>");
    }
    // names that machines give themselves in a local network
    (host.len() > 6 && host.to_ascii_lowercase().ends_with(".local") && !host.contains(".helper.")).then_some("<host>")
}

fn all_or_empty_hex(word: &str) -> bool {
    word.split(':').all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Replaces a name where it stands alone, whatever the case of its letters.
fn replace_word(text: &str, name: &str, with: &str) -> String {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let mut cleaned = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let found = rest.get(..name.len()).is_some_and(|piece| piece.eq_ignore_ascii_case(name))
            && !text[..at].ends_with(inside)
            && !rest[name.len()..].starts_with(inside);
        if found {
            cleaned.push_str(with);
            at += name.len();
        } else {
            let next = rest.chars().next().map_or(1, char::len_utf8);
            cleaned.push_str(&rest[..next]);
            at += next;
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anonymiser() -> Anonymiser {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Anonymiser::new(&Personal {
            users: list(&["ada", "Ada Lovelace", "root", ""]),
            hosts: list(&["adas-mac", "Ada's MacBook Pro", "localhost"]),
            homes: list(&["/Users/ada", "/"]),
            serials: list(&["C02ABC123XYZ"]),
            tokens: list(&["hunter2hunter2"]),
        })
    }

    #[track_caller]
    fn cleaned(text: &str, expected: &str) {
        assert_eq!(anonymiser().clean(text), expected);
    }

    #[test]
    fn names_go_where_they_stand_alone_and_in_any_case() {
        cleaned("ada started it, ADA's Mac", "<user> started it, <user>'s Mac");
        cleaned("Ada Lovelace on Ada's MacBook Pro", "<user> on <host>");
        cleaned("adas-mac.local: adas-mac", "<host>: <host>");
        cleaned("Canada, adapter, ada_lib", "Canada, adapter, ada_lib");
        cleaned("root runs it on localhost", "root runs it on localhost");
    }

    #[test]
    fn home_folders_go_also_those_of_others() {
        cleaned("/Users/ada/Library/x.toml", "~/Library/x.toml");
        cleaned("/Users/bob/x, \"/home/eve\" /Users/Shared/y", "/Users/<user>/x, \"/home/<user>\" /Users/Shared/y");
        cleaned("/home/bob smith/x and /home/eve there", "/home/<user>/x and /home/<user> there");
        cleaned("/private/var/folders/q2/abc_def/T/x", "/private/var/folders/<folder>/T/x");
        cleaned("in /Users/", "in /Users/");
    }

    #[test]
    fn tokens_go_known_or_not() {
        cleaned("Authorization: Bearer abcdefgh, hunter2hunter2", "Authorization: Bearer <token>, <token>");
        cleaned("sk-lm-AbCd1234:0123456789abcdef.", "<token>.");
        cleaned("risk-free sk-1", "risk-free sk-1");
    }

    #[test]
    fn numbers_of_hardware_and_addresses_go() {
        cleaned("serial C02ABC123XYZ", "serial <serial>");
        cleaned("id 6F9619FF-8B86-D011-B42D-00CF4FC964FF.", "id <uuid>.");
        cleaned("a4:83:e7:01:02:03 a4-83-e7-01-02-03", "<address> <address>");
        cleaned("ada@example.org 192.168.1.5:1234 fe80::1", "<email> <address> <address>");
        cleaned("http://studio.example.org:1234/v1", "http://<host>:1234/v1");
        cleaned("http://ada:pw@localhost:1/x", "http://<host>:1/x");
        cleaned("bobs-mini.local", "<host>");
    }

    #[test]
    fn what_a_report_is_about_stays() {
        for text in [
            "http://127.0.0.1:1234/api/v1 http://localhost:1 ws://[::1]:2",
            "2026-01-02T03:04:05.678Z 12:34:56 Mac16,8 macOS 15.5 (24F74) 0.3.30",
            "cdhash H\"aabbccddeeff00112233aabbccddeeff00112233\"",
            "/Library/PrivilegedHelperTools/dev.joulebar.helper.local, /usr/bin/powermetrics",
            "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">",
            "E-Cluster, ★ ünïcode — 12.5 W\n",
            "",
        ] {
            assert_eq!(anonymiser().clean(text), text);
        }
    }

    #[test]
    fn keys_of_json_stay_and_texts_are_cleaned() {
        let mut value = serde_json::json!({"ada": ["/Users/ada", 1, null], "x": {"y": "ada"}});
        anonymiser().clean_json(&mut value);
        assert_eq!(value, serde_json::json!({"ada": ["~", 1, null], "x": {"y": "<user>"}}));
    }

    #[test]
    fn cleaning_twice_changes_nothing_more() {
        let text = "ada /Users/bob/x http://h.example:1 sk-lm-AbCd1234:01234567 a4:83:e7:01:02:03 adas-mac";
        let once = anonymiser().clean(text);
        assert_eq!(anonymiser().clean(&once), once);
    }
}
