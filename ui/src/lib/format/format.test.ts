import { describe, expect, it } from "vitest";
import * as f from "./index";

/** Rows of the design's table of quantities; spaces in the expectations are no-break spaces. */
const nb = (text: string): string => text.replaceAll("_", "\u00a0").replaceAll("-", "\u2212");

describe("figures", () => {
  it.each([
    [18_420, "18.4_W"],
    [141, "141_mW"],
    [104_200, "104_W"],
    [0, "0_mW"],
    [999.4, "999_mW"],
    [999.6, "1.0_W"],
    [99_940, "99.9_W"],
    [99_960, "100_W"],
    [-800, "-800_mW"],
  ])("power of %s mW is %s", (mw, text) => expect(f.power(mw)).toBe(nb(text)));
  it("power stays in watts below 1 W when milliwatts are off", () => expect(f.power(141, false)).toBe(nb("0.1_W")));
  it.each([
    [0.42, "0.42_J"],
    [59.3, "59.3_J"],
    [623, "623_J"],
    [15_158, "15,158_J"],
    [-0.8, "-0.80_J"],
    [-0.001, "0.00_J"],
    [9.996, "10.0_J"],
  ])("energy of %s J is %s", (j, text) => expect(f.energy(j)).toBe(nb(text)));
  it("a whole run is in watt hours", () => expect(f.wattHours(15_158)).toBe(nb("4.21_Wh")));
  it("energy per token has three decimals", () => expect(f.perToken(0.5811)).toBe(nb("0.581_J/token")));
  it("speed has one decimal below 100", () => {
    expect(f.rate(53.92)).toBe(nb("53.9_tok/s"));
    expect(f.rateValue(384.2)).toBe("384");
  });
  it("the time to the first token is in milliseconds", () => expect(f.milliseconds(1283.4)).toBe(nb("1,283_ms")));
  it.each([
    [10.3, "10.3_s"],
    [2327, "38_min 47_s"],
    [7500, "2_h 5_min"],
    [59.97, "1_min 0_s"],
  ])("a duration of %s s is %s", (s, text) => expect(f.duration(s)).toBe(nb(text)));
  it("places on the time axis", () => {
    expect(f.runTime(480)).toBe("8:00");
    expect(f.runTime(1298.9, true)).toBe("21:38.9");
    expect(f.runTime(59.96, true)).toBe("1:00.0");
    expect(f.runTime(3599.97, true)).toBe("1:00:00.0");
    expect(f.runTime(3723)).toBe("1:02:03");
  });
  it("a share has no decimals", () => expect(f.share(0.4203)).toBe(nb("42_%")));
  it("counts and sizes", () => {
    expect(f.count(12_992)).toBe("12,992");
    expect(f.bytes(4.62e9)).toBe(nb("4.62_GB"));
  });
  it("intervals", () => {
    expect(f.interval(250)).toBe(nb("250_ms"));
    expect(f.interval(1000)).toBe(nb("1_s"));
    expect(f.interval(2500)).toBe(nb("2.5_s"));
  });
  it("correlations", () => {
    expect(f.correlation(-0.1365)).toBe("\u22120.14");
    expect(f.correlation(1)).toBe("1.00");
  });
  it("what is left is a guess", () => {
    expect(f.left(480)).toBe(nb("About 8_min left"));
    expect(f.left(42)).toBe(nb("About 40_s left"));
  });
  it("missing is a dash, and never a zero", () => {
    for (const format of [f.power, f.energy, f.wattHours, f.perToken, f.rate, f.milliseconds, f.seconds, f.duration, f.share, f.count, f.bytes, f.interval, f.left, f.runTime, f.correlation]) {
      expect(format(null)).toBe("\u2014");
      expect(format(Number.NaN)).toBe("\u2014");
    }
  });
});

describe("dates", () => {
  const now = new Date(2026, 10, 24, 15, 0);
  const iso = (...parts: [number, number, number, number, number]): string => new Date(...parts).toISOString();
  it("are as near as they need", () => {
    expect(f.day(iso(2026, 10, 24, 14, 51), now)).toBe("Today 14:51");
    expect(f.day(iso(2026, 10, 23, 21, 15), now)).toBe("Yesterday 21:15");
    expect(f.day(iso(2026, 10, 22, 16, 31), now)).toBe("22 Nov, 16:31");
    expect(f.day(iso(2025, 10, 22, 16, 31), now)).toBe("22 Nov 2025, 16:31");
    expect(f.day("nonsense", now)).toBe("\u2014");
  });
});
