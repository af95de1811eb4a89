import { describe, expect, it } from "vitest";
import { checkName, checkSuite, freeId, freeName, parseMaxTokens, type DraftPrompt, type DraftSuite } from "./check";

const prompt = (change: Partial<DraftPrompt> = {}): DraftPrompt => ({
  id: "a",
  category: "short",
  title: "",
  prompt: "Hi",
  max_tokens: "64",
  ...change,
});
const suite = (...prompts: DraftPrompt[]): DraftSuite => ({ name: "Mine", description: "", prompts });

describe("suite rules", () => {
  it("finds nothing wrong with a good suite", () => {
    expect(checkSuite(suite(prompt()), ["standard"]).count).toBe(0);
  });
  it("names the field that breaks a rule", () => {
    const found = checkSuite(suite(prompt(), prompt({ id: "b", prompt: " \n", max_tokens: "0" })), []);
    expect(found.prompts[0]).toEqual({});
    expect(found.prompts[1]).toEqual({ prompt: "The prompt is empty.", max_tokens: "A whole number, 1 or more." });
    expect(found.count).toBe(2);
  });
  it("refuses ids that stand twice or hold other letters", () => {
    expect(checkSuite(suite(prompt(), prompt()), []).prompts[0]?.id).toContain("twice");
    expect(checkSuite(suite(prompt({ id: "a b" })), []).prompts[0]?.id).toContain("letters");
  });
  it("asks for a prompt and for at most 1,000", () => {
    expect(checkSuite(suite(), []).whole).toContain("at least one");
    const many = Array.from({ length: 1_001 }, (_, index) => prompt({ id: `p${index}` }));
    expect(checkSuite(suite(...many), []).whole).toContain("1,000");
  });
  it("refuses a name that is empty or taken whatever its case", () => {
    expect(checkName(" ", [])).toContain("needs a name");
    expect(checkName("Standard", ["standard"])).toContain("Another suite");
    expect(checkName("Mine", ["standard"])).toBeNull();
  });
});

describe("fields", () => {
  it("reads whole numbers with or without separators", () => {
    expect(parseMaxTokens("1,024")).toBe(1024);
    expect(parseMaxTokens(" 64 ")).toBe(64);
    for (const wrong of ["", "0", "-1", "1.5", "1e3", "99999999999", "4294967296"])
      expect(parseMaxTokens(wrong)).toBeNull();
  });
  it("finds names and ids that are free", () => {
    expect(freeName("standard copy", ["standard copy", "Standard copy 2"])).toBe("standard copy 3");
    expect(freeId("long", [prompt({ id: "long-1" })])).toBe("long-2");
  });
});
