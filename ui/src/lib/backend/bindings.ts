// Generated from the Rust types by `make bindings`. Do not edit.

// null is missing, never 0. Units stand at the end of the names.

/** The API that a server speaks. Chosen once, then kept for the whole session. */
export type Api = "lmstudio_v1" | "lmstudio_v0" | "openai";

/** Length class of a prompt. */
export type Category = "short" | "medium" | "long";

/** What a check found. */
export type CheckResult = "pass" | "fail" | "unknown" | "does_not_apply";

/** One check. */
export type CheckRow = {
  /** Stable name. */
  id: string,
  /** Name for people. */
  title: string,
  /** What it found. */
  result: CheckResult,
  /** The facts. */
  detail: string,
  /** What to do. */
  next: string | null,
};

/** Why something was not done: a code for screens, a sentence for people. */
export type CommandError = {
  /** What a screen acts on. */
  code: ErrorCode,
  /** What happened and what to do. */
  message: string,
};

/** What a test of a connection found. */
export type ConnectionTest = {
  /** True when the server can be used. */
  ok: boolean,
  /** What was found, for people. */
  message: string,
  /** What to do. */
  next: string | null,
  /** Version of the server, where it says. */
  version: string | null,
  /** API that it speaks. */
  api: Api | null,
  /** Models that it lists. */
  models: number | null,
  /** How long the first answer took, in milliseconds. */
  latency_ms: number | null,
};

/** One non-empty piece of text. A delta is not a token. */
export type Delta = {
  /** Arrival, nanoseconds on the session's clock. */
  at_ns: MonotonicTime,
  /** Reasoning or answer. */
  kind: DeltaKind,
  /** Length of the text in bytes. */
  bytes: number,
};

/** What one delta of a stream carried. */
export type DeltaKind = "reasoning" | "message";

/** How a session ended. */
export type EndReason = "completed" | "interrupted" | "power_lost" | "server_lost" | "no_samples";

/** Energy of one request. Formulas: docs/measuring.md. */
export type EnergyReport = {
  /** What is counted: `soc`. */
  scope: Scope,
  /** Rails inside the scope, as the source names them. */
  rails: Array<string>,
  /** Energy from request sent to last token, by overlap with the measured windows. */
  gross_j: number | null,
  /** Why there is no `gross_j`. */
  gross_null_reason: string | null,
  /** Energy above idle that the request caused, by padded integration. May be negative. */
  net_j: number | null,
  /** Part of `net_j` after the last token. */
  tail_j: number | null,
  /** How `net_j` was computed; `null` with `net_j`. */
  method: Method | null,
  /** Why there is no `net_j`. */
  null_reason: string | null,
  /** Median power of the baseline. */
  idle_power_mw: number | null,
  /** Standard deviation of the baseline's samples. */
  idle_power_sd_mw: number | null,
  /** Samples of the baseline. */
  idle_samples: number,
  /** Period in which the counters behind the samples publish, where the samples show one (macOS 27). */
  counter_batch_s: number | null,
  /** Pad on each side of the request; whole samples are taken, and the nearest two on each side in any case. */
  pad_s: number | null,
  /** Samples that touch the request. */
  inference_samples: number,
  /** Net energy by plain clipping, for comparison. */
  clipped_net_j: number | null,
  /** Gross energy by padding: `net_j` plus idle power over the request. */
  padded_gross_j: number | null,
  /** `net_j` minus `clipped_net_j`. */
  method_difference_j: number | null,
  /** That difference over `net_j`. */
  method_difference_ratio: number | null,
  /** Prefill and decode apart. */
  split: SplitReport,
  /** Gross energy per generated token. */
  gross_energy_per_token_j: number | null,
  /** Net energy per generated token. The headline. */
  net_energy_per_token_j: number | null,
  /** Net energy per generated token that is not reasoning. */
  net_energy_per_visible_token_j: number | null,
  /** Net prefill energy per prompt token that was not cached. */
  net_energy_per_prefill_token_j: number | null,
  /** Net decode energy per token after the first. */
  net_energy_per_decode_token_j: number | null,
};

/** Engine behind the server, where it can be learned. */
export type Engine = {
  /** `llama.cpp-mac-arm64-apple-metal-advsimd`. */
  name: string | null,
  /** `2.34.0`. */
  version: string | null,
};

/** Facts about the machine, read once per session. */
export type Environment = {
  /** Name and version, `macOS 15.5`, `Debian GNU/Linux 12`. */
  os: string | null,
  /** Kernel version. */
  kernel: string | null,
  /** Chip, `Apple M4 Pro`. */
  chip: string | null,
  /** Logical processors. */
  cores: number | null,
  /** Memory in bytes. */
  memory_bytes: number | null,
  /** What feeds the machine. */
  supply: Supply | null,
  /** Build of macOS, `24F74`. */
  os_build: string | null,
  /** Apple's model identifier, `Mac16,8`. */
  model: string | null,
  /** Processors of the fastest kind. */
  performance_cores: number | null,
  /** Processors of the second kind. */
  efficiency_cores: number | null,
  /** Whether Low Power Mode is on. */
  low_power_mode: boolean | null,
  /** Thermal level, in powermetrics' words: `Nominal`. */
  thermal_level: string | null,
  /** Displays that are on; 0 with the lid closed. */
  displays: number | null,
  /** Processes of powermetrics that Joulebar did not start: they read the same counters. */
  other_powermetrics: number | null,
};

/** Why something was not done. A screen acts on this alone. */
export type ErrorCode = "needs_helper" | "needs_server" | "needs_model" | "already_running" | "not_running" | "no_such_run" | "run_is_going_on" | "history_read_only" | "cannot_write" | "disk_full" | "bad_input" | "token" | "wrong_setting" | "unavailable" | "failed";

/** A run that has ended. */
export type Finished = {
  /** Its number in the history; `None` when it is not kept there. */
  run_id: number | null,
  /** Its start, ISO 8601 in UTC. */
  started_at: string,
  /** How long it took, in seconds. */
  duration_s: number,
  /** Name of the model. */
  model: string,
  /** What it was started as. */
  preset: Preset,
  /** Name of the suite. */
  suite: string,
  /** Prompts that ran. */
  done: number,
  /** Prompts of the suite. */
  planned: number,
  /** How it ended. */
  end_reason: EndReason,
  /** True when power, server or both were simulated. */
  simulated: boolean,
  /** Net energy per generated token. */
  net_energy_per_token_j: number | null,
  /** Why there is none. */
  null_reason: string | null,
  /** Rails that are counted. */
  scope: string,
  /** Mean decode rate. */
  tokens_per_s: number | null,
  /** Mean power during inference. */
  inference_power_mw: number | null,
  /** Median time to the first token. */
  ttft_median_ms: number | null,
  /** Gross energy of all whole answers. */
  gross_energy_j: number | null,
  /** Doubts, each once. */
  warnings: Array<WarningEntry>,
  /** Why it ended early, for people. */
  message: string | null,
  /** False until somebody has looked. */
  seen: boolean,
};

/** What is known of the power source. */
export type HelperView = {
  /** `helper`, `demo`; `None` when there is none. */
  name: string | null,
  /** Version of the helper. */
  version: string | null,
  /** Version of the protocol that this program speaks. */
  protocol: number,
  /** Interval that was asked for, in milliseconds. */
  interval_ms: number | null,
  /** Interval that the latest samples have, in milliseconds. */
  achieved_ms: number | null,
  /** Samplers that were asked for. */
  samplers: Array<string>,
  /** Samples since it was started. */
  samples: number,
  /** True for the simulator. */
  simulated: boolean,
  /** Where the program lies. */
  path: string | null,
  /** Where power comes from; `None` before a source was opened. */
  source?: SourceView | null,
  /** The helper as a service of macOS; `None` where this program does not look after one. */
  service?: ServiceView | null,
  /** True when powermetrics can be authorized once with a password. */
  can_authorize: boolean,
};

/** What somebody wants. */
export type HelperWish = "look" | "enable" | "repair" | "remove" | "open_settings";

/** What is to be known about the history. */
export type HistoryState = {
  /** How many runs it has. */
  count: number,
  /** False when it can only be read, or there is none. */
  writable: boolean,
  /** What happened to it, for people. */
  notice: string | null,
};

/** Tokens and speed of one prompt. */
export type InferenceStats = {
  /** Tokens of the templated prompt, as the server counts them. */
  prompt_tokens: number | null,
  /** Generated tokens, reasoning and end token included, as the server counts them. */
  completion_tokens: number | null,
  /** Decode rate: (tokens − 1) over first to last token; the server's own where the API does not stream statistics. */
  tokens_per_second: number | null,
  /** Request sent to first token, reasoning included; the server's own where the API does not stream statistics. */
  time_to_first_token_ms: number | null,
  /** Request sent to last token. */
  inference_duration_s: number,
  /** Whose `tokens_per_second` and `time_to_first_token_ms` these are. */
  clock: StatsClock | null,
  /** Of the generated tokens, reasoning. */
  reasoning_tokens: number | null,
  /** Of the prompt tokens, taken from the server's cache. */
  cached_prompt_tokens: number | null,
  /** Computed prompt tokens over the server's prefill events; `null` where the API does not show them. */
  prefill_tokens_per_second: number | null,
  /** Computed prompt tokens over the whole time to the first token: too low, queue and transport included. */
  estimated_prefill_tokens_per_second: number | null,
  /** Time between text events; one event may carry several tokens. */
  inter_event_latency_ms: Percentiles | null,
  /** Why generation ended. */
  stop_reason: StopReason | null,
  /** The server's own statistics. */
  reported: ReportedStats,
};

/** The newest completed run. */
export type LastResult = {
  /** Its number. */
  run_id: number,
  /** Its start, ISO 8601 in UTC. */
  started_at: string,
  /** Key of the model. */
  model: string,
  /** Net energy per generated token. */
  net_energy_per_token_j: number | null,
  /** Mean decode rate. */
  tokens_per_s: number | null,
  /** True when power, server or both were simulated. */
  simulated: boolean,
};

/** What changed since the last message; the first one holds everything and the last 60 s. */
export type LiveMessage = {
  /** Everything that is so, when any of it changed. */
  snapshot: Snapshot | null,
  /** New samples, oldest first. */
  samples: Array<LiveSample>,
  /** All phases of the last 60 s, when they changed. */
  phases: Array<PhaseSpan> | null,
  /** Now, nanoseconds on the live clock. */
  now_ns: number,
};

/** One sample of the live chart. */
export type LiveSample = {
  /** Start, nanoseconds on the live clock. */
  start_ns: number,
  /** End, nanoseconds on the live clock. */
  end_ns: number,
  /** The chip. */
  soc_mw: number | null,
  /** CPU. */
  cpu_mw: number | null,
  /** GPU. */
  gpu_mw: number | null,
  /** Neural engine. */
  ane_mw: number | null,
  /** Memory. */
  dram_mw: number | null,
  /** The whole machine. */
  system_mw: number | null,
};

/** What stands beside the icon in the menu bar. */
export type MenuBarText = "watts" | "watts_and_bar" | "icon";

/** How a net energy was computed. */
export type Method = "padded";

/** Figures that a source can't give now: no 0, but nothing. */
export type Missing = {
  /** Rails, `CPU, Neural Engine, memory`. */
  rails: string,
  /** Why, for people: one sentence. */
  reason: string,
  /** How long they have been missing, in whole seconds. */
  age_s: number,
};

/** A model as the server lists it. What the server does not say is `None`. */
export type Model = {
  /** Key to send as `model`. */
  key: string,
  /** Name for people. */
  display_name: string | null,
  /** Instance that answers, when the model is loaded (`key`, `key:2`, or a custom identifier). */
  instance_id: string | null,
  /** True when loaded; `None` when the server does not say. */
  loaded: boolean | null,
  /** False for embedding models. */
  generates_text: boolean,
  /** Architecture, `qwen3`. */
  architecture: string | null,
  /** Quantization name, `Q4_K_M`. */
  quantization: string | null,
  /** Nominal bits per weight. */
  bits_per_weight: number | null,
  /** `gguf`, `mlx`. */
  format: string | null,
  /** Size on disk, in bytes. */
  size_bytes: number | null,
  /** Parameters as the publisher writes them, `4B`. */
  params: string | null,
  /** Context length that is allocated, in tokens. */
  context_length: number | null,
  /** Context length that the model supports, in tokens. */
  max_context_length: number | null,
  /** Parallel slots of the loaded instance. */
  parallel: number | null,
  /** Values that the model's reasoning switch takes; empty when it has none. */
  reasoning_options: Array<string>,
};

/** A model, as far as a screen shows it. */
export type ModelSummary = {
  /** Key to ask for it. */
  key: string,
  /** Name for people. */
  display_name: string | null,
  /** Quantization. */
  quantization: string | null,
  /** `gguf`, `mlx`. */
  format: string | null,
  /** Nominal bits per weight. */
  bits_per_weight: number | null,
  /** Size on disk. */
  size_bytes: number | null,
  /** Context length that is allocated, in tokens. */
  context_length: number | null,
  /** True when it is loaded; `None` when the server does not say. */
  loaded: boolean | null,
};

/** An instant on the session's monotonic clock: nanoseconds since the clock's origin.
 * Negative for what happened before it. Comparable only with instants of the same session. */
export type MonotonicTime = number;

/** Where a sample came from. */
export type Origin = "powermetrics" | "counters" | "replay" | "simulator";

/** A way that was not taken. */
export type PassedOver = {
  /** Which. */
  way: PowerWay,
  /** Why, for people. */
  why: string,
};

/** A better way that was not to be had. */
export type PassedOverView = {
  /** The way, for people. */
  title: string,
  /** Why, for people. */
  why: string,
};

/** Percentiles of a set of values. */
export type Percentiles = {
  /** Median. */
  p50: number,
  /** 90th percentile. */
  p90: number,
  /** 95th percentile. */
  p95: number,
  /** 99th percentile. */
  p99: number,
};

/** A phase as a user sees it. */
export type Phase = "starting" | "baseline" | "prefill" | "decode" | "cooldown" | "done";

/** Phase boundaries of one prompt on the session's clock. */
export type PhaseMarks = {
  /** The baseline begins. */
  baseline_start_ns: MonotonicTime,
  /** The request was sent: the baseline ends, prefill begins. */
  request_sent_ns: MonotonicTime,
  /** The first token arrived: decode begins. `None` where the API does not show it, or none came. */
  first_token_ns: MonotonicTime | null,
  /** The last token arrived, or the generation failed: the cooldown begins. */
  last_token_ns: MonotonicTime,
  /** The cooldown ends. */
  cooldown_end_ns: MonotonicTime,
};

/** Power over one phase. */
export type PhasePower = {
  /** Lowest sample; `null` without samples. */
  min_mw: number | null,
  /** Highest sample. */
  max_mw: number | null,
  /** Mean, weighted by the measured length of each sample. */
  avg_mw: number | null,
  /** How many samples. */
  sample_count: number,
  /** The same for each rail that the source reports. */
  rails: RailPowers,
};

/** A phase behind the live chart. */
export type PhaseSpan = {
  /** Which. */
  phase: Phase,
  /** Start, nanoseconds on the live clock. */
  start_ns: number,
  /** End; `None` while it goes on. */
  end_ns: number | null,
};

/** How far one phase of the running prompt is. */
export type PhaseStep = {
  /** Which. */
  phase: Phase,
  /** How far. */
  state: StepState,
  /** How long it took or has taken, in seconds; `None` before it begins. */
  elapsed_s: number | null,
};

/** Power in each phase. A sample belongs to the phase that holds its midpoint. */
export type PowerConsumption = {
  /** Before the request. */
  baseline: PhasePower,
  /** Request sent to last token. */
  inference: PhasePower,
  /** After the last token. */
  cooldown: PhasePower,
  /** The prefill part of the inference. */
  prefill: PhasePower,
  /** The decode part of the inference. */
  decode: PhasePower,
};

/** Why there is no power. */
export type PowerProblem = "helper_missing" | "not_permitted" | "protocol_mismatch" | "unavailable" | "ended" | "paused";

/** Whether there is power to show. */
export type PowerState = { "state": "starting" } | { "state": "live",
/** It. */
reading: Reading, } | { "state": "held",
/** It. */
reading: Reading,
/** How old, in seconds. */
age_s: number, } | { "state": "stale",
/** How old, in seconds. */
age_s: number, } | { "state": "none",
/** Why, for programs. */
reason: PowerProblem,
/** Why, for people: one sentence. */
message: string,
};

/** How power is read on a Mac. */
export type PowerWay = "helper_service" | "helper_child" | "authorization" | "counters";

/** What a run asks. */
export type Preset = "quick" | "full";

/** A run that goes on. */
export type Progress = {
  /** Its number in the history; `None` when it is not kept there. */
  run_id: number | null,
  /** Its start, ISO 8601 in UTC. */
  started_at: string,
  /** Name of the model. */
  model: string,
  /** What it was started as. */
  preset: Preset,
  /** Name of the suite. */
  suite: string,
  /** Which prompt runs, from 1. */
  position: number,
  /** Prompts of the suite. */
  planned: number,
  /** Each prompt. */
  prompts: Array<PromptState>,
  /** The suite's id of the running prompt. */
  prompt_id: string,
  /** Its name for people. */
  prompt_title: string,
  /** The phase. */
  phase: Phase,
  /** Baseline, prefill, decode, cooldown. */
  phases: Array<PhaseStep>,
  /** Text events a second in this answer, about one token each; `None` before there are two. */
  tokens_per_s: number | null,
  /** Text events of this answer. */
  tokens: number | null,
  /** Limit of this answer. */
  max_tokens: number,
  /** Gross energy since the request was sent, of the samples that have come. */
  gross_j: number | null,
  /** A guess of the time that is left, in seconds. */
  eta_s: number | null,
  /** True when it ends after this prompt. */
  stopping: boolean,
  /** True when power, server or both are simulated. */
  simulated: boolean,
  /** Something that the user should know, and that does not end the run. */
  notice: string | null,
};

/** One prompt. */
export type PromptReport = {
  /** Length class of the prompt. */
  category: Category,
  /** The prompt without its nonce. */
  prompt: string,
  /** The answer. */
  response: string,
  /** How long its phases took. */
  timing: Timing,
  /** Tokens and speed. */
  inference_stats: InferenceStats,
  /** Power of the whole scope in each phase. */
  power_consumption: PowerConsumption,
  /** The suite's id of the prompt. */
  id: string,
  /** Which repeat of the prompt, from 1. */
  repeat: number,
  /** The nonce in front of the prompt (`[nonce] prompt`); `null` when nonces were off. */
  nonce: string | null,
  /** Limit for generated tokens. */
  max_tokens: number,
  /** The reasoning, where the server separates it. */
  reasoning: string,
  /** What went wrong; `null` for a whole answer. */
  error: string | null,
  /** Energy of the request. */
  energy: EnergyReport,
  /** Doubts about this prompt. */
  warnings: Array<WarningEntry>,
  /** Phase boundaries on the session's clock. */
  marks: PhaseMarks,
  /** Facts of the stream; `null` when nothing came. */
  stream: Stream | null,
};

/** How far a prompt is. */
export type PromptState = "done" | "failed" | "now" | "to_come";

/** Mean power of each rail over one phase, weighted by the measured length of each sample. */
export type RailPowers = {
  /** CPU. */
  cpu_avg_mw: number | null,
  /** GPU. */
  gpu_avg_mw: number | null,
  /** Neural engine. */
  ane_avg_mw: number | null,
  /** Memory. */
  dram_avg_mw: number | null,
  /** The whole machine; another scope, never part of a sum. */
  system_avg_mw: number | null,
};

/** Power over the latest sample, or over the time that is smoothed over. */
export type Reading = {
  /** End of the sample, nanoseconds on the live clock. */
  end_ns: number,
  /** The chip. */
  soc_mw: number | null,
  /** CPU. */
  cpu_mw: number | null,
  /** GPU. */
  gpu_mw: number | null,
  /** Neural engine. */
  ane_mw: number | null,
  /** Memory. */
  dram_mw: number | null,
  /** The whole machine; another scope. */
  system_mw: number | null,
  /** Rails inside `soc_mw`, `GPU + CPU + ANE`. */
  scope: string,
  /** Figures that the source can't give now. */
  missing?: Missing | null,
};

/** A whole session. */
export type Report = {
  /** Start of the session, ISO 8601 in UTC. */
  benchmark_id: string,
  /** Model that was measured, by its key. */
  model: string,
  /** The session in five figures. */
  summary: Summary,
  /** Every prompt that ran, in the order in which it ran. */
  prompts: Array<PromptReport>,
  /** True when power, server or both were simulated. Such a report is not a measurement. */
  simulated: boolean,
  /** What of it was simulated. */
  simulation: Simulation,
  /** True when not all prompts ran. */
  interrupted: boolean,
  /** How the session ended. */
  end_reason: EndReason,
  /** Version of this form. */
  schema_version: number,
  /** Program that wrote it. */
  tool: Tool,
  /** How the session was set up. */
  settings: Settings,
  /** The prompts that were to run. */
  suite: Suite,
  /** The machine. */
  environment: Environment,
  /** The server. */
  server: Server,
  /** The model as the server lists it. */
  model_details: Model,
  /** Where power comes from. */
  power_source: SourceDescription,
  /** Interval that the samples really have (median), in milliseconds. */
  achieved_interval_ms: number | null,
  /** Documents of the power source that could not be used. */
  rejected_documents: number,
  /** Doubts about the session as a whole. */
  warnings: Array<WarningEntry>,
  /** The session's clock: where each start of the program lies on it. */
  segments: Array<Segment>,
  /** Every power sample, oldest first. */
  samples: Array<SampleRow>,
  /** `sha256:` and the hash of this document without this member, keys sorted, no white space. */
  checksum: string,
};

/** Speeds and times that the server reported about itself. Kept beside ours, never mixed with them. */
export type ReportedStats = {
  /** Decode rate, tokens per second; the time before the first token is not in it. */
  tokens_per_second: number | null,
  /** Time to the first token, in milliseconds; model load excluded. */
  ttft_ms: number | null,
  /** Whole generation, in seconds, as the server defines it (two meanings on `/api/v0`). */
  generation_time_s: number | null,
  /** Prompt processing, in milliseconds, first token included (llama.cpp's `prompt_ms`). */
  prompt_ms: number | null,
  /** Prefill rate, tokens per second. */
  prompt_tokens_per_second: number | null,
  /** Model load inside this request, in seconds. */
  model_load_s: number | null,
};

/** One run, without its samples: they are many, and go to a screen as columns ([`crate::sample_columns`]). */
export type RunDetail = {
  /** Its row of the list. */
  row: RunRow,
  /** Its report; the member `samples` is left out. */
  report: Omit<Report, "samples">,
  /** How many samples it has. */
  sample_count: number,
  /** Rails that are counted, `GPU + CPU + ANE`. */
  scope: string,
  /** Median time to the first token of the whole answers, in milliseconds; `None` without one. */
  ttft_median_ms: number | null,
};

/** A run's number in its history, from 1. Not given again after a deletion. */
export type RunId = number;

/** A page of the list. */
export type RunList = {
  /** The runs, in order. */
  rows: Array<RunRow>,
  /** How many runs match, on all pages. */
  total: number,
};

/** Which page of the list is wanted. */
export type RunQuery = {
  /** Text within name, model, quantization or chip; `None` and white space let all through. */
  text: string | null,
  /** Only simulated runs, or only measured ones. */
  simulated: boolean | null,
  /** What to sort by. */
  by: SortBy,
  /** Oldest or lowest first. */
  ascending: boolean,
  /** Most runs of this page; at most 10,000 are given. */
  limit: number,
  /** Runs to pass over. */
  offset: number,
};

/** One run in the list. Figures are those of its report's summary; missing while it runs, and where the report has none. */
export type RunRow = {
  /** Its number. */
  id: RunId,
  /** Its start, ISO 8601 in UTC. */
  started_at: string,
  /** The name that the user gave it. */
  name: string | null,
  /** Key of the model. */
  model: string,
  /** Quantization of the model, where the server says. */
  quantization: string | null,
  /** Chip of the machine, where known. */
  chip: string | null,
  /** Prompts that ran, failed ones included. */
  prompts_done: number,
  /** Prompts of its suite. */
  prompts_planned: number,
  /** Net energy per generated token; only for a whole suite. */
  net_energy_per_token_j: number | null,
  /** Mean decode rate. */
  tokens_per_second: number | null,
  /** Mean power during inference. */
  inference_power_mw: number | null,
  /** True when power, server or both were simulated. */
  simulated: boolean,
  /** How far it is. */
  state: RunState,
  /** How it ended; `None` while it runs, and when its process ended without a word. */
  end_reason: EndReason | null,
  /** Version of Joulebar that began it. */
  tool_version: string,
};

/** How far a run is. */
export type RunState = "running" | "interrupted" | "completed";

/** What became of a wish to run. */
export type RunStatus = { "status": "idle" } | { "status": "starting",
/** What is done right now. */
step: string, } | { "status": "running",
/** How far it is. */
progress: Progress, } | { "status": "finished",
/** What came out. */
result: Finished, } | { "status": "failed",
/** Why, for programs. */
code: ErrorCode,
/** Why and what to do, for people. */
message: string,
};

/** One row of a report's `samples`, and of the CSV. */
export type SampleRow = {
  /** Start of the interval, nanoseconds on the session's clock. */
  start_ns: number,
  /** End of the interval, nanoseconds on the session's clock. */
  end_ns: number,
  /** Length that the source measured, in nanoseconds. */
  elapsed_ns: number,
  /** Mean CPU power. */
  cpu_mw: number | null,
  /** Mean GPU power. */
  gpu_mw: number | null,
  /** Mean neural engine power. */
  ane_mw: number | null,
  /** Mean memory power. */
  dram_mw: number | null,
  /** Mean power of the whole chip in the source's own words. */
  combined_mw: number | null,
  /** Mean power of the whole machine. */
  system_mw: number | null,
  /** CPU energy of this interval. */
  cpu_mj: number | null,
  /** GPU energy of this interval. */
  gpu_mj: number | null,
  /** Neural engine energy of this interval. */
  ane_mj: number | null,
  /** Memory energy of this interval. */
  dram_mj: number | null,
  /** Energy of the whole chip in this interval, where the source gives it (Intel). */
  combined_mj: number | null,
  /** Mean GPU frequency. */
  gpu_freq_mhz: number | null,
  /** Share of the interval in which the GPU worked, 0 to 1. */
  gpu_active_ratio: number | null,
  /** Thermal pressure at the end. */
  thermal_pressure: string | null,
  /** Model identifier of the machine. */
  hw_model: string | null,
  /** The source's own time, Unix seconds. */
  timestamp_unix_s: number | null,
  /** Where it came from. */
  origin: Origin,
};

/** Which consumers an energy covers. */
export type Scope = "soc";

/** A stretch of the session's clock, from one start of the program. */
export type Segment = {
  /** Where it starts on the session's clock. */
  origin_ns: MonotonicTime,
  /** The same instant on the wall clock, ISO 8601 in UTC. */
  started_at: string,
};

/** The server that answered. */
export type Server = {
  /** Base address. */
  url: string,
  /** API that was used throughout. */
  api: Api,
  /** True when it identified itself as LM Studio. */
  lm_studio: boolean,
  /** LM Studio's version, where it can be learned. */
  app_version: string | null,
  /** Inference engine, where it can be learned. */
  engine: Engine,
  /** True for Joulebar's simulator. */
  simulated: boolean,
  /** Seconds that loading the model took, when this session loaded it. */
  model_load_s: number | null,
};

/** Whether there is a server to ask. */
export type ServerState = { "state": "checking",
/** Its address. */
url: string, } | { "state": "not_running",
/** Its address. */
url: string, } | { "state": "token_needed",
/** Its address. */
url: string, } | { "state": "token_refused",
/** Its address. */
url: string, } | { "state": "no_model",
/** Its address. */
url: string,
/** Models that it could load. */
models: Array<ModelSummary>, } | { "state": "ready",
/** Its address. */
url: string,
/** The model that would be measured. */
model: ModelSummary,
/** Other loaded models, by key. */
others_loaded: Array<string>,
/** True for LM Studio. */
lm_studio: boolean,
/** Its version, where it says. */
version: string | null,
/** True for the simulator. */
simulated: boolean, } | { "state": "failed",
/** Its address. */
url: string,
/** What is wrong, for people. */
message: string,
};

/** How the helper stands, for programs. */
export type ServiceState = "does_not_apply" | "working" | "off" | "needs_approval" | "ready" | "failed";

/** How the helper stands as a service. */
export type ServiceView = {
  /** What a screen acts on. */
  state: ServiceState,
  /** One line. */
  title: string,
  /** The facts. */
  detail: string,
  /** What to do. */
  next: string | null,
  /** Version of the helper that answers. */
  version: string | null,
  /** What macOS says, with its numbers, for a bug report. */
  error: string | null,
  /** True when it makes sense to enable it now. */
  can_enable: boolean,
  /** True when System Settings is the place to go to. */
  can_open_settings: boolean,
  /** True when registering it anew may help. */
  can_repair: boolean,
  /** True when there is something to remove. */
  can_remove: boolean,
};

/** How a session is set up. */
export type Settings = {
  /** Length of the baseline before each prompt, in seconds. */
  baseline_s: number,
  /** Length of the cooldown after each prompt, in seconds. */
  cooldown_s: number,
  /** True for a quick run: 2 s phases, short prompts only. */
  quick: boolean,
  /** True when a nonce stands in front of every prompt. */
  nonce: boolean,
  /** Seed of the nonces (and passed to servers that take one). Below 2^53. */
  seed: number,
  /** Sampling temperature. */
  temperature: number,
  /** Period in which the energy counters behind the samples publish, in seconds, where known. */
  counter_batch_s: number | null,
};

/** The settings with what a screen says about them. */
export type SettingsView = {
  /** What holds. */
  settings: UserSettings,
  /** What holds without a file. */
  defaults: UserSettings,
  /** Values of the file that were not taken. */
  wrong: Array<WrongSetting>,
  /** Where the file is, or would be. */
  path: string,
  /** Why the file can't be read, for people. */
  problem: string | null,
  /** Where the server's token is kept. */
  token: TokenState,
};

/** Which parts of a session were simulated. */
export type Simulation = {
  /** Power came from the simulator. */
  power: boolean,
  /** The server was the simulator. */
  server: boolean,
};

/** Everything that is so now. */
export type Snapshot = {
  /** True when the built-in demo stands in for server and power. */
  demo: boolean,
  /** True when the programs that simulate are there; an app that is shipped has none. */
  has_demo: boolean,
  /** True when what is shown now is simulated, in part or whole. */
  simulated: boolean,
  /** Power. */
  power: PowerState,
  /** Where it comes from; `None` before a source was opened. */
  source?: SourceView | null,
  /** The server. */
  server: ServerState,
  /** The run. */
  run: RunStatus,
  /** True when a run could start. */
  can_run: boolean,
  /** What it lacks, for people. */
  blocked: string | null,
  /** The newest completed run. */
  last: LastResult | null,
  /** A run to go on with. */
  unfinished: Unfinished | null,
  /** The history. */
  history: HistoryState,
  /** What Run Benchmark would run. */
  preset: Preset,
  /** Its size and length, for people. */
  estimate: string,
};

/** What to sort by. */
export type SortBy = "started" | "name" | "model" | "net_energy_per_token" | "tokens_per_second" | "inference_power";

/** What a source is, for the report and the screen. */
export type SourceDescription = {
  /** Short name: `helper`, `powermetrics`, `counters`, `replay`, `demo`. */
  name: string,
  /** Where its samples come from. */
  origin: Origin,
  /** Interval that was asked for, in milliseconds; `None` where the capture decides. */
  requested_interval_ms: number | null,
  /** Samplers that were asked for, by powermetrics' names. */
  samplers: Array<string>,
  /** Version of the helper, where one is used. */
  helper_version: string | null,
  /** How power is read; `None` for what is not measured now, and in reports of older versions. */
  way: PowerWay | null,
  /** Better ways that were not to be had when this one was chosen, and why. */
  passed_over: Array<PassedOver>,
};

/** Where power comes from now. */
export type SourceView = {
  /** The way, for programs; `None` for recordings and the simulator. */
  way: PowerWay | null,
  /** The way, for people. */
  title: string,
  /** What its figures cover, for people. */
  scope: string,
  /** Better ways that were not to be had, and why. */
  passed_over: Array<PassedOverView>,
};

/** What was taken as the end of the prefill. */
export type SplitBoundary = "prompt_processing_end" | "first_token";

/** Gross and net energy of prefill and decode. Gross parts add up to the request's gross energy. */
export type SplitReport = {
  /** Gross energy of the prefill. */
  prefill_gross_j: number | null,
  /** Gross energy of the decode. */
  decode_gross_j: number | null,
  /** Net energy of the prefill: gross minus idle power over it. */
  prefill_net_j: number | null,
  /** Net energy of the decode: gross minus idle power over it. */
  decode_net_j: number | null,
  /** What ended the prefill. */
  boundary: SplitBoundary | null,
  /** First token minus the server's end of prefill, where it reports one. */
  boundary_gap_ms: number | null,
  /** Why there is no split. */
  null_reason: string | null,
};

/** Whose clock a speed was measured with. */
export type StatsClock = "client" | "server";

/** How far a phase is. */
export type StepState = "done" | "now" | "next";

/** Why generation ended. */
export type StopReason = "end_of_sequence" | "max_tokens" | "stop_string" | "context_length" | { "other": string };

/** Facts of a stream, beside its text. */
export type Stream = {
  /** API that was used. */
  api: Api,
  /** Model or instance that answered. */
  answered_by: string | null,
  /** Our instants. */
  timeline: Timeline,
  /** The server's token counts. */
  tokens: TokenCounts,
  /** Every `null` of `tokens`, of `inference_stats` and of `inference_stats.reported` that this API cannot fill, with its
   * reason. */
  unavailable: Array<Unavailable>,
};

/** A list of prompts. */
export type Suite = {
  /** Name for reports. */
  name: string,
  /** One sentence on what it is for. */
  description: string,
  /** The prompts in the order in which they are asked. */
  prompts: Array<SuitePrompt>,
};

/** One suite of the library. */
export type SuiteEntry = {
  /** It. */
  suite: Suite,
  /** True for the one that comes with Joulebar, which can't be changed. */
  builtin: boolean,
  /** Estimated tokens of each prompt, in its order ([`estimate_tokens`]). */
  tokens: Array<number>,
};

/** One prompt of a suite. */
export type SuitePrompt = {
  /** Unique within the suite: letters, digits, `-`, `_`. */
  id: string,
  /** Length class of the prompt. */
  category: Category,
  /** A few words for lists; `None` shows the id. */
  title?: string | null,
  /** The user's text. */
  prompt: string,
  /** Limit for generated tokens, reasoning included; 1 or more. */
  max_tokens: number,
};

/** Means over the whole answers; `null` where none has the figure. */
export type Summary = {
  /** Prompts that ran. */
  total_prompts: number,
  /** Mean of the prompts' mean baseline power. */
  avg_baseline_power_mw: number | null,
  /** Mean of the prompts' mean inference power. */
  avg_inference_power_mw: number | null,
  /** Mean of the prompts' mean cooldown power. */
  avg_cooldown_power_mw: number | null,
  /** Mean of the prompts' decode rates. */
  avg_tokens_per_second: number | null,
  /** Prompts that the suite has. */
  planned_prompts: number,
  /** Prompts whose generation failed. */
  failed_prompts: number,
  /** Mean time to the first token. */
  avg_time_to_first_token_ms: number | null,
  /** Whole answers that have a net energy. */
  prompts_with_net_energy: number,
  /** Net energy of these answers, added up. */
  net_energy_j: number | null,
  /** Gross energy of all whole answers that have one, added up. */
  gross_energy_j: number | null,
  /** Net energy over the generated tokens of the same answers. The headline. */
  net_energy_per_token_j: number | null,
  /** Generated tokens for one watt hour, net: 3600 over the headline. */
  tokens_per_wh: number | null,
  /** Why figures above are missing: they stand only for a whole suite, and for what the server counted. */
  null_reason: string | null,
};

/** What feeds the machine. */
export type Supply = "ac" | "battery";

/** Instants of one generation on the session's clock. What the API cannot show is `None` or empty. */
export type Timeline = {
  /** The request was handed to the connection. */
  sent_ns: MonotonicTime,
  /** Response headers arrived. */
  headers_ns: MonotonicTime | null,
  /** `prompt_processing.start`. */
  prefill_start_ns: MonotonicTime | null,
  /** Every `prompt_processing.end`; LM Studio sends none, one or two. */
  prefill_ends_ns: Array<MonotonicTime>,
  /** Every non-empty delta, in order. */
  deltas: Array<Delta>,
  /** `message.end` / `reasoning.end` after the last delta, or the chunk with the finish reason. */
  finish_ns: MonotonicTime | null,
  /** The stream's last event (`chat.end`, `[DONE]`, or the whole body). */
  end_ns: MonotonicTime,
};

/** How long the phases of a prompt took, in seconds. */
export type Timing = {
  /** Before the request. */
  baseline_duration_s: number,
  /** Request sent to last token. */
  inference_duration_s: number,
  /** After the last token. */
  cooldown_duration_s: number,
  /** Request sent to first token; `null` where the API does not show it. */
  prefill_duration_s: number | null,
  /** First token to last token. */
  decode_duration_s: number | null,
};

/** Token counts as the server gives them. */
export type TokenCounts = {
  /** Templated prompt, system prompt included. */
  prompt: number | null,
  /** Of these, taken from the server's cache and not computed. LM Studio never tells: `None` there, not 0. */
  prompt_cached: number | null,
  /** All generated tokens: reasoning, answer, and on LM Studio and llama.cpp the end token. */
  output: number | null,
  /** Of these, reasoning. */
  reasoning: number | null,
};

/** Where the server's token is kept. The token itself never goes to a screen. */
export type TokenState = "none" | "in_keychain" | "in_memory";

/** The program that wrote a report. */
export type Tool = {
  /** `joulebar`. */
  name: string,
  /** Its version. */
  version: string,
};

/** A value that the server's API cannot give, and why. */
export type Unavailable = {
  /** Name of the missing field, `reported.ttft_ms`. */
  field: string,
  /** Reason in plain words. */
  reason: string,
};

/** An interrupted run that can go on. */
export type Unfinished = {
  /** Its number. */
  run_id: number,
  /** Its start, ISO 8601 in UTC. */
  started_at: string,
  /** Key of the model. */
  model: string,
  /** Prompts that ran. */
  done: number,
  /** Prompts of its suite. */
  planned: number,
  /** True when power, server or both were simulated. */
  simulated: boolean,
};

/** What the user has set. A missing key has its default. */
export type UserSettings = {
  /** Address of the model server; `None` is LM Studio's own. */
  server_url: string | null,
  /** Interval between power samples of a run, in milliseconds, within [`INTERVAL_MS`]. */
  interval_ms: number,
  /** Interval between power samples when power is only watched, in milliseconds, within [`INTERVAL_MS`]. */
  monitor_interval_ms: number,
  /** Length of the baseline before each prompt, in seconds, within [`PHASE_S`]. */
  baseline_s: number,
  /** Length of the cooldown after each prompt, in seconds, within [`PHASE_S`]. */
  cooldown_s: number,
  /** True when a nonce stands in front of every prompt. */
  nonce: boolean,
  /** True when runs are kept in the history. */
  keep_history: boolean,
  /** Name of the suite to run; `None` is the built-in one. */
  suite: string | null,
  /** What Run Benchmark runs. */
  preset: Preset,
  /** What stands in the menu bar. */
  menu_bar: MenuBarText,
  /** Time that the menu bar's watts are a mean of, in seconds, within [`SMOOTHING_S`]. */
  smoothing_s: number,
  /** True when power below 1 W is shown in milliwatts. */
  milliwatts_below_1w: boolean,
  /** True when the app is to start with the user's session. */
  launch_at_login: boolean,
  /** True when the app opens its window when it starts. */
  open_window_at_start: boolean,
  /** True when the end of a run is notified. */
  notify_when_finished: boolean,
  /** True when the first page has been seen. */
  welcomed: boolean,
  /** Price of a kilowatt hour, within [`AMOUNT`]; `None` shows no cost. */
  price_per_kwh: number | null,
  /** Currency of the price, a code or a sign of at most 8 letters. */
  currency: string,
  /** Grams of carbon dioxide for a kilowatt hour, within [`AMOUNT`]; `None` shows none. */
  co2_g_per_kwh: number | null,
};

/** A warning as a report carries it. */
export type WarningEntry = {
  /** Stable name, `unstable_baseline`. */
  code: string,
  /** What it means and what to try. */
  message: string,
};

/** A value of the file that was not taken; its text says which, what is allowed, and what holds instead. */
export type WrongSetting = {
  /** The key, `measurement.interval_ms`. */
  key: string,
  /** The value as it stands in the file. */
  found: string,
  /** What the key may be. */
  allowed: string,
  /** What holds instead. */
  used: string,
};
