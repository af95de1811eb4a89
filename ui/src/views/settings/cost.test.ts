import { describe, expect, it } from "vitest";
import { costOfTokens } from "./cost";

describe("cost", () => {
  it("turns joules per token into energy, money and carbon dioxide", () => {
    const cost = costOfTokens(0.72, 1_000_000, { pricePerKwh: 0.3, co2GPerKwh: 380 });
    expect(cost?.energyKwh).toBeCloseTo(0.2, 12);
    expect(cost?.money).toBeCloseTo(0.06, 12);
    expect(cost?.co2G).toBeCloseTo(76, 9);
  });
  it("gives no figure for a rate that is not set, and zero for a rate of zero", () => {
    expect(costOfTokens(0.5, 1_000_000, { pricePerKwh: null, co2GPerKwh: 0 })).toMatchObject({ money: null, co2G: 0 });
  });
  it("gives nothing for energy that is missing and keeps a negative one", () => {
    expect(costOfTokens(null, 1_000_000, { pricePerKwh: 0.3, co2GPerKwh: 1 })).toBeNull();
    expect(costOfTokens(-0.36, 1_000_000, { pricePerKwh: 1, co2GPerKwh: null })?.money).toBeCloseTo(-0.1, 12);
  });
});
