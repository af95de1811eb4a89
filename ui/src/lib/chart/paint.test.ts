import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { emptyColumns, type PowerColumns } from "./columns";
import { paintBands, paintGaps, paintPower, paintSilence, type View } from "./paint";
import type { Theme } from "./theme";

/** A path that only remembers whether a pen moved or drew. */
class Path {
  readonly steps: [pen: "move" | "line", x: number, y: number][] = [];
  moveTo(x: number, y: number): void {
    this.steps.push(["move", x, y]);
  }
  lineTo(x: number, y: number): void {
    this.steps.push(["line", x, y]);
  }
}

interface Area {
  color: unknown;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** What a canvas was told to draw. */
class Canvas {
  fillStyle: unknown = "";
  strokeStyle: unknown = "";
  lineWidth = 1;
  globalAlpha = 1;
  areas: Area[] = [];
  lines = new Map<unknown, Path>();
  clips: Area[] = [];
  private path = new Path();
  private rects: Omit<Area, "color">[] = [];

  fillRect(x: number, y: number, width: number, height: number): void {
    this.areas.push({ color: this.fillStyle, x, y, width, height });
  }
  beginPath(): void {
    this.path = new Path();
    this.rects = [];
  }
  rect(x: number, y: number, width: number, height: number): void {
    this.rects.push({ x, y, width, height });
  }
  fill(): void {
    for (const rect of this.rects) this.areas.push({ color: this.fillStyle, ...rect });
  }
  clip(): void {
    for (const rect of this.rects) this.clips.push({ color: "", ...rect });
  }
  moveTo(x: number, y: number): void {
    this.path.moveTo(x, y);
  }
  lineTo(x: number, y: number): void {
    this.path.lineTo(x, y);
  }
  stroke(path: Path = this.path): void {
    this.lines.set(this.strokeStyle, path);
  }
  save(): void {}
  restore(): void {}
}

const theme: Theme = (variable) => variable;
/** A second is ten pixels, a watt is one. */
const view: View = { from: 0, to: 10_000, top: 100_000, left: 0, up: 0, width: 100, height: 100, scale: 1 };

/** One sample a second of 20 W GPU, 5 W CPU, no ANE and 40 W system; those in `lost` did not come. */
function columns(n: number, lost: readonly number[] = []): PowerColumns {
  const all = Array.from({ length: n }, (_, i) => i).filter((i) => !lost.includes(i));
  const out = emptyColumns(all.length);
  all.forEach((second, i) => {
    out.start[i] = second * 1000;
    out.span[i] = 1000;
    [out.gpu[i], out.cpu[i], out.ane[i], out.soc[i], out.system[i]] = [20_000, 5_000, 0, 25_000, 40_000];
  });
  return out;
}

let canvas: Canvas;
const ctx = (): CanvasRenderingContext2D => canvas as unknown as CanvasRenderingContext2D;
const areasOf = (color: string): Area[] => canvas.areas.filter((area) => area.color === color);

beforeEach(() => {
  canvas = new Canvas();
  vi.stubGlobal("Path2D", Path);
});
afterEach(() => vi.unstubAllGlobals());

describe("power is drawn", () => {
  it("as one step a sample, edge to edge, rails stacked from below", () => {
    paintPower(ctx(), view, columns(10), theme);
    expect(areasOf("--rail-gpu-fill")).toHaveLength(10);
    expect(areasOf("--rail-gpu-fill")[3]).toMatchObject({ x: 30, width: 10, y: 80, height: 20 });
    expect(areasOf("--rail-cpu-fill")[3]).toMatchObject({ x: 30, width: 10, y: 75, height: 5 });
  });

  it("with system power as a line, never an area", () => {
    paintPower(ctx(), view, columns(10), theme);
    expect(canvas.areas.some((area) => String(area.color).includes("system"))).toBe(false);
    expect(canvas.lines.get("--rail-system")?.steps.every(([, , y]) => y === 60)).toBe(true);
  });

  it("with no edge for a rail that draws nothing", () => {
    paintPower(ctx(), view, columns(10), theme);
    expect(canvas.lines.has("--rail-ane")).toBe(false);
  });

  it("broken where samples are missing, hatched there, and never at zero", () => {
    const gap = columns(10, [4, 5]);
    paintPower(ctx(), view, gap, theme);
    paintGaps(ctx(), view, gap, theme);
    for (const area of canvas.areas) expect(area.x + area.width <= 40 || area.x >= 60).toBe(true);
    expect(canvas.lines.get("--rail-system")?.steps.filter(([pen]) => pen === "move")).toEqual([["move", 0, 60], ["move", 60, 60]]);
    expect(canvas.clips).toMatchObject([{ x: 40, width: 20 }]);
  });

  it("with a hatch up to now once the newest sample is held, not before", () => {
    paintSilence(ctx(), { ...view, to: 11_900 }, columns(10), theme);
    expect(canvas.clips).toEqual([]);
    paintSilence(ctx(), { ...view, to: 12_500 }, columns(10), theme);
    expect(canvas.clips).toMatchObject([{ x: 80, width: 20 }]);
  });

  it("broken where one rail is missing while the others go on", () => {
    const some = columns(10);
    some.system[5] = Number.NaN;
    paintPower(ctx(), view, some, theme);
    expect(canvas.lines.get("--rail-system")?.steps.filter(([pen]) => pen === "move")).toHaveLength(2);
    expect(areasOf("--rail-gpu-fill")).toHaveLength(10);
  });

  it("by fill alone where a pixel holds several samples, and its area stays the energy", () => {
    const dense = columns(1000);
    paintPower(ctx(), { ...view, to: 1_000_000 }, dense, theme);
    expect(canvas.lines.has("--rail-gpu")).toBe(false);
    const area = areasOf("--rail-gpu-fill").reduce((sum, { height }) => sum + height, 0);
    expect(area / 100).toBeCloseTo(20, 3);
  });
});

describe("phase bands", () => {
  it("stand behind prefill and decode only, up to now while they last", () => {
    paintBands(
      ctx(), view,
      [
        { phase: "baseline", start_ns: 0, end_ns: 2e9 },
        { phase: "prefill", start_ns: 2e9, end_ns: 3e9 },
        { phase: "decode", start_ns: 3e9, end_ns: null },
      ],
      theme,
    );
    expect(canvas.areas).toMatchObject([{ color: "--band-prefill", x: 20, width: 10 }, { color: "--band-decode", x: 30, width: 70 }]);
  });
});
