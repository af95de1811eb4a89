import { describe, expect, it } from "vitest";
import type { CheckRow } from "../../lib/backend/bindings";
import { asText, summary } from "./checks";

const rows: CheckRow[] = [
  { id: "chip", title: "Apple silicon", result: "does_not_apply", detail: "This is Linux.", next: null },
  { id: "helper", title: "Helper", result: "pass", detail: "Found.", next: null },
  { id: "server", title: "LM Studio", result: "fail", detail: "No answer.", next: "Start its server." },
];

describe("checks", () => {
  it("counts only what applies", () => {
    expect(summary(rows)).toBe("1 of 2 checks pass");
  });
  it("are written with word, title, detail and next step", () => {
    const text = asText(rows, "24 Nov 2026, 14:52");
    expect(text).toContain("Joulebar diagnostics, 24 Nov 2026, 14:52\n1 of 2 checks pass\n");
    expect(text).toContain("Fail            LM Studio: No answer.\n                Start its server.\n");
    expect(text).toContain("Does not apply  Apple silicon: This is Linux.\n");
  });
});
