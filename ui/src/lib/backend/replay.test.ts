import { describe, expect, it, vi } from "vitest";
import type { Backend } from "./backend";
import type { LiveMessage, Snapshot } from "./bindings";
import { decodeColumns } from "../chart/columns";
import { now } from "../clock";
import { makeReplay } from "./replay";
import { STATES } from "./states";

async function first(backend: Backend): Promise<LiveMessage & { snapshot: Snapshot }> {
  const messages: LiveMessage[] = [];
  const stop = await backend.watch((message) => messages.push(message));
  stop();
  const [message] = messages;
  if (!message?.snapshot) throw new Error("no snapshot came first");
  return { ...message, snapshot: message.snapshot };
}

const open = (query: string): Backend => makeReplay(new URLSearchParams(query));

describe("a replay", () => {
  it.each(STATES)("marks %s as simulated and gives it whole", async (state) => {
    const { snapshot, samples, now_ns } = await first(open(`state=${state}`));
    expect(snapshot.simulated && snapshot.demo).toBe(true);
    expect(snapshot.can_run).toBe(snapshot.blocked === null);
    for (const sample of samples) expect(sample.end_ns).toBeLessThanOrEqual(now_ns);
    if (snapshot.power.state === "none") expect(samples).toEqual([]);
  });

  it("shows no sample after the last one that came", async () => {
    const { samples, now_ns } = await first(open("state=stale"));
    expect(now_ns - (samples.at(-1)?.end_ns ?? 0)).toBeGreaterThanOrEqual(6e9);
  });

  it("ends early with no figure and with the time that it took", async () => {
    const { snapshot } = await first(open("state=interrupted"));
    if (snapshot.run.status !== "finished") throw new Error("not finished");
    const { result } = snapshot.run;
    expect(result).toMatchObject({ done: 4, planned: 9, end_reason: "server_lost", net_energy_per_token_j: null });
    expect(result.duration_s).toBeLessThan(100);
  });

  it("moves on when told to", async () => {
    const backend = open("");
    const seen: string[] = [];
    const stop = await backend.watch(({ snapshot }) => {
      if (!snapshot) return;
      const { run } = snapshot;
      seen.push(run.status === "running" && run.progress.stopping ? "stopping" : run.status === "finished" ? run.result.end_reason : run.status);
    });
    await backend.startRun("full", null);
    await backend.stopRun();
    await backend.stopRun();
    await backend.dismissResult();
    stop();
    expect(seen).toEqual(["idle", "running", "stopping", "interrupted", "idle"]);
  });

  it("refuses a run that can't be, with its reason", async () => {
    await expect(open("state=not_running").startRun("quick", null)).rejects.toMatchObject({ code: "unavailable", message: "Needs LM Studio." });
  });

  it("stands still, on the day it was recorded", async () => {
    const backend = open("");
    expect((await first(backend)).now_ns).toBe((await first(backend)).now_ns);
    expect(now().toISOString().slice(0, 10)).toBe("2026-11-24");
  });

  it("plays to the end of the run", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    const backend = open("state=running&play=40");
    const statuses = new Set<string>();
    const stop = await backend.watch(({ snapshot }) => statuses.add(snapshot?.run.status ?? ""));
    vi.advanceTimersByTime(10_000);
    stop();
    vi.useRealTimers();
    expect([...statuses]).toEqual(["running", "finished"]);
  });

  it("has samples for every run of its history", async () => {
    const backend = open("");
    const { rows, total } = await backend.listRuns({ text: null, simulated: null, by: "started", ascending: false, limit: 100, offset: 0 });
    expect([rows.length, total]).toEqual([15, 15]);
    for (const row of rows) {
      const [detail, samples] = [await backend.runDetail(row.id), decodeColumns(await backend.runSamples(row.id))];
      expect(samples.length).toBe(detail.sample_count);
      expect(detail.report.prompts.length).toBe(row.prompts_done);
    }
    await expect(backend.runDetail(99)).rejects.toMatchObject({ code: "no_such_run" });
  });
});
