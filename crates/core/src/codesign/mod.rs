//! A program's code signature, read from the bytes of its file: who it says it is, and its cdhash, the hash by which
//! macOS names exactly this code where no certificate can vouch for it.
//!
//! Knows thin 64-bit Mach-O files and the signature at their end (Apple's `cs_blobs.h`). Pure: bytes in, values out, and
//! no input makes it panic, since the installer reads files with it that anybody may have written. Leaves to others:
//! whether a certificate is behind the signature, which only macOS can judge.

mod macho;

use std::fmt;

use sha2::{Digest, Sha256};

/// `CSMAGIC_EMBEDDED_SIGNATURE`: a table of the signature's parts.
const SUPER_BLOB: u32 = 0xfade_0cc0;
/// `CSMAGIC_CODEDIRECTORY`.
const CODE_DIRECTORY: u32 = 0xfade_0c02;
/// First slot of further code directories, made with other hashes for older systems; there are at most five.
const ALTERNATES: std::ops::Range<u32> = 0x1000..0x1005;
/// `CS_HASHTYPE_SHA256`.
const SHA256: u8 = 2;
/// More parts than any tool writes.
const MAX_PARTS: usize = 32;

/// Slots of a signature that Joulebar asks for, besides the code directory.
pub mod slot {
    /// Hash of the bundle's `Info.plist`, or of the one in the program.
    pub const INFO_PLIST: u32 = 1;
    /// The requirement by which the program names itself.
    pub const REQUIREMENTS: u32 = 2;
    /// Hash of `_CodeSignature/CodeResources`.
    pub const RESOURCES: u32 = 3;
    /// Entitlements as a property list.
    pub const ENTITLEMENTS: u32 = 5;
    /// Entitlements as DER.
    pub const ENTITLEMENTS_DER: u32 = 7;
    /// The certificates' signature; empty or absent in ad-hoc code.
    pub const CMS: u32 = 0x1_0000;
}

/// No certificate: the code is named by its cdhash alone.
pub const ADHOC: u32 = 0x2;
/// The hardened runtime is on.
pub const RUNTIME: u32 = 0x1_0000;
/// The signature is the linker's own.
pub const LINKER_SIGNED: u32 = 0x2_0000;

/// Why a signature can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeSignError {
    /// It is text, an archive, another system's program.
    #[error("this is no 64-bit Mach-O program")]
    NotMachO,
    /// A universal file has a cdhash for each architecture.
    #[error("the program is made for several architectures; take one out of it with `lipo -thin`")]
    Universal,
    /// There is no signature in it.
    #[error("the program is not signed")]
    Unsigned,
    /// The signature's tables contradict themselves or the file.
    #[error("the program's signature is damaged")]
    Damaged,
    /// None of the code directories is made with SHA-256, or there are others besides, so that this code can't tell
    /// which one macOS takes.
    #[error("the program is signed with a hash that Joulebar does not know")]
    UnknownHash,
}

/// The 20 bytes by which macOS names one build of one program.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CdHash(pub [u8; 20]);

impl fmt::Display for CdHash {
    /// 40 hexadecimal digits in lower case, as in the requirement `cdhash H"…"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CdHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CdHash({self})")
    }
}

/// What a program's signature says.
#[derive(Clone, Debug)]
pub struct CodeSignature<'a> {
    /// Name of exactly this code.
    pub cdhash: CdHash,
    /// The identifier that the signer gave it, such as `org.example.app.helper`.
    pub identifier: &'a str,
    /// Apple's ten characters for the signer's team; absent in ad-hoc code.
    pub team: Option<&'a str>,
    /// [`ADHOC`], [`RUNTIME`] and others.
    pub flags: u32,
    file: &'a [u8],
    directory: Directory<'a>,
    parts: Vec<(u32, &'a [u8])>,
}

impl CodeSignature<'_> {
    /// The signature's part in this [`slot`], its eight bytes of header included; `None` where there is none.
    #[must_use]
    pub fn part(&self, slot: u32) -> Option<&[u8]> {
        self.parts.iter().find(|(found, _)| *found == slot).map(|(_, bytes)| *bytes)
    }

    /// The SHA-256 that the code directory holds for this [`slot`]; `None` where it holds none, or zeros.
    #[must_use]
    pub fn slot_hash(&self, slot: u32) -> Option<[u8; 32]> {
        let hash = self.directory.special_hash(usize::try_from(slot).ok()?)?;
        (hash != [0; 32]).then_some(hash)
    }

    /// Whether the code is what was signed: the hash of every page is the one that the code directory holds.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.directory.matches(self.file)
    }
}

/// Reads the signature of a thin 64-bit Mach-O file from all its bytes.
///
/// # Errors
/// [`CodeSignError`]: another kind of file, no signature, or one that can't be understood. A signature that was read may
/// still be of other code: see [`CodeSignature::is_intact`].
pub fn read_signature(file: &[u8]) -> Result<CodeSignature<'_>, CodeSignError> {
    let place = macho::signature_place(file)?;
    let blob = file.get(place).ok_or(CodeSignError::Damaged)?;
    let parts = parts(blob).ok_or(CodeSignError::Damaged)?;
    let mut directories = Vec::new();
    for (_, bytes) in parts.iter().filter(|(slot, _)| *slot == 0 || ALTERNATES.contains(slot)) {
        directories.push(Directory::read(bytes).ok_or(CodeSignError::Damaged)?);
    }
    if directories.is_empty() {
        return Err(CodeSignError::Damaged);
    }
    // macOS takes the strongest hash; SHA-1 (1) and the short SHA-256 (3) are weaker than 2, anything else is not known
    if directories.iter().any(|directory| !matches!(directory.hash_type, 1..=3)) {
        return Err(CodeSignError::UnknownHash);
    }
    let directory =
        directories.into_iter().find(|directory| directory.hash_type == SHA256).ok_or(CodeSignError::UnknownHash)?;
    let identifier = directory.text(directory.identifier).ok_or(CodeSignError::Damaged)?;
    let team = match directory.team {
        0 => None,
        offset => Some(directory.text(offset).ok_or(CodeSignError::Damaged)?),
    };
    let mut cdhash = [0; 20];
    cdhash.copy_from_slice(&Sha256::digest(directory.bytes)[..20]);
    let flags = directory.flags;
    Ok(CodeSignature { cdhash: CdHash(cdhash), identifier, team, flags, file, directory, parts })
}

/// The parts of an embedded signature, each cut to the length in its own header.
fn parts(blob: &[u8]) -> Option<Vec<(u32, &[u8])>> {
    let length = size(blob, 4)?;
    let blob = blob.get(..length)?;
    let count = size(blob, 8)?;
    if big_endian(blob, 0)? != SUPER_BLOB || count > MAX_PARTS {
        return None;
    }
    (0..count)
        .map(|index| {
            let entry = 12 + 8 * index;
            let part = blob.get(size(blob, entry + 4)?..)?;
            Some((big_endian(blob, entry)?, part.get(..size(part, 4)?.max(8))?))
        })
        .collect()
}

/// A code directory, its offsets as they stand there: from its own first byte.
#[derive(Clone, Debug)]
struct Directory<'a> {
    bytes: &'a [u8],
    flags: u32,
    hashes: usize,
    identifier: usize,
    team: usize,
    special: usize,
    code: usize,
    limit: usize,
    hash_size: usize,
    hash_type: u8,
    /// Bytes hashed at a time.
    page: usize,
}

impl<'a> Directory<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        if big_endian(bytes, 0)? != CODE_DIRECTORY {
            return None;
        }
        let version = big_endian(bytes, 8)?;
        let team = if version >= 0x2_0200 { size(bytes, 48)? } else { 0 };
        let limit64 = if version >= 0x2_0300 { u64::from_be_bytes(array(bytes, 56)?) } else { 0 };
        let limit = if limit64 == 0 { size(bytes, 32)? } else { usize::try_from(limit64).ok()? };
        Some(Self {
            bytes,
            flags: big_endian(bytes, 12)?,
            hashes: size(bytes, 16)?,
            identifier: size(bytes, 20)?,
            team,
            special: size(bytes, 24)?,
            code: size(bytes, 28)?,
            limit,
            hash_size: usize::from(*bytes.get(36)?),
            hash_type: *bytes.get(37)?,
            page: 1_usize.checked_shl(u32::from(*bytes.get(39)?)).filter(|page| *page >= 0x1000)?,
        })
    }

    /// The text that begins at this offset and ends with a zero byte.
    fn text(&self, offset: usize) -> Option<&'a str> {
        let rest = self.bytes.get(offset..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(rest.get(..end)?).ok()
    }

    fn special_hash(&self, slot: usize) -> Option<[u8; 32]> {
        if slot == 0 || slot > self.special || self.hash_size != 32 {
            return None;
        }
        array(self.bytes, self.hashes.checked_sub(slot.checked_mul(32)?)?)
    }

    fn matches(&self, file: &[u8]) -> bool {
        let Some(code) = file.get(..self.limit) else { return false };
        let pages = code.chunks(self.page);
        let hashes = self.hash_size == 32 && pages.len() == self.code;
        hashes
            && pages.enumerate().all(|(index, page)| {
                array::<32>(self.bytes, self.hashes.saturating_add(index * 32))
                    .is_some_and(|hash| hash == <[u8; 32]>::from(Sha256::digest(page)))
            })
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn big_endian(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

/// A length or an offset of a signature.
fn size(bytes: &[u8], at: usize) -> Option<usize> {
    big_endian(bytes, at).and_then(|value| usize::try_from(value).ok())
}

#[cfg(test)]
mod tests;
