//! The made-up models and which of them are loaded.
//!
//! Pure state: who waits for a load and how the answers look in each API is the business of others.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::scenario::ServerSettings;

/// Key of the model that is loaded unless a scenario says otherwise.
pub const DEFAULT_MODEL: &str = "joulebar/tiny-chat-1b";
/// Context that a load gets when it asks for none, in tokens.
const DEFAULT_CONTEXT: u64 = 8_192;
/// Idle time after which a model loaded by request goes, in seconds.
const DEFAULT_TTL_S: u64 = 3_600;
/// Bytes per millisecond that a load takes by itself.
const LOAD_BYTES_PER_MS: u64 = 2_000_000;

/// What is known of a downloaded model.
#[derive(Debug)]
pub struct Spec {
    /// Key.
    pub key: &'static str,
    /// Name for people.
    pub display_name: &'static str,
    /// Publisher.
    pub publisher: &'static str,
    /// False for embedding models.
    pub generates_text: bool,
    /// Architecture.
    pub architecture: &'static str,
    /// Quantization.
    pub quantization: &'static str,
    /// Nominal bits per weight.
    pub bits_per_weight: u32,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Parameters in the publisher's words.
    pub params: Option<&'static str>,
    /// Context that the model supports, in tokens.
    pub max_context_length: u64,
    /// Values of its reasoning switch, empty when it has none.
    pub reasoning_options: &'static [&'static str],
    /// Value of the switch when a request leaves it alone.
    pub reasoning_default: &'static str,
}

/// The downloaded models.
pub static CATALOGUE: [Spec; 3] = [
    Spec {
        key: DEFAULT_MODEL,
        display_name: "Tiny Chat 1B (simulated)",
        publisher: "joulebar",
        generates_text: true,
        architecture: "llama",
        quantization: "Q4_K_M",
        bits_per_weight: 4,
        size_bytes: 771_933_305,
        params: Some("1B"),
        max_context_length: 32_768,
        reasoning_options: &[],
        reasoning_default: "off",
    },
    Spec {
        key: "joulebar/thinker-4b",
        display_name: "Thinker 4B (simulated)",
        publisher: "joulebar",
        generates_text: true,
        architecture: "qwen3",
        quantization: "Q4_K_M",
        bits_per_weight: 4,
        size_bytes: 2_279_153_300,
        params: Some("4B"),
        max_context_length: 131_072,
        reasoning_options: &["off", "on"],
        reasoning_default: "on",
    },
    Spec {
        key: "text-embedding-joulebar-mini",
        display_name: "Embed Mini (simulated)",
        publisher: "joulebar",
        generates_text: false,
        architecture: "nomic-bert",
        quantization: "Q4_0",
        bits_per_weight: 4,
        size_bytes: 84_106_624,
        params: None,
        max_context_length: 2_048,
        reasoning_options: &[],
        reasoning_default: "off",
    },
];

/// What a load asked for; `None` takes the server's default.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadConfig {
    /// Context, in tokens.
    pub context_length: Option<u64>,
    /// Batch of prompt processing, in tokens.
    pub eval_batch_size: Option<u64>,
    /// Flash attention.
    pub flash_attention: Option<bool>,
    /// KV cache on the GPU.
    pub offload_kv_cache_to_gpu: Option<bool>,
    /// Requests at once.
    pub parallel: Option<u64>,
}

/// One loaded model.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Identifier: the key, or `key:2` and so on.
    pub id: String,
    /// The model.
    pub spec: &'static Spec,
    /// Allocated context, in tokens.
    pub context_length: u64,
    /// Batch of prompt processing, in tokens.
    pub eval_batch_size: u64,
    /// Flash attention.
    pub flash_attention: bool,
    /// KV cache on the GPU.
    pub offload_kv_cache_to_gpu: bool,
    /// Requests at once.
    pub parallel: usize,
    /// One permit for each of these requests.
    pub slots: Arc<Semaphore>,
    /// Loaded because a request named it: may be evicted, and goes when idle for this many seconds.
    jit_ttl_s: Option<u64>,
    /// Raw monotonic nanoseconds of the last request.
    last_used_ns: i64,
    /// Tokens of the last prompt, by their hashes.
    cached_prompt: Vec<u64>,
}

/// Who answers a request.
#[derive(Clone, Debug)]
pub enum Target {
    /// A loaded instance.
    Loaded(Instance),
    /// A model that must be loaded first.
    ToLoad(&'static Spec),
}

impl Target {
    /// The model.
    #[must_use]
    pub fn spec(&self) -> &'static Spec {
        match self {
            Self::Loaded(instance) => instance.spec,
            Self::ToLoad(spec) => spec,
        }
    }

    /// Identifier of the instance that answers or will answer.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Loaded(instance) => &instance.id,
            Self::ToLoad(spec) => spec.key,
        }
    }
}

/// Why nobody answers.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// No such model, and none or several could stand in for it.
    #[error("no model has this name")]
    Unknown,
    /// Nothing is loaded and nothing may be loaded.
    #[error("no models loaded")]
    NothingLoaded,
    /// An embedding model was asked for text, or the other way round.
    #[error("the model is of the other type")]
    WrongType,
}

/// The loaded instances.
#[derive(Debug)]
pub struct Registry {
    instances: Vec<Instance>,
    jit: bool,
    auto_evict: bool,
    load_ms: Option<u64>,
    granted_context_length: Option<u64>,
    parallel: usize,
}

impl Registry {
    /// The state at the start of the server. Unknown keys in `settings.loaded` are left out.
    #[must_use]
    pub fn new(settings: &ServerSettings, now_ns: i64) -> Self {
        let mut registry = Self {
            instances: Vec::new(),
            jit: settings.jit,
            auto_evict: settings.auto_evict,
            load_ms: settings.load_ms,
            granted_context_length: settings.granted_context_length,
            parallel: settings.parallel.max(1),
        };
        for key in &settings.loaded {
            if let Some(spec) = downloaded(key) {
                registry.add(spec, LoadConfig::default(), None, now_ns);
            }
        }
        registry
    }

    /// The instances of a model, in the order of loading.
    pub fn instances<'a>(&'a self, spec: &'a Spec) -> impl Iterator<Item = &'a Instance> {
        self.instances.iter().filter(move |instance| instance.spec.key == spec.key)
    }

    /// True when requests may load models.
    #[must_use]
    pub fn jit(&self) -> bool {
        self.jit
    }

    /// Drops models loaded by request that have been idle for longer than their TTL.
    pub fn drop_expired(&mut self, now_ns: i64) {
        self.instances.retain(|instance| {
            let busy = instance.slots.available_permits() < instance.parallel;
            let idle_s = u64::try_from(now_ns - instance.last_used_ns).unwrap_or(0) / 1_000_000_000;
            busy || instance.jit_ttl_s.is_none_or(|ttl_s| idle_s < ttl_s)
        });
    }

    /// Who answers a request on `/api/v1`: only what the name says.
    ///
    /// # Errors
    /// [`Unresolved::Unknown`] and [`Unresolved::WrongType`].
    pub fn resolve_strictly(&self, name: &str) -> Result<Target, Unresolved> {
        let target = self.named(name).ok_or(Unresolved::Unknown)?;
        if target.spec().generates_text { Ok(target) } else { Err(Unresolved::WrongType) }
    }

    /// Who answers a request for text on `/v1` and `/api/v0`: when nothing has this name, the only loaded model does.
    ///
    /// # Errors
    /// All of [`Unresolved`].
    pub fn resolve_leniently(&self, name: Option<&str>) -> Result<Target, Unresolved> {
        if let Some(target) = name.and_then(|name| self.named(name)) {
            return if target.spec().generates_text { Ok(target) } else { Err(Unresolved::WrongType) };
        }
        let mut loaded = self.instances.iter().filter(|instance| instance.spec.generates_text);
        match (loaded.next(), loaded.next()) {
            (Some(only), None) => Ok(Target::Loaded(only.clone())),
            (Some(_), Some(_)) => Err(Unresolved::Unknown),
            (None, _) => Err(Unresolved::NothingLoaded),
        }
    }

    /// The instance or the downloaded model of this name.
    fn named(&self, name: &str) -> Option<Target> {
        let by_id = self.instances.iter().find(|instance| instance.id == name);
        let loaded = by_id.or_else(|| self.instances.iter().find(|instance| instance.spec.key == name));
        match (loaded, downloaded(name)) {
            (Some(instance), _) => Some(Target::Loaded(instance.clone())),
            (None, Some(spec)) if self.jit => Some(Target::ToLoad(spec)),
            _ => None,
        }
    }

    /// How long loading this model takes, in milliseconds.
    #[must_use]
    pub fn load_ms(&self, spec: &Spec) -> u64 {
        self.load_ms.unwrap_or(spec.size_bytes / LOAD_BYTES_PER_MS)
    }

    /// Loads a model as the user asked; a second time gives a second instance.
    pub fn load(&mut self, spec: &'static Spec, config: LoadConfig, now_ns: i64) -> Instance {
        self.add(spec, config, None, now_ns)
    }

    /// Makes room for a model that a request needs.
    pub fn evict_for_request(&mut self) {
        if self.auto_evict {
            self.instances.retain(|instance| instance.jit_ttl_s.is_none());
        }
    }

    /// Loads a model because a request needs it, to stay until it is idle for `ttl_s` seconds (default 3,600).
    pub fn load_for_request(
        &mut self,
        spec: &'static Spec,
        config: LoadConfig,
        ttl_s: Option<u64>,
        now_ns: i64,
    ) -> Instance {
        self.add(spec, config, Some(ttl_s.unwrap_or(DEFAULT_TTL_S)), now_ns)
    }

    /// Unloads an instance; false when there is none of this identifier.
    pub fn unload(&mut self, id: &str) -> bool {
        let before = self.instances.len();
        self.instances.retain(|instance| instance.id != id);
        self.instances.len() < before
    }

    /// Notes the prompt that an instance processes now and returns how many of its first tokens were still cached; the last
    /// token is always processed. 0 when the instance has gone.
    pub fn note_prompt(&mut self, id: &str, prompt: &[u64], now_ns: i64) -> usize {
        let Some(instance) = self.instances.iter_mut().find(|instance| instance.id == id) else { return 0 };
        let common = instance.cached_prompt.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        prompt.clone_into(&mut instance.cached_prompt);
        instance.last_used_ns = now_ns;
        common.min(prompt.len().saturating_sub(1))
    }

    /// Allocated context of a load that asks for `asked` tokens.
    #[must_use]
    pub fn context_length(&self, spec: &Spec, asked: Option<u64>) -> u64 {
        self.granted_context_length.or(asked).unwrap_or(DEFAULT_CONTEXT).min(spec.max_context_length)
    }

    fn add(&mut self, spec: &'static Spec, config: LoadConfig, jit_ttl_s: Option<u64>, now_ns: i64) -> Instance {
        let id = (1..)
            .map(|number| if number == 1 { spec.key.to_owned() } else { format!("{}:{number}", spec.key) })
            .find(|id| self.instances.iter().all(|instance| instance.id != *id))
            .unwrap_or_else(|| spec.key.to_owned());
        let parallel = config.parallel.and_then(|n| usize::try_from(n).ok()).unwrap_or(self.parallel).clamp(1, 64);
        let instance = Instance {
            id,
            spec,
            context_length: self.context_length(spec, config.context_length),
            eval_batch_size: config.eval_batch_size.unwrap_or(512),
            flash_attention: config.flash_attention.unwrap_or(true),
            offload_kv_cache_to_gpu: config.offload_kv_cache_to_gpu.unwrap_or(true),
            parallel,
            slots: Arc::new(Semaphore::new(parallel)),
            jit_ttl_s,
            last_used_ns: now_ns,
            cached_prompt: Vec::new(),
        };
        self.instances.push(instance.clone());
        instance
    }
}

/// The downloaded model with this key.
#[must_use]
pub fn downloaded(key: &str) -> Option<&'static Spec> {
    CATALOGUE.iter().find(|spec| spec.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THINKER: &str = "joulebar/thinker-4b";

    fn registry(settings: &ServerSettings) -> Registry {
        Registry::new(settings, 0)
    }

    #[test]
    fn second_instance_gets_a_number_and_the_first_free_one_is_used_again() {
        let mut registry = registry(&ServerSettings::default());
        let spec = downloaded(DEFAULT_MODEL).unwrap();
        assert_eq!(registry.load(spec, LoadConfig::default(), 0).id, format!("{DEFAULT_MODEL}:2"));
        assert!(registry.unload(DEFAULT_MODEL));
        assert!(!registry.unload(DEFAULT_MODEL));
        assert_eq!(registry.load(spec, LoadConfig::default(), 0).id, DEFAULT_MODEL);
        assert_eq!(registry.instances(spec).count(), 2);
    }

    #[test]
    fn requests_evict_only_what_requests_loaded() {
        let mut registry = registry(&ServerSettings::default());
        let embedding = downloaded("text-embedding-joulebar-mini").unwrap();
        registry.load_for_request(embedding, LoadConfig::default(), None, 0);
        registry.evict_for_request();
        registry.load_for_request(downloaded(THINKER).unwrap(), LoadConfig::default(), None, 0);
        assert_eq!(registry.instances(embedding).count(), 0);
        assert_eq!(registry.instances(downloaded(DEFAULT_MODEL).unwrap()).count(), 1);
    }

    #[test]
    fn idle_model_goes_after_its_ttl_but_not_while_it_answers() {
        let mut registry = registry(&ServerSettings { loaded: vec![], ..ServerSettings::default() });
        let thinker = downloaded(THINKER).unwrap();
        let instance = registry.load_for_request(thinker, LoadConfig::default(), Some(10), 0);
        let busy = instance.slots.try_acquire().unwrap();
        registry.drop_expired(11_000_000_000);
        assert_eq!(registry.instances(thinker).count(), 1);
        drop(busy);
        registry.drop_expired(9_000_000_000);
        assert_eq!(registry.instances(thinker).count(), 1);
        registry.drop_expired(11_000_000_000);
        assert_eq!(registry.instances(thinker).count(), 0);
    }

    #[test]
    fn only_loaded_model_answers_for_unknown_names_on_lenient_routes() {
        let mut registry = registry(&ServerSettings::default());
        assert_eq!(registry.resolve_leniently(Some("gpt-4")).unwrap().id(), DEFAULT_MODEL);
        assert_eq!(registry.resolve_leniently(None).unwrap().id(), DEFAULT_MODEL);
        assert_eq!(registry.resolve_strictly("gpt-4").unwrap_err(), Unresolved::Unknown);
        registry.load(downloaded(THINKER).unwrap(), LoadConfig::default(), 0);
        assert_eq!(registry.resolve_leniently(Some("gpt-4")).unwrap_err(), Unresolved::Unknown);
        registry.unload(THINKER);
        registry.unload(DEFAULT_MODEL);
        assert_eq!(registry.resolve_leniently(Some("gpt-4")).unwrap_err(), Unresolved::NothingLoaded);
        assert!(matches!(registry.resolve_leniently(Some(THINKER)), Ok(Target::ToLoad(_))));
    }

    #[test]
    fn cached_prefix_never_covers_the_whole_prompt() {
        let mut registry = registry(&ServerSettings::default());
        assert_eq!(registry.note_prompt(DEFAULT_MODEL, &[1, 2, 3], 0), 0);
        assert_eq!(registry.note_prompt(DEFAULT_MODEL, &[1, 2, 4, 5], 0), 2);
        assert_eq!(registry.note_prompt(DEFAULT_MODEL, &[1, 2, 4, 5], 0), 3);
        assert_eq!(registry.note_prompt("gone", &[1], 0), 0);
    }
}
