// Snapshots for the popover's tests. Never shown to anyone.
import type { Finished, ModelSummary, Progress, Reading, Snapshot } from "../../lib/backend/bindings";

export const reading: Reading = {
  end_ns: 60e9,
  soc_mw: 18_400,
  cpu_mw: 2_700,
  gpu_mw: 15_700,
  ane_mw: 0,
  dram_mw: null,
  system_mw: 31_000,
  scope: "GPU + CPU + ANE",
};

export function model(change: Partial<ModelSummary> = {}): ModelSummary {
  return {
    key: "qwen3-8b",
    display_name: "Qwen3 8B",
    quantization: "4-bit",
    format: "mlx",
    bits_per_weight: null,
    size_bytes: 4_620_000_000,
    context_length: 8192,
    loaded: true,
    ...change,
  };
}

export function progress(change: Partial<Progress> = {}): Progress {
  return {
    run_id: 7,
    started_at: "2026-11-24T14:51:00Z",
    model: "Qwen3 8B",
    preset: "full",
    suite: "standard",
    position: 4,
    planned: 9,
    prompts: ["done", "done", "failed", "now", "to_come", "to_come", "to_come", "to_come", "to_come"],
    prompt_id: "L1",
    prompt_title: "Review a Rust module",
    phase: "decode",
    phases: [
      { phase: "baseline", state: "done", elapsed_s: 10.3 },
      { phase: "prefill", state: "done", elapsed_s: 7.8 },
      { phase: "decode", state: "now", elapsed_s: 11.2 },
      { phase: "cooldown", state: "next", elapsed_s: null },
    ],
    tokens_per_s: 52.9,
    tokens: 592,
    max_tokens: 1024,
    gross_j: 499,
    eta_s: 480,
    stopping: false,
    simulated: false,
    notice: null,
    ...change,
  };
}

export function finished(change: Partial<Finished> = {}): Finished {
  return {
    run_id: 7,
    started_at: "2026-11-24T14:51:00Z",
    duration_s: 527,
    model: "Qwen3 8B",
    preset: "full",
    suite: "standard",
    done: 9,
    planned: 9,
    end_reason: "completed",
    simulated: false,
    net_energy_per_token_j: 0.581,
    null_reason: null,
    scope: "GPU + CPU + ANE",
    tokens_per_s: 53.9,
    inference_power_mw: 24_700,
    ttft_median_ms: 1283,
    gross_energy_j: 15_158,
    warnings: [],
    message: null,
    seen: false,
    ...change,
  };
}

export function snapshot(change: Partial<Snapshot> = {}): Snapshot {
  return {
    demo: false,
    has_demo: true,
    simulated: false,
    power: { state: "live", reading },
    server: {
      state: "ready",
      url: "http://localhost:1234",
      model: model(),
      others_loaded: [],
      lm_studio: true,
      version: "0.4.1",
      simulated: false,
    },
    run: { status: "idle" },
    can_run: true,
    blocked: null,
    last: null,
    unfinished: null,
    history: { count: 0, writable: true, notice: null },
    preset: "quick",
    estimate: "3 prompts, 1 pass. About 2 min.",
    ...change,
  };
}
