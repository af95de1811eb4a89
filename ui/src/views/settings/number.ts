// Numbers as people type them into a settings field.

/** What a field takes; bounds are included. */
export interface NumberRule {
  min: number;
  max: number;
  whole: boolean;
  /** Unit as shown behind the field; empty for none. */
  unit: string;
  /** True when an empty field is a value of its own: not set. */
  optional?: boolean;
}

export type Typed = { ok: true; value: number | null } | { ok: false; message: string };

/** Reads the field. A comma or a point separates decimals, spaces between digits are taken. */
export function parseNumber(text: string, rule: NumberRule): Typed {
  const plain = text.replace(/[\s\u00a0\u202f]/g, "").replace(",", ".");
  if (plain === "" && rule.optional) return { ok: true, value: null };
  const wrong: Typed = { ok: false, message: allowed(rule) };
  if (!/^\d+(\.\d+)?$/.test(plain)) return wrong;
  const value = Number(plain);
  if (!Number.isFinite(value) || value < rule.min || value > rule.max) return wrong;
  if (rule.whole && !Number.isInteger(value)) return wrong;
  return { ok: true, value };
}

/** What the field takes, as one line. */
export function allowed({ min, max, whole, unit, optional }: NumberRule): string {
  const kind = whole ? "A whole number" : "A number";
  const range = `${kind} from ${group(min)} to ${group(max)}${unit === "" ? "" : `\u00a0${unit}`}`;
  return optional ? `${range}, or empty for off.` : `${range}.`;
}

/** What stands in the field for a value. */
export function fieldText(value: number | null): string {
  return value === null ? "" : String(value);
}

function group(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 6 });
}
