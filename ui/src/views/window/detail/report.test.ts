import { describe, expect, it } from "vitest";
import type { PromptReport, RunRow } from "../../../lib/backend/bindings";
import { detailOf, RECORDINGS, rowOf } from "../../../lib/backend/recording";
import { endWords, energyByPhase, environmentOf, median, notesOf, phaseName, phasesOf, promptRows, splitReason, sumOf } from "./report";

const { full } = RECORDINGS;
const row = rowOf(full, 1, full.benchmark_id);
const detail = detailOf(full, row);
const first = full.prompts[0] as PromptReport;

function changed(change: (prompt: PromptReport) => PromptReport): PromptReport {
  return change(structuredClone(first));
}

describe("the prompts of a run", () => {
  it("are called by their class and place in it", () => {
    expect(promptRows(detail.report).map((prompt) => prompt.label)).toEqual(["S1", "S2", "S3", "M1", "M2", "M3", "L1", "L2", "L3"]);
  });
  it("keep their id when the suite has none like it", () => {
    const report = { ...detail.report, suite: { ...detail.report.suite, prompts: [] } };
    expect(promptRows(report)[0]?.label).toBe(first.id);
  });
  it("have an answer that is not divided without a first token", () => {
    const prompt = changed((one) => ({ ...one, marks: { ...one.marks, first_token_ns: null } }));
    expect(phasesOf(prompt).map((span) => span.phase)).toEqual(["baseline", "decode", "cooldown"]);
    expect(phaseName("decode", prompt)).toBe("inference");
    expect(phaseName("decode", first)).toBe("decode");
  });
});

describe("sums and medians", () => {
  it("are missing when a part is", () => {
    expect(sumOf([1, 2, 3])).toBe(6);
    expect(sumOf([1, null])).toBeNull();
    expect(sumOf([])).toBeNull();
    expect(median([3, null, 1, 2])).toBe(2);
    expect(median([null])).toBeNull();
  });
});

describe("energy by phase", () => {
  it("is one part, not split, where prefill was too short", () => {
    const parts = energyByPhase(full.prompts) ?? [];
    expect(parts.map((part) => part.key)).toEqual(["none"]);
    expect(parts[0]?.joules).toBeCloseTo(full.summary.net_energy_j ?? 0, 6);
    expect(parts[0]?.share).toBe(1);
  });
  it("adds up to the net energy where it is split", () => {
    const split = changed((one) => ({ ...one, energy: { ...one.energy, net_j: 30, split: { ...one.energy.split, prefill_net_j: 4, decode_net_j: 25 } } }));
    const parts = energyByPhase([split]) ?? [];
    expect(parts.map((part) => [part.key, part.joules])).toEqual([["prefill", 4], ["decode", 25], ["rest", 1]]);
  });
  it("has no shares of an energy that is not above zero", () => {
    const below = changed((one) => ({ ...one, energy: { ...one.energy, net_j: -2 } }));
    expect(energyByPhase([below])?.[0]).toMatchObject({ joules: -2, share: null });
  });
  it("is not known without net energies", () => {
    expect(energyByPhase([])).toBeNull();
    expect(energyByPhase([changed((one) => ({ ...one, error: "gone" }))])).toBeNull();
  });
});

describe("notes", () => {
  const of = (prompts: PromptReport[]): string[] => {
    const report = { ...detail.report, prompts };
    return notesOf(report, promptRows(report));
  };
  it("say that one pass has no interval", () => {
    expect(of([first])).toContain("One pass, no interval.");
  });
  it("name the prompts of a warning once", () => {
    const warned = full.prompts.slice(0, 2).map((prompt) => ({ ...prompt, warnings: [{ code: "on_battery", message: "it is hot" }] }));
    expect(of(warned)).toContain("S1 and S2: It is hot.");
  });
  it("say which prompts were too short to split", () => {
    expect(of(full.prompts)).toContain("Prefill was too short to split in all nine prompts. Their energy counts in full.");
    expect(splitReason("the API does not show the first token")).toBe("The API does not show the first token.");
  });
  it("say why there is no figure", () => {
    const report = { ...detail.report, summary: { ...detail.report.summary, net_energy_per_token_j: null, null_reason: "4 of 9 prompts have a whole answer" } };
    expect(notesOf(report, promptRows(report))[0]).toBe("No figure: 4 of 9 prompts have a whole answer.");
  });
});

describe("the end of a run", () => {
  const ended = (change: Partial<RunRow>): string | null => endWords({ ...row, ...change });
  it("is not mentioned when it is whole", () => {
    expect(ended({})).toBeNull();
  });
  it("says how far it came and that nothing is given", () => {
    expect(ended({ state: "interrupted", end_reason: "interrupted", prompts_done: 4, net_energy_per_token_j: null })).toBe(
      "Stopped after 4 of 9 prompts. Samples are kept, no figure is given.",
    );
    expect(ended({ state: "interrupted", end_reason: "server_lost", prompts_done: 4, net_energy_per_token_j: null })).toMatch(/^LM Studio stopped answering\. Stopped/);
  });
  it("has not come yet while it runs", () => {
    expect(ended({ state: "running", end_reason: null, prompts_done: 2 })).toBe("Running, 2 of 9 prompts done.");
  });
});

describe("the environment", () => {
  it("has a dash and a reason for what nobody reported", () => {
    const facts = Object.fromEntries(environmentOf(detail, { dram: false, system: false }).map((fact) => [fact.name, fact.value]));
    expect(facts["DRAM"]).toBe("— not reported by the source");
    expect(facts["Power"]).toBe("— supply not known");
    expect(facts["LM Studio"]).toMatch(/^simulated, /);
    expect(facts["Sampling"]).toBe("250\u00a0ms asked, 257\u00a0ms measured");
  });
  it("is silent about rails before the samples are read", () => {
    expect(environmentOf(detail, null).map((fact) => fact.name)).not.toContain("DRAM");
  });
});
