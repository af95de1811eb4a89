//! Builds small Mach-O programs with whatever is asked for, signed: what the checks are tried on.

use sha2::{Digest, Sha256};

const BASE: u64 = 0x1_0000_0000;
const PAGE: usize = 0x1000;

/// A program to be made.
#[derive(Clone)]
pub struct Plan {
    /// `CPU_TYPE_ARM64`, or another.
    pub cpu: u32,
    /// `MH_PIE` and others.
    pub flags: u32,
    /// `LC_BUILD_VERSION`'s platform and oldest system; 1 is macOS.
    pub platform: u32,
    pub minimum: (u32, u32),
    pub libraries: Vec<String>,
    pub search_paths: Vec<String>,
    /// Imported names, and whether each is weak.
    pub imports: Vec<(String, bool)>,
    pub info_plist: Option<Vec<u8>>,
    /// Text that stands in the program.
    pub text: Vec<u8>,
    pub signature: Option<Signature>,
}

/// A signature to be made.
#[derive(Clone)]
pub struct Signature {
    pub identifier: String,
    pub team: Option<String>,
    pub flags: u32,
    /// What the special slots hold, by slot.
    pub slots: Vec<(usize, [u8; 32])>,
    /// Further parts, by slot: their whole bytes.
    pub parts: Vec<(u32, Vec<u8>)>,
}

fn command(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(8), 0);
    let mut all = words(&[kind, u32::try_from(body.len() + 8).unwrap()]);
    all.extend(body);
    all
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn padded_name(name: &str) -> Vec<u8> {
    let mut name = name.as_bytes().to_vec();
    name.resize(16, 0);
    name
}

/// A load command that names something: offset of the name, further words, the name.
fn naming(kind: u32, more: &[u32], name: &str) -> Vec<u8> {
    let mut body = words(&[u32::try_from(12 + 4 * more.len()).unwrap()]);
    body.extend(words(more));
    body.extend(name.as_bytes());
    body.push(0);
    command(kind, &body)
}

struct Segment<'a> {
    name: &'a str,
    address: u64,
    offset: usize,
    size: usize,
    sections: &'a [(&'a str, usize, usize)],
}

fn segment(plan: &Segment<'_>) -> Vec<u8> {
    let mut body = padded_name(plan.name);
    let size = plan.size as u64;
    for value in [plan.address, size.next_multiple_of(0x4000), plan.offset as u64, size] {
        body.extend(value.to_le_bytes());
    }
    body.extend(words(&[5, 5, u32::try_from(plan.sections.len()).unwrap(), 0]));
    for (name, offset, size) in plan.sections {
        body.extend(padded_name(name));
        body.extend(padded_name(plan.name));
        body.extend((plan.address + *offset as u64).to_le_bytes());
        body.extend((*size as u64).to_le_bytes());
        body.extend(words(&[u32::try_from(*offset).unwrap(), 0, 0, 0, 0, 0, 0, 0]));
    }
    command(0x19, &body)
}

impl Plan {
    /// The program's bytes.
    pub fn build(&self) -> Vec<u8> {
        let info = self.info_plist.clone().unwrap_or_default();
        let content = PAGE; // load commands keep within the first page
        let (info_at, text_at) = (content, content + info.len());
        let text_end = (text_at + self.text.len()).next_multiple_of(PAGE);

        let (symbols, names) = self.symbols();
        let symbols_at = text_end;
        let names_at = symbols_at + symbols.len();
        let unsigned = (names_at + names.len()).next_multiple_of(16);
        let signature_size = self.signature.as_ref().map_or(0, |_| signature_space(unsigned));

        let mut sections = vec![("__const", text_at, self.text.len())];
        if self.info_plist.is_some() {
            sections.push(("__info_plist", info_at, info.len()));
        }
        let text = Segment { name: "__TEXT", address: BASE, offset: 0, size: text_end, sections: &sections };
        let link = Segment {
            name: "__LINKEDIT",
            address: BASE + (text_end as u64).next_multiple_of(0x4000),
            offset: text_end,
            size: unsigned - text_end + signature_size,
            sections: &[],
        };
        let mut commands = vec![segment(&text), segment(&link)];
        let number = |value: usize| u32::try_from(value).unwrap();
        commands.push(command(
            2,
            &words(&[number(symbols_at), number(self.imports.len()), number(names_at), number(names.len())]),
        ));
        let version = self.minimum.0 << 16 | self.minimum.1 << 8;
        commands.push(command(0x32, &words(&[self.platform, version, version, 0])));
        commands.extend(self.libraries.iter().map(|name| naming(0xc, &[2, 0x1_0000, 0x1_0000], name)));
        commands.extend(self.search_paths.iter().map(|path| naming(0x8000_001c, &[], path)));
        if self.signature.is_some() {
            commands.push(command(0x1d, &words(&[number(unsigned), number(signature_size)])));
        }

        let length = commands.iter().map(Vec::len).sum::<usize>();
        assert!(32 + length <= PAGE);
        let mut file = words(&[0xfeed_facf, self.cpu, 0, 2, number(commands.len()), number(length), self.flags, 0]);
        file.extend(commands.concat());
        file.resize(info_at, 0);
        file.extend(&info);
        file.extend(&self.text);
        file.resize(text_end, 0);
        file.extend(symbols);
        file.extend(names);
        file.resize(unsigned, 0);
        if let Some(signature) = &self.signature {
            let blob = signature.build(&file);
            assert!(blob.len() <= signature_size);
            file.extend(blob);
            file.resize(unsigned + signature_size, 0);
        }
        file
    }

    /// The symbol table and its names.
    fn symbols(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut table, mut names) = (Vec::new(), vec![b' ', 0]);
        for (name, weak) in &self.imports {
            table.extend(u32::try_from(names.len()).unwrap().to_le_bytes());
            // N_UNDF | N_EXT, no section, from the first library
            table.extend([1, 0]);
            table.extend((0x100_u16 | if *weak { 0x40 } else { 0 }).to_le_bytes());
            table.extend(0_u64.to_le_bytes());
            names.extend(name.as_bytes());
            names.push(0);
        }
        (table, names)
    }
}

fn signature_space(code: usize) -> usize {
    (0x1000 + code.div_ceil(PAGE) * 32).next_multiple_of(16)
}

impl Signature {
    fn build(&self, code: &[u8]) -> Vec<u8> {
        let mut parts = vec![(0, self.directory(code))];
        parts.extend(self.parts.iter().cloned());
        let mut offset = 12 + 8 * parts.len();
        let mut index = Vec::new();
        for (slot, part) in &parts {
            index.extend([*slot, u32::try_from(offset).unwrap()]);
            offset += part.len();
        }
        let mut blob = big(&[0xfade_0cc0, u32::try_from(offset).unwrap(), u32::try_from(parts.len()).unwrap()]);
        blob.extend(big(&index));
        parts.iter().for_each(|(_, part)| blob.extend(part));
        blob
    }

    fn directory(&self, code: &[u8]) -> Vec<u8> {
        const HEADER: usize = 88;
        let number = |value: usize| u32::try_from(value).unwrap();
        let mut text = self.identifier.as_bytes().to_vec();
        text.push(0);
        let team = self.team.as_ref().map_or(0, |team| {
            let at = HEADER + text.len();
            text.extend(team.as_bytes());
            text.push(0);
            at
        });
        let special = self.slots.iter().map(|(slot, _)| *slot).max().unwrap_or(0);
        let hashes = HEADER + text.len() + 32 * special;
        let pages: Vec<_> = code.chunks(PAGE).collect();
        let length = hashes + 32 * pages.len();
        let mut directory = big(&[
            0xfade_0c02,
            number(length),
            0x2_0400,
            self.flags,
            number(hashes),
            number(HEADER),
            number(special),
            number(pages.len()),
            number(code.len()),
        ]);
        directory.extend([32, 2, 0, 12]);
        directory.extend(big(&[0, 0, number(team), 0]));
        directory.resize(HEADER, 0);
        directory.extend(text);
        for slot in (1..=special).rev() {
            let hash = self.slots.iter().find(|(found, _)| *found == slot).map_or([0; 32], |(_, hash)| *hash);
            directory.extend(hash);
        }
        pages.iter().for_each(|page| directory.extend(Sha256::digest(page)));
        directory
    }
}

fn big(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}
