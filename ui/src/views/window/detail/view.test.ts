import { describe, expect, it } from "vitest";
import { emptyColumns, type PowerColumns } from "../../../lib/chart/columns";
import { seriesOf } from "../../../lib/chart/decimate";
import { clamp, pan, spaced, under, wholeOf, zoom } from "./view";

/** `n` samples of 250 ms from 1 s on; a gap of 800 ms before sample 4. */
function samples(n: number): PowerColumns {
  const columns = emptyColumns(n);
  for (let i = 0; i < n; i++) {
    columns.start[i] = 1000 + i * 250 + (i >= 4 ? 800 : 0);
    columns.span[i] = 250;
    columns.gpu[i] = i * 1000;
    columns.soc[i] = i * 1000;
  }
  return columns;
}

describe("the view of a run", () => {
  const whole = { from: 1000, to: 61_000 };
  it("reaches from the first sample to the end of the last", () => {
    expect(wholeOf(samples(8))).toEqual({ from: 1000, to: 3800 });
    expect(wholeOf(emptyColumns(0))).toEqual({ from: 0, to: 0 });
  });
  it("stays inside the run when it is moved or zoomed", () => {
    expect(clamp(pan({ from: 1000, to: 11_000 }, -5000), whole)).toEqual({ from: 1000, to: 11_000 });
    expect(clamp(pan({ from: 51_000, to: 61_000 }, 5000), whole)).toEqual({ from: 51_000, to: 61_000 });
    expect(clamp(zoom(whole, 1.25, 30_000), whole)).toEqual(whole);
  });
  it("keeps the place under the pointer while it zooms", () => {
    const near = zoom({ from: 0, to: 100 }, 0.5, 20);
    expect((20 - near.from) / (near.to - near.from)).toBeCloseTo(0.2);
  });
  it("is never shorter than a second", () => {
    const { from, to } = clamp({ from: 30_000, to: 30_010 }, whole);
    expect(to - from).toBe(1000);
    expect((from + to) / 2).toBeCloseTo(30_005);
  });
});

describe("under the cursor", () => {
  const columns = samples(8);
  const view = { from: 1000, to: 3800 };
  it("is one sample where they are wide", () => {
    expect(under(columns, view, 2800, 1300)).toMatchObject({ kind: "power", samples: 1, ms: 1375, highest: 1000 });
  });
  it("is the mean of a pixel column and its highest sample where they are dense", () => {
    const found = under(columns, view, 2, 1100);
    expect(found).toMatchObject({ kind: "power", highest: 3000 });
    expect(found?.kind === "power" ? found.mean.soc : null).toBeCloseTo(1500);
    expect(found?.kind === "power" ? found.mean.system : 0).toBeNull();
  });
  it("is a gap with its length, never the value before it", () => {
    expect(under(columns, view, 2800, 2300)).toEqual({ kind: "gap", ms: 2300, length: 800 });
  });
  it("is nothing without samples", () => {
    expect(under(emptyColumns(0), view, 100, 1100)).toBeNull();
    expect(under(columns, view, 2800, 9000)).toBeNull();
  });
});

describe("marks", () => {
  it("are left out before they touch", () => {
    const marks = [{ at: 0, text: "S1" }, { at: 10, text: "S2" }, { at: 40, text: "S3" }, { at: 95, text: "M1" }];
    expect(spaced(marks, 7, 100).map((mark) => mark.text)).toEqual(["S1", "S3"]);
  });
  it("know which series have a value", () => {
    expect(seriesOf(samples(3))).toMatchObject({ gpu: true, soc: true, dram: false, system: false });
  });
});
