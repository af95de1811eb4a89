//! What a Mach-O program says about itself: for which machine it is made, what it links and imports.

use anyhow::{Context, bail};
use goblin::mach::load_command::CommandVariant;
use goblin::mach::{MachO, header, symbols};
use memchr::memmem;

/// macOS's number among the platforms of `LC_BUILD_VERSION`.
const PLATFORM_MACOS: u32 = 1;

/// A symbol that the program takes from a library when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its name as the linker knows it, with the underscore in front.
    pub name: String,
    /// Whether the program also starts where the symbol does not exist.
    pub weak: bool,
}

/// Facts of one program.
#[derive(Clone, Debug)]
pub struct Program {
    /// Whether it is a 64-bit ARM program that runs at any address.
    pub arm64_executable: bool,
    /// The oldest macOS it starts on, major and minor; `None` when it is not made for macOS.
    pub minimum: Option<(u32, u32)>,
    /// Install names of the libraries it loads, in their order.
    pub libraries: Vec<String>,
    /// Places where libraries are looked for besides their install names.
    pub search_paths: Vec<String>,
    /// Symbols it takes from libraries.
    pub imports: Vec<Import>,
    /// The property list in its `__TEXT,__info_plist` section.
    pub info_plist: Option<Vec<u8>>,
}

impl Program {
    /// Reads the load commands and symbols of a thin Mach-O.
    ///
    /// # Errors
    /// When it is none, or its tables point out of the file.
    pub fn read(bytes: &[u8]) -> anyhow::Result<Self> {
        if bytes.get(..4) != Some(&[0xcf, 0xfa, 0xed, 0xfe]) {
            bail!("no thin 64-bit Mach-O");
        }
        let file = MachO::parse(bytes, 0).context("its load commands can't be read")?;
        let arm64 = file.header.cputype() == goblin::mach::cputype::CPU_TYPE_ARM64;
        let executable = file.header.filetype == header::MH_EXECUTE && file.header.flags & header::MH_PIE != 0;
        let minimum = file.load_commands.iter().find_map(|command| match command.command {
            CommandVariant::BuildVersion(build) if build.platform == PLATFORM_MACOS => {
                Some((build.minos >> 16, build.minos >> 8 & 0xff))
            }
            _ => None,
        });
        Ok(Self {
            arm64_executable: arm64 && executable,
            minimum,
            libraries: file.libs.iter().filter(|name| **name != "self").map(|name| (*name).to_owned()).collect(),
            search_paths: file.rpaths.iter().map(|path| (*path).to_owned()).collect(),
            imports: imports(&file)?,
            info_plist: info_plist(&file)?,
        })
    }
}

fn imports(file: &MachO<'_>) -> anyhow::Result<Vec<Import>> {
    let mut found = Vec::new();
    for symbol in file.symbols() {
        let (name, entry) = symbol.context("its symbols can't be read")?;
        if !entry.is_stab() && entry.is_undefined() && entry.is_global() {
            found.push(Import { name: name.to_owned(), weak: entry.n_desc & symbols::N_WEAK_REF != 0 });
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

fn info_plist(file: &MachO<'_>) -> anyhow::Result<Option<Vec<u8>>> {
    for sections in file.segments.sections() {
        for section in sections {
            let (section, bytes) = section.context("its sections can't be read")?;
            if section.name()? == "__info_plist" && section.segname()? == "__TEXT" {
                return Ok(Some(bytes.to_vec()));
            }
        }
    }
    Ok(None)
}

/// Whether these bytes occur in a file.
#[must_use]
pub fn contains(file: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && memmem::find(file, needle).is_some()
}

/// The printable text around the first place where these bytes occur, at most 160 bytes of it.
#[must_use]
pub fn text_around(file: &[u8], needle: &[u8]) -> Option<String> {
    let at = memmem::find(file, needle)?;
    let printable = |byte: &u8| (0x20..0x7f).contains(byte);
    let before = file[..at].iter().rev().take(60).take_while(|byte| printable(byte)).count();
    let after = file[at..].iter().take(100).take_while(|byte| printable(byte)).count();
    Some(String::from_utf8_lossy(&file[at - before..at + after]).into_owned())
}

/// Every path in a file that begins with this folder, at most 200 bytes of each. Texts stand in a program without anything
/// between them, so a path may have the beginning of the next text at its end.
pub fn paths_below<'a>(file: &'a [u8], folder: &'a str) -> impl Iterator<Item = String> + 'a {
    let of_a_path = |byte: &&u8| byte.is_ascii_alphanumeric() || b"/._-+@".contains(byte);
    memmem::find_iter(file, folder).map(move |at| {
        let length = file[at..].iter().take(200).take_while(of_a_path).count();
        String::from_utf8_lossy(&file[at..at + length]).into_owned()
    })
}
