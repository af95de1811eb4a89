import { describe, expect, it } from "vitest";
import { correlation, logAxis, marks, spread, type Lengths } from "./spread";

const nine: Lengths[] = [
  [128, 128],
  [512, 128],
  [32, 320],
  [768, 512],
  [2048, 128],
  [96, 768],
  [3072, 1024],
  [6144, 256],
  [192, 1536],
].map(([tokensIn = 0, maxOut = 0], index) => ({ label: `P${index}`, tokensIn, maxOut }));

describe("correlation", () => {
  it("is one for lengths that grow together and minus one for the opposite", () => {
    expect(correlation([1, 2, 3], [10, 20, 30])).toBeCloseTo(1, 12);
    expect(correlation([1, 2, 3], [30, 20, 10])).toBeCloseTo(-1, 12);
  });
  it("is zero for three lengths crossed with three", () => {
    expect(correlation([1, 1, 1, 5, 5, 5, 9, 9, 9], [2, 4, 6, 2, 4, 6, 2, 4, 6])).toBeCloseTo(0, 12);
  });
  it("agrees with a value worked out elsewhere", () => {
    expect(
      correlation(
        nine.map((p) => p.tokensIn),
        nine.map((p) => p.maxOut),
      ),
    ).toBeCloseTo(-0.13647, 5);
  });
  it("is missing when it can't be known", () => {
    expect(correlation([1, 2], [1, 2])).toBeNull();
    expect(correlation([1, 2, 3], [5, 5, 5])).toBeNull();
  });
});

describe("spread", () => {
  it("says whether lengths are well spread", () => {
    expect(spread(nine).kind).toBe("well");
    const coupled = [1, 2, 3].map((n) => ({ label: "", tokensIn: n * 100, maxOut: n * 10 }));
    expect(spread(coupled).kind).toBe("coupled");
  });
  it("gives the reason when it is unknown", () => {
    expect(spread(nine.slice(0, 2))).toMatchObject({ kind: "unknown", reason: expect.stringContaining("Three") });
    const same = [1, 2, 3].map((n) => ({ label: "", tokensIn: n, maxOut: 64 }));
    expect(spread(same)).toMatchObject({ kind: "unknown", reason: expect.stringContaining("same length") });
  });
});

describe("plot", () => {
  const x = logAxis(
    nine.map((p) => p.tokensIn),
    34,
    242,
  );
  const y = logAxis(
    nine.map((p) => p.maxOut),
    108,
    4,
  );
  it("keeps every dot within the axes and ticks rising", () => {
    for (const mark of marks(nine, x, y, 248, 4)) {
      expect(mark.x).toBeGreaterThanOrEqual(34);
      expect(mark.x).toBeLessThanOrEqual(242);
      expect(mark.y).toBeGreaterThanOrEqual(4);
      expect(mark.y).toBeLessThanOrEqual(108);
    }
    expect(x.ticks.length).toBeGreaterThanOrEqual(2);
    expect(x.ticks.length).toBeLessThanOrEqual(4);
    expect([...x.ticks].sort((a, b) => a - b)).toEqual(x.ticks);
  });
  it("drops labels that would touch but keeps the chosen one", () => {
    const crowd = Array.from({ length: 40 }, (_, index) => ({
      label: `P${index}`,
      tokensIn: 100,
      maxOut: 100 + index,
    }));
    const placed = marks(crowd, logAxis([100], 34, 242), logAxis([100, 140], 108, 4), 248, 7);
    expect(placed.filter((mark) => mark.label).length).toBeLessThan(40);
    expect(placed.length).toBe(40);
  });
  it("has axes even without a prompt", () => {
    expect(logAxis([], 0, 100).ticks.length).toBeGreaterThan(1);
  });
});
