import { expect, it } from "vitest";
import { usable } from "./locale";

it("a desktop without a language gets English, and any other keeps its own", () => {
  expect(usable("C")).toBe("en-US");
  expect(usable("de-DE")).toBe("de-DE");
});
