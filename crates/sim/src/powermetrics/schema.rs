//! Which Mac and which macOS the output claims to come from, and what differs between them. Numbers are those of real captures.

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

/// What a schema's documents hold.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) hw_model: &'static str,
    pub(super) build: &'static str,
    pub(super) clusters: &'static [Cluster],
    /// GPU frequencies in MHz, in the order of the documents: neither sorted nor unique.
    pub(super) gpu_mhz: &'static [u32],
    pub(super) energies: Energies,
    pub(super) gpu_requests: GpuRequests,
    /// `idle_ns` and `idle_ratio` come a second time at the end of the `gpu` dictionary.
    pub(super) repeats_gpu_idle: bool,
    /// Instructions retired and per clock are reported.
    pub(super) instructions: bool,
    /// Clusters and CPUs can be powered down, and it is reported.
    pub(super) reports_down: bool,
    /// Used ratios of a cluster add up to 1 over its active time; otherwise, with idle and down, over the window.
    pub(super) cluster_ratios_over_active_time: bool,
}

/// One CPU cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) name: &'static str,
    pub(super) cpus: u32,
    pub(super) mhz: &'static [u32],
    pub(super) online_ratio: bool,
    /// Sleeps first and wakes last.
    pub(super) reserve: bool,
}

/// Which totals `processor` ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Energies {
    /// macOS 11 and 12: energies of ANE, DRAM, CPU, GPU and package; power only per cluster.
    WithPackage,
    /// macOS 13 and later: energy and power of CPU, GPU and ANE, combined power.
    WithPower,
}

/// What the `gpu` dictionary says about requested states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GpuRequests {
    /// `requested_freq`, up to 13.3.
    Frequencies,
    /// `sw_requested_state` and `sw_state`.
    States,
    /// `sw_requested_state` alone (M5).
    RequestedStates,
}

const M1_E: &[u32] = &[600, 972, 1332, 1704, 2064];
const M1_P: &[u32] = &[600, 828, 1056, 1284, 1500, 1728, 1956, 2184, 2388, 2592, 2772, 2988, 3096, 3144, 3204];
const M1_CLUSTERS: &[Cluster] = &[
    Cluster { name: "E-Cluster", cpus: 4, mhz: M1_E, online_ratio: false, reserve: false },
    Cluster { name: "P-Cluster", cpus: 4, mhz: M1_P, online_ratio: false, reserve: false },
];
const M1_GPU: &[u32] = &[396, 528, 720, 924, 1128, 1278];
const M4_E: &[u32] = &[1020, 1404, 1788, 2112, 2352, 2532, 2592];
const M4_P: &[u32] = &[
    1260, 1512, 1800, 2088, 2352, 2616, 2868, 3096, 3300, 3468, 3624, 3756, 3828, 3888, 3948, 3996, 4044, 4104, 4416,
    4512,
];
const M4_GPU: &[u32] = &[338, 618, 796, 924, 952, 1056, 1062, 1182, 1182, 1312, 1242, 1380, 1326, 1470, 1578];
const M5_P: &[u32] = &[1344, 1644, 1992, 2304, 2652, 2964, 3240, 3504, 3696, 3876, 4044, 4176, 4284, 4308, 4380];
const M5_S: &[u32] = &[
    1308, 1620, 1980, 2292, 2580, 2880, 3180, 3432, 3648, 3828, 3984, 4104, 4188, 4236, 4284, 4308, 4332, 4428, 4512,
    4608,
];
const M5_GPU: &[u32] = &[338, 486, 636, 796, 888, 988, 1084, 1182, 1278, 1374, 1470, 1578, 1620];

static M1_MACOS12: Layout = Layout {
    hw_model: "MacBookAir10,1",
    build: "21G115",
    clusters: M1_CLUSTERS,
    gpu_mhz: M1_GPU,
    energies: Energies::WithPackage,
    gpu_requests: GpuRequests::Frequencies,
    repeats_gpu_idle: true,
    instructions: true,
    reports_down: false,
    cluster_ratios_over_active_time: true,
};

static M1_MACOS13: Layout = Layout {
    hw_model: "MacBookPro17,1",
    build: "22E252",
    energies: Energies::WithPower,
    clusters: M1_CLUSTERS,
    gpu_mhz: M1_GPU,
    gpu_requests: GpuRequests::Frequencies,
    repeats_gpu_idle: true,
    instructions: true,
    reports_down: false,
    cluster_ratios_over_active_time: true,
};

static M4_MACOS15: Layout = Layout {
    hw_model: "Mac16,8",
    build: "24F74",
    clusters: &[
        Cluster { name: "E-Cluster", cpus: 4, mhz: M4_E, online_ratio: true, reserve: false },
        Cluster { name: "P0-Cluster", cpus: 5, mhz: M4_P, online_ratio: true, reserve: false },
        Cluster { name: "P1-Cluster", cpus: 5, mhz: M4_P, online_ratio: false, reserve: true },
    ],
    gpu_mhz: M4_GPU,
    energies: Energies::WithPower,
    gpu_requests: GpuRequests::States,
    repeats_gpu_idle: true,
    instructions: false,
    reports_down: true,
    cluster_ratios_over_active_time: false,
};

static M4_MACOS26: Layout = Layout {
    hw_model: "Mac16,5",
    build: "25C56",
    clusters: &[
        Cluster { name: "E-Cluster", cpus: 4, mhz: M4_E, online_ratio: true, reserve: false },
        Cluster { name: "P0-Cluster", cpus: 6, mhz: M4_P, online_ratio: true, reserve: false },
        Cluster { name: "P1-Cluster", cpus: 6, mhz: M4_P, online_ratio: false, reserve: true },
    ],
    gpu_mhz: M4_GPU,
    energies: Energies::WithPower,
    gpu_requests: GpuRequests::States,
    repeats_gpu_idle: false,
    instructions: false,
    reports_down: true,
    cluster_ratios_over_active_time: false,
};

// no plist of an M5 is known: names and frequencies are from its text output, the rest is as in macOS 26
static M5_MACOS27: Layout = Layout {
    hw_model: "Mac17,6",
    build: "26A428",
    clusters: &[
        Cluster { name: "P0-Cluster", cpus: 6, mhz: M5_P, online_ratio: true, reserve: false },
        Cluster { name: "P1-Cluster", cpus: 6, mhz: M5_P, online_ratio: true, reserve: true },
        Cluster { name: "S-Cluster", cpus: 6, mhz: M5_S, online_ratio: false, reserve: true },
    ],
    gpu_mhz: M5_GPU,
    energies: Energies::WithPower,
    gpu_requests: GpuRequests::RequestedStates,
    repeats_gpu_idle: false,
    instructions: false,
    reports_down: true,
    cluster_ratios_over_active_time: false,
};

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

    pub(super) fn layout(self) -> &'static Layout {
        match self {
            Self::M1Macos12 => &M1_MACOS12,
            Self::M1Macos13 => &M1_MACOS13,
            Self::M4Macos15 => &M4_MACOS15,
            Self::M4Macos26 => &M4_MACOS26,
            Self::M5Macos27 => &M5_MACOS27,
        }
    }
}
