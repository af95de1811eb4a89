// Draws power into a canvas: steps, stacked rails, the system line, phase bands, gaps. Knows nothing of axes or input.

import type { PhaseSpan } from "../backend/bindings";
import type { PowerColumns, Rail, Series } from "./columns";
import { firstAfter, RAILS } from "./columns";
import { decimate, eachGap, gapBefore, samplesIn } from "./decimate";
import type { Theme } from "./theme";

/** What is seen: a stretch of time (milliseconds) over a rectangle of device pixels, up to a power (milliwatts). */
export interface View {
  from: number;
  to: number;
  top: number;
  left: number;
  up: number;
  width: number;
  height: number;
  /** Device pixels for one CSS pixel. */
  scale: number;
}

const x = (view: View, ms: number): number => view.left + ((ms - view.from) / (view.to - view.from)) * view.width;
const y = (view: View, mw: number): number => view.up + view.height - (Math.max(0, mw) / view.top) * view.height;

/** Prefill and decode behind the data; baseline and cooldown stay blank. */
export function paintBands(ctx: CanvasRenderingContext2D, view: View, phases: readonly PhaseSpan[], theme: Theme): void {
  for (const span of phases) {
    if (span.phase !== "prefill" && span.phase !== "decode") continue;
    const from = Math.max(view.left, x(view, span.start_ns / 1e6));
    const to = Math.min(view.left + view.width, x(view, (span.end_ns ?? view.to * 1e6) / 1e6));
    if (to <= from) continue;
    ctx.fillStyle = theme(`--band-${span.phase}`);
    ctx.fillRect(from, view.up, to - from, view.height);
  }
}

/** Stack and system line: one step a sample, or one a pixel column where samples are denser than that. */
export function paintPower(ctx: CanvasRenderingContext2D, view: View, columns: PowerColumns, theme: Theme): void {
  const pixels = Math.max(1, Math.round(view.width / view.scale));
  if (samplesIn(columns, view.from, view.to) >= 2 * pixels) paintDecimated(ctx, view, columns, pixels, theme);
  else paintSamples(ctx, view, columns, theme);
}

/** What stands in one step of the stack, from below. */
function stack(value: (rail: Rail) => number): { rail: Rail; from: number; to: number }[] {
  let base = 0;
  const parts: { rail: Rail; from: number; to: number }[] = [];
  for (const rail of RAILS) {
    const mw = value(rail);
    if (Number.isNaN(mw)) continue;
    parts.push({ rail, from: base, to: base + mw });
    base += mw;
  }
  return parts;
}

function paintSamples(ctx: CanvasRenderingContext2D, view: View, columns: PowerColumns, theme: Theme): void {
  const first = firstAfter(columns, view.from);
  const last = Math.min(columns.length, firstAfter(columns, view.to) + 1);
  const right = view.left + view.width;
  const edges = new Map<Rail | "system", Path2D>();
  const levels = new Map<Rail | "system", number>();
  const edge = (name: Rail | "system", joined: boolean, from: number, to: number, at: number): void => {
    let path = edges.get(name);
    if (!path) edges.set(name, (path = new Path2D()));
    if (joined && levels.has(name)) path.lineTo(from, at);
    else path.moveTo(from, at);
    path.lineTo(to, at);
    levels.set(name, at);
  };
  let before = Number.NaN;
  for (let i = first; i < last; i++) {
    const start = columns.start[i] ?? 0;
    const gap = i > first && gapBefore(columns, i);
    // what is less than a gap is closed, so that no hairline of rounding is seen
    const from = Math.max(view.left, gap || Number.isNaN(before) ? Math.round(x(view, start)) : before);
    // whole pixels: two areas that share a fraction of one leave a seam
    const to = Math.min(right, Math.round(x(view, start + (columns.span[i] ?? 0))));
    if (gap) levels.clear();
    before = to;
    if (to <= from) continue;
    const seen = new Set<Rail | "system">();
    for (const part of stack((rail) => columns[rail][i] ?? Number.NaN)) {
      ctx.fillStyle = theme(`--rail-${part.rail}-fill`);
      ctx.fillRect(from, y(view, part.to), to - from, y(view, part.from) - y(view, part.to));
      // a rail that draws nothing has no edge, or it would paint over the one below
      if (part.to === part.from) continue;
      edge(part.rail, true, from, to, y(view, part.to));
      seen.add(part.rail);
    }
    const system = columns.system[i] ?? Number.NaN;
    if (!Number.isNaN(system)) {
      edge("system", true, from, to, y(view, system));
      seen.add("system");
    }
    for (const name of [...levels.keys()]) if (!seen.has(name)) levels.delete(name);
  }
  for (const [name, path] of edges) {
    ctx.strokeStyle = theme(`--rail-${name}`);
    ctx.lineWidth = (name === "system" ? 1 : 1.25) * view.scale;
    ctx.stroke(path);
  }
}

function paintDecimated(ctx: CanvasRenderingContext2D, view: View, columns: PowerColumns, pixels: number, theme: Theme): void {
  const { mean } = decimate(columns, view.from, view.to, pixels);
  const step = view.width / pixels;
  const base = new Float64Array(pixels);
  // whole pixels, one rectangle a column: neither seams nor a path of a thousand parts
  const places = Array.from({ length: pixels + 1 }, (_, i) => Math.round(view.left + i * step));
  for (const rail of RAILS) {
    ctx.fillStyle = theme(`--rail-${rail}-fill`);
    for (let i = 0; i < pixels; i++) {
      const mw = mean[rail][i] as number;
      if (mw !== mw) continue;
      const from = base[i] as number;
      const top = y(view, from + mw);
      const left = places[i] as number;
      ctx.fillRect(left, top, (places[i + 1] as number) - left, y(view, from) - top);
      base[i] = from + mw;
    }
  }
  const line: Series = "system";
  ctx.strokeStyle = theme("--text-3");
  ctx.lineWidth = 0.6 * view.scale;
  ctx.beginPath();
  let joined = false;
  for (let i = 0; i < pixels; i++) {
    const mw = mean[line][i] as number;
    if (mw !== mw) {
      joined = false;
      continue;
    }
    const at = y(view, mw);
    if (joined) ctx.lineTo(view.left + i * step, at);
    else ctx.moveTo(view.left + i * step, at);
    ctx.lineTo(view.left + (i + 1) * step, at);
    joined = true;
  }
  ctx.stroke();
}

/** Hatch over every gap between samples. */
export function paintGaps(ctx: CanvasRenderingContext2D, view: View, columns: PowerColumns, theme: Theme): void {
  const first = firstAfter(columns, view.from);
  const last = Math.min(columns.length - 1, firstAfter(columns, view.to));
  eachGap(columns, Math.max(1, first), last, (from, to) => hatch(ctx, view, x(view, from), x(view, to), theme));
}

/** From this age on the newest reading is called held, in milliseconds. */
const HELD_MS = 2000;

/** Hatch from the newest sample up to now, once it is so old that its reading is held. */
export function paintSilence(ctx: CanvasRenderingContext2D, view: View, columns: PowerColumns, theme: Theme): void {
  const last = columns.length - 1;
  if (last < 0) return;
  const end = (columns.start[last] ?? 0) + (columns.span[last] ?? 0);
  if (view.to - end >= HELD_MS) hatch(ctx, view, x(view, end), x(view, view.to), theme);
}

/** The pattern that means: not known. */
export function hatch(ctx: CanvasRenderingContext2D, view: View, from: number, to: number, theme: Theme): void {
  const [left, right] = [Math.max(view.left, from), Math.min(view.left + view.width, to)];
  if (right <= left) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, view.up, right - left, view.height);
  ctx.clip();
  ctx.strokeStyle = theme("--line-strong");
  ctx.globalAlpha = 0.55;
  ctx.lineWidth = view.scale;
  ctx.beginPath();
  const distance = 7 * view.scale;
  for (let at = left - view.height; at < right; at += distance) {
    ctx.moveTo(at, view.up + view.height);
    ctx.lineTo(at + view.height, view.up);
  }
  ctx.stroke();
  ctx.restore();
}

/** The labels of a live chart: watts flush right beside the plot, the ends of the minute flush with its sides. */
export function paintLabels(ctx: CanvasRenderingContext2D, view: View, watts: readonly string[], times: readonly string[], theme: Theme): void {
  ctx.save();
  ctx.fillStyle = theme("--line-strong");
  ctx.fillRect(view.left, view.up + view.height, view.width, view.scale);
  ctx.fillStyle = theme("--text-3");
  ctx.font = `${10 * view.scale}px ${theme("--font-text")}`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  watts.forEach((text, i) => ctx.fillText(text, ctx.canvas.width, view.up + view.height * (1 - i / (watts.length - 1))));
  ctx.textBaseline = "alphabetic";
  times.forEach((text, i) => {
    ctx.textAlign = i === 0 ? "left" : i === times.length - 1 ? "right" : "center";
    ctx.fillText(text, view.left + (view.width * i) / (times.length - 1), view.up + view.height + 13 * view.scale);
  });
  ctx.restore();
}

/** A dashed line across, for idle power. */
export function paintIdle(ctx: CanvasRenderingContext2D, view: View, mw: number, theme: Theme): void {
  ctx.save();
  ctx.setLineDash([4 * view.scale, 3 * view.scale]);
  ctx.strokeStyle = theme("--text-2");
  ctx.lineWidth = view.scale;
  ctx.beginPath();
  ctx.moveTo(view.left, y(view, mw));
  ctx.lineTo(view.left + view.width, y(view, mw));
  ctx.stroke();
  ctx.restore();
}
