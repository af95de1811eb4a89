// What is so in each state of the replay. Figures are the recording's own.

import type { ModelSummary, PowerState, Progress, Report, RunStatus, ServerState, Snapshot } from "./bindings";
import { cutAt, finishedOf, liveSample, phasesOf, RECORDINGS, socMw } from "./recording";

const URL = "http://localhost:1234";
const { full } = RECORDINGS;

/** What `?state=` can be. */
export const STATES = [
  "live", "held", "stale", "none", "welcome", "not_running", "token", "no_model", "unfinished", "no_runs", "read_only", "wrong_settings", "starting", "running", "stopping", "finished", "stopped", "interrupted", "failed",
] as const;
export type StateName = (typeof STATES)[number];

/** The state of that name; `live` for any other. */
export function stateNamed(name: string | null): StateName {
  return STATES.find((state) => state === name) ?? "live";
}

/** The states that show the phases of a run. */
export const WITH_PHASES: ReadonlySet<StateName> = new Set<StateName>(["running", "stopping", "finished", "stopped", "interrupted"]);

/** How long no sample has come, in nanoseconds; infinite where none ever did. */
export function silenceIn(state: StateName): number {
  if (state === "none" || state === "welcome") return Infinity;
  return state === "stale" ? 6.2e9 : state === "held" ? 2.9e9 : 0;
}

/** The models of the recorded server. */
export const MODELS: ModelSummary[] = [
  {
    key: full.model_details.key,
    display_name: full.model_details.display_name,
    quantization: full.model_details.quantization,
    format: full.model_details.format,
    bits_per_weight: full.model_details.bits_per_weight,
    size_bytes: full.model_details.size_bytes,
    context_length: full.model_details.context_length,
    loaded: true,
  },
];

/** Where in the recording a state begins, in nanoseconds on its clock. */
function momentOf(report: Report, state: StateName): number {
  const [long, run, last] = [report.prompts[2], report.prompts[3], report.prompts.at(-1)];
  if (!long || !run || !last) return 0;
  const { first_token_ns: first, last_token_ns: end } = run.marks;
  switch (state) {
    case "running":
    case "stopping":
      return first === null ? end : first + (end - first) * 0.7;
    case "finished":
      return last.marks.cooldown_end_ns;
    case "stopped":
    case "interrupted":
      return run.marks.cooldown_end_ns;
    case "held":
    case "stale":
      return long.marks.last_token_ns;
    default:
      return end - 5e8;
  }
}

/** The recording's clock in a state, `at` nanoseconds after it began; it stops at the recording's end. */
export function progressAt(report: Report, state: StateName, at: number): { now: number; over: boolean } {
  const end = report.prompts.at(-1)?.marks.cooldown_end_ns ?? 0;
  const now = momentOf(report, state) + at;
  return { now: Math.min(now, end), over: now >= end };
}

function powerAt(state: StateName, now: number): PowerState {
  if (state === "none" || state === "welcome")
    return { state: "none", reason: "helper_missing", message: "The helper isn’t installed." };
  if (state === "stale") return { state: "stale", age_s: 6.2 };
  const row = full.samples.filter((sample) => sample.end_ns <= now - silenceIn(state)).at(-1);
  if (!row) return { state: "starting" };
  const { start_ns: _start, ...powers } = liveSample(row);
  const reading = { ...powers, scope: "GPU + CPU + ANE" };
  return state === "held" ? { state: "held", reading, age_s: 2.9 } : { state: "live", reading };
}

function serverAt(state: StateName): ServerState {
  const model = MODELS[0];
  if (state === "not_running") return { state: "not_running", url: URL };
  if (state === "token") return { state: "token_needed", url: URL };
  if (state === "no_model" || !model) return { state: "no_model", url: URL, models: MODELS.map((model) => ({ ...model, loaded: false })) };
  return { state: "ready", url: URL, model, others_loaded: [], lm_studio: full.server.lm_studio, version: full.server.app_version, simulated: true };
}

function progress(now: number, stopping: boolean): Progress {
  const at = full.prompts.findIndex((prompt) => now < prompt.marks.cooldown_end_ns);
  const index = at < 0 ? full.prompts.length - 1 : at;
  const run = full.prompts[index];
  if (!run) throw new RangeError("the recording has no prompts");
  const spans = phasesOf(run);
  const current = spans.find((span) => now < (span.end_ns ?? Infinity)) ?? spans[0];
  const first = run.marks.first_token_ns;
  const tokens = first === null || now < first ? null : Math.round(((run.inference_stats.completion_tokens ?? 0) * Math.min(1, (now - first) / Math.max(1, run.marks.last_token_ns - first))));
  let joules: number | null = now < run.marks.request_sent_ns ? null : 0;
  for (const row of full.samples) {
    const overlap = Math.min(row.end_ns, now, run.marks.last_token_ns) - Math.max(row.start_ns, run.marks.request_sent_ns);
    const mw = socMw(row);
    if (overlap > 0 && joules !== null && mw !== null) joules += (mw * overlap) / 1e12;
  }
  const end = full.prompts.at(-1)?.marks.cooldown_end_ns ?? now;
  return {
    run_id: 15,
    started_at: full.benchmark_id,
    model: full.model_details.display_name ?? full.model,
    preset: "full",
    suite: full.suite.name,
    position: index + 1,
    planned: full.prompts.length,
    prompts: full.prompts.map((_, i) => (i < index ? "done" : i === index ? "now" : "to_come")),
    prompt_id: run.id,
    prompt_title: full.suite.prompts[index]?.title ?? run.id,
    phase: current?.phase ?? "baseline",
    phases: spans.map((span) => ({
      phase: span.phase,
      state: now >= (span.end_ns ?? Infinity) ? "done" : now >= span.start_ns ? "now" : "next",
      elapsed_s: now < span.start_ns ? null : (Math.min(now, span.end_ns ?? now) - span.start_ns) / 1e9,
    })),
    tokens_per_s: tokens === null || first === null || now <= first ? null : run.inference_stats.tokens_per_second,
    tokens,
    max_tokens: run.max_tokens,
    gross_j: joules,
    eta_s: (end - now) / 1e9,
    stopping,
    simulated: true,
    notice: null,
  };
}

function runAt(state: StateName, now: number): RunStatus {
  switch (state) {
    case "starting":
      return { status: "starting", step: "Loading the model" };
    case "running":
    case "stopping":
      return { status: "running", progress: progress(now, state === "stopping") };
    case "finished":
      return { status: "finished", result: finishedOf(full, 15, full.benchmark_id) };
    case "stopped":
      return { status: "finished", result: { ...finishedOf(cutAt(full, 4), 15, full.benchmark_id), message: "Stopped after 4 of 9 prompts. Samples are kept, no figure is given." } };
    case "interrupted":
      return {
        status: "finished",
        result: { ...finishedOf(cutAt(full, 4), 15, full.benchmark_id), end_reason: "server_lost", message: "The server stopped answering. Stopped after 4 of 9 prompts." },
      };
    case "failed":
      return { status: "failed", code: "disk_full", message: "Couldn’t save the run. The disk is full." };
    default:
      return { status: "idle" };
  }
}

/** All that is so. */
export function snapshotOf(state: StateName, now: number, runs: number): Snapshot {
  const power = powerAt(state, now);
  const server = serverAt(state);
  const blocked = power.state === "none" || power.state === "stale" ? "Needs the helper." : server.state === "no_model" ? "Needs a loaded model." : server.state === "ready" ? null : "Needs LM Studio.";
  const { summary } = full;
  return {
    demo: true,
    has_demo: true,
    simulated: true,
    power,
    server,
    run: runAt(state, now),
    can_run: blocked === null,
    blocked,
    last: runs === 0 ? null : { run_id: runs, started_at: full.benchmark_id, model: full.model_details.display_name ?? full.model, net_energy_per_token_j: summary.net_energy_per_token_j, tokens_per_s: summary.avg_tokens_per_second, simulated: true },
    unfinished: state === "unfinished" ? { run_id: 13, started_at: full.benchmark_id, model: full.model, done: 4, planned: 9, simulated: true } : null,
    history: { count: runs, writable: state !== "read_only", notice: state === "read_only" ? "The history can only be read. New runs are not kept." : null },
    preset: "full",
    estimate: "9 prompts, 1 pass. About 6\u00a0min.",
  };
}
