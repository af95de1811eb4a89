// Figures as people read them: the one place that converts units. Missing is a dash, negative has a real minus sign.

import { now as clockNow } from "../clock";

const SPACE = "\u00a0";
const MINUS = "\u2212";
/** What stands where nothing is known. */
export const DASH = "\u2014";

type Known = number | null | undefined;

function known(value: Known): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function fixed(value: number, decimals: number): string {
  const rounded = Math.abs(value).toLocaleString("en-US", {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  const zero = !/[1-9]/.test(rounded);
  return value < 0 && !zero ? MINUS + rounded : rounded;
}

function withUnit(text: string, unit: string): string {
  return text + SPACE + unit;
}

/** Power in milliwatts: `18.4 W`, `141 mW`, `104 W`. */
export function power(mw: Known, milliwattsBelow1W = true): string {
  if (!known(mw)) return DASH;
  const size = Math.abs(mw);
  if (milliwattsBelow1W && size < 999.5) return withUnit(fixed(mw, 0), "mW");
  return withUnit(fixed(mw / 1e3, size < 99_950 ? 1 : 0), "W");
}

/** Energy in joules: `0.42 J`, `59.3 J`, `15,158 J`. */
export function energy(joules: Known): string {
  if (!known(joules)) return DASH;
  const size = Math.abs(joules);
  return withUnit(fixed(joules, size < 9.995 ? 2 : size < 99.95 ? 1 : 0), "J");
}

/** Energy of a whole run, from joules: `4.21 Wh`. */
export function wattHours(joules: Known): string {
  return known(joules) ? withUnit(fixed(joules / 3600, 2), "Wh") : DASH;
}

/** Energy in kilowatt hours: `0.162 kWh`. */
export function kilowattHours(kwh: Known): string {
  return known(kwh) ? withUnit(fixed(kwh, 3), "kWh") : DASH;
}

/** Energy per token in joules, without its unit: `0.581`. */
export function perTokenValue(joules: Known): string {
  return known(joules) ? fixed(joules, 3) : DASH;
}

/** Energy per token in joules: `0.581 J/token`. */
export function perToken(joules: Known): string {
  return known(joules) ? withUnit(fixed(joules, 3), "J/token") : DASH;
}

/** Tokens per second: `53.9 tok/s`. */
export function rate(tokensPerSecond: Known): string {
  return known(tokensPerSecond) ? withUnit(rateValue(tokensPerSecond), "tok/s") : DASH;
}

/** Tokens per second without the unit: `53.9`, `384`. */
export function rateValue(tokensPerSecond: Known): string {
  return known(tokensPerSecond) ? fixed(tokensPerSecond, Math.abs(tokensPerSecond) < 99.95 ? 1 : 0) : DASH;
}

/** Time to the first token, always in milliseconds: `1,283 ms`. */
export function milliseconds(ms: Known): string {
  return known(ms) ? withUnit(fixed(ms, 0), "ms") : DASH;
}

/** A short time: `10.3 s`. */
export function seconds(s: Known): string {
  return known(s) ? withUnit(fixed(s, 1), "s") : DASH;
}

/** An interval between samples, from milliseconds: `250 ms`, `1 s`, `2.5 s`. */
export function interval(ms: Known): string {
  if (!known(ms)) return DASH;
  if (Math.round(ms) < 1000) return withUnit(fixed(ms, 0), "ms");
  return withUnit((ms / 1e3).toLocaleString("en-US", { maximumFractionDigits: 1 }), "s");
}

/** How long something took: `38 min 47 s`, `2 h 5 min`, `9.4 s`. */
export function duration(s: Known): string {
  if (!known(s)) return DASH;
  if (s < 59.95) return seconds(s);
  const whole = Math.round(s);
  const [h, min, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  if (h > 0) return `${h}${SPACE}h ${min}${SPACE}min`;
  return `${min}${SPACE}min ${rest}${SPACE}s`;
}

/** A guess of what is left: `About 8 min left`, `About 40 s left`. */
export function left(s: Known): string {
  if (!known(s)) return DASH;
  if (s < 5) return "A few seconds left";
  if (s < 55) return `About ${Math.max(10, Math.round(s / 10) * 10)}${SPACE}s left`;
  if (s < 5400) return `About ${Math.max(1, Math.round(s / 60))}${SPACE}min left`;
  return `About ${Math.round(s / 3600)}${SPACE}h left`;
}

/** A place on a run's time axis, from seconds: `8:00`, `21:38.9` with tenths, `1:02:03` from an hour on. */
export function runTime(s: Known, tenths = false): string {
  if (!known(s)) return DASH;
  const units = tenths ? 10 : 1;
  const total = Math.round(Math.abs(s) * units);
  const [min, rest] = [Math.floor(total / (60 * units)), total % (60 * units)];
  const text = tenths ? (rest / 10).toFixed(1).padStart(4, "0") : String(rest).padStart(2, "0");
  const minutes = min < 60 ? String(min) : `${Math.floor(min / 60)}:${String(min % 60).padStart(2, "0")}`;
  return `${s < 0 && total > 0 ? MINUS : ""}${minutes}:${text}`;
}

/** A share from 0 to 1: `42 %`. */
export function share(ratio: Known): string {
  return known(ratio) ? withUnit(fixed(ratio * 100, 0), "%") : DASH;
}

/** A count: `12,992`. */
export function count(n: Known): string {
  return known(n) ? fixed(n, 0) : DASH;
}

/** A size in bytes, decimal as the Finder: `4.62 GB`. */
export function bytes(n: Known): string {
  if (!known(n)) return DASH;
  if (n >= 1e9) return withUnit(fixed(n / 1e9, n >= 99.95e9 ? 0 : 2), "GB");
  if (n >= 1e6) return withUnit(fixed(n / 1e6, 0), "MB");
  if (n >= 1e3) return withUnit(fixed(n / 1e3, 0), "kB");
  return withUnit(fixed(n, 0), "bytes");
}

/** Money by its currency's code or sign: `EUR 0.05`, `€0.05`; more decimals for small amounts. */
export function money(amount: Known, currency: string): string {
  if (!known(amount)) return DASH;
  const size = Math.abs(amount);
  const text = fixed(amount, size === 0 || size >= 0.995 ? 2 : size >= 0.01 ? 3 : 5);
  return /^[A-Za-z]{2,}$/.test(currency) ? withUnit(currency, text) : currency + text;
}

/** Carbon dioxide in grams: `61.5 g`, `1.20 kg`. */
export function carbon(grams: Known): string {
  if (!known(grams)) return DASH;
  if (Math.abs(grams) >= 1000) return withUnit(fixed(grams / 1e3, 2), "kg");
  return withUnit(fixed(grams, Math.abs(grams) < 9.995 ? 2 : 1), "g");
}

function instant(iso: string): Date | null {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? null : date;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Time of day: `14:51`. */
export function clock(iso: string): string {
  const date = instant(iso);
  if (!date) return DASH;
  return `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
}

/** A day and time, as near as it needs: `Today 14:51`, `Yesterday 21:15`, `22 Nov, 16:31`, `22 Nov 2025, 16:31`. */
export function day(iso: string, now: Date = clockNow()): string {
  const date = instant(iso);
  if (!date) return DASH;
  const midnight = (of: Date): number => new Date(of.getFullYear(), of.getMonth(), of.getDate()).getTime();
  const days = Math.round((midnight(now) - midnight(date)) / 86_400_000);
  if (days === 0) return `Today ${clock(iso)}`;
  if (days === 1) return `Yesterday ${clock(iso)}`;
  const year = date.getFullYear() === now.getFullYear() ? "" : ` ${date.getFullYear()}`;
  return `${date.getDate()} ${MONTHS[date.getMonth()] ?? ""}${year}, ${clock(iso)}`;
}

/** A full date and time: `24 Nov 2026, 14:12`. */
export function timestamp(iso: string): string {
  const date = instant(iso);
  if (!date) return DASH;
  return `${date.getDate()} ${MONTHS[date.getMonth()] ?? ""} ${date.getFullYear()}, ${clock(iso)}`;
}

/** A correlation, from −1 to 1: `−0.13`. */
export function correlation(r: Known): string {
  return known(r) ? fixed(r, 2) : DASH;
}
