import { describe, expect, it } from "vitest";
import { columnsOf, decodeColumns, emptyColumns, encodeColumns, firstAfter, type PowerColumns } from "./columns";
import { decimate, samplesIn } from "./decimate";
import { liveMarks, marks, times } from "./scale";

/** Samples of 250 ms with the powers of `mw(i)`. */
function regular(n: number, mw: (i: number) => number): PowerColumns {
  const columns = emptyColumns(n);
  for (let i = 0; i < n; i++) {
    columns.start[i] = i * 250;
    columns.span[i] = 250;
    columns.gpu[i] = mw(i);
    columns.soc[i] = mw(i);
  }
  return columns;
}

/** The plain way, sample by sample. */
function slowly(columns: PowerColumns, from: number, to: number, width: number): (number | null)[] {
  const result: (number | null)[] = [];
  for (let x = 0; x < width; x++) {
    const [begin, end] = [from + (x * (to - from)) / width, from + ((x + 1) * (to - from)) / width];
    let [sum, known] = [0, 0];
    for (let i = 0; i < columns.length; i++) {
      const last = (columns.start[i] ?? 0) + (columns.span[i] ?? 0);
      const value = columns.soc[i] ?? Number.NaN;
      if (last > begin && last <= end && !Number.isNaN(value)) {
        sum += value * (columns.span[i] ?? 0);
        known += columns.span[i] ?? 0;
      }
    }
    result.push(known > 0 ? sum / known : null);
  }
  return result;
}

describe("columns", () => {
  it("go round through their binary form", () => {
    const columns = regular(5, (i) => i * 1000);
    const again = decodeColumns(encodeColumns(columns));
    expect(again.soc).toEqual(columns.soc);
    expect(again.start).toEqual(columns.start);
    expect(again.cpu.every(Number.isNaN)).toBe(true);
  });
  it("that are not whole are refused", () => {
    expect(() => decodeColumns(new ArrayBuffer(4))).toThrow(RangeError);
    expect(() => decodeColumns(encodeColumns(regular(5, () => 1)).slice(0, -4))).toThrow(RangeError);
  });
  it("of live samples keep what is missing missing", () => {
    const columns = columnsOf([
      { start_ns: 1e9, end_ns: 2e9, soc_mw: 5, cpu_mw: null, gpu_mw: 0, ane_mw: null, dram_mw: null, system_mw: null },
    ]);
    expect([columns.start[0], columns.span[0], columns.gpu[0], columns.soc[0]]).toEqual([1000, 1000, 0, 5]);
    expect(columns.cpu[0]).toBeNaN();
  });
  it("find the first sample that ends after an instant", () => {
    const columns = regular(4, () => 1);
    expect([-1, 0, 249, 250, 999, 1000].map((ms) => firstAfter(columns, ms))).toEqual([0, 0, 0, 1, 3, 4]);
  });
});

describe("decimation", () => {
  it("keeps the mean of every column whatever the zoom", () => {
    const columns = regular(3000, (i) => (i * 7919) % 40_000);
    for (const [from, to, width] of [[0, 750_000, 37], [1000, 700_000, 7], [12_345, 400_000, 300], [0, 250_000, 1000]] as const) {
      const fast = [...decimate(columns, from, to, width).mean.soc].map((value) => (Number.isNaN(value) ? null : value));
      const slow = slowly(columns, from, to, width);
      let shown = 0;
      for (let x = 0; x < width - 1; x++) {
        const [a, b] = [fast[x] ?? null, slow[x] ?? null];
        if (a === null || b === null) expect(a).toBe(b);
        else {
          expect(Math.abs(a - b)).toBeLessThan(1);
          shown++;
        }
      }
      expect(shown).toBeGreaterThan(5);
    }
  });
  it("keeps the highest sample", () => {
    const columns = regular(10_000, (i) => (i === 5000 ? 35_000 : 2000));
    const { high, mean } = decimate(columns, 0, 2_500_000, 100);
    expect(Math.max(...high)).toBe(35_000);
    expect(Math.max(...mean.soc)).toBeLessThan(3000);
  });
  it("leaves a column with a gap empty, and bridges none", () => {
    const columns = regular(1000, () => 5000);
    for (let i = 500; i < 1000; i++) columns.start[i] = (columns.start[i] ?? 0) + 60_000;
    const { mean } = decimate(columns, 0, 310_000, 31);
    const empty = [...mean.soc].filter(Number.isNaN).length;
    expect(empty).toBeGreaterThanOrEqual(5);
    expect(empty).toBeLessThanOrEqual(8);
    expect(Math.min(...[...mean.soc].filter((value) => !Number.isNaN(value)))).toBe(5000);
  });
  it("of nothing is nothing", () => {
    expect([...decimate(emptyColumns(0), 0, 1000, 3).mean.soc]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect(samplesIn(emptyColumns(0), 0, 1000)).toBe(0);
  });
});

describe("axes", () => {
  it("end above the highest value in steps of 1, 2 or 5", () => {
    expect(marks(52_000)).toEqual([0, 20_000, 40_000, 60_000]);
    expect(marks(9_800)).toEqual([0, 5_000, 10_000]);
    expect(marks(Number.NaN).at(-1)).toBeGreaterThan(0);
    for (let mw = 1; mw < 1e6; mw = Math.ceil(mw * 1.37)) {
      const axis = marks(mw);
      expect(axis.at(-1)).toBeGreaterThanOrEqual(mw);
      expect(axis.length).toBeLessThanOrEqual(5);
      expect(axis.length).toBeGreaterThanOrEqual(3);
    }
  });
  it("have three marks in a live chart, with little of it left empty", () => {
    expect(liveMarks(52_000)).toEqual([0, 30_000, 60_000]);
    expect(liveMarks(31_000)).toEqual([0, 20_000, 40_000]);
    expect(liveMarks(170)).toEqual([0, 100, 200]);
    expect(liveMarks(104_000)).toEqual([0, 100_000, 200_000]);
    for (let mw = 1; mw < 1e6; mw = Math.ceil(mw * 1.37)) {
      expect(liveMarks(mw)).toHaveLength(3);
      expect(liveMarks(mw).at(-1)).toBeGreaterThanOrEqual(mw);
    }
  });
  it("have times that do not crowd", () => {
    expect(times(0, 60_000, 400)).toEqual([0, 15_000, 30_000, 45_000, 60_000]);
    expect(times(5, 5, 400)).toEqual([]);
  });
});
