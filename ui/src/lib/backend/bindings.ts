// The border between Rust and the screens. In Rust these are types of joulebar-core (module `live::state` unless said
// otherwise) with #[derive(Serialize, TS)]; ui/src/lib/backend/bindings.ts is generated from them by ts-rs and compared in CI.
// All names snake_case in JSON. null = missing. No u64 crosses: ts-rs must emit `number` for u64 fields of the report.

export type Phase = "starting" | "baseline" | "prefill" | "decode" | "cooldown" | "done"; // core::session::machine::Phase
export type Preset = "quick" | "full"; // quick: short prompts only, 2 s phases; full: the whole suite once. (3x and 5x come with repeats, later.)

export interface Reading { end_ns: number; soc_mw: number | null; cpu_mw: number | null; gpu_mw: number | null; ane_mw: number | null; dram_mw: number | null; system_mw: number | null; scope: string /* "GPU + CPU + ANE": rails inside soc_mw */; }
export type PowerState =
  | { state: "starting" }
  | { state: "live"; reading: Reading }
  | { state: "held"; reading: Reading; age_s: number }            // no new sample for 2..5 s
  | { state: "stale"; age_s: number }                             // more than 5 s: dash, "No new sample for 6 s"
  | { state: "none"; reason: PowerProblem; message: string };     // message: one sentence for people
export type PowerProblem = "helper_missing" | "not_permitted" | "protocol_mismatch" | "unavailable" | "ended" | "paused";

export interface ModelSummary { key: string; display_name: string | null; quantization: string | null; format: string | null; bits_per_weight: number | null; size_bytes: number | null; context_length: number | null; loaded: boolean | null; }
export type ServerState =
  | { state: "checking"; url: string }
  | { state: "not_running"; url: string }
  | { state: "token_needed"; url: string } | { state: "token_refused"; url: string }
  | { state: "no_model"; url: string; models: ModelSummary[] }
  | { state: "ready"; url: string; model: ModelSummary; others_loaded: string[]; lm_studio: boolean; version: string | null; simulated: boolean }
  | { state: "failed"; url: string; message: string };

export interface PhaseStep { phase: Phase; state: "done" | "now" | "next"; elapsed_s: number | null; }
export interface Progress {
  run_id: number | null; started_at: string; model: string; preset: Preset; suite: string;
  position: number; planned: number;          // "Prompt 4 of 9": position = 4
  prompts: ("done" | "failed" | "now" | "to_come")[];
  prompt_id: string; prompt_title: string; phase: Phase; phases: PhaseStep[]; // baseline, prefill, decode, cooldown
  tokens_per_s: number | null; tokens: number | null; max_tokens: number; gross_j: number | null; // this prompt
  eta_s: number | null; stopping: boolean; simulated: boolean;
  notice: string | null;                      // e.g. a document of the source was lost, the history can't be written
}
export interface Finished {
  run_id: number | null; started_at: string; duration_s: number; model: string; preset: Preset; suite: string;
  done: number; planned: number; end_reason: EndReason; simulated: boolean;
  net_energy_per_token_j: number | null; null_reason: string | null; scope: string;
  tokens_per_s: number | null; inference_power_mw: number | null; ttft_median_ms: number | null; gross_energy_j: number | null;
  warnings: WarningEntry[];                   // core::warning
  message: string | null;                     // why it ended early, in words
  seen: boolean;                              // false until the popover or the run was opened after it finished
}
export type EndReason = "completed" | "interrupted" | "power_lost" | "server_lost" | "no_samples";
export interface WarningEntry { code: string; message: string; }
export type RunStatus =
  | { status: "idle" }
  | { status: "starting"; step: string }      // "Loading the model", …
  | { status: "running"; progress: Progress }
  | { status: "finished"; result: Finished }
  | { status: "failed"; code: ErrorCode; message: string };
export interface Unfinished { run_id: number; started_at: string; model: string; done: number; planned: number; simulated: boolean; }
export interface HistoryState { count: number; writable: boolean; notice: string | null; }
export interface LastResult { run_id: number; started_at: string; model: string; net_energy_per_token_j: number | null; tokens_per_s: number | null; simulated: boolean; }
export interface Snapshot {
  demo: boolean; simulated: boolean;          // simulated: what is shown now (power or server) is simulated
  power: PowerState; server: ServerState; run: RunStatus;
  can_run: boolean; blocked: string | null;   // "Needs the helper." / "Needs LM Studio." / "Needs a loaded model."
  last: LastResult | null; unfinished: Unfinished | null; history: HistoryState;
  preset: Preset; estimate: string;           // "9 prompts, 1 pass. About 6 min."
}
export interface LiveSample { start_ns: number; end_ns: number; soc_mw: number | null; cpu_mw: number | null; gpu_mw: number | null; ane_mw: number | null; dram_mw: number | null; system_mw: number | null; }
export interface PhaseSpan { phase: Phase; start_ns: number; end_ns: number | null; }
// The channel of `watch`: first message holds snapshot and the last 60 s; later ones only what changed, at most one per frame.
export interface LiveMessage { snapshot: Snapshot | null; samples: LiveSample[]; phases: PhaseSpan[] | null; now_ns: number; }

// core::store
export interface RunRow { id: number; started_at: string; name: string | null; model: string; quantization: string | null; chip: string | null; prompts_done: number; prompts_planned: number; net_energy_per_token_j: number | null; tokens_per_second: number | null; inference_power_mw: number | null; simulated: boolean; state: "running" | "interrupted" | "completed"; end_reason: EndReason | null; tool_version: string; }
export type SortBy = "started" | "name" | "model" | "net_energy_per_token" | "tokens_per_second" | "inference_power";
export interface RunQuery { text: string | null; simulated: boolean | null; by: SortBy; ascending: boolean; limit: number; offset: number; }
export interface RunList { rows: RunRow[]; total: number; }           // total: how many match
// RunDetail: the report without its samples; samples come by `run_samples`
export interface RunDetail { row: RunRow; report: Omit<Report, "samples">; sample_count: number; scope: string; ttft_median_ms: number | null; }
// run_samples(id): ArrayBuffer (raw IPC response). Little endian: u32 magic 0x4a424c31, u32 n, then Float64 start_ms[n] (session clock, ms), Float32 length_ms[n],
// then Float32 cpu, gpu, ane, dram, soc, system [n each] in mW, NaN = missing. (core::sample_columns). The Float64s start at byte 8.

export interface SuitePrompt { id: string; category: "short" | "medium" | "long"; title?: string | null; prompt: string; max_tokens: number; }
export interface Suite { name: string; description: string; prompts: SuitePrompt[]; }
export interface SuiteEntry { suite: Suite; builtin: boolean; tokens: number[]; }   // tokens: estimate per prompt, same order; core::suite_library
export interface TokenEstimate { tokens: number; }

// core::settings::UserSettings, extended
export interface UserSettings {
  server_url: string | null; interval_ms: number; monitor_interval_ms: number; baseline_s: number; cooldown_s: number; nonce: boolean; keep_history: boolean;
  suite: string | null;                        // measurement.suite: name of the suite to run; null = standard
  preset: Preset;                              // measurement.preset
  menu_bar: "watts" | "watts_and_bar" | "icon"; smoothing_s: number /* 1 or 5 */; milliwatts_below_1w: boolean;
  launch_at_login: boolean; open_window_at_start: boolean; notify_when_finished: boolean;
  price_per_kwh: number | null; currency: string; co2_g_per_kwh: number | null; // cost.*; null = off
  welcomed: boolean;                           // app.welcomed
}
export interface WrongSetting { key: string; found: string; allowed: string; used: string; }
export interface SettingsView { settings: UserSettings; defaults: UserSettings; wrong: WrongSetting[]; path: string; problem: string | null; token: TokenState; }
export type TokenState = "none" | "in_keychain" | "in_memory";   // in_memory: no keychain here; gone when Joulebar quits
export interface ConnectionTest { ok: boolean; message: string; next: string | null; version: string | null; api: string | null; models: number | null; latency_ms: number | null; }
export interface HelperView { name: string | null; version: string | null; protocol: number; interval_ms: number | null; achieved_ms: number | null; samplers: string[]; samples: number; simulated: boolean; path: string | null; }
// core::doctor
export interface CheckRow { id: string; title: string; result: "pass" | "fail" | "unknown" | "does_not_apply"; detail: string; next: string | null; }

export type ErrorCode = "needs_helper" | "needs_server" | "needs_model" | "already_running" | "not_running" | "no_such_run" | "run_is_going_on" | "history_read_only" | "cannot_write" | "disk_full" | "bad_input" | "token" | "wrong_setting" | "unavailable" | "failed";
export interface CommandError { code: ErrorCode; message: string; }


export type Api = "lmstudio_v1" | "lmstudio_v0" | "openai";
export type Category = "short" | "medium" | "long";
export type Delta = { at_ns: MonotonicTime; bytes: number; kind: DeltaKind; };
export type DeltaKind = "reasoning" | "message";
export type EnergyReport = { clipped_net_j: number | null; counter_batch_s: number | null; gross_energy_per_token_j: number | null; gross_j: number | null; gross_null_reason: string | null; idle_power_mw: number | null; idle_power_sd_mw: number | null; idle_samples: number; inference_samples: number; method: Method | null; method_difference_j: number | null; method_difference_ratio: number | null; net_energy_per_decode_token_j: number | null; net_energy_per_prefill_token_j: number | null; net_energy_per_token_j: number | null; net_energy_per_visible_token_j: number | null; net_j: number | null; null_reason: string | null; pad_s: number | null; padded_gross_j: number | null; rails: string[]; scope: Scope; split: SplitReport; tail_j: number | null; };
export type Engine = { name: string | null; version: string | null; };
export type Environment = { chip: string | null; cores: number | null; kernel: string | null; memory_bytes: number | null; os: string | null; supply: Supply | null; };
export type InferenceStats = { cached_prompt_tokens: number | null; clock: StatsClock | null; completion_tokens: number | null; estimated_prefill_tokens_per_second: number | null; inference_duration_s: number; inter_event_latency_ms: Percentiles | null; prefill_tokens_per_second: number | null; prompt_tokens: number | null; reasoning_tokens: number | null; reported: ReportedStats; stop_reason: StopReason | null; time_to_first_token_ms: number | null; tokens_per_second: number | null; };
export type Method = "padded";
export type Model = { architecture: string | null; bits_per_weight: number | null; context_length: number | null; display_name: string | null; format: string | null; generates_text: boolean; instance_id: string | null; key: string; loaded: boolean | null; max_context_length: number | null; parallel: number | null; params: string | null; quantization: string | null; reasoning_options: string[]; size_bytes: number | null; };
export type MonotonicTime = number;
export type Origin = "powermetrics" | "replay" | "simulator";
export type Percentiles = { p50: number; p90: number; p95: number; p99: number; };
export type PhaseMarks = { baseline_start_ns: MonotonicTime; cooldown_end_ns: MonotonicTime; first_token_ns: MonotonicTime | null; last_token_ns: MonotonicTime; request_sent_ns: MonotonicTime; };
export type PhasePower = { avg_mw: number | null; max_mw: number | null; min_mw: number | null; rails: RailPowers; sample_count: number; };
export type PowerConsumption = { baseline: PhasePower; cooldown: PhasePower; decode: PhasePower; inference: PhasePower; prefill: PhasePower; };
export type PromptReport = { category: Category; energy: EnergyReport; error: string | null; id: string; inference_stats: InferenceStats; marks: PhaseMarks; max_tokens: number; nonce: string | null; power_consumption: PowerConsumption; prompt: string; reasoning: string; repeat: number; response: string; stream: Stream | null; timing: Timing; warnings: WarningEntry[]; };
export type RailPowers = { ane_avg_mw: number | null; cpu_avg_mw: number | null; dram_avg_mw: number | null; gpu_avg_mw: number | null; system_avg_mw: number | null; };
export type ReportedStats = { generation_time_s: number | null; model_load_s: number | null; prompt_ms: number | null; prompt_tokens_per_second: number | null; tokens_per_second: number | null; ttft_ms: number | null; };
export type SampleRow = { ane_mj: number | null; ane_mw: number | null; combined_mj: number | null; combined_mw: number | null; cpu_mj: number | null; cpu_mw: number | null; dram_mj: number | null; dram_mw: number | null; elapsed_ns: number; end_ns: number; gpu_active_ratio: number | null; gpu_freq_mhz: number | null; gpu_mj: number | null; gpu_mw: number | null; hw_model: string | null; origin: Origin; start_ns: number; system_mw: number | null; thermal_pressure: string | null; timestamp_unix_s: number | null; };
export type Scope = "soc";
export type Segment = { origin_ns: MonotonicTime; started_at: string; };
export type Server = { api: Api; app_version: string | null; engine: Engine; lm_studio: boolean; model_load_s: number | null; simulated: boolean; url: string; };
export type Settings = { baseline_s: number; cooldown_s: number; counter_batch_s: number | null; nonce: boolean; quick: boolean; seed: number; temperature: number; };
export type Simulation = { power: boolean; server: boolean; };
export type SourceDescription = { helper_version: string | null; name: string; origin: Origin; requested_interval_ms: number | null; samplers: string[]; };
export type SplitBoundary = "prompt_processing_end" | "first_token";
export type SplitReport = { boundary: SplitBoundary | null; boundary_gap_ms: number | null; decode_gross_j: number | null; decode_net_j: number | null; null_reason: string | null; prefill_gross_j: number | null; prefill_net_j: number | null; };
export type StatsClock = "client" | "server";
export type StopReason = "end_of_sequence" | "max_tokens" | "stop_string" | "context_length" | { other: string; };
export type Stream = { answered_by: string | null; api: Api; timeline: Timeline; tokens: TokenCounts; unavailable: Unavailable[]; };
export type Summary = { avg_baseline_power_mw: number | null; avg_cooldown_power_mw: number | null; avg_inference_power_mw: number | null; avg_time_to_first_token_ms: number | null; avg_tokens_per_second: number | null; failed_prompts: number; gross_energy_j: number | null; net_energy_j: number | null; net_energy_per_token_j: number | null; null_reason: string | null; planned_prompts: number; prompts_with_net_energy: number; tokens_per_wh: number | null; total_prompts: number; };
export type Supply = "ac" | "battery";
export type Timeline = { deltas: Delta[]; end_ns: MonotonicTime; finish_ns: MonotonicTime | null; headers_ns: MonotonicTime | null; prefill_ends_ns: MonotonicTime[]; prefill_start_ns: MonotonicTime | null; sent_ns: MonotonicTime; };
export type Timing = { baseline_duration_s: number; cooldown_duration_s: number; decode_duration_s: number | null; inference_duration_s: number; prefill_duration_s: number | null; };
export type TokenCounts = { output: number | null; prompt: number | null; prompt_cached: number | null; reasoning: number | null; };
export type Tool = { name: string; version: string; };
export type Unavailable = { field: string; reason: string; };
export type Report = { achieved_interval_ms: number | null; benchmark_id: string; checksum: string; end_reason: EndReason; environment: Environment; interrupted: boolean; model: string; model_details: Model; power_source: SourceDescription; prompts: PromptReport[]; rejected_documents: number; samples: SampleRow[]; schema_version: number; segments: Segment[]; server: Server; settings: Settings; simulated: boolean; simulation: Simulation; suite: Suite; summary: Summary; tool: Tool; warnings: WarningEntry[]; };
