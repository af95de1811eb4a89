// The popover through a day of samples at 4 Hz, as fast as it goes: does its memory stay?

import "../src/locale";
import { flushSync, mount } from "svelte";
import "../src/tokens.css";
import "../src/app.css";
import App from "../src/App.svelte";
import type { LiveSample } from "../src/lib/backend/bindings";
import { connect } from "../src/lib/backend";
import { live } from "../src/lib/live/live.svelte";

const SAMPLE_NS = 250e6;
const AN_HOUR = 4 * 3600;
/** Samples between two drawings: ten seconds. */
const DRAWN_EVERY = 40;

declare global {
  interface Window {
    ready: boolean;
    /** Feeds one hour; answers how many samples the page holds. */
    hour: () => Promise<number>;
  }
}

let at = 0;

function next(): LiveSample {
  const i = Math.round(at / SAMPLE_NS);
  const [gpu_mw, cpu_mw] = [60 + ((i * 7919) % 18_000), 300 + ((i * 104_729) % 3_000)];
  const start_ns = at;
  at += SAMPLE_NS;
  return { start_ns, end_ns: at, soc_mw: gpu_mw + cpu_mw, cpu_mw, gpu_mw, ane_mw: 0, dram_mw: null, system_mw: null };
}

window.hour = async () => {
  for (let i = 1; i <= AN_HOUR; i++) {
    const sample = next();
    live.take({ snapshot: null, samples: [sample], phases: null, now_ns: sample.end_ns });
    if (i % DRAWN_EVERY === 0) {
      flushSync();
      // lets the page draw and tidy up
      await new Promise((done) => setTimeout(done));
    }
  }
  return live.samples.length;
};

async function start(target: HTMLElement): Promise<void> {
  location.hash = "#/popover";
  await connect();
  mount(App, { target });
  flushSync();
  at = live.nowNs;
  window.ready = true;
}

const target = document.getElementById("app");
if (target) void start(target);
