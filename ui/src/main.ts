import "./locale";
import { mount } from "svelte";
import App from "./App.svelte";
import "./tokens.css";
import "./app.css";
import { connect } from "./lib/backend";
import { problem } from "./lib/problem.svelte";

window.addEventListener("unhandledrejection", (event) => problem.show(event.reason));

/** Not a top-level await: the backend is a chunk of its own, and chunks that it needs may wait for this one. */
async function start(target: HTMLElement): Promise<void> {
  try {
    await connect();
    mount(App, { target });
  } catch (error) {
    // without a backend there is no view to say it in
    console.error(error);
    target.textContent = `Joulebar could not open this window. ${error instanceof Error ? error.message : String(error)}`;
  }
}

const target = document.getElementById("app");
if (target) void start(target);
