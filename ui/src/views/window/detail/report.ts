// A report as the page of a run shows it: prompts with their names, phases, sums, notes, environment. Pure.

import type { PhaseSpan, PromptReport, RunDetail, RunRow, WarningEntry } from "../../../lib/backend/bindings";
import { bytes, count, DASH, interval } from "../../../lib/format";

export type Report = RunDetail["report"];

/** One line of the prompt table. */
export interface PromptRow {
  /** `S1`: class and place in it. */
  label: string;
  title: string;
  prompt: PromptReport;
}

/** Short names of the suite's prompts: the class's letter and a count in it. */
function labels(report: Report): Map<string, { label: string; title: string }> {
  const counts = { short: 0, medium: 0, long: 0 };
  const found = new Map<string, { label: string; title: string }>();
  for (const prompt of report.suite.prompts) {
    counts[prompt.category] += 1;
    const label = `${prompt.category.slice(0, 1).toUpperCase()}${counts[prompt.category]}`;
    found.set(prompt.id, { label, title: prompt.title ?? firstLine(prompt.prompt) });
  }
  return found;
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0] ?? "";
}

export function promptRows(report: Report): PromptRow[] {
  const names = labels(report);
  return report.prompts.map((prompt) => {
    const name = names.get(prompt.id) ?? { label: prompt.id, title: firstLine(prompt.prompt) };
    return { ...name, prompt };
  });
}

/** Phases of one prompt, from its marks. Prefill ends with the first token; without one, the answer is not divided. */
export function phasesOf({ marks }: PromptReport): PhaseSpan[] {
  const first = marks.first_token_ns;
  return [
    { phase: "baseline", start_ns: marks.baseline_start_ns, end_ns: marks.request_sent_ns },
    ...(first === null
      ? [{ phase: "decode" as const, start_ns: marks.request_sent_ns, end_ns: marks.last_token_ns }]
      : [
          { phase: "prefill" as const, start_ns: marks.request_sent_ns, end_ns: first },
          { phase: "decode" as const, start_ns: first, end_ns: marks.last_token_ns },
        ]),
    { phase: "cooldown", start_ns: marks.last_token_ns, end_ns: marks.cooldown_end_ns },
  ];
}

/** Name of a phase in a chart: an answer without a first token is not divided. */
export function phaseName(phase: PhaseSpan["phase"], prompt: PromptReport): string {
  return phase === "decode" && prompt.marks.first_token_ns === null ? "inference" : phase;
}

/** Sum of what is known; null when something is missing or there is nothing. */
export function sumOf(values: readonly (number | null)[]): number | null {
  let sum = 0;
  for (const value of values) {
    if (value === null) return null;
    sum += value;
  }
  return values.length === 0 ? null : sum;
}

export function median(values: readonly (number | null)[]): number | null {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

const NUMBERS = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
/** `nine`, `27`. */
export function inWords(n: number): string {
  return NUMBERS[n] ?? count(n);
}

/** Energy above idle by phase, in joules. */
export interface Part {
  key: "prefill" | "decode" | "none" | "rest";
  name: string;
  joules: number;
  /** Share of the whole net energy, from 0 to 1; null when that is not above zero. */
  share: number | null;
}

/** What the net energy of a run is made of. Null when no prompt has a net energy. */
export function energyByPhase(prompts: readonly PromptReport[]): Part[] | null {
  let [prefill, decode, none, rest, total, known, split, whole] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (const { energy, error } of prompts) {
    if (error !== null || energy.net_j === null) continue;
    known += 1;
    total += energy.net_j;
    const { prefill_net_j: a, decode_net_j: b } = energy.split;
    if (a === null || b === null) {
      none += energy.net_j;
      whole += 1;
    } else {
      prefill += a;
      decode += b;
      rest += energy.net_j - a - b;
      split += 1;
    }
  }
  if (known === 0) return null;
  const share = (joules: number): number | null => (total > 0 ? joules / total : null);
  const part = (key: Part["key"], name: string, joules: number): Part => ({ key, name, joules, share: share(joules) });
  return [
    ...(split > 0 ? [part("prefill", "Prefill, net", prefill), part("decode", "Decode, net", decode)] : []),
    ...(whole > 0 ? [part("none", "Not split, net", none)] : []),
    // the net energy counts samples that straddle both ends of the answer; the split does not
    ...(split > 0 ? [part("rest", "At its ends, net", rest)] : []),
  ];
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** Why a prompt has no split, in words. */
export function splitReason(reason: string | null): string {
  if (reason?.startsWith("prefill_too_short") === true) return "Prefill was too short to split. Its energy counts in full.";
  return reason === null ? "The energy is not known by phase." : sentence(reason);
}

/** Notes of a run: one for each thing that is to be known, with the prompts that it concerns. */
export function notesOf(report: Report, rows: readonly PromptRow[]): string[] {
  const notes: string[] = [];
  const { summary } = report;
  if (summary.net_energy_per_token_j !== null) notes.push("One pass, no interval.");
  else if (summary.null_reason !== null && summary.total_prompts > 0) notes.push(`No figure: ${summary.null_reason}.`);
  for (const warning of report.warnings) notes.push(sentence(warning.message));
  const grouped = new Map<string, { message: string; labels: string[] }>();
  for (const row of rows) {
    for (const warning of row.prompt.warnings) add(grouped, warning, row.label);
  }
  for (const { message, labels } of grouped.values()) notes.push(`${list(labels)}: ${sentence(message)}`);
  const short = rows.filter((row) => row.prompt.energy.split.null_reason?.startsWith("prefill_too_short") === true);
  if (short.length > 0) {
    const all = short.length === rows.length && rows.length > 1;
    notes.push(`Prefill was too short to split in ${all ? `all ${inWords(rows.length)} prompts` : list(short.map((row) => row.label))}. Their energy counts in full.`);
  }
  const first = rows.filter((row) => row.prompt.energy.split.boundary === "first_token");
  if (first.length > 0) notes.push("LM Studio sent no end of prompt processing. The first token marks it.");
  if (report.power_source.origin === "powermetrics" && report.settings.counter_batch_s !== null)
    notes.push(`macOS updates these counters every ${interval(report.settings.counter_batch_s * 1e3)}. Watts are held in between.`);
  return [...new Set(notes)];
}

function add(into: Map<string, { message: string; labels: string[] }>, warning: WarningEntry, label: string): void {
  const known = into.get(warning.message);
  if (known) known.labels.push(label);
  else into.set(warning.message, { message: warning.message, labels: [label] });
}

function list(names: readonly string[]): string {
  if (names.length < 2) return names[0] ?? "";
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;
}

/** How a run ended, when it did not come to its end. Null for a whole run. */
export function endWords(row: RunRow): string | null {
  const { prompts_done: done, prompts_planned: planned, net_energy_per_token_j: figure } = row;
  if (row.state === "completed") return null;
  if (row.state === "running") return `Running, ${done} of ${planned} prompts done.`;
  const why =
    row.end_reason === "power_lost"
      ? "Power readings ended. "
      : row.end_reason === "server_lost"
        ? "LM Studio stopped answering. "
        : row.end_reason === "no_samples"
          ? "No power sample came. "
          : "";
  return `${why}Stopped after ${done} of ${planned} prompts. Samples are kept${figure === null ? ", no figure is given" : ""}.`;
}

/** One line of the environment. */
export interface Fact {
  name: string;
  value: string;
}

function joined(parts: readonly (string | null)[], missing: string): string {
  const known = parts.filter((part) => part !== null && part !== "");
  return known.length === 0 ? `${DASH} ${missing}` : known.join(", ");
}

/** What the run was made on. A value that nobody reported is a dash and says so. */
export function environmentOf({ report }: RunDetail, rails: { dram: boolean; system: boolean } | null): Fact[] {
  const { environment: env, model_details: model, power_source: source, server, settings, simulation } = report;
  const asked = source.requested_interval_ms === null ? null : `${interval(source.requested_interval_ms)} asked`;
  const measured = report.achieved_interval_ms === null ? null : `${interval(report.achieved_interval_ms)} measured`;
  const engine = joined([server.engine.name, server.engine.version], "not reported").replace(", ", " ");
  return [
    { name: "Chip", value: joined([env.chip], "not known") },
    { name: "Cores", value: env.cores === null ? `${DASH} not known` : count(env.cores) },
    { name: "Memory", value: env.memory_bytes === null ? `${DASH} not known` : bytes(env.memory_bytes) },
    { name: "System", value: joined([env.os, env.kernel], "not known") },
    { name: server.lm_studio ? "LM Studio" : "Server", value: joined([simulation.server ? "simulated" : null, server.app_version ?? (simulation.server ? null : `${DASH} version not reported`)], "not reported") },
    { name: "Engine", value: engine },
    { name: "Model", value: joined([report.model, model.quantization, model.size_bytes === null ? null : bytes(model.size_bytes)], "not known") },
    { name: "Context", value: joined([model.context_length === null ? null : count(model.context_length), model.parallel === null ? null : `parallel ${model.parallel}`], "not reported") },
    { name: "Power", value: env.supply === null ? `${DASH} supply not known` : env.supply === "ac" ? "Adapter" : "Battery" },
    { name: "Sampling", value: joined([asked, measured], "not measured") },
    { name: "Source", value: joined([simulation.power ? `simulated ${source.name}` : source.name, source.samplers.length === 0 ? null : source.samplers.join(", ")], "not known") },
    ...(rails === null || rails.dram ? [] : [{ name: "DRAM", value: `${DASH} not reported by the source` }]),
    ...(rails === null || rails.system ? [] : [{ name: "System power", value: `${DASH} not reported by the source` }]),
    { name: "Phases", value: `baseline ${interval(settings.baseline_s * 1e3)}, cooldown ${interval(settings.cooldown_s * 1e3)}` },
    { name: "Nonce", value: settings.nonce ? "On" : "Off" },
    { name: "Seed", value: `${settings.seed}, temperature ${settings.temperature}` },
    { name: "Made with", value: `${report.tool.name} ${report.tool.version}` },
  ];
}
