import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connect } from "../backend";
import type { LiveMessage, LiveSample } from "../backend/bindings";
import { makeReplay } from "../backend/replay";
import { live } from "./live.svelte";

/** A second of 5 W that ends at `end` seconds. */
function sample(end: number): LiveSample {
  return { start_ns: (end - 1) * 1e9, end_ns: end * 1e9, soc_mw: 5000, cpu_mw: 1000, gpu_mw: 4000, ane_mw: 0, dram_mw: null, system_mw: null };
}

function message(now: number, ends: readonly number[], change: Partial<LiveMessage> = {}): LiveMessage {
  return { snapshot: null, samples: ends.map(sample), phases: null, now_ns: now * 1e9, ...change };
}

const seconds = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const ends = (): number[] => live.samples.map((one) => one.end_ns / 1e9);

let send: ((message: LiveMessage) => void) | null;
let unwatched: number;
let hidden: boolean;

function setHidden(to: boolean): void {
  hidden = to;
  document.dispatchEvent(new Event("visibilitychange"));
}

beforeEach(async () => {
  [send, unwatched, hidden] = [null, 0, false];
  live.samples = [];
  live.phases = [];
  live.snapshot = null;
  live.problem = null;
  vi.spyOn(document, "hidden", "get").mockImplementation(() => hidden);
  const backend = makeReplay(new URLSearchParams());
  backend.watch = async (on) => {
    send = on;
    return () => {
      send = null;
      unwatched++;
    };
  };
  await connect(backend);
});
afterEach(() => vi.restoreAllMocks());

describe("live state", () => {
  it("adds what is new and keeps no more than a minute", () => {
    live.take(message(60, seconds(1, 60)));
    live.take(message(62, [61, 62]));
    expect(ends()).toEqual(seconds(3, 62));
    expect([live.from, live.to]).toEqual([2000, 62_000]);
    expect(live.columns.length).toBe(60);
  });

  it("keeps its snapshot and phases when a message has none", () => {
    live.take(message(1, [1], { phases: [{ phase: "decode", start_ns: 0, end_ns: null }] }));
    live.take(message(2, [2]));
    expect(live.phases).toEqual([{ phase: "decode", start_ns: 0, end_ns: null }]);
    expect(live.snapshot).toBeNull();
  });

  it("takes a minute that begins in the past as a fresh one", () => {
    live.take(message(30, seconds(1, 30)));
    live.take(message(32, seconds(20, 32)));
    expect(ends()).toEqual(seconds(20, 32));
  });

  it("makes missing rails missing, never zero", () => {
    live.take(message(1, [1]));
    expect(live.columns.dram[0]).toBeNaN();
    expect(live.columns.ane[0]).toBe(0);
  });

  it("asks for nothing while hidden and starts anew when seen again", async () => {
    const end = live.follow();
    await vi.waitFor(() => expect(send).not.toBeNull());
    send?.(message(5, seconds(1, 5)));
    setHidden(true);
    await vi.waitFor(() => expect(unwatched).toBe(1));
    expect(send).toBeNull();
    setHidden(false);
    await vi.waitFor(() => expect(send).not.toBeNull());
    send?.(message(100, seconds(50, 100)));
    expect(ends()).toEqual(seconds(50, 100));
    end();
    await vi.waitFor(() => expect(unwatched).toBe(2));
  });

  it("does not begin on a hidden page", async () => {
    hidden = true;
    const end = live.follow();
    await Promise.resolve();
    expect(send).toBeNull();
    end();
  });

  it("lets go of what was granted after the page had gone", async () => {
    const end = live.follow();
    end();
    await vi.waitFor(() => expect(unwatched).toBe(1));
  });

  it("says why nothing can be followed", async () => {
    const backend = makeReplay(new URLSearchParams());
    backend.watch = () => Promise.reject(new Error("The app is quitting."));
    await connect(backend);
    const end = live.follow();
    await vi.waitFor(() => expect(live.problem).toBe("The app is quitting."));
    end();
  });
});
