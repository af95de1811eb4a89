// The checks of the Diagnostics page in words: a result is a word and a shape, the colour comes last.

import type { CheckRow } from "../../lib/backend/bindings";

/** The word of each result, for the text and for those who can't see the shape. */
export const RESULT_WORD: Record<CheckRow["result"], string> = {
  pass: "Pass",
  fail: "Fail",
  unknown: "Not known",
  does_not_apply: "Does not apply",
};

/** "10 of 11 checks pass"; checks that don't apply here are not counted. */
export function summary(rows: readonly CheckRow[]): string {
  const counted = rows.filter((row) => row.result !== "does_not_apply");
  const pass = counted.filter((row) => row.result === "pass").length;
  return `${pass} of ${counted.length} checks pass`;
}

/** All checks as plain text, one line each, what to do next indented under it. */
export function asText(rows: readonly CheckRow[], checkedAt: string): string {
  const lines = [`Joulebar diagnostics, ${checkedAt}`, summary(rows), ""];
  const width = Math.max(0, ...rows.map((row) => RESULT_WORD[row.result].length));
  for (const row of rows) {
    const word = RESULT_WORD[row.result];
    lines.push(`${word.padEnd(width)}  ${row.title}: ${row.detail}`);
    if (row.next !== null) lines.push(`${" ".repeat(width)}  ${row.next}`);
  }
  return `${lines.join("\n")}\n`;
}
