//! Which Mac and which macOS the documents claim to come from, and what differs between them.

/// A Mac with its macOS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// M1, macOS 12: power per cluster, DRAM and package energy, no `*_power`.
    M1Macos12,
    /// M1, macOS 13: the first schema with `*_power`; duplicate GPU keys.
    M1Macos13,
    /// M4 Pro, macOS 15: software GPU states, `down` residencies; duplicate GPU keys.
    M4Macos15,
    /// M4 Max, macOS 26: GPU keys are no longer duplicated.
    M4Macos26,
    /// M5 Max, macOS 27: clusters `P0`, `P1`, `S`; no `E-Cluster`.
    M5Macos27,
}

impl Schema {
    /// All of them, with their names on the command line.
    pub const ALL: [(&'static str, Self); 5] = [
        ("m1_macos12", Self::M1Macos12),
        ("m1_macos13", Self::M1Macos13),
        ("m4_macos15", Self::M4Macos15),
        ("m4_macos26", Self::M4Macos26),
        ("m5_macos27", Self::M5Macos27),
    ];

    /// The schema of that name; `None` if there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, schema)| *schema)
    }
}
