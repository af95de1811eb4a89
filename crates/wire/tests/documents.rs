//! The splitter against whole, cut, joined and foreign streams.
#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::path::PathBuf;

use joulebar_wire::documents::{Damage, Piece, Splitter};
use proptest::prelude::*;

const LIMIT: usize = 4096;
const DOCUMENT: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
                        \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n\
                        <key>elapsed_ns</key><integer>5</integer>\n</dict>\n</plist>";

fn split_in_chunks(stream: &[u8], size: usize, limit: usize) -> Vec<Piece> {
    let mut splitter = Splitter::new(limit);
    let mut pieces = Vec::new();
    for chunk in stream.chunks(size) {
        splitter.push(chunk);
        pieces.extend(splitter.by_ref());
    }
    while let Some(piece) = splitter.finish() {
        pieces.push(piece);
    }
    pieces
}

fn split(stream: &[u8]) -> Vec<Piece> {
    let whole = split_in_chunks(stream, stream.len().max(1), LIMIT);
    for size in [1, 2, 3, 7, 64] {
        assert_eq!(split_in_chunks(stream, size, LIMIT), whole, "in chunks of {size}");
    }
    whole
}

/// What the pieces are, shortly: `d` for a document, else the damage.
fn shape(pieces: &[Piece]) -> String {
    let letters = pieces.iter().map(|piece| match piece {
        Piece::Document { .. } => "document",
        Piece::Damaged { kind: Damage::Oversize, .. } => "oversize",
        Piece::Damaged { kind: Damage::Truncated, .. } => "truncated",
        Piece::Damaged { kind: Damage::NoStart, .. } => "no-start",
        Piece::Damaged { kind: Damage::NoEnd, .. } => "no-end",
    });
    letters.collect::<Vec<_>>().join(" ")
}

fn documents(pieces: &[Piece]) -> Vec<&[u8]> {
    let whole = pieces.iter().filter_map(|piece| match piece {
        Piece::Document { bytes, .. } => Some(bytes.as_slice()),
        Piece::Damaged { .. } => None,
    });
    whole.collect()
}

#[test]
fn document_comes_with_the_last_byte_of_its_end_and_not_at_the_next_nul() {
    let mut splitter = Splitter::new(LIMIT);
    splitter.push(&DOCUMENT.as_bytes()[..DOCUMENT.len() - 1]);
    assert_eq!(splitter.next(), None);
    splitter.push(b">");
    assert_eq!(splitter.next(), Some(Piece::Document { index: 0, offset: 0, bytes: DOCUMENT.into() }));
    assert_eq!(splitter.next(), None);
    assert_eq!(splitter.finish(), None);
}

#[test]
fn nuls_blanks_and_byte_order_marks_may_stand_between_documents() {
    for gap in ["", "\n", "\n\0", "\0", "\0\0\n\0", "\r\n", "\n\n  \t", "\u{feff}"] {
        let stream = format!("{gap}{DOCUMENT}{gap}{DOCUMENT}{gap}");
        let pieces = split(stream.as_bytes());
        assert_eq!(documents(&pieces), [DOCUMENT.as_bytes(); 2], "{gap:?}");
        let Piece::Document { offset, .. } = pieces[1] else { panic!("no document") };
        assert_eq!(offset, (2 * gap.len() + DOCUMENT.len()) as u64);
    }
}

#[test]
fn windows_line_ends_and_indentation_are_read() {
    let stream = DOCUMENT.replace('\n', "\r\n  ").repeat(2);
    assert_eq!(shape(&split(stream.as_bytes())), "document document");
}

#[test]
fn marks_inside_a_process_name_are_text() {
    let names =
        "<string>evil</plist></string>\n<string><?xml version=\"1.0\"?></string>\n<string>a&b\u{1}</string>\n</dict>";
    let document = DOCUMENT.replace("</dict>", names);
    let pieces = split(format!("{document}\n\0{document}\n").as_bytes());
    assert_eq!(documents(&pieces), [document.as_bytes(); 2]);
}

#[test]
fn cut_document_costs_itself_alone() {
    let cut = &DOCUMENT[..DOCUMENT.len() - 30];
    assert_eq!(shape(&split(format!("{cut}\0{DOCUMENT}").as_bytes())), "no-end document");
    assert_eq!(shape(&split(format!("{cut}\n{DOCUMENT}").as_bytes())), "no-end document");
    assert_eq!(shape(&split(format!("{DOCUMENT}\n\0{cut}").as_bytes())), "document truncated");
    assert_eq!(shape(&split(format!("{DOCUMENT}\n\0{}", &DOCUMENT[..3]).as_bytes())), "document truncated");
}

#[test]
fn recording_cut_inside_a_line_can_be_joined_with_another() {
    let cut = &DOCUMENT[..DOCUMENT.len() - 30];
    let pieces = split(format!("{DOCUMENT}\n\0{cut}{DOCUMENT}\n\0{DOCUMENT}").as_bytes());
    assert_eq!(shape(&pieces), "document no-end document document");
    assert_eq!(documents(&pieces), [DOCUMENT.as_bytes(); 3]);
}

#[test]
fn stream_joined_in_the_middle_says_so_once_and_goes_on() {
    let middle = &DOCUMENT[DOCUMENT.find("elapsed").unwrap()..];
    let pieces = split(format!("{middle}\n\0{DOCUMENT}\n").as_bytes());
    assert_eq!(pieces[0], Piece::Damaged { index: 0, offset: 0, len: middle.len() as u64, kind: Damage::NoStart });
    assert_eq!(documents(&pieces), [DOCUMENT.as_bytes()]);
    assert_eq!(shape(&split(format!("</plist>\n\0{DOCUMENT}\n").as_bytes())), "no-start document");
}

#[test]
fn foreign_bytes_alone_are_reported_once_and_not_silent() {
    assert_eq!(
        split(b"Machine model: Mac16,6\nOS version: 24F74\n"),
        [Piece::Damaged { index: 0, offset: 0, len: 41, kind: Damage::NoStart }]
    );
    let noisy = format!("Second underflow occured.\n{DOCUMENT}\nSecond underflow occured.{DOCUMENT}\n");
    assert_eq!(shape(&split(noisy.as_bytes())), "document document");
    assert_eq!(
        split(b"\nhello\n\0world\n\0<!-- not even XML -->"),
        [Piece::Damaged { index: 0, offset: 1, len: 35, kind: Damage::NoStart }]
    );
    assert_eq!(split(b""), []);
    assert_eq!(split(b"\0\n\0 "), []);
}

#[test]
fn noise_between_documents_has_no_number_and_costs_no_document() {
    let noise = "Second underflow occured.\n";
    for stream in [
        format!("{noise}{DOCUMENT}\n{noise}\0{DOCUMENT}\n\0{noise}{noise}{DOCUMENT}\nScript done\n"),
        format!("Password:{DOCUMENT}{noise}{DOCUMENT}junk\0{DOCUMENT}"),
    ] {
        let pieces = split(stream.as_bytes());
        assert_eq!(shape(&pieces), "document document document", "{stream}");
        let indices: Vec<u64> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Document { index, .. } | Piece::Damaged { index, .. } => *index,
            })
            .collect();
        assert_eq!(indices, [0, 1, 2]);
    }
    let without_header = &DOCUMENT[39..];
    assert_eq!(shape(&split(format!("{noise}{without_header}\n{noise}").as_bytes())), "document");
    let damaged = format!("{DOCUMENT}\n{noise}<key>x</key>\n\0{DOCUMENT}");
    assert_eq!(shape(&split(damaged.as_bytes())), "document no-start document", "a tag is no noise");
}

#[test]
fn comments_around_documents_are_no_documents() {
    let stream = format!("<!-- a <b> -->{DOCUMENT}<!-- c --> <!-- d -->\n<!--\n<e>\n-->\n{DOCUMENT}\n<!-- end -->\n");
    let pieces = split(stream.as_bytes());
    assert_eq!(documents(&pieces), [DOCUMENT.as_bytes(); 2]);
    assert_eq!(shape(&pieces), "document document");
    let unclosed = format!("<!-- {DOCUMENT}\n<!--\n{DOCUMENT}");
    assert_eq!(shape(&split(unclosed.as_bytes())), "document document", "a comment without an end hides nothing");
}

#[test]
fn end_with_blanks_in_its_tag_is_an_end() {
    for end in ["</plist >", "</plist\n>", "</plist\t\r\n >"] {
        let document = DOCUMENT.replace("</plist>", end);
        for stream in [format!("{document}\n\0{document}"), format!("{document}{document}\n")] {
            assert_eq!(documents(&split(stream.as_bytes())), [document.as_bytes(); 2], "{end:?}");
        }
        assert_eq!(documents(&split(document.replace("\n", "").repeat(2).as_bytes())).len(), 2, "{end:?}");
    }
    assert_eq!(shape(&split(DOCUMENT.replace("</plist>", "</plister>").as_bytes())), "truncated");
}

#[test]
fn documents_on_one_line_need_nothing_between_them() {
    let line = DOCUMENT.replace('\n', "");
    for gap in ["", " ", "\r", "\t\u{feff}", "<!-- next -->"] {
        let pieces = split(format!("{line}{gap}{line}{gap}{DOCUMENT}{gap}{line}").as_bytes());
        assert_eq!(shape(&pieces), "document document document document", "{gap:?}");
    }
    let longer_than_the_limit = line.repeat(2 * LIMIT / line.len() + 2);
    assert_eq!(documents(&split(longer_than_the_limit.as_bytes())).len(), 2 * LIMIT / line.len() + 2);
    let mut splitter = Splitter::new(LIMIT);
    splitter.push(line.as_bytes());
    assert_eq!(splitter.next(), Some(Piece::Document { index: 0, offset: 0, bytes: line.into() }));
}

#[test]
fn one_line_recording_behind_a_cut_one_is_found() {
    let line = DOCUMENT.replace('\n', "");
    for cut in [&DOCUMENT[..DOCUMENT.len() - 30], &line[..line.len() - 30], &line[60..line.len() - 30]] {
        let pieces = split(format!("{cut}{line}").as_bytes());
        assert_eq!(documents(&pieces), [line.as_bytes()], "{cut}");
        assert_eq!(pieces.len(), 2, "{cut}");
    }
}

#[test]
fn marks_inside_a_process_name_are_text_on_one_line_too() {
    let names = "<string>a</plist></string><string></dict></plist> b</string><string>c<?xml version=\"1.0\"?></string>\
                 <string>d</plist><string></string><string>e</string></plist></string></dict>";
    let line = DOCUMENT.replace("</dict>", names).replace('\n', "");
    assert_eq!(documents(&split(line.repeat(2).as_bytes())), [line.as_bytes(); 2]);
}

#[test]
fn hand_edited_documents_without_header_or_on_one_line_are_read() {
    let without_header = &DOCUMENT[39..];
    assert!(without_header.starts_with("<!DOCTYPE"));
    assert_eq!(shape(&split(format!("{without_header}\n{without_header}").as_bytes())), "document document");
    let on_one_line = DOCUMENT.replace('\n', "");
    let pieces = split(format!("{on_one_line}\0{on_one_line}\n{DOCUMENT}\n\0{on_one_line}").as_bytes());
    assert_eq!(shape(&pieces), "document document document document");
}

#[test]
fn document_of_the_limit_passes_and_one_byte_more_does_not() {
    let fill = |len: usize| DOCUMENT.replace("</dict>", &format!("{}\n</dict>", "x".repeat(len - DOCUMENT.len() - 1)));
    let (fitting, too_long) = (fill(LIMIT), fill(LIMIT + 1));
    assert_eq!((fitting.len(), too_long.len()), (LIMIT, LIMIT + 1));
    let pieces = split(format!("{fitting}\n\0{too_long}\n\0{fitting}\n").as_bytes());
    assert_eq!(shape(&pieces), "document oversize document");
    let expected_len = too_long.len() as u64;
    assert!(matches!(pieces[1], Piece::Damaged { index: 1, len, .. } if len == expected_len), "{:?}", pieces[1]);
}

#[test]
fn endless_document_is_noticed_while_it_lasts_and_not_kept() {
    let mut splitter = Splitter::new(LIMIT);
    splitter.push(&DOCUMENT.as_bytes()[..60]);
    assert!(!splitter.is_skipping_oversize());
    for _ in 0..10_000 {
        splitter.push(&[b'x'; 1000]);
        assert_eq!(splitter.next(), None);
    }
    assert!(splitter.is_skipping_oversize());
    splitter.push(format!("\n{DOCUMENT}").as_bytes());
    assert_eq!(shape(&splitter.by_ref().collect::<Vec<_>>()), "oversize document");
    assert!(!splitter.is_skipping_oversize());
}

#[test]
fn every_shared_capture_gives_the_documents_it_holds() {
    let Some(fixtures) = std::env::var_os("JOULEBAR_FIXTURES").map(PathBuf::from) else {
        eprintln!("skipped: JOULEBAR_FIXTURES is not set");
        return;
    };
    let read = |name: &str| std::fs::read(fixtures.join("powermetrics/plist").join(name)).unwrap();
    let split = |bytes: &[u8]| {
        let whole = split_in_chunks(bytes, 65_536, 4 << 20);
        assert_eq!(split_in_chunks(bytes, 1, 4 << 20), whole);
        whole
    };
    let cut_tail = read("cut_m4pro_battery_killed_in_third_sample.pliststream");
    let cut_head = read("cut_m4pro_battery_started_mid_first_sample.pliststream");
    assert_eq!(shape(&split(&cut_tail)), "document document truncated");
    assert_eq!(shape(&split(&cut_head)), "no-start document document");
    let both = [cut_head, cut_tail.clone()].concat();
    assert_eq!(shape(&split(&both)), "no-start document document document document truncated");
    let mut seen = 0;
    for entry in std::fs::read_dir(fixtures.join("powermetrics/plist")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with("cut_") {
            continue;
        }
        let capture = read(&name);
        let documents = split(&capture);
        let expected = capture.windows(5).filter(|window| window == b"<?xml").count();
        assert_eq!(shape(&documents), vec!["document"; expected].join(" "), "{name}");
        let joined = [&cut_tail[..], &capture[..], &capture[..capture.len() - 1], &capture[..]].concat();
        let shapes = format!("document document no-end{}", " document".repeat(3 * expected));
        assert_eq!(shape(&split(&joined)), shapes, "{name} after a cut capture");
        seen += 1;
    }
    assert!(seen >= 8, "{seen} captures");
}

#[test]
fn time_is_linear_in_the_bytes_whatever_they_are() {
    for filler in [
        " ",
        "\n",
        "<",
        "</plist",
        "?>",
        "\n<?xm",
        "x",
        "?>\n",
        "\n</p",
        ">",
        "</plist>",
        "<?xml ?>",
        "<?xml ?> <plist",
        "</string>",
    ] {
        let stream = format!("{}{}", &DOCUMENT[..60], filler.repeat(2_000_000 / filler.len()));
        let since = std::time::Instant::now();
        assert_eq!(split_in_chunks(stream.as_bytes(), stream.len(), 4 << 20).len(), 1, "{filler:?}");
        // quadratic time would be hours
        assert!(since.elapsed().as_secs() < 20, "{filler:?}: {:?}", since.elapsed());
    }
}

fn part() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => Just(DOCUMENT.as_bytes().to_vec()),
        2 => (0..DOCUMENT.len()).prop_map(|end| DOCUMENT.as_bytes()[..end].to_vec()),
        2 => (0..DOCUMENT.len()).prop_map(|start| DOCUMENT.as_bytes()[start..].to_vec()),
        1 => Just(DOCUMENT.replace('\n', "").into_bytes()),
        3 => prop::sample::select(vec!["\0", "\n", "\n\0", " ", "\r\n", "\t", "<", "</plist>", "</plist >", "<?xml", "?>\n", "<plist", "x", "<string>", "</string>"])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (0usize..800).prop_map(|len| vec![b' '; len]),
    ]
}

proptest! {
    #[test]
    fn pieces_are_the_same_however_the_stream_is_split(
        parts in prop::collection::vec(part(), 0..10),
        cuts in prop::collection::vec(0usize..2000, 0..30),
        limit in 256usize..600,
    ) {
        let stream = parts.concat();
        let whole = split_in_chunks(&stream, stream.len().max(1), limit);
        prop_assert_eq!(&split_in_chunks(&stream, 1, limit), &whole);
        let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut <= stream.len()).collect();
        cuts.sort_unstable();
        cuts.push(stream.len());
        let mut splitter = Splitter::new(limit);
        let (mut pieces, mut from) = (Vec::new(), 0);
        for cut in cuts {
            splitter.push(&stream[from..cut]);
            pieces.extend(splitter.by_ref());
            from = cut;
        }
        while let Some(piece) = splitter.finish() {
            pieces.push(piece);
        }
        prop_assert_eq!(&pieces, &whole);
    }

    #[test]
    fn pieces_lie_in_order_without_overlap_and_nothing_with_a_tag_is_left_out(parts in prop::collection::vec(part(), 0..10)) {
        let stream = parts.concat();
        let mut from = 0;
        for (position, piece) in split_in_chunks(&stream, 100, 512).into_iter().enumerate() {
            let (index, offset, len) = match &piece {
                Piece::Document { index, offset, bytes } => (*index, *offset, bytes.len()),
                Piece::Damaged { index, offset, len, .. } => (*index, *offset, usize::try_from(*len).unwrap()),
            };
            let offset = usize::try_from(offset).unwrap();
            prop_assert_eq!(index, position as u64);
            prop_assert!(offset >= from && len > 0);
            prop_assert!(!stream[from..offset].contains(&b'<'));
            if let Piece::Document { bytes, .. } = &piece {
                prop_assert_eq!(&stream[offset..offset + len], &bytes[..]);
                prop_assert!(bytes.len() <= 512);
            }
            from = offset + len;
        }
        prop_assert!(!stream[from..].contains(&b'<'));
    }
}
