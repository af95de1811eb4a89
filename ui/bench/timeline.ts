// How long the timeline of a long run takes: until it is first drawn, and for each frame while it is zoomed.

import "../src/locale";
import { flushSync, mount, unmount } from "svelte";
import "../src/tokens.css";
import "../src/app.css";
import { emptyColumns, type PowerColumns } from "../src/lib/chart/columns";
import Timeline from "../src/views/window/detail/Timeline.svelte";

const INTERVAL_MS = 250;

declare global {
  interface Window {
    /** Milliseconds of work: first drawings, each of new samples, and frames of zooming. */
    measure: (samples: number) => Promise<{ first: number[]; zoom: number[] }>;
  }
}

/** Power that rises and falls from sample to sample, as a run's does. */
function samples(n: number): PowerColumns {
  const columns = emptyColumns(n);
  for (let i = 0; i < n; i++) {
    const busy = i % 400 > 160;
    columns.start[i] = i * INTERVAL_MS;
    columns.span[i] = INTERVAL_MS;
    columns.gpu[i] = busy ? 18_000 + ((i * 7919) % 4_000) : 60 + (i % 17);
    columns.cpu[i] = busy ? 3_000 + ((i * 104_729) % 900) : 300 + (i % 90);
    columns.ane[i] = 0;
    columns.soc[i] = (columns.gpu[i] ?? 0) + (columns.cpu[i] ?? 0);
  }
  return columns;
}

/** Waits for the drawing that is asked for, then reads a pixel, so that it has really been made. */
async function drawn(target: HTMLElement): Promise<void> {
  flushSync();
  await Promise.resolve();
  await Promise.resolve();
  for (const canvas of target.querySelectorAll("canvas")) canvas.getContext("2d")?.getImageData(0, 0, 1, 1);
}

const frame = (): Promise<number> => new Promise((done) => requestAnimationFrame(() => done(performance.now())));

window.measure = async (count) => {
  const target = document.getElementById("app");
  if (!target) throw new Error("the page has no place for the timeline");
  const [first, zoom]: [number[], number[]] = [[], []];
  for (let round = 0; round < 5; round++) {
    const columns = samples(count);
    await frame();
    const began = performance.now();
    const timeline = mount(Timeline, { target, props: { columns, rows: [], idle: 400 } });
    await drawn(target);
    first.push(performance.now() - began);
    if (target.querySelectorAll("canvas").length === 0) throw new Error("nothing was drawn");
    const chart = target.querySelector(".u-over");
    const { left, top, width, height } = chart?.getBoundingClientRect() ?? new DOMRect();
    for (let step = 0; step < 24; step++) {
      await frame();
      // the callbacks of one frame: ours, the timeline's, ours; effects and drawing follow each callback
      const began = frame();
      const event = { deltaY: step < 12 ? -1 : 1, clientX: left + width / 3, clientY: top + height / 2, bubbles: true, cancelable: true };
      chart?.dispatchEvent(new WheelEvent("wheel", event));
      const ended = new Promise<number>((done) =>
        requestAnimationFrame(() => {
          // the overview below stays as it is
          target.querySelector<HTMLCanvasElement>(".uplot canvas")?.getContext("2d")?.getImageData(0, 0, 1, 1);
          done(performance.now());
        }),
      );
      zoom.push((await ended) - (await began));
    }
    await unmount(timeline);
  }
  return { first, zoom };
};
