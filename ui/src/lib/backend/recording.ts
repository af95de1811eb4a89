// Recorded sessions of the simulator, as `joulebar bench --demo` wrote them. Nothing in them is a measurement.

import full from "../../../recordings/full.json";
import quick from "../../../recordings/quick.json";
import { emptyColumns, encodeColumns, type PowerColumns } from "../chart/columns";
import type { Finished, LiveSample, PhaseSpan, PromptReport, Report, RunDetail, RunRow, SampleRow } from "./bindings";

/** The recorded reports: the standard suite once, and its quick form. */
export const RECORDINGS = { full: full as unknown as Report, quick: quick as unknown as Report };

/** Power of the chip: what the source calls combined, else the rails that it has. */
export function socMw(row: SampleRow): number | null {
  if (row.combined_mw !== null) return row.combined_mw;
  if (row.cpu_mw === null || row.gpu_mw === null) return null;
  return row.cpu_mw + row.gpu_mw + (row.ane_mw ?? 0);
}

export function liveSample(row: SampleRow): LiveSample {
  return {
    start_ns: row.start_ns,
    end_ns: row.end_ns,
    soc_mw: socMw(row),
    cpu_mw: row.cpu_mw,
    gpu_mw: row.gpu_mw,
    ane_mw: row.ane_mw,
    dram_mw: row.dram_mw,
    system_mw: row.system_mw,
  };
}

/** The samples as columns. */
export function columnsOfReport(report: Report): PowerColumns {
  const columns = emptyColumns(report.samples.length);
  report.samples.forEach((row, i) => {
    columns.start[i] = row.start_ns / 1e6;
    columns.span[i] = row.elapsed_ns / 1e6;
    columns.soc[i] = socMw(row) ?? Number.NaN;
    for (const rail of ["cpu", "gpu", "ane", "dram", "system"] as const) columns[rail][i] = row[`${rail}_mw`] ?? Number.NaN;
  });
  return columns;
}

export function samplesOf(report: Report): ArrayBuffer {
  return encodeColumns(columnsOfReport(report));
}

/** Phases of one prompt, from its marks. */
export function phasesOf(prompt: PromptReport): PhaseSpan[] {
  const m = prompt.marks;
  return [
    { phase: "baseline", start_ns: m.baseline_start_ns, end_ns: m.request_sent_ns },
    { phase: "prefill", start_ns: m.request_sent_ns, end_ns: m.first_token_ns ?? m.last_token_ns },
    ...(m.first_token_ns === null ? [] : [{ phase: "decode" as const, start_ns: m.first_token_ns, end_ns: m.last_token_ns }]),
    { phase: "cooldown", start_ns: m.last_token_ns, end_ns: m.cooldown_end_ns },
  ];
}

function median(values: number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  const [a, b] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return a === undefined || b === undefined ? null : (a + b) / 2;
}

export function ttftMedian(report: Report): number | null {
  return median(report.prompts.map((prompt) => prompt.inference_stats.time_to_first_token_ms).filter((ms) => ms !== null));
}

/** The row of a report in the history. */
export function rowOf(report: Report, id: number, startedAt: string, changes: Partial<RunRow> = {}): RunRow {
  return {
    id,
    started_at: startedAt,
    name: null,
    model: report.model,
    quantization: report.model_details.quantization,
    chip: report.environment.chip,
    prompts_done: report.summary.total_prompts,
    prompts_planned: report.summary.planned_prompts,
    net_energy_per_token_j: report.summary.net_energy_per_token_j,
    tokens_per_second: report.summary.avg_tokens_per_second,
    inference_power_mw: report.summary.avg_inference_power_mw,
    simulated: report.simulated,
    state: report.interrupted ? "interrupted" : "completed",
    end_reason: report.end_reason,
    tool_version: report.tool.version,
    ...changes,
  };
}

/** The report as it would be had the run been stopped after `done` prompts. */
export function cutAt(report: Report, done: number): Report {
  const prompts = report.prompts.slice(0, done);
  const end = prompts.at(-1)?.marks.cooldown_end_ns ?? 0;
  const reason = `${done} of ${report.summary.planned_prompts} prompts have a whole answer; a total needs all of them`;
  const summary = { ...report.summary, total_prompts: done, prompts_with_net_energy: done, net_energy_j: null, gross_energy_j: null, net_energy_per_token_j: null, tokens_per_wh: null, null_reason: reason };
  return { ...report, prompts, summary, interrupted: true, end_reason: "interrupted", samples: report.samples.filter((sample) => sample.end_ns <= end) };
}

/** The recording as the run of a row: begun when the row says, and no longer than it. */
export function reportOf(report: Report, row: RunRow): Report {
  const later = new Date(row.started_at).getTime() - new Date(report.benchmark_id).getTime();
  const segments = report.segments.map((segment) => ({ ...segment, started_at: new Date(new Date(segment.started_at).getTime() + later).toISOString() }));
  const moved = { ...report, benchmark_id: row.started_at, segments };
  return row.prompts_done < report.prompts.length ? cutAt(moved, row.prompts_done) : moved;
}

export function detailOf(recorded: Report, row: RunRow): RunDetail {
  const report = reportOf(recorded, row);
  const { samples, ...rest } = report;
  return { row, report: rest, sample_count: samples.length, scope: "GPU + CPU + ANE", ttft_median_ms: ttftMedian(report) };
}

/** What the popover shows when this run has ended. */
export function finishedOf(report: Report, runId: number, startedAt: string): Finished {
  const first = report.prompts[0]?.marks.baseline_start_ns ?? 0;
  const last = report.prompts.at(-1)?.marks.cooldown_end_ns ?? 0;
  return {
    run_id: runId,
    started_at: startedAt,
    duration_s: (last - first) / 1e9,
    model: report.model_details.display_name ?? report.model,
    preset: report.settings.quick ? "quick" : "full",
    suite: report.suite.name,
    done: report.summary.total_prompts,
    planned: report.summary.planned_prompts,
    end_reason: report.end_reason,
    simulated: report.simulated,
    net_energy_per_token_j: report.summary.net_energy_per_token_j,
    null_reason: report.summary.null_reason,
    scope: "GPU + CPU + ANE",
    tokens_per_s: report.summary.avg_tokens_per_second,
    inference_power_mw: report.summary.avg_inference_power_mw,
    ttft_median_ms: ttftMedian(report),
    gross_energy_j: report.summary.gross_energy_j,
    warnings: [...report.warnings, ...report.prompts.flatMap((prompt) => prompt.warnings)],
    message: null,
    seen: false,
  };
}
