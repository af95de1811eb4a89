//! What stands in one document of powermetrics, for a reader who wants to know whether it is the one that we know. Pure.

use crate::power::powermetrics::decode;

/// What a document holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// Its length, in bytes.
    pub bytes: usize,
    /// Why it can't be read.
    pub error: Option<String>,
    /// True when it says how long its sample was.
    pub has_length: bool,
    /// Apple's model identifier.
    pub hw_model: Option<String>,
    /// Rails with a power.
    pub rails: Vec<&'static str>,
    /// True when it says how fast the GPU ran.
    pub gpu_clock: bool,
    /// True when it says how busy the GPU was.
    pub gpu_busy: bool,
    /// Thermal pressure, as it stands there.
    pub thermal: Option<String>,
    /// How often `idle_ratio` stands in it.
    pub idle_ratios: usize,
    /// Names of the CPU clusters.
    pub clusters: Vec<String>,
}

impl Schema {
    /// True when there is CPU or GPU power in it.
    pub fn has_power(&self) -> bool {
        self.rails.iter().any(|rail| matches!(*rail, "CPU" | "GPU"))
    }

    /// In one line.
    pub fn describe(&self) -> String {
        let mut parts = vec![format!("{:.0} kB", self.bytes as f64 / 1e3)];
        parts.extend(self.hw_model.clone());
        parts.push(match self.rails.is_empty() {
            true => "no power".to_owned(),
            false => self.rails.join(" + "),
        });
        if !self.has_length {
            parts.push("no length".to_owned());
        }
        if !self.clusters.is_empty() {
            parts.push(self.clusters.join(" "));
        }
        let missing = [("GPU clock", self.gpu_clock), ("GPU load", self.gpu_busy), ("thermal", self.thermal.is_some())];
        let missing: Vec<_> = missing.into_iter().filter(|(_, there)| !there).map(|(name, _)| name).collect();
        if !missing.is_empty() {
            parts.push(format!("without {}", missing.join(", ")));
        }
        if self.idle_ratios != 0 {
            parts.push(format!("idle_ratio ×{}", self.idle_ratios));
        }
        parts.join(", ")
    }
}

/// Looks at one document.
pub fn read_schema(document: &[u8]) -> Schema {
    let text = String::from_utf8_lossy(document);
    let mut schema = Schema { bytes: document.len(), ..Schema::default() };
    let decoded = match decode(document) {
        Ok(decoded) => decoded,
        Err(error) => return Schema { error: Some(error.to_string()), ..schema },
    };
    let power = &decoded.power;
    let rails = [
        ("CPU", power.cpu.is_some()),
        ("GPU", power.gpu.is_some()),
        ("ANE", power.ane.is_some()),
        ("DRAM", power.dram.is_some()),
    ];
    schema.rails = rails.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect();
    schema.has_length = decoded.elapsed.is_some();
    schema.hw_model = decoded.hw_model;
    schema.gpu_clock = decoded.gpu_frequency.is_some();
    schema.gpu_busy = decoded.gpu_active.is_some();
    schema.thermal = decoded.thermal_pressure.map(String::from);
    // only in the GPU's own part: clusters and CPUs have keys of this name too
    let gpu = text.split_once("<key>gpu</key>").map_or("", |(_, rest)| rest);
    schema.idle_ratios = gpu.matches("<key>idle_ratio</key>").count();
    let names = text.split("<key>name</key>").skip(1).filter_map(|rest| {
        let (name, _) = rest.trim_start().strip_prefix("<string>")?.split_once("</string>")?;
        name.ends_with("Cluster").then(|| name.to_owned())
    });
    schema.clusters = names.collect();
    schema
}
