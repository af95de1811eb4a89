//! The bytes by which the ends of documents are known.

/// Longest header that is found inside a line. It has 38 bytes as powermetrics writes it.
pub(super) const MAX_HEADER_BYTES: usize = 128;
pub(super) const HEADER: &[u8] = b"<?xml";
/// Blanks and `>` follow.
pub(super) const CLOSE: &[u8] = b"</plist";
pub(super) const COMMENT: &[u8] = b"<!--";
pub(super) const COMMENT_END: &[u8] = b"-->";
/// What a document may begin with at the beginning of a stream or after another one: hand-edited ones lack the header.
pub(super) const OPENINGS: [&[u8]; 3] = [HEADER, b"<!DOCTYPE", b"<plist"];
pub(super) const LONGEST_MARK: usize = 9;

/// How many of these bytes, which begin a line, are whole lines that hold no mark and no NUL. Most lines are such, and
/// this is the fast way through them.
pub(super) fn plain_lines(bytes: &[u8]) -> usize {
    let mut plain = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' => plain = at + 1,
            b'<' if matches!(bytes[at + 1..], [b'?' | b'!', ..] | [b'p', b'l', ..] | [b'/', b'p', ..]) => return plain,
            0 => return plain,
            _ => {}
        }
    }
    plain
}

/// What stands in front of the `</plist>` that ends these bytes.
pub(super) fn before_close(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_suffix(b">")?.trim_ascii_end().strip_suffix(CLOSE)
}

pub(super) fn find_tag(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'<')
}

/// NUL, white space and a byte-order mark may stand between documents.
pub(super) fn is_gap(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ' | 0xef | 0xbb | 0xbf)
}

pub(super) fn rfind(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).rposition(|window| window == needle)
}
