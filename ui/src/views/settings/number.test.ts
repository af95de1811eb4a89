import { describe, expect, it } from "vitest";
import { allowed, fieldText, parseNumber, type NumberRule } from "./number";

const interval: NumberRule = { min: 100, max: 60_000, whole: true, unit: "ms" };
const price: NumberRule = { min: 0, max: 100, whole: false, unit: "", optional: true };

describe("numbers in fields", () => {
  it("takes what is within the range", () => {
    expect(parseNumber("250", interval)).toEqual({ ok: true, value: 250 });
    expect(parseNumber("60 000", interval)).toEqual({ ok: true, value: 60_000 });
    expect(parseNumber("0,30", price)).toEqual({ ok: true, value: 0.3 });
  });
  it("says in one line what is allowed", () => {
    for (const wrong of ["99", "60001", "1.5", "", "abc", "-5", "1e3", "NaN", "0x10"]) {
      expect(parseNumber(wrong, interval)).toEqual({
        ok: false,
        message: "A whole number from 100 to 60,000\u00a0ms.",
      });
    }
    expect(allowed(price)).toBe("A number from 0 to 100, or empty for off.");
  });
  it("keeps empty apart from zero", () => {
    expect(parseNumber("", price)).toEqual({ ok: true, value: null });
    expect(parseNumber("0", price)).toEqual({ ok: true, value: 0 });
    expect(fieldText(null)).toBe("");
    expect(fieldText(0)).toBe("0");
  });
});
