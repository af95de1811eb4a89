// Figures as VoiceOver should read them: units in full, and words for the dash.

const UNITS: Record<string, string> = {
  W: "watts",
  mW: "milliwatts",
  J: "joules",
  Wh: "watt-hours",
  "J/token": "joules per token",
  "tok/s": "tokens per second",
  ms: "milliseconds",
  s: "seconds",
  min: "minutes",
  h: "hours",
};

/** A formatted figure in words: `18.4 W` becomes `18.4 watts`, `—` becomes `not available`. */
export function spoken(text: string): string {
  return text
    .split(/[\s\u00a0\u202f]+/)
    .map((word) => (word === "—" ? "not available" : (UNITS[word] ?? word.replace(/^−(?=\d)/, "minus "))))
    .join(" ");
}

/** Value and unit of a formatted figure, for setting them in two tones. The unit is empty when there is none. */
export function split(text: string): { value: string; unit: string } {
  const at = text.search(/[\s\u00a0\u202f]/);
  return at < 0 ? { value: text, unit: "" } : { value: text.slice(0, at), unit: text.slice(at + 1) };
}
